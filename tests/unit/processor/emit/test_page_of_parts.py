"""What the page says where there is little to say, or nothing to compare with, and of alarms that are no column's."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest

from otel_ml_conventions.attributes import (
    MlDriftMethodValues,
    MlDriftStateValues,
    MlDriftTargetValues,
    MlSegmentMeasureValues,
)
from otel_ml_processor.assess.confidence_fall import ConfidenceFall
from otel_ml_processor.assess.label_alarms import LabelAlarm
from otel_ml_processor.assess.reading import Reading
from otel_ml_processor.assess.segments import Gap, Segment, SegmentReading
from otel_ml_processor.emit.page import ProcessorFacts, page_html
from otel_ml_processor.emit.readings import reading_json
from otel_ml_processor.emit.stream_pages import StreamView
from tests.unit.processor.emit import sample_readings as samples
from tests.unit.processor.emit.sample_feedback import PERFORMANCE

FACTS = ProcessorFacts("tee", "127.0.0.1:14317", "1")
ALONE = Gap(MlSegmentMeasureValues.POSITIVE_RATE, 0.2, 0.4)
GAP = replace(ALONE, state=MlDriftStateValues.STEADY)


def page(reading: Reading, *labels: LabelAlarm) -> str:
    """Return the page of a stream with this reading, whose labels raise these alarms."""
    performance = replace(PERFORMANCE, alarms=labels)
    view = StreamView(reading.stream, None, (reading,), performance=(performance,))
    return page_html([view], FACTS, is_ready=True)


def with_segment(*gaps: Gap, reference_id: str = "sha256:one") -> Reading:
    """Return a reading with one segment."""
    segment = SegmentReading(Segment("region", "emea"), 9, None, {}, gaps)
    return replace(samples.drifting_reading(), segments=(segment,), reference_id=reference_id)


def test_a_window_against_a_provisional_reference_is_not_called_too_small() -> None:
    """It has rows enough: what is missing is the reference, and no row is carried on."""
    targets = tuple(replace(t, state=samples.INSUFFICIENT) for t in (samples.TEMP, samples.DEWP))
    learning = replace(samples.reading(*targets), rows=5000)
    assert "still being learned" in page(learning)
    assert "Too few rows" not in page(learning)
    assert "Too few rows" in page(samples.insufficient(learning))


def test_a_segment_that_is_compared_with_nothing_is_not_called_steady() -> None:
    """Without a reference of its own there is a difference, and no verdict on it, nor a p-value."""
    compared, alone = page(with_segment(GAP)), page(with_segment(ALONE))
    row = re.compile(r"region=emea.*?</tr>")
    assert "steady" in row.findall(compared)[0]
    assert "steady" not in row.findall(alone)[0]
    assert '<span class="badge no-reference">no reference</span>' in row.findall(alone)[0]
    assert '<td class="n">\N{EN DASH}</td>' in row.findall(alone)[0]
    few = page(with_segment(replace(ALONE, state=MlDriftStateValues.INSUFFICIENT)))
    assert "insufficient" in row.findall(few)[0]


def test_segments_without_a_rate_make_no_table() -> None:
    """Where no prediction says anything, there is no heading over nothing."""
    assert "segments of window" in page(with_segment(GAP))
    assert "segments of window" not in page(with_segment())


def test_every_heading_has_its_column_on_a_narrow_screen() -> None:
    """What is hidden there is a column of bars, heading and cells alike, of the one table that has it."""
    found = page(with_segment(GAP))
    hidden = re.findall(r'<t[hd] class="bar">', found)
    assert len(hidden) == 1 + len(samples.drifting_reading().targets)
    assert "nth-child" not in found.split("max-width: 40rem")[1].split("</style>")[0]


@pytest.mark.parametrize("fall", [None, ConfidenceFall(0.6, 0.8, 0.72)])
def test_programs_read_how_far_confidence_has_fallen(fall: ConfidenceFall | None) -> None:
    """As the page says it; nothing where it has not."""
    told = json.loads(reading_json(replace(samples.drifting_reading(), confidence_fall=fall)))
    expected = None if fall is None else {"mean": 0.6, "before": 0.8, "bound": 0.72}
    assert told["confidence_fall"] == expected


def test_alarms_of_labels_and_of_confidence_stand_out() -> None:
    """With the badge that a drifting column has, and text as text."""
    alarm = LabelAlarm(
        MlDriftTargetValues.PERFORMANCE,
        "accuracy",
        MlDriftMethodValues.OTHER,
        0.5,
        0.8,
        None,
        "<b> is wrong",
    )
    fallen = replace(samples.drifting_reading(), confidence_fall=ConfidenceFall(0.6, 0.8, 0.72))
    said = re.findall(r'<p class="alarm">(.*?)</p>', page(fallen, alarm), re.DOTALL)
    assert len(said) == 2
    assert all("badge drifting" in one for one in said)
    assert any("&lt;b&gt; is wrong" in one for one in said)
    assert any("mean confidence is 0.6, 75 % of the reference&#39;s 0.8" in one for one in said)

"""How much came, and whether that was chosen by its outcome, wherever it is told."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from otel_ml_processor.assess.sampling import BIASED
from otel_ml_processor.assess.states import describe
from otel_ml_processor.emit.events import drift_attributes
from otel_ml_processor.emit.metrics import MetricBook
from otel_ml_processor.emit.page import ProcessorFacts, page_html
from otel_ml_processor.emit.readings import readings_json
from otel_ml_processor.self_metrics import SelfMetrics
from tests.unit.processor.emit import sample_readings as samples

if TYPE_CHECKING:
    from otel_ml_processor.assess.reading import Reading

FACTS = ProcessorFacts(mode="tee", receive_endpoint="127.0.0.1:14317", version="1.2.3")
FAIR = replace(samples.drifting_reading(), received=0.25)
CHOSEN = replace(FAIR, is_biased=True)


def book_of(reading: Reading) -> MetricBook:
    """Return a book that has taken in *reading*."""
    book = MetricBook(windows=["1h"], scores=["psi"], self_metrics=SelfMetrics())
    book.update(reading, None)
    return book


def received(book: MetricBook) -> list[tuple[object, float]]:
    """Return the label and the value of each point of the share that came."""
    return [
        (dict(point.attributes).get("ml.sampling.biased"), point.value)
        for metric in book.collect()
        if metric.definition.name == "ml.inference.received"
        for point in metric.points
    ]


def test_the_share_that_came_is_labelled_where_it_was_chosen() -> None:
    """A query can leave out what is biased; without the label it is as it ever was."""
    assert received(book_of(FAIR)) == [(None, 0.25)]
    assert received(book_of(CHOSEN)) == [(True, 0.25)]
    assert received(book_of(replace(FAIR, received=None))) == []


@pytest.mark.parametrize("reading", [FAIR, CHOSEN], ids=["fair", "chosen"])
def test_the_readings_say_so(reading: Reading) -> None:
    """As a truth value beside the share."""
    (stream,) = json.loads(readings_json(book_of(reading).views()))["streams"]
    (window,) = stream["readings"]
    assert (window["received"], window["biased"]) == (0.25, reading is CHOSEN)


def test_the_page_says_so_in_words() -> None:
    """How much came where not all did, and what that means where it was chosen."""
    fair, chosen, whole = (
        page_html(book_of(reading).views(), FACTS, is_ready=True)
        for reading in (FAIR, CHOSEN, replace(FAIR, received=1.0))
    )
    came = "25\N{NO-BREAK SPACE}% of the calls came"
    assert came in fair
    assert BIASED not in fair
    assert came in chosen
    assert BIASED in chosen
    assert "of the calls came" not in whole


def test_an_alarm_says_so_in_its_attributes_and_in_words() -> None:
    """Whoever reads the alarm must know that what was compared is not what was asked."""
    for reading in (FAIR, CHOSEN):
        change = samples.change_of(reading, samples.TEMP)
        text = describe(change)
        said = drift_attributes(change, text, effect_floor=0.01)
        assert ("ml.sampling.biased" in said) is reading.is_biased
        assert said.get("ml.sampling.biased", True)
        assert (BIASED in text) is reading.is_biased

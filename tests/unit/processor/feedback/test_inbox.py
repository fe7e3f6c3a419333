"""What requests leave behind for labels: rows with their own windows, at times that event time has."""

from __future__ import annotations

from collections import Counter

import pytest

from otel_ml_conventions.attributes import MlFeedbackOutcomeValues
from otel_ml_processor.assess.performance import PerformanceReading
from otel_ml_processor.columns import StreamKey
from otel_ml_processor.config import Config, FeedbackConfig, StreamsConfig, WindowConfig
from otel_ml_processor.decode.spans import PlainDecoder
from otel_ml_processor.feedback.inbox import Inbox
from otel_ml_processor.feedback.totals import FeedbackTotals
from otel_ml_processor.signals import Signal
from otel_ml_processor.windows.placed import place
from otel_ml_processor.windows.streams import Streams
from tests.data.export_requests import RESOURCE, export_request, inference_span
from tests.data.labels import label_record, label_request, rooms

NOW_NS = 1_750_000_000_000_000_000
SECOND_NS = 1_000_000_000
LATEST_NS = (1 << 63) - 1


class Outcomes:
    """Keeps what came of feedback, by the stream that it is of or names."""

    def __init__(self) -> None:
        self.totals: dict[StreamKey | None, FeedbackTotals] = {}

    @property
    def counts(self) -> Counter[MlFeedbackOutcomeValues]:
        """How often what came of it."""
        said = [pair for totals in self.totals.values() for pair in totals.joined.items()]
        return Counter({o: sum(n for j, n in said if j.outcome is o) for o, *_ in dict(said)})

    def feedback(self, totals: FeedbackTotals) -> None:
        """Keep the newest *totals* of a stream."""
        self.totals[totals.stream] = totals

    def performance(self, reading: PerformanceReading) -> None:
        """Pass over *reading*."""


def predictions(numbers: range, end_ns: int) -> bytes:
    """Return a request with predictions, a microsecond apart."""
    return export_request(
        [
            inference_span({"ml.prediction.label": "yes"}, span_id=n, end_ns=end_ns + n * 1000)
            for n in numbers
        ]
    )


@pytest.mark.parametrize("ahead_ns", [LATEST_NS, NOW_NS + 400 * 86_400 * SECOND_NS])
def test_a_prediction_from_the_future_makes_no_other_old(ahead_ns: int) -> None:
    """
    Its time is taken to be now, as windows take it.

    Where there is no room for all predictions those go first whose labels would be late: beside one from the future that would be all of them.
    """
    told = Outcomes()
    joining, pipeline = rooms(Config(feedback=FeedbackConfig(max=1000)), told, lambda: NOW_NS)
    pipeline.take(
        export_request(
            [inference_span({"ml.prediction.label": "no"}, span_id=5000, end_ns=ahead_ns)]
        ),
        None,
    )
    for begin in (1, 501):
        pipeline.take(predictions(range(begin, begin + 500), NOW_NS), None)
        pipeline.tick(NOW_NS)

    records = [label_record({"ml.feedback.label": "yes"}, n, NOW_NS) for n in range(1, 501)]
    joining.inbox.hear(Signal.LOGS, label_request(records, RESOURCE))
    joining.settle(NOW_NS, is_last=True)

    # A random half is kept; of the other half it is known that it was there.
    assert told.counts[MlFeedbackOutcomeValues.UNMATCHED] == 0
    assert told.counts[MlFeedbackOutcomeValues.JOINED] > 150


def test_rows_of_a_stream_that_were_counted_in_parts_keep_their_own_windows() -> None:
    """Two parts of one stream, as there are where its reference changes while rows wait: each has the steps that it took."""
    config = Config(
        windows=(WindowConfig(name="rows", rows=50),), streams=StreamsConfig(min_rows=10)
    )
    streams = Streams(config.streams, config.windows, lambda _: None)
    decoded = [
        PlainDecoder(lambda _: None).decode(predictions(numbers, NOW_NS))
        for numbers in (range(1, 31), range(31, 71))
    ]
    parts = [place(rows, None) for each in decoded for rows in each.columns]
    increments = streams.add(parts, NOW_NS + SECOND_NS)

    inbox = Inbox(1000)
    inbox.remember(decoded[0].spans, [*parts[:1], parts[0][0:0], *parts[1:]], increments)

    held = inbox.taken().rows
    steps = [[(step.begin, step.end) for step in rows.steps["rows"]] for rows in held]
    assert steps == [[(0, 30)], [(0, 20), (20, 40)]]

"""What anybody may send of predictions and labels: one tick joins them all, so nothing of it may stop the others from being joined."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from contextlib import nullcontext
from typing import TypeAlias

import pytest

from otel_ml_processor.assess.performance import PerformanceReading
from otel_ml_processor.config import Config, PerformanceConfig, StreamsConfig, WindowConfig
from otel_ml_processor.decode.items import n_log_records
from otel_ml_processor.feedback.reading import feedback_in_logs
from otel_ml_processor.feedback.totals import FeedbackTotals
from otel_ml_processor.refusal import Refusal
from otel_ml_processor.signals import Signal
from tests.data.export_requests import RESOURCE, export_request, inference_span
from tests.data.labels import label_record, label_request, rooms

NOW_NS = 1_750_000_000_000_000_000
ROWS = 20
Said: TypeAlias = Mapping[str, object]
RANKING: Said = {
    "ml.task.type": "ranking",
    "ml.batch.size": 3,
    "ml.prediction.scores": [0.1, 0.2, 0.3],
}
PREDICTED: list[Said] = [
    RANKING,
    {**RANKING, "ml.batch.size": 2**62},
    {**RANKING, "ml.batch.size": "three"},
    {**RANKING, "ml.prediction.scores": [1e308, -1e308, math.inf]},
    {**RANKING, "ml.prediction.scores": ["x", {}, 2**62]},
    {**RANKING, "ml.prediction.scores": 2.0, "ml.prediction.values": "x"},
    *(
        {"ml.prediction.label": "yes", "ml.prediction.confidence": c}
        for c in (1e308, -1.0, math.nan, 2**63 - 1)
    ),
    *({"ml.prediction.value": value} for value in (1e308, -1e308, math.nan, 2**63 - 1)),
    {"ml.prediction.id": "\ud7ff" * 9000, "ml.prediction.label": "\x00"},
]
SAID: list[Said] = [
    {"ml.feedback.label": "x" * 100_000},
    *({"ml.feedback.value": value} for value in (1e308, -1e308, math.nan, 2**63 - 1)),
    *({"ml.feedback.score": 1e308, "ml.prediction.index": index} for index in (0, 1, 2, 2**63 - 1)),
    {"ml.feedback.score": math.inf, "ml.feedback.source": "implicit", "ml.prediction.index": 0},
    {"ml.feedback.correct": True, "ml.prediction.index": -5},
    {"ml.feedback.correct": "perhaps", "ml.feedback.label": {}, "ml.prediction.id": ["a"]},
    *(
        {
            "ml.feedback.label": "yes",
            "ml.prediction.label": "no",
            "ml.prediction.time": time,
            "ml.prediction.id": time,
        }
        for time in ("9999-12-31T23:59:59Z", "0001-01-01T00:00:00+23:59", "2025-06-15T15:06:40Z")
    ),
]


class Told:
    """Keeps the accuracy that was told last."""

    accuracy = math.nan

    def feedback(self, totals: FeedbackTotals) -> None:
        """Pass over *totals*."""

    def performance(self, reading: PerformanceReading) -> None:
        """Keep the accuracy of *reading*."""
        self.accuracy = reading.realized.get("accuracy", math.nan)


@pytest.mark.parametrize("predicted", PREDICTED)
def test_labels_that_come_with_hostile_ones_are_joined(predicted: Said) -> None:
    """Whatever else comes with the same tick: fifteen of twenty predictions were right."""
    told = Told()
    config = Config(
        windows=(WindowConfig(name="rows", rows=ROWS),),
        streams=StreamsConfig(min_rows=10),
        performance=PerformanceConfig(min_labels=1, coverage=0.5),
    )
    joining, pipeline = rooms(config, told, lambda: NOW_NS)
    joining.contained = nullcontext()  # nothing is to be raised, and not only to be contained
    own = {"ml.model.name": "other", "ml.prediction.label": "yes"}
    spans = [inference_span(own, span_id=n, end_ns=NOW_NS) for n in range(1, ROWS + 1)]
    pipeline.take(export_request([inference_span(predicted, span_id=99, end_ns=NOW_NS)]), None)
    pipeline.take(export_request(spans), None)
    hostile = [label_record(said, 99, t) for said in SAID for t in (0, NOW_NS, 2**64 - 1)]
    joining.inbox.hear(Signal.LOGS, label_request(hostile, RESOURCE))
    right = [
        label_record({"ml.feedback.label": "yes" if n <= 15 else "no"}, n, NOW_NS)
        for n in range(1, ROWS + 1)
    ]
    joining.inbox.hear(Signal.LOGS, label_request(right, RESOURCE))
    pipeline.tick(NOW_NS)
    joining.settle(NOW_NS)  # the pipeline would contain what it raises

    assert told.accuracy == 0.75


def test_what_is_let_in_can_be_read() -> None:
    """Requests whose bytes were changed: what the door does not refuse, where records are counted, is read for its feedback without a complaint."""
    chance = random.Random(3)
    whole = label_request([label_record({"ml.feedback.label": "yes"}, 1, NOW_NS)] * 3, RESOURCE)
    n_read = 0
    for _ in range(3_000):
        changed = bytearray(whole)
        at = chance.randrange(len(whole))
        changed[at : at + chance.randrange(3)] = chance.randbytes(chance.randrange(3))
        try:
            n_log_records(bytes(changed))
        except Refusal:
            continue
        feedback_in_logs(bytes(changed))
        n_read += 1
    assert n_read > 100

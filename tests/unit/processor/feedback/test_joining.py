"""Predictions of many models and requests that are kept together, and labels that are told apart again."""

from __future__ import annotations

import numpy as np
import pytest

from otel_ml_processor.assess.performance import PerformanceReading
from otel_ml_processor.config import (
    Config,
    PerformanceConfig,
    SegmentsConfig,
    StreamsConfig,
    WindowConfig,
)
from otel_ml_processor.feedback.totals import FeedbackTotals
from otel_ml_processor.signals import Signal
from tests.data.export_requests import RESOURCE, export_request, inference_span
from tests.data.labels import label_record, label_request, rooms

NOW_NS = 1_750_000_000_000_000_000
ROWS = 60
CONFIG = Config(
    windows=(WindowConfig(name="rows", rows=ROWS),),
    streams=StreamsConfig(min_rows=10),
    performance=PerformanceConfig(min_labels=1, coverage=0.5),
    segments=SegmentsConfig(attributes=("region",)),
)


class Told:
    """Keeps what was told of windows, by model and where the window begins."""

    def __init__(self) -> None:
        self.windows: dict[tuple[str, int], PerformanceReading] = {}

    def feedback(self, totals: FeedbackTotals) -> None:
        """Pass over *totals*."""

    def performance(self, reading: PerformanceReading) -> None:
        """Keep *reading*."""
        self.windows[reading.stream.model, reading.window.start_ns] = reading


class Rooms:
    """The rooms of a processor that labels go through."""

    def __init__(self) -> None:
        self.told = Told()
        self.joining, self.pipeline = rooms(CONFIG, self.told, lambda: NOW_NS)

    def label(self, spans: list[int], said: list[str]) -> None:
        """Say what was true of *spans*."""
        records = [
            label_record({"ml.feedback.label": label}, span, NOW_NS)
            for span, label in zip(spans, said, strict=True)
        ]
        self.joining.inbox.hear(Signal.LOGS, label_request(records, RESOURCE))


@pytest.mark.parametrize("n_models", [1, 7])
@pytest.mark.parametrize("at_once", [13, 2_000])
def test_every_label_counts_in_the_window_of_its_own_model(n_models: int, at_once: int) -> None:
    """
    However the predictions of models come mixed, in small requests or one large one, between two ticks or many.

    Accuracy of every window of a model, and of both regions of it, is that of its own rows.
    """
    random = np.random.default_rng(n_models)
    n = 2 * ROWS * n_models
    models = random.permutation(np.repeat(np.arange(n_models), 2 * ROWS))
    says, true = (random.choice(["yes", "no", "maybe"], n) for _ in range(2))
    regions = random.choice(["north", "south"], n)
    rooms = Rooms()
    for begin in range(0, n, at_once):
        spans = [
            inference_span(
                {
                    "ml.model.name": f"model {models[i]}",
                    "ml.prediction.label": str(says[i]),
                    "region": str(regions[i]),
                },
                span_id=i + 1,
                end_ns=NOW_NS + i,
            )
            for i in range(begin, min(n, begin + at_once))
        ]
        rooms.pipeline.take(export_request(spans), None)
    rooms.pipeline.tick(NOW_NS)
    for half in (0, 1):  # of each model the rows of its first window, then those of its second
        own = [
            np.flatnonzero(models == m)[half * ROWS : (half + 1) * ROWS] for m in range(n_models)
        ]
        rows = random.permutation(np.concatenate(own))
        rooms.label([int(i) + 1 for i in rows], [str(true[i]) for i in rows])
        rooms.pipeline.tick(NOW_NS + (half + 1) * 10**9)
        for model, rows in enumerate(own):
            reading = rooms.told.windows[f"model {model}", NOW_NS + int(rows[0])]
            right = says[rows] == true[rows]
            assert reading.predictions == ROWS
            assert reading.realized["accuracy"] == pytest.approx(right.mean())
            assert len(reading.segments) == 2
            for of_region in reading.segments:
                expected = right[regions[rows] == of_region.segment.value].mean()
                assert of_region.realized["accuracy"] == pytest.approx(expected)

"""Predictions of many models and requests that are kept together, and labels that are told apart again."""

from __future__ import annotations

from itertools import count
from typing import Any

import numpy as np
import pytest

from otel_ml_processor.assess.performance import PerformanceReading
from otel_ml_processor.config import (
    Config,
    Duration,
    FeedbackConfig,
    PerformanceConfig,
    SegmentsConfig,
    StreamsConfig,
    WindowConfig,
)
from otel_ml_processor.feedback import joining
from otel_ml_processor.feedback.joining import Joining
from otel_ml_processor.feedback.streams import LabelledStream
from otel_ml_processor.feedback.totals import FeedbackTotals
from otel_ml_processor.feedback.waiting import WaitingPredictions
from otel_ml_processor.signals import Signal
from otel_ml_processor.sketches.outcomes import Outcomes
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
    """Keeps what was told of windows, by model and where the window begins, and of feedback, by its outcome."""

    def __init__(self) -> None:
        self.windows: dict[tuple[str, int], PerformanceReading] = {}
        self.outcomes: dict[str, int] = {}

    def feedback(self, totals: FeedbackTotals) -> None:
        """Keep how much feedback had which outcome."""
        for joined, times in totals.joined.items():
            self.outcomes[joined.outcome.value] = times

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


def test_labels_of_a_sample_are_not_more_than_came() -> None:
    """Of 4000 predictions there is room for 1000: fewer labels than `min_labels` are found, so no score is told, although each counts several times."""
    told, n = Told(), 4_000
    config = Config(
        windows=(WindowConfig(name="rows", rows=n),),
        streams=StreamsConfig(min_rows=10),
        feedback=FeedbackConfig(max=1_000),
        performance=PerformanceConfig(min_labels=1_100, coverage=0.5),
    )
    house, pipeline = rooms(config, told, lambda: NOW_NS)
    said = {"ml.model.name": "m", "ml.prediction.label": "yes"}
    spans = [inference_span(said, span_id=i + 1, end_ns=NOW_NS + i) for i in range(n)]
    for begin in range(0, n, 500):
        pipeline.take(export_request(spans[begin : begin + 500]), None)
        pipeline.tick(NOW_NS)
    records = [label_record({"ml.feedback.label": "yes"}, i + 1, NOW_NS) for i in range(n)]
    house.inbox.hear(Signal.LOGS, label_request(records, RESOURCE))
    pipeline.tick(NOW_NS + 1)
    (reading,) = told.windows.values()
    assert reading.coverage > 0.5
    assert reading.realized == {}


def break_once(owner: object, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the next call of *name* raise, and none after it."""
    whole, calls = getattr(owner, name), count()

    def broken(*args: Any, **kwargs: Any) -> Any:
        if next(calls) == 0:
            raise RuntimeError("a mistake of ours")
        return whole(*args, **kwargs)

    monkeypatch.setattr(owner, name, broken)


@pytest.mark.parametrize(
    ("owner", "name"),
    [
        (Outcomes, "add_right"),
        (LabelledStream, "seal"),
        (Joining, "_judge"),
        (joining, "feedback_in_logs"),
        (WaitingPredictions, "keep"),
        (WaitingPredictions, "bring"),
    ],
)
def test_a_mistake_of_ours_costs_what_it_is_about(
    owner: object, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of two models with labels in one tick, one that something goes wrong with: the other has all of its labels; later ones count for both."""
    rooms = Rooms()
    for part in (0, 1):
        rooms.pipeline.take(
            export_request(
                [
                    inference_span(
                        {"ml.model.name": f"model {i % 2}", "ml.prediction.label": "yes"},
                        span_id=1 + i,
                        end_ns=NOW_NS + i,
                    )
                    for i in range(part * 2 * ROWS, (part + 1) * 2 * ROWS)
                ]
            ),
            None,
        )
        rooms.pipeline.tick(NOW_NS + part)
    break_once(owner, name, monkeypatch)
    for model in (0, 1):
        rooms.label([*range(1 + model, 2 * ROWS + 1, 2)], ["yes"] * ROWS)
    rooms.pipeline.tick(NOW_NS + 2)
    reading = rooms.told.windows["model 1", NOW_NS + 1]
    assert (reading.coverage, reading.realized["accuracy"]) == (1.0, 1.0)
    for model in (0, 1):
        rooms.label([*range(2 * ROWS + 1 + model, 4 * ROWS + 1, 2)], ["yes"] * ROWS)
    rooms.pipeline.tick(NOW_NS + 3)
    for model in (0, 1):
        later = rooms.told.windows[f"model {model}", NOW_NS + 2 * ROWS + model]
        assert (later.coverage, later.realized["accuracy"]) == (1.0, 1.0)


def test_labels_of_a_region_called_other_are_those_of_all_others() -> None:
    """Every label of a row that names a region is in one segment, also where one is called as those are that there is no room for; an empty name is none."""
    told, n = Told(), 400
    config = Config(
        windows=(WindowConfig(name="rows", rows=n),),
        streams=StreamsConfig(min_rows=10),
        performance=PerformanceConfig(min_labels=1, coverage=0.5),
        segments=SegmentsConfig(attributes=("region",), max_values=2),
    )
    house, pipeline = rooms(config, told, lambda: NOW_NS)
    regions = ["a", "other", "", "b", "c"]
    said = {"ml.model.name": "m", "ml.prediction.label": "yes"}
    spans = [
        inference_span({**said, "region": regions[i % 5]}, span_id=i + 1, end_ns=NOW_NS + i)
        for i in range(n)
    ]
    pipeline.take(export_request(spans), None)
    pipeline.tick(NOW_NS)
    records = [label_record({"ml.feedback.label": "yes"}, i + 1, NOW_NS) for i in range(n)]
    house.inbox.hear(Signal.LOGS, label_request(records, RESOURCE))
    pipeline.tick(NOW_NS + 1)
    (reading,) = told.windows.values()
    assert {part.segment.value: part.labelled for part in reading.segments} == {
        "a": 80,
        "b": 80,
        "other": 160,
    }


@pytest.mark.parametrize("first", ["rating", "reaction", "truth"])
def test_who_rated_a_prediction_may_act_on_it_too(first: str) -> None:
    """A rating, a click and the truth of one prediction count once each, whichever comes first, and not again."""
    told, n = Told(), 20
    config = Config(
        windows=(WindowConfig(name="rows", rows=n),),
        streams=StreamsConfig(min_rows=10),
        performance=PerformanceConfig(min_labels=1, coverage=0.5),
    )
    house, pipeline = rooms(config, told, lambda: NOW_NS)
    said = {"ml.model.name": "m", "ml.prediction.label": "yes"}
    spans = [inference_span(said, span_id=i + 1, end_ns=NOW_NS + i) for i in range(n)]
    pipeline.take(export_request(spans), None)
    told_of: dict[str, dict[str, object]] = {
        "rating": {"ml.feedback.score": 0.8, "ml.feedback.source": "user"},
        "reaction": {"ml.feedback.correct": True, "ml.feedback.source": "implicit"},
        "truth": {"ml.feedback.label": "yes", "ml.feedback.source": "delayed_label"},
    }
    kinds = [first, *(kind for kind in told_of if kind != first)]
    records = [
        label_record(told_of[kind], span, NOW_NS) for kind in kinds * 2 for span in range(1, n + 1)
    ]
    house.inbox.hear(Signal.LOGS, label_request(records, RESOURCE))
    pipeline.tick(NOW_NS)
    (reading,) = told.windows.values()
    assert reading.proxies["click_through"] == 1.0
    assert reading.realized["accuracy"] == 1.0
    assert reading.coverage == 1.0


def test_samples_of_batches_that_were_left_out_are_late() -> None:
    """Of a batch every sample has a key of its own: none of those that there was no room for is said never to have come."""
    told, n = Told(), 4_000
    config = Config(
        windows=(WindowConfig(name="rows", rows=n),),
        feedback=FeedbackConfig(max=1_000, early=Duration(0)),
    )
    house, pipeline = rooms(config, told, lambda: NOW_NS)
    said = {"ml.model.name": "m", "ml.prediction.labels": ["yes"] * 100, "ml.batch.size": 100}
    for span in range(1, n // 100 + 1):
        pipeline.take(export_request([inference_span(said, span_id=span, end_ns=NOW_NS)]), None)
        pipeline.tick(NOW_NS)
    records = [
        label_record(
            {"ml.feedback.label": "yes", "ml.prediction.index": i % 100}, 1 + i // 100, NOW_NS
        )
        for i in range(n)
    ]
    house.inbox.hear(Signal.LOGS, label_request(records, RESOURCE))
    pipeline.tick(NOW_NS)
    assert set(told.outcomes) == {"joined", "late"}
    assert sum(told.outcomes.values()) == n

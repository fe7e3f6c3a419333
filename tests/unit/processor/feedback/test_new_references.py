"""What labels are compared with, of a model whose profile comes, or is replaced, while it serves: from its next window on the profile in force."""

from __future__ import annotations

import json
from functools import cache

import msgspec
import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from otel_ml_processor.assess.performance import PerformanceReading
from otel_ml_processor.assess.promise import Promises
from otel_ml_processor.columns import StreamKey
from otel_ml_processor.commands.profile import build_profile_from_table
from otel_ml_processor.config import (
    Config,
    Duration,
    PerformanceConfig,
    StreamsConfig,
    WindowConfig,
)
from otel_ml_processor.feedback.memory import JoiningMemory
from otel_ml_processor.feedback.totals import FeedbackTotals
from otel_ml_processor.profile import Profile
from otel_ml_processor.signals import Signal
from otel_ml_processor.windows.references import References
from tests.data.export_requests import RESOURCE, export_request, inference_span
from tests.data.labels import label_record, label_request, rooms

STREAM = StreamKey("shop", "prod", "fraud", "3")
HOUR_NS = 3_600 * 10**9
BEGIN_NS = 1_750_000_000 * 10**9 // HOUR_NS * HOUR_NS
ROWS = 400


def config(kind: str) -> Config:
    """Return a configuration with windows of rows, or of hours."""
    of_rows = WindowConfig(name="w", rows=ROWS)
    of_hours = WindowConfig(name="w", length=Duration(3_600))
    return Config(
        windows=(of_rows if kind == "rows" else of_hours,),
        streams=StreamsConfig(min_rows=10),
        performance=PerformanceConfig(min_labels=50, coverage=0.5),
    )


@cache
def profile(seed: int, *, has_scores: bool = True) -> Profile:
    """Return the profile of a model that is right nine times of ten, whatever the amount is."""
    random = np.random.default_rng(seed)
    scores = random.uniform(0, 1, 4_000)
    said = scores > 0.5
    true = np.where(random.random(4_000) < 0.9, said, ~said)
    names = np.array(["no", "yes"])
    table = {
        "amount": random.uniform(0, 10, 4_000),
        "said": names[said.astype(int)],
        "score": scores,
        "true": names[true.astype(int)],
    }
    return build_profile_from_table(
        table,
        model="fraud",
        version="3",
        label="said",
        features=["amount"],
        created="2026-01-01T00:00:00Z",
        score="score" if has_scores else None,
        positive="yes" if has_scores else None,
        target="true" if has_scores else None,
    )


class House:
    """A processor, the readings that labels led to, and windows of predictions that are wrong where the amount is large."""

    def __init__(self, kind: str, references: References) -> None:
        """Begin with nothing but *references*."""
        self.references = references
        self.config = config(kind)
        self.readings: dict[int, PerformanceReading] = {}
        self.joining, self.pipeline = rooms(self.config, self, lambda: self.now_ns, references)
        self.now_ns = BEGIN_NS

    def feedback(self, totals: FeedbackTotals) -> None:
        """Pass over *totals*."""

    def performance(self, reading: PerformanceReading) -> None:
        """Keep *reading*, by the hour in which its window begins."""
        self.readings[(reading.window.start_ns - BEGIN_NS) // HOUR_NS] = reading

    def replace(self, *profiles: Profile) -> None:
        """Have these profiles in force from now on."""
        self.references.replace([(f"{i}.json", each) for i, each in enumerate(profiles)])
        promises = Promises.of_config(self.config, self.references.profiles.values())
        self.pipeline.refer_anew(promises, self.now_ns)

    def window(self, hour: int) -> float:
        """Have the window of that *hour* pass with all of its labels; return the area under the curve of its scores."""
        random = np.random.default_rng(hour)
        scores, amounts = random.uniform(0, 1, ROWS), random.uniform(0, 10, ROWS)
        is_wrong = random.random(ROWS) < np.where(amounts > 6, 0.8, 0.02)
        said = scores > 0.5
        names, first = ("no", "yes"), hour * ROWS + 1
        self.now_ns = BEGIN_NS + hour * HOUR_NS + 10**9
        spans = [
            inference_span(
                {
                    "ml.prediction.label": names[int(said[i])],
                    "ml.prediction.confidence": float(max(scores[i], 1 - scores[i])),
                    "ml.input.features": json.dumps({"amount": amounts[i]}),
                },
                span_id=first + i,
                end_ns=self.now_ns + i,
            )
            for i in range(ROWS)
        ]
        self.pipeline.take(export_request(spans), None)
        self.now_ns = BEGIN_NS + (hour + 1) * HOUR_NS + 600 * 10**9
        self.pipeline.tick(self.now_ns)
        true = said ^ is_wrong
        records = [
            label_record({"ml.feedback.label": names[int(true[i])]}, first + i, self.now_ns)
            for i in range(ROWS)
        ]
        self.joining.inbox.hear(Signal.LOGS, label_request(records, RESOURCE))
        self.pipeline.tick(self.now_ns)
        return float(roc_auc_score(true, scores))


@pytest.mark.parametrize("kind", ["rows", "hours"])
@pytest.mark.parametrize("is_restarted", [False, True])
def test_a_profile_that_comes_later_is_that_of_the_next_window(
    kind: str, is_restarted: bool
) -> None:
    """Then there are the area under the curve, an alarm where the model is worse than the profile, and where it is wrong; also after a restart."""
    house = House(kind, References.of([]))
    house.window(0)
    assert "roc_auc" not in house.readings[0].realized
    kept = msgspec.msgpack.encode(house.joining.memory(10_000, house.now_ns))
    if is_restarted:
        house = House(kind, References.of([("fraud.json", profile(1))]))
        house.joining.recall(msgspec.msgpack.decode(kept, type=JoiningMemory), counts_go_on=True)
    else:
        house.replace(profile(1))

    expected = house.window(1)

    reading = house.readings[1]
    assert reading.reference_id == profile(1).id
    assert reading.realized["roc_auc"] == pytest.approx(expected, abs=0.01)  # binned scores
    assert "roc_auc" in {alarm.what for alarm in reading.alarms}
    assert {p.feature for p in house.pipeline.patterns.of(STREAM) if p.failure == "wrong"} == {
        "amount"
    }


@pytest.mark.parametrize("kind", ["rows", "hours"])
@pytest.mark.parametrize(
    "before", [profile(1), profile(1, has_scores=False)], ids=["scored", "unscored"]
)
def test_a_profile_that_is_replaced_stays_that_of_the_windows_before(
    kind: str, before: Profile
) -> None:
    """Whether it had scores or not: each window is compared with what was in force when it began."""
    house = House(kind, References.of([("fraud.json", before)]))
    house.window(0)
    house.replace(profile(2))
    expected = house.window(1)

    assert [house.readings[n].reference_id for n in (0, 1)] == [before.id, profile(2).id]
    assert house.readings[1].realized["roc_auc"] == pytest.approx(expected, abs=0.01)


def test_labels_are_joined_after_a_restart_with_another_profile() -> None:
    """Of windows before it labels say how often the model was right, as they do without a profile; those after it are compared again."""
    house = House("hours", References.of([("fraud.json", profile(1))]))
    house.window(0)
    kept = msgspec.msgpack.encode(house.joining.memory(10_000, house.now_ns))
    after = House("hours", References.of([("fraud.json", profile(2))]))
    after.joining.recall(msgspec.msgpack.decode(kept, type=JoiningMemory), counts_go_on=True)
    after.pipeline.tick(house.now_ns)
    told = after.readings[0]
    after.window(1)

    assert told.realized["accuracy"] == house.readings[0].realized["accuracy"]
    assert (told.reference_id, "roc_auc" in told.realized) == ("", False)
    assert after.readings[1].reference_id == profile(2).id


def test_a_truth_of_a_third_class_is_not_the_positive_one() -> None:
    """Where labels name a class that the profile does not know, who was wrong has not missed the positive class: recall is that of the rows that are positive."""
    house = House("rows", References.of([("p.json", profile(1))]))
    said = [("yes", "yes"), ("no", "no"), ("no", "review"), ("yes", "review"), ("no", "yes")] * 80
    spans = [
        inference_span(
            {"ml.prediction.label": label, "ml.prediction.confidence": 0.8},
            span_id=1 + i,
            end_ns=BEGIN_NS + i,
        )
        for i, (label, _) in enumerate(said)
    ]
    house.pipeline.take(export_request(spans), None)
    records = [
        label_record({"ml.feedback.label": true}, 1 + i, BEGIN_NS)
        for i, (_, true) in enumerate(said)
    ]
    house.joining.inbox.hear(Signal.LOGS, label_request(records, RESOURCE))
    house.pipeline.tick(BEGIN_NS)
    (reading,) = house.readings.values()
    told = {name: reading.realized[name] for name in ("accuracy", "recall", "precision")}
    assert told == {"accuracy": 0.4, "recall": 0.5, "precision": 0.5}

"""Labels that come later, through the real service: what it says is what an offline recomputation says."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import grpc
import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from sklearn import metrics
from sklearn.isotonic import IsotonicRegression

from conventions.scenarios.receiver import Receiver
from otel_ml_processor.commands.profile import build_profile_from_table
from otel_ml_processor.profile_file import write_profile
from tests.integration.feedback_traffic import (
    DAY_NS,
    SECOND_NS,
    START_NS,
    label_of,
    prediction,
    processor,
)
from tests.unit.processor.otlp_requests import attribute

if TYPE_CHECKING:
    from pathlib import Path

ROWS = 1000
WINDOW = "windows=[{name: rows, rows: 1000}]"


class Rows(NamedTuple):
    """What a classifier said (at .6, not .5) with which score, and what was true."""

    scores: NDArray[np.float64]
    said: NDArray[np.int64]
    true: NDArray[np.int64]

    @property
    def confidences(self) -> NDArray[np.float64]:
        """Probability of the predicted class."""
        return np.where(self.said == 1, self.scores, 1 - self.scores)


def rows(seed: int, n: int, shift: float = 0.0) -> Rows:
    """Return *n* rows whose scores have two decimals, and are too sure of themselves; *shift* moves the scores, not what they mean."""
    random = np.random.default_rng(seed)
    scores = np.clip(random.beta(2, 2, n) + shift, 0.01, 0.99).round(2)
    true = (random.random(n) < 0.5 + 0.7 * (scores - 0.5)).astype(np.int64)
    return Rows(scores, (scores >= 0.6).astype(np.int64), true)


def profile(folder: Path, reference: Rows) -> None:
    """Write the profile of *reference* into *folder*."""
    table = pd.DataFrame(reference._asdict())
    built = build_profile_from_table(
        table,
        model="fraud",
        version="1",
        label="said",
        score="scores",
        positive="1",
        target="true",
    )
    write_profile(built, folder / "fraud.json")


def predictions(of: Rows, first: int = 0, start_ns: int = START_NS) -> list[Span]:
    """Return a span per row, a second apart."""
    return [
        prediction(
            first + i,
            start_ns + i * SECOND_NS,
            prediction_label=str(said),
            prediction_confidence=float(confidence),
        )
        for i, (said, confidence) in enumerate(zip(of.said, of.confidences, strict=True))
    ]


def test_realised_and_estimated_performance_are_those_of_an_offline_recomputation(
    tmp_path: Path,
) -> None:
    """Labels come days later, in any order, some twice, some for nothing: scikit-learn says the same of the rows that have one."""
    reference, live = rows(1, 20_000), rows(2, ROWS, shift=0.1)
    profile(tmp_path, reference)
    labelled = np.random.default_rng(3).permutation(ROWS)[:900]
    labels = [
        label_of(i, START_NS + i * SECOND_NS + 2 * DAY_NS, label=str(live.true[i]))
        for i in labelled.tolist()
    ]
    with processor(tmp_path, WINDOW, "profiles=[fraud.json]") as running:
        running.traces(predictions(live))
        running.tick()
        running.logs([*labels, *labels[:7], label_of(77_777, START_NS, label="1")])
        running.tick()
        found, reading = running.performance(), running.stream()["readings"][0]
        joined = running.scraped("ml_feedback_joined_total")
        page = running.page()

    assert found["coverage"] == 0.9
    assert found["predictions"] == ROWS
    said, true, scores = (column[labelled] for column in (live.said, live.true, live.scores))
    assert found["realized"] == pytest.approx(
        {
            "accuracy": metrics.accuracy_score(true, said),
            "precision": metrics.precision_score(true, said),
            "recall": metrics.recall_score(true, said),
            "specificity": metrics.recall_score(true, said, pos_label=0),
            "f1": metrics.f1_score(true, said),
            "roc_auc": metrics.roc_auc_score(true, scores),
        }
    )
    assert found["calibration"]["brier"] == pytest.approx(metrics.brier_score_loss(true, scores))
    assert found["calibration"]["nll"] == pytest.approx(metrics.log_loss(true, scores))
    assert found["calibration"]["ece"] == pytest.approx(
        naive_calibration_error(live.confidences[labelled], said == true)
    )
    assert reading["estimated"] == pytest.approx(naive_estimates(reference, live))
    gap = reading["estimated"]["accuracy"] - metrics.accuracy_score(true, said)
    assert found["gaps"]["accuracy"] == pytest.approx(gap)
    assert sum(v for k, v in joined.items() if 'outcome="joined"' in k) == 900
    assert sum(v for k, v in joined.items() if 'outcome="duplicate"' in k) == 7
    right = [v for k, v in joined.items() if 'correct="true"' in k and 'outcome="joined"' in k]
    assert right == [(said == true).sum()]
    assert f"{metrics.accuracy_score(true, said):.3f}" in page


def naive_calibration_error(confidences: NDArray[np.float64], is_right: NDArray[np.bool_]) -> float:
    """Return the expected calibration error over ten bins, row by row."""
    bins = np.ceil(confidences.round(6) * 10).clip(1) - 1
    parts = [bins == b for b in range(10)]
    return sum(
        float(abs(confidences[part].mean() - is_right[part].mean()) * part.mean())
        for part in parts
        if part.any()
    )


def naive_estimates(reference: Rows, live: Rows) -> dict[str, float]:
    """Return what scikit-learn's isotonic regression lets expect, row by row."""
    fitted = IsotonicRegression(out_of_bounds="clip").fit(reference.scores, reference.true)
    probable = fitted.predict(live.scores)
    tp, fp = probable[live.said == 1].sum(), (1 - probable[live.said == 1]).sum()
    fn, tn = probable[live.said == 0].sum(), (1 - probable[live.said == 0]).sum()
    both = np.concatenate([np.ones(ROWS), np.zeros(ROWS)])
    weights = np.concatenate([probable, 1 - probable])
    return {
        "accuracy": (tp + tn) / ROWS,
        "precision": tp / (tp + fp),
        "recall": tp / (tp + fn),
        "specificity": tn / (tn + fp),
        "f1": 2 * tp / (2 * tp + fp + fn),
        "roc_auc": metrics.roc_auc_score(both, np.tile(live.scores, 2), sample_weight=weights),
    }


def test_labels_of_numbers_are_the_errors_of_a_regression(tmp_path: Path) -> None:
    """MAE, RMSE, MAPE and R2 as scikit-learn says them; a label that is no number says nothing."""
    random = np.random.default_rng(4)
    said = random.normal(10, 3, 300)
    true = said + random.normal(0, 1, 300)
    spans = [
        prediction(i, START_NS + i * SECOND_NS, prediction_value=float(value))
        for i, value in enumerate(said)
    ]
    labels = [label_of(i, START_NS + DAY_NS, value=float(value)) for i, value in enumerate(true)]
    with processor(tmp_path, "windows=[{name: rows, rows: 300}]") as running:
        running.traces(spans)
        running.logs([label_of(0, START_NS + DAY_NS, value=float("nan")), *labels])
        running.tick()
        found = running.performance()
    assert found["realized"] == pytest.approx(
        {
            "mae": metrics.mean_absolute_error(true, said),
            "rmse": metrics.root_mean_squared_error(true, said),
            "mape": metrics.mean_absolute_percentage_error(true, said),
            "r2": metrics.r2_score(true, said),
        }
    )
    assert found["calibration"] == {}


def test_several_classes_without_a_profile(tmp_path: Path) -> None:
    """Accuracy and the mean of the classes' F1; there is nothing to estimate from, so nothing is estimated."""
    random = np.random.default_rng(5)
    said, true = (random.choice(["cat", "dog", "owl"], 300, p=p) for p in ([0.5, 0.3, 0.2],) * 2)
    spans = [
        prediction(i, START_NS + i * SECOND_NS, prediction_label=str(label))
        for i, label in enumerate(said)
    ]
    labels = [label_of(i, START_NS + DAY_NS, label=str(label)) for i, label in enumerate(true)]
    with processor(tmp_path, "windows=[{name: rows, rows: 300}]") as running:
        running.traces(spans)
        running.logs(labels)
        running.tick()
        found, readings = running.performance(), running.stream()["readings"]
    assert found["realized"] == pytest.approx(
        {
            "accuracy": metrics.accuracy_score(true, said),
            "macro_precision": metrics.precision_score(true, said, average="macro"),
            "macro_recall": metrics.recall_score(true, said, average="macro"),
            "macro_f1": metrics.f1_score(true, said, average="macro"),
        }
    )
    assert readings[0]["estimated"] == {}


def test_labels_count_in_the_window_of_their_prediction(tmp_path: Path) -> None:
    """Two hours, all right in the first and all wrong in the second: labels of the first that come last change nothing in the second."""
    hour_ns = 3600 * SECOND_NS
    begin_ns = START_NS - START_NS % hour_ns
    spans = [
        prediction(i, begin_ns + (i % 300) + (i // 300) * hour_ns, prediction_label="1")
        for i in range(601)
    ]
    spans[600].end_time_unix_nano = begin_ns + 3 * hour_ns
    late = begin_ns + 5 * hour_ns
    second = [label_of(i, late, label="0") for i in range(300, 600)]
    first = [label_of(i, late, label="1") for i in range(300)]
    with processor(tmp_path, "windows=[{name: 1h, length: 1h}]") as running:
        running.traces(spans)
        running.logs([*second, *first])
        running.tick()
        running.tick()
        found = running.performance()
        series = running.scraped("ml_evaluation_score")
    assert found["end"] == "2025-06-15T17:00:00Z"
    assert found["realized"]["accuracy"] == 0.0
    assert found["coverage"] == 1.0
    assert [k for k in series if 'cohort_end="2025-06-15T17:00:00Z"' in k and '"accuracy"' in k]


def test_feedback_is_found_by_every_name_that_a_prediction_has(tmp_path: Path) -> None:
    """By an id of the caller's own, an id that leads to the span, a position in a batch, a link of a span and an event on the span itself."""
    batch = prediction(2, START_NS)
    batch.attributes.append(attribute("ml.batch.size", 2))
    said = batch.attributes.add(key="ml.prediction.labels").value.array_value
    said.values.extend([AnyValue(string_value="no"), AnyValue(string_value="yes")])  # noqa: PD011 - a field of a message
    on_span = prediction(3, START_NS, prediction_label="yes")
    event = on_span.events.add(name="ml.feedback", time_unix_nano=START_NS)
    event.attributes.append(attribute("ml.feedback.correct", value=True))
    own = prediction(0, START_NS, prediction_label="yes", prediction_id="order 17")
    spans = [own, prediction(1, START_NS, prediction_label="yes"), batch, on_span]
    carrier = Span(trace_id=b"t" * 16, span_id=b"s" * 8, name="feedback fraud")
    carrier.start_time_unix_nano = START_NS + SECOND_NS
    carrier.links.add(trace_id=(2).to_bytes(16, "big"), span_id=(2).to_bytes(8, "big"))
    carrier.attributes.append(attribute("ml.feedback.label", "yes"))
    of_sample = label_of(2, START_NS + SECOND_NS, label="yes")
    of_sample.attributes.append(attribute("ml.prediction.index", 1))
    without_position = label_of(2, START_NS + SECOND_NS, label="yes")
    by_id = LogRecord(
        event_name="ml.feedback",
        time_unix_nano=START_NS + SECOND_NS,
        attributes=[
            attribute("ml.prediction.id", "order 17"),
            attribute("ml.feedback.label", "no"),
            attribute("ml.feedback.source", "human"),
        ],
    )
    leading = LogRecord(
        event_name="ml.feedback",
        time_unix_nano=START_NS + SECOND_NS,
        attributes=[
            attribute("ml.prediction.id", f"00-{4:032x}-{4:016x}-01"),
            attribute("ml.feedback.correct", value=True),
        ],
    )
    with processor(tmp_path, "feedback.early=0s") as running:
        running.traces([*spans, carrier])
        running.tick()
        running.logs([of_sample, without_position, by_id, leading])
        running.tick()
        joined = running.scraped("ml_feedback_joined_total")
        delays = running.scraped("ml_feedback_delay_seconds_count")
    outcomes = {
        frozenset(part for part in key.strip("{}").split(",") if "feedback" in part): count
        for key, count in joined.items()
    }
    assert outcomes == {
        frozenset({'ml_feedback_outcome="joined"', 'ml_feedback_correct="true"'}): 3,
        frozenset(
            {
                'ml_feedback_outcome="joined"',
                'ml_feedback_correct="false"',
                'ml_feedback_source="human"',
            }
        ): 1,
        frozenset({'ml_feedback_outcome="duplicate"', 'ml_feedback_correct="true"'}): 1,
        frozenset({'ml_feedback_outcome="unmatched"'}): 1,
    }
    assert list(delays.values()) == [4]


def test_a_label_may_come_before_its_prediction(tmp_path: Path) -> None:
    """It waits, for logs and spans travel on different ways; what never comes is unmatched at the end."""
    labels = [label_of(i, START_NS, label="1") for i in range(2)]
    with processor(tmp_path) as running:
        running.logs(labels)
        running.tick()
        before = running.scraped("ml_feedback_joined_total")
        running.traces([prediction(0, START_NS, prediction_label="1")])
        running.tick()
        after = running.scraped("ml_feedback_joined_total")
    assert before == {}
    assert list(after.values()) == [1]


@pytest.mark.parametrize(
    "content",
    [b"ml.feedback", b"\xff" * 40 + b"ml.feedback", b"", b'{"ml.feedback": 1}'],
    ids=["a word", "not a message", "nothing", "JSON"],
)
def test_odd_feedback_costs_nothing_but_itself(tmp_path: Path, content: bytes) -> None:
    """A record that cannot be read, or says nothing, is passed over; one that comes with it is counted."""
    record = b"\x12" + bytes([len(content)]) + content
    scoped = b"\x12" + bytes([len(record)]) + record
    request = b"\x0a" + bytes([len(scoped)]) + scoped
    empty = label_of(0, START_NS)
    with processor(tmp_path) as running:
        running.traces([prediction(0, START_NS, prediction_label="1")])
        running.raw_logs(request)
        running.logs([empty, label_of(0, START_NS, label="1")])
        running.tick()
        joined = running.scraped("ml_feedback_joined_total")
        failures = running.scraped("ml_processor_failures_total")
    assert list(joined.values()) == [1]
    assert sum(failures.values()) == 0


def test_when_too_many_wait_a_sample_says_the_same(tmp_path: Path) -> None:
    """Of 6000 predictions a thousand may be kept: what is left out is late, and shares stay within four standard deviations."""
    n = 6_000
    random = np.random.default_rng(6)
    true = random.random(n) < 0.7
    spans = [prediction(i, START_NS + i, prediction_label="True") for i in range(n)]
    labels = [label_of(i, START_NS + DAY_NS, label=str(bool(t))) for i, t in enumerate(true)]
    window = f"windows=[{{name: rows, rows: {n}}}]"
    options = ("feedback.max=1000", "feedback.early=0s", "bootstrap=null")
    with processor(tmp_path, window, *options) as running:
        for begin in range(0, n, 1_000):  # more than `max` do not wait for one tick
            running.traces(spans[begin : begin + 1_000])
            running.tick()
        running.logs(labels)
        running.tick()
        found = running.performance()
        joined = running.scraped("ml_feedback_joined_total")
    kept = sum(count for key, count in joined.items() if '"joined"' in key)
    late = sum(count for key, count in joined.items() if '"late"' in key)
    assert kept + late == n
    assert 250 < kept <= 1_000
    assert found["realized"]["accuracy"] == pytest.approx(true.mean(), abs=4 * np.sqrt(0.21 / kept))
    assert found["coverage"] == pytest.approx(1.0, abs=4 / np.sqrt(kept))


def test_feedback_that_was_not_delivered_is_not_counted(tmp_path: Path) -> None:
    """In line the next hop comes first: what it refuses its sender keeps and sends again, so it is not counted yet."""
    receiver = Receiver()
    endpoint = receiver.endpoint
    label = label_of(0, START_NS, label="1")
    with processor(tmp_path, "mode=inline", f"forward.endpoint={endpoint}") as running:
        running.traces([prediction(0, START_NS, prediction_label="1")])
        receiver.close()
        with pytest.raises(grpc.RpcError):
            running.logs([label])
        running.tick()
        refused = running.scraped("ml_feedback_joined_total")
    assert refused == {}

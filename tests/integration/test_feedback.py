"""Labels that come later, through the real service: what it says is what an offline recomputation says."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from sklearn import metrics
from sklearn.isotonic import IsotonicRegression

from otel_ml_processor.commands.profile import build_profile_from_table
from otel_ml_processor.profile import write_profile
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


def naive_calibration_error(
    confidences: NDArray[np.float64], is_right: NDArray[np.bool_]
) -> float:
    """Return the expected calibration error over ten bins, row by row."""
    bins = np.ceil(confidences.round(6) * 10).clip(1) - 1
    parts = [bins == b for b in range(10)]
    return sum(
        abs(confidences[part].mean() - is_right[part].mean()) * part.mean()
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

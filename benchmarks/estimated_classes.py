"""
How near estimates without labels come to what came true, for several classes: counts by bin, beside a naive twin on every row.

The twin is the published definition: an isotonic regression per class, the calibrated probabilities of a row divided by their sum. Three models on two sets of rows with
three and eight classes, the latter from 40 to 2 %; half of the windows are drawn as the reference was, in the others inputs are shifted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import pandas as pd
from rich.console import Console
from rich.table import Table
from sklearn import metrics
from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestClassifier
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB

from otel_ml_processor.assess.performance import estimated_scores
from otel_ml_processor.columns import InferenceColumns, StreamKey, TextColumn
from otel_ml_processor.commands.profile import build_profile_from_table
from otel_ml_processor.windows.placed import place
from otel_ml_processor.windows.reference import Reference
from otel_ml_processor.windows.summary import Summary

if TYPE_CHECKING:
    from collections.abc import Iterator

    from otel_ml_processor.columns import FloatArray

ROWS: Final = 40_000
SHARES: Final = {3: None, 8: [0.4, 0.3, 0.1, 0.06, 0.05, 0.04, 0.03, 0.02]}
SHIFTS: Final = (0.0, 0.5)
"""Weights of the rows of a window: e to the power of this times their first feature, in standard deviations."""
SCORES: Final = ("accuracy", "macro_precision", "macro_recall", "macro_f1", "macro_roc_auc")


class Rows(NamedTuple):
    """What a model said, and what was true, as positions of classes."""

    probabilities: FloatArray
    true: np.ndarray

    @property
    def said(self) -> np.ndarray:
        """The classes that were predicted."""
        return np.asarray(self.probabilities.argmax(axis=1))


def cases() -> Iterator[tuple[str, Rows, Rows]]:
    """Yield the name of a model and its classes, the rows of its reference, and those of a window."""
    for n_classes, shares in SHARES.items():
        inputs, true = make_classification(
            ROWS,
            12,
            n_informative=8,
            n_classes=n_classes,
            class_sep=0.8,
            weights=shares,
            random_state=1,
        )
        random = np.random.default_rng(0)
        fitted, known, live = np.split(random.permutation(ROWS), [ROWS // 5, 3 * ROWS // 5])
        for model in (
            GaussianNB(),
            RandomForestClassifier(30, min_samples_leaf=5, n_jobs=2, random_state=0),
            LogisticRegression(max_iter=500),
        ):
            model.fit(inputs[fitted], true[fitted])
            before = Rows(model.predict_proba(inputs[known]), true[known])
            for shift in SHIFTS:
                weights = np.exp(shift * inputs[live, 0] / inputs[live, 0].std())
                drawn = random.choice(live, len(live), p=weights / weights.sum())
                now = Rows(model.predict_proba(inputs[drawn]), true[drawn])
                yield f"{type(model).__name__}, {n_classes} classes", before, now


def of_counts(before: Rows, now: Rows) -> FloatArray:
    """Return what the processor expects of *now*."""
    names = tuple(map(str, range(before.probabilities.shape[1])))
    columns = {f"p{name}": before.probabilities[:, int(name)] for name in names}
    table = pd.DataFrame(
        {**columns, "said": before.said.astype(str), "true": before.true.astype(str)}
    )
    profile = build_profile_from_table(
        table,
        model="m",
        label="said",
        target="true",
        probabilities={name: f"p{name}" for name in names},
    )
    reference = Reference.of(profile)
    unsaid = np.full(len(now.true), np.nan)
    rows = InferenceColumns(
        stream=StreamKey("s", "", "m", ""),
        spans=np.arange(len(now.true)),
        end_times_ns=np.zeros(len(now.true), dtype=np.int64),
        labels=TextColumn(now.said.astype(np.int64), names),
        confidences=now.probabilities.max(axis=1),
        entropies=unsaid,
        margins=unsaid,
        values=unsaid,
        features={},
        probabilities={name: now.probabilities[:, int(name)] for name in names},
    )
    summary = Summary(reference)
    summary.add(place(rows, reference))
    found = estimated_scores(summary)
    return np.array([found[name] for name in SCORES])


def of_rows(before: Rows, now: Rows) -> FloatArray:
    """Return what the naive twin expects of *now*."""
    classes = range(before.probabilities.shape[1])
    calibrated = np.column_stack(
        [
            IsotonicRegression(out_of_bounds="clip")
            .fit(before.probabilities[:, k], before.true == k)
            .predict(now.probabilities[:, k])
            for k in classes
        ]
    )
    calibrated /= np.maximum(calibrated.sum(axis=1, keepdims=True), 1e-12)
    each = []
    for k, expected in enumerate(calibrated.T):
        said = now.said == k
        hits, missed = expected[said].sum(), expected[~said].sum()
        false = said.sum() - hits
        area = metrics.roc_auc_score(
            np.repeat([1, 0], len(said)),
            np.tile(now.probabilities[:, k], 2),
            sample_weight=np.concatenate([expected, 1 - expected]),
        )
        f1 = 2 * hits / (2 * hits + false + missed)
        each.append((hits / max(said.sum(), 1), hits / (hits + missed), f1, area))
    accuracy = calibrated[np.arange(len(now.true)), now.said].mean()
    return np.array([accuracy, *np.mean(each, axis=0)])


def came_true(now: Rows) -> FloatArray:
    """Return what the labels of *now* say."""
    how = {"average": "macro", "zero_division": 0}
    return np.array(
        [
            metrics.accuracy_score(now.true, now.said),
            metrics.precision_score(now.true, now.said, **how),
            metrics.recall_score(now.true, now.said, **how),
            metrics.f1_score(now.true, now.said, **how),
            metrics.roc_auc_score(now.true, now.probabilities, multi_class="ovr"),
        ]
    )


def main() -> None:
    """Print by score the mean distance from what came true, of both, and their ratio."""
    off: list[list[FloatArray]] = [
        [abs(way(before, now) - came_true(now)) for way in (of_counts, of_rows)]
        for _, before, now in cases()
    ]
    counts, rows = np.mean(off, axis=0)
    table = Table("score", "counts", "every row, normalised", "ratio")
    for name, ours, twin in zip(SCORES, counts.tolist(), rows.tolist(), strict=True):
        table.add_row(name, f"{ours:.4f}", f"{twin:.4f}", f"{ours / twin:.2f}")
    Console().print(table)


if __name__ == "__main__":
    main()

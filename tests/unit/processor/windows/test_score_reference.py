"""In which bin a score lies, and what it means."""

from __future__ import annotations

import numpy as np
import pytest

from otel_ml_processor.columns import TextColumn
from otel_ml_processor.errors import TableError
from otel_ml_processor.profile import Calibration
from otel_ml_processor.windows.score_reference import (
    ScoreReference,
    calibration_of,
    score_edges,
)

LABELS = TextColumn(np.array([0, 1, 0, -1, 0]), ("yes", "no"))
CONFIDENCES = np.array([0.9, 0.9, 0.2, 0.9, np.nan])


def reference(positive: str | None) -> ScoreReference:
    """Return two bins, the border at a half."""
    return ScoreReference.of(
        Calibration(
            positive=positive,
            edges=[0.5],
            rows=[4, 4],
            positives=[1, 3],
            probabilities=[0.25, 0.75],
        )
    )


def test_the_score_is_the_probability_of_the_positive_class() -> None:
    """A row is counted by its score and by what was predicted; one without class or confidence nowhere."""
    # yes at .9 is a score of .9; no at .9 one of .1; yes at .2 one of .2.
    assert reference("yes").cells(LABELS, CONFIDENCES).tolist() == [3, 0, 2, -1, -1]


def test_without_a_positive_class_the_score_is_the_confidence() -> None:
    """Whatever the class is called; a row without one is sure of something, too."""
    assert reference(None).cells(LABELS, CONFIDENCES).tolist() == [3, 3, 2, 3, -1]


def test_what_is_no_probability_is_counted_nowhere() -> None:
    """Infinite, negative or two: such a confidence says nothing."""
    labels = TextColumn(np.zeros(3, dtype=np.int64), ("yes",))
    wrong = np.array([np.inf, -1.0, 2.0])
    assert reference("yes").cells(labels, wrong).tolist() == [-1, -1, -1]


def test_few_scores_have_a_bin_each() -> None:
    """Scores with two decimals are counted exactly, so everything that is worked out of them is exact."""
    scores = np.arange(101) / 100
    edges = score_edges(scores)
    assert np.searchsorted(edges, scores).tolist() == list(range(101))


def test_scores_next_to_one_have_a_bin_each() -> None:
    """A model that is too sure says 1 and the numbers just below it: between two neighbours there is no middle, and each still has its own bin."""
    scores = np.array([0.2, *(1 - np.arange(6, -1, -1) * 2.0**-53)])
    calibration = calibration_of(np.repeat(scores, 50), np.tile(np.arange(50) < 20, 8), "yes")
    assert (np.diff(calibration.edges) > 0).all()
    assert calibration.rows == [50] * 8
    assert calibration.probabilities == pytest.approx([0.4] * 8)


def test_of_rare_events_the_tails_are_fine() -> None:
    """About a hundred bins of equal mass, with twenty in each outer hundredth."""
    scores = np.random.default_rng(1).random(100_000)
    counts = np.bincount(np.searchsorted(score_edges(scores), scores))
    assert len(counts) == 138
    assert abs(counts[20:-20] - 1_000).max() <= 1
    assert abs(counts[:20] - 50).max() <= 1
    assert abs(counts[-20:] - 50).max() <= 1


def test_calibration_counts_what_came_true() -> None:
    """Two of four at .2, both at .7."""
    scores = np.array([0.2, 0.2, 0.7, 0.2, 0.2, 0.7])
    is_true = np.array([True, False, True, False, True, True])
    found = calibration_of(scores, is_true, "yes")
    assert (found.rows, found.positives) == ([4, 2], [2, 2])
    assert found.probabilities == [0.5, 1.0]
    assert found.edges == pytest.approx([0.45])


def test_nothing_cannot_be_calibrated() -> None:
    """The message says what is missing."""
    with pytest.raises(TableError, match="a score and a truth, found none"):
        calibration_of(np.zeros(0), np.zeros(0, dtype=bool), None)

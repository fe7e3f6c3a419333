"""How good the predictions were, by their labels, and how good they are expected to be without."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np

from otel_ml_conventions.attributes import MlCalibrationMeasureValues
from otel_ml_processor.statistics.calibration import temperature
from otel_ml_processor.statistics.classification import Confusion, MacroScores, macro_scores
from otel_ml_processor.statistics.estimated_errors import expected_errors
from otel_ml_processor.statistics.estimated_performance import (
    expected_confusion,
    expected_of_classes,
    expected_roc_auc,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from otel_ml_processor.assess.calibration_drift import CalibrationDrift
    from otel_ml_processor.assess.label_alarms import LabelAlarm
    from otel_ml_processor.assess.performance_drift import PerformanceDrift
    from otel_ml_processor.assess.reading import WindowSpan
    from otel_ml_processor.assess.segment_performance import SegmentPerformance
    from otel_ml_processor.columns import IntArray, StreamKey
    from otel_ml_processor.sketches.outcomes import Outcomes
    from otel_ml_processor.sketches.reactions import Reactions
    from otel_ml_processor.statistics.ranking_sums import RankingSums
    from otel_ml_processor.windows.summary import Summary

__all__ = [
    "PerformanceReading",
    "calibration_errors",
    "estimated_scores",
    "proxy_scores",
    "ranking_scores",
    "realized_scores",
    "scores_in_need",
    "temperature_of",
]

_OF_CONFUSION: Final = ("accuracy", "precision", "recall", "specificity", "f1")
_MACRO: Final = ("macro_precision", "macro_recall", "macro_f1", "macro_roc_auc")
_LEAST_SHARE: Final = 0.5
"""Of a window's rows that say the probabilities of all classes; the estimates of fewer would not be those of the window."""
_OF_NUMBERS: Final = ("mae", "rmse", "mape", "r2")


@dataclass(frozen=True, slots=True)
class PerformanceReading:
    """
    What the labels of the newest window that has enough of them say.

    `predictions` is how many the window has, `coverage` the share of them that have a label. `realized` and `calibration` are empty
    where there are too few labels for a number; `estimated` is what was expected of the same window when it closed.
    """

    stream: StreamKey
    window: WindowSpan
    predictions: int
    coverage: float
    realized: Mapping[str, float] = field(default_factory=dict)
    calibration: Mapping[str, float] = field(default_factory=dict)
    estimated: Mapping[str, float] = field(default_factory=dict)
    temperature: float = math.nan
    """What the log-odds of confidences are to be divided by to mean what they say; NaN where that is not known."""
    drift: PerformanceDrift | None = None
    """None where the reference does not say how wrong its predictions were."""
    calibration_drift: CalibrationDrift | None = None
    """None where the reference does not say what scores meant."""
    segments: tuple[SegmentPerformance, ...] = ()
    proxies: Mapping[str, float] = field(default_factory=dict)
    """By name, what people did with the predictions, which says how useful they were and is no truth."""
    alarms: tuple[LabelAlarm, ...] = ()
    """What of all this is an alarm."""
    reference_id: str = ""
    """Of what it is compared with; empty where there is nothing."""

    @property
    def gaps(self) -> dict[str, float]:
        """By name, the estimate less what came true, where both are known: above 0 the estimate was too good."""
        both = self.estimated.keys() & self.realized.keys()
        return {name: self.estimated[name] - self.realized[name] for name in sorted(both)}


def estimated_scores(summary: Summary) -> dict[str, float]:
    """
    Return by name what is to be expected of a window without labels; nothing where the reference does not say what scores mean.

    It holds where scores mean what they meant in the reference, and overstates where the world itself has changed. Where the score is
    the confidence, and not half of the rows say the probabilities of all classes, only the accuracy can be told. Of numbers it is the mean
    of the errors that rows like these had in the reference.
    """
    if _says_classes(summary):
        return _expected_of_classes(summary)
    expected_rows = summary.expected_counts()
    if expected_rows is not None and summary.reference is not None and summary.reference.expected:
        known = summary.reference.expected
        if known.are_of_numbers:
            return _finite(expected_errors(expected_rows, known.absolute, known.squared))
    counts = summary.score_counts()
    if counts is None or summary.reference is None or summary.reference.scores is None:
        return {}
    scores = summary.reference.scores
    said_not, said = counts
    expected = expected_confusion(said, said_not, scores.probabilities)
    if scores.positive is None:
        return _finite({"accuracy": expected.accuracy})
    auc = expected_roc_auc(said + said_not, scores.probabilities)
    return _finite({**_of_confusion(expected), "roc_auc": auc})


def scores_in_need(summary: Summary) -> tuple[str, ...]:
    """Return the names of the scores that cannot be estimated, for only the confidence is known, or means something, and not each class's probability."""
    reference = summary.reference
    if reference is None or reference.scores is None or reference.scores.positive is not None:
        return ()
    return () if _says_classes(summary) else _MACRO


def _says_classes(summary: Summary) -> bool:
    """Whether rows enough say the probabilities of all classes, and the reference what these mean."""
    counts = summary.class_counts()
    return bool(counts) and 0 < _LEAST_SHARE * summary.rows <= int(counts[0].sum())


def _expected_of_classes(summary: Summary) -> dict[str, float]:
    scores = summary.reference.class_scores if summary.reference is not None else None
    of_class = scores.of_class if scores is not None else ()
    expected = expected_of_classes(summary.class_counts(), [s.probabilities for s in of_class])
    told = {"accuracy": expected.accuracy, **_macro(expected.macro)}
    return _finite({**told, "macro_roc_auc": expected.roc_auc})


def realized_scores(outcomes: Outcomes) -> dict[str, float]:
    """
    Return by name how good labelled predictions were; what has no rows is left out.

    With a positive class (the outcomes have score bins) the measures are of that class; otherwise accuracy, and the means of the classes' own.
    """
    numbers = {name: getattr(outcomes.errors, name) for name in _OF_NUMBERS}
    return _finite({**_of_classes(outcomes), **numbers})


def ranking_scores(rankings: RankingSums) -> dict[str, float]:
    """Return by name how well lists were ordered; what has no lists is left out."""
    return _finite(rankings.scores)


def proxy_scores(reactions: Reactions, liked: RankingSums, shown: int) -> dict[str, float]:
    """Return by name what people did with *shown* predictions, or lists; nothing where no reaction is known."""
    if not reactions.told:
        return {}
    return _finite({**reactions.rates(shown), **liked.scores})


def calibration_errors(outcomes: Outcomes) -> dict[str, float]:
    """Return by measure how far the confidence of labelled predictions was from what came true; nothing without confidences."""
    return _finite(
        {
            MlCalibrationMeasureValues.ECE.value: outcomes.expected_calibration_error,
            MlCalibrationMeasureValues.BRIER.value: outcomes.brier,
            MlCalibrationMeasureValues.NLL.value: outcomes.log_loss,
        }
    )


def temperature_of(outcomes: Outcomes) -> float:
    """
    Return what the log-odds of confidences are to be divided by to be calibrated, NaN without confidences; above 1 the model is too sure.

    From the ten bins of the expected calibration error, each with its mean confidence: its rows that were right, and those that were not.
    """
    rows, right, means = outcomes.by_confidence()
    if not rows.sum():
        return math.nan
    labels = np.concatenate([np.ones(len(rows)), np.zeros(len(rows))])
    weights = np.concatenate([right, rows - right])
    return temperature(labels, np.concatenate([means, means]), weights)


def _of_classes(outcomes: Outcomes) -> dict[str, float]:
    if not outcomes.rows:
        return {}
    accuracy = outcomes.right / outcomes.rows
    confusion = outcomes.confusion
    if confusion.rows:
        return {**_of_confusion(confusion), "accuracy": accuracy, "roc_auc": outcomes.roc_auc}
    return {"accuracy": accuracy, **(_of_matrix(outcomes.matrix()) if outcomes.is_complete else {})}


def _of_matrix(matrix: IntArray) -> dict[str, float]:
    """Return the means over classes, of rows by true and by predicted class."""
    return _macro(macro_scores(np.diag(matrix), matrix.sum(axis=0), matrix.sum(axis=1)))


def _macro(scores: MacroScores) -> dict[str, float]:
    return {f"macro_{name}": score for name, score in scores._asdict().items()}


def _of_confusion(confusion: Confusion) -> dict[str, float]:
    return {name: getattr(confusion, name) for name in _OF_CONFUSION}


def _finite(scores: Mapping[str, float]) -> dict[str, float]:
    return {name: float(score) for name, score in scores.items() if math.isfinite(score)}

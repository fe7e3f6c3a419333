"""What a table's truth says: what scores mean, and how good the predictions are."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, TypedDict

import numpy as np

from otel_ml_processor.assess.performance import realized_scores
from otel_ml_processor.columns import Kind, TextColumn
from otel_ml_processor.errors import TableError
from otel_ml_processor.sketches.categories import category_of
from otel_ml_processor.sketches.outcomes import Outcomes
from otel_ml_processor.statistics.classification import roc_auc
from otel_ml_processor.windows.class_scores import class_calibrations
from otel_ml_processor.windows.score_reference import ScoreReference, calibration_of

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    import pyarrow as pa

    from otel_ml_processor.columns import BoolArray, FloatArray, ValueColumn
    from otel_ml_processor.commands.table_roles import Roles
    from otel_ml_processor.profile import Calibration, Profile

__all__ = ["Truth", "training_warning", "truth_of", "truth_warning"]

_FEWEST_LABELS: Final = 200
_TOO_GOOD: Final = 0.02
_STANDARD_ERRORS: Final = 4
_SHOWN: Final = 5


class Truth(TypedDict, total=False):
    """The parts of a profile that need the truth."""

    calibration: Calibration
    class_calibrations: list[Calibration]
    performance: dict[str, float]


def truth_of(
    roles: Roles,
    table: pa.Table,
    predictions: ValueColumn | None,
    confidences: FloatArray | None,
    *,
    are_classes: bool,
) -> Truth:
    """
    Return what the target column of *table* says of its predictions, classes or numbers; nothing without one.

    Rows without a truth or a prediction are passed over.

    Raises:
        TableError: If no row has both a prediction and a truth.
    """
    truths = roles.truths(table)
    if truths is None or predictions is None:
        return {}
    is_known = _is_said(truths) & _is_said(predictions)
    if not is_known.any():
        raise TableError(f"column {roles.target!r}: expected rows with a truth and a prediction")
    said, true = predictions[is_known], truths[is_known]
    if not are_classes:
        outcomes = Outcomes()
        outcomes.add_numbers(said.numbers, true.numbers)
        return {"performance": realized_scores(outcomes)}
    sure = np.full(len(said), np.nan) if confidences is None else confidences[is_known]
    if roles.positive is not None:
        _check_two_classes(roles, {*_texts(said), *_texts(true)})
    truth = _of_classes(_texts(said), _texts(true), sure, roles.positive)
    probabilities = {
        name: column[is_known] for name, column in roles.class_probabilities(table).items()
    }
    return _with_classes(truth, probabilities, _texts(true)) if probabilities else truth


def _check_two_classes(roles: Roles, names: Collection[str]) -> None:
    """TableError where there are more than the positive class and one other: a score says nothing of a third one."""
    if len({roles.positive, *names}) > 2:  # noqa: PLR2004 - a question of yes or no
        found = ", ".join(sorted(names)[:_SHOWN])
        raise TableError(
            f"columns {roles.label!r} and {roles.target!r}: expected two classes with --score, found {found}; of more classes give --confidence, "
            "or --probabilities"
        )


def _with_classes(
    truth: Truth, probabilities: Mapping[str, FloatArray], true: Sequence[str]
) -> Truth:
    """Return *truth* with what the probabilities of all classes meant, and how well they order the rows, each class against the rest."""
    calibrations = class_calibrations(probabilities, true)
    areas = [
        roc_auc(positives, np.array(of_class.rows) - positives)
        for of_class in calibrations
        for positives in [np.array(of_class.positives)]
    ]
    known = [area for area in areas if not math.isnan(area)]
    area = {"macro_roc_auc": float(np.mean(known))} if known else {}
    return {
        **truth,
        "class_calibrations": calibrations,
        "performance": {**truth.get("performance", {}), **area},
    }


def truth_warning(profile: Profile) -> str:
    """Return why what the truth says of *profile* is not to be believed; nothing where it is."""
    if profile.performance.get("accuracy") != 0:
        return training_warning(profile)
    known = profile.prediction.categories if profile.prediction else []
    said = ", ".join(known[:_SHOWN])
    return (
        f"not one prediction came true: are the classes in --target written as those in --label, which are {said}? "
        "`True` and `1` are two classes, as `fraud` and `1` are"
    )


def training_warning(profile: Profile) -> str:
    """
    Return why the outputs of *profile* look like those on rows that the model was trained on; nothing where they do not.

    There a model is right more often than it is sure: of scores that mean what they say, sum(p) rows come true, give or take sqrt(sum(p * (1 - p))). With
    fewer than 200 labelled rows nothing is said.
    """
    accuracy = profile.performance.get("accuracy")
    calibration = profile.calibration
    labelled = sum(calibration.rows) if calibration else 0
    if accuracy is None or calibration is None or labelled < _FEWEST_LABELS:
        return ""
    sure, deviation = _expected_accuracy(profile)
    if accuracy - sure <= max(_TOO_GOOD, _STANDARD_ERRORS * deviation / math.sqrt(labelled)):
        return ""
    return (
        f"the predictions are right in {100 * accuracy:.3g} % of rows, at a mean confidence of {100 * sure:.3g} %: that is what a model "
        "does on rows that it was trained on. Thresholds, calibration and performance will be too good; give rows that it has not seen with "
        "--validation (validation=)"
    )


def _expected_accuracy(profile: Profile) -> tuple[float, float]:
    """Return the mean confidence, and the standard deviation of being right where that is right."""
    column = profile.confidence
    if column is None or column.mean is None:
        return 1.0, 0.0
    return column.mean, math.sqrt(max(0.0, column.mean * (1 - column.mean)))


def _of_classes(
    said: list[str], true: list[str], confidences: FloatArray, positive: str | None
) -> Truth:
    right = np.array([a == b for a, b in zip(said, true, strict=True)], dtype=bool)
    calibration = _calibration(said, right, confidences, positive)
    outcomes = Outcomes(
        len(calibration.rows) if calibration is not None and positive is not None else 0
    )
    outcomes.add_pairs(true, said)
    outcomes.add_right(right, confidences)
    if calibration is None:
        return {"performance": realized_scores(outcomes)}
    if positive is not None:
        scores = ScoreReference.of(calibration)
        is_said = _is_positive(said, scores)
        bins = scores.bins(is_said, confidences)
        known = bins >= 0
        outcomes.add_cells(is_said[known], (is_said == right)[known], bins[known])
    return {"calibration": calibration, "performance": realized_scores(outcomes)}


def _calibration(
    said: list[str], right: BoolArray, confidences: FloatArray, positive: str | None
) -> Calibration | None:
    known = ~np.isnan(confidences)
    if not known.any():
        return None
    if positive is None:
        return calibration_of(confidences[known], right[known], None)
    is_said = np.array([label == positive for label in said], dtype=bool)
    scores = np.where(is_said, confidences, 1 - confidences)
    return calibration_of(scores[known], (is_said == right)[known], positive)


def _is_positive(said: list[str], scores: ScoreReference) -> BoolArray:
    names = tuple(dict.fromkeys(said))
    at = {name: code for code, name in enumerate(names)}
    codes = np.array([at[name] for name in said], dtype=np.int64)
    return scores.is_said_positive(TextColumn(codes, names))


def _is_said(column: ValueColumn) -> BoolArray:
    is_nan = (column.kinds == Kind.NUMBER) & ~np.isfinite(column.numbers)
    is_said = np.isin(column.kinds, (Kind.NUMBER, Kind.BOOLEAN, Kind.TEXT))
    return np.asarray(is_said & ~is_nan)


def _texts(column: ValueColumn) -> list[str]:
    """Return the rows as classes are written: texts as they are, integral numbers without a fraction."""
    return [
        column.dictionary[text]
        if kind == Kind.TEXT
        else str(bool(number))
        if kind == Kind.BOOLEAN
        else category_of(number)
        for kind, number, text in zip(
            column.kinds.tolist(), column.numbers.tolist(), column.texts.tolist(), strict=True
        )
    ]

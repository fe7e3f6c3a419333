"""What only labels tell, as points: how calibrated scores are, and how good the predictions of each segment were."""

from __future__ import annotations

from typing import TYPE_CHECKING

from otel_ml_conventions import attributes as keys
from otel_ml_conventions import metrics as names
from otel_ml_conventions.attributes import (
    MlDriftMethodValues,
    MlDriftTargetValues,
    MlEvaluationBasisValues,
)
from otel_ml_processor.emit.points import (
    NamedPoint,
    Point,
    Target,
    status_points,
    stream_attributes,
)
from otel_ml_processor.emit.segment_points import gap_points, within

if TYPE_CHECKING:
    from otel_ml_processor.assess.calibration_drift import CalibrationDrift
    from otel_ml_processor.assess.performance import PerformanceReading
    from otel_ml_processor.emit.points import Attributes

__all__ = ["label_points"]


def label_points(reading: PerformanceReading, cohort_end: str) -> list[NamedPoint]:
    """Return what the labels of a window say of scores and segments; *cohort_end* is its end in ISO 8601."""
    where = (*stream_attributes(reading.stream), (keys.ML_WINDOW_NAME, reading.window.name))
    points = [
        NamedPoint(names.METRIC_ML_CALIBRATION_TEMPERATURE, Point(where, reading.temperature)),
        *_drift(where, reading.calibration_drift),
    ]
    for part in reading.segments:
        of_segment = within(where, part.segment)
        cohort = (*of_segment, (keys.ML_EVALUATION_COHORT_END, cohort_end))
        basis = (keys.ML_EVALUATION_BASIS, MlEvaluationBasisValues.REALIZED.value)
        for name, score in part.realized.items():
            about = (*cohort, (keys.ML_EVALUATION_NAME, name), basis)
            points.append(NamedPoint(names.METRIC_ML_EVALUATION_SCORE, Point(about, score)))
        for measure, error in part.calibration.items():
            measured = (*of_segment, (keys.ML_CALIBRATION_MEASURE, measure))
            points.append(NamedPoint(names.METRIC_ML_CALIBRATION_ERROR, Point(measured, error)))
        if part.gap is not None:
            points += gap_points(of_segment, part.gap)
    return points


def _drift(where: Attributes, drift: CalibrationDrift | None) -> list[NamedPoint]:
    if drift is None:
        return []
    about = (*where, (keys.ML_DRIFT_TARGET, MlDriftTargetValues.CALIBRATION.value))
    method = (keys.ML_DRIFT_METHOD, MlDriftMethodValues.CHI_SQUARED.value)
    return [
        NamedPoint(names.METRIC_ML_DRIFT_SCORE, Point((*about, method), drift.statistic)),
        NamedPoint(names.METRIC_ML_DRIFT_P_VALUE, Point(about, drift.p_value)),
        *status_points(where, Target(MlDriftTargetValues.CALIBRATION, ""), drift.state),
    ]

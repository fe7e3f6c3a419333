"""Segments of a window as points, each under its attribute and value."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from otel_ml_conventions import attributes as keys
from otel_ml_conventions import metrics as names
from otel_ml_conventions.attributes import MlDriftMethodValues, MlDriftStateValues
from otel_ml_processor.assess.segments import TARGET_OF
from otel_ml_processor.emit.points import (
    NamedPoint,
    Point,
    Target,
    confidence_points,
    status_points,
    valid_text,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from otel_ml_processor.assess.segments import Gap, Segment, SegmentReading
    from otel_ml_processor.emit.points import Attributes

__all__ = ["MAX_SEGMENT_POINTS", "gap_points", "segment_points", "within"]

MAX_SEGMENT_POINTS: Final = 24
"""Points of one segment and window: seven of confidence, samples, two scores; a disparity, a p-value and five states of two rates."""


def within(where: Attributes, segment: Segment) -> Attributes:
    """Return the attributes *where* of a stream or window, and those of a *segment* of it."""
    return (
        *where,
        (keys.ML_SEGMENT_NAME, valid_text(segment.name)),
        (keys.ML_SEGMENT_VALUE, valid_text(segment.value)),
    )


def segment_points(where: Attributes, readings: Sequence[SegmentReading]) -> list[NamedPoint]:
    """Return what the segments of the window *where* say."""
    points = []
    for reading in readings:
        of_segment = within(where, reading.segment)
        points.append(
            NamedPoint(names.METRIC_ML_DRIFT_WINDOW_SAMPLES, Point(of_segment, reading.rows))
        )
        if reading.confidence is not None:
            points += confidence_points(of_segment, reading.confidence)
        for target, psi in reading.drift.items():
            method = (keys.ML_DRIFT_METHOD, MlDriftMethodValues.PSI.value)
            about = (*of_segment, (keys.ML_DRIFT_TARGET, target.value), method)
            points.append(NamedPoint(names.METRIC_ML_DRIFT_SCORE, Point(about, psi)))
        for gap in reading.gaps:
            points += gap_points(of_segment, gap)
    return points


def gap_points(of_segment: Attributes, gap: Gap) -> list[NamedPoint]:
    """Return the ratio of a segment's rate to that of the rest, and whether and, where it was compared, how surely it has changed since the reference."""
    target = TARGET_OF[gap.measure]
    measured = (*of_segment, (keys.ML_SEGMENT_MEASURE, gap.measure.value))
    about = (*of_segment, (keys.ML_DRIFT_TARGET, target.value))
    points = [NamedPoint(names.METRIC_ML_SEGMENT_DISPARITY, Point(measured, gap.ratio))]
    if gap.is_compared:
        points.append(NamedPoint(names.METRIC_ML_DRIFT_P_VALUE, Point(about, gap.p_value)))
    return points + status_points(of_segment, Target(target, ""), gap.state, MlDriftStateValues)

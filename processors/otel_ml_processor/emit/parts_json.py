"""Parts of a reading as JSON: predicted classes, segments, and where the model fails."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from otel_ml_processor.emit.points import valid_text

if TYPE_CHECKING:
    from otel_ml_processor.assess.error_patterns import Pattern
    from otel_ml_processor.assess.performance import PerformanceReading
    from otel_ml_processor.assess.reading import ConfidenceReading, Reading
    from otel_ml_processor.assess.segment_performance import SegmentPerformance
    from otel_ml_processor.assess.segments import Gap, Segment, SegmentReading

__all__ = ["confidence_json", "labels_json", "parts_json"]


def parts_json(reading: Reading) -> dict[str, Any]:
    """Return what a window says of classes, segments, patterns, and how confidence moved."""
    return {
        "by_class": {
            valid_text(label): confidence_json(told) for label, told in reading.by_class.items()
        },
        "segments": [_segment(segment) for segment in reading.segments],
        "patterns": [_pattern(pattern) for pattern in reading.patterns],
        "confidence_step": reading.confidence_step,
        "confidence_fall": reading.confidence_fall and reading.confidence_fall._asdict(),
    }


def labels_json(reading: PerformanceReading) -> dict[str, Any]:
    """Return what labels say of scores and segments, and what of that is an alarm."""
    drift, worse = reading.calibration_drift, reading.drift
    return {
        "drift": worse and {"p_value": worse.p_value, "rise": worse.rise, "alarm": worse.is_alarm},
        "temperature": reading.temperature,
        "calibration_drift": drift
        and {"p_value": drift.p_value, "change": drift.change, "state": drift.state.value},
        "segments": [_labelled(part) for part in reading.segments],
        "alarms": [valid_text(alarm.words) for alarm in reading.alarms],
    }


def confidence_json(confidence: ConfidenceReading) -> dict[str, Any]:
    """Return how sure the model was; a number that is not known is NaN."""
    return {
        "rows": confidence.rows,
        "mean": confidence.mean,
        "entropy": confidence.entropy,
        "margin": confidence.margin,
        "quantiles": {f"{level:g}": value for level, value in confidence.quantiles.items()},
        "low": confidence.low,
        "threshold": confidence.threshold,
    }


def _segment(reading: SegmentReading) -> dict[str, Any]:
    return {
        **_named(reading.segment),
        "rows": reading.rows,
        "confidence": reading.confidence and confidence_json(reading.confidence),
        "drift": {target.value: psi for target, psi in reading.drift.items()},
        "gaps": [_gap(gap) for gap in reading.gaps],
    }


def _labelled(part: SegmentPerformance) -> dict[str, Any]:
    return {
        **_named(part.segment),
        "labelled": part.labelled,
        "realized": dict(part.realized),
        "calibration": dict(part.calibration),
        "gap": part.gap and _gap(part.gap),
    }


def _named(segment: Segment) -> dict[str, str]:
    return {"name": valid_text(segment.name), "value": valid_text(segment.value)}


def _gap(gap: Gap) -> dict[str, Any]:
    return {
        "measure": gap.measure.value,
        "rate": gap.rate,
        "rest": gap.rest,
        "ratio": gap.ratio,
        "p_value": gap.p_value,
        "state": gap.state.value,
    }


def _pattern(pattern: Pattern) -> dict[str, Any]:
    return {
        "failure": pattern.failure,
        "feature": valid_text(pattern.feature),
        "where": valid_text(pattern.where),
        "rows": pattern.rows,
        "rate": pattern.rate,
        "least": pattern.least,
        "overall": pattern.overall,
    }

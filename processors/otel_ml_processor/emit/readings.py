"""The last readings as JSON: what the page for people shows, for programs."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import msgspec

from otel_ml_conventions.attributes import MlDriftTargetValues
from otel_ml_processor.emit.parts_json import confidence_json, labels_json, parts_json
from otel_ml_processor.emit.points import valid_text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from otel_ml_processor.assess.data_quality import QualityReading
    from otel_ml_processor.assess.explanations import ExplanationReading
    from otel_ml_processor.assess.performance import PerformanceReading
    from otel_ml_processor.assess.reading import Reading, TargetReading
    from otel_ml_processor.columns import StreamKey
    from otel_ml_processor.emit.stream_pages import ReferenceFacts, StreamView

__all__ = ["iso_time", "reading_json", "readings_json"]

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


def readings_json(views: Iterable[StreamView]) -> bytes:
    """Return a JSON object with `streams`, one per stream and each with its `readings`; a number that is not finite is `null`."""
    return msgspec.json.encode({"streams": [_stream(view) for view in views]}, enc_hook=_plain)


def reading_json(reading: Reading) -> bytes:
    """Return one reading as a JSON object, with the stream that it is of; a number that is not finite is `null`."""
    return msgspec.json.encode({**_named(reading.stream), **_reading(reading)}, enc_hook=_plain)


def iso_time(time_ns: int) -> str:
    """Return nanoseconds since 1970 as ISO 8601 in UTC, to the second."""
    return (_EPOCH + timedelta(seconds=time_ns // 1_000_000_000)).strftime("%Y-%m-%dT%H:%M:%SZ")


def _plain(value: Any) -> Any:
    """Return the Python number of a numpy scalar."""
    return value.item()


def _stream(view: StreamView) -> dict[str, Any]:
    return {
        **_named(view.stream),
        "reference": view.reference and _reference(view.reference),
        "readings": [_reading(reading) for reading in view.readings],
        "performance": [_performance(reading) for reading in view.performance],
        "silent_seconds": view.silent_s,
        "stale_seconds": {valid_text(name): age for name, age in view.stale_s.items()},
    }


def _named(stream: StreamKey) -> dict[str, str]:
    return {
        **({"tenant": valid_text(stream.tenant)} if stream.tenant else {}),
        "service": valid_text(stream.service),
        "environment": valid_text(stream.environment),
        "model": valid_text(stream.model),
        "version": valid_text(stream.version),
    }


def _reference(reference: ReferenceFacts) -> dict[str, Any]:
    return {
        "id": reference.id,
        "version": valid_text(reference.version),
        "provisional": reference.is_provisional,
        "created": reference.created_ns and iso_time(reference.created_ns),
        "samples": reference.samples,
        "performance": dict(reference.performance),
    }


def _reading(reading: Reading) -> dict[str, Any]:
    return {
        "window": reading.window.name,
        "start": iso_time(reading.window.start_ns),
        "end": iso_time(reading.window.end_ns),
        "rows": reading.rows,
        "received": reading.received,
        "biased": reading.is_biased,
        "state": reading.state.value,
        "false_alarm_promised": reading.alpha,
        "false_alarm_measured": reading.measured,
        "mode": reading.mode.value,
        "windows_between_alarms": reading.windows_between_alarms,
        "run_length": reading.run_length and reading.run_length.mean,
        "reference_id": reading.reference_id,
        "targets": [_target(target) for target in reading.targets],
        "explanations": reading.explanations and _explanations(reading.explanations),
        "confidence": reading.confidence and confidence_json(reading.confidence),
        "quality": reading.quality and _quality(reading.quality),
        **parts_json(reading),
        "estimated": dict(reading.estimated),
        "needs_probabilities": list(reading.needs_probabilities),
        "labels": {valid_text(label): count for label, count in reading.labels.items()},
    }


def _performance(reading: PerformanceReading) -> dict[str, Any]:
    return {
        "window": reading.window.name,
        "start": iso_time(reading.window.start_ns),
        "end": iso_time(reading.window.end_ns),
        "predictions": reading.predictions,
        "coverage": reading.coverage,
        "realized": dict(reading.realized),
        "calibration": dict(reading.calibration),
        "estimated": dict(reading.estimated),
        "gaps": reading.gaps,
        "proxies": dict(reading.proxies),
        **labels_json(reading),
    }


def _target(target: TargetReading) -> dict[str, Any]:
    return {
        "target": target.target.value,
        "name": valid_text(target.name),
        "rows": target.rows,
        "state": target.state.value,
        "scores": {method: float(score) for method, score in target.scores.items()},
        "p_value": target.p_value,
        "effect": target.effect,
        "missing": target.missing,
        "unseen": target.unseen,
        "out_of_range": target.out_of_range,
        "non_finite": target.non_finite,
        "type_error": target.type_error,
        "driver": target.driver,
        **_together(target),
        "evidence": target.evidence and target.evidence.log,
    }


def _explanations(explanations: ExplanationReading) -> dict[str, Any]:
    return {
        "explained": explanations.rows,
        "importance": {valid_text(n): value for n, value in explanations.importance.items()},
        "before": {valid_text(n): value for n, value in explanations.before.items()},
        "consistency": explanations.consistency,
        "provisional": explanations.is_provisional,
    }


def _quality(quality: QualityReading) -> dict[str, Any]:
    return {
        "duplicates": quality.duplicates,
        "inconsistent": quality.inconsistent,
        "invalid": dict(quality.invalid),
        "schemas": dict(quality.schemas),
        "constant": [valid_text(name) for name in quality.constant],
        "alike": [
            {
                "features": [valid_text(pair.first), valid_text(pair.second)],
                "before": pair.before,
                "after": pair.after,
            }
            for pair in quality.alike
        ],
    }


def _together(target: TargetReading) -> dict[str, Any]:
    """Return what only the features together have: the share out of distribution, or the pair whose correlation changed most."""
    if target.target is MlDriftTargetValues.MULTIVARIATE:
        return {"ood": target.ood}
    if target.pair is None:
        return {}
    pair = target.pair
    names = [valid_text(pair.first), valid_text(pair.second)]
    return {"pair": {"features": names, "before": pair.before, "after": pair.after}}

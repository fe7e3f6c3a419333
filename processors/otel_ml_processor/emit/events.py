"""A change to `drifting` as the OTLP log record `ml.drift.detected`: one per model, window and change, with the features that drift most."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.logs.v1.logs_pb2 import (
    SEVERITY_NUMBER_WARN,
    LogRecord,
    ResourceLogs,
    ScopeLogs,
)

from otel_ml_conventions import attributes as keys
from otel_ml_conventions.attributes import (
    MlDriftMethodValues,
    MlDriftStateValues,
    MlDriftTargetValues,
    MlDriftTestValues,
)
from otel_ml_conventions.events import EVENT_ML_DRIFT_DETECTED
from otel_ml_conventions.schema import SCHEMA_URL
from otel_ml_processor.assess.data_quality import LEAST_SHARE
from otel_ml_processor.assess.drift import test_of
from otel_ml_processor.assess.segments import LEAST_RATIO, MOST_RATIO, TARGET_OF
from otel_ml_processor.emit.otlp import key_value, resource, scope
from otel_ml_processor.emit.points import valid_text, window_attributes
from otel_ml_processor.emit.readings import iso_time

if TYPE_CHECKING:
    from collections.abc import Sequence

    from otel_ml_processor.assess.confidence_fall import ConfidenceFall
    from otel_ml_processor.assess.reading import Change, TargetReading
    from otel_ml_processor.assess.segments import Gap, SegmentReading
    from otel_ml_processor.emit.otlp import Identity

__all__ = ["MAX_FEATURES", "Attributes", "drift_attributes", "warning"]

MAX_FEATURES: Final = 10
"""Features that the event names, the most drifted first."""

Attributes = dict[str, "str | float | list[str] | list[float]"]
"""By key, what an event says."""


def drift_attributes(change: Change, description: str, *, effect_floor: float) -> Attributes:
    """
    Return what the event says of *change*, in *description* also in words.

    *effect_floor* is the debiased PSI from which on something counts as drift. The event is about the first target of *change*, or, where no window
    drifts by itself, about what drifts slowly (method `e_cusum`); a number that is not finite is left out, in an array with all of its kind.
    """
    about = _subject(change, effect_floor)
    return {
        **dict(window_attributes(change.reading)),
        **_whole(change),
        **about,
        **_features(change.targets, effect_floor),
        **_where_to_look(change),
        keys.ML_DRIFT_DESCRIPTION: valid_text(description),
    }


def warning(about: Attributes, time_ns: int, identity: Identity, now_ns: int) -> bytes:
    """Return the serialized request with one `ml.drift.detected` of *about*, which happened at *time_ns* and was noticed at *now_ns*."""
    record = LogRecord(
        time_unix_nano=max(0, time_ns),
        observed_time_unix_nano=now_ns,
        severity_number=SEVERITY_NUMBER_WARN,
        severity_text="WARN",
        event_name=EVENT_ML_DRIFT_DETECTED,
        attributes=[key_value(key, value) for key, value in about.items()],
    )
    scoped = ScopeLogs(scope=scope(identity), log_records=[record], schema_url=SCHEMA_URL)
    return ExportLogsServiceRequest(
        resource_logs=[ResourceLogs(resource=resource(identity), scope_logs=[scoped])]
    ).SerializeToString()


def _whole(change: Change) -> Attributes:
    said: Attributes = {
        keys.ML_DRIFT_STATE: MlDriftStateValues.DRIFTING.value,
        keys.ML_DRIFT_KIND: change.kind.value,
        keys.ML_DRIFT_WINDOW_SIZE: int(change.reading.rows),
        **({keys.ML_SAMPLING_BIASED: True} if change.reading.is_biased else {}),
    }
    if change.reading.reference_id:  # a schema may change without one
        said[keys.ML_DRIFT_REFERENCE_ID] = change.reading.reference_id
        said[keys.ML_DRIFT_CALIBRATION_MODE] = change.reading.mode.value
    return said


def _subject(change: Change, effect_floor: float) -> Attributes:
    if change.targets:
        return _largest(change.targets[0], effect_floor)
    if change.slow:
        return _slowest(change)
    if change.segments:
        return _of_segment(*change.segments[0])
    return _of_fall(change.fall) if change.fall is not None else {}


def _of_fall(fall: ConfidenceFall) -> Attributes:
    """Return what the mean confidence is, and below what it is an alarm."""
    return {
        keys.ML_DRIFT_TARGET: MlDriftTargetValues.CONFIDENCE.value,
        keys.ML_DRIFT_METHOD: MlDriftMethodValues.OTHER.value,
        keys.ML_DRIFT_SCORE: fall.mean,
        keys.ML_DRIFT_THRESHOLD: fall.bound,
    }


def _of_segment(segment: SegmentReading, gap: Gap) -> Attributes:
    """Return what a segment's rate is, as a multiple of that of the rest."""
    about: Attributes = {
        keys.ML_DRIFT_TARGET: TARGET_OF[gap.measure].value,
        keys.ML_DRIFT_METHOD: MlDriftMethodValues.HYPERGEOMETRIC.value,
        keys.ML_SEGMENT_NAME: valid_text(segment.segment.name),
        keys.ML_SEGMENT_VALUE: valid_text(segment.segment.value),
        keys.ML_DRIFT_P_VALUE: gap.p_value,
        keys.ML_DRIFT_TEST: MlDriftTestValues.HYPERGEOMETRIC.value,
        keys.ML_DRIFT_THRESHOLD: LEAST_RATIO if gap.ratio < 1 else MOST_RATIO,
    }
    return about | ({keys.ML_DRIFT_SCORE: gap.ratio} if math.isfinite(gap.ratio) else {})


def _largest(target: TargetReading, effect_floor: float) -> Attributes:
    if target.pair is not None:
        return _of_pair(target)
    numbers = {
        keys.ML_DRIFT_SCORE: _score(target),
        keys.ML_DRIFT_P_VALUE: target.p_value,
        keys.ML_DRIFT_THRESHOLD: _threshold(target, effect_floor),
    }
    of_schema = target.target is MlDriftTargetValues.DATA_QUALITY  # compared, not measured
    about = _about(target, MlDriftMethodValues.OTHER if of_schema else MlDriftMethodValues.PSI)
    test = test_of(target.driver)
    if test is not None:
        about[keys.ML_DRIFT_TEST] = test.value
    return about | {key: value for key, value in numbers.items() if math.isfinite(value)}


def _of_pair(target: TargetReading) -> Attributes:
    """Return by how much the correlation of the two features changed that changed most; the floor is on another scale."""
    return _about(target, MlDriftMethodValues.RANK_CORRELATION) | {
        keys.ML_DRIFT_SCORE: target.scores[MlDriftMethodValues.RANK_CORRELATION.value],
        keys.ML_DRIFT_P_VALUE: target.p_value,
        keys.ML_DRIFT_TEST: MlDriftTestValues.RANK_CORRELATION.value,
    }


def _slowest(change: Change) -> Attributes:
    """Return what has the most evidence of slow drift: logarithms of it, and of what is an alarm."""
    target = change.slow[0]
    features = [t for t in change.slow if t.target == MlDriftTargetValues.FEATURE][:MAX_FEATURES]
    about = _about(target, MlDriftMethodValues.E_CUSUM) | {
        keys.ML_DRIFT_SCORE: _evidence(target),
        keys.ML_DRIFT_THRESHOLD: math.log(change.reading.windows_between_alarms),
    }
    if features:
        about[keys.ML_DRIFT_FEATURES] = [valid_text(feature.name) for feature in features]
        about[keys.ML_DRIFT_SCORES] = [_evidence(feature) for feature in features]
    return about


def _evidence(target: TargetReading) -> float:
    return target.evidence.log if target.evidence else 0.0


def _about(target: TargetReading, method: MlDriftMethodValues) -> Attributes:
    about: Attributes = {
        keys.ML_DRIFT_TARGET: target.target.value,
        keys.ML_DRIFT_METHOD: method.value,
    }
    if target.target == MlDriftTargetValues.FEATURE:
        about[keys.ML_FEATURE_NAME] = valid_text(target.name)
    return about


def _where_to_look(change: Change) -> Attributes:
    """Return since when, and traces that show it, as far as that is known."""
    said: Attributes = {}
    if change.moment is not None:
        said[keys.ML_DRIFT_CHANGE_TIME] = iso_time(change.moment.at_ns)
    if change.trace_ids:
        said[keys.ML_DRIFT_EXAMPLE_TRACE_IDS] = list(change.trace_ids)
    return said


def _features(targets: Sequence[TargetReading], effect_floor: float) -> Attributes:
    """Return the arrays of the features among *targets*, all of one length; nothing where no feature changed."""
    top = [target for target in targets if target.target == MlDriftTargetValues.FEATURE]
    top = top[:MAX_FEATURES]
    if not top:
        return {}
    names: Attributes = {keys.ML_DRIFT_FEATURES: [valid_text(target.name) for target in top]}
    numbers = {
        keys.ML_DRIFT_SCORES: [_score(target) for target in top],
        keys.ML_DRIFT_P_VALUES: [target.p_value for target in top],
        keys.ML_DRIFT_THRESHOLDS: [_threshold(target, effect_floor) for target in top],
    }
    return names | {key: row for key, row in numbers.items() if all(map(math.isfinite, row))}


def _score(target: TargetReading) -> float:
    """Return the PSI, or the debiased one where the plain one is not at hand."""
    return target.scores.get(MlDriftMethodValues.PSI.value, target.effect)


def _threshold(target: TargetReading, effect_floor: float) -> float:
    """
    Return the PSI from which on *target* counts as drift: the floor, and what chance alone adds in a window of this size.

    What chance adds is the PSI less the debiased one; where the debiased one was cut at 0 it is not known, and the floor is given.
    """
    if target.target is MlDriftTargetValues.DATA_QUALITY:
        return LEAST_SHARE
    chance = max(0.0, _score(target) - target.effect) if target.effect > 0 else 0.0
    return effect_floor + chance

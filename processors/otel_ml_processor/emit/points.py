"""
One reading as points: which numbers leave the processor, under which attributes.

Pure functions from a `Reading` to (metric name, point) pairs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from otel_ml_conventions import attributes as keys
from otel_ml_conventions import metrics as names
from otel_ml_conventions.attributes import (
    MlDriftCalibrationModeValues,
    MlDriftMethodValues,
    MlDriftStateValues,
    MlDriftTargetValues,
    MlEvaluationBasisValues,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from otel_ml_processor.assess.explanations import ExplanationReading
    from otel_ml_processor.assess.performance import PerformanceReading
    from otel_ml_processor.assess.reading import ConfidenceReading, Reading, TargetReading
    from otel_ml_processor.columns import StreamKey
    from otel_ml_processor.feedback.totals import FeedbackTotals

__all__ = [
    "COMPARED_STATES",
    "Attributes",
    "Exemplar",
    "NamedPoint",
    "Point",
    "Target",
    "class_points",
    "confidence_points",
    "estimated_points",
    "explanation_points",
    "feedback_points",
    "performance_points",
    "received_points",
    "reference_points",
    "status_points",
    "step_points",
    "stream_attributes",
    "target_points",
    "valid_text",
    "window_attributes",
    "window_points",
]

Attributes = tuple[tuple[str, "str | int | float | bool"], ...]

COMPARED_STATES: Final = tuple(
    state for state in MlDriftStateValues if state is not MlDriftStateValues.NO_REFERENCE
)
"""What something can be that a reference has, too."""
OVERFLOW: Final = "otel.metric.overflow"
"""Marks the point of all that is beyond a limit."""
_OF_FEATURES: Final = frozenset({MlDriftTargetValues.FEATURE, MlDriftTargetValues.EXPLANATION})
_TOGETHER: Final = (
    MlDriftMethodValues.PCA_RECONSTRUCTION.value,
    MlDriftMethodValues.RANK_CORRELATION.value,
)
"""Scores of all features together, one series each, which no setting turns off."""
_FEATURE_SHARES: Final = (
    (names.METRIC_ML_FEATURE_MISSING, "missing"),
    (names.METRIC_ML_FEATURE_UNSEEN, "unseen"),
    (names.METRIC_ML_FEATURE_OUT_OF_RANGE, "out_of_range"),
    (names.METRIC_ML_FEATURE_NON_FINITE, "non_finite"),
    (names.METRIC_ML_FEATURE_TYPE_ERROR, "type_error"),
)


class Exemplar(NamedTuple):
    """One of the samples that a histogram counts: when it was, and the trace (16 bytes) and span (8 bytes) that it belongs to."""

    value: float
    time_ns: int
    trace_id: bytes
    span_id: bytes


@dataclass(frozen=True, slots=True)
class Point:
    """One number under its attributes; `start_ns` says since when a cumulative one has been counted, 0 for all others."""

    attributes: Attributes
    value: float
    start_ns: int = 0
    buckets: tuple[int, ...] | None = None
    """Of a histogram: how many lie in each bucket; `value` is then their sum."""
    exemplars: tuple[Exemplar, ...] = ()
    """Of a histogram: at most one per bucket, ascending."""


class NamedPoint(NamedTuple):
    """A point and the metric that it belongs to."""

    metric: str
    point: Point


class Target(NamedTuple):
    """What is compared with its reference; only a feature has a name."""

    target: MlDriftTargetValues
    name: str


def valid_text(text: str) -> str:
    """Return *text* as it can be written in UTF-8: lone surrogates, which no wire format can carry, become `?`."""
    return text.encode("utf-8", "replace").decode("utf-8")


def stream_attributes(stream: StreamKey) -> Attributes:
    """Return who the numbers are about; a tenant, an environment or a version that nobody named is left out."""
    said = (
        (keys.ML_TENANT_NAME, stream.tenant),
        (keys.SERVICE_NAME, stream.service),
        (keys.DEPLOYMENT_ENVIRONMENT_NAME, stream.environment),
        (keys.ML_MODEL_NAME, stream.model),
        (keys.ML_MODEL_VERSION, stream.version),
    )
    return tuple((key, valid_text(value)) for key, value in said if value)


def window_attributes(reading: Reading) -> Attributes:
    """Return the attributes of the stream and the name of the window."""
    return (*stream_attributes(reading.stream), (keys.ML_WINDOW_NAME, reading.window.name))


def window_points(reading: Reading) -> list[NamedPoint]:
    """Return what a sufficient window says as a whole; nothing without a reference."""
    if not reading.reference_id:
        return []
    where = window_attributes(reading)
    promised = (*where, (keys.ML_DRIFT_CALIBRATION_MODE, reading.mode.value))
    drifting = sum(
        target.target == MlDriftTargetValues.FEATURE and target.state == MlDriftStateValues.DRIFTING
        for target in reading.targets
    )
    return [
        *_one_of(
            names.METRIC_ML_DRIFT_CALIBRATION,
            where,
            keys.ML_DRIFT_CALIBRATION_MODE,
            reading.mode,
            MlDriftCalibrationModeValues,
        ),
        NamedPoint(names.METRIC_ML_DRIFT_FEATURES, Point(where, drifting)),
        NamedPoint(names.METRIC_ML_DRIFT_FALSE_ALARM_PROMISED, Point(promised, reading.alpha)),
        *_measured(reading, promised),
        *_run_length(reading, promised),
    ]


def _measured(reading: Reading, promised: Attributes) -> list[NamedPoint]:
    """Return what was measured in the window's mode; in mode `iid` it is a fact of the reference, told before a window closes."""
    if reading.measured is None or reading.mode is MlDriftCalibrationModeValues.IID:
        return []
    return [
        NamedPoint(names.METRIC_ML_DRIFT_FALSE_ALARM_MEASURED, Point(promised, reading.measured))
    ]


def _run_length(reading: Reading, promised: Attributes) -> list[NamedPoint]:
    if reading.run_length is None:
        return []
    return [NamedPoint(names.METRIC_ML_DRIFT_RUN_LENGTH, Point(promised, reading.run_length.mean))]


def status_points(
    where: Attributes,
    target: Target,
    state: MlDriftStateValues,
    states: Iterable[MlDriftStateValues] = COMPARED_STATES,
) -> list[NamedPoint]:
    """
    Return one point per state, 1 for *state* and 0 for the others, so that a rule can compare before it has ever fired.

    Args:
        where: Of the window, or of a segment of it.
        target: What the state is of.
        state: What it is.
        states: What it can be; of most targets all but `no_reference`, since they are there because a reference has them.
    """
    about = (*where, *_target_attributes(target))
    key = keys.ML_DRIFT_STATE
    return list(_one_of(names.METRIC_ML_DRIFT_STATUS, about, key, state, states))


def target_points(
    where: Attributes, target: TargetReading, scores: Sequence[str]
) -> list[NamedPoint]:
    """Return the scores (those of *scores* that were computed), the p-value, the evidence and, of a feature, its shares."""
    about = (*where, *_target_attributes(Target(target.target, target.name)))
    points = [NamedPoint(names.METRIC_ML_DRIFT_P_VALUE, Point(about, target.p_value))]
    if target.evidence is not None:
        evidence = Point(about, target.evidence.log)
        points.append(NamedPoint(names.METRIC_ML_DRIFT_EVIDENCE, evidence))
    for method in (*scores, *_TOGETHER):
        if method in target.scores:
            score = Point((*about, (keys.ML_DRIFT_METHOD, method)), target.scores[method])
            points.append(NamedPoint(names.METRIC_ML_DRIFT_SCORE, score))
    if target.target == MlDriftTargetValues.FEATURE:
        feature = (*where, (keys.ML_FEATURE_NAME, valid_text(target.name)))
        for metric, share in _FEATURE_SHARES:
            points.append(NamedPoint(metric, Point(feature, getattr(target, share))))
    return points


def received_points(where: Attributes, reading: Reading) -> list[NamedPoint]:
    """Return the share of the calls of a window that came, labelled where these were chosen by their outcome; nothing where it is not known."""
    if reading.received is None:
        return []
    label: Attributes = ((keys.ML_SAMPLING_BIASED, True),) if reading.is_biased else ()
    return [NamedPoint(names.METRIC_ML_INFERENCE_RECEIVED, Point(where + label, reading.received))]


def confidence_points(where: Attributes, confidence: ConfidenceReading) -> list[NamedPoint]:
    """Return means, quantiles and the share of low confidence; nothing for a window in which no row said its confidence."""
    if not confidence.rows:
        return []
    points = [
        NamedPoint(names.METRIC_ML_CONFIDENCE_MEAN, Point(where, confidence.mean)),
        NamedPoint(names.METRIC_ML_CONFIDENCE_ENTROPY, Point(where, confidence.entropy)),
        NamedPoint(names.METRIC_ML_CONFIDENCE_MARGIN, Point(where, confidence.margin)),
        NamedPoint(names.METRIC_ML_CONFIDENCE_LOW, Point(where, confidence.low)),
    ]
    for level, value in confidence.quantiles.items():
        at_level = (*where, (keys.ML_QUANTILE, float(level)))
        points.append(NamedPoint(names.METRIC_ML_CONFIDENCE_QUANTILE, Point(at_level, value)))
    return points


def class_points(where: Attributes, by_class: Mapping[str, ConfidenceReading]) -> list[NamedPoint]:
    """Return what is told of confidence, of each predicted class."""
    return [
        point
        for label, confidence in by_class.items()
        for point in confidence_points(
            (*where, (keys.ML_PREDICTION_LABEL, valid_text(label))), confidence
        )
    ]


def step_points(where: Attributes, step: float | None) -> list[NamedPoint]:
    """Return by how much the mean confidence changed when it last did; nothing where none was said."""
    if step is None:
        return []
    method = (keys.ML_DRIFT_METHOD, MlDriftMethodValues.ADWIN.value)
    about = (*where, (keys.ML_DRIFT_TARGET, MlDriftTargetValues.CONFIDENCE.value), method)
    return [NamedPoint(names.METRIC_ML_DRIFT_SCORE, Point(about, step))]


def explanation_points(where: Attributes, explanations: ExplanationReading) -> list[NamedPoint]:
    """Return how much each feature counts in the window *where*, and whether like inputs are explained alike."""
    points = [
        NamedPoint(
            names.METRIC_ML_EXPLANATION_IMPORTANCE,
            Point((*where, (keys.ML_FEATURE_NAME, valid_text(name))), importance),
        )
        for name, importance in explanations.importance.items()
    ]
    if explanations.consistency is not None:
        consistency = Point(where, explanations.consistency)
        points.append(NamedPoint(names.METRIC_ML_EXPLANATION_CONSISTENCY, consistency))
    return points


def reference_points(where: Attributes, performance: Mapping[str, float]) -> list[NamedPoint]:
    """Return how good the predictions of the reference were, of the stream *where*."""
    return _score_points(where, MlEvaluationBasisValues.REFERENCE, performance)


def estimated_points(where: Attributes, estimated: Mapping[str, float]) -> list[NamedPoint]:
    """Return how good the predictions of the window *where* are expected to be."""
    return _score_points(where, MlEvaluationBasisValues.ESTIMATED, estimated)


def performance_points(reading: PerformanceReading, cohort_end: str) -> list[NamedPoint]:
    """Return what the labels of a window say; *cohort_end* is its end in ISO 8601."""
    where = (*stream_attributes(reading.stream), (keys.ML_WINDOW_NAME, reading.window.name))
    cohort = (*where, (keys.ML_EVALUATION_COHORT_END, cohort_end))
    points = _score_points(cohort, MlEvaluationBasisValues.REALIZED, reading.realized)
    points += _score_points(cohort, MlEvaluationBasisValues.PROXY, reading.proxies)
    points.append(NamedPoint(names.METRIC_ML_FEEDBACK_COVERAGE, Point(where, reading.coverage)))
    for measure, error in reading.calibration.items():
        about = (*where, (keys.ML_CALIBRATION_MEASURE, measure))
        points.append(NamedPoint(names.METRIC_ML_CALIBRATION_ERROR, Point(about, error)))
    return points


def feedback_points(totals: FeedbackTotals, since_ns: int) -> list[NamedPoint]:
    """Return how much feedback a stream has had since *since_ns*, and how long it took."""
    where = _named(totals.stream)
    points = []
    for joined, count in totals.joined.items():
        about = (*where, (keys.ML_FEEDBACK_OUTCOME, joined.outcome.value))
        if joined.correct is not None:
            about += ((keys.ML_FEEDBACK_CORRECT, joined.correct),)
        if joined.source is not None:
            about += ((keys.ML_FEEDBACK_SOURCE, joined.source.value),)
        points.append(NamedPoint(names.METRIC_ML_FEEDBACK_JOINED, Point(about, count, since_ns)))
    if any(totals.delays):
        delays = Point(where, totals.delay_s, since_ns, totals.delays)
        points.append(NamedPoint(names.METRIC_ML_FEEDBACK_DELAY, delays))
    return points


def _named(stream: StreamKey | None) -> Attributes:
    return stream_attributes(stream) if stream is not None else ((OVERFLOW, True),)


def _score_points(
    where: Attributes, basis: MlEvaluationBasisValues, scores: Mapping[str, float]
) -> list[NamedPoint]:
    return [
        NamedPoint(
            names.METRIC_ML_EVALUATION_SCORE,
            Point(
                (*where, (keys.ML_EVALUATION_NAME, name), (keys.ML_EVALUATION_BASIS, basis.value)),
                score,
            ),
        )
        for name, score in scores.items()
    ]


def _target_attributes(target: Target) -> Attributes:
    about: Attributes = ((keys.ML_DRIFT_TARGET, target.target.value),)
    if target.target in _OF_FEATURES:
        about += ((keys.ML_FEATURE_NAME, valid_text(target.name)),)
    return about


def _one_of(
    metric: str,
    where: Attributes,
    key: str,
    holds: MlDriftStateValues | MlDriftCalibrationModeValues,
    values: Iterable[MlDriftStateValues | MlDriftCalibrationModeValues],
) -> Iterator[NamedPoint]:
    """Yield one point for each of *values*: 1 for the one that holds, 0 for the others."""
    for value in values:
        yield NamedPoint(metric, Point((*where, (key, value.value)), int(value == holds)))

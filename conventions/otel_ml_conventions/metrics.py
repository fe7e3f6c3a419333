"""
Names and definitions of the metrics of the conventions; factories for the SDK's.

Generated from conventions/model by `python -m conventions.generate write`; what is edited here
is overwritten.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from opentelemetry.metrics import Counter, Histogram, Meter


METRIC_ML_INFERENCE_DURATION: Final = "ml.inference.duration"
"""
Duration of the calls of a model.

Histogram, double, unit `s`. In Prometheus `ml_inference_duration_seconds`.
"""


METRIC_ML_INFERENCE_BATCH_SIZE: Final = "ml.inference.batch.size"
"""
Number of samples per call of a model.

Histogram, int, unit `{sample}`. In Prometheus `ml_inference_batch_size`.
"""


METRIC_ML_INFERENCE_PREDICTIONS: Final = "ml.inference.predictions"
"""
Number of samples that a model was asked about.

Counter, int, unit `{prediction}`. In Prometheus `ml_inference_predictions_total`.
"""


METRIC_ML_PREDICTION_CONFIDENCE: Final = "ml.prediction.confidence"
"""
Confidence of the predictions.

Histogram, double, unit `1`. In Prometheus `ml_prediction_confidence`.
"""


METRIC_ML_INPUT_MISSING_VALUES: Final = "ml.input.missing_values"
"""
Number of missing values in the inputs.

Counter, int, unit `{value}`. In Prometheus `ml_input_missing_values_total`.
"""


METRIC_ML_SDK_ERRORS: Final = "ml.sdk.errors"
"""
Number of failures inside the instrumentation, none of which reached the caller.

Counter, int, unit `{error}`. In Prometheus `ml_sdk_errors_total`.
"""


METRIC_ML_SDK_DROPPED: Final = "ml.sdk.dropped"
"""
Number of inferences whose details were left out because the queue was full.

Their number and duration are counted all the same.

Counter, int, unit `{record}`. In Prometheus `ml_sdk_dropped_total`.
"""


METRIC_ML_DRIFT_SCORE: Final = "ml.drift.score"
"""
Size of the drift between the window and the reference.

The scale is that of `ml.drift.method`.

Gauge, double, unit `{score}`. In Prometheus `ml_drift_score`.
"""


METRIC_ML_DRIFT_P_VALUE: Final = "ml.drift.p_value"
"""
Probability of a difference at least this large without any drift.

Gauge, double, unit `{score}`. In Prometheus `ml_drift_p_value`.
"""


METRIC_ML_DRIFT_STATUS: Final = "ml.drift.status"
"""
State of drift, 1 for the state that holds and 0 for the others.

Updowncounter, int, unit `1`. In Prometheus `ml_drift_status`.
"""


METRIC_ML_DRIFT_FEATURES: Final = "ml.drift.features"
"""
Number of features in alarm.

Gauge, int, unit `{feature}`. In Prometheus `ml_drift_features`.
"""


METRIC_ML_DRIFT_DETECTIONS: Final = "ml.drift.detections"
"""
Number of changes of state to drifting.

Counter, int, unit `{detection}`. In Prometheus `ml_drift_detections_total`.
"""


METRIC_ML_DRIFT_WINDOW_SAMPLES: Final = "ml.drift.window.samples"
"""
Number of samples in the last closed window.

Gauge, int, unit `{sample}`. In Prometheus `ml_drift_window_samples`.
"""


METRIC_ML_FEATURE_MISSING: Final = "ml.feature.missing"
"""
Share of samples in which the feature is missing.

Gauge, double, unit `1`. In Prometheus `ml_feature_missing_ratio`.
"""


METRIC_ML_FEATURE_UNSEEN: Final = "ml.feature.unseen"
"""
Share of the values present that the reference has never seen.

Gauge, double, unit `1`. In Prometheus `ml_feature_unseen_ratio`.
"""


METRIC_ML_FEATURE_OUT_OF_RANGE: Final = "ml.feature.out_of_range"
"""
Share of the finite values that lie outside the range of the reference.

Gauge, double, unit `1`. In Prometheus `ml_feature_out_of_range_ratio`.
"""


METRIC_ML_FEATURE_NON_FINITE: Final = "ml.feature.non_finite"
"""
Share of samples in which the feature is infinite.

Gauge, double, unit `1`. In Prometheus `ml_feature_non_finite_ratio`.
"""


METRIC_ML_FEATURE_TYPE_ERROR: Final = "ml.feature.type_error"
"""
Share of samples in which the feature has a type that the reference does not know.

Gauge, double, unit `1`. In Prometheus `ml_feature_type_error_ratio`.
"""


METRIC_ML_CONFIDENCE_MEAN: Final = "ml.confidence.mean"
"""
Mean confidence of the predictions in the window.

Gauge, double, unit `{score}`. In Prometheus `ml_confidence_mean`.
"""


METRIC_ML_CONFIDENCE_ENTROPY: Final = "ml.confidence.entropy"
"""
Mean normalised entropy of the predictions in the window.

Gauge, double, unit `{score}`. In Prometheus `ml_confidence_entropy`.
"""


METRIC_ML_CONFIDENCE_MARGIN: Final = "ml.confidence.margin"
"""
Mean margin of the predictions in the window.

Gauge, double, unit `{score}`. In Prometheus `ml_confidence_margin`.
"""


METRIC_ML_CONFIDENCE_QUANTILE: Final = "ml.confidence.quantile"
"""
Quantile of the confidence of the predictions in the window.

Gauge, double, unit `{score}`. In Prometheus `ml_confidence_quantile`.
"""


METRIC_ML_CONFIDENCE_LOW: Final = "ml.confidence.low"
"""
Share of predictions in the window whose confidence is low.

Low is below the 5 % quantile of the reference, or below 0.7 without a reference.

Gauge, double, unit `1`. In Prometheus `ml_confidence_low_ratio`.
"""


METRIC_ML_CONFIDENCE_VIOLATIONS: Final = "ml.confidence.violations"
"""
Number of predictions whose confidence is low.

Every prediction is counted once, whatever windows it falls into. Low is as in
`ml.confidence.low`.

Counter, int, unit `{prediction}`. In Prometheus `ml_confidence_violations_total`.
"""


METRIC_ML_PREDICTION_SAMPLES: Final = "ml.prediction.samples"
"""
Number of predictions per class.

Every prediction is counted once, whatever windows it falls into. The number of classes is
capped; the rest is counted together.

Counter, int, unit `{prediction}`. In Prometheus `ml_prediction_samples_total`.
"""


METRIC_ML_REFERENCE_AGE: Final = "ml.reference.age"
"""
Time since the reference was built.

Gauge, double, unit `s`. In Prometheus `ml_reference_age_seconds`.
"""


METRIC_ML_REFERENCE_SAMPLES: Final = "ml.reference.samples"
"""
Number of samples in the reference.

Gauge, int, unit `{sample}`. In Prometheus `ml_reference_samples`.
"""


METRIC_ML_DRIFT_CALIBRATION: Final = "ml.drift.calibration"
"""
Mode in which p-values are calibrated, 1 for the mode that holds and 0 for the others.

Updowncounter, int, unit `1`. In Prometheus `ml_drift_calibration`.
"""


METRIC_ML_DRIFT_FALSE_ALARM_PROMISED: Final = "ml.drift.false_alarm.promised"
"""
Share of windows without drift that may raise an alarm.

Gauge, double, unit `1`. In Prometheus `ml_drift_false_alarm_promised_ratio`.
"""


METRIC_ML_DRIFT_FALSE_ALARM_MEASURED: Final = "ml.drift.false_alarm.measured"
"""
Share of the reference's own windows that raise an alarm.

Measured by the self-test when the profile is loaded.

Gauge, double, unit `1`. In Prometheus `ml_drift_false_alarm_measured_ratio`.
"""


METRIC_ML_PROCESSOR_UNDECODED: Final = "ml.processor.undecoded"
"""
Number of inference spans that could not be read and were passed on untouched.

Counter, int, unit `{span}`. In Prometheus `ml_processor_undecoded_total`.
"""


METRIC_ML_PROCESSOR_LATE: Final = "ml.processor.late"
"""
Number of inference spans that came after their window had closed.

Counter, int, unit `{span}`. In Prometheus `ml_processor_late_total`.
"""


METRIC_ML_PROCESSOR_CLAMPED: Final = "ml.processor.clamped"
"""
Number of inference spans that ended in the future and were counted as ending now.

Counter, int, unit `{span}`. In Prometheus `ml_processor_clamped_total`.
"""


METRIC_ML_PROCESSOR_OVERFLOW: Final = "ml.processor.overflow"
"""
Number of samples folded into an overflow point because a limit was reached.

Counter, int, unit `{sample}`. In Prometheus `ml_processor_overflow_total`.
"""


METRIC_ML_PROCESSOR_UNANNOTATED: Final = "ml.processor.unannotated"
"""
Number of inference spans passed on without the verdict they should have carried.

Counter, int, unit `{span}`. In Prometheus `ml_processor_unannotated_total`.
"""


METRIC_ML_PROCESSOR_VERDICTS_DROPPED: Final = "ml.processor.verdicts_dropped"
"""
Number of verdict spans left out by the rate limit.

Counter, int, unit `{span}`. In Prometheus `ml_processor_verdicts_dropped_total`.
"""


METRIC_ML_PROCESSOR_REFUSED: Final = "ml.processor.refused"
"""
Number of requests that were refused.

Counter, int, unit `{request}`. In Prometheus `ml_processor_refused_total`.
"""


METRIC_ML_PROCESSOR_EXPORT_FAILED: Final = "ml.processor.export_failed"
"""
Number of failed exports of the processor's own metrics, events and spans.

Counter, int, unit `{export}`. In Prometheus `ml_processor_export_failed_total`.
"""


METRIC_ML_PROCESSOR_FAILURES: Final = "ml.processor.failures"
"""
Number of failures inside the processor, none of which stopped a trace.

The cause is the step that failed.

Counter, int, unit `{failure}`. In Prometheus `ml_processor_failures_total`.
"""


METRIC_ML_PROCESSOR_WINDOW_LAG: Final = "ml.processor.window.lag"
"""
Time by which the watermark trails the wall clock.

The largest one over all streams.

Gauge, double, unit `s`. In Prometheus `ml_processor_window_lag_seconds`.
"""


class MetricDefinition(NamedTuple):
    """What an instrument is made of; `boundaries` is empty for all but histograms."""

    name: str
    instrument: str
    unit: str
    description: str
    value_type: str
    boundaries: tuple[float, ...]


DEFINITIONS: Final[Mapping[str, MetricDefinition]] = {
    METRIC_ML_INFERENCE_DURATION: MetricDefinition(
        METRIC_ML_INFERENCE_DURATION,
        "histogram",
        "s",
        "Duration of the calls of a model.",
        "double",
        (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0),
    ),
    METRIC_ML_INFERENCE_BATCH_SIZE: MetricDefinition(
        METRIC_ML_INFERENCE_BATCH_SIZE,
        "histogram",
        "{sample}",
        "Number of samples per call of a model.",
        "int",
        (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0, 4096.0, 16384.0),
    ),
    METRIC_ML_INFERENCE_PREDICTIONS: MetricDefinition(
        METRIC_ML_INFERENCE_PREDICTIONS,
        "counter",
        "{prediction}",
        "Number of samples that a model was asked about.",
        "int",
        (),
    ),
    METRIC_ML_PREDICTION_CONFIDENCE: MetricDefinition(
        METRIC_ML_PREDICTION_CONFIDENCE,
        "histogram",
        "1",
        "Confidence of the predictions.",
        "double",
        (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 0.975, 0.99),
    ),
    METRIC_ML_INPUT_MISSING_VALUES: MetricDefinition(
        METRIC_ML_INPUT_MISSING_VALUES,
        "counter",
        "{value}",
        "Number of missing values in the inputs.",
        "int",
        (),
    ),
    METRIC_ML_SDK_ERRORS: MetricDefinition(
        METRIC_ML_SDK_ERRORS,
        "counter",
        "{error}",
        "Number of failures inside the instrumentation, none of which reached the caller.",
        "int",
        (),
    ),
    METRIC_ML_SDK_DROPPED: MetricDefinition(
        METRIC_ML_SDK_DROPPED,
        "counter",
        "{record}",
        "Number of inferences whose details were left out because the queue was full.",
        "int",
        (),
    ),
    METRIC_ML_DRIFT_SCORE: MetricDefinition(
        METRIC_ML_DRIFT_SCORE,
        "gauge",
        "{score}",
        "Size of the drift between the window and the reference.",
        "double",
        (),
    ),
    METRIC_ML_DRIFT_P_VALUE: MetricDefinition(
        METRIC_ML_DRIFT_P_VALUE,
        "gauge",
        "{score}",
        "Probability of a difference at least this large without any drift.",
        "double",
        (),
    ),
    METRIC_ML_DRIFT_STATUS: MetricDefinition(
        METRIC_ML_DRIFT_STATUS,
        "updowncounter",
        "1",
        "State of drift, 1 for the state that holds and 0 for the others.",
        "int",
        (),
    ),
    METRIC_ML_DRIFT_FEATURES: MetricDefinition(
        METRIC_ML_DRIFT_FEATURES,
        "gauge",
        "{feature}",
        "Number of features in alarm.",
        "int",
        (),
    ),
    METRIC_ML_DRIFT_DETECTIONS: MetricDefinition(
        METRIC_ML_DRIFT_DETECTIONS,
        "counter",
        "{detection}",
        "Number of changes of state to drifting.",
        "int",
        (),
    ),
    METRIC_ML_DRIFT_WINDOW_SAMPLES: MetricDefinition(
        METRIC_ML_DRIFT_WINDOW_SAMPLES,
        "gauge",
        "{sample}",
        "Number of samples in the last closed window.",
        "int",
        (),
    ),
    METRIC_ML_FEATURE_MISSING: MetricDefinition(
        METRIC_ML_FEATURE_MISSING,
        "gauge",
        "1",
        "Share of samples in which the feature is missing.",
        "double",
        (),
    ),
    METRIC_ML_FEATURE_UNSEEN: MetricDefinition(
        METRIC_ML_FEATURE_UNSEEN,
        "gauge",
        "1",
        "Share of the values present that the reference has never seen.",
        "double",
        (),
    ),
    METRIC_ML_FEATURE_OUT_OF_RANGE: MetricDefinition(
        METRIC_ML_FEATURE_OUT_OF_RANGE,
        "gauge",
        "1",
        "Share of the finite values that lie outside the range of the reference.",
        "double",
        (),
    ),
    METRIC_ML_FEATURE_NON_FINITE: MetricDefinition(
        METRIC_ML_FEATURE_NON_FINITE,
        "gauge",
        "1",
        "Share of samples in which the feature is infinite.",
        "double",
        (),
    ),
    METRIC_ML_FEATURE_TYPE_ERROR: MetricDefinition(
        METRIC_ML_FEATURE_TYPE_ERROR,
        "gauge",
        "1",
        "Share of samples in which the feature has a type that the reference does not know.",
        "double",
        (),
    ),
    METRIC_ML_CONFIDENCE_MEAN: MetricDefinition(
        METRIC_ML_CONFIDENCE_MEAN,
        "gauge",
        "{score}",
        "Mean confidence of the predictions in the window.",
        "double",
        (),
    ),
    METRIC_ML_CONFIDENCE_ENTROPY: MetricDefinition(
        METRIC_ML_CONFIDENCE_ENTROPY,
        "gauge",
        "{score}",
        "Mean normalised entropy of the predictions in the window.",
        "double",
        (),
    ),
    METRIC_ML_CONFIDENCE_MARGIN: MetricDefinition(
        METRIC_ML_CONFIDENCE_MARGIN,
        "gauge",
        "{score}",
        "Mean margin of the predictions in the window.",
        "double",
        (),
    ),
    METRIC_ML_CONFIDENCE_QUANTILE: MetricDefinition(
        METRIC_ML_CONFIDENCE_QUANTILE,
        "gauge",
        "{score}",
        "Quantile of the confidence of the predictions in the window.",
        "double",
        (),
    ),
    METRIC_ML_CONFIDENCE_LOW: MetricDefinition(
        METRIC_ML_CONFIDENCE_LOW,
        "gauge",
        "1",
        "Share of predictions in the window whose confidence is low.",
        "double",
        (),
    ),
    METRIC_ML_CONFIDENCE_VIOLATIONS: MetricDefinition(
        METRIC_ML_CONFIDENCE_VIOLATIONS,
        "counter",
        "{prediction}",
        "Number of predictions whose confidence is low.",
        "int",
        (),
    ),
    METRIC_ML_PREDICTION_SAMPLES: MetricDefinition(
        METRIC_ML_PREDICTION_SAMPLES,
        "counter",
        "{prediction}",
        "Number of predictions per class.",
        "int",
        (),
    ),
    METRIC_ML_REFERENCE_AGE: MetricDefinition(
        METRIC_ML_REFERENCE_AGE,
        "gauge",
        "s",
        "Time since the reference was built.",
        "double",
        (),
    ),
    METRIC_ML_REFERENCE_SAMPLES: MetricDefinition(
        METRIC_ML_REFERENCE_SAMPLES,
        "gauge",
        "{sample}",
        "Number of samples in the reference.",
        "int",
        (),
    ),
    METRIC_ML_DRIFT_CALIBRATION: MetricDefinition(
        METRIC_ML_DRIFT_CALIBRATION,
        "updowncounter",
        "1",
        "Mode in which p-values are calibrated, 1 for the mode that holds and 0 for the others.",
        "int",
        (),
    ),
    METRIC_ML_DRIFT_FALSE_ALARM_PROMISED: MetricDefinition(
        METRIC_ML_DRIFT_FALSE_ALARM_PROMISED,
        "gauge",
        "1",
        "Share of windows without drift that may raise an alarm.",
        "double",
        (),
    ),
    METRIC_ML_DRIFT_FALSE_ALARM_MEASURED: MetricDefinition(
        METRIC_ML_DRIFT_FALSE_ALARM_MEASURED,
        "gauge",
        "1",
        "Share of the reference's own windows that raise an alarm.",
        "double",
        (),
    ),
    METRIC_ML_PROCESSOR_UNDECODED: MetricDefinition(
        METRIC_ML_PROCESSOR_UNDECODED,
        "counter",
        "{span}",
        "Number of inference spans that could not be read and were passed on untouched.",
        "int",
        (),
    ),
    METRIC_ML_PROCESSOR_LATE: MetricDefinition(
        METRIC_ML_PROCESSOR_LATE,
        "counter",
        "{span}",
        "Number of inference spans that came after their window had closed.",
        "int",
        (),
    ),
    METRIC_ML_PROCESSOR_CLAMPED: MetricDefinition(
        METRIC_ML_PROCESSOR_CLAMPED,
        "counter",
        "{span}",
        "Number of inference spans that ended in the future and were counted as ending now.",
        "int",
        (),
    ),
    METRIC_ML_PROCESSOR_OVERFLOW: MetricDefinition(
        METRIC_ML_PROCESSOR_OVERFLOW,
        "counter",
        "{sample}",
        "Number of samples folded into an overflow point because a limit was reached.",
        "int",
        (),
    ),
    METRIC_ML_PROCESSOR_UNANNOTATED: MetricDefinition(
        METRIC_ML_PROCESSOR_UNANNOTATED,
        "counter",
        "{span}",
        "Number of inference spans passed on without the verdict they should have carried.",
        "int",
        (),
    ),
    METRIC_ML_PROCESSOR_VERDICTS_DROPPED: MetricDefinition(
        METRIC_ML_PROCESSOR_VERDICTS_DROPPED,
        "counter",
        "{span}",
        "Number of verdict spans left out by the rate limit.",
        "int",
        (),
    ),
    METRIC_ML_PROCESSOR_REFUSED: MetricDefinition(
        METRIC_ML_PROCESSOR_REFUSED,
        "counter",
        "{request}",
        "Number of requests that were refused.",
        "int",
        (),
    ),
    METRIC_ML_PROCESSOR_EXPORT_FAILED: MetricDefinition(
        METRIC_ML_PROCESSOR_EXPORT_FAILED,
        "counter",
        "{export}",
        "Number of failed exports of the processor's own metrics, events and spans.",
        "int",
        (),
    ),
    METRIC_ML_PROCESSOR_FAILURES: MetricDefinition(
        METRIC_ML_PROCESSOR_FAILURES,
        "counter",
        "{failure}",
        "Number of failures inside the processor, none of which stopped a trace.",
        "int",
        (),
    ),
    METRIC_ML_PROCESSOR_WINDOW_LAG: MetricDefinition(
        METRIC_ML_PROCESSOR_WINDOW_LAG,
        "gauge",
        "s",
        "Time by which the watermark trails the wall clock.",
        "double",
        (),
    ),
}
"""Every metric by its name."""


def _create_histogram(meter: Meter, definition: MetricDefinition) -> Histogram:
    name, _, unit, description, _, boundaries = definition
    try:
        return meter.create_histogram(
            name, unit, description, explicit_bucket_boundaries_advisory=boundaries
        )
    except TypeError:  # the oldest API we run on cannot advise buckets; its defaults then hold
        return meter.create_histogram(name, unit, description)


def create_ml_inference_duration(meter: Meter) -> Histogram:
    """Create `ml.inference.duration`."""
    return _create_histogram(meter, DEFINITIONS[METRIC_ML_INFERENCE_DURATION])


def create_ml_inference_batch_size(meter: Meter) -> Histogram:
    """Create `ml.inference.batch.size`."""
    return _create_histogram(meter, DEFINITIONS[METRIC_ML_INFERENCE_BATCH_SIZE])


def create_ml_inference_predictions(meter: Meter) -> Counter:
    """Create `ml.inference.predictions`."""
    name, _, unit, description, _, _ = DEFINITIONS[METRIC_ML_INFERENCE_PREDICTIONS]
    return meter.create_counter(name, unit, description)


def create_ml_prediction_confidence(meter: Meter) -> Histogram:
    """Create `ml.prediction.confidence`."""
    return _create_histogram(meter, DEFINITIONS[METRIC_ML_PREDICTION_CONFIDENCE])


def create_ml_input_missing_values(meter: Meter) -> Counter:
    """Create `ml.input.missing_values`."""
    name, _, unit, description, _, _ = DEFINITIONS[METRIC_ML_INPUT_MISSING_VALUES]
    return meter.create_counter(name, unit, description)


def create_ml_sdk_errors(meter: Meter) -> Counter:
    """Create `ml.sdk.errors`."""
    name, _, unit, description, _, _ = DEFINITIONS[METRIC_ML_SDK_ERRORS]
    return meter.create_counter(name, unit, description)


def create_ml_sdk_dropped(meter: Meter) -> Counter:
    """Create `ml.sdk.dropped`."""
    name, _, unit, description, _, _ = DEFINITIONS[METRIC_ML_SDK_DROPPED]
    return meter.create_counter(name, unit, description)

"""
Names and definitions of the metrics of the conventions; factories for the SDK's.

Generated from conventions/model by `python -m conventions.generate write`; what is edited here
is overwritten.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from opentelemetry.metrics import Counter, Histogram, Meter, UpDownCounter


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


METRIC_ML_DRIFT_EVIDENCE: Final = "ml.drift.evidence"
"""
Evidence that has gathered for slow drift.

The natural logarithm of an e-value that grows from window to window while a small shift
persists.

Gauge, double, unit `{score}`. In Prometheus `ml_drift_evidence`.
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


METRIC_ML_DRIFT_RUN_LENGTH: Final = "ml.drift.run_length"
"""
Number of windows between two false alarms of the evidence.

Measured on the reference's own windows in the order of time; where none of them alarms, their
number, which is then the least that it can be.

Gauge, double, unit `{window}`. In Prometheus `ml_drift_run_length`.
"""


METRIC_ML_EVALUATION_SCORE: Final = "ml.evaluation.score"
"""
How good the predictions are, on the scale of the score that is named.

Scores of training, validation and test data are told by events `ml.evaluation.result`, whose
`ml.evaluation.dataset` says which.

Gauge, double, unit `{score}`. In Prometheus `ml_evaluation_score`.
"""


METRIC_ML_CALIBRATION_TEMPERATURE: Final = "ml.calibration.temperature"
"""
Number that the log-odds of confidence are to be divided by to mean what they say.

Above 1 the model is too sure of itself. Measured with labels that came later, of the newest
cohort that has enough of them.

Gauge, double, unit `{score}`. In Prometheus `ml_calibration_temperature`.
"""


METRIC_ML_CALIBRATION_ERROR: Final = "ml.calibration.error"
"""
Distance between confidence and outcomes.

Measured with labels that came later, of the newest cohort that has enough of them.

Gauge, double, unit `{score}`. In Prometheus `ml_calibration_error`.
"""


METRIC_ML_EXPLANATION_IMPORTANCE: Final = "ml.explanation.importance"
"""
Mean absolute attribution of the feature in the window.

Of all explanations of the window, in the unit of the explained output; 0 counts where the
feature was not among those told.

Gauge, double, unit `{attribution}`. In Prometheus `ml_explanation_importance`.
"""


METRIC_ML_EXPLANATION_CONSISTENCY: Final = "ml.explanation.consistency"
"""
Share of the features that count most for an input and also count most for a near one.

Near inputs lie in the same bins of the three features that count most for the model. There is
no point where no explained input was near an earlier one.

Gauge, double, unit `1`. In Prometheus `ml_explanation_consistency_ratio`.
"""


METRIC_ML_FEEDBACK_EVENTS: Final = "ml.feedback.events"
"""
Number of times that feedback was given.

Counter, int, unit `{event}`. In Prometheus `ml_feedback_events_total`.
"""


METRIC_ML_FEEDBACK_JOINED: Final = "ml.feedback.joined"
"""
Number of times that feedback arrived, by what came of looking for its prediction.

Counter, int, unit `{event}`. In Prometheus `ml_feedback_joined_total`.
"""


METRIC_ML_FEEDBACK_COVERAGE: Final = "ml.feedback.coverage"
"""
Share of the predictions in the window that have feedback.

Gauge, double, unit `1`. In Prometheus `ml_feedback_coverage_ratio`.
"""


METRIC_ML_FEEDBACK_DELAY: Final = "ml.feedback.delay"
"""
Time from a prediction to its feedback.

Histogram, double, unit `s`. In Prometheus `ml_feedback_delay_seconds`.
"""


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


METRIC_ML_INFERENCE_RECEIVED: Final = "ml.inference.received"
"""
Share of the calls in the window that the processor received.

The smaller one of what the thresholds of samplers in the trace state (`ot=th`) tell, and the
gaps between `ml.call.sequence`: sampling, or a full queue, left out the rest. Not told where
calls say neither.

Gauge, double, unit `1`. In Prometheus `ml_inference_received_ratio`.
"""


METRIC_ML_INFERENCE_ACTIVE: Final = "ml.inference.active"
"""
Number of calls of a model that are under way.

Updowncounter, int, unit `{operation}`. In Prometheus `ml_inference_active`.
"""


METRIC_ML_INFERENCE_OLDEST_AGE: Final = "ml.inference.oldest.age"
"""
Time since the oldest call that is still under way began.

A call that hangs is in no other number. There is no point while no call is under way.

Gauge, double, unit `s`. In Prometheus `ml_inference_oldest_age_seconds`.
"""


METRIC_ML_RUNTIME_EVENT_LOOP_DELAY: Final = "ml.runtime.event_loop.delay"
"""
Time by which the event loop of the process runs late.

A model that is called in the thread of the event loop holds up every other request.

Histogram, double, unit `s`. In Prometheus `ml_runtime_event_loop_delay_seconds`.
"""


METRIC_ML_INPUT_MISSING_VALUES: Final = "ml.input.missing_values"
"""
Number of missing values in the inputs.

Counter, int, unit `{value}`. In Prometheus `ml_input_missing_values_total`.
"""


METRIC_ML_INPUT_DUPLICATES: Final = "ml.input.duplicates"
"""
Share of the inputs in the window that repeat an earlier one.

Told by `ml.input.hash`, of whole calls; there is no point where the spans do not carry it. Of
windows of more than 512 different inputs it is an estimate.

Gauge, double, unit `1`. In Prometheus `ml_input_duplicates_ratio`.
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
Share of the values present that are infinite.

Gauge, double, unit `1`. In Prometheus `ml_feature_non_finite_ratio`.
"""


METRIC_ML_FEATURE_TYPE_ERROR: Final = "ml.feature.type_error"
"""
Share of the values present whose type the reference does not know.

Gauge, double, unit `1`. In Prometheus `ml_feature_type_error_ratio`.
"""


METRIC_ML_FEATURE_STALENESS: Final = "ml.feature.staleness"
"""
Time since the stream, or one feature of it, last had a value.

How long rows have come without a value, by event time, and how long no row has come at all, by
the clock.

Gauge, double, unit `s`. In Prometheus `ml_feature_staleness_seconds`.
"""


METRIC_ML_FEATURE_SAMPLES: Final = "ml.feature.samples"
"""
Number of samples per bin of a feature.

Every sample is counted once, whatever windows it falls into, so that counts of several
processors add up.

Counter, int, unit `{sample}`. In Prometheus `ml_feature_samples_total`.
"""


METRIC_ML_FEATURE_REFERENCE: Final = "ml.feature.reference"
"""
Share of the reference that falls into the bin of a feature.

Half a sample is added to each bin, so that its logarithm is finite.

Gauge, double, unit `1`. In Prometheus `ml_feature_reference_ratio`.
"""


METRIC_ML_MODEL_LOAD_DURATION: Final = "ml.model.load.duration"
"""
Duration of loading a model.

Histogram, double, unit `s`. In Prometheus `ml_model_load_duration_seconds`.
"""


METRIC_ML_MODEL_LOADED: Final = "ml.model.loaded"
"""
Number of models in memory.

Updowncounter, int, unit `{model}`. In Prometheus `ml_model_loaded`.
"""


METRIC_ML_PREDICTION_CONFIDENCE: Final = "ml.prediction.confidence"
"""
Confidence of the predictions.

Histogram, double, unit `1`. In Prometheus `ml_prediction_confidence`.
"""


METRIC_ML_PREDICTION_SAMPLES: Final = "ml.prediction.samples"
"""
Number of predictions per class.

Every prediction is counted once, whatever windows it falls into. The number of classes is
capped; the rest is counted together.

Counter, int, unit `{prediction}`. In Prometheus `ml_prediction_samples_total`.
"""


METRIC_ML_PREDICTION_INVALID: Final = "ml.prediction.invalid"
"""
Number of predictions that break a rule for outputs.

`non_finite` is a predicted number that is NaN or infinite, `empty` a class without a name or no
answer among others of the same call, `improbable` a confidence outside [0, 1] or NaN; `range`
and `category` are counted where a reference knows the outputs. One that breaks two rules is
counted under both.

Counter, int, unit `{prediction}`. In Prometheus `ml_prediction_invalid_total`.
"""


METRIC_ML_PREDICTION_OOD: Final = "ml.prediction.ood"
"""
Number of predictions for samples that lie far off the reference.

Far off is beyond the 99.9 % quantile of the reference; such an inference has the verdict
`ml.verdict.ood`.

Counter, int, unit `{prediction}`. In Prometheus `ml_prediction_ood_total`.
"""


METRIC_ML_PREDICTION_INCONSISTENT: Final = "ml.prediction.inconsistent"
"""
Share of repeated inputs in the window that were answered differently.

Told by `ml.input.hash`; there is no point where no input repeats. An answer is all labels and
numbers of the call, numbers to six significant digits.

Gauge, double, unit `1`. In Prometheus `ml_prediction_inconsistent_ratio`.
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


METRIC_ML_CONFIDENCE_SAMPLES: Final = "ml.confidence.samples"
"""
Confidence of the predictions that the processor received.

Every prediction is counted once, whatever windows it falls into. Points SHOULD have exemplars,
which lead from a bar of the histogram to a trace.

Histogram, double, unit `1`. In Prometheus `ml_confidence_samples`.
"""


METRIC_ML_CONFIDENCE_BUDGET: Final = "ml.confidence.budget"
"""
Share of predictions that may be unconfident or invalid.

Twice the share in the reference, at least 0.1 %. Burn rates are told against it.

Gauge, double, unit `1`. In Prometheus `ml_confidence_budget_ratio`.
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


METRIC_ML_SDK_TRUNCATED: Final = "ml.sdk.truncated"
"""
Number of spans and events whose content was cut because it was too large.

Counter, int, unit `{record}`. In Prometheus `ml_sdk_truncated_total`.
"""


METRIC_ML_PROCESSOR_UNDECODED: Final = "ml.processor.undecoded"
"""
Number of inference spans that could not be read and were passed on untouched.

Counter, int, unit `{span}`. In Prometheus `ml_processor_undecoded_total`.
"""


METRIC_ML_PROCESSOR_DUPLICATES: Final = "ml.processor.duplicates"
"""
Number of inference spans that came again and were not counted again.

Counter, int, unit `{span}`. In Prometheus `ml_processor_duplicates_total`.
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


METRIC_ML_PROCESSOR_WEBHOOKS_DROPPED: Final = "ml.processor.webhooks_dropped"
"""
Number of events that the webhook could not deliver.

Because too many waited, nobody took them for a day, or the processor ended. An event that is
tried again is not among them.

Counter, int, unit `{event}`. In Prometheus `ml_processor_webhooks_dropped_total`.
"""


METRIC_ML_PROCESSOR_STRIPPED: Final = "ml.processor.stripped"
"""
Number of attributes with content that were taken off before spans were passed on.

Counter, int, unit `{attribute}`. In Prometheus `ml_processor_stripped_total`.
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


METRIC_ML_PROCESSOR_STATE: Final = "ml.processor.state"
"""
How the processor began, 1 for the way that holds and 0 for the other.

Updowncounter, int, unit `1`. In Prometheus `ml_processor_state`.
"""


METRIC_ML_PROCESSOR_SNAPSHOT_AGE: Final = "ml.processor.snapshot.age"
"""
Time since the state was last written.

There is no point before the first snapshot.

Gauge, double, unit `s`. In Prometheus `ml_processor_snapshot_age_seconds`.
"""


METRIC_ML_PROCESSOR_DEDUPE_HORIZON: Final = "ml.processor.dedupe.horizon"
"""
Time for which a span that comes again is known.

It shrinks when more spans arrive than can be remembered.

Gauge, double, unit `s`. In Prometheus `ml_processor_dedupe_horizon_seconds`.
"""


METRIC_ML_SEGMENT_DISPARITY: Final = "ml.segment.disparity"
"""
Rate of a segment divided by the rate of all other samples.

It is 1 where the segment is like the rest. There is no point where the rest has a rate of 0.

Gauge, double, unit `{score}`. In Prometheus `ml_segment_disparity`.
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


METRIC_ML_TRAINING_DURATION: Final = "ml.training.duration"
"""
Duration of training a model.

Histogram, double, unit `s`. In Prometheus `ml_training_duration_seconds`.
"""


METRIC_ML_VALIDATION_FAILURES: Final = "ml.validation.failures"
"""
Number of failures that validation found.

One per call, feature and rule, however many samples break it.

Counter, int, unit `{failure}`. In Prometheus `ml_validation_failures_total`.
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
    METRIC_ML_DRIFT_EVIDENCE: MetricDefinition(
        METRIC_ML_DRIFT_EVIDENCE,
        "gauge",
        "{score}",
        "Evidence that has gathered for slow drift.",
        "double",
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
    METRIC_ML_DRIFT_RUN_LENGTH: MetricDefinition(
        METRIC_ML_DRIFT_RUN_LENGTH,
        "gauge",
        "{window}",
        "Number of windows between two false alarms of the evidence.",
        "double",
        (),
    ),
    METRIC_ML_EVALUATION_SCORE: MetricDefinition(
        METRIC_ML_EVALUATION_SCORE,
        "gauge",
        "{score}",
        "How good the predictions are, on the scale of the score that is named.",
        "double",
        (),
    ),
    METRIC_ML_CALIBRATION_TEMPERATURE: MetricDefinition(
        METRIC_ML_CALIBRATION_TEMPERATURE,
        "gauge",
        "{score}",
        "Number that the log-odds of confidence are to be divided by to mean what they say.",
        "double",
        (),
    ),
    METRIC_ML_CALIBRATION_ERROR: MetricDefinition(
        METRIC_ML_CALIBRATION_ERROR,
        "gauge",
        "{score}",
        "Distance between confidence and outcomes.",
        "double",
        (),
    ),
    METRIC_ML_EXPLANATION_IMPORTANCE: MetricDefinition(
        METRIC_ML_EXPLANATION_IMPORTANCE,
        "gauge",
        "{attribution}",
        "Mean absolute attribution of the feature in the window.",
        "double",
        (),
    ),
    METRIC_ML_EXPLANATION_CONSISTENCY: MetricDefinition(
        METRIC_ML_EXPLANATION_CONSISTENCY,
        "gauge",
        "1",
        "Share of the features that count most for an input and also count most for a near one.",
        "double",
        (),
    ),
    METRIC_ML_FEEDBACK_EVENTS: MetricDefinition(
        METRIC_ML_FEEDBACK_EVENTS,
        "counter",
        "{event}",
        "Number of times that feedback was given.",
        "int",
        (),
    ),
    METRIC_ML_FEEDBACK_JOINED: MetricDefinition(
        METRIC_ML_FEEDBACK_JOINED,
        "counter",
        "{event}",
        "Number of times that feedback arrived, by what came of looking for its prediction.",
        "int",
        (),
    ),
    METRIC_ML_FEEDBACK_COVERAGE: MetricDefinition(
        METRIC_ML_FEEDBACK_COVERAGE,
        "gauge",
        "1",
        "Share of the predictions in the window that have feedback.",
        "double",
        (),
    ),
    METRIC_ML_FEEDBACK_DELAY: MetricDefinition(
        METRIC_ML_FEEDBACK_DELAY,
        "histogram",
        "s",
        "Time from a prediction to its feedback.",
        "double",
        (1.0, 60.0, 600.0, 3600.0, 21600.0, 86400.0, 604800.0, 2592000.0),
    ),
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
    METRIC_ML_INFERENCE_RECEIVED: MetricDefinition(
        METRIC_ML_INFERENCE_RECEIVED,
        "gauge",
        "1",
        "Share of the calls in the window that the processor received.",
        "double",
        (),
    ),
    METRIC_ML_INFERENCE_ACTIVE: MetricDefinition(
        METRIC_ML_INFERENCE_ACTIVE,
        "updowncounter",
        "{operation}",
        "Number of calls of a model that are under way.",
        "int",
        (),
    ),
    METRIC_ML_INFERENCE_OLDEST_AGE: MetricDefinition(
        METRIC_ML_INFERENCE_OLDEST_AGE,
        "gauge",
        "s",
        "Time since the oldest call that is still under way began.",
        "double",
        (),
    ),
    METRIC_ML_RUNTIME_EVENT_LOOP_DELAY: MetricDefinition(
        METRIC_ML_RUNTIME_EVENT_LOOP_DELAY,
        "histogram",
        "s",
        "Time by which the event loop of the process runs late.",
        "double",
        (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0),
    ),
    METRIC_ML_INPUT_MISSING_VALUES: MetricDefinition(
        METRIC_ML_INPUT_MISSING_VALUES,
        "counter",
        "{value}",
        "Number of missing values in the inputs.",
        "int",
        (),
    ),
    METRIC_ML_INPUT_DUPLICATES: MetricDefinition(
        METRIC_ML_INPUT_DUPLICATES,
        "gauge",
        "1",
        "Share of the inputs in the window that repeat an earlier one.",
        "double",
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
        "Share of the values present that are infinite.",
        "double",
        (),
    ),
    METRIC_ML_FEATURE_TYPE_ERROR: MetricDefinition(
        METRIC_ML_FEATURE_TYPE_ERROR,
        "gauge",
        "1",
        "Share of the values present whose type the reference does not know.",
        "double",
        (),
    ),
    METRIC_ML_FEATURE_STALENESS: MetricDefinition(
        METRIC_ML_FEATURE_STALENESS,
        "gauge",
        "s",
        "Time since the stream, or one feature of it, last had a value.",
        "double",
        (),
    ),
    METRIC_ML_FEATURE_SAMPLES: MetricDefinition(
        METRIC_ML_FEATURE_SAMPLES,
        "counter",
        "{sample}",
        "Number of samples per bin of a feature.",
        "int",
        (),
    ),
    METRIC_ML_FEATURE_REFERENCE: MetricDefinition(
        METRIC_ML_FEATURE_REFERENCE,
        "gauge",
        "1",
        "Share of the reference that falls into the bin of a feature.",
        "double",
        (),
    ),
    METRIC_ML_MODEL_LOAD_DURATION: MetricDefinition(
        METRIC_ML_MODEL_LOAD_DURATION,
        "histogram",
        "s",
        "Duration of loading a model.",
        "double",
        (0.01, 0.1, 0.5, 1.0, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0, 7200.0),
    ),
    METRIC_ML_MODEL_LOADED: MetricDefinition(
        METRIC_ML_MODEL_LOADED,
        "updowncounter",
        "{model}",
        "Number of models in memory.",
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
    METRIC_ML_PREDICTION_SAMPLES: MetricDefinition(
        METRIC_ML_PREDICTION_SAMPLES,
        "counter",
        "{prediction}",
        "Number of predictions per class.",
        "int",
        (),
    ),
    METRIC_ML_PREDICTION_INVALID: MetricDefinition(
        METRIC_ML_PREDICTION_INVALID,
        "counter",
        "{prediction}",
        "Number of predictions that break a rule for outputs.",
        "int",
        (),
    ),
    METRIC_ML_PREDICTION_OOD: MetricDefinition(
        METRIC_ML_PREDICTION_OOD,
        "counter",
        "{prediction}",
        "Number of predictions for samples that lie far off the reference.",
        "int",
        (),
    ),
    METRIC_ML_PREDICTION_INCONSISTENT: MetricDefinition(
        METRIC_ML_PREDICTION_INCONSISTENT,
        "gauge",
        "1",
        "Share of repeated inputs in the window that were answered differently.",
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
    METRIC_ML_CONFIDENCE_SAMPLES: MetricDefinition(
        METRIC_ML_CONFIDENCE_SAMPLES,
        "histogram",
        "1",
        "Confidence of the predictions that the processor received.",
        "double",
        (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 0.975, 0.99),
    ),
    METRIC_ML_CONFIDENCE_BUDGET: MetricDefinition(
        METRIC_ML_CONFIDENCE_BUDGET,
        "gauge",
        "1",
        "Share of predictions that may be unconfident or invalid.",
        "double",
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
    METRIC_ML_SDK_TRUNCATED: MetricDefinition(
        METRIC_ML_SDK_TRUNCATED,
        "counter",
        "{record}",
        "Number of spans and events whose content was cut because it was too large.",
        "int",
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
    METRIC_ML_PROCESSOR_DUPLICATES: MetricDefinition(
        METRIC_ML_PROCESSOR_DUPLICATES,
        "counter",
        "{span}",
        "Number of inference spans that came again and were not counted again.",
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
    METRIC_ML_PROCESSOR_WEBHOOKS_DROPPED: MetricDefinition(
        METRIC_ML_PROCESSOR_WEBHOOKS_DROPPED,
        "counter",
        "{event}",
        "Number of events that the webhook could not deliver.",
        "int",
        (),
    ),
    METRIC_ML_PROCESSOR_STRIPPED: MetricDefinition(
        METRIC_ML_PROCESSOR_STRIPPED,
        "counter",
        "{attribute}",
        "Number of attributes with content that were taken off before spans were passed on.",
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
    METRIC_ML_PROCESSOR_STATE: MetricDefinition(
        METRIC_ML_PROCESSOR_STATE,
        "updowncounter",
        "1",
        "How the processor began, 1 for the way that holds and 0 for the other.",
        "int",
        (),
    ),
    METRIC_ML_PROCESSOR_SNAPSHOT_AGE: MetricDefinition(
        METRIC_ML_PROCESSOR_SNAPSHOT_AGE,
        "gauge",
        "s",
        "Time since the state was last written.",
        "double",
        (),
    ),
    METRIC_ML_PROCESSOR_DEDUPE_HORIZON: MetricDefinition(
        METRIC_ML_PROCESSOR_DEDUPE_HORIZON,
        "gauge",
        "s",
        "Time for which a span that comes again is known.",
        "double",
        (),
    ),
    METRIC_ML_SEGMENT_DISPARITY: MetricDefinition(
        METRIC_ML_SEGMENT_DISPARITY,
        "gauge",
        "{score}",
        "Rate of a segment divided by the rate of all other samples.",
        "double",
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
    METRIC_ML_TRAINING_DURATION: MetricDefinition(
        METRIC_ML_TRAINING_DURATION,
        "histogram",
        "s",
        "Duration of training a model.",
        "double",
        (0.01, 0.1, 0.5, 1.0, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0, 7200.0),
    ),
    METRIC_ML_VALIDATION_FAILURES: MetricDefinition(
        METRIC_ML_VALIDATION_FAILURES,
        "counter",
        "{failure}",
        "Number of failures that validation found.",
        "int",
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


def create_ml_feedback_events(meter: Meter) -> Counter:
    """Create `ml.feedback.events`."""
    name, _, unit, description, _, _ = DEFINITIONS[METRIC_ML_FEEDBACK_EVENTS]
    return meter.create_counter(name, unit, description)


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


def create_ml_inference_active(meter: Meter) -> UpDownCounter:
    """Create `ml.inference.active`."""
    name, _, unit, description, _, _ = DEFINITIONS[METRIC_ML_INFERENCE_ACTIVE]
    return meter.create_up_down_counter(name, unit, description)


def create_ml_runtime_event_loop_delay(meter: Meter) -> Histogram:
    """Create `ml.runtime.event_loop.delay`."""
    return _create_histogram(meter, DEFINITIONS[METRIC_ML_RUNTIME_EVENT_LOOP_DELAY])


def create_ml_input_missing_values(meter: Meter) -> Counter:
    """Create `ml.input.missing_values`."""
    name, _, unit, description, _, _ = DEFINITIONS[METRIC_ML_INPUT_MISSING_VALUES]
    return meter.create_counter(name, unit, description)


def create_ml_model_load_duration(meter: Meter) -> Histogram:
    """Create `ml.model.load.duration`."""
    return _create_histogram(meter, DEFINITIONS[METRIC_ML_MODEL_LOAD_DURATION])


def create_ml_model_loaded(meter: Meter) -> UpDownCounter:
    """Create `ml.model.loaded`."""
    name, _, unit, description, _, _ = DEFINITIONS[METRIC_ML_MODEL_LOADED]
    return meter.create_up_down_counter(name, unit, description)


def create_ml_prediction_confidence(meter: Meter) -> Histogram:
    """Create `ml.prediction.confidence`."""
    return _create_histogram(meter, DEFINITIONS[METRIC_ML_PREDICTION_CONFIDENCE])


def create_ml_sdk_errors(meter: Meter) -> Counter:
    """Create `ml.sdk.errors`."""
    name, _, unit, description, _, _ = DEFINITIONS[METRIC_ML_SDK_ERRORS]
    return meter.create_counter(name, unit, description)


def create_ml_sdk_dropped(meter: Meter) -> Counter:
    """Create `ml.sdk.dropped`."""
    name, _, unit, description, _, _ = DEFINITIONS[METRIC_ML_SDK_DROPPED]
    return meter.create_counter(name, unit, description)


def create_ml_sdk_truncated(meter: Meter) -> Counter:
    """Create `ml.sdk.truncated`."""
    name, _, unit, description, _, _ = DEFINITIONS[METRIC_ML_SDK_TRUNCATED]
    return meter.create_counter(name, unit, description)


def create_ml_training_duration(meter: Meter) -> Histogram:
    """Create `ml.training.duration`."""
    return _create_histogram(meter, DEFINITIONS[METRIC_ML_TRAINING_DURATION])


def create_ml_validation_failures(meter: Meter) -> Counter:
    """Create `ml.validation.failures`."""
    name, _, unit, description, _, _ = DEFINITIONS[METRIC_ML_VALIDATION_FAILURES]
    return meter.create_counter(name, unit, description)

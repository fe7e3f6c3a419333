"""
Keys of the attributes of the conventions, and the known values of enumerations.

Generated from conventions/model by `python -m conventions.generate write`; what is edited here
is overwritten.
"""

from __future__ import annotations

from enum import Enum
from typing import Final


ML_DRIFT_TARGET: Final = "ml.drift.target"
"""
What is compared with the reference.

Required on `ml.drift.detected` and 5 metrics.

Known values: `MlDriftTargetValues`.
"""


ML_DRIFT_METHOD: Final = "ml.drift.method"
"""
Statistic that compares window and reference.

Required on `ml.drift.detected` and `ml.drift.score`.

Known values: `MlDriftMethodValues`.
"""


ML_DRIFT_TEST: Final = "ml.drift.test"
"""
Test that the p-value is of, the one of several that was the most certain.

It tells what changed, where `ml.drift.method` tells how much.

Conditionally required on `ml.drift.detected` if the p-value is that of a test of the counts of
the window.

Known values: `MlDriftTestValues`.
"""


ML_DRIFT_SCORE: Final = "ml.drift.score"
"""
Size of the drift, on the scale of `ml.drift.method`.

Required on `ml.drift.detected`.

Example: `0.31`.
"""


ML_DRIFT_P_VALUE: Final = "ml.drift.p_value"
"""
Probability of a difference at least this large without any drift.

Recommended on `ml.drift.detected`.

Example: `0.001`.
"""


ML_DRIFT_THRESHOLD: Final = "ml.drift.threshold"
"""
Value of `ml.drift.score` from which on it counts as drift.

Recommended on `ml.drift.detected`.

Example: `0.01`.
"""


ML_DRIFT_STATE: Final = "ml.drift.state"
"""
What a window says about drift.

Required on `ml.drift.detected` and `ml.drift.status`.

Known values: `MlDriftStateValues`.
"""


ML_DRIFT_KIND: Final = "ml.drift.kind"
"""
Whether serving changed or never agreed with training.

Required on `ml.drift.detected`.

Known values: `MlDriftKindValues`.
"""


ML_DRIFT_WINDOW_SIZE: Final = "ml.drift.window.size"
"""
Number of samples in the window.

Recommended on `ml.drift.detected`.

Example: `1000`.
"""


ML_DRIFT_REFERENCE_ID: Final = "ml.drift.reference.id"
"""
Identifier of the profile that the window is compared with.

Recommended on `ml.drift.detected`, `ml.reference.age` and `ml.reference.samples`.

Example: `sha256:9f2c1a7be0d4c355`.
"""


ML_DRIFT_REFERENCE_VERSION: Final = "ml.drift.reference.version"
"""
Version of the model that the reference was made of.

Conditionally required on `ml.reference.age` and `ml.reference.samples` if it is another one
than that of the stream.

Example: `2`.
"""


ML_DRIFT_REFERENCE_PROVISIONAL: Final = "ml.drift.reference.provisional"
"""
Whether rows are still being added to the reference.

Nothing raises an alarm until it is complete.

Conditionally required on `ml.reference.age` and `ml.reference.samples` if it is provisional.

Example: `true`.
"""


ML_DRIFT_FEATURES: Final = "ml.drift.features"
"""
Names of the features that drift most, the most drifted first.

Recommended on `ml.drift.detected`.

Example: `["temp", "dewp"]`.
"""


ML_DRIFT_SCORES: Final = "ml.drift.scores"
"""
Drift scores of `ml.drift.features`, in the same order.

Recommended on `ml.drift.detected`.

Example: `[0.31, 0.27]`.
"""


ML_DRIFT_P_VALUES: Final = "ml.drift.p_values"
"""
P-values of `ml.drift.features`, in the same order.

Recommended on `ml.drift.detected`.

Example: `[0.0001, 0.0004]`.
"""


ML_DRIFT_THRESHOLDS: Final = "ml.drift.thresholds"
"""
Thresholds of `ml.drift.features`, in the same order.

Recommended on `ml.drift.detected`.

Example: `[0.01, 0.01]`.
"""


ML_DRIFT_CHANGE_TIME: Final = "ml.drift.change_time"
"""
When the change most likely happened.

In ISO 8601, with the offset from UTC.

Recommended on `ml.drift.detected`.

Example: `2026-03-01T10:05:00Z`.
"""


ML_DRIFT_EXAMPLE_TRACE_IDS: Final = "ml.drift.example_trace_ids"
"""
Traces that show the drift.

At most five, each identifier in hexadecimal.

Recommended on `ml.drift.detected`.

Example: `["4bf92f3577b34da6a3ce929d0e0e4736"]`.
"""


ML_DRIFT_DESCRIPTION: Final = "ml.drift.description"
"""
The alarm in plain words.

Recommended on `ml.drift.detected`.

Example: `temp and dewp have drifted: PSI 0.31 and 0.27 in the last 900 samples`.
"""


ML_DRIFT_CALIBRATION_MODE: Final = "ml.drift.calibration.mode"
"""
How p-values are made to keep the promised rate of false alarms.

Required on 4 metrics. Recommended on `ml.drift.detected`.

Known values: `MlDriftCalibrationModeValues`.
"""


ML_VERDICT_CONFIDENCE: Final = "ml.verdict.confidence"
"""
Band that the confidence of the inference falls into.

Conditionally required on `ml.verdict` and `ml.inference` if a processor gave a verdict and the
confidence is known.

Known values: `MlVerdictConfidenceValues`.
"""


ML_VERDICT_DRIFT: Final = "ml.verdict.drift"
"""
State of the stream when the inference passed.

The `ml.drift.state` of the last closed window, the shortest one where there are several.

Conditionally required on `ml.verdict` and `ml.inference` if a processor gave a verdict and a
window of the stream has closed.

Known values: `MlVerdictDriftValues`.
"""


ML_VERDICT_OOD: Final = "ml.verdict.ood"
"""
Whether a sample of the inference lies far off the reference.

Beyond the 99.9 % quantile of the reference.

Conditionally required on `ml.verdict` and `ml.inference` if a processor gave a verdict and the
profile says how far a sample may lie off.

Example: `true`.
"""


ML_VERDICT_FLAGS: Final = "ml.verdict.flags"
"""
What is remarkable about the inference.

Each flag is one of `low_confidence`, `ood`, `invalid_output`, or one of `unseen`, `missing`,
`out_of_range` followed by a colon and the name of the feature.

Conditionally required on `ml.verdict` and `ml.inference` if a processor gave a verdict and
raised at least one flag.

Example: `["low_confidence", "unseen:carrier"]`.
"""


ML_VERDICT_REFERENCE: Final = "ml.verdict.reference"
"""
Identifier of the profile that the verdict rests on.

Conditionally required on `ml.verdict` and `ml.inference` if a processor gave a verdict that
rests on a profile.

Example: `sha256:9f2c1a7be0d4c355`.
"""


ML_ENVIRONMENT_HASH: Final = "ml.environment.hash"
"""
Fingerprint of what is installed.

64 bits in hexadecimal, of the version of Python, the platform, and the sorted names and
versions of all packages: equal where the same software runs.

Required on `ml.environment`.

Example: `5d0c81f2a64b97e3`.
"""


ML_EVALUATION_NAME: Final = "ml.evaluation.name"
"""
Name of the score.

Low cardinality. Where it is meant, one of `accuracy`, `roc_auc`, `f1`, `precision`, `recall`,
`specificity`, `log_loss`, `brier`, `mae`, `rmse`, `mape`, `r2`, `ndcg`, `map`, `mrr`,
`click_through`, `acceptance` MUST be used. With more than two classes, or none that is the
positive one, the mean over classes, each against the rest, is `macro_precision`,
`macro_recall`, `macro_f1`, `macro_roc_auc`. Other scores have names of the user's own.

Required on `ml.evaluation.result` and `ml.evaluation.score`. Conditionally required on
`ml.training.epoch` if a score was computed.

Example: `accuracy`.
"""


ML_EVALUATION_VALUE: Final = "ml.evaluation.value"
"""
Value of the score.

Required on `ml.evaluation.result`. Conditionally required on `ml.training.epoch` if a score was
computed.

Example: `0.93`.
"""


ML_EVALUATION_DATASET: Final = "ml.evaluation.dataset"
"""
Part of the data that the score is of.

Recommended on `ml.evaluation`, `ml.evaluation.result` and `ml.training.epoch`.

Known values: `MlEvaluationDatasetValues`.
"""


ML_EVALUATION_BASIS: Final = "ml.evaluation.basis"
"""
What the score rests on.

An estimate or a proxy MUST never be shown as if it were measured with labels.

Required on `ml.evaluation.score`.

Known values: `MlEvaluationBasisValues`.
"""


ML_EVALUATION_COHORT_END: Final = "ml.evaluation.cohort.end"
"""
End of the predictions whose labels the score rests on.

In ISO 8601, with the offset from UTC. Labels come late, so this is the newest cohort that has
enough of them; it changes at most once a day.

Conditionally required on `ml.evaluation.score` if the basis is `realized` or `proxy`.

Example: `2026-03-01T00:00:00Z`.
"""


ML_CALIBRATION_MEASURE: Final = "ml.calibration.measure"
"""
How the distance of confidence and outcomes is measured.

Required on `ml.calibration.error`.

Known values: `MlCalibrationMeasureValues`.
"""


ML_EXPLANATION_METHOD: Final = "ml.explanation.method"
"""
How the explanation was found.

Required on `ml.explain` and `ml.explanation`.

Known values: `MlExplanationMethodValues`.
"""


ML_EXPLANATION_ATTRIBUTIONS: Final = "ml.explanation.attributions"
"""
Contribution of each feature to the prediction, by feature name.

On spans a string that holds a JSON object, on events a map. Signed numbers, the largest ones by
absolute value; what is left out is not zero.

Required on `ml.explanation`.

Example: `{"amount":0.31,"age":-0.08}`.
"""


ML_EXPLANATION_TOP_FEATURES: Final = "ml.explanation.top_features"
"""
Names of the features that count most for the prediction, the weightiest first.

Opt-in on `ml.explain` and `ml.inference`. Recommended on `ml.explanation`.

Example: `["amount", "age"]`.
"""


ML_EXPLANATION_BASE_VALUE: Final = "ml.explanation.base_value"
"""
What the model answers when it knows nothing of the sample.

With the attributions of all features added it gives the explained output.

Recommended on `ml.explanation`.

Example: `0.12`.
"""


ML_EXPLANATION_TARGET: Final = "ml.explanation.target"
"""
Output that is explained.

A class, written like `ml.prediction.label`, or the name of an output.

Recommended on `ml.explain` and `ml.explanation`.

Example: `fraud`.
"""


ML_FEEDBACK_LABEL: Final = "ml.feedback.label"
"""
True class of the sample.

Written like `ml.prediction.label`.

Conditionally required on `ml.feedback` and `ml.feedback` if the true class is what is told.

Example: `ok`.
"""


ML_FEEDBACK_VALUE: Final = "ml.feedback.value"
"""
True number of the sample.

It may be personal data.

Opt-in on `ml.feedback` and `ml.feedback` only if the caller tells the true number.

Example: `12.1`.
"""


ML_FEEDBACK_SCORE: Final = "ml.feedback.score"
"""
How good the prediction was, as somebody rates it.

The larger the better, on a scale that the source keeps to.

Conditionally required on `ml.feedback` and `ml.feedback` if a rating is what is told.

Example: `1.0`.
"""


ML_FEEDBACK_CORRECT: Final = "ml.feedback.correct"
"""
Whether the prediction was right.

Conditionally required on `ml.feedback`, `ml.feedback` and `ml.feedback.events` if right or
wrong is what is told. Conditionally required on `ml.feedback.joined` if the prediction was
found and can be right or wrong.

Example: `false`.
"""


ML_FEEDBACK_SOURCE: Final = "ml.feedback.source"
"""
Where the feedback comes from.

Recommended on `ml.feedback`, `ml.feedback` and `ml.feedback.events`. Conditionally required on
`ml.feedback.joined` if the feedback carries it.

Known values: `MlFeedbackSourceValues`.
"""


ML_FEEDBACK_OUTCOME: Final = "ml.feedback.outcome"
"""
What came of looking for the prediction.

Required on `ml.feedback.joined`.

Known values: `MlFeedbackOutcomeValues`.
"""


ML_BATCH_SIZE: Final = "ml.batch.size"
"""
Number of samples in the call.

It is set for single samples too.

Recommended on `ml.evaluation`, `ml.explain`, `ml.inference`, `ml.pipeline.step` and
`ml.prediction.details`.

Example: `1`.
"""


ML_BATCH_CONFIDENCE_MEAN: Final = "ml.batch.confidence.mean"
"""
Mean confidence over the samples of the call.

Conditionally required on `ml.inference` if the call holds more than one sample and their
confidence is known.

Example: `0.91`.
"""


ML_BATCH_CONFIDENCE_MIN: Final = "ml.batch.confidence.min"
"""
Smallest confidence among the samples of the call.

Conditionally required on `ml.inference` if the call holds more than one sample and their
confidence is known.

Example: `0.44`.
"""


ML_CALL_SEQUENCE: Final = "ml.call.sequence"
"""
Position of the call among all calls of this model in its `ml.call.stream`.

Every call counts, sampled or not, so gaps tell a receiver how many inferences sampling or a
full queue left out.

Recommended on `ml.inference`.

Example: `1742`.
"""


ML_CALL_STREAM: Final = "ml.call.stream"
"""
Random identifier of the process that counts the calls.

64 random bits in hexadecimal, drawn once per process, and again after a fork or when more than
1024 models have been numbered.

Recommended on `ml.inference`.

Example: `9f2c1a7be0d4c355`.
"""


ML_SAMPLING_BIASED: Final = "ml.sampling.biased"
"""
Whether the calls that came were chosen by their outcome.

More of those that failed or were unsure came than of the others, as the adjusted counts
(`ot=th`) of their trace states tell. Estimates take an adjusted count into account where there
is one; tests, counts and quantiles are of what came, and thus not of what was asked.

Conditionally required on `ml.drift.detected` and `ml.inference.received` if the calls that came
were chosen by their outcome.

Example: `true`.
"""


ML_FALLBACK_REASON: Final = "ml.fallback.reason"
"""
Why something else answered in place of the model.

A default, a cached answer or a simpler model. Low cardinality, a word fixed in the code; never
a message. It MUST NOT be set where the model itself answered.

Conditionally required on `ml.inference` if something else than the model answered. Opt-in on
`ml.inference.duration` and `ml.inference.predictions`.

Example: `timeout`.
"""


ML_RETRY_COUNT: Final = "ml.retry.count"
"""
Number of times that the call was tried again.

The first try does not count. A try that failed and was made good is no error of the inference.

Conditionally required on `ml.inference` if the call was tried more than once.

Example: `1`.
"""


ML_INPUT_FEATURE_COUNT: Final = "ml.input.feature.count"
"""
Number of features of each sample.

Recommended on `ml.inference`, `ml.model.load` and `ml.training`.

Example: `30`.
"""


ML_INPUT_FEATURE_NAMES: Final = "ml.input.feature.names"
"""
Names of the features, in their order.

A column that stands for one category carries that category in its name, so names are written
only when asked for.

Opt-in on `ml.model.load`.

Example: `["age", "amount"]`.
"""


ML_INPUT_SCHEMA_HASH: Final = "ml.input.schema.hash"
"""
Hash of the names and types of the features, in their order.

64 bits in hexadecimal.

Recommended on `ml.inference`.

Example: `9f2c1a7be0d4c355`.
"""


ML_INPUT_MISSING_COUNT: Final = "ml.input.missing.count"
"""
Number of missing values in the input.

Cells that are null or NaN; left out for inputs of more than a million cells.

Recommended on `ml.inference`.

Example: `2`.
"""


ML_INPUT_SHAPE: Final = "ml.input.shape"
"""
Shape of the input array.

Recommended on `ml.inference` if the input is a tensor.

Example: `[8, 3, 224, 224]`.
"""


ML_INPUT_DTYPE: Final = "ml.input.dtype"
"""
Element type of the input array.

Recommended on `ml.inference` if the input is a tensor.

Example: `float32`.
"""


ML_INPUT_FEATURES: Final = "ml.input.features"
"""
Values of one sample by feature name.

On spans a string that holds a JSON object, on events a map. A missing value is `null`, infinite
ones are `"Infinity"` and `"-Infinity"`; a key that is absent is missing too, unless
`ml.content.truncated` is set. It may hold personal data.

Opt-in on `ml.inference` and `ml.prediction.details`.

Example: `{"age":42,"amount":19.9}`.
"""


ML_INPUT_VALUES: Final = "ml.input.values"
"""
Values of one sample without feature names, in their order.

At most 1000 values. It may hold personal data.

Opt-in on `ml.inference` and `ml.prediction.details`.

Example: `[0.1, 4.2]`.
"""


ML_INPUT_ROWS: Final = "ml.input.rows"
"""
Values of several samples, each by feature name.

On spans a string that holds a JSON array of objects, written like `ml.input.features`. Of a
batch too large to capture it is a uniform random sample, each row standing for `ml.batch.size`
divided by the rows captured. It may hold personal data.

Opt-in on `ml.inference` and `ml.prediction.details`.

Example: `[{"age":42},{"age":7}]`.
"""


ML_INPUT_HASH: Final = "ml.input.hash"
"""
Keyed hash of the input.

Algorithm, colon and 64 bits in hexadecimal: `b2` is BLAKE2b over the input as
`ml.input.features` writes it. The hash MUST be keyed, since inputs of few possible values can
be found from a plain one by trying them all; equal inputs have equal hashes only under the same
key. It may be personal data.

Opt-in on `ml.inference` and `ml.prediction.details`.

Example: `b2:41c0d7e19a3358f2`.
"""


ML_CONTENT_REFERENCE: Final = "ml.content.reference"
"""
Where the content of the inference is stored.

The address MUST NOT hold credentials. Who may read it is up to the storage.

Conditionally required on `ml.inference` and `ml.prediction.details` if the content was stored
elsewhere.

Example: `s3://inferences/2026/03/01/9f2c1a7b.json`.
"""


ML_CONTENT_TRUNCATED: Final = "ml.content.truncated"
"""
Whether captured content was cut.

Conditionally required on `ml.inference` and `ml.prediction.details` if captured content was
cut.

Example: `true`.
"""


ML_FEATURE_NAME: Final = "ml.feature.name"
"""
Name of the feature.

Conditionally required on 4 metrics if the target is a feature. Required on 8 metrics.
Conditionally required on `ml.feature.staleness` if the point is about one feature. Opt-in on
`ml.validation.failures` only for rules of a profile, and at most 256 features of a process.
Conditionally required on `ml.drift.detected` if `ml.drift.target` is `feature` or the alarm
names a single feature. Conditionally required on `ml.validation.failure` if the rule is about
one feature whose name is known.

Example: `amount`.
"""


ML_FEATURE_BIN: Final = "ml.feature.bin"
"""
Index of the bin of the feature, from 0.

What values a bin holds is said by the profile, never on the wire.

Required on `ml.feature.samples` and `ml.feature.reference`.

Example: `7`.
"""


ML_INTERNAL_NAME: Final = "ml.internal.name"
"""
What inside the model is summarised.

Low cardinality; the user's own name.

Required on `ml.internal`.

Example: `attention`.
"""


ML_INTERNAL_SUMMARY: Final = "ml.internal.summary"
"""
Summary of it, number by name.

On spans a string that holds a JSON object, on events a map. Statistics only: it SHOULD NOT hold
the tensor itself.

Required on `ml.internal`.

Example: `{"mean":0.02,"std":0.31,"sparsity":0.87}`.
"""


ML_OPERATION_NAME: Final = "ml.operation.name"
"""
What the model is asked to do.

The exact method that was called goes to `code.function.name`.

Required on `ml.evaluation`, `ml.explain`, `ml.inference`, `ml.model.load`, `ml.pipeline.step`,
`ml.training`, `ml.inference.exception`, `ml.prediction.details` and 8 metrics.

Known values: `MlOperationNameValues`.
"""


ML_MODEL_NAME: Final = "ml.model.name"
"""
Name of the model.

Low cardinality, never a representation of the object or an address. It comes from, in this
order: an explicit registration, the environment of the process, the metadata of a model
registry, the metadata of the framework, the file the model was loaded from, and the class of
the model.

Required on `ml.verdict`, `ml.evaluation`, `ml.explain`, `ml.inference`, `ml.model.load`,
`ml.training`, `ml.drift.detected`, `ml.inference.exception`, `ml.internal`,
`ml.prediction.details`, `ml.training.epoch`, `ml.validation.failure`, `ml.model` and 54
metrics. Conditionally required on `ml.feedback`, `ml.explanation` and `ml.feedback` if the
model is known where this is said. Conditionally required on `ml.pipeline.step` if the step
belongs to a model whose name is known. Conditionally required on `ml.feedback.events` if the
model is known where the feedback is given. Conditionally required on `ml.feedback.joined`
unless no prediction was found and the feedback does not name its model. Conditionally required
on `ml.evaluation.result` if the model is known where the score is told.

Example: `fraud-detector`.
"""


ML_MODEL_VERSION: Final = "ml.model.version"
"""
Version of the model.

The version in a registry, a tag, or the hash of the commit it was built from.

Conditionally required on `ml.verdict` if the inference span carries it. Conditionally required
on `ml.evaluation`, `ml.explain`, `ml.inference`, `ml.model.load`, `ml.pipeline.step`,
`ml.training`, `ml.inference.exception`, `ml.internal`, `ml.prediction.details`,
`ml.training.epoch`, `ml.validation.failure`, `ml.model` and 11 metrics if the version of the
model is known. Conditionally required on `ml.feedback`, `ml.explanation` and `ml.feedback` if
the version of the model is known where this is said. Conditionally required on
`ml.drift.detected` and 44 metrics if the spans of the stream carry it. Conditionally required
on `ml.feedback.events` if the version of the model is known where the feedback is given.
Conditionally required on `ml.evaluation.result` if the version of the model is known where the
score is told.

Example: `3`.
"""


ML_MODEL_ID: Final = "ml.model.id"
"""
Immutable identifier of the model in its registry.

Recommended on `ml.inference` and `ml.model.load`.

Example: `models:/fraud/3`.
"""


ML_MODEL_ALIAS: Final = "ml.model.alias"
"""
Movable name under which a registry served the model.

An alias or a stage. It says what was asked for, `ml.model.version` what was answered with; low
cardinality.

Opt-in on `ml.inference` and `ml.model.load`.

Example: `champion`.
"""


ML_MODEL_TYPE: Final = "ml.model.type"
"""
Class or architecture that implements the model.

Recommended on `ml.evaluation`, `ml.explain`, `ml.inference`, `ml.model.load`,
`ml.pipeline.step`, `ml.training` and `ml.model`.

Example: `sklearn.ensemble.RandomForestClassifier`.
"""


ML_MODEL_PRECISION: Final = "ml.model.precision"
"""
Numeric type of the weights, or how they are quantised.

As the framework names the type, without its own prefix.

Recommended on `ml.inference`, `ml.model.load` and `ml.model`.

Example: `float32`.
"""


ML_FRAMEWORK_NAME: Final = "ml.framework.name"
"""
Framework that runs the model.

Recommended on `ml.evaluation`, `ml.explain`, `ml.model.load`, `ml.pipeline.step`,
`ml.training`, `ml.model` and 11 metrics. Required on `ml.inference`.

Known values: `MlFrameworkNameValues`.
"""


ML_FRAMEWORK_VERSION: Final = "ml.framework.version"
"""
Version of the framework that runs the model.

Recommended on `ml.evaluation`, `ml.explain`, `ml.inference`, `ml.model.load`,
`ml.pipeline.step`, `ml.training` and `ml.model`.

Example: `1.9.1`.
"""


ML_TASK_TYPE: Final = "ml.task.type"
"""
Kind of question that the model answers.

Recommended on `ml.evaluation`, `ml.explain`, `ml.inference`, `ml.model.load`,
`ml.pipeline.step`, `ml.training` and 11 metrics.

Known values: `MlTaskTypeValues`.
"""


ML_PIPELINE_STEP_NAME: Final = "ml.pipeline.step.name"
"""
Name of the step in its pipeline.

Low cardinality; what the author of the pipeline calls the step.

Required on `ml.pipeline.step`.

Example: `scaler`.
"""


ML_PIPELINE_STEP_INDEX: Final = "ml.pipeline.step.index"
"""
Position of the step in its pipeline, from 0.

Recommended on `ml.pipeline.step` if the steps of the pipeline have an order.

Example: `0`.
"""


ML_DEVICE_NAME: Final = "ml.device.name"
"""
Device that the model runs on.

As the framework names it. The physical device is told by `hw.*`.

Recommended on `ml.inference`, `ml.model.load` and `ml.training`.

Example: `cpu`.
"""


ML_RANDOM_SEED: Final = "ml.random.seed"
"""
Seed of the random numbers that the model draws.

Opt-in on `ml.inference` and `ml.training`.

Example: `42`.
"""


ML_PREDICTION_ID: Final = "ml.prediction.id"
"""
Identifier of the prediction.

What feedback, explanations and tickets name the prediction by where trace and span are not
kept. It MUST be unique within the service and MUST NOT say anything about a person.

Conditionally required on `ml.explain` if one inference is explained and it has one.
Conditionally required on `ml.feedback`, `ml.explanation` and `ml.feedback` if the inference has
one, and always where its span context is not known. Conditionally required on `ml.inference`
and `ml.prediction.details` if the caller gave one or one was generated.

Example: `01J9ZQ4Y8N7V0T3M5K2R6W1XCE`.
"""


ML_PREDICTION_INDEX: Final = "ml.prediction.index"
"""
Position of the sample in its batch, from 0.

Conditionally required on `ml.feedback`, `ml.explanation` and `ml.feedback` if the inference
holds more than one sample.

Example: `4`.
"""


ML_PREDICTION_TIME: Final = "ml.prediction.time"
"""
When the prediction was made.

In ISO 8601, with the offset from UTC.

Opt-in on `ml.feedback` and `ml.feedback` only if the feedback repeats what was predicted, so
that nobody has to look it up.

Example: `2026-03-01T10:05:00Z`.
"""


ML_PREDICTION_LABEL: Final = "ml.prediction.label"
"""
Predicted class of the sample.

Classes are text; integral numbers have no fraction (`1`, never `1.0`).

Opt-in on `ml.feedback` and `ml.feedback` only if the feedback repeats what was predicted, so
that nobody has to look it up. Recommended on `ml.inference` and `ml.prediction.details`.
Conditionally required on `ml.prediction.samples` unless the point counts the rest, which
carries `otel.metric.overflow`. Opt-in on 5 metrics only for models of at most 50 classes.

Example: `fraud`.
"""


ML_PREDICTION_LABELS: Final = "ml.prediction.labels"
"""
Predicted classes of the samples captured from a batch.

Recommended on `ml.inference` and `ml.prediction.details`.

Example: `["fraud", "ok"]`.
"""


ML_PREDICTION_VALUE: Final = "ml.prediction.value"
"""
Number that the model predicts for the sample.

It may be personal data.

Opt-in on `ml.inference` and `ml.prediction.details`.

Example: `13.7`.
"""


ML_PREDICTION_VALUES: Final = "ml.prediction.values"
"""
Numbers that the model predicts for the samples captured from a batch.

They may be personal data.

Opt-in on `ml.inference` and `ml.prediction.details`.

Example: `[13.7, 11.2]`.
"""


ML_PREDICTION_INTERVAL_LOWER: Final = "ml.prediction.interval.lower"
"""
Lower end of the interval that the model predicts for the sample.

It may be personal data.

Opt-in on `ml.inference` and `ml.prediction.details`.

Example: `11.2`.
"""


ML_PREDICTION_INTERVAL_UPPER: Final = "ml.prediction.interval.upper"
"""
Upper end of the interval that the model predicts for the sample.

It may be personal data.

Opt-in on `ml.inference` and `ml.prediction.details`.

Example: `16.3`.
"""


ML_PREDICTION_CONFIDENCE: Final = "ml.prediction.confidence"
"""
Probability of the predicted class, between 0 and 1.

Opt-in on `ml.feedback` and `ml.feedback` only if the feedback repeats what was predicted, so
that nobody has to look it up. Recommended on `ml.inference` and `ml.prediction.details`.

Example: `0.93`.
"""


ML_PREDICTION_CONFIDENCES: Final = "ml.prediction.confidences"
"""
Probabilities of the predicted classes of the samples captured from a batch.

Recommended on `ml.inference` and `ml.prediction.details`.

Example: `[0.93, 0.61]`.
"""


ML_PREDICTION_ENTROPY: Final = "ml.prediction.entropy"
"""
Shannon entropy of the class probabilities divided by its maximum, between 0 and 1.

Recommended on `ml.inference`.

Example: `0.36`.
"""


ML_PREDICTION_MARGIN: Final = "ml.prediction.margin"
"""
Largest class probability less the second largest, between 0 and 1.

Recommended on `ml.inference`.

Example: `0.86`.
"""


ML_PREDICTION_SCORE: Final = "ml.prediction.score"
"""
Uncalibrated score of the sample.

The value of a decision function or of an anomaly score, which is no probability.

Opt-in on `ml.inference` and `ml.prediction.details`.

Example: `-1.7`.
"""


ML_PREDICTION_SCORES: Final = "ml.prediction.scores"
"""
Uncalibrated scores of the samples captured from a batch.

Opt-in on `ml.inference` and `ml.prediction.details`.

Example: `[-1.7, 0.4]`.
"""


ML_PREDICTION_THRESHOLD: Final = "ml.prediction.threshold"
"""
Score or probability from which on the model decides for the class.

Opt-in on `ml.inference`.

Example: `0.5`.
"""


ML_PREDICTION_PROBABILITIES: Final = "ml.prediction.probabilities"
"""
Probability of each class.

On spans a string that holds a JSON object, on events a map. All classes up to 32, beyond that
the 32 most probable ones; of a batch an array with one object per captured sample.

Opt-in on `ml.inference` and `ml.prediction.details`.

Example: `{"fraud":0.93,"ok":0.07}`.
"""


ML_OUTPUT_SHAPE: Final = "ml.output.shape"
"""
Shape of the output array.

Recommended on `ml.inference` if the meaning of the output is unknown.

Example: `[8, 1000]`.
"""


ML_OUTPUT_DTYPE: Final = "ml.output.dtype"
"""
Element type of the output array.

Recommended on `ml.inference` if the meaning of the output is unknown.

Example: `float32`.
"""


ML_EMBEDDING_DIMENSION: Final = "ml.embedding.dimension"
"""
Number of components of the embedding.

Recommended on `ml.inference` if the model answers with vectors of an embedding space.

Example: `384`.
"""


ML_EMBEDDING_NORM: Final = "ml.embedding.norm"
"""
Euclidean length of the embedding.

Of a batch it is the mean. Embeddings themselves are never written.

Recommended on `ml.inference` if the model answers with vectors of an embedding space.

Example: `1.0`.
"""


ML_QUANTILE: Final = "ml.quantile"
"""
Share of the distribution that lies below the value.

Required on `ml.confidence.quantile`.

Example: `0.05`.
"""


ML_SDK_ERROR_CAUSE: Final = "ml.sdk.error.cause"
"""
Part of the instrumentation that failed.

Low cardinality, a name fixed in the code; never a message.

Required on `ml.sdk.errors`.

Example: `start_span`.
"""


ML_PROCESSOR_CAUSE: Final = "ml.processor.cause"
"""
Why the processor counted it.

Low cardinality, a name fixed in the code; never a message or a value.

Required on 5 metrics.

Example: `malformed_json`.
"""


ML_PROCESSOR_STATE: Final = "ml.processor.state"
"""
How the processor began.

Required on `ml.processor.state`.

Known values: `MlProcessorStateValues`.
"""


ML_TENANT_NAME: Final = "ml.tenant.name"
"""
Tenant that the stream belongs to.

Conditionally required on `ml.drift.detected` and 44 metrics if tenants are configured.

Example: `acme`.
"""


ML_SEGMENT_NAME: Final = "ml.segment.name"
"""
Attribute or feature by which the stream is cut into segments.

Only what the operator has listed; low cardinality.

Conditionally required on `ml.drift.detected` and 11 metrics if it is said of a segment and not
of the whole stream. Required on `ml.segment.disparity`.

Example: `region`.
"""


ML_SEGMENT_VALUE: Final = "ml.segment.value"
"""
Value of `ml.segment.name` that all samples of the segment have.

The most frequent values are segments of their own, all others together are `other`.

Conditionally required on `ml.drift.detected` and 11 metrics if it is said of a segment and not
of the whole stream. Required on `ml.segment.disparity`.

Example: `emea`.
"""


ML_SEGMENT_MEASURE: Final = "ml.segment.measure"
"""
Rate by which segments are compared.

Required on `ml.segment.disparity`.

Known values: `MlSegmentMeasureValues`.
"""


ML_WINDOW_NAME: Final = "ml.window.name"
"""
Name of the window.

The length of a window of time, or `rows` for windows of a number of samples.

Required on `ml.drift.detected` and 30 metrics. Conditionally required on `ml.evaluation.score`
if the score is of a window, which it is on the bases `estimated`, `realized` and `proxy`.

Example: `1h`.
"""


ML_TRAINING_RUN_ID: Final = "ml.training.run.id"
"""
Identifier of the run that trained the model.

The tracker's name, a colon and its own identifier.

Recommended on `ml.model.load`, `ml.training`, `ml.evaluation.result` and `ml.model`.

Example: `mlflow:8f3c5b1e0a9d4c72b6e4f1a2d3c4b5a6`.
"""


ML_TRAINING_DATASET_NAME: Final = "ml.training.dataset.name"
"""
Name of the data that the model was trained on.

Recommended on `ml.training` and `ml.model`.

Example: `transactions-2026-02`.
"""


ML_TRAINING_DATASET_HASH: Final = "ml.training.dataset.hash"
"""
Hash of the data that the model was trained on.

Algorithm, colon and the hash in hexadecimal.

Opt-in on `ml.training` and `ml.model`.

Example: `sha256:5f70bf18a0860070`.
"""


ML_TRAINING_SAMPLE_COUNT: Final = "ml.training.sample.count"
"""
Number of samples that the model was trained on.

Recommended on `ml.training`.

Example: `60000`.
"""


ML_TRAINING_EPOCH_COUNT: Final = "ml.training.epoch.count"
"""
Number of times that training went through the data.

Recommended on `ml.training` if training goes through the data more than once.

Example: `10`.
"""


ML_TRAINING_EPOCH_INDEX: Final = "ml.training.epoch.index"
"""
Which time training goes through the data, from 0.

Required on `ml.training.epoch`.

Example: `3`.
"""


ML_TRAINING_PARAMETER: Final = "ml.training.parameter"
"""
Setting of the training, by its name.

The name follows the key, as in `ml.training.parameter.max_depth`; it is the framework's own.
The value is written as text.

Opt-in on `ml.training`.

Example: `8`.
"""


ML_VALIDATION_RESULT: Final = "ml.validation.result"
"""
What validation made of the call.

Only a call that is rejected ends in an error, with `error.type` set to `validation_failed`.

Conditionally required on `ml.inference` if the call was validated.

Known values: `MlValidationResultValues`.
"""


ML_VALIDATION_FAILURE_COUNT: Final = "ml.validation.failure.count"
"""
Number of failures that validation found in the call.

One per feature and rule, however many samples break it.

Conditionally required on `ml.inference` if the call was validated and at least one rule was
broken.

Example: `1`.
"""


ML_VALIDATION_RULE: Final = "ml.validation.rule"
"""
Rule that is broken.

The briefs of the values say what the rule asks for.

Required on `ml.validation.failure`, `ml.prediction.invalid` and `ml.validation.failures`.

Known values: `MlValidationRuleValues`.
"""


ML_VALIDATION_EXPECTED: Final = "ml.validation.expected"
"""
What the rule asks for.

Recommended on `ml.validation.failure`.

Example: `[0, 120]`.
"""


ARTIFACT_FILENAME: Final = "artifact.filename"
"""
Name of the file that the model was read from.

Recommended on `ml.model.load` if the model is read from a file.

Example: `fraud-detector-3.onnx`.

Copied from https://opentelemetry.io/schemas/1.44.0.
"""


ARTIFACT_HASH: Final = "artifact.hash"
"""
Hash of the file that the model was read from.

Recommended on `ml.model.load` if the model is read from a file. Recommended on `ml.model`.

Example: `9ff4c52759e2c4ac70b7d517bc7fcdc1cda631ca0045271ddd1b192544f8a3e9`.

Copied from https://opentelemetry.io/schemas/1.44.0.
"""


ARTIFACT_PURL: Final = "artifact.purl"
"""
Package URL of the model.

Recommended on `ml.model.load` if the model comes from a registry that package URLs can name.

Example: `pkg:huggingface/distilbert-base-uncased@043235d6088ecd3dd5fb5ca3592b6913fd516027`.

Copied from https://opentelemetry.io/schemas/1.44.0.
"""


CODE_FUNCTION_NAME: Final = "code.function.name"
"""
Qualified name of the function or method that was called.

Recommended on `ml.inference`, `ml.model.load`, `ml.pipeline.step` and `ml.training`.

Example: `sklearn.linear_model.LogisticRegression.predict_proba`.

Copied from https://opentelemetry.io/schemas/1.44.0.
"""


DEPLOYMENT_ENVIRONMENT_NAME: Final = "deployment.environment.name"
"""
Name of the environment that the service is deployed to.

Conditionally required on `ml.drift.detected` and 44 metrics if the spans of the stream carry
it.

Example: `production`.

Copied from https://opentelemetry.io/schemas/1.44.0.
"""


ERROR_TYPE: Final = "error.type"
"""
Class of the error with which the operation ended.

Conditionally required on `ml.evaluation`, `ml.explain`, `ml.model.load`, `ml.pipeline.step` and
`ml.training` if the operation ended in an error. Conditionally required on `ml.inference`,
`ml.inference.duration` and `ml.inference.predictions` if the call ended in an error.
Conditionally required on `ml.model.load.duration` if loading ended in an error. Conditionally
required on `ml.training.duration` if training ended in an error.

Example: `sklearn.exceptions.NotFittedError`.

Copied from https://opentelemetry.io/schemas/1.44.0.
"""


EXCEPTION_MESSAGE: Final = "exception.message"
"""
Message of the exception.

It may quote personal data.

Opt-in on `ml.inference.exception`.

Example: `could not convert string to float: 'n/a'`.

Copied from https://opentelemetry.io/schemas/1.44.0.
"""


EXCEPTION_STACKTRACE: Final = "exception.stacktrace"
"""
Stack of the exception, as the language prints it.

It may quote personal data.

Opt-in on `ml.inference.exception`.

Example: `Traceback (most recent call last):   File "service.py", line 12, in predict
ValueError`.

Copied from https://opentelemetry.io/schemas/1.44.0.
"""


EXCEPTION_TYPE: Final = "exception.type"
"""
Qualified class of the exception.

Required on `ml.inference.exception`.

Example: `sklearn.exceptions.NotFittedError`.

Copied from https://opentelemetry.io/schemas/1.44.0.
"""


SERVICE_NAME: Final = "service.name"
"""
Logical name of the service.

Required on `ml.drift.detected` and 44 metrics.

Example: `flight-delays`.

Copied from https://opentelemetry.io/schemas/1.44.0.
"""


class MlDriftTargetValues(str, Enum):
    """Known values of `ml.drift.target`."""

    FEATURE = "feature"
    """The values of one feature."""

    PREDICTION = "prediction"
    """The shares of the predicted classes, or the predicted numbers."""

    CONFIDENCE = "confidence"
    """The confidence of the predictions."""

    PERFORMANCE = "performance"
    """How good the predictions are, estimated or realised."""

    DATA_QUALITY = "data_quality"
    """The schema of the inputs, which rows had not had before."""

    MULTIVARIATE = "multivariate"
    """All features together."""

    CORRELATION = "correlation"
    """How features depend on each other."""

    EXPLANATION = "explanation"
    """What the predictions are attributed to."""

    CALIBRATION = "calibration"
    """How well confidence agrees with outcomes."""


class MlDriftMethodValues(str, Enum):
    """Known values of `ml.drift.method`."""

    PSI = "psi"
    """Population stability index."""

    KOLMOGOROV_SMIRNOV = "kolmogorov_smirnov"
    """Largest distance of two distribution functions."""

    JENSEN_SHANNON = "jensen_shannon"
    """Jensen-Shannon divergence."""

    KULLBACK_LEIBLER = "kullback_leibler"
    """Kullback-Leibler divergence."""

    WASSERSTEIN = "wasserstein"
    """Wasserstein distance of order one."""

    WASSERSTEIN_IQR = "wasserstein_iqr"
    """Wasserstein distance per interquartile range of the reference."""

    CHI_SQUARED = "chi_squared"
    """Two-sample chi-squared test over bins."""

    HYPERGEOMETRIC = "hypergeometric"
    """Exact test of two proportions."""

    HELLINGER = "hellinger"
    """Hellinger distance."""

    TOTAL_VARIATION = "total_variation"
    """Total variation distance."""

    L_INFINITY = "l_infinity"
    """Largest difference of two shares."""

    PCA_RECONSTRUCTION = "pca_reconstruction"
    """Mean error of reconstruction from principal components."""

    RANK_CORRELATION = "rank_correlation"
    """Largest change of a correlation of two features by rank."""

    ADWIN = "adwin"
    """Adaptive windowing."""

    E_CUSUM = "e_cusum"
    """Cumulative evidence for slow drift."""

    OTHER = "other"
    """A method without a value of its own."""


class MlDriftTestValues(str, Enum):
    """Known values of `ml.drift.test`."""

    CHI_SQUARED = "chi_squared"
    """Two-sample chi-squared test over bins: the shape changed."""

    RANK_LOCATION = "rank_location"
    """Rank test of location: values rose or fell."""

    RANK_SCALE = "rank_scale"
    """Rank test of scale: values spread or drew together."""

    RANK_CORRELATION = "rank_correlation"
    """Test of correlations by rank: two features depend on each other otherwise."""

    HYPERGEOMETRIC = "hypergeometric"
    """
    Exact test of two proportions: more rows are missing, unseen, or of another kind than
    before.
    """


class MlDriftStateValues(str, Enum):
    """Known values of `ml.drift.state`."""

    STEADY = "steady"
    """Compared with the reference without a sign of drift."""

    WARNING = "warning"
    """Signs of drift, short of an alarm."""

    DRIFTING = "drifting"
    """An alarm."""

    INSUFFICIENT = "insufficient"
    """Too few samples to tell."""

    NO_REFERENCE = "no_reference"
    """Nothing to compare with."""


class MlDriftKindValues(str, Enum):
    """Known values of `ml.drift.kind`."""

    DRIFT = "drift"
    """The stream has changed since it was steady."""

    SKEW = "skew"
    """The stream has differed from the reference since the first window of this version."""


class MlDriftCalibrationModeValues(str, Enum):
    """Known values of `ml.drift.calibration.mode`."""

    IID = "iid"
    """Analytic p-values, which hold for independent samples."""

    SCALED = "scaled"
    """Analytic tests divided by the variance inflation of the reference windows."""

    EMPIRICAL = "empirical"
    """P-values by rank among the windows of the reference."""


class MlVerdictConfidenceValues(str, Enum):
    """Known values of `ml.verdict.confidence`."""

    LOW = "low"
    """Below the 5 % quantile of the reference, or below 0.7 without a reference."""

    MEDIUM = "medium"
    """Below the median of the reference."""

    HIGH = "high"
    """At least the median of the reference, or at least 0.7 without a reference."""


class MlVerdictDriftValues(str, Enum):
    """Known values of `ml.verdict.drift`."""

    STEADY = "steady"
    """Compared with the reference without a sign of drift."""

    WARNING = "warning"
    """Signs of drift, short of an alarm."""

    DRIFTING = "drifting"
    """An alarm."""

    INSUFFICIENT = "insufficient"
    """Too few samples to tell."""


class MlEvaluationDatasetValues(str, Enum):
    """Known values of `ml.evaluation.dataset`."""

    TRAIN = "train"
    """The samples that the model was trained on."""

    VALIDATION = "validation"
    """Samples that choices were made by."""

    TEST = "test"
    """Samples that nothing was chosen by."""


class MlEvaluationBasisValues(str, Enum):
    """Known values of `ml.evaluation.basis`."""

    REFERENCE = "reference"
    """Measured on the reference and kept in the profile."""

    ESTIMATED = "estimated"
    """Estimated from confidence, without labels."""

    REALIZED = "realized"
    """Measured with labels that came later."""

    PROXY = "proxy"
    """Told by what people did with the predictions, which is no truth."""


class MlCalibrationMeasureValues(str, Enum):
    """Known values of `ml.calibration.measure`."""

    ECE = "ece"
    """Expected calibration error."""

    BRIER = "brier"
    """Brier score."""

    NLL = "nll"
    """Negative log-likelihood per prediction."""


class MlExplanationMethodValues(str, Enum):
    """Known values of `ml.explanation.method`."""

    SHAP_TREE = "shap_tree"
    """Shapley values of trees."""

    SHAP_KERNEL = "shap_kernel"
    """Shapley values by weighted regression."""

    SHAP_LINEAR = "shap_linear"
    """Shapley values of a linear model."""

    SHAP_DEEP = "shap_deep"
    """Shapley values of a neural network."""

    LIME = "lime"
    """A simple model fitted around the sample."""

    INTEGRATED_GRADIENTS = "integrated_gradients"
    """Gradients summed along the way from a baseline."""

    PERMUTATION = "permutation"
    """What is lost when a feature is shuffled."""

    OTHER = "other"
    """A method without a value of its own."""


class MlFeedbackSourceValues(str, Enum):
    """Known values of `ml.feedback.source`."""

    HUMAN = "human"
    """Somebody judged the prediction."""

    SYSTEM = "system"
    """Another system judged the prediction."""

    DELAYED_LABEL = "delayed_label"
    """The true answer came to be known."""

    IMPLICIT = "implicit"
    """Somebody acted on the prediction, or did not."""


class MlFeedbackOutcomeValues(str, Enum):
    """Known values of `ml.feedback.outcome`."""

    JOINED = "joined"
    """The prediction was found."""

    LATE = "late"
    """The prediction is no longer kept."""

    DUPLICATE = "duplicate"
    """The prediction had feedback already."""

    UNMATCHED = "unmatched"
    """No such prediction was ever received."""


class MlOperationNameValues(str, Enum):
    """Known values of `ml.operation.name`."""

    PREDICT = "predict"
    """The model answers for the samples it is given."""

    TRANSFORM = "transform"
    """Samples are mapped to another representation."""

    EMBED = "embed"
    """Samples are mapped to vectors of an embedding space."""

    GENERATE = "generate"
    """New content is generated."""

    PREPROCESS = "preprocess"
    """Inputs are prepared for the model."""

    POSTPROCESS = "postprocess"
    """Outputs of the model are turned into the answer."""

    EXPLAIN = "explain"
    """A prediction is attributed to its features."""

    FIT = "fit"
    """The model is trained."""

    EVALUATE = "evaluate"
    """The model is scored on labelled samples."""

    LOAD = "load"
    """The model is read from storage."""


class MlFrameworkNameValues(str, Enum):
    """Known values of `ml.framework.name`."""

    SKLEARN = "sklearn"
    """scikit-learn."""

    PYTORCH = "pytorch"
    """PyTorch."""

    TENSORFLOW = "tensorflow"
    """TensorFlow."""

    KERAS = "keras"
    """Keras."""

    XGBOOST = "xgboost"
    """XGBoost."""

    LIGHTGBM = "lightgbm"
    """LightGBM."""

    CATBOOST = "catboost"
    """CatBoost."""

    ONNXRUNTIME = "onnxruntime"
    """ONNX Runtime."""

    TRANSFORMERS = "transformers"
    """Hugging Face Transformers."""

    SENTENCE_TRANSFORMERS = "sentence_transformers"
    """Sentence Transformers."""

    MLFLOW = "mlflow"
    """MLflow."""

    JAX = "jax"
    """JAX."""

    OTHER = "other"
    """A framework without a value of its own."""


class MlTaskTypeValues(str, Enum):
    """Known values of `ml.task.type`."""

    BINARY_CLASSIFICATION = "binary_classification"
    """One of two classes."""

    MULTICLASS_CLASSIFICATION = "multiclass_classification"
    """One of several classes."""

    MULTILABEL_CLASSIFICATION = "multilabel_classification"
    """Any number of several classes."""

    REGRESSION = "regression"
    """A number."""

    RANKING = "ranking"
    """An order of candidates."""

    RECOMMENDATION = "recommendation"
    """A choice of candidates for somebody."""

    CLUSTERING = "clustering"
    """A cluster without given classes."""

    ANOMALY_DETECTION = "anomaly_detection"
    """Ordinary or not."""

    FORECASTING = "forecasting"
    """Future values of a series."""

    EMBEDDING = "embedding"
    """A vector of an embedding space."""

    OBJECT_DETECTION = "object_detection"
    """Objects and their places in an image."""

    SEGMENTATION = "segmentation"
    """A class per pixel or point."""

    GENERATION = "generation"
    """New content."""

    OTHER = "other"
    """A task without a value of its own."""


class MlProcessorStateValues(str, Enum):
    """Known values of `ml.processor.state`."""

    RESTORED = "restored"
    """Its state was read from a snapshot."""

    FRESH = "fresh"
    """There was no snapshot, or none that could be read."""


class MlSegmentMeasureValues(str, Enum):
    """Known values of `ml.segment.measure`."""

    POSITIVE_RATE = "positive_rate"
    """Share of predictions of the positive class."""

    LOW_CONFIDENCE_RATE = "low_confidence_rate"
    """Share of predictions whose confidence is low."""

    ERROR_RATE = "error_rate"
    """Share of predictions that were wrong."""


class MlValidationResultValues(str, Enum):
    """Known values of `ml.validation.result`."""

    PASS = "pass"
    """No rule was broken."""

    WARN = "warn"
    """A rule was broken and the call went on."""

    FAIL = "fail"
    """A rule was broken and the call was rejected."""


class MlValidationRuleValues(str, Enum):
    """Known values of `ml.validation.rule`."""

    SCHEMA = "schema"
    """The features are those of the profile, in their order."""

    DTYPE = "dtype"
    """A value has the type of its feature."""

    MISSING = "missing"
    """A value is there."""

    NON_FINITE = "non_finite"
    """A number is finite."""

    EMPTY = "empty"
    """There is something to judge."""

    RANGE = "range"
    """A number lies in the range of the reference."""

    CATEGORY = "category"
    """A category is known to the reference."""

    SHAPE = "shape"
    """An array has the shape that the model expects."""

    IMPROBABLE = "improbable"
    """Probabilities lie between 0 and 1 and add up to 1."""

"""
Keys of the attributes of the conventions, and the known values of enumerations.

Generated from conventions/model by `python -m conventions.generate write`; what is edited here
is overwritten.
"""

from __future__ import annotations

from enum import Enum
from typing import Final


ML_OPERATION_NAME: Final = "ml.operation.name"
"""
What the model is asked to do.

The exact method that was called goes to `code.function.name`.

Required on `ml.inference` and 5 metrics.

Known values: `MlOperationNameValues`.
"""


ML_MODEL_NAME: Final = "ml.model.name"
"""
Name of the model.

Low cardinality, never a representation of the object or an address. It comes from, in this
order: an explicit registration, the metadata of a model registry, the metadata of the
framework, the path the model was loaded from, the environment of the process, and the class of
the model.

Required on `ml.inference`, `ml.verdict`, `ml.drift.detected` and 28 metrics.

Example: `fraud-detector`.
"""


ML_MODEL_VERSION: Final = "ml.model.version"
"""
Version of the model.

The version in a registry, a tag, or the hash of the commit it was built from.

Conditionally required on `ml.inference` and 5 metrics if the version of the model is known.
Conditionally required on `ml.verdict` if the inference span carries it. Conditionally required
on `ml.drift.detected` and 23 metrics if the spans of the stream carry it.

Example: `3`.
"""


ML_MODEL_ID: Final = "ml.model.id"
"""
Immutable identifier of the model in its registry.

Recommended on `ml.inference`.

Example: `models:/fraud/3`.
"""


ML_MODEL_TYPE: Final = "ml.model.type"
"""
Class or architecture that implements the model.

Recommended on `ml.inference`.

Example: `sklearn.ensemble.RandomForestClassifier`.
"""


ML_FRAMEWORK_NAME: Final = "ml.framework.name"
"""
Framework that runs the model.

Required on `ml.inference`. Recommended on 5 metrics.

Known values: `MlFrameworkNameValues`.
"""


ML_FRAMEWORK_VERSION: Final = "ml.framework.version"
"""
Version of the framework that runs the model.

Recommended on `ml.inference`.

Example: `1.9.1`.
"""


ML_TASK_TYPE: Final = "ml.task.type"
"""
Kind of question that the model answers.

Recommended on `ml.inference` and 5 metrics.

Known values: `MlTaskTypeValues`.
"""


ML_BATCH_SIZE: Final = "ml.batch.size"
"""
Number of samples in the call.

It is set for single samples too.

Recommended on `ml.inference`.

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

64 random bits in hexadecimal, drawn once per process and drawn again after a fork.

Recommended on `ml.inference`.

Example: `9f2c1a7be0d4c355`.
"""


ML_INPUT_FEATURE_COUNT: Final = "ml.input.feature.count"
"""
Number of features of each sample.

Recommended on `ml.inference`.

Example: `30`.
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

Opt in on `ml.inference`.

Example: `{"age":42,"amount":19.9}`.
"""


ML_INPUT_VALUES: Final = "ml.input.values"
"""
Values of one sample without feature names, in their order.

At most 1000 values. It may hold personal data.

Opt in on `ml.inference`.

Example: `[0.1, 4.2]`.
"""


ML_INPUT_ROWS: Final = "ml.input.rows"
"""
Values of several samples, each by feature name.

On spans a string that holds a JSON array of objects, written like `ml.input.features`. Of a
batch too large to capture it is a uniform random sample, each row standing for `ml.batch.size`
divided by the rows captured. It may hold personal data.

Opt in on `ml.inference`.

Example: `[{"age":42},{"age":7}]`.
"""


ML_CONTENT_TRUNCATED: Final = "ml.content.truncated"
"""
Whether captured content was cut.

Conditionally required on `ml.inference` if captured content was cut.

Example: `true`.
"""


ML_PREDICTION_LABEL: Final = "ml.prediction.label"
"""
Predicted class of the sample.

Classes are text; integral numbers have no fraction (`1`, never `1.0`).

Recommended on `ml.inference`. Opt in on `ml.inference.predictions` and
`ml.prediction.confidence` only for models of at most 50 classes. Conditionally required on
`ml.prediction.samples` unless the point counts the rest, which carries `otel.metric.overflow`.

Example: `fraud`.
"""


ML_PREDICTION_LABELS: Final = "ml.prediction.labels"
"""
Predicted classes of the samples captured from a batch.

Recommended on `ml.inference`.

Example: `["fraud", "ok"]`.
"""


ML_PREDICTION_VALUE: Final = "ml.prediction.value"
"""
Number that the model predicts for the sample.

It may be personal data.

Opt in on `ml.inference`.

Example: `13.7`.
"""


ML_PREDICTION_VALUES: Final = "ml.prediction.values"
"""
Numbers that the model predicts for the samples captured from a batch.

They may be personal data.

Opt in on `ml.inference`.

Example: `[13.7, 11.2]`.
"""


ML_PREDICTION_CONFIDENCE: Final = "ml.prediction.confidence"
"""
Probability of the predicted class, between 0 and 1.

Recommended on `ml.inference`.

Example: `0.93`.
"""


ML_PREDICTION_CONFIDENCES: Final = "ml.prediction.confidences"
"""
Probabilities of the predicted classes of the samples captured from a batch.

Recommended on `ml.inference`.

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

Opt in on `ml.inference`.

Example: `-1.7`.
"""


ML_PREDICTION_SCORES: Final = "ml.prediction.scores"
"""
Uncalibrated scores of the samples captured from a batch.

Opt in on `ml.inference`.

Example: `[-1.7, 0.4]`.
"""


ML_PREDICTION_PROBABILITIES: Final = "ml.prediction.probabilities"
"""
Probability of each class.

On spans a string that holds a JSON object, on events a map. All classes up to 32, beyond that
the 32 most probable ones; of a batch an array with one object per captured sample.

Opt in on `ml.inference`.

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


ML_FEATURE_NAME: Final = "ml.feature.name"
"""
Name of the feature.

Opt in on `ml.input.missing_values`. Conditionally required on `ml.drift.score`,
`ml.drift.p_value` and `ml.drift.status` if the target is a feature. Required on 5 metrics.
Conditionally required on `ml.drift.detected` if `ml.drift.target` is `feature` or the alarm
names a single feature.

Example: `amount`.
"""


ML_DRIFT_TARGET: Final = "ml.drift.target"
"""
What is compared with the reference.

Required on `ml.drift.detected` and 4 metrics.

Known values: `MlDriftTargetValues`.
"""


ML_DRIFT_METHOD: Final = "ml.drift.method"
"""
Statistic that compares window and reference.

Required on `ml.drift.detected` and `ml.drift.score`.

Known values: `MlDriftMethodValues`.
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


ML_DRIFT_DESCRIPTION: Final = "ml.drift.description"
"""
The alarm in plain words.

Recommended on `ml.drift.detected`.

Example: `temp and dewp have drifted: PSI 0.31 and 0.27 in the last 900 samples`.
"""


ML_DRIFT_CALIBRATION_MODE: Final = "ml.drift.calibration.mode"
"""
How p-values are made to keep the promised rate of false alarms.

Required on `ml.drift.calibration`, `ml.drift.false_alarm.promised` and
`ml.drift.false_alarm.measured`. Recommended on `ml.drift.detected`.

Known values: `MlDriftCalibrationModeValues`.
"""


ML_WINDOW_NAME: Final = "ml.window.name"
"""
Name of the window.

The length of a window of time, or `rows` for windows of a number of samples.

Required on `ml.drift.detected` and 19 metrics.

Example: `1h`.
"""


ML_QUANTILE: Final = "ml.quantile"
"""
Share of the distribution that lies below the value.

Required on `ml.confidence.quantile`.

Example: `0.05`.
"""


ML_VERDICT_CONFIDENCE: Final = "ml.verdict.confidence"
"""
Band that the confidence of the inference falls into.

Conditionally required on `ml.inference` and `ml.verdict` if a processor gave a verdict and the
confidence is known.

Known values: `MlVerdictConfidenceValues`.
"""


ML_VERDICT_DRIFT: Final = "ml.verdict.drift"
"""
State of the stream when the inference passed.

The `ml.drift.state` of the last closed window, the shortest one where there are several.

Conditionally required on `ml.inference` and `ml.verdict` if a processor gave a verdict and a
window of the stream has closed.

Known values: `MlVerdictDriftValues`.
"""


ML_VERDICT_FLAGS: Final = "ml.verdict.flags"
"""
What is remarkable about the inference.

Each flag is one of `low_confidence`, `ood`, `invalid_output`, or one of `unseen`, `missing`,
`out_of_range` followed by a colon and the name of the feature.

Conditionally required on `ml.inference` and `ml.verdict` if a processor gave a verdict and
raised at least one flag.

Example: `["low_confidence", "unseen:carrier"]`.
"""


ML_VERDICT_REFERENCE: Final = "ml.verdict.reference"
"""
Identifier of the profile that the verdict rests on.

Conditionally required on `ml.inference` and `ml.verdict` if a processor gave a verdict that
rests on a profile.

Example: `sha256:9f2c1a7be0d4c355`.
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


CODE_FUNCTION_NAME: Final = "code.function.name"
"""
Qualified name of the function or method that was called.

Recommended on `ml.inference`.

Example: `sklearn.linear_model.LogisticRegression.predict_proba`.

Copied from https://opentelemetry.io/schemas/1.44.0.
"""


DEPLOYMENT_ENVIRONMENT_NAME: Final = "deployment.environment.name"
"""
Name of the environment that the service is deployed to.

Conditionally required on `ml.drift.detected` and 23 metrics if the spans of the stream carry
it.

Example: `production`.

Copied from https://opentelemetry.io/schemas/1.44.0.
"""


ERROR_TYPE: Final = "error.type"
"""
Class of the error with which the operation ended.

Conditionally required on `ml.inference`, `ml.inference.duration` and `ml.inference.predictions`
if the call ended in an error.

Example: `sklearn.exceptions.NotFittedError`.

Copied from https://opentelemetry.io/schemas/1.44.0.
"""


EXCEPTION_TYPE: Final = "exception.type"
"""
Qualified class of the exception.

Example: `sklearn.exceptions.NotFittedError`.

Copied from https://opentelemetry.io/schemas/1.44.0.
"""


SERVICE_NAME: Final = "service.name"
"""
Logical name of the service.

Required on `ml.drift.detected` and 23 metrics.

Example: `flight-delays`.

Copied from https://opentelemetry.io/schemas/1.44.0.
"""


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
    """Missing, unseen and invalid values."""

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

    RANK_LOCATION = "rank_location"
    """Rank test for a shift in location."""

    RANK_SCALE = "rank_scale"
    """Rank test for a change in scale."""

    HYPERGEOMETRIC = "hypergeometric"
    """Exact test of two proportions."""

    HELLINGER = "hellinger"
    """Hellinger distance."""

    TOTAL_VARIATION = "total_variation"
    """Total variation distance."""

    L_INFINITY = "l_infinity"
    """Largest difference of two shares."""

    PCA_RECONSTRUCTION = "pca_reconstruction"
    """Error of reconstruction from principal components."""

    ADWIN = "adwin"
    """Adaptive windowing."""

    E_CUSUM = "e_cusum"
    """Cumulative evidence for slow drift."""

    OTHER = "other"
    """A method without a value of its own."""


class MlDriftStateValues(str, Enum):
    """Known values of `ml.drift.state`."""

    STEADY = "steady"
    """No sign of drift."""

    WARNING = "warning"
    """Signs of drift, short of an alarm."""

    DRIFTING = "drifting"
    """An alarm."""

    INSUFFICIENT = "insufficient"
    """Too few samples to tell."""


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
    """No sign of drift."""

    WARNING = "warning"
    """Signs of drift, short of an alarm."""

    DRIFTING = "drifting"
    """An alarm."""

    INSUFFICIENT = "insufficient"
    """Too few samples to tell."""

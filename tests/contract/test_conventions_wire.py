"""What is on the wire, written down a second time: a change here is a change for every user."""

from __future__ import annotations

import json
from enum import Enum
from importlib.resources import files

import pytest

from otel_ml_conventions import attributes, metrics, schema, spans

REGISTRY = json.loads(files("otel_ml_conventions").joinpath("registry.json").read_text("utf-8"))

SPAN_ATTRIBUTES = {
    "required": "ml.operation.name ml.model.name ml.framework.name",
    "conditionally_required": "ml.model.version ml.batch.confidence.mean ml.batch.confidence.min"
    " error.type ml.fallback.reason ml.retry.count ml.content.reference ml.content.truncated"
    " ml.prediction.id ml.validation.result ml.validation.failure.count"
    " ml.verdict.confidence ml.verdict.drift ml.verdict.ood ml.verdict.flags ml.verdict.reference",
    "recommended": "ml.model.id ml.model.type ml.model.precision ml.framework.version ml.task.type"
    " ml.device.name ml.batch.size ml.call.sequence ml.call.stream code.function.name"
    " ml.input.feature.count ml.input.schema.hash ml.input.missing.count ml.input.shape"
    " ml.input.dtype ml.prediction.label ml.prediction.labels ml.prediction.confidence"
    " ml.prediction.confidences ml.prediction.entropy ml.prediction.margin"
    " ml.output.shape ml.output.dtype ml.embedding.dimension ml.embedding.norm",
    "opt_in": "ml.model.alias ml.random.seed"
    " ml.input.features ml.input.values ml.input.rows ml.input.hash ml.prediction.value"
    " ml.prediction.values ml.prediction.interval.lower ml.prediction.interval.upper"
    " ml.prediction.score ml.prediction.scores ml.prediction.probabilities"
    " ml.prediction.threshold ml.explanation.top_features",
}

# Wire name, instrument, unit, what Prometheus shows.
METRICS = """
ml.drift.score                   gauge         {score}      ml_drift_score
ml.drift.p_value                 gauge         {score}      ml_drift_p_value
ml.drift.status                  updowncounter 1            ml_drift_status
ml.drift.features                gauge         {feature}    ml_drift_features
ml.drift.evidence                gauge         {score}      ml_drift_evidence
ml.drift.detections              counter       {detection}  ml_drift_detections_total
ml.drift.window.samples          gauge         {sample}     ml_drift_window_samples
ml.drift.calibration             updowncounter 1            ml_drift_calibration
ml.drift.false_alarm.promised    gauge         1            ml_drift_false_alarm_promised_ratio
ml.drift.false_alarm.measured    gauge         1            ml_drift_false_alarm_measured_ratio
ml.drift.run_length              gauge         {window}     ml_drift_run_length
ml.evaluation.score              gauge         {score}      ml_evaluation_score
ml.calibration.temperature           gauge         {score}      ml_calibration_temperature
ml.calibration.error             gauge         {score}      ml_calibration_error
ml.explanation.importance            gauge         {attribution} ml_explanation_importance
ml.explanation.consistency           gauge         1            ml_explanation_consistency_ratio
ml.feedback.events               counter       {event}      ml_feedback_events_total
ml.feedback.joined               counter       {event}      ml_feedback_joined_total
ml.feedback.coverage             gauge         1            ml_feedback_coverage_ratio
ml.feedback.delay                histogram     s            ml_feedback_delay_seconds
ml.inference.duration            histogram     s            ml_inference_duration_seconds
ml.inference.batch.size          histogram     {sample}     ml_inference_batch_size
ml.inference.predictions         counter       {prediction} ml_inference_predictions_total
ml.inference.received                gauge         1            ml_inference_received_ratio
ml.inference.active              updowncounter {operation}  ml_inference_active
ml.inference.oldest.age          gauge         s            ml_inference_oldest_age_seconds
ml.runtime.event_loop.delay      histogram     s            ml_runtime_event_loop_delay_seconds
ml.input.missing_values          counter       {value}      ml_input_missing_values_total
ml.input.duplicates              gauge         1            ml_input_duplicates_ratio
ml.feature.missing               gauge         1            ml_feature_missing_ratio
ml.feature.unseen                gauge         1            ml_feature_unseen_ratio
ml.feature.out_of_range          gauge         1            ml_feature_out_of_range_ratio
ml.feature.non_finite            gauge         1            ml_feature_non_finite_ratio
ml.feature.type_error            gauge         1            ml_feature_type_error_ratio
ml.feature.staleness             gauge         s            ml_feature_staleness_seconds
ml.feature.samples               counter       {sample}     ml_feature_samples_total
ml.feature.reference             gauge         1            ml_feature_reference_ratio
ml.model.load.duration           histogram     s            ml_model_load_duration_seconds
ml.model.loaded                  updowncounter {model}      ml_model_loaded
ml.prediction.confidence         histogram     1            ml_prediction_confidence
ml.prediction.samples            counter       {prediction} ml_prediction_samples_total
ml.prediction.invalid            counter       {prediction} ml_prediction_invalid_total
ml.prediction.ood                counter       {prediction} ml_prediction_ood_total
ml.prediction.inconsistent       gauge         1            ml_prediction_inconsistent_ratio
ml.confidence.mean               gauge         {score}      ml_confidence_mean
ml.confidence.entropy            gauge         {score}      ml_confidence_entropy
ml.confidence.margin             gauge         {score}      ml_confidence_margin
ml.confidence.quantile           gauge         {score}      ml_confidence_quantile
ml.confidence.low                gauge         1            ml_confidence_low_ratio
ml.confidence.violations         counter       {prediction} ml_confidence_violations_total
ml.confidence.samples            histogram     1            ml_confidence_samples
ml.confidence.budget             gauge         1            ml_confidence_budget_ratio
ml.sdk.errors                    counter       {error}      ml_sdk_errors_total
ml.sdk.dropped                   counter       {record}     ml_sdk_dropped_total
ml.sdk.truncated                 counter       {record}     ml_sdk_truncated_total
ml.processor.undecoded           counter       {span}       ml_processor_undecoded_total
ml.processor.duplicates          counter       {span}       ml_processor_duplicates_total
ml.processor.late                counter       {span}       ml_processor_late_total
ml.processor.clamped             counter       {span}       ml_processor_clamped_total
ml.processor.overflow            counter       {sample}     ml_processor_overflow_total
ml.processor.unannotated         counter       {span}       ml_processor_unannotated_total
ml.processor.verdicts_dropped    counter       {span}       ml_processor_verdicts_dropped_total
ml.processor.webhooks_dropped    counter       {event}      ml_processor_webhooks_dropped_total
ml.processor.stripped            counter       {attribute}  ml_processor_stripped_total
ml.processor.refused             counter       {request}    ml_processor_refused_total
ml.processor.export_failed       counter       {export}     ml_processor_export_failed_total
ml.processor.failures            counter       {failure}    ml_processor_failures_total
ml.processor.window.lag          gauge         s            ml_processor_window_lag_seconds
ml.processor.state               updowncounter 1            ml_processor_state
ml.processor.snapshot.age        gauge         s            ml_processor_snapshot_age_seconds
ml.processor.dedupe.horizon      gauge         s            ml_processor_dedupe_horizon_seconds
ml.segment.disparity             gauge         {score}      ml_segment_disparity
ml.reference.age                 gauge         s            ml_reference_age_seconds
ml.reference.samples             gauge         {sample}     ml_reference_samples
ml.training.duration             histogram     s            ml_training_duration_seconds
ml.validation.failures           counter       {failure}    ml_validation_failures_total
"""

BUCKETS = {
    "ml.inference.duration": "0.0001 0.00025 0.0005 0.001 0.0025 0.005 0.01 0.025 0.05 0.1 0.25"
    " 0.5 1 2.5 5 10",
    "ml.inference.batch.size": "1 2 4 8 16 32 64 128 256 512 1024 4096 16384",
    "ml.runtime.event_loop.delay": "0.0001 0.00025 0.0005 0.001 0.0025 0.005 0.01 0.025 0.05 0.1"
    " 0.25 0.5 1 2.5 5 10",
    "ml.model.load.duration": "0.01 0.1 0.5 1 5 10 30 60 300 1800 7200",
    "ml.training.duration": "0.01 0.1 0.5 1 5 10 30 60 300 1800 7200",
    "ml.prediction.confidence": "0.1 0.2 0.3 0.4 0.5 0.6 0.7 0.8 0.85 0.9 0.95 0.975 0.99",
    "ml.confidence.samples": "0.1 0.2 0.3 0.4 0.5 0.6 0.7 0.8 0.85 0.9 0.95 0.975 0.99",
    "ml.feedback.delay": "1 60 600 3600 21600 86400 604800 2592000",
}

VALUES: dict[type[Enum], str] = {
    attributes.MlOperationNameValues: "predict transform embed generate preprocess postprocess"
    " explain fit evaluate load",
    attributes.MlFrameworkNameValues: "sklearn pytorch tensorflow keras xgboost lightgbm catboost"
    " onnxruntime transformers sentence_transformers mlflow jax other",
    attributes.MlTaskTypeValues: "binary_classification multiclass_classification"
    " multilabel_classification regression ranking recommendation clustering anomaly_detection"
    " forecasting embedding object_detection segmentation generation other",
    attributes.MlDriftTargetValues: "feature prediction confidence performance data_quality"
    " multivariate correlation explanation calibration",
    attributes.MlDriftMethodValues: "psi kolmogorov_smirnov jensen_shannon kullback_leibler"
    " wasserstein wasserstein_iqr chi_squared hypergeometric hellinger"
    " total_variation l_infinity pca_reconstruction rank_correlation adwin e_cusum other",
    attributes.MlDriftTestValues: "chi_squared rank_location rank_scale rank_correlation"
    " hypergeometric",
    attributes.MlDriftStateValues: "steady warning drifting insufficient no_reference",
    attributes.MlVerdictDriftValues: "steady warning drifting insufficient",
    attributes.MlDriftKindValues: "drift skew",
    attributes.MlDriftCalibrationModeValues: "iid scaled empirical",
    attributes.MlVerdictConfidenceValues: "low medium high",
    attributes.MlSegmentMeasureValues: "positive_rate low_confidence_rate error_rate",
    attributes.MlValidationResultValues: "pass warn fail",
    attributes.MlValidationRuleValues: "schema dtype missing non_finite empty range category shape"
    " improbable",
    attributes.MlFeedbackSourceValues: "human system delayed_label implicit",
    attributes.MlFeedbackOutcomeValues: "joined late duplicate unmatched",
    attributes.MlExplanationMethodValues: "shap_tree shap_kernel shap_linear shap_deep lime"
    " integrated_gradients permutation other",
    attributes.MlEvaluationDatasetValues: "train validation test",
    attributes.MlEvaluationBasisValues: "reference estimated realized proxy",
    attributes.MlCalibrationMeasureValues: "ece brier nll",
    attributes.MlProcessorStateValues: "restored fresh",
}

WITHOUT_WINDOW = {
    "ml.confidence.budget",
    "ml.confidence.samples",
    "ml.confidence.violations",
    "ml.feature.reference",
    "ml.feature.samples",
    "ml.feature.staleness",
    "ml.feedback.delay",
    "ml.feedback.joined",
    "ml.prediction.invalid",
    "ml.prediction.ood",
    "ml.prediction.samples",
    "ml.reference.age",
    "ml.reference.samples",
}
# A score may be of a window, of the reference, or reported from training.
SOMETIMES_OF_A_WINDOW = {"ml.evaluation.score"}
# Feedback that matches no prediction may be of a model that nobody knows.
SOMETIMES_OF_A_MODEL = {"ml.feedback.joined"}

SIGNALS = {
    "spans": "ml.evaluation ml.explain ml.feedback ml.inference ml.model.load ml.pipeline.step"
    " ml.training ml.verdict",
    "events": "ml.drift.detected ml.evaluation.result ml.explanation ml.feedback"
    " ml.inference.exception ml.internal ml.prediction.details ml.training.epoch"
    " ml.validation.failure",
    "entities": "ml.environment ml.model",
}
SPAN_NAMES = {
    "ml.evaluation": "evaluate {ml.model.name}",
    "ml.explain": "explain {ml.model.name}",
    "ml.feedback": "feedback {ml.model.name}",
    "ml.inference": "{ml.operation.name} {ml.model.name}",
    "ml.model.load": "load {ml.model.name}",
    "ml.pipeline.step": "{ml.operation.name} {ml.pipeline.step.name}",
    "ml.training": "fit {ml.model.name}",
    "ml.verdict": "verdict {ml.model.name}",
}
SEVERITIES = {
    "ml.drift.detected": "WARN",
    "ml.evaluation.result": "INFO",
    "ml.explanation": "INFO",
    "ml.feedback": "INFO",
    "ml.inference.exception": "WARN",
    "ml.internal": "DEBUG",
    "ml.prediction.details": "DEBUG",
    "ml.training.epoch": "DEBUG",
    "ml.validation.failure": "WARN",
}
# Off unless asked for: they are verbose, costly, or of use to few.
OPT_IN = {
    "ml.pipeline.step",
    "ml.training",
    "ml.feedback",
    "ml.prediction.details",
    "ml.training.epoch",
    "ml.internal",
    "ml.runtime.event_loop.delay",
    "ml.feature.samples",
    "ml.feature.reference",
    "ml.training.duration",
}
REQUIRED = {
    "ml.drift.detected": "service.name ml.model.name ml.window.name ml.drift.target"
    " ml.drift.method ml.drift.score ml.drift.state ml.drift.kind",
    "ml.evaluation.result": "ml.evaluation.name ml.evaluation.value",
    "ml.explanation": "ml.explanation.method ml.explanation.attributions",
    "ml.feedback": "",
    "ml.inference.exception": "ml.operation.name ml.model.name exception.type",
    "ml.internal": "ml.model.name ml.internal.name ml.internal.summary",
    "ml.prediction.details": "ml.operation.name ml.model.name",
    "ml.training.epoch": "ml.model.name ml.training.epoch.index",
    "ml.validation.failure": "ml.model.name ml.validation.rule",
}


def _asked(name: str, kind: str = "metrics") -> dict[str, str]:
    asked = REGISTRY[kind][name]["attributes"]
    return {key: reference["requirement_level"] for key, reference in asked.items()}


def test_the_inference_span_carries_these_attributes() -> None:
    """Every attribute of `ml.inference`, by how strongly it is asked for."""
    asked = _asked(spans.SPAN_ML_INFERENCE, "spans")

    assert asked == {key: level for level, keys in SPAN_ATTRIBUTES.items() for key in keys.split()}


def test_a_sampler_sees_these_attributes() -> None:
    """What a sampler may decide by is there when the span starts."""
    asked = REGISTRY["spans"]["ml.inference"]["attributes"]

    assert {key for key, reference in asked.items() if reference.get("sampling_relevant")} == {
        "ml.operation.name",
        "ml.model.name",
        "ml.model.version",
        "ml.framework.name",
        "ml.task.type",
        "ml.batch.size",
    }


def test_a_verdict_span_carries_the_model_and_the_verdict() -> None:
    """A search by verdict or by model finds the trace by its verdict span alone."""
    assert set(_asked(spans.SPAN_ML_VERDICT, "spans")) == {
        "ml.model.name",
        "ml.model.version",
        "ml.verdict.confidence",
        "ml.verdict.drift",
        "ml.verdict.ood",
        "ml.verdict.flags",
        "ml.verdict.reference",
    }


@pytest.mark.parametrize("kind", SIGNALS)
def test_these_are_the_signals(kind: str) -> None:
    """Nothing is added and nothing vanishes unseen."""
    assert sorted(REGISTRY[kind]) == SIGNALS[kind].split()


def test_spans_have_these_names() -> None:
    """People search for spans by name; all of them are made inside the process."""
    assert {name: item["name"] for name, item in REGISTRY["spans"].items()} == SPAN_NAMES
    assert {item["kind"] for item in REGISTRY["spans"].values()} == {"internal"}


def test_events_have_these_severities() -> None:
    """A filter for warnings finds what somebody should look at, and nothing else."""
    found = {name: item["severity"] for name, item in REGISTRY["events"].items()}

    assert found == SEVERITIES


@pytest.mark.parametrize("event", REQUIRED)
def test_events_always_say_this(event: str) -> None:
    """A reader of an event can rely on these attributes."""
    asked = _asked(event, "events")

    assert sorted(key for key, level in asked.items() if level == "required") == sorted(
        REQUIRED[event].split()
    )


def test_these_signals_are_off_unless_asked_for() -> None:
    """By default nobody pays for details; `ml.feedback` is on as an event and off as a span."""
    found = {
        name
        for kind in ("spans", "events", "metrics")
        for name, item in REGISTRY[kind].items()
        if item["requirement_level"] == "opt_in"
    }

    assert found == OPT_IN
    assert REGISTRY["events"]["ml.feedback"]["requirement_level"] == "recommended"


def test_an_entity_is_identified_and_described_by_these_attributes() -> None:
    """What a resource says of the one model of a process, and of what is installed."""
    assert set(_asked("ml.environment", "entities")) == {"ml.environment.hash"}
    assert set(_asked("ml.model", "entities")) == {
        "ml.model.name",
        "ml.model.version",
        "ml.model.type",
        "ml.model.precision",
        "ml.framework.name",
        "ml.framework.version",
        "ml.training.run.id",
        "ml.training.dataset.name",
        "ml.training.dataset.hash",
        "artifact.hash",
    }


def test_metrics_have_these_names_instruments_and_units() -> None:
    """Dashboards and alert rules are written against these, in OTLP and in Prometheus."""
    expected = [tuple(line.split()) for line in METRICS.strip().splitlines()]

    assert [
        (name, item["instrument"], item["unit"], item["prometheus_name"])
        for name, item in REGISTRY["metrics"].items()
    ] == expected


def test_histograms_have_these_buckets() -> None:
    """Two histograms can only be added if their buckets are the same."""
    found = {name: item.boundaries for name, item in metrics.DEFINITIONS.items() if item.boundaries}

    assert found == {name: tuple(map(float, edges.split())) for name, edges in BUCKETS.items()}


@pytest.mark.parametrize("values", VALUES, ids=lambda values: values.__name__)
def test_enumerations_have_these_values(values: type[Enum]) -> None:
    """The known values of an attribute, each usable as the attribute's value."""
    assert [value.value for value in values] == VALUES[values].split()
    assert all(isinstance(value, str) for value in values)


def test_every_enumeration_is_written_down_here() -> None:
    """No enumeration changes unseen."""
    generated = {item for item in vars(attributes).values() if _is_enumeration(item)}

    assert generated == set(VALUES)


def _is_enumeration(item: object) -> bool:
    return isinstance(item, type) and issubclass(item, Enum) and item is not Enum


def test_a_framework_can_be_the_root_of_attribute_names() -> None:
    """`onnxruntime.…` must be a legal key, so a framework has no hyphen in its value."""
    assert [value for value in attributes.MlFrameworkNameValues if "-" in value.value] == []


@pytest.mark.parametrize(
    "metric",
    [
        name
        for name, item in REGISTRY["metrics"].items()
        if item["emitted_by"] == "processor" and not name.startswith("ml.processor.")
    ],
)
def test_a_metric_of_the_processor_says_whose_it_is(metric: str) -> None:
    """Service, environment, model and version on every one, and the window on what a window says."""
    asked = _asked(metric)

    assert asked["service.name"] == "required"
    assert asked["ml.model.name"] == _level(metric, SOMETIMES_OF_A_MODEL)
    assert [asked.get(key) for key in ("deployment.environment.name", "ml.model.version")] == [
        "conditionally_required"
    ] * 2
    assert asked.get("ml.window.name") == (
        None if metric in WITHOUT_WINDOW else _level(metric, SOMETIMES_OF_A_WINDOW)
    )


def _level(metric: str, sometimes: set[str]) -> str:
    return "conditionally_required" if metric in sometimes else "required"


def test_a_gauge_is_a_ratio_in_prometheus_only_if_it_is_a_share() -> None:
    """The unit 1 of a gauge means `_ratio`; scores, counts and times have another unit."""
    gauges = {
        name: item for name, item in REGISTRY["metrics"].items() if item["instrument"] == "gauge"
    }

    shares = {name for name, item in gauges.items() if item["brief"].startswith("Share of ")}
    assert shares == {name for name, item in gauges.items() if item["unit"] == "1"}
    assert shares == {
        name for name, item in gauges.items() if item["prometheus_name"].endswith("_ratio")
    }


def test_content_can_be_told_from_facts() -> None:
    """What holds feature values is marked, so that it can be cut, stripped or kept off."""
    marked = {
        key: item.get("annotations", {})
        for key, item in REGISTRY["attributes"].items()
        if item.get("annotations", {}).get("sensitivity") == "PII"
    }

    assert set(marked) == {
        "ml.feedback.value",
        "ml.input.features",
        "ml.input.hash",
        "ml.input.values",
        "ml.input.rows",
        "ml.prediction.interval.lower",
        "ml.prediction.interval.upper",
        "ml.prediction.value",
        "ml.prediction.values",
        "exception.message",
        "exception.stacktrace",
    }
    assert {key for key, item in marked.items() if item.get("value_size") == "large"} == {
        "ml.input.features",
        "ml.input.values",
        "ml.input.rows",
        "exception.message",
        "exception.stacktrace",
    }


def test_upstream_names_come_from_a_stated_version() -> None:
    """What is not ours says which release of OpenTelemetry's conventions it is taken from."""
    upstream = {
        key: item["upstream"] for key, item in REGISTRY["attributes"].items() if "upstream" in item
    }

    assert upstream == dict.fromkeys(
        [
            "artifact.filename",
            "artifact.hash",
            "artifact.purl",
            "code.function.name",
            "deployment.environment.name",
            "error.type",
            "exception.message",
            "exception.stacktrace",
            "exception.type",
            "service.name",
        ],
        "https://opentelemetry.io/schemas/1.44.0",
    )


def test_the_schema_url_says_that_it_is_in_development() -> None:
    """Family, version and `-dev`, until the names are settled."""
    assert schema.SCHEMA_URL == "https://otel-ml.example/schemas/otel-ml-dev/0.1.0-dev"

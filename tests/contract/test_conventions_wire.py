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
    " error.type ml.content.truncated"
    " ml.verdict.confidence ml.verdict.drift ml.verdict.flags ml.verdict.reference",
    "recommended": "ml.model.id ml.model.type ml.framework.version ml.task.type ml.batch.size"
    " ml.call.sequence ml.call.stream code.function.name"
    " ml.input.feature.count ml.input.schema.hash ml.input.missing.count ml.input.shape"
    " ml.input.dtype ml.prediction.label ml.prediction.labels ml.prediction.confidence"
    " ml.prediction.confidences ml.prediction.entropy ml.prediction.margin"
    " ml.output.shape ml.output.dtype",
    "opt_in": "ml.input.features ml.input.values ml.input.rows ml.prediction.value"
    " ml.prediction.values ml.prediction.score ml.prediction.scores ml.prediction.probabilities",
}

# Wire name, instrument, unit, what Prometheus shows.
METRICS = """
ml.inference.duration            histogram     s            ml_inference_duration_seconds
ml.inference.batch.size          histogram     {sample}     ml_inference_batch_size
ml.inference.predictions         counter       {prediction} ml_inference_predictions_total
ml.prediction.confidence         histogram     1            ml_prediction_confidence
ml.input.missing_values          counter       {value}      ml_input_missing_values_total
ml.sdk.errors                    counter       {error}      ml_sdk_errors_total
ml.sdk.dropped                   counter       {record}     ml_sdk_dropped_total
ml.drift.score                   gauge         {score}      ml_drift_score
ml.drift.p_value                 gauge         {score}      ml_drift_p_value
ml.drift.status                  updowncounter 1            ml_drift_status
ml.drift.features                gauge         {feature}    ml_drift_features
ml.drift.detections              counter       {detection}  ml_drift_detections_total
ml.drift.window.samples          gauge         {sample}     ml_drift_window_samples
ml.feature.missing               gauge         1            ml_feature_missing_ratio
ml.feature.unseen                gauge         1            ml_feature_unseen_ratio
ml.feature.out_of_range          gauge         1            ml_feature_out_of_range_ratio
ml.feature.non_finite            gauge         1            ml_feature_non_finite_ratio
ml.feature.type_error            gauge         1            ml_feature_type_error_ratio
ml.confidence.mean               gauge         {score}      ml_confidence_mean
ml.confidence.entropy            gauge         {score}      ml_confidence_entropy
ml.confidence.margin             gauge         {score}      ml_confidence_margin
ml.confidence.quantile           gauge         {score}      ml_confidence_quantile
ml.confidence.low                gauge         1            ml_confidence_low_ratio
ml.confidence.violations         counter       {prediction} ml_confidence_violations_total
ml.prediction.samples            counter       {prediction} ml_prediction_samples_total
ml.reference.age                 gauge         s            ml_reference_age_seconds
ml.reference.samples             gauge         {sample}     ml_reference_samples
ml.drift.calibration             updowncounter 1            ml_drift_calibration
ml.drift.false_alarm.promised    gauge         1            ml_drift_false_alarm_promised_ratio
ml.drift.false_alarm.measured    gauge         1            ml_drift_false_alarm_measured_ratio
ml.processor.undecoded           counter       {span}       ml_processor_undecoded_total
ml.processor.late                counter       {span}       ml_processor_late_total
ml.processor.clamped             counter       {span}       ml_processor_clamped_total
ml.processor.overflow            counter       {sample}     ml_processor_overflow_total
ml.processor.unannotated         counter       {span}       ml_processor_unannotated_total
ml.processor.verdicts_dropped    counter       {span}       ml_processor_verdicts_dropped_total
ml.processor.refused             counter       {request}    ml_processor_refused_total
ml.processor.export_failed       counter       {export}     ml_processor_export_failed_total
ml.processor.failures            counter       {failure}    ml_processor_failures_total
ml.processor.window.lag          gauge         s            ml_processor_window_lag_seconds
"""

BUCKETS = {
    "ml.inference.duration": "0.0001 0.00025 0.0005 0.001 0.0025 0.005 0.01 0.025 0.05 0.1 0.25"
    " 0.5 1 2.5 5 10",
    "ml.inference.batch.size": "1 2 4 8 16 32 64 128 256 512 1024 4096 16384",
    "ml.prediction.confidence": "0.1 0.2 0.3 0.4 0.5 0.6 0.7 0.8 0.85 0.9 0.95 0.975 0.99",
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
    " wasserstein wasserstein_iqr chi_squared rank_location rank_scale hypergeometric hellinger"
    " total_variation l_infinity pca_reconstruction adwin e_cusum other",
    attributes.MlDriftStateValues: "steady warning drifting insufficient",
    attributes.MlVerdictDriftValues: "steady warning drifting insufficient",
    attributes.MlDriftKindValues: "drift skew",
    attributes.MlDriftCalibrationModeValues: "iid scaled empirical",
    attributes.MlVerdictConfidenceValues: "low medium high",
}

WITHOUT_WINDOW = {
    "ml.confidence.violations",
    "ml.prediction.samples",
    "ml.reference.age",
    "ml.reference.samples",
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
        "ml.verdict.flags",
        "ml.verdict.reference",
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

    assert [asked.get(key) for key in ("service.name", "ml.model.name")] == ["required"] * 2
    assert [asked.get(key) for key in ("deployment.environment.name", "ml.model.version")] == [
        "conditionally_required"
    ] * 2
    assert asked.get("ml.window.name") == (None if metric in WITHOUT_WINDOW else "required")


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
        "ml.input.features",
        "ml.input.values",
        "ml.input.rows",
        "ml.prediction.value",
        "ml.prediction.values",
    }
    assert {key for key, item in marked.items() if item.get("value_size") == "large"} == {
        "ml.input.features",
        "ml.input.values",
        "ml.input.rows",
    }


def test_the_drift_event_names_stream_window_and_cause() -> None:
    """The alarm can be read without looking anything up."""
    required = {
        key for key, level in _asked("ml.drift.detected", "events").items() if level == "required"
    }

    assert required == {
        "service.name",
        "ml.model.name",
        "ml.window.name",
        "ml.drift.target",
        "ml.drift.method",
        "ml.drift.score",
        "ml.drift.state",
        "ml.drift.kind",
    }
    assert REGISTRY["events"]["ml.drift.detected"]["severity"] == "WARN"


def test_upstream_names_come_from_a_stated_version() -> None:
    """What is not ours says which release of OpenTelemetry's conventions it is taken from."""
    upstream = {
        key: item["upstream"] for key, item in REGISTRY["attributes"].items() if "upstream" in item
    }

    assert upstream == dict.fromkeys(
        [
            "code.function.name",
            "deployment.environment.name",
            "error.type",
            "exception.type",
            "service.name",
        ],
        "https://opentelemetry.io/schemas/1.44.0",
    )


def test_the_schema_url_says_that_it_is_in_development() -> None:
    """Family, version and `-dev`, until the names are settled."""
    assert schema.SCHEMA_URL == "https://otel-ml.example/schemas/otel-ml-dev/0.1.0-dev"

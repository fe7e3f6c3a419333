"""The alarm as a log record, read back with the official messages."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from otel_ml_conventions.attributes import MlDriftTargetValues
from otel_ml_conventions.schema import SCHEMA_URL
from otel_ml_processor.assess.reading import Change, DriftKind
from otel_ml_processor.assess.recent_windows import ChangeMoment
from otel_ml_processor.emit.events import MAX_FEATURES, drift_attributes, warning
from otel_ml_processor.emit.otlp import Identity
from tests.unit.processor.emit import sample_readings as samples

if TYPE_CHECKING:
    from opentelemetry.proto.common.v1.common_pb2 import AnyValue
    from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ResourceLogs

FLOOR = 0.01
PREDICTION = replace(
    samples.output(MlDriftTargetValues.PREDICTION, samples.DRIFTING, psi=0.093), p_value=0.0021
)


def sent(change: Change, description: str = "temp has drifted") -> ResourceLogs:
    """Return what a receiver gets for *change*."""
    about = drift_attributes(change, description, effect_floor=FLOOR)
    end_ns = change.reading.window.end_ns
    request = warning(about, end_ns, Identity("one", "1.2.3"), samples.NOW_NS)
    (resource,) = ExportLogsServiceRequest.FromString(request).resource_logs
    return resource


def record(change: Change, description: str = "temp has drifted") -> LogRecord:
    """Return the one record of *change*."""
    (scope,) = sent(change, description).scope_logs
    (found,) = scope.log_records
    return found


def python(value: AnyValue) -> Any:
    """Return an attribute's value as Python has it."""
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [python(item) for item in value.array_value.values]
    return getattr(value, kind or "")


def said(change: Change, description: str = "temp has drifted") -> dict[str, Any]:
    """Return the attributes of the record of *change*; a key may be there once only."""
    attributes = record(change, description).attributes
    found = {attribute.key: python(attribute.value) for attribute in attributes}
    assert len(found) == len(attributes)
    return found


def test_the_record_is_the_event_of_the_conventions() -> None:
    """Name, severity and times are those of `ml.drift.detected`: it happened when the window ended, and was noticed now."""
    found = record(samples.change_of(samples.drifting_reading(), samples.TEMP))

    assert found.event_name == "ml.drift.detected"
    assert (found.severity_number, found.severity_text) == (13, "WARN")
    assert found.time_unix_nano == samples.START_NS + samples.HOUR_NS
    assert found.observed_time_unix_nano == samples.NOW_NS
    assert not found.HasField("body")


def test_slow_drift_is_told_by_its_evidence() -> None:
    """Where no window drifts by itself: logarithms of the evidence and of what is an alarm, and no p-value, which there is none of."""
    reading = samples.with_evidence(samples.drifting_reading())
    slow = (reading.targets[0], reading.targets[-1])

    found = said(Change(reading, DriftKind.DRIFT, (), slow))

    assert found["ml.drift.method"] == "e_cusum"
    assert (found["ml.drift.target"], found["ml.feature.name"]) == ("feature", "temp")
    assert (found["ml.drift.score"], found["ml.drift.threshold"]) == (7.25, math.log(1000))
    assert (found["ml.drift.features"], found["ml.drift.scores"]) == (["temp"], [7.25])
    assert not {"ml.drift.p_value", "ml.drift.p_values", "ml.drift.change_time"} & found.keys()


def test_slow_drift_of_the_confidence_names_no_feature() -> None:
    """There is none to name."""
    reading = samples.with_evidence(samples.drifting_reading())

    found = said(Change(reading, DriftKind.DRIFT, (), (reading.targets[-1],)))

    assert found["ml.drift.target"] == "confidence"
    assert not {"ml.feature.name", "ml.drift.features", "ml.drift.scores"} & found.keys()


def test_the_time_of_change_is_told() -> None:
    """In ISO 8601, in UTC; not the interval, which is in the words."""
    change = samples.change_of(samples.drifting_reading(), samples.TEMP)
    moment = ChangeMoment(samples.START_NS, 0, samples.NOW_NS)

    assert said(replace(change, moment=moment))["ml.drift.change_time"] == "2013-03-20T13:00:00Z"


def test_resource_and_scope_are_the_processors() -> None:
    """The event comes from the processor, under the schema of the conventions."""
    resource = sent(samples.change_of(samples.drifting_reading(), samples.TEMP))

    names = {attribute.key: python(attribute.value) for attribute in resource.resource.attributes}
    assert names["service.name"] == "otel-ml-processor"
    assert resource.scope_logs[0].scope.name == "otel_ml_processor"
    assert resource.scope_logs[0].schema_url == SCHEMA_URL


def test_a_feature_alarm_says_everything_the_conventions_ask_for() -> None:
    """Whose stream, which window, what changed and by how much, against which reference, in numbers and in words."""
    change = samples.change_of(samples.drifting_reading(), samples.TEMP, samples.DEWP)

    found = said(change, "temp and dewp have drifted")

    # Chance adds .003 to these readings' PSI, so the floor of .01 is reached at .013.
    assert found.pop("ml.drift.threshold") == pytest.approx(0.013)
    assert found.pop("ml.drift.thresholds") == pytest.approx([0.013, 0.013])
    assert found == {
        "service.name": "flights",
        "deployment.environment.name": "production",
        "ml.model.name": "late-arrival",
        "ml.model.version": "2013-02",
        "ml.window.name": "1h",
        "ml.drift.target": "feature",
        "ml.feature.name": "temp",
        "ml.drift.method": "psi",
        "ml.drift.score": 0.412,
        "ml.drift.p_value": 3.2e-9,
        "ml.drift.test": "rank_location",
        "ml.drift.state": "drifting",
        "ml.drift.kind": "drift",
        "ml.drift.features": ["temp", "dewp"],
        "ml.drift.scores": [0.412, 0.287],
        "ml.drift.p_values": [3.2e-9, 0.0004],
        "ml.drift.window.size": 900,
        "ml.drift.reference.id": "sha256:9f2c1a7be0d4c35501",
        "ml.drift.calibration.mode": "iid",
        "ml.drift.description": "temp and dewp have drifted",
    }


def test_skew_is_named() -> None:
    """A model that never agreed with its training is told from one that changed."""
    change = samples.change_of(samples.drifting_reading(), samples.TEMP, kind=DriftKind.SKEW)

    assert said(change)["ml.drift.kind"] == "skew"


@pytest.mark.parametrize("target", [MlDriftTargetValues.PREDICTION, MlDriftTargetValues.CONFIDENCE])
def test_an_alarm_of_the_output_names_no_feature(target: MlDriftTargetValues) -> None:
    """Prediction and confidence have score, p-value and threshold of their own, and no feature."""
    output = replace(PREDICTION, target=target)

    found = said(samples.change_of(samples.drifting_reading(), output))

    assert found["ml.drift.target"] == target.value
    assert (found["ml.drift.score"], found["ml.drift.p_value"]) == (0.093, 0.0021)
    assert found["ml.drift.threshold"] == pytest.approx(0.013)
    assert not {key for key in found if key.startswith(("ml.feature.", "ml.drift.features"))}
    assert "ml.drift.scores" not in found


def test_outputs_stand_beside_features_without_mixing() -> None:
    """The alarm is about the largest, here the prediction; the arrays hold the features alone."""
    change = samples.change_of(samples.drifting_reading(), PREDICTION, samples.TEMP)

    found = said(change)

    assert found["ml.drift.target"] == "prediction"
    assert "ml.feature.name" not in found
    assert found["ml.drift.features"] == ["temp"]
    assert found["ml.drift.scores"] == [0.412]


def test_only_the_most_drifted_features_are_named() -> None:
    """However many features drift at once, the event names ten, in the order given, with as many numbers."""
    drifted = [samples.feature(f"f{i}", samples.DRIFTING, psi=1 - i / 1000) for i in range(500)]

    found = said(samples.change_of(samples.reading(*drifted), *drifted))

    assert MAX_FEATURES == 10
    assert found["ml.drift.features"] == [f"f{i}" for i in range(10)]
    assert found["ml.drift.scores"] == [1 - i / 1000 for i in range(10)]
    assert len(found["ml.drift.p_values"]) == len(found["ml.drift.thresholds"]) == 10


def test_a_feature_that_drifts_by_missing_values_has_the_floor_as_threshold() -> None:
    """Where the values themselves did not move, what chance adds is unknown; the floor is given."""
    missing = replace(samples.TEMP, scores={"psi": 0.002}, effect=0.0, driver="hypergeometric")

    assert (
        said(samples.change_of(samples.drifting_reading(), missing))["ml.drift.threshold"] == FLOOR
    )


def test_without_a_psi_the_effect_is_the_score() -> None:
    """Where the PSI itself is not at hand its debiased value is given, against the floor."""
    target = replace(samples.TEMP, scores={}, effect=0.4)

    found = said(samples.change_of(samples.drifting_reading(), target))

    assert (found["ml.drift.score"], found["ml.drift.threshold"]) == (0.4, FLOOR)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_number_that_is_none_is_left_out(bad: float) -> None:
    """NaN and infinity never leave; arrays stay aligned with the features."""
    target = replace(samples.TEMP, p_value=bad)

    found = said(samples.change_of(samples.drifting_reading(), target, samples.DEWP))

    assert "ml.drift.p_value" not in found
    assert "ml.drift.p_values" not in found
    assert found["ml.drift.features"] == ["temp", "dewp"]
    assert found["ml.drift.scores"] == [0.412, 0.287]


def test_hostile_names_are_data() -> None:
    """Markup, line breaks and characters that no format can carry do not stop an alarm."""
    target = samples.feature(samples.HOSTILE_FEATURE, samples.DRIFTING)
    lone = samples.feature("\ud800", samples.DRIFTING)
    change = samples.change_of(samples.reading(target, stream=samples.HOSTILE), target, lone)

    found = said(change, "drift\udfff\n")

    assert found["ml.drift.features"] == [samples.HOSTILE_FEATURE, "?"]
    assert found["ml.model.name"] == samples.HOSTILE.model
    assert found["ml.drift.description"] == "drift?\n"
    assert found["deployment.environment.name"] == "prod\nnewline"

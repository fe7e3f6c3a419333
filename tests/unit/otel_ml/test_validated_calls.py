"""Calls of real models whose inputs or outputs are not valid: what is told, and what stays as it was."""

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import lightgbm as lgb
import numpy as np
import pandas as pd
import pytest
from opentelemetry.exporter.otlp.proto.common._log_encoder import encode_logs
from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk._logs import LoggerProvider, ReadableLogRecord
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

import otel_ml
from otel_ml.settings import Settings
from otel_ml.testing import Capture, capture

NAN = float("nan")
RESULT = "ml.validation.result"
COUNT = "ml.validation.failure.count"
FAILURE = "ml.validation.failure"
FAILURES = "ml.validation.failures"
TRAINING = pd.DataFrame({"age": [20.0, 30.0, 40.0, 50.0], "visits": [1.0, 2.0, 3.0, 4.0]})
CANARY = 8675309.5


class Anything(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # published without types
    """A model that takes whatever it is given, and says how often it was asked."""

    def __init__(self, answer: Any = 1.0) -> None:
        self.answer = answer
        self.asked = 0

    def predict(self, samples: Any) -> Any:
        """Return the answer."""
        self.asked += 1
        return self.answer


@pytest.fixture(name="price")
def price() -> LinearRegression:
    """Return a regression that knows the names of its features."""
    return LinearRegression().fit(TRAINING, [1.0, 2.0, 3.0, 4.0])


@pytest.fixture(name="profile")
def profile(tmp_path: Path) -> str:
    """Return the path of a profile of model churn 3."""
    return profile_of(tmp_path, "churn", "3", age=(20, 50), visits=(0, 9))


def profile_of(folder: Path, model: str, version: str, **ranges: tuple[float, float]) -> str:
    """Return the path of a profile of *model* with numbers in these *ranges*."""
    path = folder / f"{model}.json"
    features = [
        {"name": name, "type": "numeric", "min": low, "max": high}
        for name, (low, high) in ranges.items()
    ]
    said = {"format": "otel-ml-profile/1", "model": model, "version": version}
    path.write_text(json.dumps({**said, "features": features}))
    return str(path)


@pytest.fixture(name="rejecting")
def rejecting() -> Iterator[Capture]:
    """Return a capture whose settings reject what is not valid."""
    with capture(Settings(validation_blocks=True)) as seen:
        yield seen


def frame(age: float, visits: float) -> pd.DataFrame:
    """Return one sample."""
    return pd.DataFrame({"age": [age], "visits": [visits]})


def counted(seen: Capture) -> dict[str, int]:
    """Return the failures that the metric has, by rule."""
    return {point.attributes["ml.validation.rule"]: point.value for point in seen.metric(FAILURES)}


def test_a_valid_call_is_told_as_that(captured: Capture, price: LinearRegression) -> None:
    """Validation ran and found nothing: no event, no count."""
    price.predict(frame(20, 1))
    assert captured.attributes[RESULT] == "pass"
    assert COUNT not in captured.attributes
    assert captured.events_named(FAILURE) == []
    assert counted(captured) == {}


def test_a_missing_value_is_told_and_the_call_goes_on(conforming: Capture) -> None:
    """As a warning on the span, an event by feature, and a count by rule."""
    model = Anything()
    otel_ml.register_model(model, name="churn", version="3", feature_names=["age", "visits"])
    assert model.predict(np.array([[NAN, 1.0], [NAN, np.inf]])) == 1.0
    assert conforming.attributes[RESULT] == "warn"
    assert conforming.attributes[COUNT] == 2
    said = {"ml.model.name": "churn", "ml.model.version": "3"}
    assert conforming.events_named(FAILURE) == [
        {
            **said,
            "ml.validation.rule": "missing",
            "ml.feature.name": "age",
            "ml.validation.expected": "a value",
        },
        {
            **said,
            "ml.validation.rule": "non_finite",
            "ml.feature.name": "visits",
            "ml.validation.expected": "a finite number",
        },
    ]
    assert counted(conforming) == {"missing": 1, "non_finite": 1}


def test_an_event_is_in_the_trace_of_its_call(captured: Capture, price: LinearRegression) -> None:
    """So that whoever reads it finds the call."""
    with pytest.raises(ValueError, match="NaN"):
        price.predict(frame(NAN, 1))
    (span,) = captured.spans
    (event,) = [each for each in captured.events if each.event_name == FAILURE]
    context = span.get_span_context()
    assert (event.trace_id, event.span_id) == (context.trace_id, context.span_id)


def test_an_output_that_cannot_be_used_is_told(captured: Capture) -> None:
    """What fails in silence: NaN, or nothing."""
    for answer, rule in ((np.array([NAN]), "missing"), ([], "empty"), (None, "missing")):
        captured.clear()
        assert Anything(answer).predict([[1.0]]) is answer
        assert captured.attributes[COUNT] == 1
        assert captured.events_named(FAILURE)[-1]["ml.validation.rule"] == rule


def test_every_failure_is_counted_and_sixteen_are_told(captured: Capture) -> None:
    """Of a call with a hundred broken features; once per feature, however many samples."""
    model = Anything()
    otel_ml.register_model(model, feature_names=[f"f{i}" for i in range(100)])
    model.predict(np.full((50, 100), NAN))
    assert captured.attributes[COUNT] == 100
    assert counted(captured) == {"missing": 100}
    names = [event["ml.feature.name"] for event in captured.events_named(FAILURE)]
    assert names == [f"f{i}" for i in range(16)]


def test_an_unsampled_call_is_counted_and_not_told() -> None:
    """The counter sees every call, whatever the sampler lets through."""
    with capture(sampler=ALWAYS_OFF) as seen:
        Anything().predict(np.array([[NAN]]))
        assert counted(seen) == {"missing": 1}
        assert seen.events_named(FAILURE) == []


def test_validation_can_be_switched_off(price: LinearRegression) -> None:
    """Then nothing is said of it, on no signal."""
    with capture(Settings(validation="off", validation_blocks=True)) as seen:
        Anything(np.array([NAN])).predict([[None]])
        assert RESULT not in seen.attributes
        assert counted(seen) == {}
        assert seen.events_named(FAILURE) == []


@pytest.mark.parametrize(
    "model",
    [
        HistGradientBoostingRegressor(max_iter=2, min_samples_leaf=1),
        make_pipeline(SimpleImputer(), LinearRegression()),
        make_pipeline(ColumnTransformer([("all", SimpleImputer(), ["age"])]), LinearRegression()),
        GridSearchCV(
            make_pipeline(SimpleImputer(), LinearRegression()),
            {"simpleimputer__strategy": ["mean"]},
            cv=2,
        ),
        TransformedTargetRegressor(HistGradientBoostingRegressor(max_iter=2, min_samples_leaf=1)),
        make_pipeline("passthrough", SimpleImputer(), LinearRegression()),
    ],
    ids=["boosting", "imputer", "by column", "search", "asks another", "begins with nothing"],
)
def test_a_model_that_takes_missing_values_is_not_warned_of(model: Any, captured: Capture) -> None:
    """scikit-learn's own tags say which do, or a part of the model decides by column."""
    model.fit(TRAINING, [1.0, 2.0, 3.0, 4.0])
    captured.clear()
    model.predict(frame(NAN, 1.0))
    assert captured.attributes[RESULT] == "pass"


OTHER_COLUMNS = pytest.mark.parametrize(
    "changed",
    [
        frame(20.0, 1.0).assign(note="of a customer"),
        frame(20.0, 1.0)[["visits", "age"]],
        frame(20.0, 1.0)[["age"]],
    ],
    ids=["more", "another order", "without what is dropped"],
)


@OTHER_COLUMNS
def test_a_model_that_picks_columns_by_name_takes_them_wherever_they_stand(
    captured: Capture, changed: pd.DataFrame
) -> None:
    """As a `ColumnTransformer` does: scikit-learn answers, and nothing is told to be wrong."""
    columns = ColumnTransformer([("all", SimpleImputer(), ["age"])])
    model = make_pipeline(columns, LinearRegression()).fit(TRAINING, [1.0, 2.0, 3.0, 4.0])
    model.predict(changed)
    assert captured.attributes[RESULT] == "pass"


@OTHER_COLUMNS
def test_a_function_picks_what_it_likes(captured: Capture, changed: pd.DataFrame) -> None:
    """Where one is the first to see the frame, scikit-learn asks for no columns, and nothing is told to be wrong."""
    age = FunctionTransformer(lambda table: table[["age"]])
    model = make_pipeline(age, LinearRegression()).fit(TRAINING, [1.0, 2.0, 3.0, 4.0])
    assert model.predict(changed) == model.predict(frame(20.0, 1.0))
    assert [dict(span.attributes or {})[RESULT] for span in captured.calls] == ["pass", "pass"]


def test_a_column_that_is_picked_has_to_be_there(captured: Capture) -> None:
    """It is named, and what else is there does not matter."""
    columns = ColumnTransformer([("all", SimpleImputer(), ["age", "visits"])])
    model = make_pipeline(columns, LinearRegression()).fit(TRAINING, [1.0, 2.0, 3.0, 4.0])
    with pytest.raises(ValueError, match="columns are missing"):
        model.predict(frame(20.0, 1.0)[["age"]].assign(note="of a customer"))
    (event,) = captured.events_named(FAILURE)
    assert (event["ml.validation.rule"], event["ml.feature.name"]) == ("schema", "visits")


@pytest.mark.parametrize("is_estimator", [False, True])
def test_lightgbm_may_write_spaces_as_underscores(captured: Capture, is_estimator: bool) -> None:
    """It keeps `net price` as `net_price`, and both are the same feature; another name is not."""
    data = pd.DataFrame({"net price": np.arange(80.0), "visits": np.arange(80.0)[::-1]})
    if is_estimator:
        model: Any = lgb.LGBMRegressor(n_estimators=2, verbose=-1).fit(data, np.arange(80.0))
    else:
        quiet: dict[str, Any] = {"verbose": -1}
        model = lgb.train(quiet, lgb.Dataset(data, np.arange(80.0)), 2)
    model.predict(data[:2])
    assert captured.attributes[RESULT] == "pass"
    captured.clear()
    model.predict(data[:2].rename(columns={"net price": "gross price"}))
    assert captured.attributes[RESULT] == "warn"


def test_a_rejected_call_does_not_reach_its_model(rejecting: Capture) -> None:
    """One span with the error type of the conventions, and a ValueError that says what to mend."""
    model = Anything()
    otel_ml.register_model(model, name="churn", feature_names=["age"])
    with pytest.raises(
        otel_ml.ValidationError, match=r"'churn' was not called.* feature 'age': expected a value"
    ):
        model.predict([[None]])
    assert model.asked == 0
    facts = rejecting.attributes
    assert (facts[RESULT], facts[COUNT]) == ("fail", 1)
    assert facts["error.type"] == "validation_failed"
    (span,) = rejecting.spans
    assert not span.status.is_ok
    assert span.status.description is None
    (duration,) = rejecting.metric("ml.inference.duration")
    assert duration.attributes["error.type"] == "validation_failed"
    assert counted(rejecting) == {"missing": 1}


def test_after_a_rejection_the_next_call_is_an_inference(rejecting: Capture) -> None:
    """Nothing of the rejected call is left current."""
    model = Anything()
    for _ in range(2):
        with pytest.raises(otel_ml.ValidationError):
            model.predict([[None]])
        assert model.predict([[1.0]]) == 1.0
    results = [dict(span.attributes or {})[RESULT] for span in rejecting.spans]
    assert results == ["fail", "pass", "fail", "pass"]
    assert all(span.parent is None for span in rejecting.spans)


def test_an_output_is_never_a_reason_to_reject(rejecting: Capture) -> None:
    """The model has answered; its answer arrives."""
    answer = np.array([NAN])
    assert Anything(answer).predict([[1.0]]) is answer
    assert rejecting.attributes[RESULT] == "warn"


def test_a_call_that_is_not_observed_is_not_rejected(rejecting: Capture) -> None:
    """What runs inside of another call is a part of it."""

    class Outer(Anything):
        def predict(self, samples: Any) -> Any:
            """Ask another model about something that is not valid."""
            return Anything(2.0).predict([[None]])

    assert Outer().predict([[1.0]]) == 2.0
    assert rejecting.attributes[RESULT] == "pass"


def test_a_profile_tells_what_its_model_may_be_asked(profile: str) -> None:
    """Ranges, by the names of a data frame or by position."""
    settings = Settings(
        validation="profile", profile=profile, model_name="churn", model_version="3"
    )
    with capture(settings) as seen:
        Anything().predict(frame(19, 9))
        Anything().predict(np.array([[20.0, 9.5], [55.0, 1.0]]))
        Anything().predict([[20, 9]])
    found = [dict(span.attributes or {}).get(COUNT) for span in seen.spans]
    assert found == [1, 2, None]
    expected = [event["ml.validation.expected"] for event in seen.events_named(FAILURE)]
    assert expected == ["[20, 50]", "[20, 50]", "[0, 9]"]
    counts = {p.attributes["ml.feature.name"]: p.value for p in seen.metric(FAILURES)}
    assert counts == {"age": 2, "visits": 1}
    seen.conformance.check()


def test_failures_of_very_many_features_are_counted_together(tmp_path: Path) -> None:
    """Of 300 features the first 256 that break a rule have a count of their own: no process floods the metrics."""
    names = [f"f{number:03}" for number in range(300)]
    model = Anything()
    otel_ml.register_model(model, name="wide", feature_names=names)
    profile = profile_of(tmp_path, "wide", "", **dict.fromkeys(names, (0.0, 1.0)))
    settings = Settings(validation="profile", profile=profile)
    with capture(settings) as seen:
        for _ in range(2):
            model.predict(np.full((1, 300), 2.0))
    counts = {p.attributes.get("ml.feature.name"): p.value for p in seen.metric(FAILURES)}
    assert counts == {**dict.fromkeys(names[:256], 2), None: 88}


@pytest.mark.parametrize(("name", "version"), [("fraud", "3"), ("churn", "4"), ("churn", None)])
def test_a_profile_of_another_model_is_not_used(
    name: str, version: str | None, profile: str, caplog: pytest.LogCaptureFixture
) -> None:
    """One warning names both; the rules that need no profile stand."""
    settings = Settings(
        validation="profile", profile=profile, model_name=name, model_version=version
    )
    with capture(settings) as seen, caplog.at_level(logging.WARNING, "otel_ml"):
        for _ in range(3):
            Anything().predict(frame(99, 99))
        Anything().predict(frame(NAN, 99))
    (record,) = caplog.records
    assert record.getMessage() == (
        f"{profile} is of model churn version 3: inputs of model {name} version "
        f"{version or 'unknown'} are checked without a profile; OTEL_ML_MODEL_NAME and "
        "OTEL_ML_MODEL_VERSION name the model of a process"
    )
    assert counted(seen) == {"missing": 1}


def test_a_flood_of_models_is_none_of_warnings(
    profile: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Where somebody puts what varies into the name of a model, the log names 64 of them."""
    settings = Settings(validation="profile", profile=profile)
    with capture(settings), caplog.at_level(logging.WARNING, "otel_ml"):
        for number in range(70):
            with otel_ml.inference(f"request {number}", features=[[1.0]]):
                pass
    assert len(caplog.records) == 64


@pytest.mark.parametrize("path", [None, "/nowhere/churn.json"])
def test_without_a_profile_the_other_rules_stand(
    path: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    """One warning says what is missing; every call goes on."""
    with capture(Settings(validation="profile", profile=path, validation_blocks=True)) as seen:
        with caplog.at_level(logging.WARNING, "otel_ml"):
            for _ in range(3):
                assert Anything().predict(frame(99, 99)) == 1.0
        (record,) = caplog.records
        assert "build one with `otel-ml profile build`" in record.getMessage()
        with pytest.raises(otel_ml.ValidationError):
            Anything().predict([[None]])
        assert counted(seen) == {"missing": 1}


class Hostile:
    """An object that fails whatever is asked of it, but what it is."""

    def __getattribute__(self, name: str) -> Any:
        """Fail."""
        if name == "__class__":
            return Hostile
        raise RuntimeError("canary-8675309")


class Deceptive(np.ndarray):
    """An array that cannot be looked at."""

    def __array_ufunc__(self, *_args: Any, **_kwargs: Any) -> Any:
        """Fail."""
        raise RuntimeError("canary-8675309")


ODD: dict[str, Any] = {
    "an object that fails": Hostile(),
    "a list of it": [Hostile()],
    "a sample with it": [[Hostile(), 1.0]],
    "an array that fails": np.full((100, 30), NAN).view(Deceptive),
    "a map of it": {"a": Hostile()},
    "ragged": [[1.0], [2.0, 3.0]],
    "ragged and empty": [[], [1.0]],
    "endless integer": [[10**400, NAN]],
    "maps of different names": [{"a": 1.0}, {"b": NAN}],
    "maps and numbers": [{"a": 1.0}, 7],
    "a name twice": pd.DataFrame([[NAN, NAN]], columns=["a", "a"]),
    "a name that is none": pd.DataFrame([[NAN]], columns=[("a", 1)]),
    "very wide": np.zeros((1, 100_000)) * NAN,
    "complex": np.array([[NAN + 0j]]),
    "records": np.zeros(3, [("a", "f8")]),
    "masked": np.ma.masked_array([NAN], [True]),
    "a function": lambda: None,
    "an ellipsis": ...,
}


@pytest.mark.parametrize("kind", ODD)
@pytest.mark.parametrize("mode", ["basic", "profile"])
def test_no_input_and_no_output_makes_validation_fail_a_call(
    kind: str, mode: str, profile: str
) -> None:
    """Given to a model and returned by it: the same object arrives, and no value is told."""
    odd = ODD[kind]
    settings = Settings(validation=mode, profile=profile, model_name="churn", model_version="3")  # type: ignore[arg-type]  # one of the two
    with capture(settings) as seen:
        assert Anything(odd).predict(odd) is odd
        assert len(seen.spans) == 1
        assert b"canary-8675309" not in _sent(seen)
        seen.conformance.check()


@pytest.mark.parametrize("mode", ["basic", "profile"])
def test_no_value_of_a_broken_input_leaves(mode: str, profile: str) -> None:
    """Not on spans, not in metrics, not in events: neither a number nor a text, nor a name that only the input has."""
    text = "canary-8675309"
    settings = Settings(validation=mode, profile=profile, model_name="churn", model_version="3")  # type: ignore[arg-type]  # one of the two
    odd = (
        pd.DataFrame({"age": [CANARY, NAN], "visits": [text, None]}),
        pd.DataFrame({"age": [NAN], text: [1.0]}),
        [{"age": None, text: CANARY}],
        [[CANARY, None]],
        np.array([[CANARY, np.inf]]),
        [[text, None]],
        np.array([CANARY, NAN]),
    )
    with capture(settings) as seen:
        for samples in odd:
            Anything(np.array([NAN])).predict(samples)
        assert len(seen.events_named(FAILURE)) >= 2 * len(odd)
        payload = _sent(seen)
    assert b"8675309" not in payload
    assert np.float64(CANARY).tobytes() not in payload
    assert FAILURE.encode() in payload


def _sent(seen: Capture) -> bytes:
    """Return the OTLP bytes of all spans, metrics and events."""
    data = seen._reader.get_metrics_data()
    metrics = encode_metrics(data).SerializeToString() if data is not None else b""
    resource = LoggerProvider().resource
    events = [ReadableLogRecord(record, resource) for record in seen.events]
    return (
        encode_spans(seen.spans).SerializeToString()
        + metrics
        + encode_logs(events).SerializeToString()
    )

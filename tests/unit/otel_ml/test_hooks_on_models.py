"""Users' functions around the calls of a real model: what leaves the process in the end."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from otel_ml.settings import Settings
from otel_ml.testing import capture
from otel_ml_conventions import attributes as keys

SAMPLE = [[0.25, 424242.5]]
TOLD = {keys.ML_INPUT_VALUES, keys.ML_PREDICTION_LABEL, keys.ML_PREDICTION_PROBABILITIES}
EVERYTHING: dict[str, Any] = {"capture_content": "span_only", "capture_outputs": "full"}


@pytest.fixture(scope="module", name="model")
def _model() -> LogisticRegression:
    """Return a model of two features and two classes."""
    return LogisticRegression().fit([[0.0, 0.0], [1.0, 1.0]], ["bad", "good"])


def test_a_content_hook_has_the_last_word(model: LogisticRegression) -> None:
    """It sees the values and the answer together with the span of the call, and edits them."""
    seen: list[Any] = []

    def redact(content: dict[str, Any], span: Any) -> dict[str, Any]:
        seen.append((set(content), span.attributes[keys.ML_MODEL_NAME]))
        return {keys.ML_INPUT_VALUES: [0.0], keys.ML_PREDICTION_LABEL: "redacted"}

    with capture(Settings(**EVERYTHING, content_hook=redact)) as captured:
        answer = model.predict_proba(SAMPLE)
    assert seen == [(TOLD, "LogisticRegression")]
    attributes = captured.attributes
    assert attributes[keys.ML_INPUT_VALUES] == (0.0,)
    assert attributes[keys.ML_PREDICTION_LABEL] == "redacted"
    assert keys.ML_PREDICTION_PROBABILITIES not in attributes
    assert attributes[keys.ML_PREDICTION_CONFIDENCE] == pytest.approx(float(np.max(answer)))


def test_what_a_hook_writes_in_place_of_values_is_in_the_event(model: LogisticRegression) -> None:
    """Also where it is no map any more: the event is not lost for it."""
    settings = Settings(capture_content="event_only", content_hook=_hidden)
    with capture(settings) as captured:
        model.predict_proba(SAMPLE)
    (event,) = captured.events_named("ml.prediction.details")
    assert event[keys.ML_INPUT_FEATURES] == "(hidden)"
    assert captured.metric("ml.sdk.errors") == []


def _hidden(content: dict[str, Any], _span: Any) -> dict[str, Any]:
    """Return a text in place of the values."""
    return {**content, keys.ML_INPUT_FEATURES: "(hidden)"}


@pytest.mark.parametrize("hook", ["no_such_module:redact", len])
def test_where_the_hook_fails_content_stays_and_the_failure_is_counted(
    hook: Any, model: LogisticRegression
) -> None:
    """The answer, the other facts and the metrics are as they would be."""
    with capture(Settings(**EVERYTHING, content_hook=hook)) as captured:
        assert model.predict_proba(SAMPLE).shape == (1, 2)
    attributes = captured.attributes
    assert not TOLD & set(attributes)
    assert attributes[keys.ML_INPUT_FEATURE_COUNT] == 2
    (point,) = captured.metric("ml.sdk.errors")
    assert (point.value, dict(point.attributes)) == (1, {keys.ML_SDK_ERROR_CAUSE: "content_hook"})
    (confidence,) = captured.metric("ml.prediction.confidence")
    assert confidence.count == 1


@dataclass
class Redaction:
    """A hook with options, which has no hash, as data classes have none."""

    allowed: list[str]

    def __call__(self, *_told: Any) -> None:
        """Let nothing pass."""


def test_a_hook_needs_no_hash(model: LogisticRegression) -> None:
    """Any object that can be called is a hook, and models are observed with it."""
    with capture(Settings(capture_content="span_only", content_hook=Redaction(["a"]))) as seen:
        model.predict(SAMPLE)
        assert seen.attributes[keys.ML_BATCH_SIZE] == 1
        assert keys.ML_INPUT_VALUES not in seen.attributes


@pytest.mark.parametrize("has_content_hook", [False, True])
def test_a_call_may_be_kept_out_before_anything_is_captured(
    has_content_hook: bool, model: LogisticRegression
) -> None:
    """A hook before decides by model and arguments; the content hook sees nothing of the call."""
    seen: list[Any] = []

    def before(span: Any, asked: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
        seen.append((asked is model, args[0] is SAMPLE, kwargs))
        span.set_attribute("tenant", "a")
        return False

    def pass_all(content: dict[str, Any], span: Any) -> dict[str, Any]:
        seen.append(content)
        return content

    hook = pass_all if has_content_hook else None
    settings = Settings(
        **EVERYTHING, capture_input_hash=True, before_capture=before, content_hook=hook
    )
    with capture(settings) as captured:
        model.predict_proba(SAMPLE)
    assert seen == [(True, True, {})]
    attributes = captured.attributes
    assert not {*TOLD, keys.ML_INPUT_HASH} & set(attributes)
    assert attributes["tenant"] == "a"
    assert keys.ML_PREDICTION_CONFIDENCE in attributes


def test_a_hook_after_adds_to_the_span(model: LogisticRegression) -> None:
    """It sees the model and what it returned, itself, while the span still records."""

    def after(span: Any, asked: Any, output: Any) -> None:
        span.set_attribute("rows", len(output))

    with capture(Settings(after_capture=after)) as captured:
        model.predict(SAMPLE * 3)
    assert captured.attributes["rows"] == 3


def test_a_hook_after_is_not_told_of_a_call_that_raised(model: LogisticRegression) -> None:
    """There is no output to tell of; the exception arrives untouched."""
    seen: list[Any] = []
    with (
        capture(Settings(after_capture=lambda *told: seen.append(told))) as captured,
        pytest.raises(ValueError, match="features"),
    ):
        model.predict([[1.0]])
    assert seen == []
    assert captured.attributes[keys.ERROR_TYPE] == "ValueError"


def test_what_is_not_recorded_is_not_shown_to_hooks(model: LogisticRegression) -> None:
    """An unsampled call costs no hook."""
    from opentelemetry.sdk.trace.sampling import ALWAYS_OFF

    seen: list[Any] = []
    settings = Settings(
        **EVERYTHING,
        before_capture=lambda *told: seen.append(told),
        after_capture=lambda *told: seen.append(told),
        content_hook=lambda *told: seen.append(told),
    )
    with capture(settings, ALWAYS_OFF):
        model.predict_proba(SAMPLE)
    assert seen == []


def test_a_model_that_a_hook_asks_is_no_inference_of_its_own(model: LogisticRegression) -> None:
    """A hook that calls the model does not call itself."""

    def after(span: Any, asked: Any, output: Any) -> None:
        asked.predict(SAMPLE)

    with capture(Settings(after_capture=after)) as captured:
        model.predict(SAMPLE)
    assert len(captured.spans) == 1

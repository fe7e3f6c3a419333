"""What whoever calls a scikit-learn model never notices: failures, interrupts, threads, what runs inside."""

import concurrent.futures
import logging
from typing import Any

import pytest
from opentelemetry.instrumentation.utils import suppress_instrumentation
from opentelemetry.trace import StatusCode, get_current_span
from sklearn.base import BaseEstimator
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer

from otel_ml.settings import Settings
from otel_ml.testing import Capture, capture
from otel_ml_conventions.attributes import (
    ERROR_TYPE,
    ML_BATCH_SIZE,
    ML_CALL_SEQUENCE,
)
from tests.data.framework_calls import FULL
from tests.data.iris import FRAME, SAMPLES, TARGET

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def test_a_failed_call_is_an_error_span_that_quotes_nothing(captured: Capture) -> None:
    """The class of the exception, no message, no stack; the exception is the user's own."""
    with pytest.raises(NotFittedError) as raised:
        LogisticRegression().predict(SAMPLES[:2])
    assert raised.value.__context__ is None
    (span,) = captured.spans
    assert captured.attributes[ERROR_TYPE] == "sklearn.exceptions.NotFittedError"
    assert captured.attributes[ML_BATCH_SIZE] == 2
    assert span.status.status_code is StatusCode.ERROR
    assert span.status.description is None
    assert len(span.events) == 0
    (point,) = captured.metric("ml.inference.duration")
    assert point.attributes[ERROR_TYPE] == "sklearn.exceptions.NotFittedError"
    (point,) = captured.metric("ml.inference.predictions")
    assert (point.value, point.attributes[ERROR_TYPE]) == (2, "sklearn.exceptions.NotFittedError")


def test_messages_of_exceptions_are_told_when_asked_for() -> None:
    """Then with the stack, as OpenTelemetry records exceptions."""
    with capture(Settings(capture_exception_messages=True)) as seen:
        with pytest.raises(NotFittedError):
            LogisticRegression().predict(SAMPLES[:2])
        (span,) = seen.spans
        assert "is not fitted yet" in (span.status.description or "")
        assert [event.name for event in span.events] == ["exception"]


def test_an_interrupt_is_passed_on(captured: Capture) -> None:
    """Also what is no Exception ends the span and reaches the caller."""

    class Interrupted(BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
        def predict(self, samples: Any) -> Any:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Interrupted().predict(SAMPLES)
    assert captured.attributes[ERROR_TYPE] == "KeyboardInterrupt"
    assert not get_current_span().is_recording()


def test_what_happens_inside_a_call_belongs_to_it(captured: Capture) -> None:
    """A step that looks something up elsewhere does so inside the inference's span."""
    inside: list[Any] = []

    def look_up(samples: Any) -> Any:
        inside.append(get_current_span().get_span_context())
        return samples

    model = make_pipeline(FunctionTransformer(look_up), LogisticRegression()).fit(SAMPLES, TARGET)
    inside.clear()
    with captured.tracer_provider.get_tracer("test").start_as_current_span("request") as request:
        model.predict(SAMPLES[:1])
    span = captured.spans[0]
    assert span.context == inside[0]
    assert span.parent == request.get_span_context()
    assert not get_current_span().is_recording()


def test_suppressed_instrumentation_is_suppressed(iris: Pipeline, captured: Capture) -> None:
    """An exporter that predicts must not feed itself."""
    with suppress_instrumentation():
        iris.predict(FRAME[:1])
    assert len(captured.spans) == 0
    assert captured.metric("ml.inference.duration") == []


def test_many_threads_at_once_lose_and_mix_nothing(iris: Pipeline, captured: Capture) -> None:
    """1600 calls from 8 threads: as many spans, each number once, and as many in the metrics."""
    sizes = [1 + i % 3 for i in range(1600)]
    frames = {size: FRAME[:size] for size in (1, 2, 3)}
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda size: len(iris.predict_proba(frames[size])), sizes))
    assert found == sizes
    facts = [dict(span.attributes or {}) for span in captured.spans]
    assert sorted(fact[ML_CALL_SEQUENCE] for fact in facts) == list(range(1, 1601))
    assert sum(fact[ML_BATCH_SIZE] for fact in facts) == sum(sizes)
    (point,) = captured.metric("ml.inference.duration")
    assert point.count == 1600
    (point,) = captured.metric("ml.inference.predictions")
    assert point.value == sum(sizes)
    assert captured.metric("ml.sdk.errors") == []


@pytest.mark.parametrize(
    ("place", "cause"),
    [
        ("otel_ml.instrumentors.sklearn.Estimator.table", "describe_input"),
        ("otel_ml.describe.inputs.names_in_force", "describe_input"),
        ("otel_ml.describe.samples.ContentPolicy.capture", "describe_input"),
        ("otel_ml.instrumentors._answers.describe_probabilities", "describe_output"),
        ("otel_ml.instrumentors.sklearn.Estimator.__init__", "describe_model"),
        ("otel_ml.instrumentors.sklearn.identify", "describe_model"),
        ("opentelemetry.sdk.trace.Tracer.start_span", "start_span"),
        ("opentelemetry.sdk.trace.Span.end", "end_span"),
        ("otel_ml.ring.Ring.put", "measure"),
        ("opentelemetry.sdk.metrics.Histogram.record", "record_metrics"),
    ],
)
def test_no_failure_of_ours_reaches_the_caller(
    place: str,
    cause: str,
    iris: Pipeline,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The result is right; the failure is counted by its cause, logged once, and quotes nothing."""
    expected = iris.predict_proba(FRAME[:1])
    with capture(FULL) as seen:

        def fail(*_args: Any, **_kwargs: Any) -> Any:
            raise RuntimeError("secret 4711")

        monkeypatch.setattr(place, fail)
        for _ in range(3):
            assert iris.predict_proba(FRAME[:1]).tolist() == expected.tolist()
        seen.metric("ml.sdk.errors")
        monkeypatch.undo()
        (point,) = seen.metric("ml.sdk.errors")
    assert dict(point.attributes) == {"ml.sdk.error.cause": cause}
    assert point.value >= 1
    (record,) = [record for record in caplog.records if record.name == "otel_ml"]
    assert record.levelno == logging.WARNING
    assert cause in record.getMessage()
    assert "4711" not in record.getMessage()
    assert not get_current_span().is_recording()


def test_a_model_that_hides_its_nature_is_still_observed(captured: Capture) -> None:
    """Attributes that raise, a `__len__` that raises, tags that raise: one span, no failure."""

    class Shy(BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
        @property
        def classes_(self) -> Any:
            raise RuntimeError("no")

        @property
        def feature_names_in_(self) -> Any:
            raise RuntimeError("no")

        def __sklearn_tags__(self) -> Any:
            raise RuntimeError("no")

        def __bool__(self) -> bool:
            raise RuntimeError("no")

        def predict(self, samples: Any) -> Any:
            return samples

    assert Shy().predict(SAMPLES) is SAMPLES
    assert [span.name for span in captured.spans] == ["predict Shy"]
    assert captured.metric("ml.sdk.errors") == []

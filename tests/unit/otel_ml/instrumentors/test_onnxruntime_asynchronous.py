"""What a run of ONNX Runtime that ends in a callback becomes."""

import threading
from typing import Any

import numpy as np
import onnxruntime as ort
import pytest
from opentelemetry import trace
from opentelemetry.trace import StatusCode

from otel_ml.instrumentors._turns import within
from otel_ml.testing import Capture
from otel_ml_conventions.attributes import (
    ERROR_TYPE,
    ML_PREDICTION_CONFIDENCE,
)
from tests.data.onnx_sessions import logs, softmax

PATIENCE_SECONDS = 60


def answer_of(model: ort.InferenceSession, feed: dict[str, Any], callback: Any = None) -> list[Any]:
    """Run *model* asynchronously and return what its callback was given, after that has ended."""
    given: list[Any] = []
    is_answered = threading.Event()

    def answered(*received: Any) -> None:
        if callback is not None:
            callback()
        given.extend(received)
        is_answered.set()

    model.run_async(None, feed, answered, "data")
    assert is_answered.wait(PATIENCE_SECONDS)
    return given


def test_an_asynchronous_run_belongs_to_its_submitter(conforming: Capture) -> None:
    """One inference under the span of the submission, which the callback sees as the current one."""
    tracer, seen = conforming.tracer_provider.get_tracer("test"), []
    with tracer.start_as_current_span("request") as request:
        results, data, failure = answer_of(
            softmax(), logs((1, 3)), lambda: seen.append(trace.get_current_span())
        )
    assert (results[0].tolist(), data, failure) == ([[0.25, 0.75]], "data", "")
    inference, _ = conforming.calls
    assert inference.parent == request.get_span_context()
    assert (inference.attributes or {})[ML_PREDICTION_CONFIDENCE] == 0.75
    assert seen == [request]
    assert not trace.get_current_span().get_span_context().is_valid


def test_an_asynchronous_run_that_fails_is_told(captured: Capture) -> None:
    """The callback gets the framework's message, the span the framework's error."""
    results, _, failure = answer_of(softmax(), {"x": np.ones((1, 3), "f")})
    assert results == []
    assert "invalid dimensions" in failure
    (span,) = captured.calls
    assert span.status.status_code is StatusCode.ERROR
    assert str((span.attributes or {})[ERROR_TYPE]).endswith("onnxruntime_pybind11_state.Fail")


def test_an_asynchronous_run_that_cannot_be_submitted_is_told(captured: Capture) -> None:
    """What the submission raises is the user's, untouched; the inference ends with it."""
    with pytest.raises(ValueError, match="missing from input feed"):
        softmax().run_async(None, {}, lambda *_: None, None)
    assert captured.attributes[ERROR_TYPE] == "ValueError"


def test_a_callback_by_name_is_called(captured: Capture) -> None:
    """However it is given."""
    is_answered = threading.Event()
    model, feed = softmax(), logs((1, 3))  # held: older versions do not hold them themselves
    model.run_async(None, feed, callback=lambda *_: is_answered.set(), user_data=None)
    assert is_answered.wait(PATIENCE_SECONDS)
    assert len(captured.calls) == 1


def test_a_session_inside_a_model_is_no_inference(captured: Capture) -> None:
    """The outermost call is the inference, over all frameworks; also for runs that end later."""
    model = softmax()
    with within(object()):
        model.run(None, logs((1, 3)))
        answer_of(model, logs((1, 3)))
    assert captured.calls == ()

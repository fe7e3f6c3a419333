"""What whoever runs a session of ONNX Runtime never notices."""

import inspect
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import onnxruntime as ort
import pytest
from onnxruntime.capi.onnxruntime_inference_collection import Session
from opentelemetry import context

import otel_ml
from otel_ml.settings import Settings
from otel_ml.testing import Capture, capture
from otel_ml_conventions.attributes import (
    ERROR_TYPE,
)
from tests.data.onnx_sessions import (
    CANARY,
    columns,
    logs,
    softmax,
    total,
    zipmap,
)
from tests.data.programs import run


@pytest.mark.parametrize(
    ("feed", "error"),
    [
        (
            {"x": np.ones((1, 3), "f")},
            "onnxruntime.capi.onnxruntime_pybind11_state.InvalidArgument",
        ),
        (
            {"x": np.ones((1, 2), "d")},
            "onnxruntime.capi.onnxruntime_pybind11_state.InvalidArgument",
        ),
        ({}, "ValueError"),
        ({"y": np.ones((1, 2), "f")}, "ValueError"),
        ([1, 2], "AttributeError"),
        (None, "AttributeError"),
    ],
)
def test_what_the_framework_raises_is_untouched(feed: Any, error: str) -> None:
    """The same error with the same message as without us, and its class on the span."""
    model = softmax()
    with pytest.raises(Exception) as alone:  # noqa: PT011 - any, it is compared below
        model.run(None, feed)
    with capture() as seen:
        with pytest.raises(type(alone.value)) as observed:
            model.run(None, feed)
        assert str(observed.value) == str(alone.value)
        assert seen.attributes[ERROR_TYPE] == error
        assert seen.metric("ml.sdk.errors") == []


def test_a_call_without_a_feed_raises_what_it_always_did(captured: Capture) -> None:
    """A mistake in the program stays one."""
    with pytest.raises(TypeError, match="input_feed"):
        softmax().run(None)


def test_no_value_leaves_by_default(captured: Capture) -> None:
    """Neither of an input nor of an output, wherever it stands."""
    feed = {"x": np.array([[CANARY, CANARY]], "f")}
    total().run(None, feed)
    columns().run(None, {"age": feed["x"][:, :1], "visits": feed["x"][:, 1:]})
    softmax("y").run(None, feed)
    told = str([span.to_json() for span in captured.calls])
    assert "42424" not in told
    assert "84848" not in told  # the sum


def test_sessions_keep_what_they_are(captured: Capture) -> None:
    """Names, signatures and results are as they were."""
    with_us = (inspect.signature(Session.run), Session.run.__qualname__, Session.run.__doc__)
    result = softmax().run(None, logs((1, 3)))
    otel_ml.uninstrument()
    assert with_us == (
        inspect.signature(Session.run),
        Session.run.__qualname__,
        Session.run.__doc__,
    )
    assert type(result) is list
    assert type(result[0]) is np.ndarray


def test_what_was_there_is_put_back() -> None:
    """The very functions."""
    before = {name: function for name, function in vars(Session).items() if callable(function)}
    with capture():
        assert vars(Session)["run"] is not before["run"]
    assert {name: vars(Session)[name] for name in before} == before


def test_threads_share_a_session(captured: Capture) -> None:
    """Each call of each thread is one inference, with a number of its own."""
    model, feed = softmax(), logs((1, 3))
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: model.run(None, feed), range(200)))
    numbers = [dict(span.attributes or {})["ml.call.sequence"] for span in captured.calls]
    assert sorted(map(int, map(str, numbers))) == list(range(1, 201))


@pytest.mark.parametrize("order", ["before", "after"])
def test_the_order_of_importing_does_not_matter(order: str) -> None:
    """Imported before or after, sessions are observed; and the framework is never imported by us."""
    steps = ["import onnxruntime", "otel_ml.instrument(['onnxruntime'])"]
    first, second = steps if order == "before" else reversed(steps)
    program = f"""
        import sys, otel_ml
        {first}
        assert {order == "before"} or "onnxruntime" not in sys.modules
        {second}
        from onnxruntime.capi.onnxruntime_inference_collection import Session
        print(hasattr(Session.run, "__otel_ml__"))
    """
    assert run(program).stdout == "True\n"


def outcome(model: ort.InferenceSession, feed: Any) -> tuple[Any, ...]:
    """Return what a run gives or raises, as text that tells types and values apart."""
    try:
        answers = model.run(None, feed)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is compared
        return (type(error), str(error))
    return tuple((type(answer), repr(answer)) for answer in answers)


FEEDS: list[Any] = [
    lambda rng: {"x": rng.normal(size=(int(rng.integers(0, 5)), 2)).astype("f")},
    lambda rng: {"x": rng.normal(size=tuple(rng.integers(0, 4, size=rng.integers(0, 4))))},
    lambda rng: {"x": rng.choice([np.nan, np.inf, -np.inf, 0], size=(3, 2)).astype("f")},
    lambda rng: {"x": rng.normal(size=(2, 2)).astype("f").tolist()},
    lambda rng: {"x": rng.choice(np.array(["a", None, 1.0], dtype=object), size=(1, 2))},
    lambda rng: {"x": np.asfortranarray(rng.normal(size=(4, 2)).astype("f"))[::2]},
    lambda rng: {"x": None, "y": rng.normal(size=(1, 2))},
    lambda rng: {1: rng.normal(size=(1, 2))},
]


@pytest.mark.parametrize("model", [softmax, zipmap, total], ids=["softmax", "zipmap", "total"])
def test_whatever_is_fed_comes_out_as_without_us(model: Any) -> None:
    """Hundreds of feeds, good and bad: same values and types, same errors, and none of our own."""
    tried = model()
    feeds = [FEEDS[number % len(FEEDS)](np.random.default_rng(number)) for number in range(160)]
    alone = [outcome(tried, feed) for feed in feeds]
    with capture(Settings(capture_content="span_only", capture_outputs="full")) as seen:
        assert [outcome(tried, feed) for feed in feeds] == alone
        assert len(seen.calls) == 160
        assert seen.metric("ml.sdk.errors") == []
    assert context.get_current() == {}

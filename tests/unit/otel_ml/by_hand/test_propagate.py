"""Trace context in threads, queues and other processes."""

import pickle
import queue
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import joblib
import pytest
from opentelemetry import trace

import otel_ml
from otel_ml.testing import Capture


def span_id() -> int:
    """Return the id of the current span, 0 where there is none."""
    return trace.get_current_span().get_span_context().span_id


def ask(name: str) -> None:
    """Make an inference."""
    with otel_ml.inference(name):
        pass


def test_a_thread_belongs_to_the_trace(seen: Capture) -> None:
    """As many at once as there are."""
    with seen.tracer_provider.get_tracer("x").start_as_current_span("request") as request:
        there = otel_ml.propagate(span_id)
    with ThreadPoolExecutor(4) as pool:
        found = {future.result() for future in [pool.submit(there) for _ in range(20)]}
    assert found == {request.get_span_context().span_id}
    assert span_id() == 0


def test_a_thread_inside_of_an_inference_is_a_part_of_it(seen: Capture) -> None:
    """What it asks of models is no inference of its own; without it, it would be."""
    with otel_ml.inference("outer"), ThreadPoolExecutor(1) as pool:
        pool.submit(otel_ml.propagate(ask), "part").result()
        pool.submit(ask, "stranger").result()
    assert [span.name for span in seen.spans] == ["predict stranger", "predict outer"]


def test_an_item_of_a_queue_belongs_to_the_trace_it_was_put_in(seen: Capture) -> None:
    """Whatever trace the consumer is in."""
    items: queue.Queue[Any] = queue.Queue()
    tracer = seen.tracer_provider.get_tracer("x")
    with tracer.start_as_current_span("producer") as producer:
        items.put(otel_ml.propagate(ask))
    with tracer.start_as_current_span("consumer"):
        items.get()("m")
    inferred = next(span for span in seen.spans if span.name == "predict m")
    assert inferred.parent is not None
    assert inferred.parent.span_id == producer.get_span_context().span_id


def test_it_can_go_to_another_process(seen: Capture) -> None:
    """Pickled, it takes the trace context along, and that it is inside of an inference."""
    with seen.tracer_provider.get_tracer("x").start_as_current_span("request") as request:
        there = pickle.loads(pickle.dumps(otel_ml.propagate(span_id)))
    assert there() == request.get_span_context().span_id
    with otel_ml.inference("outer"):
        part = pickle.loads(pickle.dumps(otel_ml.propagate(ask)))
    seen.clear()
    part("part")
    assert seen.spans == ()


def test_workers_of_joblib_belong_to_the_trace(seen: Capture) -> None:
    """In processes of their own."""
    with seen.tracer_provider.get_tracer("x").start_as_current_span("request") as request:
        there = otel_ml.propagate(span_id)
        found = joblib.Parallel(n_jobs=2, backend="loky")(
            [joblib.delayed(there)() for _ in range(2)]
        )
    assert found == [request.get_span_context().span_id] * 2


def test_it_is_called_as_the_function_is() -> None:
    """Name, arguments, result and exceptions are the function's."""
    assert otel_ml.propagate(ask).__name__ == "ask"  # type: ignore[attr-defined]  # taken over from the function
    assert otel_ml.propagate(divmod)(7, 2) == (3, 1)
    with pytest.raises(ZeroDivisionError):
        otel_ml.propagate(divmod)(7, 0)


class Awaited:
    """An object whose call is awaited."""

    async def __call__(self) -> None:
        """Return."""


def ids() -> Iterator[str | None]:
    """Yield an id, when the call is over."""
    yield otel_ml.current_prediction_id()


def test_misuse_is_a_type_error() -> None:
    """What cannot be called, coroutines, which need nothing of the kind, and generators, to which it would carry nothing."""

    async def coroutine() -> None:
        """Return."""

    with pytest.raises(TypeError, match="expected a function, found int"):
        otel_ml.propagate(3)  # type: ignore[arg-type]  # on purpose
    with pytest.raises(TypeError, match="found a coroutine function"):
        otel_ml.propagate(coroutine)
    with pytest.raises(TypeError, match="found a coroutine function"):
        otel_ml.propagate(Awaited())
    with pytest.raises(TypeError, match="found a generator function"):
        otel_ml.propagate(ids)

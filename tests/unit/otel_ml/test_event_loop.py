"""How late an event loop runs, on real loops and on one whose clock the test turns."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest
from opentelemetry.metrics import Histogram

import otel_ml
from otel_ml import event_loop
from otel_ml.testing import Capture, capture

DELAY = "ml.runtime.event_loop.delay"


class Clock(asyncio.SelectorEventLoop):
    """A loop in which time passes when the test says so."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1000.0

    def time(self) -> float:
        """Return the test's time."""
        return self.now


def watched(loop: Clock, advances: list[float]) -> None:
    """Watch *loop*, and let it have a turn after each of *advances* in seconds."""

    async def serve() -> None:
        """Be a service with a loop."""
        otel_ml.watch_event_loop()
        for seconds in advances:
            loop.now += seconds
            await asyncio.sleep(0)
            await asyncio.sleep(0)

    try:
        loop.run_until_complete(serve())
    finally:
        loop.close()


def test_what_is_recorded_is_how_late_a_turn_came(captured: Capture) -> None:
    """Asked for after a tenth of a second: on time, a quarter late, on time, two seconds late."""
    watched(Clock(), [0.1, 0.05, 0.3, 0.1, 2.1])
    (point,) = captured.metric(DELAY)
    assert point.count == 4
    assert point.sum == pytest.approx(0.25 + 2.0)
    assert point.max == pytest.approx(2.0)
    assert dict(point.attributes) == {}


def test_a_loop_is_watched_once(captured: Capture) -> None:
    """However often it is asked for."""

    async def serve(loop: Clock) -> None:
        """Be a service with a loop."""
        for _ in range(3):
            otel_ml.watch_event_loop()
        loop.now += 0.1
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    loop = Clock()
    loop.run_until_complete(serve(loop))
    loop.close()
    (point,) = captured.metric(DELAY)
    assert point.count == 1


def test_a_model_in_the_loop_makes_it_late(captured: Capture) -> None:
    """A real loop, blocked for half a second; it ends as if nobody watched it."""

    async def serve() -> None:
        """Be a service with a loop."""
        otel_ml.watch_event_loop()
        await asyncio.sleep(0)
        time.sleep(0.5)  # noqa: ASYNC251 - which is what a model does that is called in the loop
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    asyncio.run(serve())
    (point,) = captured.metric(DELAY)
    assert point.count >= 1
    assert point.max >= 0.3


def test_without_a_running_loop_it_is_told_at_once() -> None:
    """Called where there is nothing to watch."""
    with pytest.raises(RuntimeError, match="no running event loop"):
        otel_ml.watch_event_loop()


def test_a_failing_metrics_sdk_does_not_reach_the_loop(
    captured: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is told to the loop's exception handler, and the failure is counted."""

    class Broken(Histogram):
        def __init__(self) -> None:
            """Be one."""

        def record(self, *_args: Any, **_kwargs: Any) -> None:
            """Fail."""
            raise ZeroDivisionError

    complaints: list[Any] = []
    broken: Callable[[Any], Histogram] = lambda _meter: Broken()  # noqa: E731 - one expression
    monkeypatch.setattr(event_loop, "create_ml_runtime_event_loop_delay", broken)
    loop = Clock()
    loop.set_exception_handler(lambda _loop, said: complaints.append(said))
    watched(loop, [0.1, 0.1, 0.1])
    assert complaints == []
    (point,) = captured.metric("ml.sdk.errors")
    assert point.value == 3


def test_nothing_is_measured_unless_asked_for() -> None:
    """The metric is opt-in: instrumenting alone does not watch a loop."""
    with capture() as seen:
        asyncio.run(asyncio.sleep(0))
        assert seen.metric(DELAY) == []

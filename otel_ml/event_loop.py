"""How late an event loop runs: what a model that is called in its thread does to everybody else."""

import asyncio
from typing import Final
from weakref import WeakSet

from otel_ml.in_force import in_force
from otel_ml.recorder import InferenceRecorder
from otel_ml_conventions.metrics import create_ml_runtime_event_loop_delay

__all__ = ["watch_event_loop"]

_INTERVAL_SECONDS: Final = 0.1

_watched: Final[WeakSet[asyncio.AbstractEventLoop]] = WeakSet()


def watch_event_loop() -> None:
    """
    Measure from now on how late the running event loop is, as `ml.runtime.event_loop.delay`.

    Ten times a second, until the loop ends, the loop is asked for a turn; what is recorded is how
    long after its time it came. To be called once in the loop's thread, when a service starts;
    another call for the same loop does nothing.

    Raises:
        RuntimeError: If no event loop runs in this thread.
    """
    loop = asyncio.get_running_loop()
    if loop not in _watched:
        _watched.add(loop)
        _Watch(loop, in_force()).wait()


class _Watch:
    """One loop and the turns it is asked for: a callback each, for a task could be cancelled."""

    __slots__ = ("_delays", "_due", "_loop", "_recorder")

    def __init__(self, loop: asyncio.AbstractEventLoop, recorder: InferenceRecorder) -> None:
        self._loop = loop
        self._recorder = recorder
        self._delays = create_ml_runtime_event_loop_delay(recorder.meter)
        self._due = 0.0

    def wait(self) -> None:
        """Ask for the next turn."""
        self._due = self._loop.time() + _INTERVAL_SECONDS
        self._loop.call_at(self._due, self._tell)

    def _tell(self) -> None:
        try:
            self._delays.record(max(0.0, self._loop.time() - self._due))
        except Exception as error:  # noqa: BLE001 - a metrics SDK may raise anything
            self._recorder.failed("record_metrics", error)
        self.wait()

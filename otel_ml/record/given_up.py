"""
Calls that end because nobody wants their answers any more.

One that was left in the middle and is a part of a cycle is ended by the garbage collector: in whatever thread, in the middle of whatever
that does. It may be the metrics SDK, an exporter or `logging`, under a lock that the end of a span asks for too, and would wait for without
end. So in the middle of a collection nothing ends: it is left to a thread of our own. What is closed in any other way has ended when the
next line runs.
"""

import atexit
import contextlib
import gc
import os
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, Final

__all__ = ["GivenUp", "given_up"]

_NOBODY: Final = 0  # is the number of no thread
_PATIENCE_SECONDS: Final = 5.0
"""So long a program that ends waits for the ends of its last calls."""


class GivenUp:
    """Ends calls, and those that garbage collection gives up in a thread of its own, which begins with the first `expect`."""

    def __init__(self) -> None:
        self._collector = _NOBODY
        self.restart()

    def restart(self) -> None:
        """Begin with nothing, in a process that was forked off."""
        # One may be put into it while another is: it was made for that.
        self._ends: SimpleQueue[Callable[[], object]] = SimpleQueue()
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None

    def expect(self) -> None:
        """Be ready for what begins now and may be given up; not to be called in the middle of a collection, which may start no thread."""
        if self._thread is not None or not self._starting.acquire(blocking=False):
            return
        if self._watch not in gc.callbacks:
            gc.callbacks.append(self._watch)
            atexit.register(self.settle)
        with contextlib.suppress(RuntimeError):  # a process that is shutting down starts none
            thread = threading.Thread(target=self._run, name="otel-ml given up", daemon=True)
            thread.start()
            self._thread = thread
        self._starting.release()

    def end(self, end: Callable[[], object]) -> None:
        """Call *end*, which must not raise: now, or a moment later where this thread is collecting garbage."""
        if self._collector == threading.get_ident():
            self._ends.put(end)
        else:
            end()

    def settle(self) -> None:
        """Return when all that was left for later has ended."""
        if self._thread is not None:
            have_ended = threading.Event()
            self._ends.put(have_ended.set)
            have_ended.wait(_PATIENCE_SECONDS)

    def _watch(self, phase: str, _details: dict[str, Any]) -> None:
        self._collector = threading.get_ident() if phase == "start" else _NOBODY

    def _run(self) -> None:
        ends = self._ends
        while True:
            ends.get()()  # under no name, or the last one would be kept


given_up: Final = GivenUp()

if hasattr(os, "register_at_fork"):  # not on Windows, which cannot fork
    os.register_at_fork(after_in_child=given_up.restart)

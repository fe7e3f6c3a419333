"""A bounded hand-over from the threads that call models to one quiet thread that does the rest."""

import contextlib
import os
import threading
import weakref
from collections import deque
from collections.abc import Callable
from typing import Any, Final, Generic, TypeVar

__all__ = ["Ring"]

_Item = TypeVar("_Item")

# How long the thread lets a batch gather after its first item. It bounds how often a process is
# woken (ten times a second), not how fresh anything is: whoever needs it now calls `drain`.
_LINGER_SECONDS: Final = 0.1
# Items consumed in one go. Between two goes the thread rests, so that a caller who comes back for
# the interpreter's lock waits for a millisecond where calls have one row, and a fork no longer for a drain.
_CHUNK: Final = 256
_REST_SECONDS: Final = 0.001
# A fork waits this long for a drain to pause; a child forked in the middle starts clean anyway.
_FORK_PATIENCE_SECONDS: Final = 1.0


class Ring(Generic[_Item]):
    """
    At most *capacity* items on their way to *consume*, in the order they came.

    `put` costs the caller an append. The thread starts with the first item and is a daemon. A
    forked child begins with an empty ring and no thread: the items are still with its parent.

    Args:
        capacity: Items held before `put` refuses.
        consume: Takes what has gathered, oldest first, never in two threads at once. Must not raise.
        forget: Called in a forked child before anything is put there.
    """

    def __init__(
        self,
        capacity: int,
        consume: Callable[[list[_Item]], None],
        forget: Callable[[], None],
    ) -> None:
        self._capacity = capacity
        self._consume = consume
        self._forget = forget
        self._begin()
        _rings.add(self)

    def _begin(self) -> None:
        self.process_id = os.getpid()
        self._items: deque[_Item] = deque()
        self._draining = threading.RLock()
        self._starting = threading.Lock()
        self._ready = threading.Event()
        self._is_idle = True  # what `_ready` is not, at no cost to those who ask
        self._urgent = threading.Event()
        self._thread: threading.Thread | None = None
        self._is_closed = False

    def put(self, item: _Item) -> bool:
        """Hand over *item*, or return False where the ring is full; where it is closed, *item* is consumed at once."""
        waiting = len(self._items)
        if waiting >= self._capacity:
            return False
        self._items.append(item)
        if self._is_closed:  # nobody else comes for it
            self.drain()
        elif self._is_idle:
            self._is_idle = False
            self._ready.set()
            self._ensure_thread()
        if waiting * 2 >= self._capacity and not self._urgent.is_set():
            self._urgent.set()
        return True

    def drain(self) -> None:
        """Consume, in the calling thread, all that was put before."""
        waiting = len(self._items)
        # At least once, for another thread may be about to consume what it has taken.
        while (consumed := self._drain_chunk()) and consumed < waiting:
            waiting -= consumed

    def _drain_chunk(self) -> int:
        with self._draining:
            chunk = [self._items.popleft() for _ in range(min(_CHUNK, len(self._items)))]
            if chunk:
                self._consume(chunk)
        return len(chunk)

    def close(self) -> None:
        """Consume what is left and let the thread end."""
        self._is_closed = True
        self._ready.set()
        self._urgent.set()
        self.drain()

    def restart(self) -> None:
        """Begin with nothing, in a process that was forked off."""
        self._begin()
        self._forget()

    def pause(self) -> bool:
        """Keep every thread from consuming until `resume`; False where one did not stop in time."""
        return self._draining.acquire(timeout=_FORK_PATIENCE_SECONDS)

    def resume(self) -> None:
        """Let threads consume again after a `pause` that returned True."""
        self._draining.release()

    def _ensure_thread(self) -> None:
        if self._thread is None and self._starting.acquire(blocking=False):
            # A process that is shutting down starts no threads; a last `drain` takes the items.
            with contextlib.suppress(RuntimeError):
                thread = threading.Thread(target=self._run, name="otel-ml", daemon=True)
                thread.start()
                self._thread = thread
            self._starting.release()

    def _run(self) -> None:
        ready, urgent = self._ready, self._urgent
        while not self._is_closed:
            ready.wait()
            ready.clear()
            urgent.wait(_LINGER_SECONDS)
            while self._items or not self._is_idle:
                # Said first and looked at after: what is put from now on wakes us again.
                self._is_idle = True
                while self._drain_chunk():
                    urgent.wait(_REST_SECONDS)
            urgent.clear()


_rings: "weakref.WeakSet[Ring[Any]]" = weakref.WeakSet()
_paused: list[Ring[Any]] = []


def _before_fork() -> None:
    # Without this a child could inherit a lock of the metrics SDK that our thread holds.
    _paused.extend(ring for ring in list(_rings) if ring.pause())


def _after_fork_in_parent() -> None:
    while _paused:
        _paused.pop().resume()


def _after_fork_in_child() -> None:
    _paused.clear()
    for ring in list(_rings):
        ring.restart()


if hasattr(os, "register_at_fork"):  # not on Windows, which cannot fork
    os.register_at_fork(
        before=_before_fork,
        after_in_parent=_after_fork_in_parent,
        after_in_child=_after_fork_in_child,
    )

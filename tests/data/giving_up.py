"""Calls left to the garbage collector, beside an exporter that takes a lock."""

from __future__ import annotations

import gc
import threading
from typing import TYPE_CHECKING, Any

from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Locking", "drop_in_a_cycle", "is_collected_under", "runs_through"]


class Locking(SpanProcessor):
    """A processor that takes a lock for each span, as those of the SDK do."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.ended: list[tuple[str, bool]] = []

    def on_end(self, span: ReadableSpan) -> None:
        """Note the span, and whether it ended in the main thread."""
        with self.lock:
            is_main = threading.current_thread() is threading.main_thread()
            self.ended.append((span.name, is_main))


def drop_in_a_cycle(dropped: Any) -> None:
    """Let go of *dropped* so that only the garbage collector can take it."""
    cycle = [dropped]
    cycle.append(cycle)


def runs_through(act: Callable[[], object]) -> bool:
    """Whether *act* comes to an end, in a thread of its own."""
    thread = threading.Thread(target=act, daemon=True)
    thread.start()
    thread.join(60)
    return not thread.is_alive()


def is_collected_under(lock: threading.Lock) -> bool:
    """Whether garbage collection comes to an end in a thread that holds *lock*."""

    def collect() -> None:
        with lock:
            gc.collect()

    return runs_through(collect)

"""Which windows an event has been sent of, so that there is at most one of each: who is called once for a window is not called again."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from otel_ml_processor.assess.reading import WindowSpan
    from otel_ml_processor.columns import StreamKey

__all__ = ["MAX_TOLD", "ToldWindows"]

MAX_TOLD: Final = 100
"""Windows of one name and stream that are remembered, the latest told ones: labels may come long after their window."""


class ToldWindows:
    """The windows of every stream that have had their event; of at most `MAX_TOLD` per window name of a stream that is not forgotten."""

    __slots__ = ("_ends",)

    def __init__(self) -> None:
        self._ends: dict[StreamKey, dict[str, deque[int]]] = {}

    def __contains__(self, window: tuple[StreamKey, WindowSpan]) -> bool:
        """Whether an event of *window* has been noted."""
        stream, span = window
        return span.end_ns in self._ends.get(stream, {}).get(span.name, ())

    def note(self, stream: StreamKey, span: WindowSpan) -> None:
        """Remember that an event of this window is sent."""
        ends = self._ends.setdefault(stream, {}).setdefault(span.name, deque(maxlen=MAX_TOLD))
        ends.append(span.end_ns)

    def forget(self, stream: StreamKey) -> None:
        """Drop what is remembered of *stream*; of an unknown one there is nothing to drop."""
        self._ends.pop(stream, None)

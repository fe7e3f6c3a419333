"""The windows that were told last, so that a processor that starts anew can tell them again."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from otel_ml_processor.columns import StreamKey
    from otel_ml_processor.windows.streams import ClosedWindow

__all__ = ["LastWindows"]


class LastWindows:
    """
    Of each stream and window name the last closed window, and where that had too few rows the last one that had enough.

    Two summaries per window name of a stream that is not forgotten. Not thread-safe: one `tick` at a time.
    """

    __slots__ = ("_streams",)

    def __init__(self) -> None:
        self._streams: dict[StreamKey, dict[str, tuple[ClosedWindow, ...]]] = {}

    def note(self, window: ClosedWindow) -> None:
        """Remember a window that has been told."""
        of_name = self._streams.setdefault(window.stream, {})
        before = of_name.get(window.closed.name, ())
        sufficient = tuple(each for each in before if each.closed.is_sufficient)
        kept = () if window.closed.is_sufficient else sufficient
        of_name[window.closed.name] = (*kept, window)

    def all(self) -> list[ClosedWindow]:
        """Return the windows, those of one name in their order."""
        return [
            window
            for of_name in self._streams.values()
            for windows in of_name.values()
            for window in windows
        ]

    def forget(self, stream: StreamKey) -> None:
        """Drop the windows of *stream*; of an unknown one there is nothing to drop."""
        self._streams.pop(stream, None)

"""The call that a context is about: the one under way there, or the last one."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import Final

from opentelemetry import trace

from otel_ml.record.recording import Recording

__all__ = ["Recent", "recent"]


class Recent:
    """The call that began last in each context, be it over or not: somebody may ask what it was."""

    def __init__(self) -> None:
        self._last: ContextVar[Recording | None] = ContextVar("otel_ml_recent", default=None)

    def remember(self, recording: Recording) -> None:
        """Make *recording* the last one of this context."""
        outer = self._last.get()
        while outer is not None and outer.has_ended:  # a part that came before this one
            outer = outer.outer
        recording.outer = outer
        self._last.set(recording)

    @contextmanager
    def during(self, recording: Recording) -> Iterator[None]:
        """Make *recording* the last one of this context while the block lasts."""
        token = self._last.set(recording)
        try:
            yield
        finally:
            with suppress(ValueError):  # closed in another context, by the garbage collector
                self._last.reset(token)

    def under_way(self) -> Recording | None:
        """Return the innermost call under way in this context."""
        recording = self.get()
        return None if recording is None or recording.has_ended else recording

    def here(self) -> Recording | None:
        """
        Return the call that this context is about: the one under way, else the one that ended last.

        None inside a span of another trace than that one's: a thread that serves one request after
        another keeps its context.
        """
        recording = self.get()
        if recording is None or not recording.has_ended or _is_of_this_trace(recording):
            return recording
        return None

    def get(self) -> Recording | None:
        """Return the innermost call under way in this context, else the last outermost one."""
        recording = self._last.get()
        while recording is not None and recording.has_ended and recording.outer is not None:
            recording = recording.outer
        return recording


recent: Final = Recent()


def _is_of_this_trace(recording: Recording) -> bool:
    here = trace.get_current_span().get_span_context()
    if not here.is_valid:
        return True
    place = recording.place
    made_in = recording.trace_id if place is None else place.trace_id
    return here.trace_id == made_in

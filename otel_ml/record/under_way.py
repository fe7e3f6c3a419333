"""The calls under way: the last one of each context, how many there are, and for how long the oldest runs."""

import weakref
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from time import perf_counter
from typing import Final

from opentelemetry import metrics, trace

from otel_ml.record.channel import Channel
from otel_ml.record.recording import Recording
from otel_ml_conventions.metrics import (
    DEFINITIONS,
    METRIC_ML_INFERENCE_ACTIVE,
    METRIC_ML_INFERENCE_OLDEST_AGE,
)

__all__ = ["CallsUnderWay", "Recent", "recent"]

_Attributes = tuple[tuple[str, str], ...]


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
    if not here.is_valid or recording.span is None:
        return not here.is_valid
    return here.trace_id == recording.span.get_span_context().trace_id


class CallsUnderWay:
    """
    The recordings of one recorder that have begun and not ended.

    A caller pays for adding to a set and taking from it; the rest is done when metrics are
    collected. `add` and `discard` are the set's own.
    """

    def __init__(self, meter: metrics.Meter) -> None:
        self._known: dict[_Attributes, dict[str, str]] = {}
        self._calls: set[Recording] = set()
        self.add = self._calls.add
        self.discard = self._calls.discard
        # A meter provider keeps its callbacks for ever; it must not keep us.
        _observe(meter, weakref.ref(self))

    def know(self, channel: Channel) -> None:
        """Tell of *channel* from now on, also while none of its calls is under way."""
        attributes = channel.metric_attributes
        self._known.setdefault(_key(attributes), attributes)

    def clear(self) -> None:
        """Forget the calls of the process that this one was forked from."""
        self._calls.clear()

    def numbers(self) -> list[metrics.Observation]:
        """Return the number of calls under way of everything that was ever called."""
        found = dict.fromkeys(self._known, 0)
        for call in self._calls.copy():
            found[_key(call.channel.metric_attributes)] += 1
        return [metrics.Observation(found[key], self._known[key]) for key in found]

    def ages(self) -> list[metrics.Observation]:
        """Return the seconds since the oldest call under way began; nothing where there is none."""
        oldest: dict[_Attributes, float] = {}
        for call in self._calls.copy():
            key = _key(call.channel.metric_attributes)
            oldest[key] = min(call.started, oldest.get(key, call.started))
        now = perf_counter()
        return [metrics.Observation(now - oldest[key], self._known[key]) for key in oldest]


def _key(attributes: dict[str, str]) -> _Attributes:
    return tuple(attributes.items())


def _observe(meter: metrics.Meter, reference: "weakref.ref[CallsUnderWay]") -> None:
    def numbers(_options: metrics.CallbackOptions) -> Iterable[metrics.Observation]:
        calls = reference()
        return () if calls is None else calls.numbers()

    def ages(_options: metrics.CallbackOptions) -> Iterable[metrics.Observation]:
        calls = reference()
        return () if calls is None else calls.ages()

    active = DEFINITIONS[METRIC_ML_INFERENCE_ACTIVE]
    oldest = DEFINITIONS[METRIC_ML_INFERENCE_OLDEST_AGE]
    meter.create_observable_up_down_counter(active.name, [numbers], active.unit, active.description)
    meter.create_observable_gauge(oldest.name, [ages], oldest.unit, oldest.description)

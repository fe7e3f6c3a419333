"""The calls under way: how many there are, and for how long the oldest runs."""

import weakref
from collections.abc import Iterable
from time import perf_counter
from typing import TYPE_CHECKING

from opentelemetry import metrics

from otel_ml.record.channel import Channel
from otel_ml_conventions.metrics import (
    DEFINITIONS,
    METRIC_ML_INFERENCE_ACTIVE,
    METRIC_ML_INFERENCE_OLDEST_AGE,
)

if TYPE_CHECKING:
    from otel_ml.record.recording import Recording

__all__ = ["CallsUnderWay"]

_Attributes = tuple[tuple[str, str], ...]


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

"""The calls under way: how many there are, and for how long the oldest runs."""

from collections.abc import Iterable
from time import perf_counter
from typing import Final

from opentelemetry import metrics

from otel_ml.record.channel import Channel
from otel_ml.record.recording import Recording
from otel_ml.record.reporters import Reporters
from otel_ml_conventions.metrics import (
    DEFINITIONS,
    METRIC_ML_INFERENCE_ACTIVE,
    METRIC_ML_INFERENCE_OLDEST_AGE,
)

__all__ = ["CallsUnderWay"]

_Attributes = tuple[tuple[str, str], ...]


_MAX_KNOWN: Final = 1024


class CallsUnderWay:
    """
    The recordings of one recorder that have begun and not ended.

    A caller pays for adding to a set and taking from it; the rest is done when metrics are
    collected. `add` and `discard` are the set's own.

    Args:
        meter: Makes the instruments.
        provider: Whose it is, None for the global one.
    """

    def __init__(self, meter: metrics.Meter, provider: metrics.MeterProvider | None) -> None:
        self._known: dict[_Attributes, dict[str, str]] = {}
        self._calls: set[Recording] = set()
        self.add = self._calls.add
        self.discard = self._calls.discard
        reporters = _reporters.of(provider)
        if reporters.join(self):
            _observe(meter, reporters)

    def know(self, channel: Channel) -> None:
        """Tell of *channel* from now on, also while none of its calls is under way; of 1024 at most."""
        if len(self._known) >= _MAX_KNOWN:  # somebody puts what varies into a name
            self._known.clear()
        attributes = channel.metric_attributes
        self._known.setdefault(_key(attributes), attributes)

    def clear(self) -> None:
        """Forget the calls of the process that this one was forked from."""
        self._calls.clear()

    def known(self) -> list[dict[str, str]]:
        """Return the attributes of everything that is told of."""
        return list(self._known.copy().values())

    def calls(self) -> set[Recording]:
        """Return the calls under way."""
        return self._calls.copy()


_reporters: Final[Reporters[CallsUnderWay]] = Reporters()


def _numbers(reporters: Reporters[CallsUnderWay]) -> list[metrics.Observation]:
    """Return the number of calls under way of everything that was ever called."""
    known = {_key(attributes): attributes for each in reporters for attributes in each.known()}
    found = dict.fromkeys(known, 0)
    for each in reporters:
        for call in each.calls():
            attributes = call.channel.metric_attributes
            known[_key(attributes)] = attributes
            found[_key(attributes)] = found.get(_key(attributes), 0) + 1
    return [metrics.Observation(found[key], known[key]) for key in found]


def _ages(reporters: Reporters[CallsUnderWay]) -> list[metrics.Observation]:
    """Return the seconds since the oldest call under way began; nothing where there is none."""
    oldest: dict[_Attributes, Recording] = {}
    for each in reporters:
        for call in each.calls():
            key = _key(call.channel.metric_attributes)
            if call.started < oldest.setdefault(key, call).started:
                oldest[key] = call
    now = perf_counter()
    return [
        metrics.Observation(now - call.started, call.channel.metric_attributes)
        for call in oldest.values()
    ]


def _key(attributes: dict[str, str]) -> _Attributes:
    return tuple(attributes.items())


def _observe(meter: metrics.Meter, reporters: Reporters[CallsUnderWay]) -> None:
    def numbers(_options: metrics.CallbackOptions) -> Iterable[metrics.Observation]:
        return _numbers(reporters)

    def ages(_options: metrics.CallbackOptions) -> Iterable[metrics.Observation]:
        return _ages(reporters)

    active = DEFINITIONS[METRIC_ML_INFERENCE_ACTIVE]
    oldest = DEFINITIONS[METRIC_ML_INFERENCE_OLDEST_AGE]
    meter.create_observable_up_down_counter(active.name, [numbers], active.unit, active.description)
    meter.create_observable_gauge(oldest.name, [ages], oldest.unit, oldest.description)

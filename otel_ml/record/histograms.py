"""Histograms that find what the SDK keeps for some attributes once, not anew for every number."""

from collections.abc import Callable, Iterable, Mapping
from time import time_ns
from typing import Any, Final, NamedTuple

from opentelemetry.context import Context
from opentelemetry.metrics import Histogram

from otel_ml.record.known_sdk import is_sdk_known

__all__ = ["DirectHistogram"]

_SDK_MODULE: Final = "opentelemetry.sdk.metrics."
# The SDK's exemplar filters that look at nothing but the context, which many numbers share.
_BY_CONTEXT: Final = frozenset(
    {"AlwaysOffExemplarFilter", "AlwaysOnExemplarFilter", "TraceBasedExemplarFilter"}
)
_MAX_KNOWN: Final = 1024
_ENDLESS: Final = float("inf")


class _Measurement:
    """A number on its way into the SDK's aggregations, with what those and their exemplars read."""

    __slots__ = ("attributes", "context", "instrument", "time_unix_nano", "value")

    def __init__(self, instrument: Any, attributes: Mapping[str, Any]) -> None:
        self.instrument = instrument
        self.attributes = attributes
        self.time_unix_nano = time_ns()
        self.context: Context
        self.value: float


class _Way(NamedTuple):
    """
    The way of numbers with certain attributes into the SDK, as long as nothing changes there.

    Attributes:
        attributes: They; held, so that no other mapping gets their identity.
        instrument: The SDK's.
        consumer: What the SDK's instruments hand their numbers to.
        readers: What that keeps of each reader; another mapping when one comes or goes.
        is_exemplar: Decides whether a number may become an exemplar.
        decides_by_context: Whether it looks at nothing but the context.
        aggregate: What adds a number, of each reader and view.
    """

    attributes: Mapping[str, Any]
    instrument: Any
    consumer: Any
    readers: Any
    is_exemplar: Callable[..., bool]
    decides_by_context: bool
    aggregate: tuple[Callable[[Any, bool], None], ...]

    def add(self, numbers: Iterable[tuple[float, Context]]) -> None:
        """Add *numbers*, each with its context."""
        # One for all of them: what is kept of it, be it in an exemplar, are its parts.
        measurement = _Measurement(self.instrument, self.attributes)
        now, decided, is_exemplar = measurement.time_unix_nano, None, False
        for number, context in numbers:
            if not 0 <= number < _ENDLESS:
                self.instrument.record(number, self.attributes, context)
                continue
            measurement.value, measurement.context = number, context
            if context is not decided:
                is_exemplar = self.is_exemplar(number, now, self.attributes, context)
                decided = context if self.decides_by_context else None
            for aggregate in self.aggregate:
                aggregate(measurement, is_exemplar)

    def is_open(self) -> bool:
        """Whether numbers still go this way."""
        return self.consumer._reader_storages is self.readers and _is_enabled(self.instrument)  # noqa: SLF001 - of an SDK that is known


class DirectHistogram:
    """
    A histogram for many numbers with few sets of attributes.

    At every number the SDK copies and checks the attributes and makes a key of them, which takes ten
    times as long as adding the number. So only the first number of each set goes that way. From then
    on the very aggregations that it reached are asked, in the SDK's own words and with the SDK's own
    decision on exemplars. Where anything is not as it is known to be, every number goes the public way.

    Args:
        instrument: Where the numbers go.
    """

    def __init__(self, instrument: Histogram) -> None:
        self._instrument = instrument
        self._ways: dict[int, _Way] = {}
        self._is_known = is_sdk_known()

    def record(
        self, numbers: Iterable[tuple[float, Context]], attributes: Mapping[str, Any]
    ) -> None:
        """
        Add *numbers*, each at least 0 and finite, or left to the SDK to refuse.

        Args:
            numbers: What was measured, and in what context: one that holds the span, or says that there
                is none; of an empty one the SDK makes the current one.
            attributes: Texts by name; never changed afterwards, and best the same object every time.
        """
        rest = iter(numbers)
        way = self._ways.get(id(attributes))
        while way is None or not way.is_open():
            number, context = next(rest, (None, None))
            if number is None:
                return
            self._instrument.record(number, attributes, context)
            way = self._find_way(attributes) if 0 <= number < _ENDLESS else None
        way.add(rest)

    def _find_way(self, attributes: Mapping[str, Any]) -> _Way | None:
        # One that a global provider was to be asked for later knows the SDK's by now, if there is one.
        instrument = getattr(self._instrument, "_real_instrument", self._instrument)
        is_of_sdk = type(instrument).__module__.startswith(_SDK_MODULE)
        if not self._is_known or not is_of_sdk or not _is_enabled(instrument):
            return None
        try:
            way = _way(instrument, attributes)
        except Exception:  # noqa: BLE001 - it is built in another way than is known
            self._is_known = False
            return None
        if len(self._ways) >= _MAX_KNOWN:
            self._ways.clear()
        self._ways[id(attributes)] = way
        return way


def _is_enabled(instrument: Any) -> bool:
    """Whether an SDK's *instrument* takes numbers; the earlier ones always do."""
    is_enabled = getattr(instrument, "_is_enabled", None)
    return is_enabled is None or is_enabled()


def _way(instrument: Any, attributes: Mapping[str, Any]) -> _Way:
    """
    Return the way of numbers with *attributes*, one of which *instrument* has just been given.

    Raises:
        Exception: If the SDK is not built as it is known to be.
    """
    consumer = instrument._measurement_consumer  # noqa: SLF001 - there is no public place, here and below
    readers = consumer._reader_storages  # noqa: SLF001
    chosen = consumer._sdk_config.exemplar_filter  # noqa: SLF001
    matches = [
        match
        for storage in readers.values()
        for match in storage._get_or_init_view_instrument_match(instrument)  # noqa: SLF001
    ]
    return _Way(
        attributes,
        instrument,
        consumer,
        readers,
        chosen.should_sample,
        type(chosen).__module__.startswith(_SDK_MODULE) and type(chosen).__name__ in _BY_CONTEXT,
        tuple(_aggregation(match, attributes).aggregate for match in matches),
    )


def _aggregation(match: Any, attributes: Mapping[str, Any]) -> Any:
    """Return what a view and an instrument that *match* keep of *attributes*, or of those that the view keeps."""
    kept = match._view._attribute_keys  # noqa: SLF001
    told = {key: fact for key, fact in attributes.items() if kept is None or key in kept}
    (found,) = [
        aggregation
        for aggregation in match._attributes_aggregation.values()  # noqa: SLF001
        if aggregation._attributes == told  # noqa: SLF001
    ]
    return found

"""The streams whose predictions wait for labels: their cohorts, and what is known of their labels."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Final, NamedTuple

from otel_ml_processor.columns import StreamKey
from otel_ml_processor.feedback.cohorts import Cohorts
from otel_ml_processor.feedback.delays import Delays
from otel_ml_processor.feedback.memory import LabelledMemory
from otel_ml_processor.feedback.segment_numbers import SegmentNumbers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from otel_ml_processor.assess.reading import Reading, WindowSpan
    from otel_ml_processor.config import Config
    from otel_ml_processor.feedback.cohorts import Cohort
    from otel_ml_processor.windows.reference import Reference

__all__ = ["LabelledStream", "LabelledStreams"]

_SEAL_TRIES: Final = 3


class _Seal(NamedTuple):
    """A window that has closed, what was expected of it, and how often its cohort was looked for."""

    window: WindowSpan
    estimated: Mapping[str, float]
    tries: int = 0


@dataclass(slots=True)
class LabelledStream:
    """
    One stream, with its cohorts by the name of their window.

    `newest_ns` is the latest that was heard of it, prediction or label, in nanoseconds since 1970; `is_changed` is whether there is something new
    to tell.
    """

    key: StreamKey
    cohorts: dict[str, Cohorts]
    segments: SegmentNumbers
    newest_ns: int = 0
    has_labels: bool = False
    is_changed: bool = False
    delays: Delays = field(default_factory=Delays)
    _seals: list[_Seal] = field(default_factory=list, init=False)

    def close(self, reading: Reading) -> None:
        """Note that a window has closed, with what was expected of it; its cohort is sealed with the next `seal`."""
        self._seals.append(_Seal(reading.window, reading.estimated))

    def seal(self) -> None:
        """Seal the cohorts of the windows that have closed."""
        seals, self._seals = self._seals, []
        for seal in seals:
            window = seal.window
            cohorts = self.cohorts[window.name]
            is_found = cohorts.seal(window.start_ns, window.end_ns, seal.estimated)
            self.is_changed = True
            # A window may have closed between counting a request and leaving its rows here; then they come with the next tick.
            if not is_found and seal.tries < _SEAL_TRIES:
                self._seals.append(seal._replace(tries=seal.tries + 1))

    def labelled(self, told_ns: int, predicted_ns: int) -> None:
        """Note that a label came for the first time: told then, of a prediction of *predicted_ns*."""
        self.newest_ns = max(self.newest_ns, told_ns)
        self.delays.add(max(0.0, (told_ns - predicted_ns) / 1e9))
        self.has_labels = True

    def cohorts_of(self, windows: Sequence[int]) -> Iterator[Cohort]:
        """Yield the cohorts that are still kept of a prediction with those numbers, one per window."""
        for cohorts, number in zip(self.cohorts.values(), windows, strict=False):
            cohort = cohorts.get(number)
            if cohort is not None:
                yield cohort

    def memory(self, number: int) -> LabelledMemory:
        """Return what is known of its labels, for `recall`; predictions remember it by that *number*."""
        return LabelledMemory(
            number=number,
            stream=self.key.texts,
            newest_ns=self.newest_ns,
            has_labels=self.has_labels,
            delays=tuple(self.delays.counts),
            delay_s=self.delays.total_s,
            segments=self.segments.memory(),
            cohorts={name: cohorts.memory() for name, cohorts in self.cohorts.items()},
        )

    def recall(
        self, memory: LabelledMemory, reference: Reference | None, *, counts_go_on: bool
    ) -> None:
        """
        Go on from what was known before, without the delays where not *counts_go_on*; *reference* is what the stream is compared with now.

        Raises:
            ValueError: If segments or bins are others.
        """
        self.newest_ns, self.has_labels = memory.newest_ns, memory.has_labels
        self.is_changed = memory.has_labels  # what labels said is told again
        if counts_go_on:
            self.delays.recall(memory.delays, memory.delay_s)
        self.segments.recall(memory.segments)
        for name, cohorts in self.cohorts.items():
            cohorts.recall(memory.cohorts[name], reference)


class LabelledStreams:
    """
    All of them, each with a number that predictions remember it by: the smallest that no other has.

    *reference_of* gives what the predictions of a stream are compared with now.
    """

    __slots__ = ("_config", "_number_of", "_reference_of", "_streams")

    def __init__(
        self, config: Config, reference_of: Callable[[StreamKey], Reference | None]
    ) -> None:
        self._config = config
        self._reference_of = reference_of
        self._streams: dict[int, LabelledStream] = {}
        self._number_of: dict[StreamKey, int] = {}

    def __getitem__(self, number: int) -> LabelledStream:
        return self._streams[number]

    def __iter__(self) -> Iterator[LabelledStream]:
        return iter(self._streams.values())

    def find(self, key: StreamKey) -> int | None:
        """Return the number of a stream; None where it has none."""
        return self._number_of.get(key)

    def number(self, key: StreamKey) -> int | None:
        """Return the number of a stream, a new one where it has none yet; None where there is no room for it."""
        number = self._number_of.get(key)
        if number is not None:
            return number
        if sum(s.key.tenant == key.tenant for s in self) >= self._config.streams.max:
            return None
        number = next(n for n in count() if n not in self._streams)
        self._streams[number] = self._new(key, self._reference_of(key))
        self._number_of[key] = number
        return number

    def forget(self, key: StreamKey) -> int | None:
        """Drop a stream and return its number, which the next new one may have; None where it has none."""
        number = self._number_of.pop(key, None)
        if number is not None:
            del self._streams[number]
        return number

    def memory(self) -> tuple[LabelledMemory, ...]:
        """Return what is known of all, for `recall`."""
        return tuple(stream.memory(number) for number, stream in self._streams.items())

    def recall(self, memory: Sequence[LabelledMemory], *, counts_go_on: bool) -> None:
        """
        Go on from what was known before, without the delays where not *counts_go_on*.

        Raises:
            ValueError: If a stream's segments or bins are others; nothing has been taken over then.
        """
        self._streams = {
            said.number: self._recalled(said, counts_go_on=counts_go_on) for said in memory
        }
        self._number_of = {stream.key: number for number, stream in self._streams.items()}

    def _recalled(self, said: LabelledMemory, *, counts_go_on: bool) -> LabelledStream:
        key = StreamKey(*said.stream)
        reference = self._reference_of(key)
        stream = self._new(key, reference)
        stream.recall(said, reference, counts_go_on=counts_go_on)
        return stream

    def _new(self, key: StreamKey, reference: Reference | None) -> LabelledStream:
        cohorts = {
            w.name: Cohorts(of_rows=w.rows is not None)
            for w in self._config.of_model(key.model, key.version).windows
        }
        rules = self._config.segments
        segments = SegmentNumbers(rules.attributes, rules.max_values, reference)
        return LabelledStream(key, cohorts, segments)

"""How much feedback there was, and what came of it."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING, NamedTuple

from otel_ml_conventions.attributes import MlFeedbackOutcomeValues, MlFeedbackSourceValues
from otel_ml_processor.columns import StreamKey
from otel_ml_processor.feedback.memory import JoinedMemory

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

__all__ = ["FeedbackTotals", "Joined", "Tally"]


class Joined(NamedTuple):
    """How feedback is counted; None for what was not said, or cannot be right or wrong."""

    outcome: MlFeedbackOutcomeValues
    correct: bool | None
    source: MlFeedbackSourceValues | None


class FeedbackTotals(NamedTuple):
    """
    What feedback a stream has had since the processor began.

    `delays` counts by the boundaries of `ml.feedback.delay`, `delay_s` is their sum; since when, in nanoseconds since 1970, is None where that
    is since the processor began, and `since_ns` where it goes on from what one before it has counted. `stream` is None for all that names a stream beyond
    the cap.
    """

    stream: StreamKey | None
    joined: Mapping[Joined, int]
    delays: tuple[int, ...]
    delay_s: float
    since_ns: int | None = None


class Tally:
    """Feedback by stream and by what came of it, of at most *max_named* streams that nobody but the feedback names."""

    __slots__ = ("_counts", "_max_named")

    def __init__(self, max_named: int) -> None:
        self._max_named = max_named
        self._counts: defaultdict[StreamKey | None, Counter[Joined]] = defaultdict(Counter)

    def __iter__(self) -> Iterator[tuple[StreamKey | None, Mapping[Joined, int]]]:
        # Copies: what is told is written out by other threads while this one counts on.
        return ((stream, dict(counts)) for stream, counts in self._counts.items())

    def add(self, stream: StreamKey, joined: Joined) -> None:
        """Count feedback on a prediction of *stream*."""
        self._counts[stream][joined] += 1

    def add_named(self, stream: StreamKey, joined: Joined) -> None:
        """Count feedback that found nothing and names *stream*: there may be none of that name."""
        has_room = stream in self._counts or len(self._counts) < self._max_named
        self._counts[stream if has_room else None][joined] += 1

    def forget(self, stream: StreamKey) -> None:
        """Drop what was counted of *stream*; what comes of it later is counted anew."""
        self._counts.pop(stream, None)

    def memory(self) -> tuple[JoinedMemory, ...]:
        """Return what was counted, for `recall`."""
        return tuple(
            JoinedMemory(
                None if stream is None else stream.texts,
                joined.outcome.value,
                joined.correct,
                None if joined.source is None else joined.source.value,
                times,
            )
            for stream, counts in self._counts.items()
            for joined, times in counts.items()
        )

    def recall(self, memory: Sequence[JoinedMemory]) -> None:
        """Go on from what was counted before; ValueError of an outcome or a source that there is not."""
        for said in memory:
            source = None if said.source is None else MlFeedbackSourceValues(said.source)
            joined = Joined(MlFeedbackOutcomeValues(said.outcome), said.correct, source)
            stream = None if said.stream is None else StreamKey(*said.stream)
            self._counts[stream][joined] = said.times

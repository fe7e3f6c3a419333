"""All streams: which windows a row belongs to, how event time passes, and what is counted when it does not fit."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from otel_ml_processor.columns import StreamKey
from otel_ml_processor.windows.disjoint import Parts, RowWindows
from otel_ml_processor.windows.divided import UNDIVIDED
from otel_ml_processor.windows.event_times import EventTimes
from otel_ml_processor.windows.panes import TimeWindows, pane_length_ns
from otel_ml_processor.windows.placed import place
from otel_ml_processor.windows.quality import Freshness, StreamQuality
from otel_ml_processor.windows.silence import Silence
from otel_ml_processor.windows.summary import Summary

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from otel_ml_processor.columns import IntArray
    from otel_ml_processor.config import Config, StreamsConfig, WindowConfig
    from otel_ml_processor.sketches.label_counts import LabelCounts
    from otel_ml_processor.windows.disjoint import Closed, Open, Step, Windows
    from otel_ml_processor.windows.divided import Divisions
    from otel_ml_processor.windows.placed import PlacedRows
    from otel_ml_processor.windows.reference import Reference

__all__ = [
    "MAX_AHEAD_NS",
    "OVERFLOW",
    "ClosedWindow",
    "Counts",
    "Increment",
    "StreamCopy",
    "Streams",
    "Totals",
    "WindowsCopy",
]

MAX_AHEAD_NS: Final = 60_000_000_000
"""A span may end this far in the future (clocks differ); beyond it its end is taken to be now, and it does not move event time."""
OVERFLOW: Final = StreamKey(service="(overflow)", environment="", model="(overflow)", version="")
"""The stream in which the rows of all streams beyond the cap are counted, together and compared with nothing."""
_BEGINNING: Final = -(1 << 62)
_MAX_CLOSED: Final = 4096
"""Closed windows of one kind of a stream that wait to be told: whoever sends chooses the times, and assessing takes longer than closing."""


class ClosedWindow(NamedTuple):
    """A closed window with the stream it belongs to and the reference it is compared with."""

    stream: StreamKey
    reference: Reference | None
    closed: Closed


@dataclass(slots=True)
class Counts:
    """
    What has happened to rows, cumulative: `late` and `clamped` by event time, `overflow` beyond the cap of streams.

    `strangers` are rows that name no tenant, or one beyond the cap, where tenants are told apart; `untold` are those of closed windows that
    made room for newer ones before they were told.
    """

    late: int = 0
    clamped: int = 0
    overflow: int = 0
    strangers: int = 0
    untold: int = 0


class Totals(NamedTuple):
    """What a stream has had since it was first seen: rows per predicted class, of low confidence, and out of distribution."""

    stream: StreamKey
    labels: Mapping[str, int]
    low_confidence: int
    ood: int = 0
    invalid: Mapping[str, int] = {}
    """Predictions that break a rule for outputs, by `ml.validation.rule`."""
    freshness: Freshness | None = None


@dataclass(frozen=True, slots=True)
class Increment:
    """
    What the rows of one request changed in a stream, without the rows: counts of their parts, and which window took which part.

    `parts` is by where a part begins and ends in the request; the whole is among them. `steps` is by name of the window.
    """

    stream: StreamKey
    newest_ns: int
    heard_ns: int
    parts: Mapping[tuple[int, int], Summary]
    steps: Mapping[str, Sequence[Step]]

    @property
    def whole(self) -> Summary:
        """What all rows together count."""
        return self.parts[0, max(end for _, end in self.parts)]


class WindowsCopy(NamedTuple):
    """What the windows of one kind hold, and how much one of them may hold."""

    name: str
    extent: str
    opened: Sequence[Open]
    carried: Open | None

    def all(self) -> list[Open]:
        """Return the open windows and what is carried."""
        return [*self.opened, *([] if self.carried is None else [self.carried])]


class StreamCopy(NamedTuple):
    """All that a stream has; `labels`, `low_confidence` and `ood` since it was first seen."""

    stream: StreamKey
    newest_ns: int
    heard_ns: int
    labels: LabelCounts
    low_confidence: int
    windows: Sequence[WindowsCopy]
    closed: Sequence[Closed]
    ood: int
    quality: StreamQuality


@dataclass(slots=True)
class _Stream:
    reference: Reference | None
    windows: list[Windows]
    new_summary: Callable[[], Summary]
    labels: LabelCounts
    low_confidence: int = 0
    ood: int = 0
    quality: StreamQuality = field(default_factory=StreamQuality)
    newest_ns: int = _BEGINNING
    """Newest event time; less the lateness it is the watermark. Of an idle stream it follows the clock."""
    row_ns: int = 0
    """Event time of the newest row since the start, which no clock moves: how long rows have come without a value is told by it."""
    heard_ns: int = 0
    """When the last row came, by the clock."""
    moved_ns: int = 0
    """When one came that event time follows, by the clock: since then the stream is idle, even where rows from the future go on coming."""
    closed: list[Closed] = field(default_factory=list)

    def count(self, whole: Summary) -> None:
        """Add rows to what is counted since the stream was first seen."""
        self.labels.merge(whole.labels)
        self.low_confidence += whole.scores.low
        self.ood += whole.ood
        self.quality.count(whole)

    def freshness(self) -> Freshness:
        """Return when rows and values came last; after a restart, and until a row comes, the newest row is that of the newest value."""
        seen_ns = self.quality.seen_ns
        return Freshness(self.heard_ns, max(self.row_ns, *seen_ns.values(), 0), seen_ns)

    def go_back(self, now_ns: int) -> None:
        """Have event time go back with a clock that was put back: it stands further ahead than any span takes it, and all that comes would be late."""
        if self.newest_ns > now_ns + MAX_AHEAD_NS:
            self.newest_ns = now_ns
        self.moved_ns = min(self.moved_ns, now_ns)

    def make_room(self) -> int:
        """Give up the closed windows that are too many to wait, the oldest first; return how many rows they have that come again in no other."""
        n_given_up = len(self.closed) - _MAX_CLOSED * len(self.windows)
        if n_given_up <= 0:
            return 0  # the common case
        given_up, self.closed = self.closed[:n_given_up], self.closed[n_given_up:]
        return sum(window.summary.rows for window in given_up if window.is_sufficient)

    def copied(self, key: StreamKey) -> StreamCopy:
        """Return all of it, with summaries of its own; those of closed windows do not change any more."""
        labels = self.new_summary().labels
        labels.merge(self.labels)
        windows = [
            WindowsCopy(w.name, w.extent, w.open_windows(), w.carried()) for w in self.windows
        ]
        return StreamCopy(
            key,
            self.newest_ns,
            self.heard_ns,
            labels,
            self.low_confidence,
            windows,
            tuple(self.closed),
            self.ood,
            StreamQuality(self.quality.invalid, self.quality.seen_ns),
        )

    def absorb(self, copy: StreamCopy) -> None:
        """Merge *copy*, whose windows have the same extents."""
        opened = [window for held in copy.windows for window in held.all()]
        summaries = [w.summary for w in opened] + [closed.summary for closed in copy.closed]
        for summary in summaries:
            self.new_summary().merge(summary)  # raises before anything is changed
        of_name = {window.name: window for window in copy.windows}
        for windows in self.windows:
            if windows.name in of_name:
                held = of_name[windows.name]
                self.closed += windows.absorb(held.opened, held.carried)
        self.closed += copy.closed
        self.labels.merge(copy.labels)
        self.low_confidence += copy.low_confidence
        self.ood += copy.ood
        self.quality.merge(copy.quality)
        self.note(copy.newest_ns, copy.heard_ns)

    def note(self, newest_ns: int, heard_ns: int) -> None:
        """Take note that rows came, the newest of them of that event time."""
        self.newest_ns = max(self.newest_ns, newest_ns)
        self.heard_ns = max(self.heard_ns, heard_ns)
        self.moved_ns = self.heard_ns


class Streams:
    """
    Every stream's windows behind one lock; adding is one commit.

    With *models* their windows, fewest rows and low confidence may differ by model. Memory is at most `config.max` streams and the one of the overflow, each with the panes of its windows, a `Summary` for each pane;
    where there may be *max_tenants*, for each of them. None: tenants are not told apart.
    """

    def __init__(
        self,
        config: StreamsConfig,
        windows: Sequence[WindowConfig],
        reference_of: Callable[[StreamKey], Reference | None],
        low_confidence: float | None = None,
        divisions: Divisions = UNDIVIDED,
        models: Config | None = None,
        max_tenants: int | None = None,
    ) -> None:
        self._config = config
        self._lateness_ns = round(config.lateness * 1e9)
        self._max_tenants = max_tenants
        self._divisions = divisions
        self._models = models
        self._windows = tuple(windows)
        self._reference_of = reference_of
        self._low_confidence = low_confidence
        self._streams: dict[StreamKey, _Stream] = {}
        self._silence = Silence(lambda key: self._streams[key].heard_ns)
        self._retired: dict[StreamKey, list[ClosedWindow]] = {}
        self._lock = threading.Lock()
        self.counts = Counts()

    def add(self, batches: Sequence[PlacedRows], now_ns: int) -> list[Increment]:
        """
        Add the rows of one request, all of them or (on an error) as many as there were before it.

        Return what that changed, per stream; what is of streams beyond the cap changes the stream `OVERFLOW`.
        """
        with self._lock:
            return [self._add(placed, now_ns) for placed in batches if len(placed)]

    def repeat(self, increment: Increment) -> None:
        """
        Change once more what *increment* changed: in a twin of the streams that it comes from it leads to the same.

        Raises:
            ValueError: If its stream has no room here, or its windows or its reference are others; nothing has been changed then.
        """
        with self._lock:
            stream = self._stream_for(increment.stream, increment.heard_ns)
            whole = increment.whole
            if increment.steps.keys() != {windows.name for windows in stream.windows}:
                raise ValueError(f"{increment.stream}: its windows are others now")
            with _named(increment.stream):
                stream.new_summary().merge(whole)  # raises before anything is changed
            self._keep(increment.stream, stream)
            for windows in stream.windows:
                for step in increment.steps[windows.name]:
                    stream.closed += windows.take(step, increment.parts[step.begin, step.end])
            stream.count(whole)
            self.counts.untold += stream.make_room()
            stream.note(increment.newest_ns, increment.heard_ns)

    def __contains__(self, key: object) -> bool:
        """Return whether rows of the stream *key* are counted by themselves."""
        with self._lock:
            return key in self._streams

    def copies(self) -> list[StreamCopy]:
        """Return what every stream has, all of the same instant, free to be read while rows go on being added."""
        with self._lock:
            return [stream.copied(key) for key, stream in self._streams.items()]

    def absorb(self, copy: StreamCopy) -> None:
        """
        Merge what a stream had elsewhere or before: counts add up, event time is the newest of both.

        Raises:
            ValueError: If there is no room for the stream, or its reference or a window is another one; nothing has been changed then.
        """
        with self._lock:
            stream = self._stream_for(copy.stream, copy.heard_ns)
            extents = {windows.name: windows.extent for windows in stream.windows}
            for window in copy.windows:
                if extents.get(window.name) != window.extent:
                    raise ValueError(
                        f"{copy.stream}: window {window.name} of {window.extent} is {extents.get(window.name, 'none')} now"
                    )
            with _named(copy.stream):
                stream.absorb(copy)
            self._keep(copy.stream, stream)

    def refer_anew(self) -> list[StreamKey]:
        """
        Compare the streams whose reference is another one now with that, and return them.

        Their windows begin anew; those that were open are closed, and belong to the reference that they were counted against.
        """
        with self._lock:
            changed = [
                key
                for key, s in self._streams.items()
                if self._reference_of(key) is not s.reference
            ]
            for key in changed:
                self._streams[key] = self._referred_anew(key, self._streams[key])
            return changed

    def _referred_anew(self, key: StreamKey, before: _Stream) -> _Stream:
        stream = self._new_stream(key)
        stream.closed = before.closed + [c for windows in before.windows for c in windows.finish()]
        stream.labels.merge(before.labels)
        stream.low_confidence, stream.ood = before.low_confidence, before.ood
        stream.quality = StreamQuality(before.quality.invalid)  # features may be others now
        stream.newest_ns, stream.heard_ns = before.newest_ns, before.heard_ns
        stream.moved_ns, stream.row_ns = before.moved_ns, before.row_ns
        return stream

    def close(self, now_ns: int) -> list[ClosedWindow]:
        """Return the windows that have been closed by rows or by time since the last call, per stream in order."""
        with self._lock:
            for stream in self._streams.values():
                watermark = self._watermark(stream, now_ns)
                for windows in stream.windows:
                    stream.closed += windows.close(watermark)
            return self._taken()

    def retired(self) -> list[StreamKey]:
        """
        Return the streams that have made room for others and whose last windows have been taken: nothing more will be said of them.

        Each once; one that is here again has begun anew.
        """
        with self._lock:
            told = [key for key, closed in self._retired.items() if not closed]
            for key in told:
                del self._retired[key]
            return told

    def slide(self, now_ns: int) -> list[ClosedWindow]:
        """Return the windows that end with a pane which has passed since the last call: fresh numbers, of which nothing is to be decided."""
        with self._lock:
            return [
                ClosedWindow(key, stream.reference, slid)
                for key, stream in self._streams.items()
                for windows in stream.windows
                if (slid := windows.slide(self._watermark(stream, now_ns))) is not None
            ]

    def finish(self) -> list[ClosedWindow]:
        """Return all windows, closed or still open: the processor is about to stop."""
        with self._lock:
            for stream in self._streams.values():
                for windows in stream.windows:
                    stream.closed += windows.finish()
            return self._taken()

    def lag_s(self, now_ns: int) -> float:
        """Return how far behind the clock the event time of the slowest stream is, in seconds, >= 0; 0 without one that has any."""
        with self._lock:
            newest = [s.newest_ns for s in self._streams.values() if s.newest_ns > _BEGINNING]
        return max(0.0, (now_ns - min(newest)) / 1e9) if newest else 0.0

    def totals(self) -> list[Totals]:
        """Return the cumulative counts of every stream."""
        with self._lock:
            return [
                Totals(
                    key,
                    stream.labels.counts(),
                    stream.low_confidence,
                    stream.ood,
                    dict(stream.quality.invalid),
                    stream.freshness(),
                )
                for key, stream in self._streams.items()
            ]

    def forget_totals(self) -> None:
        """Count anew what `totals` tells; windows stay as they are."""
        with self._lock:
            for stream in self._streams.values():
                stream.labels, stream.low_confidence = stream.new_summary().labels, 0
                stream.ood = 0
                stream.quality = StreamQuality(seen_ns=stream.quality.seen_ns)

    def _taken(self) -> list[ClosedWindow]:
        taken = [window for closed in self._retired.values() for window in closed]
        self._retired = {key: [] for key in self._retired}
        for key, stream in self._streams.items():
            taken += [ClosedWindow(key, c.summary.reference, c) for c in stream.closed]
            stream.closed = []
        return taken

    def _add(self, placed: PlacedRows, now_ns: int) -> Increment:
        key = self._key(placed.rows.stream, now_ns)
        if key == OVERFLOW and self._is_stranger(placed.rows.stream):
            self.counts.strangers += len(placed)
        elif key == OVERFLOW:
            self.counts.overflow += len(placed)
        stream = self._streams.get(key)
        if stream is None:
            stream = self._new_stream(key)
            self._keep(key, stream)
        if placed.reference is not stream.reference:  # it has changed since they were placed
            placed = place(placed.rows, stream.reference)
        times = self._times(stream, placed.rows.end_times_ns, now_ns)
        if times.times_ns is not placed.rows.end_times_ns:  # some were from the future
            placed = replace(placed, rows=replace(placed.rows, end_times_ns=times.times_ns))
        parts = Parts(placed, stream.new_summary)
        whole = parts.summary(0, len(placed))
        steps: dict[str, list[Step]] = {}
        for windows in stream.windows:
            steps[windows.name] = windows.plan(times, self._lateness_ns)
            for step in steps[windows.name]:
                stream.closed += windows.take(step, parts.summary(step.begin, step.end))
        stream.heard_ns = now_ns
        self._keep(key, stream)
        stream.count(whole)
        self._count_late(stream)
        self.counts.untold += stream.make_room()
        return Increment(key, stream.newest_ns, now_ns, parts.summaries(), steps)

    def _key(self, key: StreamKey, now_ns: int) -> StreamKey:
        """Return where rows of *key* are counted."""
        if key in self._streams:
            return key
        if self._is_stranger(key) and not (key.tenant and self._make_room_for_tenant(now_ns)):
            return OVERFLOW
        # Within the tenant: nobody makes room for the streams of another.
        has_room = self._silence.n_streams(key.tenant) < self._config.max
        return key if has_room or self._make_room(key.tenant, now_ns) else OVERFLOW

    def _keep(self, key: StreamKey, stream: _Stream) -> None:
        """Have *stream*, which may be here already, among the others; it is heard when it says."""
        self._streams[key] = stream
        if key != OVERFLOW:
            self._silence.hear(key, stream.heard_ns)

    def _is_stranger(self, key: StreamKey) -> bool:
        """Return whether *key* names no tenant, or one that is not here and for which there is no room."""
        if self._max_tenants is None:
            return False
        is_full = self._silence.n_tenants >= self._max_tenants
        return not key.tenant or (is_full and not self._silence.knows(key.tenant))

    def _make_room(self, tenant: str, now_ns: int) -> bool:
        """Retire the stream of *tenant* that has been silent for longest; return whether one has been silent for long enough."""
        quietest = self._silence.stream(tenant, self._silent_since(now_ns))
        if quietest is not None:
            self._retire(quietest)
        return quietest is not None

    def _make_room_for_tenant(self, now_ns: int) -> bool:
        """Retire all streams of the tenant that has been silent for longest; return whether one has been silent for long enough."""
        quietest = self._silence.tenant(self._silent_since(now_ns))
        if quietest is None:
            return False
        for key in self._silence.of(quietest):
            self._retire(key)
        return True

    def _silent_since(self, now_ns: int) -> int:
        return now_ns - round(self._config.silent * 1e9)

    def _retire(self, key: StreamKey) -> None:
        stream = self._streams.pop(key)
        self._silence.forget(key)
        closed = stream.closed + [c for windows in stream.windows for c in windows.finish()]
        last = [ClosedWindow(key, c.summary.reference, c) for c in closed]
        self._retired[key] = self._retired.get(key, []) + last

    def _stream_for(self, key: StreamKey, heard_ns: int) -> _Stream:
        """Return the stream, or an empty one that is not among the others yet."""
        if key != OVERFLOW and self._key(key, heard_ns) == OVERFLOW:
            raise ValueError(f"{key}: {self._why_no_room(key)}")
        return self._streams.get(key) or self._new_stream(key)

    def _why_no_room(self, key: StreamKey) -> str:
        if not self._is_stranger(key):
            return "there are more streams than streams.max"
        return "there are more tenants than tenants.max" if key.tenant else "it names no tenant"

    def _new_stream(self, key: StreamKey) -> _Stream:
        reference = None if key == OVERFLOW else self._reference_of(key)
        own = self._models.of_model(key.model, key.version) if self._models else None
        low_confidence = own.verdicts.low_confidence if own else self._low_confidence

        def new() -> Summary:
            return Summary(reference, low_confidence, self._divisions)

        min_rows = (own.streams if own else self._config).min_rows
        windows = [_windows_of(w, min_rows, new) for w in (own.windows if own else self._windows)]
        return _Stream(reference, windows, new, new().labels)

    def _times(self, stream: _Stream, end_times_ns: IntArray, now_ns: int) -> EventTimes:
        """Return the rows' event times, with which the stream's has passed."""
        stream.go_back(now_ns)
        times = EventTimes(end_times_ns, stream.newest_ns)
        moves = True
        if times.last_ns > now_ns + MAX_AHEAD_NS:
            is_ahead = end_times_ns > now_ns + MAX_AHEAD_NS
            self.counts.clamped += int(is_ahead.sum())
            moves = not is_ahead.all()
            times = EventTimes(np.where(is_ahead, now_ns, end_times_ns), stream.newest_ns, is_ahead)
        stream.newest_ns = times.newest_ns
        stream.row_ns = max(stream.row_ns, times.last_ns)
        if moves or not stream.moved_ns:
            stream.moved_ns = now_ns
        return times

    def _watermark(self, stream: _Stream, now_ns: int) -> int:
        stream.go_back(now_ns)
        if now_ns - stream.moved_ns >= self._config.idle * 1e9:
            stream.newest_ns = max(stream.newest_ns, now_ns)
        return stream.newest_ns - self._lateness_ns

    def _count_late(self, stream: _Stream) -> None:
        # Once per row: what is late for a long window is late for a shorter one.
        timed = [windows for windows in stream.windows if isinstance(windows, TimeWindows)]
        self.counts.late += max((windows.late_rows for windows in timed), default=0)
        for windows in timed:
            windows.late_rows = 0


@contextmanager
def _named(stream: StreamKey) -> Iterator[None]:
    """Have what is wrong with counts of *stream* say whose they are."""
    try:
        yield
    except ValueError as error:
        raise ValueError(f"{stream}: {error}") from None


def _windows_of(config: WindowConfig, min_rows: int, new: Callable[[], Summary]) -> Windows:
    """Return the empty windows that *config* describes; *new* makes an empty summary."""
    if config.rows is not None:
        return RowWindows(config.name, config.rows, min_rows, new)
    length_ns = round((config.length or 0) * 1e9)
    return TimeWindows(config.name, length_ns, pane_length_ns(config), min_rows, new)

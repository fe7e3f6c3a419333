"""
A profile of a model that has none, learned from its inferences.

Its first rows are kept in memory until they tell where the edges of bins lie and which categories there are; from then on rows are counted, by the
windows that count them anyway. A restart keeps the counts; where the edges are not known yet, it begins anew.
"""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Final

import msgspec

from otel_ml_processor.columns import StreamKey
from otel_ml_processor.decode.joined import joined
from otel_ml_processor.learn.counted import CountedRows
from otel_ml_processor.learn.names import feature_names
from otel_ml_processor.learn.rows import profile_of_rows
from otel_ml_processor.profile import Source, sealed
from otel_ml_processor.windows.schemas import schemas_of
from otel_ml_processor.windows.streams import OVERFLOW

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from otel_ml_processor.columns import InferenceColumns
    from otel_ml_processor.config import BootstrapConfig, DriftConfig
    from otel_ml_processor.decode.inference_spans import InferenceSpans
    from otel_ml_processor.learn.learned_files import LearnedFiles
    from otel_ml_processor.profile import Profile
    from otel_ml_processor.windows.placed import PlacedRows
    from otel_ml_processor.windows.reference import Reference
    from otel_ml_processor.windows.references import References
    from otel_ml_processor.windows.streams import Increment

__all__ = ["Learner"]

_MAX_SAMPLE_ROWS: Final = 5000
"""Rows that tell where edges lie; 250 in each of 20 bins."""
_SAMPLE_SHARE: Final = 4
_MAX_SAMPLES: Final = 8
"""Streams whose rows are in memory at once; further ones wait for their turn."""
_BLOCKS: Final = 50
_MIN_BLOCK_ROWS: Final = 200
_SILENT_NS: Final = 3_600_000_000_000
_WRITE_NS: Final = 30_000_000_000
_LOGGER: Final = logging.getLogger(__name__)


@dataclass(slots=True)
class _Growing:
    """What has been learned of one stream so far."""

    names: tuple[str, ...] = ()
    heard: InferenceSpans | None = None
    sample: list[InferenceColumns] = field(default_factory=list)
    sample_rows: int = 0
    first_ns: int = 0
    newest_ns: int = 0
    heard_ns: int = 0
    profile: Profile | None = None
    """With the rows of the sample, once it is complete."""
    reference: Reference | None = None
    counted: CountedRows | None = None
    written_ns: int = 0
    is_changed: bool = False

    def take(self, rows: InferenceColumns, spans: InferenceSpans, most: int) -> None:
        """Keep *rows* in the sample, until there are *most* of them; their *spans* where features may be in them that nobody asked for."""
        if not self.names and self.heard is None:
            self.heard = spans
        if all(name in rows.features for name in self.names):
            kept = rows[: most - self.sample_rows]
            self.sample.append(kept)
            self.sample_rows += len(kept)

    def rename(self, names: tuple[str, ...]) -> None:
        """Ask for the features *names* from now on; rows without them are of no use any more."""
        self.names, self.sample, self.sample_rows = names, [], 0

    def note(self, increment: Increment, longest_s: float) -> None:
        """
        Take note of event time, which a span from the future does not move; below 0 there is none yet.

        A step of more than *longest_s* that did not take half as long covers nothing: a clock that stood at 1970 was put right.
        """
        newest_ns, heard_ns = increment.newest_ns, increment.heard_ns
        step_ns = newest_ns - self.newest_ns
        if self.newest_ns and step_ns > max(longest_s * 1e9, 2 * (heard_ns - self.heard_ns)):
            self.first_ns += step_ns
        self.first_ns = self.first_ns or max(0, newest_ns)
        self.newest_ns, self.heard_ns = max(self.newest_ns, newest_ns), heard_ns


class Learner:
    """
    Learns the profiles of streams that have none, and gives them to *references*; safe to use from any thread.

    `remember` is called with what requests say, `settle` as time passes. At most as many profiles as *most* are kept: where there are so many, that of a stream
    which has made room for another (`forget`), or of which nothing has come for *silent_s* seconds since a restart, makes room here too. *drift* has the smallest
    effect that can alarm, for the self-tests.
    """

    def __init__(
        self,
        config: BootstrapConfig,
        drift: DriftConfig,
        references: References,
        files: LearnedFiles,
        most: int = 100,
        silent_s: float = 86_400.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._config = config
        self._effect_floor = drift.effect_floor
        self._references = references
        self._files = files
        self._most = most
        self._growing: dict[StreamKey, _Growing] = {}
        self._silent_s = silent_s
        self._clock = clock
        self._gone: dict[StreamKey, float] = {}
        """Streams of which something is known and that nothing has come of since they made room, or since the start, and from when on they make room here; the longest first."""
        self._lock = threading.Lock()

    def recall(self) -> None:
        """Go on with what is in the files."""
        for stream, profile in self._files.read().items():
            self._gone[stream] = self._clock() + self._silent_s
            self._references.learn(stream, profile)
            is_in_force = self._references.profile(stream) is profile
            if profile.provisional and is_in_force:
                self._growing[stream] = self._resumed(stream, profile)

    def features(self, stream: StreamKey) -> tuple[str, ...] | None:
        """Return the features that a decoder has to read: those of the reference, or those that are being learned."""
        known = self._references.features(stream)
        if known is not None:
            return known
        growing = self._growing.get(stream)
        return (growing.names or None) if growing is not None else None

    def learns(self, stream: StreamKey) -> bool:
        """Return whether the profile of *stream*, which has none, is being learned, or will be as soon as it is its turn."""
        has_room = self._references.n_learned < self._most or self._longest_gone() is not None
        return stream != OVERFLOW and _is_plain(stream) and (stream in self._growing or has_room)

    def forget(self, stream: StreamKey) -> None:
        """Take note that *stream* has made room: its profile is kept for when it comes again, as long as no other one needs the room."""
        with self._lock:
            if stream in self._growing or self._references.has_learned(stream):
                self._gone[stream] = self._clock()

    def asks(self, stream: StreamKey) -> bool:
        """Return whether the bytes of the next spans of *stream*, which has no reference, are to tell which features it has."""
        growing = self._growing.get(stream)
        return growing is None or (not growing.names and growing.heard is None)

    def remember(
        self,
        spans: InferenceSpans,
        counted: Sequence[PlacedRows],
        increments: Sequence[Increment],
    ) -> None:
        """Take note of the rows of a request, which were *counted*, and of what that changed."""
        increment_of = {increment.stream: increment for increment in increments}
        with self._lock:
            for stream in increment_of:
                self._gone.pop(stream, None)
            for placed in counted:
                if placed.reference is None and placed.rows.stream in increment_of:
                    self._sample(placed.rows, spans, increment_of[placed.rows.stream])
                elif len(placed.outside_rows):
                    self._widen(placed)
            for increment in increments:
                self._count(increment)

    def settle(self, now_ns: int) -> list[StreamKey]:
        """Draw what conclusions can be drawn; return the streams that have another reference now, or one with more rows."""
        with self._lock:
            growing = list(self._growing.items())
            return [stream for stream, each in growing if self._settled(stream, each, now_ns)]

    def close(self) -> None:
        """Write down what has been counted."""
        with self._lock:
            for stream, growing in self._growing.items():
                self._write(stream, growing)

    def _sample(self, rows: InferenceColumns, spans: InferenceSpans, increment: Increment) -> None:
        stream = rows.stream
        growing = self._growing.get(stream)
        if growing is None:
            if not _is_plain(stream) or not self._has_room(increment.newest_ns):
                return
            growing = self._growing[stream] = _Growing()
        if growing.profile is None and growing.sample_rows < self._sample_rows:
            growing.take(rows, spans, self._sample_rows)
            growing.note(increment, self._config.min_duration)

    def _has_room(self, now_ns: int) -> bool:
        """Return whether one more stream can be learned; where there are samples enough, one that has long been silent makes room."""
        while self._references.n_learned >= self._most:
            gone = self._longest_gone()
            if gone is None:
                return False
            self._unlearn(gone)
        samples = {s: g.newest_ns for s, g in self._growing.items() if g.profile is None}
        if len(samples) < _MAX_SAMPLES:
            return True
        silent = min(samples, key=samples.__getitem__)
        if now_ns - samples[silent] < _SILENT_NS:
            return False
        del self._growing[silent]
        self._gone.pop(silent, None)
        return True

    def _longest_gone(self) -> StreamKey | None:
        now_s = self._clock()
        return next((s for s, since_s in list(self._gone.items()) if since_s <= now_s), None)

    def _unlearn(self, gone: StreamKey) -> None:
        del self._gone[gone]
        self._growing.pop(gone, None)
        if self._references.unlearn(gone):
            self._files.remove(gone)
            _LOGGER.info("%s: what was learned of it makes room for another", gone)

    @property
    def _sample_rows(self) -> int:
        return min(_MAX_SAMPLE_ROWS, self._config.rows // _SAMPLE_SHARE)

    def _count(self, increment: Increment) -> None:
        growing = self._growing.get(increment.stream)
        whole = increment.whole
        if growing is None or growing.counted is None or whole.reference is not growing.reference:
            return
        growing.is_changed |= growing.counted.add(whole)
        growing.note(increment, self._config.min_duration)

    def _widen(self, placed: PlacedRows) -> None:
        growing = self._growing.get(placed.rows.stream)
        if growing is not None and growing.counted and placed.reference is growing.reference:
            growing.counted.widen(placed)

    def _settled(self, stream: StreamKey, growing: _Growing, now_ns: int) -> bool:
        try:
            return self._settle(stream, growing, now_ns)
        except Exception:
            # One model that cannot be learned costs no other, and nothing that is known already.
            _LOGGER.exception("%s cannot be learned; it begins anew", stream)
            self._growing.pop(stream, None)
            return False

    def _settle(self, stream: StreamKey, growing: _Growing, now_ns: int) -> bool:
        if self._references.reference(stream) is not growing.reference:
            del self._growing[stream]  # there is a profile of its model meanwhile
            return False
        if growing.profile is None:
            return self._conclude_sample(stream, growing)
        if self._is_complete(growing) or self._files.was_frozen(stream):
            return self._freeze(stream, growing, now_ns)
        if growing.is_changed and not 0 <= now_ns - growing.written_ns < _WRITE_NS:
            growing.is_changed, growing.written_ns = False, now_ns
            self._write(stream, growing)
            return True
        return False

    def _conclude_sample(self, stream: StreamKey, growing: _Growing) -> bool:
        if growing.heard is not None:
            names = feature_names(growing.heard, stream)
            growing.heard = None
            if names:
                growing.rename(names)
        if growing.sample_rows < self._sample_rows:
            return False
        rows = joined(growing.sample)
        source = Source(
            kind="inferences",
            uri=str(stream),
            rows=len(rows),
            service=stream.service,
            environment=stream.environment,
            tenant=stream.tenant,
        )
        built, left_out = profile_of_rows(rows, source=source, created=_iso(growing.first_ns))
        for name, reason in left_out.items():
            _LOGGER.info("%s: feature %s is not learned: %s", stream, name, reason)
        growing.sample = []
        if built is None:
            _LOGGER.info("%s says nothing that could be learned", stream)
            growing.sample_rows = 0
            return False
        provisional = sealed(
            msgspec.structs.replace(built, provisional=True, schemas=schemas_of(rows))
        )
        self._references.learn(stream, provisional)
        self._growing[stream] = self._resumed(stream, provisional, growing)
        self._files.write(stream, provisional)
        return True

    def _resumed(
        self, stream: StreamKey, profile: Profile, growing: _Growing | None = None
    ) -> _Growing:
        block_rows = max(_MIN_BLOCK_ROWS, self._config.rows // _BLOCKS)
        resumed = growing or _Growing(first_ns=_ns(profile.created))
        resumed.profile = profile
        resumed.reference = self._references.reference(stream)
        if resumed.reference is not None:
            resumed.counted = CountedRows(resumed.reference, block_rows)
        return resumed

    def _is_complete(self, growing: _Growing) -> bool:
        covered_s = (growing.newest_ns - growing.first_ns) / 1e9
        return _rows(growing) >= self._config.rows and covered_s >= self._config.min_duration

    def _freeze(self, stream: StreamKey, growing: _Growing, now_ns: int) -> bool:
        profile = self._current(growing)
        if profile is None or growing.counted is None:
            return False
        tests, own_windows = growing.counted.tested(self._effect_floor)
        frozen = sealed(
            msgspec.structs.replace(
                profile,
                provisional=False,
                created=_iso(now_ns),
                self_tests=tests,
                own_windows=own_windows,
            )
        )
        self._references.learn(stream, frozen)
        self._files.write(stream, frozen)
        del self._growing[stream]
        _LOGGER.info("%s: learned from %d rows; alarms begin", stream, frozen.source.rows)
        return True

    def _write(self, stream: StreamKey, growing: _Growing) -> None:
        profile = self._current(growing)
        if profile is not None:
            self._references.learn(stream, profile)
            self._files.write(stream, profile)

    def _current(self, growing: _Growing) -> Profile | None:
        if growing.profile is None or growing.counted is None:
            return None
        return growing.counted.added_to(growing.profile)


def _rows(growing: _Growing) -> int:
    sampled = growing.profile.source.rows if growing.profile else growing.sample_rows
    return sampled + (growing.counted.rows if growing.counted else 0)


def _is_plain(stream: StreamKey) -> bool:
    """Whether *stream* is all that a service asks a model, no part of it: only that has a name in a profile."""
    return stream == StreamKey(*stream.texts)


def _iso(time_ns: int) -> str:
    return datetime.fromtimestamp(time_ns / 1e9, tz=timezone.utc).isoformat(timespec="seconds")


def _ns(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1e9)

"""Streams and what requests add to them, as they are written: integers, names of classes and windows, never a value of a feature."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np

from otel_ml_processor.columns import StreamKey
from otel_ml_processor.sketches.label_counts import MAX_LABELS
from otel_ml_processor.sketches.moments import Moments
from otel_ml_processor.sketches.repeated_inputs import MAX_INPUTS
from otel_ml_processor.state.counts import counts_of, packed
from otel_ml_processor.windows.adjusted_counts import Adjusted, Outcomes
from otel_ml_processor.windows.call_ranges import CallRange
from otel_ml_processor.windows.disjoint import Closed, Open, Step
from otel_ml_processor.windows.divided import BY_CLASS, MAX_VALUES, Divisions
from otel_ml_processor.windows.quality import StreamQuality
from otel_ml_processor.windows.streams import Increment, StreamCopy, WindowsCopy
from otel_ml_processor.windows.summary import Summary

if TYPE_CHECKING:
    from collections.abc import Callable

    from otel_ml_processor.sketches.by_value import ByValue
    from otel_ml_processor.windows.call_ranges import CallRanges
    from otel_ml_processor.windows.quality import Quality
    from otel_ml_processor.windows.reference import Reference

__all__ = ["Stored", "StoredClosed", "StoredIncrement", "StoredStream", "StoredSummary"]

_QUANTA_BYTES = 16
_Key = tuple[str, ...]
_SixSums = tuple[bytes, bytes, bytes, bytes, bytes, bytes]
_FiveSums = tuple[bytes, bytes, bytes, bytes, bytes]


class Stored(msgspec.Struct, frozen=True, array_like=True):
    """Something in a file; fields are told apart by their order."""


class StoredDivision(Stored, frozen=True):
    """A `ByValue`: the integers of each value, and of all others together."""

    blocks: dict[str, bytes]
    others: bytes | None

    @classmethod
    def of(cls, division: ByValue) -> StoredDivision:
        """Return *division* as it is written."""
        blocks = {value: packed(block) for value, block in sorted(division.blocks.items())}
        return cls(blocks, None if division.others is None else packed(division.others))

    def put_into(self, division: ByValue) -> None:
        """Add what was written; ValueError where the outputs of the reference were others."""
        width = division.width
        blocks = {value: counts_of(block, width) for value, block in self.blocks.items()}
        others = None if self.others is None else counts_of(self.others, width)
        division.add_counts(blocks, others)


class StoredQuality(Stored, frozen=True):
    """A `Quality`; of inputs and outputs there are hashes, nothing else."""

    calls: int
    inputs: bytes
    schemas: dict[str, int]
    other_schemas: int
    invalid: bytes
    seen_ns: bytes

    @classmethod
    def of(cls, quality: Quality) -> StoredQuality | None:
        """Return *quality* as it is written; None of one that has nothing."""
        said = quality.repeated.calls or quality.schemas.counts() or quality.invalid.any()
        if not (said or quality.seen_ns.any()):
            return None
        return cls(
            calls=quality.repeated.calls,
            inputs=quality.repeated.columns.astype("<i8").tobytes(),
            schemas=quality.schemas.by_class(),
            other_schemas=quality.schemas.others,
            invalid=packed(quality.invalid),
            seen_ns=packed(quality.seen_ns),
        )

    def put_into(self, quality: Quality) -> None:
        """Add what was written; ValueError where it is none, or the features of the reference were others."""
        columns = np.frombuffer(self.inputs, dtype="<i8").reshape(4, -1).astype(np.int64)
        if columns.shape[1] > MAX_INPUTS or (columns[1] < 1).any():
            raise ValueError(f"expected at most {MAX_INPUTS} inputs, each of a call, found others")
        quality.repeated.calls, quality.repeated.columns = self.calls, columns
        quality.schemas.add_counts(self.schemas, self.other_schemas)
        quality.invalid[:] = counts_of(self.invalid, len(quality.invalid))
        quality.seen_ns[:] = counts_of(self.seen_ns, len(quality.seen_ns))


class StoredSampling(Stored, frozen=True):
    """What rows stand for whose samplers have said it: sums of any size, by process, of those without a number, and of outcomes."""

    by_process: dict[int, _SixSums]
    unnumbered: _SixSums
    outcomes: _FiveSums
    failed: int

    @classmethod
    def of(cls, calls: CallRanges) -> StoredSampling | None:
        """Return what *calls* say of it as it is written; None where they say nothing."""
        if not (calls.outcomes.rows or calls.failed):
            return None
        by_process = {
            process: _six(counted.adjusted)
            for process, counted in sorted(calls.by_process.items())
            if counted.adjusted.calls
        }
        rows, bad, weights, squares, bad_weights = map(_written, calls.outcomes)
        outcomes = rows, bad, weights, squares, bad_weights
        return cls(by_process, _six(calls.unnumbered), outcomes, calls.failed)

    def put_into(self, calls: CallRanges) -> None:
        """Add what was written to the processes that are there; ValueError where it is none."""
        for process, sums in self.by_process.items():
            before = calls.by_process.get(process)
            if before is None:
                raise ValueError(f"expected sums of processes whose calls came, found {process}")
            calls.by_process[process] = before._replace(adjusted=Adjusted._make(map(_read, sums)))
        calls.unnumbered = Adjusted._make(map(_read, self.unnumbered))
        calls.outcomes = Outcomes._make(map(_read, self.outcomes))
        calls.failed = self.failed


def _six(sums: Adjusted) -> _SixSums:
    calls, said, all_calls, all_said, quanta, low = map(_written, sums)
    return calls, said, all_calls, all_said, quanta, low


def _written(number: int) -> bytes:
    return number.to_bytes((number.bit_length() + 7) // 8, "little")


def _read(written: bytes) -> int:
    return int.from_bytes(written, "little")


class StoredSummary(Stored, frozen=True):
    """A `Summary`, with the id of the reference that it was counted against (empty without one)."""

    reference: str
    threshold: float
    rows: int
    counts: bytes
    low: int
    cells: bytes
    moments: tuple[tuple[int, int, bytes], ...]
    labels: dict[str, int]
    others: int
    hours: bytes
    calls: tuple[tuple[int, int, int, int, int, bytes, int], ...]
    divided: dict[str, StoredDivision] = {}
    quality: StoredQuality | None = None
    sampling: StoredSampling | None = None

    @classmethod
    def of(cls, summary: Summary) -> StoredSummary:
        """Return *summary* as it is written."""
        scores = summary.scores
        return cls(
            reference=summary.reference.id if summary.reference else "",
            threshold=scores.threshold,
            rows=summary.rows,
            counts=packed(summary.counts),
            low=scores.low,
            cells=packed(scores.counts),
            moments=tuple(
                (m.count, m.invalid, m.quanta.to_bytes(_QUANTA_BYTES, "little"))
                for m in (scores.confidence, scores.entropy, scores.margin)
            ),
            labels=summary.labels.by_class(),
            others=summary.labels.others,
            hours=packed(summary.hours),
            calls=tuple(
                (process, *c[:4], c.quanta.to_bytes(_QUANTA_BYTES, "little"), c.low)
                for process, c in sorted(summary.calls.by_process.items())
            ),
            divided={
                name: StoredDivision.of(division)
                for name, division in summary.divided.by_name.items()
                if len(division) or division.others is not None
            },
            quality=StoredQuality.of(summary.quality),
            sampling=StoredSampling.of(summary.calls),
        )

    def summary(self, reference: Reference | None) -> Summary:
        """
        Return what was written, counted against *reference*.

        Raises:
            ValueError: If it was counted against another one, or is no summary.
        """
        current = reference.id if reference else ""
        if self.reference != current:
            raise ValueError(
                f"it was counted against profile {_shown(self.reference)}, and {_shown(current)} is in force"
            )
        segments = tuple(name for name in self.divided if name != BY_CLASS)
        classes = MAX_LABELS if BY_CLASS in self.divided else None
        summary = Summary(reference, self.threshold, Divisions(classes, segments, MAX_VALUES))
        for name, division in self.divided.items():
            division.put_into(summary.divided.by_name[name])
        summary.rows = self.rows
        summary.counts[:] = counts_of(self.counts, len(summary.counts))
        summary.hours[:] = counts_of(self.hours, len(summary.hours))
        summary.calls.add_ranges(
            (process, CallRange(low, high, came, said, int.from_bytes(quanta, "little"), n_low))
            for process, low, high, came, said, quanta, n_low in self.calls
        )
        if self.sampling is not None:
            self.sampling.put_into(summary.calls)
        scores = summary.scores
        scores.low = self.low
        scores.counts[:] = counts_of(self.cells, len(scores.counts))
        scores.confidence, scores.entropy, scores.margin = map(_moments, self.moments)
        summary.labels.add_counts(self.labels, self.others)
        if self.quality is not None:
            self.quality.put_into(summary.quality)
        return summary


class StoredOpen(Stored, frozen=True):
    """An `Open` window."""

    start_ns: int
    end_ns: int
    summary: StoredSummary

    @classmethod
    def of(cls, window: Open) -> StoredOpen:
        """Return *window* as it is written."""
        return cls(window.start_ns, window.end_ns, StoredSummary.of(window.summary))

    def window(self, reference: Reference | None) -> Open:
        """Return what was written; ValueError as `StoredSummary.summary`."""
        return Open(self.start_ns, self.end_ns, self.summary.summary(reference))


class StoredWindows(Stored, frozen=True):
    """A `WindowsCopy`."""

    name: str
    extent: str
    opened: tuple[StoredOpen, ...]
    carried: StoredOpen | None

    @classmethod
    def of(cls, windows: WindowsCopy) -> StoredWindows:
        """Return *windows* as they are written."""
        carried = StoredOpen.of(windows.carried) if windows.carried else None
        return cls(windows.name, windows.extent, tuple(map(StoredOpen.of, windows.opened)), carried)

    def copy(self, reference: Reference | None) -> WindowsCopy:
        """Return what was written; ValueError as `StoredSummary.summary`."""
        opened = [window.window(reference) for window in self.opened]
        carried = self.carried.window(reference) if self.carried else None
        return WindowsCopy(self.name, self.extent, opened, carried)


class StoredClosed(Stored, frozen=True):
    """A window that has been `Closed` and not yet been assessed."""

    name: str
    start_ns: int
    end_ns: int
    summary: StoredSummary
    is_sufficient: bool

    @classmethod
    def of(cls, closed: Closed) -> StoredClosed:
        """Return *closed* as it is written."""
        summary = StoredSummary.of(closed.summary)
        return cls(closed.name, closed.start_ns, closed.end_ns, summary, closed.is_sufficient)

    def closed(self, reference: Reference | None) -> Closed:
        """Return what was written; ValueError as `StoredSummary.summary`."""
        summary = self.summary.summary(reference)
        return Closed(self.name, self.start_ns, self.end_ns, summary, self.is_sufficient)


class StoredStream(Stored, frozen=True):
    """A `StreamCopy`."""

    key: _Key
    newest_ns: int
    heard_ns: int
    labels: dict[str, int]
    other_labels: int
    low_confidence: int
    windows: tuple[StoredWindows, ...]
    closed: tuple[StoredClosed, ...]
    ood: int = 0
    invalid: dict[str, int] = {}
    seen_ns: dict[str, int] = {}

    @classmethod
    def of(cls, copy: StreamCopy) -> StoredStream:
        """Return *copy* as it is written."""
        return cls(
            key=_key(copy.stream),
            newest_ns=copy.newest_ns,
            heard_ns=copy.heard_ns,
            labels=copy.labels.by_class(),
            other_labels=copy.labels.others,
            low_confidence=copy.low_confidence,
            windows=tuple(map(StoredWindows.of, copy.windows)),
            closed=tuple(map(StoredClosed.of, copy.closed)),
            ood=copy.ood,
            invalid=dict(copy.quality.invalid),
            seen_ns=copy.quality.seen_ns,
        )

    def copy(self, reference_of: Callable[[StreamKey], Reference | None]) -> StreamCopy:
        """
        Return what was written.

        Raises:
            ValueError: If a window was counted against another reference than that of *reference_of*, or is no window.
        """
        stream = StreamKey(*self.key)
        try:
            return self._copy(stream, reference_of(stream))
        except ValueError as error:
            raise ValueError(f"{stream}: {error}") from None

    def _copy(self, stream: StreamKey, reference: Reference | None) -> StreamCopy:
        labels = Summary(reference).labels
        labels.add_counts(self.labels, self.other_labels)
        return StreamCopy(
            stream=stream,
            newest_ns=self.newest_ns,
            heard_ns=self.heard_ns,
            labels=labels,
            low_confidence=self.low_confidence,
            windows=[windows.copy(reference) for windows in self.windows],
            closed=[closed.closed(reference) for closed in self.closed],
            ood=self.ood,
            quality=StreamQuality(self.invalid, self.seen_ns),
        )


class StoredIncrement(Stored, frozen=True):
    """An `Increment`."""

    key: _Key
    newest_ns: int
    heard_ns: int
    parts: tuple[tuple[int, int, StoredSummary], ...]
    steps: dict[str, tuple[tuple[int, int, int, int, int, bool, int], ...]]

    @classmethod
    def of(cls, increment: Increment) -> StoredIncrement:
        """Return *increment* as it is written."""
        return cls(
            key=_key(increment.stream),
            newest_ns=increment.newest_ns,
            heard_ns=increment.heard_ns,
            parts=tuple((*at, StoredSummary.of(part)) for at, part in increment.parts.items()),
            steps={
                name: tuple(
                    (
                        s.begin,
                        s.end,
                        s.start_ns,
                        s.end_ns,
                        s.closed_until_ns,
                        s.completes,
                        s.pane_ns,
                    )
                    for s in steps
                )
                for name, steps in increment.steps.items()
            },
        )

    def increment(self, reference_of: Callable[[StreamKey], Reference | None]) -> Increment:
        """Return what was written; ValueError as `StoredStream.copy`."""
        stream = StreamKey(*self.key)
        reference = reference_of(stream)
        try:
            parts = {(a, b): part.summary(reference) for a, b, part in self.parts}
        except ValueError as error:
            raise ValueError(f"{stream}: {error}") from None
        return Increment(
            stream=stream,
            newest_ns=self.newest_ns,
            heard_ns=self.heard_ns,
            parts=parts,
            steps={name: [Step(*step) for step in steps] for name, steps in self.steps.items()},
        )


def _shown(reference: str) -> str:
    return reference[:19] or "none"


def _key(stream: StreamKey) -> _Key:
    return stream.texts


def _moments(stored: tuple[int, int, bytes]) -> Moments:
    moments = Moments()
    moments.count, moments.invalid = stored[:2]
    moments.quanta = int.from_bytes(stored[2], "little")
    return moments

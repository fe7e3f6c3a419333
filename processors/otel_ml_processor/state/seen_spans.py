"""
Which spans have been counted: what is batched anew on its way comes again in other requests, and is counted once all the same.

Two generations of hashes: the current one takes new spans, the one before it is only looked at. After a horizon, or when the current one is full, it becomes
the one before, and what was that is forgotten; so a span is known for one to two horizons, or for less, and `horizon_s` says so.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from otel_ml_processor.compiled import lean
from otel_ml_processor.state.span_hashes import NO_HASH, span_hashes

if TYPE_CHECKING:
    from collections.abc import Callable

    from otel_ml_processor.columns import BoolArray
    from otel_ml_processor.state.span_hashes import Hashes

__all__ = ["MAX_SPANS", "Generation", "SeenSpans", "warm_seen_spans"]

MAX_SPANS: Final = 1 << 22
"""Spans that are remembered at most, both generations together: some 64 MiB, taken as they are filled."""
_NEVER: Final = float("-inf")


class Generation(NamedTuple):
    """The hashes of one generation, in the order in which they came, and when it began, in seconds before now."""

    hashes: Hashes
    age_s: float


class _Open:
    """
    A generation as it is looked up: hashes in their order, and a table of their positions.

    The table has twice as many slots as there may be hashes. A slot holds one more than a position, 0 where it is empty; a hash lies in the first
    slot from its own on that was empty. Hashes are only ever appended, so what has been written can be read while more come.
    """

    __slots__ = ("hashes", "n", "since_s", "table")

    def __init__(self, size: int, since_s: float) -> None:
        self.hashes = np.zeros(size, dtype=np.uint64)
        self.table = np.zeros(2 * size, dtype=np.uint32)
        self.n = 0
        self.since_s = since_s


class SeenSpans:
    """
    Remembers spans for at least *horizon_s* (> 0) seconds, at most *max_spans* (a power of two, >= 2) of them; not safe for several threads.

    Where more come within a horizon, the older half is forgotten early.
    """

    __slots__ = ("_clock", "_current", "_horizon_s", "_older", "_size", "_whole_since_s")

    def __init__(
        self,
        horizon_s: float,
        max_spans: int = MAX_SPANS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._horizon_s = horizon_s
        self._size = max_spans // 2
        self._clock = clock
        self._current = _Open(self._size, clock())
        self._older = _Open(1, _NEVER)
        self._whole_since_s = _NEVER
        """Every span that came since then is known."""

    def add(self, hashes: Hashes) -> BoolArray:
        """Return for each of *hashes* whether it is new, and know it from now on; `NO_HASH` is always new."""
        is_new = np.ones(len(hashes), dtype=np.bool_)
        self._turn(self._clock())
        done = 0
        while True:
            now, older = self._current, self._older
            now.n, done = _add(
                hashes, done, is_new, older.hashes, older.table, now.hashes, now.table, now.n
            )
            if done == len(hashes):
                return is_new
            self._begin_another(self._clock())

    def horizon_s(self) -> float:
        """Return for how long a span is known: as configured, or less where there are too many of them."""
        return min(self._horizon_s, self._clock() - self._whole_since_s)

    def generations(self) -> list[Generation]:
        """Return what is known, the older first; the hashes are views that do not change."""
        now_s = self._clock()
        opened = [g for g in (self._older, self._current) if g.n]
        return [Generation(g.hashes[: g.n], now_s - g.since_s) for g in opened]

    def absorb(self, generation: Generation) -> None:
        """Know the hashes of *generation* as well, for at least as long as they would have been known where they come from."""
        now_s = self._clock()
        if generation.age_s >= 2 * self._horizon_s:
            return
        self.add(generation.hashes)
        began_s = min(self._current.since_s, now_s - generation.age_s)
        self._current.since_s = max(began_s, now_s - self._horizon_s)

    def _turn(self, now_s: float) -> None:
        if now_s - self._current.since_s >= self._horizon_s:
            self._begin_another(now_s)

    def _begin_another(self, now_s: float) -> None:
        if self._older.n:
            self._whole_since_s = self._current.since_s
        self._older = self._current
        self._current = _Open(self._size, now_s)


def warm_seen_spans() -> None:
    """Have hashes and their look-up compiled, or read from where they were kept."""
    SeenSpans(1.0, 2).add(span_hashes(np.ones((1, 3), dtype=np.uint64), bytes(16)))


@lean
def _add(
    hashes: Hashes,
    begin: int,
    is_new: BoolArray,
    older: Hashes,
    older_table: np.ndarray,
    current: Hashes,
    table: np.ndarray,
    n: int,
) -> tuple[int, int]:
    """Add `hashes[begin:]` until *current*, which has *n*, is full; return how many it has, and how many of *hashes* are done."""
    for index in range(begin, len(hashes)):
        sought = hashes[index]
        if sought == NO_HASH:
            continue
        if _slot(older, older_table, sought) < 0:
            is_new[index] = False
            continue
        slot = _slot(current, table, sought)
        if slot < 0:
            is_new[index] = False
            continue
        if n == len(current):
            return n, index
        current[n] = sought
        n += 1
        table[slot] = n
    return n, len(hashes)


@lean
def _slot(hashes: Hashes, table: np.ndarray, sought: int) -> int:
    """Return the empty slot where *sought* belongs; -1 where it is there already."""
    last = len(table) - 1
    slot = int(sought) & last
    while table[slot] != 0:
        if hashes[table[slot] - 1] == sought:
            return -1
        slot = (slot + 1) & last
    return slot

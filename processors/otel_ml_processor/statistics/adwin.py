"""ADWIN: a window over a stream of means that grows while they stay, and lets go of what was before a change."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["DEFAULT_DELTA", "Adwin"]

DEFAULT_DELTA: Final = 0.002
_PER_SIZE: Final = 5
"""Buckets of one size, beyond which the two oldest become one of twice the size."""
_SHORTEST: Final = 5
"""Fewest values of a part."""


class _Bucket(NamedTuple):
    """Neighbouring values that are kept as one: how many, their sum, and the sum of their squared distances from their mean."""

    n: int
    total: float
    scatter: float

    def joined(self, other: _Bucket) -> _Bucket:
        between = self.total / self.n - other.total / other.n
        scatter = self.scatter + other.scatter
        scatter += between**2 * self.n * other.n / (self.n + other.n)
        return _Bucket(self.n + other.n, self.total + other.total, scatter)


class Adwin:
    """
    The values in [0, 1] since the mean last changed, in exponentially growing buckets: O(log n) numbers.

    Every cut of them into an older and a newer part is tested; where the two means differ by more than chance at the level *delta* allows, the
    older part goes. Values are to be independent (means of disjoint windows), and of like weight.

    Args:
        delta: Bound of the probability, in (0, 1), that a value leads to a cut where nothing has changed.
        grace: Values up to which nothing is tested, at least 1.

    References:
        Bifet, A., Gavaldà, R. (2007). Learning from time-changing data with adaptive windowing. SIAM SDM.
    """

    __slots__ = ("_buckets", "_delta", "_grace", "detections")

    def __init__(self, delta: float = DEFAULT_DELTA, grace: int = 10) -> None:
        if not 0 < delta < 1:
            raise ValueError(f"expected a level in (0, 1), got {delta}")
        self._delta = delta
        self._grace = grace
        self._buckets: list[_Bucket] = []  # the newest first
        self.detections = 0
        """How often something has been let go."""

    @property
    def n(self) -> int:
        """Values in the window."""
        return sum(bucket.n for bucket in self._buckets)

    @property
    def mean(self) -> float:
        """Their mean; NaN before the first."""
        n = self.n
        return sum(bucket.total for bucket in self._buckets) / n if n else math.nan

    def add(self, value: float) -> float:
        """
        Take in *value*, and return by how much the mean has changed, where that is found now: newer less older, at the cut that shows it best.

        0 where nothing has been let go.

        Raises:
            ValueError: If *value* is not in [0, 1].
        """
        if not 0 <= value <= 1:
            raise ValueError(f"expected a value in [0, 1], got {value}")
        self._buckets.insert(0, _Bucket(1, value, 0.0))
        self._compress()
        step = self._cut()
        self.detections += step != 0
        return step

    def memory(self) -> tuple[tuple[int, float, float], ...]:
        """Return all that is remembered, for `recall`."""
        return tuple((b.n, b.total, b.scatter) for b in self._buckets)

    def recall(self, buckets: Iterable[tuple[int, float, float]]) -> None:
        """
        Remember what was remembered elsewhere or before.

        Raises:
            ValueError: If that is no window of values in [0, 1].
        """
        kept = [_Bucket(*bucket) for bucket in buckets]
        for bucket in kept:
            if not (bucket.n >= 1 and 0 <= bucket.total <= bucket.n and bucket.scatter >= 0):
                raise ValueError(
                    f"expected rows, a sum of values in [0, 1] and a scatter, got {tuple(bucket)}"
                )
        self._buckets = kept

    def _compress(self) -> None:
        """Join the two oldest of every size that there are too many of."""
        size = 1
        while sum(bucket.n == size for bucket in self._buckets) > _PER_SIZE:
            last = max(i for i, bucket in enumerate(self._buckets) if bucket.n == size)
            pair = self._buckets[last - 1].joined(self._buckets[last])
            self._buckets[last - 1 : last + 1] = [pair]
            size *= 2

    def _cut(self) -> float:
        """Let go of the oldest buckets while a cut tells that something has changed; return what the first one tells."""
        if self.n <= self._grace:
            return 0.0
        first = step = self._step()
        while step:
            self._buckets.pop()
            step = self._step()
        return first

    def _step(self) -> float:
        """Return the difference of the means at the cut where it is most times what chance allows; 0 where it is nowhere more than that."""
        whole = self._buckets[0]
        for bucket in self._buckets[1:]:
            whole = whole.joined(bucket)
        variance, level = whole.scatter / whole.n, math.log(2 * math.log(whole.n) / self._delta)
        n_old, total_old, most, step = 0, 0.0, 1.0, 0.0
        for bucket in reversed(self._buckets[1:]):
            n_old, total_old = n_old + bucket.n, total_old + bucket.total
            n_new = whole.n - n_old
            if min(n_old, n_new) < _SHORTEST:
                continue
            difference = (whole.total - total_old) / n_new - total_old / n_old
            m = 1 / (n_old - _SHORTEST + 1) + 1 / (n_new - _SHORTEST + 1)
            by_chance = math.sqrt(2 * m * variance * level) + 2 / 3 * level * m
            if abs(difference) > most * by_chance:
                most, step = abs(difference) / by_chance, difference
        return step

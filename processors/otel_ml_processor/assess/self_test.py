"""The reference's own windows through the processor's own test: does the promise hold on these rows?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from otel_ml_processor.assess.drift import (
    family_alphas,
    family_p_values,
)
from otel_ml_processor.profile import SelfTest
from otel_ml_processor.windows.summary import Comparison

if TYPE_CHECKING:
    from collections.abc import Sequence

    from otel_ml_conventions.attributes import MlDriftTargetValues
    from otel_ml_processor.columns import IntArray
    from otel_ml_processor.windows.pairs import PairReference

__all__ = ["TargetWindows", "measured_false_alarm_rate", "self_test"]

_FEWEST_WINDOWS: Final = 2
"""One window has nothing to be compared with."""


@dataclass(frozen=True, slots=True, eq=False)
class TargetWindows:
    """
    One column of the reference, window by window: counts of shape (n_windows, n_cells + N_SLOTS); see `Comparison`.

    `rest` has the same shape: what each window is compared with, where that depends on its hours; None where it is all the others.
    """

    target: MlDriftTargetValues
    name: str
    ordered: bool
    counts: IntArray
    rest: IntArray | None = None
    pairs: PairReference | None = None
    """Of the target `correlation`, whose counts are sums of pairs."""

    def left_out(self, k: int, total: IntArray) -> Comparison:
        """Return window *k* beside the rest of the reference, whose counts are *total* with the window."""
        rest = total - self.counts[k] if self.rest is None else self.rest[k]
        return Comparison(
            self.target, self.name, self.ordered, rest, self.counts[k], pairs=self.pairs
        )


def self_test(
    targets: Sequence[TargetWindows],
    *,
    order: Literal["time", "random"],
    window: str,
    effect_floor: float,
) -> SelfTest:
    """
    Return the p-values of every window of the reference against all the others.

    Rows in random order test the arithmetic; rows in time order test whether rows that follow each other are as independent as mode
    `iid` takes them to be.

    Args:
        targets: Columns of the reference, at least one, all divided into the same windows.
        order: How rows were put into windows.
        window: What one window is, in words: `1 day`, `900 rows`.
        effect_floor: Smallest debiased PSI that can alarm, >= 0.

    Raises:
        ValueError: If there are fewer than two windows, or columns are divided into different numbers of them.
    """
    totals = [column.counts.sum(axis=0) for column in targets]
    p_values: dict[str, list[float]] = {}
    for k in range(_n_windows(targets)):
        left_out = [c.left_out(k, total) for c, total in zip(targets, totals, strict=True)]
        for family, p_value in family_p_values(left_out, effect_floor).items():
            p_values.setdefault(family, []).append(p_value)
    return SelfTest(order=order, window=window, effect_floor=effect_floor, p_values=p_values)


def measured_false_alarm_rate(test: SelfTest, alpha: float) -> float:
    """
    Return the share of windows in which any family alarms at a promised *alpha*, in [0, 1].

    Raises:
        ValueError: If the test holds no windows, or families hold different numbers of them.
    """
    alphas = family_alphas(test.p_values, alpha)
    windows = list(zip(*test.p_values.values(), strict=True))
    if not windows:
        raise ValueError(
            f"the self-test in {test.order} order holds no windows; build the profile again"
        )
    limits = list(alphas.values())
    alarms = sum(
        any(p <= limit for p, limit in zip(window, limits, strict=True)) for window in windows
    )
    return alarms / len(windows)


def _n_windows(targets: Sequence[TargetWindows]) -> int:
    numbers = sorted({len(column.counts) for column in targets})
    if len(numbers) != 1:
        raise ValueError(f"expected columns divided into the same windows, got {numbers} windows")
    if numbers[0] < _FEWEST_WINDOWS:
        raise ValueError(
            f"expected at least {_FEWEST_WINDOWS} windows of the reference, got {numbers[0]}"
        )
    return numbers[0]

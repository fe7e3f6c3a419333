"""
The promise of mode `iid`, simulated: so many false alarms and no more, and at the same settings so much power.

Counts are drawn cell by cell from exact shares, so three thousand windows of twenty features take seconds. The 22 columns are those of
a real model: twenty features, the predicted class and the confidence.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from numpy.typing import NDArray

from otel_ml_conventions.attributes import MlDriftStateValues, MlDriftTargetValues
from otel_ml_processor.assess.drift import (
    assess_drift,
    family_alphas,
    family_p_values,
)
from otel_ml_processor.config import DriftConfig
from otel_ml_processor.sketches.slots import Slot
from otel_ml_processor.statistics.chi_squared import chi_squared_test
from otel_ml_processor.statistics.holm import holm_adjusted
from otel_ml_processor.statistics.pooling import pooled
from otel_ml_processor.windows.summary import Comparison
from tests.data.comparisons import compared
from tests.data.distributions import (
    GEOMETRIC_CATEGORIES,
    NORMAL,
    ZIPF_CATEGORIES,
    Distribution,
    quantile_edges,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

REFERENCE_ROWS = 50_000
ROWS = 1000
N_FEATURES = 20
ALPHA = DriftConfig().false_alarm_rate
FLOOR = DriftConfig().effect_floor

EDGES = quantile_edges(NORMAL, 20)
STILL = NORMAL.cell_shares(EDGES)
CLASSES = np.array([0.8, 0.15, 0.05])


def model_windows(
    n_windows: int, seed: int, first_feature: FloatArray = STILL
) -> Iterator[list[Comparison]]:
    """Yield the columns of windows that do not drift, but for the first feature where its shares are given."""
    rng = np.random.default_rng(seed)

    def column(before: FloatArray, now: FloatArray, **facts: object) -> Comparison:
        counts = rng.multinomial(REFERENCE_ROWS, before), rng.multinomial(ROWS, now)
        return compared(*counts, **facts)

    for _ in range(n_windows):
        yield [
            *(
                column(STILL, STILL if i else first_feature, name=f"feature {i}")
                for i in range(N_FEATURES)
            ),
            column(CLASSES, CLASSES, target=MlDriftTargetValues.PREDICTION, ordered=False),
            column(STILL, STILL, target=MlDriftTargetValues.CONFIDENCE),
        ]


def alarmed(columns: list[Comparison], floor: float = FLOOR) -> bool:
    """Tell whether any family of the window alarms."""
    p_values = family_p_values(columns, floor)
    alphas = family_alphas(p_values, ALPHA)
    return any(p_values[family] <= alphas[family] for family in p_values)


def drifts(columns: list[Comparison]) -> bool:
    """Tell whether the first column is `drifting` with the default settings."""
    readings = assess_drift(columns, alpha=ALPHA, effect_floor=FLOOR, scores=(), min_rows=200)
    return readings[0].state is MlDriftStateValues.DRIFTING


def test_windows_without_drift_alarm_as_often_as_promised() -> None:
    """At a promised 1 % between .3 % and 1.7 % of 3000 windows of 20 features alarm, with the default effect floor."""
    alarms = sum(alarmed(columns) for columns in model_windows(3000, seed=1))

    assert 0.003 <= alarms / 3000 <= 0.017


@pytest.mark.parametrize(
    "drifted",
    [NORMAL.shifted(0.2), NORMAL.stretched(1.3)],
    ids=str,
)
def test_a_small_drift_of_one_feature_of_twenty_alarms(drifted: Distribution) -> None:
    """In the same mode and with the same floor: a shift of .2 sigma, or 30 % more spread, is found in 95 % of windows."""
    shares = drifted.cell_shares(EDGES)

    found = sum(drifts(columns) for columns in model_windows(400, seed=2, first_feature=shares))

    assert found / 400 >= 0.95


def slot_windows(
    slot: Slot, reference_share: float, share: float, n_windows: int, seed: int
) -> Iterator[list[Comparison]]:
    """Yield windows of 20 categorical features that differ in nothing but, perhaps, the share of rows in *slot* of the first."""
    rng = np.random.default_rng(seed)
    for _ in range(n_windows):
        columns = []
        for i in range(N_FEATURES):
            before = int(rng.binomial(REFERENCE_ROWS, reference_share))
            now = int(rng.binomial(ROWS, reference_share if i else share))
            columns.append(
                compared(
                    rng.multinomial(REFERENCE_ROWS - before, ZIPF_CATEGORIES),
                    rng.multinomial(ROWS - now, ZIPF_CATEGORIES),
                    name=f"feature {i}",
                    ordered=False,
                    reference_slots={slot: before},
                    current_slots={slot: now},
                )
            )
        yield columns


@pytest.mark.parametrize("slot", [Slot.MISSING, Slot.UNSEEN])
@pytest.mark.parametrize("share", [0.0002, 0.05])
def test_equal_missing_and_unseen_shares_keep_the_promise(slot: Slot, share: float) -> None:
    """Rare or frequent: at most 1.7 % of windows alarm where missing or unseen values are as frequent as in the reference."""
    alarms = sum(alarmed(columns) for columns in slot_windows(slot, share, share, 600, seed=3))

    assert alarms / 600 <= 0.017


@pytest.mark.parametrize(
    ("slot", "before", "now"),
    [
        (Slot.MISSING, 0.05, 0.10),
        (Slot.MISSING, 0.0, 0.01),
        (Slot.UNSEEN, 0.0, 0.01),
        (Slot.UNSEEN, 0.001, 0.015),
    ],
)
def test_more_missing_or_unseen_values_alarm(slot: Slot, before: float, now: float) -> None:
    """In the same mode: twice as many missing values, or one in a hundred that the reference hardly had, alarm in 95 % of windows."""
    found = sum(drifts(columns) for columns in slot_windows(slot, before, now, 200, seed=4))

    assert found / 200 >= 0.95


def category_alarm_rate(test: Callable[[IntArray, IntArray], float], seed: int) -> float:
    """Return the share of windows of 100 rows in which any of 20 columns of geometric categories alarms, by *test* with Holm."""
    rng = np.random.default_rng(seed)
    draws = [
        [
            (
                rng.multinomial(10_000, GEOMETRIC_CATEGORIES),
                rng.multinomial(100, GEOMETRIC_CATEGORIES),
            )
            for _ in range(N_FEATURES)
        ]
        for _ in range(1000)
    ]
    p_values = ([test(*sides) for sides in window] for window in draws)
    return float(np.mean([holm_adjusted(found).min() <= ALPHA for found in p_values]))


def test_rare_categories_break_the_promise_unless_they_are_pooled() -> None:
    """
    The chi-squared test of rare categories alarms in most windows; pooled in at most 2.5 % at a promised 1 %.

    Not closer: a chi-squared tail is not exact where a cell expects five. The effect floor takes the rest off.
    """
    plain = category_alarm_rate(lambda r, c: chi_squared_test(r, c).p_value, seed=5)
    joined = category_alarm_rate(
        lambda r, c: chi_squared_test(*pooled(r, c, ordered=False)).p_value, seed=5
    )

    assert plain > 0.5
    assert joined <= 0.025

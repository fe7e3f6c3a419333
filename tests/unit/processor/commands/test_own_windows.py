"""The reference divided into windows of ever more rows."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from otel_ml_processor.columns import FloatArray
from otel_ml_processor.commands.own_windows import own_windows, rung_sizes
from otel_ml_processor.commands.self_tests import AssignedTarget
from otel_ml_processor.profile import RungReference, Source
from otel_ml_processor.windows.reference import Reference, build_profile
from tests.data.value_columns import value_column

SECOND = 1_000_000_000


@pytest.mark.parametrize(
    ("rows", "sizes"),
    [
        (0, []),
        (3999, []),
        (4000, [200]),
        (16_000, [200, 400, 800]),
        (54_000, [200, 400, 800, 1600]),
    ],
)
def test_sizes_double_while_there_are_twenty_windows(rows: int, sizes: list[int]) -> None:
    """From 200 rows on; with fewer than twenty windows nothing can be said of how they vary."""
    assert rung_sizes(rows) == sizes


def rungs(values: FloatArray, has_time: NDArray[np.bool_] | None = None) -> list[RungReference]:
    """Return the windows of one feature with *values* in the order of time, one a second; the table has them in any order."""
    order = np.random.default_rng(7).permutation(len(values))
    values, times = values[order], order * SECOND
    source = Source(kind="test", uri="none", rows=len(values))
    profile = build_profile({"x": values}, model="m", source=source, created="2026-01-01")
    target = Reference.of(profile).targets[0]
    cells = target.cells.assign(value_column(values.tolist())).astype(np.int16)
    timed = np.ones(len(values), dtype=bool) if has_time is None else has_time
    said: list[str] = []
    found = own_windows(
        [AssignedTarget(target, cells)], (times, timed), effect_floor=0.01, on_step=said.append
    )
    assert said == [f"own windows of {rung.rows} rows" for rung in found]
    return found


def test_neighbours_in_time_that_are_alike_inflate_the_variance() -> None:
    """
    Twenty equal values in a row: the variance of a mean is twenty times that of independent rows, in windows of any size.

    Of rows in random order it is that of chance.
    """
    rng = np.random.default_rng(8)
    alike = np.repeat(rng.normal(size=2000), 20)

    factors = [r.columns[0].inflation["rank_location"].factor for r in rungs(alike)]
    shuffled = [
        r.columns[0].inflation["rank_location"].factor for r in rungs(rng.permutation(alike))
    ]

    assert len(factors) == 4
    assert factors == pytest.approx([20] * 4, rel=0.4)
    # The mean of 25 to 200 squared scores: a fifth above or below is chance.
    assert max(shuffled) <= 1.7


def test_rows_without_a_time_are_in_no_window() -> None:
    """They may be anything: 4000 rows that have a time are twenty windows, whatever else there is."""
    rng = np.random.default_rng(9)
    has_time = np.arange(8000) % 2 == 0

    (rung,) = rungs(rng.normal(size=8000), has_time)

    assert (rung.rows, len(rung.extremes["features"])) == (200, 20)
    assert rungs(rng.normal(size=8000), np.zeros(8000, dtype=bool)) == []


def test_of_very_many_windows_a_thousand_are_taken() -> None:
    """Evenly from the whole time: of 1250 windows of which the last 50 are other ones, four in a hundred."""
    values = np.concatenate([np.tile([0.0, 1.0], 120_000), np.full(10_000, 2.0)])

    first = rungs(values)[0]

    assert len(first.extremes["features"]) == 1000
    different = sum(extreme > 1 for extreme in first.extremes["features"])
    assert different == pytest.approx(40, abs=1)

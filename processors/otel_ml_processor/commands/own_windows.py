"""The reference divided into windows of consecutive rows, of ever more rows: what live windows are calibrated on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from otel_ml_processor.assess.calibrate import rung_of
from otel_ml_processor.assess.calibration import FEWEST_WINDOWS
from otel_ml_processor.commands.self_tests import Division

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from otel_ml_processor.columns import IntArray
    from otel_ml_processor.commands.self_tests import AssignedTarget
    from otel_ml_processor.commands.table_together import AssignedPairs
    from otel_ml_processor.profile import RungReference

__all__ = ["own_windows", "rung_sizes"]

_FEWEST_ROWS: Final = 200
_MAX_WINDOWS: Final = 1000
"""Of one size; more of them are thinned out evenly."""


def rung_sizes(rows: int) -> list[int]:
    """Return the sizes of windows of which a table of so many rows has at least 20: 200 rows, and ever twice as many."""
    sizes = [_FEWEST_ROWS << i for i in range(64)]
    return [size for size in sizes if rows // size >= FEWEST_WINDOWS]


def own_windows(
    targets: Sequence[AssignedTarget | AssignedPairs],
    times: tuple[IntArray, NDArray[np.bool_]],
    *,
    effect_floor: float,
    on_step: Callable[[str], None],
) -> list[RungReference]:
    """
    Return the windows of the reference of every size, in the order of time; none where there are too few rows with a time.

    Args:
        targets: At least one, all of the same table.
        times: Nanoseconds since 1970, and which rows have a time.
        effect_floor: Smallest debiased PSI that can alarm.
        on_step: Told what is being done.
    """
    times_ns, has_time = times
    timed = np.flatnonzero(has_time)
    in_order = timed[np.argsort(times_ns[timed], kind="stable")]
    rungs = []
    for size in rung_sizes(len(timed)):
        on_step(f"own windows of {size} rows")
        division = _windows(in_order, len(times_ns), size)
        counts = [target.in_windows(division) for target in targets]
        totals = [target.target.counts for target in targets]
        rungs.append(rung_of(counts, totals, rows=size, effect_floor=effect_floor))
    return rungs


def _windows(in_order: IntArray, rows: int, size: int) -> Division:
    """Return consecutive windows of so many rows each, evenly thinned out to a thousand at most."""
    n_windows = len(in_order) // size
    chosen = np.arange(n_windows)
    if n_windows > _MAX_WINDOWS:
        chosen = np.arange(_MAX_WINDOWS) * n_windows // _MAX_WINDOWS
    windows = np.full(rows, -1)
    of_window = in_order[: n_windows * size].reshape(n_windows, size)[chosen]
    windows[of_window] = np.arange(len(chosen))[:, np.newaxis]
    return Division(windows, len(chosen), f"{size} rows")

"""What the reference's own windows tell of how windows vary without drift: made once, with the profile."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np

from otel_ml_conventions.attributes import MlDriftCalibrationModeValues
from otel_ml_processor.assess.calibration import (
    SMALLEST_SCALE,
    Calibrated,
    Rung,
    Statistic,
    minus_log,
)
from otel_ml_processor.assess.drift import (
    family_of,
    family_p_values,
    smallest_of,
    statistics_of,
)
from otel_ml_processor.assess.evidence import Observed
from otel_ml_processor.assess.run_length import evidence_peaks
from otel_ml_processor.profile import ColumnCalibration, Inflation, RungReference

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from otel_ml_processor.assess.self_test import TargetWindows
    from otel_ml_processor.columns import FloatArray, IntArray
    from otel_ml_processor.windows.summary import Comparison

__all__ = ["rung_of"]

_SCALE_LEVEL: Final = 0.95
_SMALLEST_SHAPE: Final = 0.01
_SELF_TESTED: Final = 200
"""Windows that are tested in mode `scaled`, of however many."""
_DIGITS: Final = 4
"""Significant digits of stored numbers: far more than so many windows can tell."""


def rung_of(
    columns: Sequence[TargetWindows],
    totals: Sequence[IntArray],
    *,
    rows: int,
    effect_floor: float,
) -> RungReference:
    """
    Return what windows of the reference, each against the rest of it, tell of its columns and families.

    Args:
        columns: At least one, all divided into the same windows, in the order of time, of which there is at least one.
        totals: Counts of the whole reference per column, of which the windows are parts.
        rows: Rows of a window.
        effect_floor: Smallest debiased PSI that can alarm.
    """
    windows = [_left_out(columns, totals, k) for k in range(len(columns[0].counts))]
    tests = [*zip(*map(statistics_of, windows), strict=True)]
    calibrations = [_column(of_windows) for of_windows in tests]
    families = [family_of(column.target) for column in columns]
    extremes = {
        family: _extremes([i for i, of in enumerate(families) if of == family], tests, calibrations)
        for family in dict.fromkeys(families)
    }
    bare = RungReference(
        rows=rows, effect_floor=effect_floor, columns=calibrations, extremes=extremes, alarms={}
    )
    scaled = Calibrated(
        MlDriftCalibrationModeValues.SCALED, Rung.of(bare, [(c.target, c.name) for c in columns])
    )
    tested = windows[:: -(-len(windows) // _SELF_TESTED)]
    smallest = [family_p_values(window, effect_floor, scaled) for window in tested]
    alarms = {family: _rounded(found[family] for found in smallest) for family in extremes}
    peaks = evidence_peaks(
        [
            Observed(c, is_sufficient=True, inflation=scaled.inflation((c.target, c.name)))
            for c in window
        ]
        for window in windows
    )
    return msgspec.structs.replace(bare, alarms=alarms, evidence=_rounded(peaks))


def _left_out(
    columns: Sequence[TargetWindows], totals: Sequence[IntArray], k: int
) -> list[Comparison]:
    """Return window *k* beside the rest of the reference."""
    return [c.left_out(k, total) for c, total in zip(columns, totals, strict=True)]


def _column(tests: Sequence[dict[str, Statistic]]) -> ColumnCalibration:
    scale = float(np.quantile(_evidence(tests), _SCALE_LEVEL))
    drivers = dict.fromkeys(driver for window in tests for driver in window)
    return ColumnCalibration(
        scale=_round(max(SMALLEST_SCALE, scale)),
        inflation={d: _inflation([w[d] for w in tests if d in w], len(tests)) for d in drivers},
    )


def _inflation(found: Sequence[Statistic], n_windows: int) -> Inflation:
    """
    Return by how much a statistic is larger over the windows than by chance, and how many directions that has.

    Of a one-sided test only the half of the windows that lie on its side is seen, so it counts twice.

    References:
        Satterthwaite, F. E. (1946). An approximate distribution of estimates of variance components. Biometrics Bull. 2.
    """
    sizes = np.minimum([test.size for test in found], _LARGEST)
    if found[0].is_one_sided:
        return Inflation(factor=_round(max(1.0, 2 * float(sizes.sum()) / n_windows)))
    mean, variance = float(sizes.mean()), float(sizes.var())
    degrees = float(np.mean([test.degrees for test in found]))
    if degrees == 1 or variance == 0:
        return Inflation(factor=_round(max(1.0, mean)))
    shape = 2 * mean**2 / variance / degrees
    return Inflation(
        factor=_round(max(1.0, mean)), shape=_round(min(1.0, max(_SMALLEST_SHAPE, shape)))
    )


_LARGEST: Final = 1e12
"""Of a statistic: an exact test may have a p-value of 0, whose normal score is infinite."""


def _extremes(
    members: Sequence[int],
    tests: Sequence[Sequence[dict[str, Statistic]]],
    calibrations: Sequence[ColumnCalibration],
) -> list[float]:
    """Return per window the largest standardised evidence of the columns that are *members*, ascending."""
    standardised = [_evidence(tests[i]) / calibrations[i].scale for i in members]
    return _rounded(np.sort(np.max(standardised, axis=0)))


def _evidence(tests: Iterable[dict[str, Statistic]]) -> FloatArray:
    """Return -ln p of one column in every window."""
    return minus_log(
        [
            smallest_of([test.p_value for test in window.values()], n_tests=len(window))
            for window in tests
        ]
    )


def _rounded(values: Iterable[float] | FloatArray) -> list[float]:
    return [_round(value) for value in values]


def _round(value: float) -> float:
    return float(f"{value:.{_DIGITS}g}")

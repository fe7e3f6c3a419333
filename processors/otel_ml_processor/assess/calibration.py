"""Calibration modes: p-values that keep the promise where rows of one window are alike, because the reference's own windows are."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

import numpy as np
from scipy import special

from otel_ml_conventions.attributes import (
    MlDriftCalibrationModeValues,
    MlDriftTargetValues,
    MlDriftTestValues,
)
from otel_ml_processor.assess.run_length import RunLength
from otel_ml_processor.profile import Inflation

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from otel_ml_processor.columns import FloatArray
    from otel_ml_processor.profile import ColumnCalibration, Profile, RungReference

__all__ = [
    "FEWEST_WINDOWS",
    "IID",
    "SMALLEST_SCALE",
    "Calibrated",
    "Calibration",
    "Rung",
    "Statistic",
    "Wanted",
    "minus_log",
]

Wanted = Literal["auto", "iid", "scaled", "empirical"]
_Key = tuple[MlDriftTargetValues, str]

FEWEST_WINDOWS: Final = 20
"""With fewer windows of the reference nothing can be said of how they vary."""
SMALLEST_SCALE: Final = -math.log(0.05)
"""The 95 % quantile of -ln p over independent rows: a column that varies less is not made more sensitive."""
_SMALLEST_P_VALUE: Final = 1e-300
_NO_INFLATION: Final = Inflation(factor=1.0)
_LOCATION: Final = MlDriftTestValues.RANK_LOCATION.value


class Statistic(NamedTuple):
    """
    A test of one column: its p-value over independent rows, and what this is the tail of.

    `size` is 1 on average over independent rows without drift: a chi-squared statistic per degree of freedom, or a squared normal one.
    """

    p_value: float
    size: float
    degrees: int = 1
    is_one_sided: bool = False

    @classmethod
    def one_sided(cls, p_value: float) -> Statistic:
        """Return the test that has *p_value*; on the other side its size is 0."""
        z = max(0.0, -float(special.ndtri(p_value)))
        return cls(p_value, z**2, is_one_sided=True)

    @classmethod
    def two_sided(cls, p_value: float) -> Statistic:
        """Return the test that has *p_value*, as a squared normal one."""
        return cls(p_value, float(special.chdtri(1, p_value)))

    def scaled(self, inflation: Inflation) -> float:
        """
        Return the p-value where the statistic is larger by chance than over independent rows.

        Satterthwaite: size / factor is chi-squared per degree, with degrees * shape degrees of freedom.
        """
        if self.is_one_sided and self.size == 0:
            return self.p_value
        degrees = self.degrees * inflation.shape
        tail = float(special.chdtrc(degrees, degrees * self.size / inflation.factor))
        return tail / 2 if self.is_one_sided else tail


def minus_log(p_values: Sequence[float] | FloatArray) -> FloatArray:
    """Return -ln p, finite also where p has become 0."""
    return np.asarray(
        -np.log(np.maximum(np.asarray(p_values, dtype=np.float64), _SMALLEST_P_VALUE))
    )


@dataclass(frozen=True, slots=True, eq=False)
class Rung:
    """Windows of the reference of one size: how every column varies over them, and per family their extremes, ascending."""

    rows: int
    columns: Mapping[_Key, ColumnCalibration]
    extremes: Mapping[str, FloatArray]
    alarms: Mapping[str, FloatArray]
    evidence: Sequence[float] | None = None
    """Peaks of the evidence of slow drift; None where the profile does not say them."""

    @classmethod
    def of(cls, rung: RungReference, keys: Sequence[_Key]) -> Rung:
        """Return the runtime form of *rung*, whose columns are *keys*."""
        extremes, alarms = (
            {family: np.array(values) for family, values in said.items()}
            for said in (rung.extremes, rung.alarms)
        )
        columns = dict(zip(keys, rung.columns, strict=True))
        return cls(rung.rows, columns, extremes, alarms, rung.evidence)

    @property
    def windows(self) -> int:
        """How many there are."""
        return len(next(iter(self.extremes.values())))


@dataclass(frozen=True, slots=True, eq=False)
class Calibrated:
    """How the p-values of one window are made: *mode*, and the windows of the reference that it is compared with (`iid` needs none)."""

    mode: MlDriftCalibrationModeValues
    rung: Rung | None = None

    def p_values(self, key: _Key, tests: Mapping[str, Statistic]) -> dict[str, float]:
        """Return the p-values of the *tests* of one column."""
        if self.mode is not MlDriftCalibrationModeValues.SCALED:
            return {driver: test.p_value for driver, test in tests.items()}
        inflation = self._inflations(key)
        return {d: t.scaled(inflation.get(d, _NO_INFLATION)) for d, t in tests.items()}

    def ranked(self, family: str, keys: Sequence[_Key], p_values: Sequence[float]) -> FloatArray:
        """
        Return p-values that hold for the whole family: of each column, its rank among the extremes of the reference's windows.

        p = (1 + #{extremes >= -ln p / scale}) / (windows + 1), single-step max-T. Without such extremes all are 1.

        References:
            Westfall, P. H., Young, S. S. (1993). Resampling-based multiple testing. Wiley.
        """
        if self.rung is None or family not in self.rung.extremes:
            return np.ones(len(p_values))
        columns = self.rung.columns
        scales = [columns[k].scale if k in columns else SMALLEST_SCALE for k in keys]
        extremes = self.rung.extremes[family]
        values = minus_log(p_values) / np.array(scales, dtype=np.float64)
        return np.asarray((1 + len(extremes) - extremes.searchsorted(values)) / (1 + len(extremes)))

    def inflation(self, key: _Key) -> float:
        """Return how many times the variance of the column's mean rank is what chance gives, at least 1."""
        return self._inflations(key).get(_LOCATION, _NO_INFLATION).factor

    def measured(self, alphas: Mapping[str, float]) -> float | None:
        """Return the share of the reference's windows in which a family alarms at its part of alpha; None in mode `iid`."""
        if self.rung is None or self.mode is MlDriftCalibrationModeValues.IID:
            return None
        if self.mode is MlDriftCalibrationModeValues.EMPIRICAL:
            # Each against the others: its rank among them is its p-value, whatever it is.
            n = self.rung.windows
            return min(1.0, sum(math.floor(alpha * n) / n for alpha in alphas.values()))
        alarms = [self.rung.alarms[family] <= alpha for family, alpha in alphas.items()]
        return float(np.any(alarms, axis=0).mean())

    def run_length(self, windows_between_alarms: float) -> RunLength | None:
        """Return how long slow drift is silent on the reference's windows at that promise; None where there are none that say it."""
        if self.rung is None or self.rung.evidence is None:
            return None
        return RunLength.of(self.rung.evidence, self.rung.windows, windows_between_alarms)

    def _inflations(self, key: _Key) -> Mapping[str, Inflation]:
        column = self.rung.columns.get(key) if self.rung else None
        return column.inflation if column else {}


IID: Final = Calibrated(MlDriftCalibrationModeValues.IID)
"""Rows are taken to be independent."""


@dataclass(frozen=True, slots=True, eq=False)
class Calibration:
    """The rungs of one profile, the fewest rows first."""

    rungs: tuple[Rung, ...] = ()

    @classmethod
    def of(cls, profile: Profile) -> Calibration:
        """Return the runtime form of what *profile* says."""
        keys = [(MlDriftTargetValues.FEATURE, feature.name) for feature in profile.features]
        keys += [(MlDriftTargetValues.PREDICTION, "")] * (profile.prediction is not None)
        keys += [(MlDriftTargetValues.CONFIDENCE, "")] * (profile.confidence is not None)
        keys += [(MlDriftTargetValues.PERFORMANCE, "")] * (profile.expected is not None)
        keys += [(MlDriftTargetValues.MULTIVARIATE, "")] * (profile.pca is not None)
        keys += [(MlDriftTargetValues.CORRELATION, "")] * (profile.correlation is not None)
        return cls(tuple(Rung.of(rung, keys) for rung in profile.own_windows))

    def calibrated(self, rows: int, alphas: Mapping[str, float], wanted: Wanted) -> Calibrated:
        """
        Return how a window of *rows* is calibrated: as *wanted*, or as near to it as there are windows of the reference for.

        Those are of the smallest rung with at least as many rows; with fewer than 20 of them the mode is `iid`. `empirical` needs
        2 / alpha of the family that may use least of it (*alphas*): with fewer it could not alarm, and the mode is `scaled`.
        """
        rung = next((rung for rung in self.rungs if rung.rows >= rows), None)
        if rung is None or rung.windows < FEWEST_WINDOWS:
            return IID
        if wanted == "iid":
            return Calibrated(MlDriftCalibrationModeValues.IID, rung)
        has_enough = bool(alphas) and rung.windows >= 2 / min(alphas.values())
        if wanted != "scaled" and has_enough:
            return Calibrated(MlDriftCalibrationModeValues.EMPIRICAL, rung)
        return Calibrated(MlDriftCalibrationModeValues.SCALED, rung)

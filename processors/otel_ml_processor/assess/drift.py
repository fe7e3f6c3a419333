"""
Which columns of a window have drifted: from counts to p-values, effects and states.

Three things make an alarm: a p-value that several tests share (chi-squared over the value cells, rank location and rank scale where
cells are ordered, exact tests of the shares that are missing, unseen, not finite or of a wrong type), its adjustment for all columns of the family (Holm) and for all
families of the model, and an effect large enough to matter. The p-values hold for independent rows (calibration mode `iid`), or are
calibrated on the windows of the reference (modes `scaled` and `empirical`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np
from scipy import special

from otel_ml_conventions.attributes import (
    MlDriftCalibrationModeValues,
    MlDriftMethodValues,
    MlDriftStateValues,
    MlDriftTargetValues,
    MlDriftTestValues,
)
from otel_ml_processor.assess.calibration import IID, Statistic
from otel_ml_processor.assess.multivariate import most_changed_pair
from otel_ml_processor.assess.reading import TargetReading
from otel_ml_processor.sketches.slots import N_EXCLUSIVE, N_SLOTS, Slot
from otel_ml_processor.statistics.chi_squared import chi_squared_test
from otel_ml_processor.statistics.families import shared_alpha
from otel_ml_processor.statistics.hellinger import hellinger_distance
from otel_ml_processor.statistics.holm import holm_adjusted
from otel_ml_processor.statistics.hypergeometric import larger_share_p_value
from otel_ml_processor.statistics.jensen_shannon import jensen_shannon_distance
from otel_ml_processor.statistics.kolmogorov_smirnov import kolmogorov_smirnov_distance
from otel_ml_processor.statistics.kullback_leibler import kullback_leibler_divergence
from otel_ml_processor.statistics.l_infinity import l_infinity_distance
from otel_ml_processor.statistics.pooling import pooled
from otel_ml_processor.statistics.psi import debiased_psi, population_stability_index
from otel_ml_processor.statistics.rank_tests import rank_location_test, rank_scale_test
from otel_ml_processor.statistics.total_variation import total_variation_distance
from otel_ml_processor.statistics.wasserstein import interquartile_range, wasserstein_distance

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from otel_ml_processor.assess.calibration import Calibrated
    from otel_ml_processor.assess.reading import PairReading
    from otel_ml_processor.columns import FloatArray, IntArray
    from otel_ml_processor.windows.pairs import PairReference
    from otel_ml_processor.windows.summary import Comparison

__all__ = [
    "FEATURES",
    "MISSING",
    "MULTIVARIATE",
    "NON_FINITE",
    "OUTPUTS",
    "OUT_OF_DISTRIBUTION",
    "TYPE_ERROR",
    "UNSEEN",
    "assess_drift",
    "family_alphas",
    "family_of",
    "family_p_values",
    "smallest_of",
    "statistics_of",
    "test_of",
]

FEATURES: Final = "features"
OUTPUTS: Final = "outputs"
MULTIVARIATE: Final = "segments_and_multivariate"
_WEIGHTS: Final = {FEATURES: 0.5, OUTPUTS: 0.25, MULTIVARIATE: 0.25}
"""Share of the false-alarm rate; families that are absent leave theirs to those present."""
_MULTIVARIATE_TARGETS: Final = frozenset(
    {
        MlDriftTargetValues.MULTIVARIATE,
        MlDriftTargetValues.CORRELATION,
        MlDriftTargetValues.EXPLANATION,
    }
)

MISSING: Final = "missing"
UNSEEN: Final = "unseen"
NON_FINITE: Final = "non_finite"
TYPE_ERROR: Final = "type_error"
OUT_OF_DISTRIBUTION: Final = "ood"
"""Drivers that are exact (hypergeometric) tests of a slot's share; the others are named as in `ml.drift.test`."""

_SHARES: Final = frozenset({MISSING, UNSEEN, NON_FINITE, TYPE_ERROR, OUT_OF_DISTRIBUTION})
_SLOT_TESTS: Final = {
    MISSING: (Slot.MISSING,),
    UNSEEN: (Slot.UNSEEN, Slot.MISSING),
    NON_FINITE: (Slot.NON_FINITE, Slot.MISSING),
    TYPE_ERROR: (Slot.TYPE_ERROR, Slot.MISSING),
}
"""The slot whose share is tested, and the slots whose rows are not counted in that share."""

_CHI_SQUARED: Final = MlDriftMethodValues.CHI_SQUARED.value
_KOLMOGOROV_SMIRNOV: Final = MlDriftMethodValues.KOLMOGOROV_SMIRNOV.value
_WASSERSTEIN: Final = MlDriftMethodValues.WASSERSTEIN.value
_WASSERSTEIN_IQR: Final = MlDriftMethodValues.WASSERSTEIN_IQR.value
_RANK_LOCATION: Final = MlDriftTestValues.RANK_LOCATION.value
_RANK_SCALE: Final = MlDriftTestValues.RANK_SCALE.value
_RANK_CORRELATION: Final = MlDriftMethodValues.RANK_CORRELATION.value
_PCA_RECONSTRUCTION: Final = MlDriftMethodValues.PCA_RECONSTRUCTION.value

_WARNING_ALPHA: Final = 10
_WARNING_FLOOR: Final = 0.5
"""A warning needs a tenth of the evidence and half of the effect of an alarm."""

_DISTANCES: Final = {
    MlDriftMethodValues.PSI.value: population_stability_index,
    MlDriftMethodValues.JENSEN_SHANNON.value: jensen_shannon_distance,
    MlDriftMethodValues.HELLINGER.value: hellinger_distance,
    MlDriftMethodValues.KULLBACK_LEIBLER.value: kullback_leibler_divergence,
    MlDriftMethodValues.TOTAL_VARIATION.value: total_variation_distance,
    MlDriftMethodValues.L_INFINITY.value: l_infinity_distance,
}
"""Scores of any column's value cells; the others need an order, positions, or pooled cells."""


@dataclass(frozen=True, slots=True)
class _Side:
    """The counts of one side: the value cells that either side has rows in, the slots, and all rows."""

    values: IntArray
    slots: list[int]
    rows: int

    def outside(self, *slots: Slot) -> int:
        """Rows that are in none of *slots*."""
        return self.rows - sum(self.slots[slot] for slot in slots)


@dataclass(frozen=True, slots=True)
class _Column:
    """A comparison taken apart."""

    target: MlDriftTargetValues
    name: str
    ordered: bool
    reference: _Side
    current: _Side
    has_values: bool
    """Whether both sides have a value that can be compared."""
    positions: FloatArray | None
    """Where the rows of each value cell lie."""
    beyond: tuple[int, int] | None = None
    """Rows of reference and window that are out of distribution; of the target `multivariate`."""
    pair: PairReading | None = None
    """What changed most; of the target `correlation`."""

    @property
    def family(self) -> str:
        return family_of(self.target)

    @property
    def values(self) -> tuple[IntArray, IntArray]:
        return self.reference.values, self.current.values

    @property
    def key(self) -> tuple[MlDriftTargetValues, str]:
        return self.target, self.name


@dataclass(frozen=True, slots=True)
class _Evidence:
    """What a column's own tests say. The slots' are those that need no effect; both p-values count all the tests that were run."""

    p_value: float
    slot_p_value: float
    driver: str
    slot_driver: str
    effect: float


@dataclass(frozen=True, slots=True)
class _Finding:
    """The evidence of a column among its family: p-values adjusted for all columns of it."""

    evidence: _Evidence
    p_value: float
    slot_p_value: float

    def significance(self, floor: float) -> float:
        """P-value that counts against a threshold: of all tests where the effect reaches *floor*, else of the slots' alone."""
        return self.p_value if self.evidence.effect >= floor else self.slot_p_value


def assess_drift(
    comparisons: Sequence[Comparison],
    *,
    alpha: float,
    effect_floor: float,
    scores: Collection[str],
    min_rows: int,
    calibrated: Calibrated = IID,
) -> tuple[TargetReading, ...]:
    """
    Return the reading of every column, in the order given.

    A column is `insufficient` where the window has fewer than *min_rows* rows of it or the reference none: then only its shares are
    told, its p-value is 1 and its effect 0. What cannot be compared has no score: a column without a value on one side (its effect is
    0, and only its missing and unseen shares are tested), the Kolmogorov-Smirnov and Wasserstein distance of categories. A column with a single cell
    cannot change within it: its scores and its effect are 0. Nothing here raises because of what was counted, and no number is NaN.

    Args:
        comparisons: Columns of one window of one stream, none twice.
        alpha: Promised probability of an alarm without drift, in (0, 1), shared over the families that are tested.
        effect_floor: Smallest debiased PSI that can alarm, >= 0.
        scores: Names of the scores to compute, as `ml.drift.method` has them; see `DriftConfig.scores`.
        min_rows: Fewest rows of a column that are tested.
        calibrated: How p-values are made to keep the promise.
    """
    columns = [_column(comparison) for comparison in comparisons]
    tested = [c for c in columns if c.current.rows >= max(min_rows, 1) and c.reference.rows > 0]
    findings = dict(zip(map(id, tested), _findings(tested, calibrated), strict=True))
    alphas = family_alphas({column.family for column in tested}, alpha)
    readings = []
    for column in columns:
        finding = findings.get(id(column))
        if finding is None:
            readings.append(_shares_only(column))
        else:
            state = _state(finding, alphas[column.family], effect_floor)
            reading = _assessed(column, finding, effect_floor, state)
            inflation = calibrated.inflation(column.key)
            readings.append(replace(reading, scores=_scores(column, scores), inflation=inflation))
    return tuple(readings)


def family_p_values(
    comparisons: Sequence[Comparison], effect_floor: float, calibrated: Calibrated = IID
) -> dict[str, float]:
    """
    Return the smallest adjusted p-value of every family present, of the columns whose effect reaches *effect_floor*.

    1.0 where none does; missing and unseen shares count whatever the effect. A family alarms where its value is at most its part of
    alpha, exactly where `assess_drift` says that one of its columns drifts.
    """
    columns = [_column(comparison) for comparison in comparisons]
    smallest: dict[str, float] = {}
    for column, finding in zip(columns, _findings(columns, calibrated), strict=True):
        p_value = finding.significance(effect_floor)
        smallest[column.family] = min(p_value, smallest.get(column.family, 1.0))
    return smallest


def statistics_of(comparison: Comparison) -> dict[str, Statistic]:
    """Return the tests of *comparison* that can be run, by driver: empty where there is none."""
    column = _column(comparison)
    return _value_tests(column) | _slot_tests(column)


def family_of(target: MlDriftTargetValues) -> str:
    """Return the family that *target* shares its false-alarm rate with."""
    if target is MlDriftTargetValues.FEATURE:
        return FEATURES
    return MULTIVARIATE if target in _MULTIVARIATE_TARGETS else OUTPUTS


def family_alphas(families: Iterable[str], alpha: float) -> dict[str, float]:
    """
    Return the part of *alpha* that each of the *families* present may use; together they use all of it.

    Raises:
        ValueError: If *alpha* is not in (0, 1) or a family is not known.
    """
    present = set(families)
    if unknown := present - _WEIGHTS.keys():
        raise ValueError(f"unknown families {sorted(unknown)}; known: {', '.join(_WEIGHTS)}")
    return shared_alpha(alpha, {name: _WEIGHTS[name] for name in _WEIGHTS if name in present})


def _column(comparison: Comparison) -> _Column:
    """
    Take *comparison* apart, and leave out the value cells that are empty on both sides.

    Such a cell (the other known categories, where there are none) would cost the PSI half a count on both sides: in a window of
    200 rows more than the effect floor.
    """
    if comparison.pairs is not None:
        return _correlated(comparison, comparison.pairs)
    sides = comparison.reference, comparison.current
    used = (sides[0][:-N_SLOTS] + sides[1][:-N_SLOTS]) > 0
    reference, current = (
        _Side(
            counts[:-N_SLOTS][used],
            counts[-N_SLOTS:].tolist(),
            int(counts[: N_EXCLUSIVE - N_SLOTS].sum()),
        )
        for counts in sides
    )
    has_values = bool(reference.values.any() and current.values.any())
    facts = comparison.target, comparison.name, comparison.ordered
    positions = None if comparison.positions is None else comparison.positions[used]
    beyond = None
    if comparison.target is MlDriftTargetValues.MULTIVARIATE:
        beyond = (int(sides[0][-N_SLOTS - 1]), int(sides[1][-N_SLOTS - 1]))
    return _Column(*facts, reference, current, has_values, positions, beyond)


def _correlated(comparison: Comparison, pairs: PairReference) -> _Column:
    """Return the pairs as a column without cells, whose rows are those that have all of the features."""
    reference, current = (
        _Side(np.zeros(0, dtype=np.int64), [0] * N_SLOTS, int(block[0]))
        for block in (comparison.reference, comparison.current)
    )
    return _Column(
        target=comparison.target,
        name=comparison.name,
        ordered=False,
        reference=reference,
        current=current,
        has_values=False,
        positions=None,
        pair=most_changed_pair(comparison, pairs),
    )


def _findings(columns: Sequence[_Column], calibrated: Calibrated) -> list[_Finding]:
    """Evidence of every column, adjusted for the other columns of its family."""
    evidence = [_evidence(column, calibrated) for column in columns]
    found: dict[int, _Finding] = {}
    for family in _WEIGHTS:
        members = [i for i, column in enumerate(columns) if column.family == family]
        p_values, slot_p_values = (
            _adjusted(family, [columns[i] for i in members], said, calibrated)
            for said in (
                [evidence[i].p_value for i in members],
                [evidence[i].slot_p_value for i in members],
            )
        )
        for i, p_value, slot_p_value in zip(members, p_values, slot_p_values, strict=True):
            found[i] = _Finding(evidence[i], float(p_value), float(slot_p_value))
    return [found[i] for i in range(len(evidence))]


def _adjusted(
    family: str, columns: Sequence[_Column], p_values: Sequence[float], calibrated: Calibrated
) -> FloatArray:
    """Adjust for the columns of *family*: by rank among its windows of the reference, else by Holm."""
    if calibrated.mode is MlDriftCalibrationModeValues.EMPIRICAL:
        return calibrated.ranked(family, [column.key for column in columns], p_values)
    return holm_adjusted(p_values)


def _evidence(column: _Column, calibrated: Calibrated) -> _Evidence:
    slot_tests = calibrated.p_values(column.key, _slot_tests(column))
    tests = calibrated.p_values(column.key, _value_tests(column)) | slot_tests
    return _Evidence(
        p_value=smallest_of(tests.values(), n_tests=len(tests)),
        slot_p_value=smallest_of(slot_tests.values(), n_tests=len(tests)),
        driver=min(tests, key=tests.__getitem__, default=""),
        slot_driver=min(slot_tests, key=slot_tests.__getitem__, default=""),
        effect=_effect(column),
    )


def _effect(column: _Column) -> float:
    if column.pair is not None:
        return column.pair.effect
    return debiased_psi(*column.values) if column.has_values else 0.0


def test_of(driver: str) -> MlDriftTestValues | None:
    """Return the test that *driver* names; None where there was none."""
    if driver in _SHARES:
        return MlDriftTestValues.HYPERGEOMETRIC
    is_test = driver in {test.value for test in MlDriftTestValues}
    return MlDriftTestValues(driver) if is_test else None


def smallest_of(p_values: Collection[float], n_tests: int) -> float:
    """Return the smallest p-value times the number of tests it was chosen from; 1 without a test."""
    return min(1.0, n_tests * min(p_values)) if p_values else 1.0


def _value_tests(column: _Column) -> dict[str, Statistic]:
    """
    Tests over value cells that can be run.

    Which ones can be run follows from both sides together, so leaving the others out of the count keeps the promise. Of two cells
    the chi-squared test already is the test of location, and one cell cannot change.
    """
    if column.pair is not None:
        return {_RANK_CORRELATION: Statistic.two_sided(column.pair.p_value)}
    if not column.has_values:
        return {}
    cells = pooled(*column.values, ordered=column.ordered)
    if column.target is MlDriftTargetValues.PERFORMANCE:
        return _rise_test(*cells)
    spread = chi_squared_test(*cells)
    if spread.degrees_of_freedom == 0:
        return {}
    degrees = spread.degrees_of_freedom
    tests = {_CHI_SQUARED: Statistic(spread.p_value, spread.statistic / degrees, degrees)}
    if column.ordered and degrees > 1:
        for name, test in (
            (_RANK_LOCATION, rank_location_test(*cells)),
            (_RANK_SCALE, rank_scale_test(*cells)),
        ):
            tests[name] = Statistic(test.p_value, test.z**2)
    return tests


def _rise_test(reference: IntArray, current: IntArray) -> dict[str, Statistic]:
    """Test that expected errors lie higher: a model that is expected to be better than it was is no alarm."""
    z = rank_location_test(reference, current).z
    return {_RANK_LOCATION: Statistic.one_sided(float(special.ndtr(-z)))}


def _slot_tests(column: _Column) -> dict[str, Statistic]:
    """Exact tests of those slots that any row of either side is in, and of what is out of distribution."""
    reference, current = column.reference.slots, column.current.slots
    return _beyond_test(column) | {
        driver: Statistic.one_sided(_slot_p_value(column, slot, *excluded))
        for driver, (slot, *excluded) in _SLOT_TESTS.items()
        if reference[slot] + current[slot]
    }


def _beyond_test(column: _Column) -> dict[str, Statistic]:
    """
    Exact test of a larger share out of distribution, as the slots' need no effect.

    The threshold is an error of the reference, so of k rows beyond it among n, x or more of m beyond it are as likely as that x of the
    k + x largest errors of all are of the window: hypergeometric, whatever the distribution.
    """
    if column.beyond is None or not any(column.beyond):
        return {}
    before, now = column.beyond
    rows = [int(side.values.sum()) for side in (column.reference, column.current)]
    p_value = larger_share_p_value(before, rows[0], now, rows[1])
    return {OUT_OF_DISTRIBUTION: Statistic.one_sided(p_value)}


def _slot_p_value(column: _Column, slot: Slot, *excluded: Slot) -> float:
    """P-value of a larger share in *slot* than in the reference, of the rows in none of *excluded*."""
    reference, current = column.reference, column.current
    return larger_share_p_value(
        reference.slots[slot],
        reference.outside(*excluded),
        current.slots[slot],
        current.outside(*excluded),
    )


def _scores(column: _Column, wanted: Collection[str]) -> dict[str, float]:
    if column.pair is not None:
        return {_RANK_CORRELATION: abs(column.pair.after - column.pair.before)}
    if not column.has_values:
        return {}
    scores = {
        name: measure(*column.values) for name, measure in _DISTANCES.items() if name in wanted
    }
    if column.ordered and _KOLMOGOROV_SMIRNOV in wanted:
        scores[_KOLMOGOROV_SMIRNOV] = kolmogorov_smirnov_distance(*column.values)
    if _CHI_SQUARED in wanted:
        cells = pooled(*column.values, ordered=column.ordered)
        scores[_CHI_SQUARED] = chi_squared_test(*cells).statistic
    if column.beyond is not None and column.positions is not None:
        rows = column.current.values
        scores[_PCA_RECONSTRUCTION] = float(rows @ column.positions / rows.sum())
    return scores | _carried(column, wanted)


def _carried(column: _Column, wanted: Collection[str]) -> dict[str, float]:
    """How far rows would have to be carried, in the feature's unit and in interquartile ranges of the reference."""
    if column.positions is None or not {_WASSERSTEIN, _WASSERSTEIN_IQR} & set(wanted):
        return {}
    scores = {_WASSERSTEIN: wasserstein_distance(*column.values, column.positions)}
    width = interquartile_range(column.reference.values, column.positions)
    if width > 0:
        scores[_WASSERSTEIN_IQR] = scores[_WASSERSTEIN] / width
    return {name: score for name, score in scores.items() if name in wanted}


def _state(finding: _Finding, alpha: float, effect_floor: float) -> MlDriftStateValues:
    if finding.significance(effect_floor) <= alpha:
        return MlDriftStateValues.DRIFTING
    hint = finding.significance(_WARNING_FLOOR * effect_floor)
    # A p-value of 1 says nothing, however generous the promise.
    if hint < 1 and hint <= _WARNING_ALPHA * alpha:
        return MlDriftStateValues.WARNING
    return MlDriftStateValues.STEADY


def _assessed(
    column: _Column, finding: _Finding, effect_floor: float, state: MlDriftStateValues
) -> TargetReading:
    evidence = finding.evidence
    # An alarm names the test that raised it, which need not be the one with the smallest p-value if that one's effect is too small.
    by_slots = state is MlDriftStateValues.DRIFTING and evidence.effect < effect_floor
    return replace(
        _shares_only(column),
        p_value=finding.slot_p_value if by_slots else finding.p_value,
        effect=evidence.effect,
        state=state,
        driver=evidence.slot_driver if by_slots else evidence.driver,
    )


def _shares_only(column: _Column) -> TargetReading:
    current = column.current
    present = current.outside(Slot.MISSING)
    finite = current.outside(Slot.MISSING, Slot.NON_FINITE, Slot.TYPE_ERROR)
    slots = current.slots
    return TargetReading(
        target=column.target,
        name=column.name,
        rows=current.rows,
        scores={},
        p_value=1.0,
        effect=0.0,
        state=MlDriftStateValues.INSUFFICIENT,
        missing=_share(slots[Slot.MISSING], current.rows),
        unseen=_share(slots[Slot.UNSEEN], present),
        non_finite=_share(slots[Slot.NON_FINITE], present),
        type_error=_share(slots[Slot.TYPE_ERROR], present),
        out_of_range=_share(slots[Slot.BELOW_RANGE] + slots[Slot.ABOVE_RANGE], finite),
        ood=_share(column.beyond[1], current.rows) if column.beyond else 0.0,
        pair=column.pair,
    )


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0

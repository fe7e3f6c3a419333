"""
Which columns of a window have drifted: from counts to p-values, effects and states.

Three things make an alarm: a p-value that several tests share (chi-squared over the value cells, rank location and rank scale where
cells are ordered, exact tests of the shares that are missing, unseen, not finite or of a wrong type), its adjustment for all columns of the family (Holm) and for all
families of the model, and an effect large enough to matter. The p-values hold for independent rows (calibration mode `iid`), or are
calibrated on the windows of the reference (modes `scaled` and `empirical`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from otel_ml_conventions.attributes import (
    MlDriftCalibrationModeValues,
    MlDriftStateValues,
    MlDriftTargetValues,
    MlDriftTestValues,
)
from otel_ml_processor.assess.calibration import IID, Statistic
from otel_ml_processor.assess.multivariate import most_changed_pair
from otel_ml_processor.assess.reading import TargetReading
from otel_ml_processor.assess.side_by_side import blocks, side_by_side
from otel_ml_processor.assess.value_statistics import pair_statistics, value_statistics
from otel_ml_processor.sketches.slots import N_EXCLUSIVE, N_SLOTS, Slot
from otel_ml_processor.statistics.families import shared_alpha
from otel_ml_processor.statistics.holm import holm_adjusted
from otel_ml_processor.statistics.hypergeometric import larger_share_p_value

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from otel_ml_processor.assess.calibration import Calibrated
    from otel_ml_processor.assess.reading import PairReading
    from otel_ml_processor.assess.value_statistics import ValueStatistics
    from otel_ml_processor.columns import FloatArray
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
_EXCLUSIVE: Final = tuple(Slot)[:N_EXCLUSIVE]

_WARNING_ALPHA: Final = 10
_WARNING_FLOOR: Final = 0.5
"""A warning needs a tenth of the evidence and half of the effect of an alarm."""


class _Side(NamedTuple):
    """One side of a column: all its rows, and those in each slot."""

    rows: int
    slots: list[int]

    def outside(self, *slots: Slot) -> int:
        """Rows that are in none of *slots*."""
        return self.rows - sum(self.slots[slot] for slot in slots)


@dataclass(frozen=True, slots=True)
class _Column:
    """What the counts of one comparison say."""

    target: MlDriftTargetValues
    name: str
    family: str
    reference: _Side
    current: _Side
    values: ValueStatistics
    beyond: tuple[int, int] | None
    """Rows of reference and window that are out of distribution; of the target `multivariate`."""
    pair: PairReading | None
    """What changed most; of the target `correlation`."""

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


class _Judgement(NamedTuple):
    """What is said of a column; of one that is not tested what the defaults are."""

    state: MlDriftStateValues = MlDriftStateValues.INSUFFICIENT
    p_value: float = 1.0
    effect: float = 0.0
    driver: str = ""


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
    columns = _columns(comparisons, scores)
    tested = [c for c in columns if c.current.rows >= max(min_rows, 1) and c.reference.rows > 0]
    findings = dict(zip(map(id, tested), _findings(tested, calibrated), strict=True))
    alphas = family_alphas({column.family for column in tested}, alpha)
    readings = []
    for column in columns:
        finding = findings.get(id(column))
        if finding is None:
            readings.append(_reading(column, _Judgement(), {}, inflation=1.0))
        else:
            judged = _judged(finding, alphas[column.family], effect_floor)
            inflation = calibrated.inflation(column.key)
            readings.append(_reading(column, judged, column.values.scores, inflation))
    return tuple(readings)


def family_p_values(
    comparisons: Sequence[Comparison], effect_floor: float, calibrated: Calibrated = IID
) -> dict[str, float]:
    """
    Return the smallest adjusted p-value of every family present, of the columns whose effect reaches *effect_floor*.

    1.0 where none does; missing and unseen shares count whatever the effect. A family alarms where its value is at most its part of
    alpha, exactly where `assess_drift` says that one of its columns drifts.
    """
    columns = _columns(comparisons)
    smallest: dict[str, float] = {}
    for column, finding in zip(columns, _findings(columns, calibrated), strict=True):
        p_value = finding.significance(effect_floor)
        smallest[column.family] = min(p_value, smallest.get(column.family, 1.0))
    return smallest


def statistics_of(comparisons: Sequence[Comparison]) -> list[dict[str, Statistic]]:
    """Return for each of the *comparisons* the tests that can be run, by driver: empty where there is none."""
    columns = _columns(comparisons)
    return [c.values.tests | tests for c, tests in zip(columns, _slot_tests(columns), strict=True)]


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


def _columns(comparisons: Sequence[Comparison], scores: Collection[str] = ()) -> list[_Column]:
    """Return what the counts of every column say, with the *scores* that are wanted."""
    return [
        column for block in blocks(comparisons) for column in _of_block(comparisons[block], scores)
    ]


def _of_block(comparisons: Sequence[Comparison], scores: Collection[str]) -> list[_Column]:
    counts = side_by_side(comparisons)
    cells, slots = counts[..., :-N_SLOTS], counts[..., -N_SLOTS:].tolist()
    rows = counts[..., : N_EXCLUSIVE - N_SLOTS].sum(axis=-1).tolist()
    last_cells = cells[..., -1].tolist()
    values = value_statistics(comparisons, cells, scores)
    columns = []
    for i, comparison in enumerate(comparisons):
        reference, current = (_Side(rows[side][i], slots[side][i]) for side in range(2))
        is_together = comparison.target is MlDriftTargetValues.MULTIVARIATE
        beyond = (last_cells[0][i], last_cells[1][i]) if is_together else None
        pair = None if comparison.pairs is None else most_changed_pair(comparison, comparison.pairs)
        of_values = values[i] if pair is None else pair_statistics(pair)
        facts = comparison.target, comparison.name, family_of(comparison.target)
        columns.append(_Column(*facts, reference, current, of_values, beyond, pair))
    return columns


def _findings(columns: Sequence[_Column], calibrated: Calibrated) -> list[_Finding]:
    """Evidence of every column, adjusted for the other columns of its family."""
    evidence = [
        _evidence(column, tests, calibrated)
        for column, tests in zip(columns, _slot_tests(columns), strict=True)
    ]
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


def _evidence(
    column: _Column, slot_tests: Mapping[str, Statistic], calibrated: Calibrated
) -> _Evidence:
    slots = calibrated.p_values(column.key, slot_tests)
    tests = calibrated.p_values(column.key, column.values.tests) | slots
    return _Evidence(
        p_value=smallest_of(tests.values(), n_tests=len(tests)),
        slot_p_value=smallest_of(slots.values(), n_tests=len(tests)),
        driver=min(tests, key=tests.__getitem__, default=""),
        slot_driver=min(slots, key=slots.__getitem__, default=""),
        effect=column.values.effect,
    )


def test_of(driver: str) -> MlDriftTestValues | None:
    """Return the test that *driver* names; None where there was none."""
    if driver in _SHARES:
        return MlDriftTestValues.HYPERGEOMETRIC
    is_test = driver in {test.value for test in MlDriftTestValues}
    return MlDriftTestValues(driver) if is_test else None


def smallest_of(p_values: Collection[float], n_tests: int) -> float:
    """Return the smallest p-value times the number of tests it was chosen from; 1 without a test."""
    return min(1.0, n_tests * min(p_values)) if p_values else 1.0


def _slot_tests(columns: Sequence[_Column]) -> list[dict[str, Statistic]]:
    """Exact tests of those slots that any row of either side is in, and of what is out of distribution, of each column."""
    tests: list[dict[str, Statistic]] = [{} for _ in columns]
    asked = [
        (of_column, driver, shares)
        for of_column, column in zip(tests, columns, strict=True)
        for driver, shares in _shares(column)
    ]
    if asked:
        p_values = larger_share_p_value(*np.transpose([shares for *_, shares in asked]))
        for (of_column, driver, _), p_value in zip(asked, p_values.tolist(), strict=True):
            of_column[driver] = Statistic.one_sided(p_value)
    return tests


def _shares(column: _Column) -> Iterator[tuple[str, tuple[int, int, int, int]]]:
    """
    Yield the shares that may be larger than in the reference, by driver: hits and rows of the reference, then of the window.

    The threshold of what is out of distribution is an error of the reference, so of k rows beyond it among n, x or more of m beyond it are
    as likely as that x of the k + x largest errors of all are of the window: hypergeometric, whatever the distribution. As the slots', it
    needs no effect.
    """
    reference, current = column.reference, column.current
    if column.beyond is not None and any(column.beyond):
        before, now = column.beyond
        yield (
            OUT_OF_DISTRIBUTION,
            (before, reference.outside(*_EXCLUSIVE), now, current.outside(*_EXCLUSIVE)),
        )
    for driver, (slot, *excluded) in _SLOT_TESTS.items():
        before, now = reference.slots[slot], current.slots[slot]
        if before or now:
            yield driver, (before, reference.outside(*excluded), now, current.outside(*excluded))


def _judged(finding: _Finding, alpha: float, effect_floor: float) -> _Judgement:
    """An alarm names the test that raised it, which need not be the one with the smallest p-value if that one's effect is too small."""
    evidence, state = finding.evidence, _state(finding, alpha, effect_floor)
    if state is MlDriftStateValues.DRIFTING and evidence.effect < effect_floor:
        return _Judgement(state, finding.slot_p_value, evidence.effect, evidence.slot_driver)
    return _Judgement(state, finding.p_value, evidence.effect, evidence.driver)


def _state(finding: _Finding, alpha: float, effect_floor: float) -> MlDriftStateValues:
    if finding.significance(effect_floor) <= alpha:
        return MlDriftStateValues.DRIFTING
    hint = finding.significance(_WARNING_FLOOR * effect_floor)
    # A p-value of 1 says nothing, however generous the promise.
    if hint < 1 and hint <= _WARNING_ALPHA * alpha:
        return MlDriftStateValues.WARNING
    return MlDriftStateValues.STEADY


def _reading(
    column: _Column, judged: _Judgement, scores: Mapping[str, float], inflation: float
) -> TargetReading:
    current = column.current
    present = current.outside(Slot.MISSING)
    finite = current.outside(Slot.MISSING, Slot.NON_FINITE, Slot.TYPE_ERROR)
    slots = current.slots
    return TargetReading(
        target=column.target,
        name=column.name,
        rows=current.rows,
        scores=scores,
        p_value=judged.p_value,
        effect=judged.effect,
        state=judged.state,
        missing=_share(slots[Slot.MISSING], current.rows),
        unseen=_share(slots[Slot.UNSEEN], present),
        non_finite=_share(slots[Slot.NON_FINITE], present),
        type_error=_share(slots[Slot.TYPE_ERROR], present),
        out_of_range=_share(slots[Slot.BELOW_RANGE] + slots[Slot.ABOVE_RANGE], finite),
        ood=_share(column.beyond[1], current.rows) if column.beyond else 0.0,
        driver=judged.driver,
        inflation=inflation,
        pair=column.pair,
    )


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0

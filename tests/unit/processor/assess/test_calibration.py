"""Calibration on the windows of the reference: which mode, and what it makes of p-values."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Literal

import numpy as np
import pytest
from scipy import stats

from otel_ml_conventions.attributes import MlDriftCalibrationModeValues, MlDriftTargetValues
from otel_ml_processor.assess.calibrate import rung_of
from otel_ml_processor.assess.calibration import (
    IID,
    SMALLEST_SCALE,
    Calibrated,
    Calibration,
    Rung,
    Statistic,
)
from otel_ml_processor.assess.drift import assess_drift, family_alphas, statistics_of
from otel_ml_processor.assess.explanations import Explained, ExplanationReference
from otel_ml_processor.assess.promise import Promises
from otel_ml_processor.assess.self_test import TargetWindows
from otel_ml_processor.assess.window import assess_window
from otel_ml_processor.columns import StreamKey
from otel_ml_processor.config import DriftConfig, WindowConfig
from otel_ml_processor.profile import (
    CellReference,
    ColumnCalibration,
    Inflation,
    Profile,
    RungReference,
    Source,
    sealed,
)
from otel_ml_processor.sketches.slots import Slot
from otel_ml_processor.windows.disjoint import Closed
from otel_ml_processor.windows.reference import Reference
from otel_ml_processor.windows.streams import ClosedWindow
from otel_ml_processor.windows.summary import Summary
from tests.data.comparisons import compared, counted

FEATURE = MlDriftTargetValues.FEATURE
CONFIDENCE = MlDriftTargetValues.CONFIDENCE
MODE = MlDriftCalibrationModeValues
X = (FEATURE, "x")


def column(scale: float = SMALLEST_SCALE, **factors: float) -> ColumnCalibration:
    """Return a column with inflations by test."""
    return ColumnCalibration(
        scale=scale, inflation={d: Inflation(factor=f) for d, f in factors.items()}
    )


def rung(rows: int, n_windows: int, scale: float = SMALLEST_SCALE, **factors: float) -> Rung:
    """Return so many windows of one feature, with extremes 1, 2, 3 ..."""
    extremes = np.arange(1.0, n_windows + 1)
    return Rung(
        rows, {X: column(scale, **factors)}, {"features": extremes}, {"features": np.ones(1)}
    )


@pytest.mark.parametrize(
    ("rows", "wanted", "expected"),
    [
        (150, "auto", ("empirical", 200)),
        (200, "auto", ("empirical", 200)),
        (201, "auto", ("scaled", 400)),
        (400, "empirical", ("scaled", 400)),
        (150, "scaled", ("scaled", 200)),
        (150, "iid", ("iid", 200)),
        (500, "auto", ("iid", None)),
        (900, "scaled", ("iid", None)),
    ],
)
def test_the_mode_is_what_there_are_windows_enough_for(
    rows: int, wanted: str, expected: tuple[str, int | None]
) -> None:
    """Of the smallest size at least as large: 2 / alpha of them, or 20, or rows are taken to be independent."""
    calibration = Calibration((rung(200, 200), rung(400, 199), rung(800, 19)))

    found = calibration.calibrated(rows, {"features": 0.01}, wanted)  # type: ignore[arg-type]  # from the table above

    assert (found.mode.value, found.rung and found.rung.rows) == expected


def test_a_family_that_shares_needs_more_windows() -> None:
    """With two families the outputs use a third of 1 %: 600 windows, for with fewer a rank cannot be small enough."""
    alphas = family_alphas(["features", "outputs"], 0.01)

    assert Calibration((rung(200, 599),)).calibrated(200, alphas, "auto").mode is MODE.SCALED
    assert Calibration((rung(200, 600),)).calibrated(200, alphas, "auto").mode is MODE.EMPIRICAL


def test_a_rank_is_the_published_one() -> None:
    """(1 + extremes at or above) / (windows + 1), of -ln p divided by the column's own scale."""
    how = Calibrated(MODE.EMPIRICAL, rung(200, 4, scale=2.0))

    values = [math.exp(-2.0 * v) for v in (0.5, 1.0 + 1e-9, 2.5, 9.0)]

    assert how.ranked("features", [X] * 4, values).tolist() == [1.0, 0.8, 0.6 - 0.0, 0.2]


def test_without_extremes_nothing_is_significant() -> None:
    """A family that the reference does not have cannot be ranked; neither can it alarm."""
    how = Calibrated(MODE.EMPIRICAL, rung(200, 4))

    assert how.ranked("outputs", [(CONFIDENCE, "")], [1e-30]).tolist() == [1.0]
    assert Calibrated(MODE.EMPIRICAL).ranked("features", [X], [1e-30]).tolist() == [1.0]


def test_a_p_value_of_0_has_a_rank() -> None:
    """The logarithm of what is too small for a number is that of the smallest one, and no infinity."""
    how = Calibrated(MODE.EMPIRICAL, rung(200, 4))

    assert how.ranked("features", [X], [0.0]).tolist() == [0.2]


@pytest.mark.parametrize("factor", [1.0, 4.0])
def test_a_normal_score_is_divided_by_the_root_of_its_inflation(factor: float) -> None:
    """Two-sided: z = 3 over a variance four times that of chance is z = 1.5."""
    test = Statistic(2 * stats.norm.sf(3.0), 9.0)

    expected = 2 * stats.norm.sf(3.0 / math.sqrt(factor))
    assert test.scaled(Inflation(factor=factor)) == pytest.approx(expected)


@pytest.mark.parametrize("p_value", [0.6, 0.2, 1e-9, 0.0])
def test_an_exact_test_is_scaled_by_its_normal_score(p_value: float) -> None:
    """One-sided; on the other side it stays what it is, and a p-value of 0 is no error."""
    test = Statistic.one_sided(p_value)

    same, less = (test.scaled(Inflation(factor=factor)) for factor in (1.0, 4.0))

    assert same == pytest.approx(p_value)
    halved = stats.norm.sf(stats.norm.isf(p_value) / 2) if p_value < 0.5 else p_value
    assert less == pytest.approx(halved)


def test_a_chi_squared_statistic_keeps_mean_and_variance() -> None:
    """Satterthwaite: 3 times a chi-squared of 19 degrees is found again, shape and size, from 4000 windows of it."""
    sizes = 3 * np.random.default_rng(5).chisquare(19, 4000) / 19
    tests = [Statistic(0.5, size, 19) for size in sizes]

    scaled = np.array([test.scaled(Inflation(factor=3.0, shape=1.0)) for test in tests])

    assert np.mean(scaled <= 0.01) == pytest.approx(0.01, abs=0.005)
    assert np.mean(scaled <= 0.5) == pytest.approx(0.5, abs=0.03)


def tilted(n_windows: int, wobble: float, seed: int = 3, name: str = "x") -> TargetWindows:
    """Return windows of 1000 rows on ten cells, whose shares tilt by a random *wobble* from window to window."""
    rng = np.random.default_rng(seed)
    tilts = np.exp(np.outer(rng.normal(0, wobble, n_windows), np.linspace(-1, 1, 10)))
    shares = tilts / tilts.sum(axis=1, keepdims=True)
    counts = np.stack([counted(rng.multinomial(1000, row)) for row in shares])
    return TargetWindows(FEATURE, name, ordered=True, counts=counts)


def told(*columns: TargetWindows) -> RungReference:
    """Return what the windows of *columns* tell."""
    totals = [c.counts.sum(axis=0) for c in columns]
    return rung_of(columns, totals, rows=1000, effect_floor=0.01)


def test_the_inflation_is_the_mean_of_the_tests_over_the_windows() -> None:
    """Of every test the mean of its squared score, each window against the others; extremes are sorted and standardised."""
    windows = tilted(60, wobble=0.2)

    found = told(windows)

    total = windows.counts.sum(axis=0)
    tests = statistics_of(
        [
            replace(compared([1], [1]), reference=total - counts, current=counts)
            for counts in windows.counts
        ]
    )
    (calibration,) = found.columns
    mean = np.mean([test["rank_location"].size for test in tests])
    assert calibration.inflation["rank_location"].factor == pytest.approx(mean, rel=1e-3)
    spread = np.array([test["chi_squared"].size for test in tests])
    shape = 2 * spread.mean() ** 2 / spread.var() / 9
    assert calibration.inflation["chi_squared"].shape == pytest.approx(shape, rel=1e-3)
    logs = [-math.log(3 * min(t.p_value for t in test.values())) for test in tests]
    assert calibration.scale == pytest.approx(np.quantile(np.maximum(logs, 0), 0.95), rel=1e-3)
    assert found.extremes["features"] == pytest.approx(
        sorted(max(0.0, log) / calibration.scale for log in logs), rel=1e-3
    )


def test_a_share_that_swings_has_the_inflation_of_its_variance() -> None:
    """A share of .1 that is now .05, now .15: over chance, 1 + 1000 * .1 * .25 / .9 = 28.8, though only the upper half is seen."""
    rng = np.random.default_rng(6)
    missing = rng.binomial(1000, np.tile([0.05, 0.15], 100))
    counts = [counted([1000 - gaps], {Slot.MISSING: int(gaps)}) for gaps in missing]

    (found,) = told(TargetWindows(FEATURE, "x", ordered=True, counts=np.stack(counts))).columns

    assert found.inflation["missing"].factor == pytest.approx(28.8, rel=0.15)


def test_the_self_test_in_mode_scaled_is_that_of_at_most_two_hundred_windows() -> None:
    """Evenly spread over all of them; what it measures is near the promise, where mode iid alarms in half of them."""
    found = told(tilted(450, wobble=0.15))

    assert len(found.extremes["features"]) == 450
    assert len(found.alarms["features"]) == 150
    how = Calibrated(MODE.SCALED, Rung.of(found, [X]))
    assert how.measured({"features": 0.05}) == pytest.approx(0.05, abs=0.04)
    assert IID.measured({"features": 0.05}) is None
    assert Calibrated(MODE.EMPIRICAL, Rung.of(found, [X])).measured({"features": 0.05}) == (
        pytest.approx(0.05, abs=0.003)
    )


def test_columns_without_a_row_or_a_change_are_calibrated_too() -> None:
    """A column that no window says, one of a single value, and one with a slot in some windows: numbers above 0, none infinite."""
    empty = TargetWindows(FEATURE, "empty", ordered=True, counts=np.stack([counted([0] * 10)] * 30))
    still = TargetWindows(FEATURE, "still", ordered=True, counts=np.stack([counted([50])] * 30))
    gaps = TargetWindows(
        FEATURE,
        "gaps",
        ordered=True,
        counts=np.stack([counted([25, 25], {Slot.MISSING: 500 * (k == 7)}) for k in range(30)]),
    )

    found = told(empty, still, gaps)

    assert [c.scale for c in found.columns] == pytest.approx([SMALLEST_SCALE] * 3, rel=1e-3)
    sizes = [i.factor for c in found.columns for i in c.inflation.values()]
    assert all(1 <= size < math.inf for size in sizes)
    assert all(math.isfinite(extreme) for extreme in found.extremes["features"])


def test_a_window_as_different_as_the_others_alarms_only_in_mode_iid() -> None:
    """A tilt that windows of the reference have too is no news; one three times as large is, in every mode."""
    windows = tilted(400, wobble=0.2)
    total = windows.counts.sum(axis=0)
    known = Rung.of(told(windows), [X])
    usual, large = (
        np.round(
            1000 * np.exp(t * np.linspace(-1, 1, 10)) / np.exp(t * np.linspace(-1, 1, 10)).sum()
        )
        for t in (0.3, 1.2)
    )

    states = {
        (mode, name): assess_drift(
            [replace(compared([1], [1]), reference=total, current=counted(cells.astype(int)))],
            alpha=0.01,
            effect_floor=0.01,
            scores=(),
            min_rows=200,
            calibrated=Calibrated(mode, known),
        )[0].state.value
        for mode in MODE
        for name, cells in (("usual", usual), ("large", large))
    }

    assert states[MODE.IID, "usual"] == "drifting"
    assert "drifting" not in {states[MODE.SCALED, "usual"], states[MODE.EMPIRICAL, "usual"]}
    assert {states[mode, "large"] for mode in MODE} == {"drifting"}


def windowed(windows: TargetWindows) -> tuple[Profile, ClosedWindow]:
    """Return the profile that knows *windows* as those of its reference, and the first of them, closed now."""
    profile = sealed(
        Profile(
            model="m",
            created="2026-01-01",
            source=Source(kind="test", uri="", rows=300_000),
            features=[
                CellReference(
                    name="x",
                    type="numeric",
                    counts=windows.counts.sum(axis=0)[:10].tolist(),
                    edges=list(range(9)),
                )
            ],
            own_windows=[told(windows)],
        )
    )
    reference = Reference.of(profile)
    summary = Summary(reference)
    summary.rows = 1000
    summary.counts += windows.counts[0]
    window = ClosedWindow(
        StreamKey("s", "", "m", ""), reference, Closed("rows", 0, 1, summary, is_sufficient=True)
    )
    return profile, window


def test_a_window_is_calibrated_as_configured() -> None:
    """The reading names its mode, tells the inflation, and measures the promise in that mode; by default rows are independent."""
    windows = tilted(300, wobble=0.2)
    profile, window = windowed(windows)

    def read(drift: DriftConfig) -> tuple[str, float, float | None]:
        promises = Promises.of(drift, [WindowConfig(name="rows", rows=1000)], [profile])
        reading = assess_window(window, promises=promises, min_rows=200, drift=drift)
        return reading.mode.value, reading.targets[0].inflation, reading.measured

    factor = told(windows).columns[0].inflation["rank_location"].factor
    assert factor > 5
    assert read(DriftConfig()) == ("iid", factor, None)
    mode, _, measured = read(DriftConfig(calibration="auto"))
    assert (mode, measured) == ("empirical", 0.01)
    mode, _, measured = read(DriftConfig(calibration="scaled"))
    assert mode == "scaled"
    assert measured is not None
    assert measured <= 0.03


def test_explanations_are_tested_as_independent_whatever_the_mode() -> None:
    """No window of the reference has any: in mode `empirical` their p-values are those of mode `iid`, and columns have their own."""
    profile, window = windowed(tilted(300, wobble=0.2))
    random = np.random.default_rng(4)
    usual = [{"x": v} for v in random.normal(size=2000).tolist()]
    reference = ExplanationReference.first(usual)
    assert reference is not None
    explained = Explained(reference)
    explained.add([{"x": v} for v in random.normal(0.3, 1, size=300).tolist()])

    def read(mode: Literal["iid", "auto"]) -> tuple[str, float, float]:
        drift = DriftConfig(calibration=mode)
        promises = Promises.of(drift, [WindowConfig(name="rows", rows=1000)], [profile])
        reading = assess_window(
            window, promises=promises, min_rows=200, drift=drift, explained=explained
        )
        by_target = {target.target: target.p_value for target in reading.targets}
        return (
            reading.mode.value,
            by_target[MlDriftTargetValues.EXPLANATION],
            by_target[FEATURE],
        )

    iid, empirical = read("iid"), read("auto")
    assert (iid[0], empirical[0]) == ("iid", "empirical")
    assert iid[1] == empirical[1] < 0.01
    assert iid[2] < empirical[2]

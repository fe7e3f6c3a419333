from __future__ import annotations

import math
from dataclasses import astuple, replace
from typing import get_args

import numpy as np
import pytest
from scipy import stats

from otel_ml_conventions.attributes import MlDriftStateValues, MlDriftTargetValues
from otel_ml_processor.assess.drift import (
    assess_drift,
    family_alphas,
    family_p_values,
    statistics_of,
)
from otel_ml_processor.assess.reading import TargetReading
from otel_ml_processor.config import DriftScore
from otel_ml_processor.sketches.slots import Slot
from otel_ml_processor.statistics.psi import debiased_psi
from otel_ml_processor.windows.summary import Comparison
from tests.data.comparisons import compared, counted

STEADY = MlDriftStateValues.STEADY
WARNING = MlDriftStateValues.WARNING
DRIFTING = MlDriftStateValues.DRIFTING
INSUFFICIENT = MlDriftStateValues.INSUFFICIENT
PREDICTION = MlDriftTargetValues.PREDICTION
CONFIDENCE = MlDriftTargetValues.CONFIDENCE

EVEN = [2500, 2500, 2500, 2500]
ALL_SCORES = ("psi", "jensen_shannon", "kolmogorov_smirnov", "chi_squared")


def assessed(
    *columns: Comparison, alpha: float = 0.01, floor: float = 0.01, min_rows: int = 200
) -> tuple[TargetReading, ...]:
    """Return the readings with every score, by default at the default promise."""
    return assess_drift(
        columns, alpha=alpha, effect_floor=floor, scores=ALL_SCORES, min_rows=min_rows
    )


def test_equal_proportions_are_steady() -> None:
    """A window in the reference's proportions has no scores to speak of and a p-value of 1."""
    (reading,) = assessed(compared(EVEN, [250, 250, 250, 250]))

    assert reading.state is STEADY
    assert reading.p_value == 1
    assert reading.effect == 0
    assert reading.rows == 1000
    assert reading.scores == pytest.approx(dict.fromkeys(ALL_SCORES, 0), abs=1e-4)


def test_a_shift_is_drifting_and_the_driver_is_the_test_of_location() -> None:
    """A window whose values moved up alarms, and what moved is said."""
    (reading,) = assessed(compared(EVEN, [150, 220, 280, 350]))

    assert reading.state is DRIFTING
    assert reading.driver == "rank_location"
    assert reading.p_value < 1e-10
    assert reading.effect > 0.05


def test_a_wider_spread_is_driven_by_scale_and_a_reordering_by_chi_squared() -> None:
    """Each of the three tests sees what the other two miss."""
    wider, alternating = assessed(
        compared([2000] * 5, [300, 150, 100, 150, 300], name="a"),
        compared([2000] * 5, [100, 300, 200, 300, 100], name="b", ordered=False),
    )

    assert wider.driver == "rank_scale"
    assert alternating.driver == "chi_squared"


def test_the_p_value_is_the_smallest_of_the_tests_times_their_number() -> None:
    """Two cells have one test: its p-value is that of scipy's table, with nothing to multiply."""
    (reading,) = assessed(compared([7000, 3000], [600, 400]))

    expected = stats.chi2_contingency([[7000, 3000], [600, 400]], correction=False).pvalue
    assert reading.p_value == pytest.approx(expected)
    assert reading.driver == "chi_squared"


def test_categories_have_no_ranks() -> None:
    """Categories that lean to one side are tested by chi-squared alone, whatever their order happens to be."""
    reference, current = [2500, 2500, 2500], [200, 250, 300]
    (reading,) = assessed(compared(reference, current, ordered=False))

    expected = stats.chi2_contingency([reference, current]).pvalue
    assert reading.p_value == pytest.approx(expected)


def test_holm_makes_each_pay_for_the_others_of_its_family_only() -> None:
    """The same column costs ten times as much among ten features; the prediction pays for the two outputs."""
    moved = compared([7000, 3000], [640, 360], name="moved")
    still = [compared([7000, 3000], [700, 300], name=f"still {i}") for i in range(9)]
    outputs = [
        compared([7000, 3000], [640, 360], name="", target=PREDICTION, ordered=False),
        compared([7000, 3000], [700, 300], name="", target=CONFIDENCE),
    ]

    readings = assessed(moved, *still, *outputs)

    alone = assessed(moved)[0].p_value
    assert readings[0].p_value == pytest.approx(10 * alone)
    assert readings[10].p_value == pytest.approx(2 * alone)
    assert all(reading.p_value == 1 for reading in readings[1:10])


def test_a_difference_too_small_to_matter_is_steady_however_certain() -> None:
    """A million rows make a hundredth of a standard deviation certain; the floor keeps it quiet, and without it it alarms."""
    column = compared([2_500_000] * 4, [248_000, 249_000, 251_000, 252_000])

    (reading,) = assessed(column)
    (without_floor,) = assessed(column, floor=0)

    assert reading.p_value < 1e-6
    assert reading.state is STEADY
    assert without_floor.state is DRIFTING


def test_between_half_the_floor_and_the_floor_it_is_a_warning() -> None:
    """Certain, but only half as large as an alarm must be."""
    column = compared([250_000] * 4, [23_000, 24_500, 25_500, 27_000])
    (reading,) = assessed(column, floor=0)

    def state(floor: float) -> MlDriftStateValues:
        return assessed(column, floor=floor)[0].state

    assert reading.p_value < 1e-6
    assert state(reading.effect) is DRIFTING
    assert state(reading.effect * 1.01) is WARNING
    assert state(reading.effect * 1.99) is WARNING
    assert state(reading.effect * 2.01) is STEADY


def test_between_alpha_and_ten_times_alpha_it_is_a_warning() -> None:
    """Large, but only a tenth as certain as an alarm must be."""
    column = compared([7000, 3000], [640, 360])
    p_value = assessed(column)[0].p_value

    def state(alpha: float) -> MlDriftStateValues:
        return assessed(column, alpha=alpha)[0].state

    assert state(p_value * 1.01) is DRIFTING
    assert state(p_value * 0.99) is WARNING
    assert state(p_value * 0.101) is WARNING
    assert state(p_value * 0.099) is STEADY


def test_no_evidence_never_warns_however_generous_the_promise() -> None:
    """Ten times a rate of .2 is more than 1; a p-value of 1 still is no sign."""
    (reading,) = assessed(compared(EVEN, [250] * 4), alpha=0.2, floor=0)

    assert reading.state is STEADY


def test_more_missing_values_alarm_though_no_value_has_moved() -> None:
    """The missing share has its own exact test, which knows no effect floor; its p-value is scipy's, times the tests run."""
    (reading,) = assessed(
        compared(
            [5000, 5000],
            [485, 485],
            reference_slots={Slot.MISSING: 100},
            current_slots={Slot.MISSING: 30},
        )
    )

    assert reading.state is DRIFTING
    assert reading.driver == "missing"
    assert reading.effect == 0
    assert reading.missing == pytest.approx(0.03)
    exact = stats.hypergeom.sf(29, 11_100, 130, 1000)
    assert reading.p_value == pytest.approx(2 * exact)


def test_a_slot_without_an_effect_pays_for_the_tests_of_the_values_too() -> None:
    """The missing share was chosen from two tests, so it needs half of alpha, with or without an effect of the values."""
    column = compared(
        [5000, 5000],
        [490, 490],
        reference_slots={Slot.MISSING: 100},
        current_slots={Slot.MISSING: 20},
    )
    exact = stats.hypergeom.sf(19, 11_100, 120, 1000)

    assert assessed(column, alpha=1.9 * exact)[0].state is WARNING
    assert assessed(column, alpha=2.1 * exact)[0].state is DRIFTING


def test_fewer_missing_values_do_not_alarm() -> None:
    """A source that has been mended is no drift."""
    (reading,) = assessed(compared([4500, 4500], [500, 500], reference_slots={Slot.MISSING: 1000}))

    assert reading.state is STEADY


def test_a_window_without_any_value_alarms() -> None:
    """A column that went missing altogether has no score, but drifts."""
    (reading,) = assessed(compared(EVEN, [0, 0, 0, 0], current_slots={Slot.MISSING: 1000}))

    assert reading.state is DRIFTING
    assert reading.missing == 1
    assert reading.effect == 0
    assert reading.scores == {}


def test_unseen_categories_alarm_at_a_few_rows() -> None:
    """Five rows in a thousand of a category that ten thousand never showed are no accident."""
    (reading,) = assessed(
        compared([5000, 5000], [498, 497], ordered=False, current_slots={Slot.UNSEEN: 5})
    )

    assert reading.state is DRIFTING
    assert reading.driver == "unseen"
    assert reading.unseen == pytest.approx(0.005)


def test_unseen_categories_count_among_the_rows_that_have_one() -> None:
    """Where nine rows of ten are missing on both sides, three unseen ones among a hundred are what is tested."""
    (reading,) = assessed(
        compared(
            [1000],
            [97],
            ordered=False,
            reference_slots={Slot.MISSING: 9000},
            current_slots={Slot.MISSING: 900, Slot.UNSEEN: 3},
        )
    )

    assert reading.unseen == pytest.approx(0.03)
    assert reading.p_value == pytest.approx(2 * stats.hypergeom.sf(2, 1100, 3, 100))


@pytest.mark.parametrize("slot", [Slot.NON_FINITE, Slot.TYPE_ERROR])
def test_values_that_no_cell_can_hold_alarm_by_their_share(slot: Slot) -> None:
    """A tenth of a column became infinities, or texts: the numbers that are left have not moved, the column has."""
    (reading,) = assessed(compared([5000, 5000], [450, 450], current_slots={slot: 100}))
    assert reading.state is DRIFTING
    assert reading.driver == slot.name.lower()
    expected = stats.hypergeom.sf(99, 11_000, 100, 1000)
    assert reading.p_value == pytest.approx(2 * expected, rel=1e-9)


def test_significant_slots_do_not_lift_the_floor_for_values() -> None:
    """A column whose values moved too little to matter needs its missing share to be significant by itself."""
    values = [248_000, 249_000, 251_000, 252_000]
    few_missing = {Slot.MISSING: 1}

    (reading,) = assessed(
        compared(
            [2_500_000] * 4, values, reference_slots={Slot.MISSING: 10}, current_slots=few_missing
        )
    )

    assert reading.p_value < 1e-6
    assert reading.state is STEADY


def test_an_alarm_names_the_test_that_raised_it() -> None:
    """
    Of a million rows the values moved by next to nothing, with near certainty; what matters are the missing ones.

    Driver and p-value are those of the missing share, though another test has a smaller p-value.
    """
    moved = [240_000, 247_000, 253_000, 259_000]
    slots = {"reference_slots": {Slot.MISSING: 1000}, "current_slots": {Slot.MISSING: 200}}

    (reading,) = assessed(compared([2_500_000] * 4, moved, **slots))
    (without_floor,) = assessed(compared([2_500_000] * 4, moved, **slots), floor=0)

    assert (without_floor.driver, reading.driver) == ("rank_location", "missing")
    assert without_floor.p_value < 1e-100
    rows = 10_001_000, sum(moved) + 200
    exact = stats.hypergeom.sf(199, sum(rows), 1200, rows[1])
    assert reading.p_value == pytest.approx(4 * exact, rel=1e-6)
    assert reading.state is DRIFTING


def test_shares_have_the_denominators_of_their_definitions() -> None:
    """
    Missing of all rows; unseen, non-finite and type errors of those not missing; out of range of those that are finite and of the right type.

    1000 rows: 100 missing, 50 not finite, 30 unseen, 20 of the wrong type, 800 in cells, of which 85 lie outside of the range.
    """
    slots = {
        Slot.MISSING: 100,
        Slot.NON_FINITE: 50,
        Slot.UNSEEN: 30,
        Slot.TYPE_ERROR: 20,
        Slot.BELOW_RANGE: 25,
        Slot.ABOVE_RANGE: 60,
    }

    (reading,) = assessed(compared([5000, 5000], [400, 400], ordered=False, current_slots=slots))

    assert reading.rows == 1000
    assert reading.missing == pytest.approx(100 / 1000)
    assert reading.unseen == pytest.approx(30 / 900)
    assert reading.non_finite == pytest.approx(50 / 900)
    assert reading.type_error == pytest.approx(20 / 900)
    assert reading.out_of_range == pytest.approx(85 / 830)


def test_too_few_rows_are_insufficient_and_are_not_tested() -> None:
    """Below the minimum nothing is claimed, and a column that is not tested costs the others nothing."""
    few = compared(EVEN, [0, 0, 0, 199], name="few")
    enough = compared([7000, 3000], [640, 360], name="enough")

    readings = assessed(few, enough)

    assert readings[0].state is INSUFFICIENT
    assert readings[0].p_value == 1
    assert readings[0].scores == {}
    assert readings[0].rows == 199
    assert readings[1].p_value == assessed(enough)[0].p_value


def test_no_rows_are_insufficient_even_where_none_are_asked_for() -> None:
    """A minimum of 0 does not make a statement out of nothing."""
    (reading,) = assessed(compared(EVEN, [0, 0, 0, 0]), min_rows=0)

    assert reading.state is INSUFFICIENT


def test_a_family_that_is_not_tested_leaves_its_share_to_the_others() -> None:
    """Without captured features the outputs may use the whole promise: what would be a warning alarms."""
    prediction = compared([7000, 3000], [640, 360], name="", target=PREDICTION, ordered=False)
    alpha = assessed(prediction)[0].p_value * 1.01
    silent = compared(EVEN, [0, 0, 0, 0])
    heard = compared(EVEN, [250] * 4)

    assert assessed(silent, prediction, alpha=alpha)[1].state is DRIFTING
    assert assessed(heard, prediction, alpha=alpha)[1].state is WARNING


ODD_COLUMNS = {
    "no rows": compared(EVEN, [0] * 4),
    "no reference": compared([0] * 4, [250] * 4),
    "nothing at all": compared([0] * 4, [0] * 4),
    "two rows": compared(EVEN, [0, 2, 0, 0]),
    "one row each": compared([1, 0, 0, 0], [0, 0, 0, 1]),
    "a constant": compared([10_000], [1000]),
    "a constant without rows": compared([10_000], [0]),
    "a single class": compared([10_000, 0], [1000, 0], ordered=False, target=PREDICTION),
    "always missing": compared(
        [0], [0], reference_slots={Slot.MISSING: 10_000}, current_slots={Slot.MISSING: 1000}
    ),
    "missing no more": compared([0] * 4, [250] * 4, reference_slots={Slot.MISSING: 10_000}),
    "only type errors": compared(EVEN, [0] * 4, current_slots={Slot.TYPE_ERROR: 500}),
    "only infinities": compared(EVEN, [0] * 4, current_slots={Slot.NON_FINITE: 500}),
    "only unseen": compared(EVEN, [0] * 4, ordered=False, current_slots={Slot.UNSEEN: 500}),
    "a reference of one row": compared([1, 0, 0, 0], [0, 0, 0, 1000]),
    "disjoint": compared([10_000, 0], [0, 1000]),
    "billions": compared([10**15, 10**15], [10**12, 2 * 10**12]),
}

STATES_OF_ODD_COLUMNS = {
    "no rows": INSUFFICIENT,
    "no reference": INSUFFICIENT,
    "nothing at all": INSUFFICIENT,
    "two rows": STEADY,
    "one row each": STEADY,
    "a constant": STEADY,
    "a constant without rows": INSUFFICIENT,
    "a single class": STEADY,
    "always missing": STEADY,
    "missing no more": STEADY,
    "only type errors": DRIFTING,
    "only infinities": DRIFTING,
    "only unseen": DRIFTING,
    "a reference of one row": STEADY,
    "disjoint": DRIFTING,
    "billions": DRIFTING,
}


@pytest.mark.parametrize("name", ODD_COLUMNS)
def test_odd_columns_have_a_state_and_plain_numbers(name: str) -> None:
    """Whatever was counted, there is a stated state, a p-value in [0, 1], finite scores, shares in [0, 1], and no NaN."""
    (reading,) = assessed(ODD_COLUMNS[name], min_rows=1)

    assert reading.state is STATES_OF_ODD_COLUMNS[name]
    assert 0 <= reading.p_value <= 1
    assert reading.effect >= 0
    numbers = [n for n in astuple(reading) if isinstance(n, float)]
    assert all(map(math.isfinite, [*numbers, *reading.scores.values()]))
    shares = (reading.missing, reading.unseen, reading.non_finite, reading.type_error)
    assert all(0 <= share <= 1 for share in (*shares, reading.out_of_range))


def test_a_category_that_nobody_uses_adds_no_effect() -> None:
    """The cell of other known categories, where there are none, is as if it were not there."""
    reference, current = [6000, 4000], [110, 90]

    (with_empty,) = assessed(compared([*reference, 0], [*current, 0], ordered=False))
    (without,) = assessed(compared(reference, current, ordered=False))

    assert with_empty.scores == without.scores
    assert with_empty.effect == without.effect
    assert without.effect == debiased_psi(np.array(reference), np.array(current))


def test_only_the_wanted_scores_are_computed() -> None:
    """Each score is a series per feature, so none comes unasked; categories have no distance of distribution functions."""
    ordered = compared(EVEN, [240, 250, 250, 260])
    unordered = compared(EVEN, [240, 250, 250, 260], ordered=False)

    def scored(column: Comparison, *scores: str) -> set[str]:
        (reading,) = assess_drift(
            [column], alpha=0.01, effect_floor=0.01, scores=scores, min_rows=1
        )
        return set(reading.scores)

    assert scored(ordered) == set()
    assert scored(ordered, "psi") == {"psi"}
    assert scored(ordered, *ALL_SCORES) == set(ALL_SCORES)
    assert scored(unordered, *ALL_SCORES) == set(ALL_SCORES) - {"kolmogorov_smirnov"}


def many_columns(rng: np.random.Generator) -> list[Comparison]:
    """Return columns of all kinds and of one to twenty cells, with and without rows in cells and slots."""
    columns = []
    for i in range(60):
        n_cells = int(rng.integers(1, 21))
        shares = rng.dirichlet(np.full(n_cells, rng.choice([0.1, 10.0])), size=2)
        n, m = rng.choice([0, 40, 9000]), rng.choice([0, 300, 2000])
        slots = [{Slot.MISSING: int(k), Slot.TYPE_ERROR: int(k) // 9} for k in (n // 50, m // 40)]
        ordered = bool(i % 3)
        column = compared(
            rng.multinomial(n, shares[0]),
            rng.multinomial(m, shares[i % 2]),
            name=str(i),
            target=TARGETS[i % 4] if ordered else MlDriftTargetValues.FEATURE,
            ordered=ordered,
            reference_slots=slots[0] if i % 5 else None,
            current_slots=slots[1] if i % 5 else None,
        )
        positions = np.cumsum(rng.exponential(size=n_cells)) if ordered and i % 4 else None
        columns.append(replace(column, positions=positions))
    return columns


TARGETS = (
    MlDriftTargetValues.FEATURE,
    MlDriftTargetValues.PERFORMANCE,
    MlDriftTargetValues.MULTIVARIATE,
    CONFIDENCE,
)


def test_a_column_says_the_same_whatever_stands_beside_it() -> None:
    """Sixty columns are looked at together; tests, effects, scores and shares are those of each by itself, to eleven digits."""
    columns = many_columns(np.random.default_rng(9))
    scores = get_args(DriftScore)

    def read(*compared: Comparison) -> tuple[TargetReading, ...]:
        return assess_drift(compared, alpha=0.01, effect_floor=0.0, scores=scores, min_rows=100)

    for column, reading, tests in zip(columns, read(*columns), statistics_of(columns), strict=True):
        (alone,) = read(column)
        (tests_alone,) = statistics_of([column])
        assert tests.keys() == tests_alone.keys()
        for driver, test in tests.items():
            assert test == pytest.approx(tests_alone[driver], rel=1e-11, abs=1e-11)
        assert reading.scores == pytest.approx(alone.scores, rel=1e-11, abs=1e-11)
        assert reading.effect == pytest.approx(alone.effect, rel=1e-11, abs=1e-11)
        adjusted = dict.fromkeys(("p_value", "state", "effect", "scores", "driver"))
        assert replace(reading, **adjusted) == replace(alone, **adjusted)


def test_no_columns_give_no_readings() -> None:
    """A stream without anything to compare is not an error."""
    assert assessed() == ()
    assert family_p_values([], 0.01) == {}


def test_a_family_alarms_exactly_where_one_of_its_columns_drifts() -> None:
    """The self-test counts with the same ruler as the live window does."""
    rng = np.random.default_rng(3)
    outcomes = set()
    for _ in range(150):
        columns = [
            compared(
                rng.multinomial(10_000, [0.25] * 4),
                rng.multinomial(500, [0.23, 0.24, 0.26, 0.27]),
                name=str(i),
                target=target,
                reference_slots={Slot.MISSING: 100},
                current_slots={Slot.MISSING: int(rng.poisson(8))},
            )
            for i, target in enumerate([MlDriftTargetValues.FEATURE] * 3 + [PREDICTION, CONFIDENCE])
        ]
        p_values = family_p_values(columns, 0.02)
        alphas = family_alphas(p_values, 0.05)
        drifting = [r.state is DRIFTING for r in assessed(*columns, alpha=0.05, floor=0.02)]

        assert any(drifting[:3]) == (p_values["features"] <= alphas["features"])
        assert any(drifting[3:]) == (p_values["outputs"] <= alphas["outputs"])
        outcomes |= {(any(drifting[:3]), any(drifting[3:]))}

    assert len(outcomes) == 4, "the simulation should show every outcome"


def test_the_promise_is_shared_over_the_families_present() -> None:
    """Features a half, outputs a quarter; the third quarter goes to those present, all of it."""
    assert family_alphas(["features", "outputs"], 0.03) == pytest.approx(
        {"features": 0.02, "outputs": 0.01}
    )
    assert family_alphas(["outputs"], 0.03) == {"outputs": 0.03}
    assert family_alphas([], 0.03) == {}


def test_an_unknown_family_is_refused_by_name() -> None:
    """A family without a weight cannot take part in the promise."""
    with pytest.raises(
        ValueError, match=r"unknown families \['wishes'\]; known: features, outputs"
    ):
        family_alphas(["features", "wishes"], 0.01)


@pytest.mark.parametrize(
    ("reference", "current"), [([1, 2, 3], [1, 2]), ([], [])], ids=["different", "no cell"]
)
def test_counts_that_do_not_correspond_are_refused_by_name(
    reference: list[int], current: list[int]
) -> None:
    """A window that was counted on other cells than its reference is a programming error; it names the column."""
    with pytest.raises(ValueError, match="feature 'temp': expected as many counts"):
        Comparison(
            MlDriftTargetValues.FEATURE,
            "temp",
            ordered=True,
            reference=counted(reference),
            current=counted(current),
        )

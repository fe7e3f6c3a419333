"""Rows as points: what every value stands for, and what is out of distribution."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from otel_ml_conventions.attributes import MlDriftTargetValues
from otel_ml_processor.assess.rows import ConfidenceBands, judge
from otel_ml_processor.assess.verdict import OOD, Verdicts
from otel_ml_processor.commands.profile import build_profile_from_table
from otel_ml_processor.profile import Profile
from otel_ml_processor.windows.multivariate import MAX_FEATURES, Multivariate, fitted_components
from otel_ml_processor.windows.placed import PlacedRows, place
from otel_ml_processor.windows.reference import Reference
from otel_ml_processor.windows.summary import Summary
from tests.data.together import equally_correlated, normal_rows, profile_of
from tests.data.value_columns import ABSENT, inferences

FloatArray = NDArray[np.float64]
ROWS = 4000
CITIES = ("Rome", "Paris", "Oslo")
SHARES = (0.5, 0.3, 0.2)


def table() -> dict[str, object]:
    """Return columns of which the second follows the first, the third has gaps, and the fourth has names."""
    rng = np.random.default_rng(9)
    age = rng.normal(50, 10, ROWS)
    return {
        "age": age,
        "income": 1000 * age + rng.normal(0, 1000, ROWS),
        "visits": np.where(rng.random(ROWS) < 0.1, np.nan, rng.integers(0, 7, ROWS).astype(float)),
        "city": np.repeat(CITIES, [round(share * ROWS) for share in SHARES]),
    }


@pytest.fixture(name="profile", scope="module")
def _profile() -> Profile:
    """A profile of four features, built from a table."""
    return build_profile_from_table(table(), model="m", created="2026-01-01")


@pytest.fixture(name="reference", scope="module")
def _reference(profile: Profile) -> Reference:
    """What windows are counted against."""
    return Reference.of(profile)


def placed(reference: Reference, *rows: tuple[object, object, object, object]) -> PlacedRows:
    """Return rows of age, income, visits and city, placed."""
    columns = dict(zip(("age", "income", "visits", "city"), zip(*rows, strict=True), strict=True))
    return place(inferences(len(rows), features=columns), reference)


def is_ood(reference: Reference, *rows: tuple[object, object, object, object]) -> list[bool]:
    """Return which of the rows have the verdict."""
    verdicts = Verdicts(len(rows))
    judge(placed(reference, *rows), None, ConfidenceBands(0.7, 0.7), verdicts)
    return [OOD in verdicts.said[code].flags for code in verdicts.codes]


def counted(reference: Reference, *rows: tuple[object, object, object, object]) -> Summary:
    """Return a window of the rows."""
    summary = Summary(reference)
    summary.add(placed(reference, *rows))
    return summary


def test_values_that_are_usual_each_by_itself_are_out_of_distribution_together(
    reference: Reference,
) -> None:
    """An age of 30 and an income of 70 000 are each within the range of the reference, but nobody of 30 earns as much."""
    assert is_ood(reference, (30, 30_000, 3, "Rome"), (30, 70_000, 3, "Rome")) == [False, True]


def test_at_most_one_row_of_the_reference_in_a_thousand_is_beyond(profile: Profile) -> None:
    """And, of many rows that all differ, nearly as many as that."""
    assert profile.pca is not None

    assert profile.pca.errors.counts[-1] == ROWS // 1000
    assert sum(profile.pca.errors.counts) == ROWS


def test_out_of_distribution_rows_are_counted(reference: Reference) -> None:
    """In the stream's total as on the span."""
    summary = counted(reference, (30, 30_000, 3, "Rome"), (30, 70_000, 3, "Rome"))

    assert summary.ood == 1


@pytest.mark.parametrize("value", [None, float("nan"), float("inf"), "old", [1]])
def test_what_is_no_number_is_taken_for_the_mean(reference: Reference, value: object) -> None:
    """It is told as missing or wrong, and is no reason to call the row as a whole unusual."""
    assert counted(reference, (50, 50_000, value, "Rome")).ood == 0
    assert counted(reference, (50, 50_000, value, "Rome")).comparisons()[-2].current.sum() == 1


@pytest.mark.parametrize("value", [1e12, -1e300, 1.7e308])
def test_one_huge_value_is_one_row_out_of_distribution(reference: Reference, value: float) -> None:
    """It moves one count by one, raises nothing and warns of nothing."""
    assert is_ood(reference, (value, 50_000, 3, "Rome"), (50, 50_000, 3, "Rome")) == [True, False]


def test_of_a_row_that_was_cut_nothing_is_said(reference: Reference) -> None:
    """What was not captured may have been anything."""
    summary = counted(reference, (30, 70_000, ABSENT, "Rome"), (30, 70_000, 3, ABSENT))

    assert summary.ood == 0
    assert summary.comparisons()[-2].current.sum() == 0


def test_an_unseen_category_is_as_rare_as_can_be(profile: Profile) -> None:
    """A category stands for its share of the reference, and what was never there for none."""
    assert profile.pca is not None
    multivariate = Multivariate.of(profile.pca, profile.features)
    cells = Reference.of(profile).targets[3].cells
    known = dict(zip(profile.features[3].categories, range(3), strict=True))

    values = multivariate.values[3]

    assert values is not None
    assert [values[known[city]] for city in CITIES] == pytest.approx(SHARES)
    assert values[cells.assign(inferences(1, features={"c": ["Bern"]}).features["c"])[0]] == 0.0
    assert np.isnan(values[-1])


def test_the_errors_are_those_of_points_worked_out_by_hand(profile: Profile) -> None:
    """Each value less its mean in deviations, 0 where it is missing; then what the components leave of it."""
    pca = profile.pca
    assert pca is not None
    row = np.array([61.0, 70_000.0, np.nan, SHARES[1]])
    point = np.nan_to_num((row - pca.mean) / pca.std)
    axes = np.array(pca.components)
    expected = np.linalg.norm(point - axes.T @ (axes @ point))
    edges = np.array(pca.errors.edges)

    window = counted(Reference.of(profile), (61, 70_000, None, "Paris"))

    errors = window.comparisons()[-2]
    assert errors.target is MlDriftTargetValues.MULTIVARIATE
    assert errors.current.argmax() == np.searchsorted(edges, expected)


VALUES = st.sampled_from([5, 50, 1e300, -1, None, float("nan"), float("inf"), "old", ABSENT, [1]])


@given(st.lists(st.tuples(VALUES, VALUES, VALUES, VALUES), max_size=6), st.integers(0, 6))
def test_windows_of_parts_add_up(
    reference: Reference, rows: list[tuple[object, object, object, object]], cut: int
) -> None:
    """Whatever the rows hold: cut anywhere, the parts count bit for bit what the whole does, errors and pairs too."""
    whole, left, right = Summary(reference), Summary(reference), Summary(reference)
    if rows:
        together = placed(reference, *rows)
        whole.add(together)
        left.add(together[: min(cut, len(rows))])
        right.add(together[min(cut, len(rows)) :])
        left.merge(right)

    assert left.counts.tolist() == whole.counts.tolist()


def test_pairs_take_only_rows_that_have_all_features(reference: Reference) -> None:
    """A row without one of them says nothing of how they depend on each other."""
    assert reference.pairs is not None
    rows = [(50, 50_000, 3, "Rome"), (50, 50_000, None, "Rome"), (50, 50_000, "x", "Rome")]

    block = counted(reference, *rows).counts[reference.pair_place]

    assert block[0] == 1


def test_constant_features_take_no_part() -> None:
    """They do not vary; that they begin to is told by the feature itself."""
    rows = normal_rows(np.random.default_rng(1), 500, equally_correlated(4, 0.5))
    rows[:, 2] = 7.0

    profile = profile_of(rows)

    assert profile.pca is not None
    assert profile.pca.std[2] == 0
    assert [axis[2] for axis in profile.pca.components] == [0] * len(profile.pca.components)
    assert profile.correlation is not None
    assert 2 not in profile.correlation.features


@pytest.mark.parametrize("width", [1, 2, MAX_FEATURES + 1])
def test_too_few_or_too_many_features_have_no_components(width: int) -> None:
    """Nothing is told of them together; everything of each by itself."""
    rows = np.random.default_rng(1).normal(size=(300, width))
    profile = profile_of(rows[:, :3])
    features = [msgspec.structs.replace(profile.features[0], name=f"f{i}") for i in range(width)]

    assert fitted_components(features, 300, lambda _to, part: rows[part]) is None


def test_features_that_are_one_and_the_same_leave_no_error() -> None:
    """Then a component says everything, and nothing is out of distribution by more than rounding: no part of the profile."""
    column = np.random.default_rng(1).normal(size=500)

    assert profile_of(np.stack([column, 2 * column, -column], axis=1)).pca is None


def test_a_few_rows_make_a_profile_without_an_error() -> None:
    """Three rows of three features: whatever is told of them, it raises nothing and is never NaN."""
    profile = profile_of(np.random.default_rng(1).normal(size=(3, 3)))

    reference = Reference.of(profile)

    assert reference.n_counts == sum(map(len, [t.counts for t in reference.targets])) + (
        reference.pairs.sums.size if reference.pairs else 0
    )


def test_the_parts_take_less_than_a_kilobyte_per_feature() -> None:
    """Of thirty features that are all independent, which takes the most components."""
    profile = profile_of(np.random.default_rng(1).normal(size=(5000, 30)))

    assert profile.pca is not None
    parts = msgspec.json.encode([profile.pca, profile.correlation])

    assert len(parts) / 30 < 1000

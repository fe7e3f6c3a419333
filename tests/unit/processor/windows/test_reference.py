"""What is kept of a reference, and how windows are counted like it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import pytest

from otel_ml_conventions.attributes import MlDriftTargetValues
from otel_ml_processor.columns import FloatArray, ValueColumn
from otel_ml_processor.errors import TableError
from otel_ml_processor.profile import CellReference, Profile, Source
from otel_ml_processor.profile_file import read_profile, write_profile
from otel_ml_processor.sketches.bins import Bins
from otel_ml_processor.sketches.slots import N_SLOTS, Slot
from otel_ml_processor.windows.reference import ColumnType, Reference, build_profile
from tests.data.value_columns import ABSENT, inferences, value_column

if TYPE_CHECKING:
    from pathlib import Path

SOURCE = Source(kind="test", uri="none", rows=100)


def profile_of(**columns: ValueColumn | FloatArray) -> Profile:
    """Return the profile of *columns* as features."""
    return build_profile(columns, model="m", source=SOURCE, created="2026-01-01")


def feature(
    values: ValueColumn | FloatArray | list[object], as_type: ColumnType | None = None
) -> CellReference:
    """Return the reference of one feature with *values*."""
    column = value_column(values) if isinstance(values, list) else values
    types: dict[str, ColumnType] = {"x": as_type} if as_type else {}
    built = build_profile(
        {"x": column}, model="m", source=SOURCE, created="2026-01-01", types=types
    )
    return built.features[0]


def outputs(
    prediction: ValueColumn | FloatArray | None = None,
    prediction_type: ColumnType | None = None,
    confidence: FloatArray | None = None,
) -> Profile:
    """Return a profile of a model's outputs alone."""
    return build_profile(
        {},
        model="m",
        source=SOURCE,
        created="2026-01-01",
        prediction=prediction,
        prediction_type=prediction_type,
        confidence=confidence,
    )


def test_a_numeric_feature_is_twenty_bins_and_its_range() -> None:
    """Of 0 ... 1999: a hundred rows per bin, edges midway between neighbours, range, mean and spread as computed by hand."""
    column = feature(np.arange(2000.0))

    assert column.type == "numeric"
    assert column.counts == [100] * 20
    assert column.edges == [100 * k - 0.5 for k in range(1, 20)]
    assert (column.min, column.max, column.mean) == (0.0, 1999.0, 999.5)
    assert column.std == pytest.approx(np.sqrt((2000**2 - 1) / 12))


def test_missing_and_infinite_reference_rows_are_counted_apart() -> None:
    """Two missing, one infinite, three numbers."""
    column = feature([1, None, 2, float("nan"), float("inf"), 2])

    assert (column.counts, column.missing, column.non_finite) == ([1, 2], 2, 1)


def test_texts_and_booleans_are_categories_by_default() -> None:
    """The guess: numbers are numeric, everything else is named."""
    assert feature(["a", "b", "a"]).categories == ["a", "b"]
    assert feature([True, False, True]).categories == ["True", "False"]
    assert feature([1, 2, 1]).type == "numeric"


def test_the_guess_can_be_overruled() -> None:
    """Codes are categories though they are numbers; a boolean can be a number."""
    codes = feature([3, 1, 3, 2.5], "categorical")
    flag = feature([True, False, True], "numeric")

    assert (codes.categories, codes.counts) == (["3", "1", "2.5"], [2, 1, 1, 0])
    assert (flag.edges, flag.counts) == ([0.5], [1, 2])


def test_the_most_frequent_categories_have_cells_and_the_others_share_one() -> None:
    """Of forty carriers, the i-th with i + 1 rows, the 32 largest have cells; eight are known, 1 + 2 + ... + 8 = 36 rows."""
    names = [f"carrier {i:02d}" for i in range(40) for _ in range(i + 1)]

    column = feature(list(names))

    assert column.categories == [f"carrier {i:02d}" for i in range(39, 7, -1)]
    assert column.counts == [*range(40, 8, -1), 36]
    assert sorted(column.other_known) == [f"carrier {i:02d}" for i in range(8)]


def test_a_column_of_very_many_names_keeps_a_bounded_list() -> None:
    """Of 3000 tail numbers 32 + 1000 are kept, and what is not among them counts as known: nothing can be called unseen."""
    profile = profile_of(tail=value_column([f"N{i:04d}" for i in range(3000)]))
    cells = Reference.of(profile).targets[0].cells

    assert len(profile.features[0].other_known) == 1000
    assert profile.features[0].counts[-1] == 3000 - 32
    assert cells.assign(value_column(["N2999", "never seen"])).tolist() == [32, 32]


def test_one_huge_reference_value_moves_no_edge() -> None:
    """A sensor's 1e300 in the reference is one row in the last bin; the 19 edges are where they would be without it."""
    values = np.arange(2000.0)

    assert feature(np.append(values, 1e300)).edges == feature(np.append(values, 1999.5)).edges


def test_what_has_no_finite_spread_says_none() -> None:
    """Numbers around 1e308 have no variance in floats; the profile leaves it out instead of holding infinity."""
    column = feature(np.array([-1.7e308, 1.7e308, 1.7e308]))

    assert (column.counts, column.std) == ([1, 2], None)
    assert "Infinity" not in msgspec.json.encode(column).decode()


@pytest.mark.parametrize(
    ("values", "as_type", "said"),
    [
        ([None, float("nan")], None, "feature 'x': all 2 rows are missing; leave the column out"),
        ([], None, "feature 'x': all 0 rows are missing"),
        ([1, "n/a"], "numeric", "feature 'x': expected numbers, found 'n/a'"),
        (["a", "b"], "numeric", "feature 'x': expected numbers, found no finite one"),
        ([float("inf")], None, "feature 'x': expected numbers, found no finite one"),
        (["y" * 321], None, "found 321: free text is not a category"),
    ],
)
def test_a_column_that_makes_no_reference_is_named(
    values: list[object], as_type: ColumnType | None, said: str
) -> None:
    """The message says which column, what was expected, what was found."""
    with pytest.raises(TableError) as error:
        feature(values, as_type)

    assert said in str(error.value)


def test_predicted_classes_are_categories_whatever_their_type() -> None:
    """Class numbers 0 and 1 are two categories, named as on the wire; a label that is missing is not counted."""
    prediction = outputs(np.array([0.0, 1.0, 1.0, np.nan])).prediction

    assert prediction is not None
    assert (prediction.categories, prediction.counts) == (["1", "0"], [2, 1, 0])
    assert prediction.missing == 0


def test_predicted_numbers_of_a_regression_are_bins() -> None:
    """Many or fractional numbers without a confidence are no classes; the caller has the last word."""
    fractional = outputs(np.array([0.5, 1.5, 2.0])).prediction
    many = outputs(np.arange(33.0)).prediction
    confident = outputs(np.arange(33.0), confidence=np.full(33, 0.5)).prediction
    said = outputs(np.array([1.0, 2.0]), "numeric").prediction

    assert [c.type for c in (fractional, many, confident, said) if c] == [
        "numeric",
        "numeric",
        "categorical",
        "numeric",
    ]


def test_low_and_median_confidence_are_quantiles_that_were_seen() -> None:
    """Of .01, .02 ... 1.00 the 5 % quantile is .05 and the median .5; unsaid rows do not count."""
    profile = outputs(confidence=np.append(np.arange(1, 101) / 100, [np.nan] * 7))

    assert (profile.low_confidence, profile.median_confidence) == (0.05, 0.5)
    assert profile.confidence is not None
    assert profile.confidence.counts == [5] * 20


@pytest.mark.parametrize("wrong", [1.5, -0.2, np.inf])
def test_a_confidence_that_is_no_probability_is_refused(wrong: float) -> None:
    """The row is named, counted from one."""
    with pytest.raises(TableError, match=r"expected probabilities in \[0, 1\], row 2 has"):
        outputs(confidence=np.array([0.5, wrong]))


def test_a_model_without_any_confidence_is_refused() -> None:
    """A confidence column without a value is a mistake, not a profile without confidence."""
    with pytest.raises(TableError, match="confidence: all 3 rows are missing"):
        outputs(confidence=np.full(3, np.nan))


def test_a_reference_has_features_in_order_then_prediction_then_confidence() -> None:
    """The places of the counts do not overlap and cover one block."""
    profile = build_profile(
        {"b": np.arange(100.0), "a": value_column(["u", "v"] * 50)},
        model="fraud",
        version="3",
        source=SOURCE,
        created="2026-01-01",
        prediction=value_column(["yes", "no"] * 50),
        confidence=np.linspace(0.5, 1, 100),
    )

    reference = Reference.of(profile)

    assert reference.feature_names == ("b", "a")
    assert [target.target for target in reference.targets[2:]] == [
        MlDriftTargetValues.PREDICTION,
        MlDriftTargetValues.CONFIDENCE,
    ]
    assert [target.ordered for target in reference.targets] == [True, False, False, True]
    assert reference.classes == ("no", "yes")
    assert [(place.start, place.stop) for place in reference.places] == [
        (0, 26),
        (26, 35),
        (35, 44),
        (44, 70),
    ]
    assert reference.n_counts == 70
    assert (reference.id, reference.model, reference.version) == (profile.id, "fraud", "3")


def test_a_reference_counts_its_own_rows_as_it_was_counted() -> None:
    """The profile's rows, sent again as a window, give exactly the reference's counts, slots included."""
    numbers = [1.5, None, 7, float("inf"), -2, 3, 3] * 9
    names = ["a", "b", None, "a", "c", "", "a"] * 9
    reference = Reference.of(profile_of(x=value_column(numbers), y=value_column(names)))

    for target, values in zip(reference.targets, (numbers, names), strict=True):
        assert target.counts.tolist() == target.cells.count(value_column(values)).tolist()


def test_an_empty_profile_is_a_reference_without_targets() -> None:
    """A profile with neither features nor outputs counts nothing and does not fail."""
    reference = Reference.of(profile_of())

    assert (reference.targets, reference.n_counts) == ((), 0)


def test_the_prediction_is_read_from_labels_or_values_as_the_profile_has_it() -> None:
    """A classifier's window is counted by class, a regression's by number; a row that does not say it is counted nowhere."""
    rows = inferences(3, labels=["yes", None, "maybe"], values=[0.4, np.nan, 9.0])
    classes = Reference.of(outputs(value_column(["yes", "no"]))).targets[0]
    numbers = Reference.of(outputs(np.array([0.5, 1.5]), "numeric")).targets[0]

    class_column, number_column = classes.column(rows), numbers.column(rows)

    assert class_column is not None
    assert classes.cells.assign(class_column).tolist() == [1, -1, 3 + Slot.UNSEEN]
    assert number_column is not None
    assert numbers.cells.assign(number_column).tolist() == [0, -1, 1]


def test_a_live_confidence_that_is_no_probability_is_a_type_error() -> None:
    """1.5 is not put among the surest predictions; infinity and what was not said are told apart from it."""
    target = Reference.of(outputs(confidence=np.array([0.5, 0.9]))).targets[0]

    column = target.column(inferences(5, confidences=[0.6, 1.5, np.inf, np.nan, 1.0000001]))

    assert column is not None
    assert target.cells.assign(column).tolist() == [
        0,
        2 + Slot.TYPE_ERROR,
        2 + Slot.NON_FINITE,
        -1,
        1,
    ]


def test_a_feature_that_was_not_decoded_has_no_column() -> None:
    """The caller can tell "not asked for" from "all absent"."""
    target = Reference.of(profile_of(x=np.arange(5.0))).targets[0]
    absent = target.column(inferences(1, features={"x": [ABSENT]}))

    assert target.column(inferences(1)) is None
    assert absent is not None
    assert target.cells.count(absent).sum() == 0


def test_a_profile_without_a_range_calls_nothing_out_of_range() -> None:
    """A hand-made profile may leave minimum and maximum out."""
    column = CellReference(name="x", type="numeric", counts=[1, 1], edges=[0.0])
    reference = Reference.of(
        Profile(model="m", created="2026-01-01", source=SOURCE, features=[column])
    )
    cells = reference.targets[0].cells

    assert isinstance(cells, Bins)
    assert cells.outside(value_column([-1e300, 1e300])).tolist() == [0, 0]


@pytest.mark.parametrize(
    "column",
    [
        np.random.default_rng(1).normal(size=5000),
        np.random.default_rng(2).normal(size=5000) * 1e-17,
        value_column([f"a category with a name of forty letters {i % 32}" for i in range(500)]),
        value_column([float(i) / 7 for i in range(32)] * 9),
    ],
    ids=["normal", "tiny", "names", "few-values"],
)
def test_a_feature_costs_at_most_three_kilobytes(column: ValueColumn | FloatArray) -> None:
    """As JSON, for 20 bins, 32 values or 32 categories."""
    assert len(msgspec.json.encode(feature(column))) <= 3000


def test_a_profile_is_the_same_after_it_was_written_and_read(tmp_path: Path) -> None:
    """Every edge and count survives the file, plain and gzipped, and the file is canonical JSON."""
    profile = build_profile(
        {"x": np.random.default_rng(3).normal(size=999), "y": value_column(["é", "b"] * 9)},
        model="m",
        source=SOURCE,
        created="2026-01-01",
        prediction=value_column(["1", "0"]),
        confidence=np.random.default_rng(4).random(500),
    )

    for name in ("profile.json", "profile.json.gz"):
        write_profile(profile, tmp_path / name)
        assert read_profile(tmp_path / name) == profile

    said = json.loads((tmp_path / "profile.json").read_text(encoding="utf-8"))
    assert list(said) == sorted(said)
    assert len(said["features"][0]["counts"]) == 20
    assert len(Reference.of(profile).targets[0].counts) == N_SLOTS + 20

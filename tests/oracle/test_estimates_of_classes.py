"""Performance of several classes without labels: beside a naive twin on the raw probabilities, and beside what came true."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd
import pytest
from msgspec.structs import replace
from sklearn import metrics
from sklearn.isotonic import IsotonicRegression

from otel_ml_processor.assess.performance import estimated_scores, scores_in_need
from otel_ml_processor.columns import FloatArray, InferenceColumns, StreamKey, TextColumn
from otel_ml_processor.commands.profile import build_profile_from_table, main
from otel_ml_processor.errors import ProfileError, TableError
from otel_ml_processor.profile import sealed
from otel_ml_processor.profile_file import read_profile, write_profile
from otel_ml_processor.statistics.classification import macro_scores
from otel_ml_processor.statistics.estimated_performance import expected_of_classes
from otel_ml_processor.windows.placed import place
from otel_ml_processor.windows.reference import Reference
from otel_ml_processor.windows.summary import Summary

if TYPE_CHECKING:
    from pathlib import Path

    from otel_ml_processor.profile import Profile

CLASSES = ("cat", "dog", "owl", "yak")
MANY = {"cat": "p_cat", **{str(k): "p_cat" for k in range(32)}}
MACRO = ("macro_precision", "macro_recall", "macro_f1", "macro_roc_auc")


class Rows(NamedTuple):
    """What a model said of rows, the class it chose, and what was true: positions in `CLASSES`."""

    probabilities: FloatArray
    said: np.ndarray
    true: np.ndarray

    @property
    def table(self) -> pd.DataFrame:
        """The rows as a profile is built from them."""
        names = np.array(CLASSES)
        columns = {f"p_{name}": self.probabilities[:, k] for k, name in enumerate(CLASSES)}
        return pd.DataFrame({**columns, "said": names[self.said], "true": names[self.true]})

    @property
    def live(self) -> InferenceColumns:
        """The rows as inferences that say everything."""
        n, unsaid = len(self.said), np.full(len(self.said), np.nan)
        return InferenceColumns(
            stream=StreamKey("s", "", "m", ""),
            spans=np.arange(n),
            end_times_ns=np.zeros(n, dtype=np.int64),
            labels=TextColumn(self.said.astype(np.int64), CLASSES),
            confidences=self.probabilities[np.arange(n), self.said],
            entropies=unsaid,
            margins=unsaid,
            values=unsaid,
            features={},
            probabilities={name: self.probabilities[:, k] for k, name in enumerate(CLASSES)},
        )


def rows_of(seed: int, n: int, weights: tuple[float, ...], digits: int | None = None) -> Rows:
    """Return *n* rows whose truths are drawn from what the model says, so that it is perfectly calibrated; rare classes by *weights*."""
    random = np.random.default_rng(seed)
    said = random.dirichlet(weights, n)
    true = (random.random((n, 1)) > said.cumsum(axis=1)).sum(axis=1).clip(max=len(CLASSES) - 1)
    if digits is not None:
        said = said.round(digits)
    return Rows(said, said.argmax(axis=1), true)


def built(rows: Rows) -> Profile:
    """Return the profile of *rows*, whose truths are known."""
    return build_profile_from_table(
        rows.table,
        model="m",
        label="said",
        target="true",
        probabilities={name: f"p_{name}" for name in CLASSES},
        created="2026-01-01T00:00:00Z",
    )


def window(reference: Reference, *parts: InferenceColumns) -> Summary:
    """Return the window of *parts*."""
    summary = Summary(reference)
    for part in parts:
        summary.add(place(part, reference))
    return summary


def naive(before: Rows, now: Rows, *, normalised: bool) -> dict[str, float]:
    """
    Return the estimates row by row: an isotonic regression per class, then expectations of each class against the rest.

    *normalised* as NannyML has it: the calibrated probabilities of a row are divided by their sum.
    """
    calibrated = np.column_stack(
        [
            IsotonicRegression(out_of_bounds="clip")
            .fit(before.probabilities[:, k], before.true == k)
            .predict(now.probabilities[:, k])
            for k in range(len(CLASSES))
        ]
    )
    if normalised:
        calibrated /= calibrated.sum(axis=1, keepdims=True)
    each = []
    for k, expected in enumerate(calibrated.T):
        said, n = now.said == k, len(now.said)
        hits, false = expected[said].sum(), (1 - expected[said]).sum()
        missed = expected[~said].sum()
        area = metrics.roc_auc_score(
            np.repeat([1, 0], n),
            np.tile(now.probabilities[:, k], 2),
            sample_weight=np.concatenate([expected, 1 - expected]),
        )
        f1 = 2 * hits / (2 * hits + false + missed)
        each.append((hits / (hits + false), hits / (hits + missed), f1, area))
    accuracy = calibrated[np.arange(len(now.said)), now.said].mean()
    return {"accuracy": accuracy, **dict(zip(MACRO, np.mean(each, axis=0), strict=True))}


def realised(rows: Rows) -> dict[str, float]:
    """Return what scikit-learn says of the truth."""
    told = {
        "macro_precision": metrics.precision_score,
        "macro_recall": metrics.recall_score,
        "macro_f1": metrics.f1_score,
    }
    scores = {name: score(rows.true, rows.said, average="macro") for name, score in told.items()}
    area = metrics.roc_auc_score(
        np.eye(len(CLASSES))[rows.true], rows.probabilities, average="macro"
    )
    accuracy = metrics.accuracy_score(rows.true, rows.said)
    return {"accuracy": accuracy, **scores, "macro_roc_auc": area}


@pytest.fixture(name="before", scope="module")
def _before() -> Rows:
    """Twenty thousand rows of a reference; a yak is rare."""
    return rows_of(1, 20_000, (1.0, 0.8, 0.5, 0.1))


@pytest.fixture(name="reference", scope="module")
def _reference(before: Rows) -> Reference:
    """What windows are compared with."""
    return Reference.of(built(before))


@pytest.mark.parametrize("weights", [(1.0, 0.8, 0.5, 0.1), (0.5, 0.5, 2.0, 0.3), (3, 3, 3, 3)])
def test_estimates_are_those_of_the_naive_twin_and_near_what_came_true(
    before: Rows, reference: Reference, weights: tuple[float, ...]
) -> None:
    """Of like rows, of others, and where the model is much less sure: bins cost at most .005, of the rare class most, chance less than .02."""
    now = rows_of(2, 20_000, weights)
    found = estimated_scores(window(reference, now.live))
    assert found == pytest.approx(naive(before, now, normalised=False), abs=5e-3)
    assert found == pytest.approx(realised(now), abs=0.02)


def test_estimates_are_near_the_published_definition(before: Rows, reference: Reference) -> None:
    """Where scores mean what they say, probabilities of a row that are made to add up to 1 again change little."""
    found = estimated_scores(window(reference, rows_of(3, 20_000, (1.0, 0.8, 0.5, 0.1)).live))
    twin = naive(before, rows_of(3, 20_000, (1.0, 0.8, 0.5, 0.1)), normalised=True)
    assert found == pytest.approx(twin, abs=0.015)


def test_few_distinct_probabilities_lose_nothing_to_bins() -> None:
    """With one decimal every probability has a bin of its own: the naive twin's numbers to the last digit."""
    before, now = (rows_of(seed, 5_000, (1, 1, 1, 1), digits=1) for seed in (4, 5))
    found = estimated_scores(window(Reference.of(built(before)), now.live))
    assert found == pytest.approx(naive(before, now, normalised=False), abs=1e-9)


def test_the_profile_knows_how_good_the_reference_was(before: Rows) -> None:
    """All that is estimated of windows, measured: scikit-learn's numbers, the area to the width of a bin."""
    known = built(before).performance
    assert known.pop("macro_roc_auc") == pytest.approx(realised(before)["macro_roc_auc"], abs=1e-4)
    expected = {name: n for name, n in realised(before).items() if name != "macro_roc_auc"}
    assert known == pytest.approx(expected)


def test_parts_and_merged_windows_count_the_same(reference: Reference) -> None:
    """In one piece, in three, or merged from two processors: the same integers."""
    live = rows_of(6, 3_000, (1, 1, 1, 1)).live
    whole = window(reference, live)
    parts = window(reference, live[:7], live[7:2000], live[2000:])
    merged = window(reference, live[1000:])
    merged.merge(window(reference, live[:1000]))
    assert (parts.counts == whole.counts).all()
    assert (merged.counts == whole.counts).all()
    assert estimated_scores(merged) == estimated_scores(whole)


@pytest.mark.parametrize("odd", [math.nan, math.inf, -0.5, 1.5])
def test_a_row_with_an_odd_probability_is_counted_nowhere(reference: Reference, odd: float) -> None:
    """Not said, infinite or no probability at all: one row less for every class, and no other number moves."""
    rows = rows_of(7, 500, (1, 1, 1, 1))
    said = rows.probabilities.copy()
    said[3, 2] = odd
    live = Rows(said, rows.said, rows.true).live
    without = rows.live[np.arange(500) != 3]
    counts = window(reference, live).class_counts()
    assert {int(of_class.sum()) for of_class in counts} == {499}
    for found, expected in zip(counts, window(reference, without).class_counts(), strict=True):
        assert (found == expected).all()


def test_only_confidence_gives_only_accuracy(reference: Reference) -> None:
    """Where fewer than half of the rows say all probabilities the others are named as what needs them, and have no number."""
    live = rows_of(8, 1_000, (1, 1, 1, 1)).live
    sparse = {
        name: np.where(np.arange(1_000) < 499, p, np.nan) for name, p in live.probabilities.items()
    }
    cut = dataclasses.replace(live, probabilities=sparse)
    found = window(reference, cut)
    assert estimated_scores(found).keys() == {"accuracy"}
    assert scores_in_need(found) == MACRO
    assert scores_in_need(window(reference, live)) == ()


def test_a_missing_class_is_counted_nowhere(reference: Reference) -> None:
    """A decoder that was asked for other classes, before a profile was read again: no row, and no error."""
    live = rows_of(9, 100, (1, 1, 1, 1)).live
    fewer = {name: live.probabilities[name] for name in CLASSES[:2]}
    cut = dataclasses.replace(live, probabilities=fewer)
    assert not any(of_class.any() for of_class in window(reference, cut).class_counts())
    assert estimated_scores(window(reference)) == {}


def test_nothing_to_be_expected_is_no_number() -> None:
    """No row, or no row of a class that could be true."""
    counts = [np.zeros((2, 3), dtype=np.int64)] * 2
    found = expected_of_classes(counts, [np.full(3, 0.5)] * 2)
    assert all(map(math.isnan, (found.accuracy, found.roc_auc, *found.macro)))
    assert math.isnan(expected_of_classes([], []).accuracy)
    never = expected_of_classes([np.ones((2, 3), dtype=np.int64)] * 2, [np.zeros(3)] * 2)
    assert (never.accuracy, never.macro.f1) == (0.0, 0.0)
    assert math.isnan(never.roc_auc)


def test_macro_scores_are_scikit_learns() -> None:
    """With a class that is never predicted, one that is never true, and one that is neither."""
    true, said = np.array([0, 0, 1, 1, 3]), np.array([0, 1, 1, 2, 0])
    matrix = metrics.confusion_matrix(true, said, labels=range(5))
    found = macro_scores(np.diag(matrix), matrix.sum(axis=0), matrix.sum(axis=1))
    how = {"average": "macro", "zero_division": 0}
    assert found.precision == pytest.approx(metrics.precision_score(true, said, **how))
    assert found.recall == pytest.approx(metrics.recall_score(true, said, **how))
    assert found.f1 == pytest.approx(metrics.f1_score(true, said, **how))


def test_a_profile_with_classes_is_read_as_it_was_written(before: Rows, tmp_path: Path) -> None:
    """One calibration per class, in their order, and all of the same rows."""
    profile = built(before)
    write_profile(profile, tmp_path / "p.json")
    read = read_profile(tmp_path / "p.json")
    assert [of.positive for of in read.class_calibrations] == list(CLASSES)
    assert read == profile


@pytest.mark.parametrize("names", [("cat", "cat"), ("cat", None)])
def test_a_profile_with_odd_classes_is_refused(
    before: Rows, tmp_path: Path, names: tuple[str | None, ...]
) -> None:
    """A class twice, or one without a name: the place, and what was expected."""
    known = built(before)
    odd = [replace(of, positive=n) for of, n in zip(known.class_calibrations, names, strict=False)]
    write_profile(sealed(replace(known, class_calibrations=odd)), tmp_path / "p.json")
    with pytest.raises(ProfileError, match=r"\$\.class_calibrations: expected one per class, each"):
        read_profile(tmp_path / "p.json")


def test_classes_of_other_rows_are_refused(before: Rows, tmp_path: Path) -> None:
    """All classes are of the same rows; a file that says otherwise is not what it says it is."""
    known = built(before)
    first, *rest = known.class_calibrations
    odd = [replace(first, rows=[n + 1 for n in first.rows]), *rest]
    write_profile(sealed(replace(known, class_calibrations=odd)), tmp_path / "p.json")
    with pytest.raises(ProfileError, match="expected the same rows of every class"):
        read_profile(tmp_path / "p.json")


@pytest.mark.parametrize(
    ("roles", "message"),
    [
        ({"label": None, "target": None}, "--probabilities needs --label, and no --score"),
        ({"score": "p_cat", "positive": "cat"}, "--probabilities needs --label, and no --score"),
        ({"probabilities": {"lynx": "p_cat"}}, "among the classes lynx, found owl, dog, cat, yak"),
        ({"probabilities": {"cat": "p_lynx"}}, "p_lynx"),
        ({"probabilities": MANY}, "expected at most 32 classes, found 33"),
    ],
)
def test_columns_that_are_no_probabilities_of_classes_are_refused(
    roles: dict[str, Any], message: str
) -> None:
    """Without the predicted class, beside a score, of other classes than are predicted, or not there: what is wrong, in one line."""
    told: dict[str, Any] = {"label": "said", "target": "true", "probabilities": {"cat": "p_cat"}}
    with pytest.raises(TableError, match=message):
        build_profile_from_table(rows_of(1, 50, (1, 1, 1, 1)).table, model="m", **{**told, **roles})


def test_the_command_names_classes_as_their_columns_or_otherwise(tmp_path: Path) -> None:
    """CLASS=COL where they differ, COL alone where they do not; shown are as many calibrations as classes."""
    table = rows_of(10, 300, (1, 1, 1, 1)).table.rename(columns={"p_cat": "cat"})
    table.to_csv(tmp_path / "t.csv", index=False)
    said = "cat, dog=p_dog,owl=p_owl,yak=p_yak"
    options = ["--model", "m", "--label", "said", "--target", "true", "--probabilities", said]
    out = ["-o", str(tmp_path / "p.json")]
    assert main(["build", str(tmp_path / "t.csv"), *options, *out]) == 0
    profile = read_profile(tmp_path / "p.json")
    assert [of.positive for of in profile.class_calibrations] == list(CLASSES)
    assert profile.features == []
    assert profile.confidence is not None
    assert main(["build", "t.csv", *options[:-1], "cat=a,cat=b", *out]) == 2

"""`otel-ml profile build --target`: what the truth of the reference says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pandas as pd
import pytest
from sklearn import metrics
from sklearn.isotonic import IsotonicRegression

from otel_ml_processor.commands.profile import build_profile_from_table, main
from otel_ml_processor.errors import ProfileError, TableError
from otel_ml_processor.profile import Calibration, sealed
from otel_ml_processor.profile_file import read_profile, write_profile

if TYPE_CHECKING:
    from pathlib import Path

    from otel_ml_processor.profile import Profile

MODEL: dict[str, Any] = {"model": "m", "created": "2026-01-01T00:00:00Z"}


def outputs(n: int = 3_000) -> pd.DataFrame:
    """Return scores with two decimals, a decision at .6, and truths that know something of them."""
    random = np.random.default_rng(8)
    score = random.random(n).round(2)
    return pd.DataFrame(
        {
            "score": score,
            "said": np.where(score >= 0.6, "yes", "no"),
            "true": np.where(random.random(n) < score**1.5, "yes", "no"),
        }
    )


def built(table: pd.DataFrame, **roles: Any) -> Profile:
    """Return the profile of *table*."""
    return build_profile_from_table(table, label="said", target="true", **MODEL, **roles)


def calibration_of(profile: Profile) -> Calibration:
    """Return the calibration that is there."""
    assert profile.calibration is not None
    return profile.calibration


def test_performance_of_the_reference_is_scikit_learns() -> None:
    """Of the positive class, from the whole table."""
    table = outputs()
    found = built(table, score="score", positive="yes").performance
    true, said = table["true"] == "yes", table["said"] == "yes"
    assert found == pytest.approx(
        {
            "accuracy": metrics.accuracy_score(true, said),
            "precision": metrics.precision_score(true, said),
            "recall": metrics.recall_score(true, said),
            "specificity": metrics.recall_score(~true, ~said),
            "f1": metrics.f1_score(true, said),
            "roc_auc": metrics.roc_auc_score(true, table["score"]),
        }
    )


def test_calibration_is_scikit_learns() -> None:
    """The isotonic regression of the rows, at every score."""
    table = outputs()
    found = calibration_of(built(table, score="score", positive="yes"))
    fitted = IsotonicRegression(out_of_bounds="clip").fit(table["score"], table["true"] == "yes")
    distinct = np.unique(table["score"])
    assert found.probabilities == pytest.approx(fitted.predict(distinct).tolist(), abs=1e-9)
    assert (sum(found.rows), found.positive) == (len(table), "yes")


def test_with_a_confidence_the_truth_is_whether_it_was_right() -> None:
    """Of many classes: how sure, and how often right; and the mean of the classes' F1."""
    random = np.random.default_rng(9)
    said, true = (random.choice(["a", "b", "c"], 900) for _ in range(2))
    table = pd.DataFrame({"said": said, "true": true, "sure": random.random(900).round(1)})
    found = built(table, confidence="sure")
    assert found.performance == pytest.approx(
        {
            "accuracy": metrics.accuracy_score(true, said),
            "macro_precision": metrics.precision_score(true, said, average="macro"),
            "macro_recall": metrics.recall_score(true, said, average="macro"),
            "macro_f1": metrics.f1_score(true, said, average="macro"),
        }
    )
    calibration = calibration_of(found)
    assert calibration.positive is None
    assert sum(calibration.positives) == (said == true).sum()


def test_numbers_have_the_errors_of_a_regression() -> None:
    """And nothing to estimate from."""
    random = np.random.default_rng(10)
    said = random.normal(size=500)
    table = pd.DataFrame({"said": said, "true": said + random.normal(size=500)})
    found = built(table)
    assert found.performance["mae"] == pytest.approx(
        metrics.mean_absolute_error(table["true"], said)
    )
    assert found.performance["r2"] == pytest.approx(metrics.r2_score(table["true"], said))
    assert found.calibration is None


def test_classes_are_compared_as_they_are_written() -> None:
    """A class that is the number 1 in one column and 1.0 in the other is one class."""
    table = pd.DataFrame({"said": [1, 0, 1, 0] * 50, "true": [1.0, 0.0, 0.0, 0.0] * 50})
    assert built(table).performance["accuracy"] == 0.75


def test_rows_without_a_truth_are_passed_over() -> None:
    """Not everything is labelled; what is not says nothing."""
    table = outputs()
    table.loc[::2, "true"] = None
    rest = table.dropna()
    found = built(table, score="score", positive="yes")
    assert found.performance["accuracy"] == pytest.approx((rest["said"] == rest["true"]).mean())
    assert sum(calibration_of(found).rows) == len(rest)


def test_the_truth_is_no_feature() -> None:
    """It is not there when the model is asked."""
    table = outputs()
    table["age"] = np.arange(len(table)) % 50
    found = built(table, score="score", positive="yes")
    assert [feature.name for feature in found.features] == ["age"]


def test_mistakes_are_named() -> None:
    """A truth without a prediction, and a column that has none."""
    table = outputs()
    with pytest.raises(TableError, match="--target needs --label"):
        build_profile_from_table(table, target="true", **MODEL)
    table["true"] = None
    with pytest.raises(TableError, match="column 'true': expected rows with a truth"):
        built(table, score="score", positive="yes")


def test_the_command_says_how_good_the_reference_was(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same profile as from the data frame, and a line for people."""
    table = outputs()
    table.to_csv(tmp_path / "t.csv", index=False)
    roles = ["--label", "said", "--score", "score", "--positive", "yes", "--target", "true"]
    arguments = [str(tmp_path / "t.csv"), "--model", "m", *roles, "-o", str(tmp_path / "p.json")]
    assert main(["build", *arguments]) == 0
    accuracy = (table["said"] == table["true"]).mean()
    assert f"performance accuracy {accuracy:.4g}" in capsys.readouterr().out
    found = read_profile(tmp_path / "p.json")
    assert found.calibration == built(table, score="score", positive="yes").calibration


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"rows": [1]}, "$.calibration.rows: expected 2 numbers for 1 edges, got 1"),
        ({"edges": [0.5, 0.5], "rows": [1] * 3, "positives": [1] * 3, "probabilities": [0.5] * 3},
         "$.calibration.edges: expected strictly ascending edges"),
        ({"positives": [2, 5]}, "$.calibration.positives: expected counts from 0 to those of 'rows'"),
        ({"probabilities": [0.5, 1.5]}, "$.calibration.probabilities: expected numbers in [0, 1]"),
    ],
)  # fmt: skip
def test_a_calibration_that_contradicts_itself_is_refused(
    tmp_path: Path, change: dict[str, list[float]], said: str
) -> None:
    """Before anything is estimated from it; place, expectation and finding are named."""
    good = Calibration(edges=[0.5], rows=[2, 2], positives=[1, 2], probabilities=[0.5, 1.0])
    profile = built(outputs(), score="score", positive="yes")
    bad = msgspec.structs.replace(profile, calibration=msgspec.structs.replace(good, **change))
    write_profile(sealed(bad), tmp_path / "p.json")
    with pytest.raises(ProfileError) as raised:
        read_profile(tmp_path / "p.json")
    assert said in str(raised.value)


def test_classes_that_are_written_otherwise_are_a_warning(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Predictions that are booleans beside truths of 0 and 1 are all wrong, and it is said why; where some come true nothing is."""
    random = np.random.default_rng(4)
    true = random.integers(0, 2, 300)
    table = pd.DataFrame({"said": true == 1, "true": true, "sure": 0.9})
    for name, said in (("otherwise", table["said"]), ("alike", table["said"].astype(int))):
        table.assign(said=said).to_parquet(tmp_path / f"{name}.parquet")
        output = str(tmp_path / f"{name}.json")
        roles = ["--label", "said", "--target", "true", "--model", "m", "-o", output]
        assert main(["build", str(tmp_path / f"{name}.parquet"), *roles]) == 0
        is_warned = "which are True, False?" in capsys.readouterr().out.replace(
            "False, True", "True, False"
        )
        assert is_warned == (name == "otherwise")


def test_a_score_is_of_two_classes() -> None:
    """A truth that is neither is a mistake that names all classes: who is wrong about one class need not be right about the positive one."""
    table = outputs()
    table["true"] = np.where(np.arange(len(table)) % 9, table["true"], "perhaps")
    with pytest.raises(
        TableError, match="expected two classes with --score, found no, perhaps, ye"
    ):
        built(table, score="score", positive="yes")
    assert built(table).performance["accuracy"] > 0.5

"""What a profile says of a model's outputs: of rows that it was not trained on, and a word where they look like those that it was."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

from otel_ml_processor.commands.profile import build_profile_from_table, main
from otel_ml_processor.commands.table_truth import training_warning
from otel_ml_processor.errors import TableError
from otel_ml_processor.profile_file import read_profile

if TYPE_CHECKING:
    from pathlib import Path

ROLES: dict[str, Any] = {"label": "said", "confidence": "sure", "target": "true"}


def rows(n: int, right: float, seed: int = 1) -> pd.DataFrame:
    """Return *n* predictions that are sure by .8 on average, of which the share *right* comes true."""
    random = np.random.default_rng(seed)
    said = random.choice(["yes", "no"], n)
    is_right = random.random(n) < right
    other = np.where(said == "yes", "no", "yes")
    return pd.DataFrame(
        {
            "x": random.normal(size=n),
            "said": said,
            "sure": random.uniform(0.6, 1.0, n),
            "true": np.where(is_right, said, other),
        }
    )


@pytest.mark.parametrize(
    ("right", "n", "is_warned"),
    [
        (1.0, 1000, True),
        (0.95, 1000, True),
        (0.8, 1000, False),
        (0.6, 1000, False),
        (1.0, 150, False),
    ],
)
def test_predictions_that_are_right_more_often_than_sure_are_warned_of(
    caplog: pytest.LogCaptureFixture, right: float, n: int, *, is_warned: bool
) -> None:
    """A model that is sure by .8 is right in .8 of rows that it has not seen; of a few rows nothing is said."""
    with caplog.at_level(logging.WARNING):
        build_profile_from_table(rows(n, right), model="m", **ROLES)

    assert ("rows that it was trained on" in caplog.text) == is_warned


def test_a_calibrated_model_is_hardly_ever_warned_of() -> None:
    """Two hundred profiles of a model whose confidence is what it says: four standard errors are never reached."""
    random = np.random.default_rng(0)
    warned = 0
    for _ in range(200):
        sure = random.uniform(0.5, 1, 300)
        right = random.random(300) < sure
        frame = pd.DataFrame({"said": "a", "sure": sure, "true": np.where(right, "a", "b")})
        profile = build_profile_from_table(frame, model="m", features=[], **ROLES)
        warned += bool(training_warning(profile))
    assert warned == 0


def test_outputs_are_taken_from_the_rows_for_validation_alone() -> None:
    """Features of all rows, and of the outputs exactly what a profile of the rows for validation says."""
    training, validation = rows(1000, 1.0), rows(400, 0.8, seed=2)

    profile = build_profile_from_table(training, model="m", validation=validation, **ROLES)

    alone = build_profile_from_table(validation, model="m", **ROLES)
    assert (profile.prediction, profile.confidence) == (alone.prediction, alone.confidence)
    assert (profile.calibration, profile.performance) == (alone.calibration, alone.performance)
    assert profile.low_confidence == alone.low_confidence
    assert sum(profile.features[0].counts) == 1400


def test_training_rows_need_not_have_outputs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`profile build train.csv --validation valid.csv`: whoever trained has no predictions of those rows."""
    rows(500, 1.0)[["x"]].to_csv(tmp_path / "train.csv", index=False)
    rows(300, 0.8).to_csv(tmp_path / "valid.csv", index=False)
    roles = ["--label", "said", "--confidence", "sure", "--target", "true"]
    files = [str(tmp_path / "train.csv"), "--validation", str(tmp_path / "valid.csv")]

    assert main(["build", *files, "--model", "m", *roles, "-o", str(tmp_path / "p.json")]) == 0

    profile = read_profile(tmp_path / "p.json")
    assert sum(profile.features[0].counts) == 800
    assert profile.prediction is not None
    assert sum(profile.prediction.counts) == 300
    assert "warning" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("validation", "said"),
    [
        ({"x": []}, "expected at least one row, found none"),
        ({"y": [1.0]}, "expected the columns of the table, lacks 'said', 'sure', 'true', 'x'"),
        ({"x": ["a"], "said": ["a"], "sure": [0.5], "true": ["a"]}, "validation: "),
    ],
)
def test_rows_for_validation_that_do_not_fit_are_refused(
    validation: dict[str, list[object]], said: str
) -> None:
    """With what is wrong with them."""
    with pytest.raises(TableError, match=said):
        build_profile_from_table(rows(10, 1.0), model="m", validation=validation, **ROLES)


def test_the_command_prints_the_warning(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As its last line, and writes the profile all the same."""
    rows(1000, 1.0).to_parquet(tmp_path / "t.parquet")
    roles = ["--label", "said", "--confidence", "sure", "--target", "true"]

    command = ["build", str(tmp_path / "t.parquet"), "--model", "m", *roles]
    assert main([*command, "-o", str(tmp_path / "p.json")]) == 0

    last = capsys.readouterr().out.splitlines()[-1]
    assert last.startswith(
        "warning: the predictions are right in 100 % of rows, at a mean confidence of "
    )
    assert "--validation" in last


def test_a_feature_takes_at_most_three_kilobytes(tmp_path: Path) -> None:
    """Numbers of every size, and 32 categories of usual length; with all that a table with times gives, two dozen features."""
    random = np.random.default_rng(8)
    names = [f"category number {i}" for i in range(32)]
    table: dict[str, object] = {
        f"number {i}": random.normal(size=3000) * 10.0 ** random.integers(-9, 9) for i in range(20)
    }
    table |= {f"text {i}": random.choice(names, 3000) for i in range(5)}
    frame = pd.DataFrame(table)
    frame["when"] = pd.Timestamp("2026-01-01") + pd.to_timedelta(np.arange(3000), unit="min")
    frame.to_parquet(tmp_path / "t.parquet")

    command = ["build", str(tmp_path / "t.parquet"), "--model", "m", "--time", "when"]
    assert main([*command, "-o", str(tmp_path / "p.json")]) == 0

    profile = read_profile(tmp_path / "p.json")
    assert len(profile.features) == 25
    assert (tmp_path / "p.json").stat().st_size <= 3000 * 25


ARRAYS = np.arange(12.0).reshape(4, 3)


@pytest.mark.parametrize(
    ("arrays", "names"),
    [
        ({"a": ARRAYS[:, 0], "b": ARRAYS[:, 1]}, ["a", "b"]),
        ({"X": ARRAYS}, ["X_0", "X_1", "X_2"]),
        (
            {"X": ARRAYS, "feature_names": np.array(["u", "v", "w"]), "b": ARRAYS[:, 0]},
            ["u", "v", "w", "b"],
        ),
    ],
)
def test_arrays_of_numpy_are_a_table(
    tmp_path: Path, arrays: dict[str, Any], names: list[str]
) -> None:
    """One dimension is a column, two are one per column, by name where there are names."""
    np.savez(tmp_path / "t.npz", **arrays)

    assert main(["build", str(tmp_path / "t.npz"), "--model", "m", "-o", f"{tmp_path}/p.json"]) == 0

    profile = read_profile(tmp_path / "p.json")
    assert [feature.name for feature in profile.features] == names
    assert profile.source.kind == "npz"


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"X": np.zeros((2, 2, 2))}, "array 'X': expected one or two dimensions, found 3"),
        (
            {"X": ARRAYS, "feature_names": np.array(["u"])},
            "expected 3 names for the columns of 'X'",
        ),
        ({"a": np.zeros(3), "b": np.zeros(4)}, "t.npz: "),
        ({"a": np.array([{}, {}], dtype=object)}, "Object arrays cannot be loaded"),
    ],
)
def test_arrays_that_are_no_table_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arrays: dict[str, Any], said: str
) -> None:
    """In one line; pickled objects are never read."""
    np.savez(tmp_path / "t.npz", **arrays)

    assert main(["build", str(tmp_path / "t.npz"), "--model", "m", "-o", f"{tmp_path}/p.json"]) == 2

    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1

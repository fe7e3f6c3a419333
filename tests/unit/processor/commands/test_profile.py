"""`otel-ml profile`: from a table to a profile, and a profile for people to read."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from otel_ml_processor.commands.profile import build_profile_from_table, main
from otel_ml_processor.commands.profile_text import promise_text
from otel_ml_processor.errors import TableError
from otel_ml_processor.profile import SelfTest
from otel_ml_processor.profile_file import read_profile

if TYPE_CHECKING:
    from pathlib import Path


def flights(rows: int = 600) -> pd.DataFrame:
    """Return a small reference: numbers, texts, gaps, a time, and what a model said of each row."""
    random = np.random.default_rng(2013)
    score = random.random(rows).round(6)
    return pd.DataFrame(
        {
            "when": pd.Timestamp("2013-01-01") + pd.to_timedelta(np.arange(rows), unit="min"),
            "temp": np.where(
                random.random(rows) < 0.1, np.nan, random.normal(40, 9, rows).round(3)
            ),
            "hour": random.integers(5, 24, rows),
            "carrier": random.choice(["UA", "B6", "EV"], rows),
            "score": score,
            "late": (score > 0.4).astype(int),
        }
    )


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """The flights as a CSV file."""
    flights().to_csv(tmp_path / "flights.csv", index=False)
    return tmp_path / "flights.csv"


def build(table: Path, *arguments: str) -> int:
    """Build the profile of *table* beside it and return the exit code."""
    output = str(table.parent / "profile.json")
    return main(["build", str(table), "--model", "late-arrival", "-o", output, *arguments])


ROLES = ["--label", "late", "--score", "score", "--positive", "1", "--time", "when"]


def test_a_table_becomes_a_profile(table: Path) -> None:
    """Features in the table's order with their guessed types; label, score and time are none; all rows are counted."""
    assert build(table, *ROLES, "--version", "7") == 0

    profile = read_profile(table.parent / "profile.json")
    frame = flights()
    assert (profile.model, profile.version, profile.source.rows) == ("late-arrival", "7", 600)
    assert [(f.name, f.type) for f in profile.features] == [
        ("temp", "numeric"),
        ("hour", "numeric"),
        ("carrier", "categorical"),
    ]
    temp, hour, carrier = profile.features
    assert temp.missing == frame["temp"].isna().sum()
    assert sum(temp.counts) + temp.missing == 600
    assert hour.counts == frame["hour"].value_counts().sort_index().tolist()
    assert dict(zip(carrier.categories, carrier.counts, strict=False)) == dict(
        frame["carrier"].value_counts()
    )


def test_confidence_is_the_probability_of_the_predicted_class(table: Path) -> None:
    """The threshold is .4, so a score of .45 is a confident-by-.45 "late", not a .55: its quantiles are those of p or 1 - p by label."""
    build(table, *ROLES)

    profile = read_profile(table.parent / "profile.json")
    frame = flights()
    confidence = np.where(frame["late"] == 1, frame["score"], 1 - frame["score"])
    expected = np.quantile(confidence, [0.05, 0.5], method="inverted_cdf")
    assert [profile.low_confidence, profile.median_confidence] == pytest.approx(expected, abs=1e-12)
    assert profile.prediction is not None
    assert dict(zip(profile.prediction.categories, profile.prediction.counts, strict=False)) == {
        str(name): count for name, count in frame["late"].value_counts().items()
    }


def test_a_confidence_column_is_taken_as_it_is(table: Path) -> None:
    """Where the table has the confidence itself, no label is needed."""
    assert build(table, "--confidence", "score", "--ignore", "when,late") == 0

    profile = read_profile(table.parent / "profile.json")
    assert profile.median_confidence == np.quantile(flights()["score"], 0.5, method="inverted_cdf")
    assert profile.prediction is None


@pytest.mark.parametrize("kind", ["pandas", "polars", "pyarrow", "csv", "parquet"])
def test_every_kind_of_table_gives_the_same_counts(kind: str, tmp_path: Path) -> None:
    """Files and data frames of the same rows differ in where they came from, and in nothing else."""
    frame = flights()
    expected = build_profile_from_table(frame, model="m", ignore=["when"], created="now")
    if kind in {"csv", "parquet"}:
        path = tmp_path / f"t.{kind}"
        frame.to_csv(path, index=False) if kind == "csv" else frame.to_parquet(path)
        main(["build", str(path), "--model", "m", "--ignore", "when", "-o", f"{tmp_path}/p.json"])
        profile = read_profile(tmp_path / "p.json")
    else:
        frames = {"pandas": frame, "polars": pl.from_pandas(frame), "pyarrow": pa.table(frame)}
        profile = build_profile_from_table(frames[kind], model="m", ignore=["when"], created="now")

    assert profile.features == expected.features


def test_the_same_data_frame_makes_the_same_profile() -> None:
    """Bit for bit, self-tests in random order included; one other value makes another id."""
    frame = flights()
    changed = frame.assign(hour=frame["hour"].where(frame.index != 5, 4))

    ids = [
        build_profile_from_table(f, model="m", label="late", time="when", created="now").id
        for f in (frame, flights(), changed)
    ]

    assert ids[0] == ids[1] != ids[2]


def test_types_can_be_overruled_and_are_said(
    table: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Hours as categories; the table on stdout says which type was guessed from what, and which was given."""
    build(table, *ROLES, "--categorical", "hour")

    said = {line.split()[0]: line for line in capsys.readouterr().out.splitlines() if line}
    assert read_profile(table.parent / "profile.json").features[1].type == "categorical"
    assert said["temp"].endswith("guessed from double")
    assert said["hour"].endswith("as said")
    assert said["carrier"].endswith("guessed from string")
    assert said["(prediction)"].endswith("guessed from int64")


def test_a_regression_has_bins_of_its_predicted_numbers() -> None:
    """Without a score the label is a number; whole and few ones must be said to be ordered."""
    frame = pd.DataFrame({"x": np.arange(50.0), "price": np.arange(50) / 7})
    few = pd.DataFrame({"x": np.arange(50.0), "stars": np.arange(50) % 5})

    price = build_profile_from_table(frame, model="m", label="price").prediction
    stars = build_profile_from_table(few, model="m", label="stars").prediction
    ordered = build_profile_from_table(few, model="m", label="stars", ordered=["stars"]).prediction

    assert [c.type for c in (price, stars, ordered) if c] == ["numeric", "categorical", "numeric"]


def test_features_can_be_named(table: Path) -> None:
    """In that order, each once, and no others."""
    build(table, "--features", "carrier, hour,carrier")

    profile = read_profile(table.parent / "profile.json")
    assert [feature.name for feature in profile.features] == ["carrier", "hour"]


def test_both_self_tests_are_stored_and_their_rates_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Temperature that changes by the day: random order keeps the promise, the days do not, and the last line says what follows."""
    random = np.random.default_rng(1)
    days = np.repeat(np.arange(30), 300)
    frame = pd.DataFrame(
        {
            "when": pd.Timestamp("2013-01-01") + pd.to_timedelta(days, unit="D"),
            "temp": random.normal(size=30)[days] + random.normal(size=9000),
        }
    )
    frame.to_parquet(tmp_path / "t.parquet")

    build(tmp_path / "t.parquet", "--time", "when")

    tests = read_profile(tmp_path / "profile.json").self_tests
    assert [(test.order, test.window) for test in tests] == [
        ("time", "1 day"),
        ("random", "300 rows"),
    ]
    assert [len(test.p_values["features"]) for test in tests] == [30, 210]
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.startswith("promise 1 %: random order ")
    assert "own days 100 % of 30 windows: rows of one day are not independent" in last
    assert last.endswith("alarms will be more frequent than promised")


def test_the_window_of_the_self_tests_can_be_chosen(table: Path) -> None:
    """So many rows in time order and in random order; hours where hours are asked for."""
    build(table, *ROLES, "--window", "250")
    by_rows = read_profile(table.parent / "profile.json").self_tests
    build(table, *ROLES, "--window", "hour")
    by_hour = read_profile(table.parent / "profile.json").self_tests

    assert [test.window for test in by_rows] == ["250 rows", "250 rows"]
    # Ten hours of 60 rows, four of which make 200: windows of 240 and 240, the rest in none.
    assert [test.window for test in by_hour] == ["1 hour", "240 rows"]
    assert len(by_hour[0].p_values["features"]) == 2


def test_show_gives_a_readable_table(table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Model, id, every column with type, cells, missing rows and a bar per cell, confidence, self-tests."""
    build(table, *ROLES)
    capsys.readouterr()

    code = main(["show", str(table.parent / "profile.json")])

    out = capsys.readouterr().out
    profile = read_profile(table.parent / "profile.json")
    rows = {line.split()[0]: line.split() for line in out.splitlines() if line}
    assert code == 0
    assert profile.id in out
    assert rows["temp"][1:4] == ["numeric", "20", str(profile.features[0].missing)]
    assert rows["carrier"][1:4] == ["categorical", "3", "0"]
    assert len(rows["carrier"][4]) == 4
    assert rows["carrier"][4].endswith("·")
    assert "EV" in rows["carrier"][5:] or "EV," in rows["carrier"][5:]
    assert f"below {profile.low_confidence:.4g}, median {profile.median_confidence:.4g}" in out
    assert "promise 1 %: random order" in out


def test_show_of_a_damaged_file_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 2 and what is wrong, for a file that is no profile and for one that is not there."""
    (tmp_path / "p.json").write_text("{", encoding="utf-8")

    for name in ("p.json", "none.json"):
        assert main(["show", str(tmp_path / name)]) == 2
        captured = capsys.readouterr()
        assert captured.out == ""
        assert captured.err.startswith(f"otel-ml profile: {tmp_path / name}: ")
        assert captured.err.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--label", "lat"], "no column 'lat'; did you mean 'late'? known: when, temp, hour"),
        (["--ignore", "zzz"], "no column 'zzz'; known: when, temp"),
        (["--features", "temp,hours"], "no column 'hours'; did you mean 'hour'?"),
        ([], "column 'when': expected numbers, booleans or texts, found timestamp"),
        (["--ignore", "when", "--time", "hour"], "column 'hour': expected timestamps, dates"),
        (["--ignore", "when", "--confidence", "temp"], "column 'temp': expected probabilities in"),
        (["--ignore", "when", "--confidence", "carrier"], "found string"),
        (["--ignore", "when", "--ordered", "carrier"], "feature 'carrier': expected numbers"),
        (["--score", "score", "--positive", "1"], "--score needs --label and --positive"),
        (["--label", "late", "--score", "score"], "--score needs --label and --positive"),
        (["--positive", "1"], "--positive needs --score"),
        (["--score", "score", "--confidence", "score"], "--score or --confidence, got both"),
        (["--features", "temp", "--ignore", "hour"], "--features or --ignore, got both"),
        (
            ["--features", "temp,late", "--label", "late"],
            "column 'late': expected one role, is a feature and another",
        ),
        (
            ["--categorical", "hour", "--ordered", "hour", "--ignore", "when"],
            "column 'hour': expected --categorical or --ordered, got both",
        ),
        (
            ["--ignore", "when", "--categorical", "when"],
            "column 'when': has a type but is neither a feature nor the label",
        ),
        (
            [*ROLES[:4], "--positive", "yes", "--time", "when"],
            "column 'late': expected rows of the positive class 'yes', found only 0, 1",
        ),
        (["--ignore", "when", "--window", "day"], "--window day needs --time"),
        (["--ignore", "when", "--window", "500"], "windows of 500 rows: expected at least two"),
        (["--window", "week"], "expected day, hour or a number of rows, got 'week'"),
        (["--window", "0"], "expected day, hour or a number of rows, got '0'"),
        (["--nonsense"], "unrecognized arguments: --nonsense"),
        (
            ["--ignore", "when,temp,hour,carrier,score,late"],
            "expected at least one feature, a --label or a --confidence",
        ),
        (["--ignore", "when", "-o", "/nowhere/p.json"], "/nowhere/p.json: expected an existing"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(
    table: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    """It names the thing and what to do, and no profile is written."""
    assert build(table, *arguments) == 2

    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("otel-ml profile: ")
    assert said in captured.err
    assert captured.err.count("\n") == 1
    assert not (table.parent / "profile.json").exists()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("a,b\n", "expected at least one row, found none"),
        ("a,b\n1,\n2,\n", "feature 'b': all 2 rows are missing; leave the column out"),
        ("a,a\n1,2\n", "column 'a': expected one of that name, found several"),
        (None, "no such file"),
    ],
)
def test_a_table_that_cannot_be_profiled_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str | None, said: str
) -> None:
    """File, column, what was expected and found, in one line."""
    path = tmp_path / "t.csv"
    if content is not None:
        path.write_text(content, encoding="utf-8")

    assert build(path) == 2

    error = capsys.readouterr().err
    assert error.startswith(f"otel-ml profile: {path}: ")
    assert said in error
    assert error.count("\n") == 1


def test_mistakes_in_the_python_interface_are_errors_too() -> None:
    """The same sentences, as TableError."""
    with pytest.raises(TableError, match=r"no column 'tmp'; did you mean 'temp'\?"):
        build_profile_from_table(flights(), model="m", ignore=["when"], categorical=["tmp"])
    with pytest.raises(TableError, match=r"row 2 has 1\.5"):
        build_profile_from_table({"p": np.array([0.5, 1.5])}, model="m", confidence="p")


def test_a_missing_label_has_no_confidence() -> None:
    """A score without a prediction is the probability of nothing: that row is left out of both."""
    frame = pd.DataFrame({"label": ["yes", None, "no"], "p": [0.9, 0.99, 0.2], "x": [1, 2, 3]})

    profile = build_profile_from_table(frame, model="m", label="label", score="p", positive="yes")

    assert profile.prediction is not None
    assert sum(profile.prediction.counts) == 2
    assert profile.confidence is not None
    assert sum(profile.confidence.counts) == 2
    assert profile.confidence.max == 0.9


def test_progress_is_shown_on_stderr_only_when_asked_or_on_a_terminal(
    table: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A pipe gets a clean stderr; with --progress it says what was done. The summary on stdout is the same."""
    build(table, *ROLES)
    silent = capsys.readouterr()
    build(table, *ROLES, "--progress")
    shown = capsys.readouterr()

    assert silent.err == ""
    assert "100%" in shown.err
    assert "promise" in shown.out
    assert "100%" not in shown.out


def test_a_terminal_without_unicode_still_shows_a_profile(table: Path) -> None:
    """Bars become question marks on an ASCII terminal; it is not an error."""
    build(table, *ROLES)
    program = "import sys; from otel_ml_processor.commands.profile import main; sys.exit(main(sys.argv[1:]))"

    shown = subprocess.run(
        [sys.executable, "-c", program, "show", str(table.parent / "profile.json")],
        env={"PYTHONIOENCODING": "ascii"},
        capture_output=True,
        check=False,
    )

    assert shown.returncode == 0, shown.stderr
    assert b"carrier" in shown.stdout
    assert b"???" in shown.stdout


@pytest.mark.parametrize(
    ("alarms", "windows", "window", "order", "said"),
    [
        (0, 20, "1 day", "time", "promise 1 %: own days 0 % of 20 windows"),
        (2, 20, "1 day", "time", "promise 1 %: own days 10 % of 20 windows"),
        (
            4,
            20,
            "1 hour",
            "time",
            (
                "promise 1 %: own hours 20 % of 20 windows: rows of one hour are not independent, "
                "alarms will be more frequent than promised"
            ),
        ),
        (
            20,
            20,
            "900 rows",
            "time",
            (
                "promise 1 %: own order 100 % of 20 windows: neighbouring rows are not independent, "
                "alarms will be more frequent than promised"
            ),
        ),
        (2, 212, "900 rows", "random", "promise 1 %: random order 0.9 % of 212 windows"),
        (
            7,
            212,
            "900 rows",
            "random",
            (
                "promise 1 %: random order 3.3 % of 212 windows: even rows in random order alarm, "
                "alarms will be more frequent than promised"
            ),
        ),
    ],
)
def test_the_measured_rate_is_held_against_the_promise(
    alarms: int, windows: int, window: str, order: str, said: str
) -> None:
    """More than threefold is said to break it, unless it is only a window or two."""
    p_values = {"features": [1e-9] * alarms + [1.0] * (windows - alarms)}
    test = SelfTest(order=order, window=window, effect_floor=0.01, p_values=p_values)  # type: ignore[arg-type]  # from the table above

    assert promise_text([test], 0.01) == said


def test_a_promise_that_was_not_measured_is_said_to_be_so() -> None:
    """A table too small for windows has no self-test; that is not silence."""
    assert promise_text([], 0.01) == ("promise 1 %: not measured, the reference has too few rows")

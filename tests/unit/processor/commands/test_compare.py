"""What differs between two files: names, numbers and promises, for people and programs, and mistakes told in one line."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pytest
from scipy import spatial, stats

from otel_ml_processor.commands import profile
from otel_ml_processor.commands.compare import main

if TYPE_CHECKING:
    from pathlib import Path

ROWS = 4000


def table(rows: int = ROWS, seed: int = 1, /, **changes: Any) -> pa.Table:
    """Return rows of a number, a whole number, a category and a predicted class; *changes* replace or add columns."""
    rng = np.random.default_rng(seed)
    columns = {
        "amount": rng.lognormal(3, 1, rows),
        "age": rng.integers(18, 30, rows),
        "city": rng.choice(["Oslo", "Paris", "Rome"], rows, p=[0.2, 0.5, 0.3]),
        "label": rng.integers(0, 2, rows),
    }
    return pa.table(columns | changes)


def written(folder: Path, name: str, content: pa.Table) -> Path:
    """Write *content* as Parquet or CSV, by its name."""
    path = folder / name
    write = pa.parquet.write_table if path.suffix == ".parquet" else pa.csv.write_csv
    write(content, path)
    return path


def found(
    capsys: pytest.CaptureFixture[str], *arguments: object
) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """Return what `otel-ml compare --json -` says: everything, and its columns by name (outputs by target)."""
    assert main([*map(str, arguments), "--json", "-"]) == 0
    everything = json.loads(capsys.readouterr().out)
    return everything, {c["name"] or c["target"]: c for c in everything["columns"]}


def test_what_moved_is_found_and_nothing_else(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A number that grew and a category that became rarer differ; the others do not; the worst comes first."""
    rng = np.random.default_rng(3)
    changed = {
        "amount": rng.lognormal(3.3, 1, ROWS),
        "city": rng.choice(["Oslo", "Paris", "Rome"], ROWS, p=[0.4, 0.3, 0.3]),
    }
    before = written(tmp_path, "before.parquet", table())
    after = written(tmp_path, "after.csv", table(ROWS, 2, **changed))

    everything, columns = found(capsys, before, after, "--label", "label")

    states = {name: column["state"] for name, column in columns.items()}
    assert states == {
        "amount": "drifting",
        "city": "drifting",
        "age": "steady",
        "prediction": "steady",
    }
    assert [c["state"] for c in everything["columns"]] == sorted(states.values())
    assert everything["reference"] == {"path": str(before), "rows": ROWS}


def test_scores_are_those_of_the_rows(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of a column with few values every score is scipy's of the raw rows: one cell per value loses nothing."""
    rng = np.random.default_rng(5)
    ages = rng.integers(20, 32, ROWS)
    before = written(tmp_path, "before.parquet", table())
    after = written(tmp_path, "after.parquet", table(age=ages))
    raw = table()["age"].to_numpy()

    _, columns = found(capsys, before, after, "--features", "age")

    scores = columns["age"]["scores"]
    values = np.arange(18, 32)
    p, q = ((side[:, None] == values).mean(axis=0) for side in (raw, ages))
    # What lies above the largest age of the reference is in the cell of that age.
    q[-3:] = 0, 0, 0
    q[11] += 1 - q.sum()
    clipped = np.minimum(ages, 29)
    assert scores["kolmogorov_smirnov"] == pytest.approx(stats.ks_2samp(raw, clipped).statistic)
    assert scores["wasserstein"] == pytest.approx(stats.wasserstein_distance(raw, clipped))
    assert scores["jensen_shannon"] == pytest.approx(spatial.distance.jensenshannon(p, q, base=2))
    assert columns["age"]["out_of_range"] == pytest.approx((ages > 29).mean())


def test_the_same_rows_do_not_differ(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file compared with itself: every p-value is 1, every score 0, also the profile that was built from it."""
    before = written(tmp_path, "before.parquet", table())
    built = tmp_path / "before.json"
    assert profile.main(["build", str(before), "--model", "m", "-o", str(built)]) == 0
    capsys.readouterr()

    for sides in ((before, before), (built, before), (before, built), (built, built)):
        _, columns = found(capsys, *sides)
        assert {c["state"] for c in columns.values()} == {"steady"}
        assert {c["p_value"] for c in columns.values()} == {1.0}
        assert {score for c in columns.values() for score in c["scores"].values()} == {0.0}


def test_profiles_with_other_cells_are_estimated_and_not_tested(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Counts of other bins are spread: the distance is close to that of the rows, but no verdict is given."""
    shifted = table(ROWS, 2, amount=np.random.default_rng(9).lognormal(3.5, 1, ROWS))
    raw = {"before": table(), "after": shifted}
    for name, content in raw.items():
        path = written(tmp_path, f"{name}.parquet", content)
        arguments = ["build", str(path), "--model", "m", "-o", str(tmp_path / f"{name}.json")]
        assert profile.main(arguments) == 0
    capsys.readouterr()

    _, columns = found(capsys, tmp_path / "before.json", tmp_path / "after.json")

    amount = columns["amount"]
    assert (amount["state"], amount["p_value"]) == ("not_tested", None)
    sides = (content["amount"].to_numpy() for content in raw.values())
    exact = stats.ks_2samp(*sides).statistic
    # Twenty bins lose at most the share of one, and spreading no more.
    assert amount["scores"]["kolmogorov_smirnov"] == pytest.approx(exact, abs=0.05)
    assert sum(amount["counts"]["current"]) == ROWS
    assert columns["city"]["state"] == "steady"


@pytest.mark.parametrize("current", ["rows.parquet", "rows.json"])
def test_a_profile_that_knows_the_truth_does_not_differ_from_its_own_rows(
    current: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Which errors are to be expected is no column: confidences are not taken for them, and none is missed."""
    rng = np.random.default_rng(4)
    sure = rng.uniform(0.5, 1, ROWS)
    truth = np.where(rng.random(ROWS) < sure, "ok", "fraud")
    rows = table(label=["ok"] * ROWS, sure=sure, truth=truth)
    path, built = written(tmp_path, "rows.parquet", rows), tmp_path / "rows.json"
    roles = ["--label", "label", "--confidence", "sure", "--target", "truth"]
    arguments = ["build", path, "--model", "m", *roles, "-o", built]
    assert profile.main([*map(str, arguments)]) == 0
    capsys.readouterr()

    everything, columns = found(capsys, built, tmp_path / current, *roles)

    assert {c["state"] for c in columns.values()} == {"steady"}
    assert (everything["only_reference"], everything["only_current"]) == ([], [])


def test_missing_values_and_unknown_names_are_told_apart(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A share of nulls and a new category drift by themselves, however small the rest of the change is."""
    amounts = pa.array([None if i % 5 == 0 else 20.0 for i in range(ROWS)])
    cities = ["Bern" if i % 10 == 0 else "Rome" for i in range(ROWS)]
    before = written(
        tmp_path, "before.parquet", table(amount=np.full(ROWS, 20.0), city=["Rome"] * ROWS)
    )
    after = written(tmp_path, "after.parquet", table(amount=amounts, city=cities))

    _, columns = found(capsys, before, after)

    amount, city = columns["amount"], columns["city"]
    assert (amount["driver"], amount["missing"]) == ("missing", {"reference": 0.0, "current": 0.2})
    assert (city["driver"], city["unseen"]) == ("unseen", 0.1)
    assert (amount["state"], city["state"]) == ("drifting", "drifting")


def test_columns_of_one_side_only_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A schema that changed is said, by side, and what both have is compared all the same."""
    before = written(tmp_path, "before.parquet", table(old=np.zeros(ROWS)))
    after = written(tmp_path, "after.parquet", table(new=np.zeros(ROWS)).drop_columns(["age"]))

    everything, columns = found(capsys, before, after)

    assert everything["only_reference"] == ["age", "old"]
    assert everything["only_current"] == ["new"]
    assert set(columns) == {"amount", "city", "label"}


def test_the_page_and_the_table_show_hostile_names_as_text(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A column called as markup is text in the page, and brackets are no style in the terminal."""
    names = {"<script>alert(1)</script>": np.arange(ROWS), "[red]x[/red]": np.arange(ROWS)}
    moved = {name: values + ROWS for name, values in names.items()}
    before = written(tmp_path, "before.parquet", table(**names))
    after = written(tmp_path, "after.parquet", table(**moved))
    page = tmp_path / "page.html"

    assert main([str(before), str(after), "--html", str(page)]) == 0

    assert "<script>" not in page.read_text()
    assert "&lt;script&gt;" in page.read_text()
    assert "[red]x" in capsys.readouterr().out


def test_in_a_narrow_terminal_names_give_way_and_states_do_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half of a state, or of a number, says nothing."""
    monkeypatch.setenv("COLUMNS", "54")
    wide = {"a_name_that_is_longer_than_the_terminal_has_room": [1.0, 2.0] * 200}
    before = written(tmp_path, "before.parquet", pa.table(wide))

    assert main([str(before), str(before)]) == 0

    (row,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("a_name")]
    assert row.split()[1:4] == ["steady", "0.000", "1"]


def test_standard_output_has_the_page_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`--html -` can be piped into a file or a mail: the table for the terminal is not below it."""
    before = written(tmp_path, "before.parquet", table())

    assert main([str(before), str(before), "--html", "-"]) == 0

    assert capsys.readouterr().out.rstrip().endswith("</html>")


def test_check_ends_with_one_only_where_something_differs(tmp_path: Path) -> None:
    """For a pipeline: 0 for another sample of the same, 1 for something else."""
    before = written(tmp_path, "before.parquet", table())
    alike = written(tmp_path, "alike.parquet", table(ROWS, 4))
    after = written(tmp_path, "after.parquet", table(age=np.full(ROWS, 18)))

    assert main([str(before), str(alike), "--check"]) == 0
    assert main([str(before), str(after), "--check"]) == 1
    assert main([str(before), str(after)]) == 0


def test_undrifted_tables_keep_the_promise(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of 200 comparisons of independent rows at 5 % no more than 18 find anything (a promise of 5 % exceeds that in 1 of 400 runs)."""
    before = written(tmp_path, "before.parquet", table(20_000))
    alarms = 0
    for seed in range(200):
        after = written(tmp_path, "after.parquet", table(500, 100 + seed))
        arguments = [before, after, "--false-alarm-rate", ".05", "--effect-floor", "0", "--check"]
        alarms += main([*map(str, arguments)])
    capsys.readouterr()

    assert alarms <= 18


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["missing.parquet", "before.parquet"], "missing.parquet: "),
        (
            ["before.parquet", "notes.txt"],
            "notes.txt: expected a file ending in .csv, .csv.gz, .parquet, .pq or .npz",
        ),
        (["before.parquet", "torn.json"], "torn.json: not a profile of format otel-ml-profile/1"),
        (["before.parquet", "other.parquet"], "expected at least one column of"),
        (["before.parquet", "before.parquet", "--false-alarm-rate", "2"], "between 0 and 1"),
        (["before.parquet", "before.parquet", "--effect-floor", "nan"], "expected a number >= 0"),
        (["before.parquet", "before.parquet", "--ignore", "agee"], "did you mean 'age'?"),
        (["before.parquet"], "the following arguments are required: CURRENT"),
        (["before.parquet", "before.parquet", "--html", "no/such/page.html"], "cannot write"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_two(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    said: str,
) -> None:
    """Whoever mistyped reads where and what, and nothing else is printed."""
    monkeypatch.chdir(tmp_path)
    written(tmp_path, "before.parquet", table())
    written(tmp_path, "other.parquet", pa.table({"else": [1.0]}))
    (tmp_path / "notes.txt").write_text("no table")
    (tmp_path / "torn.json").write_text('{"format": "otel-ml')

    assert main(arguments) == 2

    told = capsys.readouterr()
    assert told.out == ""
    assert said in told.err
    assert told.err.startswith("otel-ml compare: ")
    assert told.err.count("\n") == 1

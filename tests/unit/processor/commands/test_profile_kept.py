"""Profiles that there are: shown cell by cell, added up, frozen, logged."""

from __future__ import annotations

import builtins
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pytest

from otel_ml_processor.commands.profile import build_profile_from_table, main
from otel_ml_processor.commands.profile_merge import merged
from otel_ml_processor.errors import ProfileError
from otel_ml_processor.profile import Profile, sealed
from otel_ml_processor.profile_file import read_profile, write_profile
from otel_ml_processor.windows.reference import Reference

if TYPE_CHECKING:
    from pathlib import Path

CITIES = ["Oslo", "Bergen", "Narvik"]


def table(seed: int, rows: int = 1000) -> dict[str, Any]:
    """Return rows whose values are few, so that tables of other rows have the same cells."""
    random = np.random.default_rng(seed)
    stars = np.concatenate([np.arange(5.0), random.integers(0, 5, rows - 5)])
    cities = np.array([*CITIES, *random.choice(CITIES, rows - 3, p=[0.6, 0.3, 0.1])])
    return {"stars": stars, "city": cities, "sure": random.uniform(0.5, 1, rows).round(1)}


def profile(seed: int = 1, rows: int = 1000) -> Profile:
    """Return the profile of such a table."""
    return build_profile_from_table(
        table(seed, rows), model="fraud", confidence="sure", created="2026"
    )


@pytest.mark.parametrize(
    ("output", "said"),
    [
        ("-", "-o -: expected a file"),
        ("folder", "folder: expected a file, found a folder"),
        ("none/p.json", "none/p.json: expected an existing folder, there is no none"),
        ("rows.csv", "rows.csv: it is what is counted"),
        ("linked.csv", "linked.csv: it is what is counted"),
        ("x" * 300, f"{'x' * 300}: cannot write the profile: File name too long"),
    ],
)
def test_where_no_profile_can_stand_nothing_is_written(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    output: str,
    said: str,
) -> None:
    """One line and exit code 2; the table of whoever names it twice is still there, and no file lies about that was not before."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    (tmp_path / "rows.csv").write_text("stars\n" + "1\n2\n" * 200)
    (tmp_path / "linked.csv").symlink_to("rows.csv")

    assert main(["build", "rows.csv", "--model", "m", "-o", output]) == 2

    assert capsys.readouterr().err.startswith(f"otel-ml profile: {said}")
    assert (tmp_path / "rows.csv").read_text().startswith("stars\n1\n")
    assert {path.name for path in tmp_path.iterdir()} == {"folder", "rows.csv", "linked.csv"}


def test_the_sum_of_two_profiles_is_the_profile_of_all_rows() -> None:
    """Counts, ranges, means of columns and of bins: as if it had been built of both tables at once."""
    first, second = table(1), table(2, 500)
    whole = build_profile_from_table(
        {name: np.concatenate([first[name], second[name]]) for name in first},
        model="fraud",
        confidence="sure",
        created="2026",
    )

    total = merged(profile(1), profile(2, 500), "2026")

    for one, other in zip(
        [*total.features, total.confidence], [*whole.features, whole.confidence], strict=True
    ):
        assert one is not None
        assert other is not None
        assert (one.counts, one.edges, one.categories) == (
            other.counts,
            other.edges,
            other.categories,
        )
        assert (one.min, one.max, one.missing) == (other.min, other.max, other.missing)
        assert one.mean == (other.mean and pytest.approx(other.mean))
        assert one.bin_means == pytest.approx(other.bin_means)
    assert total.source.rows == whole.source.rows == 1500


def test_merging_does_not_depend_on_the_order() -> None:
    """The counts of both ways round are the same."""
    one, other = profile(1), profile(2)

    there, back = merged(one, other, ""), merged(other, one, "")

    assert [f.counts for f in there.features] == [f.counts for f in back.features]
    assert there.low_confidence in {one.low_confidence, other.low_confidence}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"model": "churn"}, "one is of fraud, the other of churn"),
        ({"version": "2"}, "one is of fraud, the other of fraud 2"),
        ({"features": []}, "they differ in the columns city, stars"),
        ({"confidence": None}, r"they differ in the columns \(confidence\)"),
    ],
)
def test_profiles_of_other_cells_are_not_merged(change: dict[str, Any], said: str) -> None:
    """The message names what differs."""
    other = sealed(msgspec.structs.replace(profile(2), **change))

    with pytest.raises(ProfileError, match=said):
        merged(profile(1), other, "")


def test_the_command_writes_the_sum(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of two files and more; of another one it says which file, and writes nothing."""
    for seed in (1, 2, 3):
        write_profile(profile(seed), tmp_path / f"{seed}.json")
    odd = build_profile_from_table({"stars": np.arange(9.0)}, model="fraud")
    write_profile(odd, tmp_path / "odd.json")
    files = [str(tmp_path / f"{seed}.json") for seed in (1, 2, 3)]

    assert main(["merge", *files, "-o", str(tmp_path / "all.json")]) == 0
    assert read_profile(tmp_path / "all.json").source.rows == 3000
    assert "3,000 rows" in capsys.readouterr().out

    assert (
        main(["merge", files[0], str(tmp_path / "odd.json"), "-o", str(tmp_path / "no.json")]) == 2
    )
    assert f"{tmp_path}/odd.json: expected profiles of the same cells" in capsys.readouterr().err
    assert not (tmp_path / "no.json").exists()


def test_the_rows_of_a_profile_are_not_added_twice(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Neither those of a file that is named twice nor those of its copy: the sum would say that there were twice as many."""
    one, other, copy = (tmp_path / f"{name}.json" for name in ("one", "other", "copy"))
    for file, made in ((one, profile(1)), (other, profile(2)), (copy, profile(1))):
        write_profile(made, file)
    for again in (one, copy):
        files = map(str, (one, other, again))
        assert main(["merge", *files, "-o", str(tmp_path / "all.json")]) == 2
        assert f"it is the same profile as {one}, name it once" in capsys.readouterr().err
        assert not (tmp_path / "all.json").exists()


def test_freezing_makes_a_provisional_profile_complete(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """In place, with the same counts; of a complete one there is nothing to freeze."""
    path = tmp_path / "p.json"
    write_profile(msgspec.structs.replace(profile(), provisional=True), path)
    assert main(["show", str(path)]) == 0
    assert "provisional: rows are still being added" in capsys.readouterr().out

    assert main(["freeze", str(path)]) == 0
    frozen = read_profile(path)
    assert not frozen.provisional
    assert frozen.features == profile().features

    assert main(["freeze", str(path)]) == 2
    assert "expected a provisional profile, found a complete one" in capsys.readouterr().err


def test_a_provisional_profile_keeps_its_name_while_it_grows() -> None:
    """Windows that were counted against it go on; a complete one is named by all that it holds."""
    small = msgspec.structs.replace(profile(1), provisional=True)
    large = merged(small, msgspec.structs.replace(profile(2), provisional=True), "")

    assert Reference.of(small).id == Reference.of(large).id
    assert Reference.of(profile(1)).id != Reference.of(profile(2)).id


def test_a_column_is_shown_cell_by_cell(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A line per cell with its count, its share and a bar: of values that lie a step apart as long as they are frequent."""
    data = {"stars": np.repeat([1.0, 2.0, 3.0, np.nan], [10, 40, 20, 30]), "city": ["Oslo\n"] * 100}
    write_profile(build_profile_from_table(data, model="m"), tmp_path / "p.json")

    assert main(["show", str(tmp_path / "p.json"), "--column", "stars"]) == 0
    lines = capsys.readouterr().out.splitlines()

    assert lines[0] == "stars  numeric, 100 rows"
    assert [line.split()[:-4] for line in lines[1:4]] == [
        ["up", "to", "1.5"],
        ["1.5", "to", "2.5"],
        ["above", "2.5"],
    ]
    assert [line.count("█") for line in lines[1:]] == [10, 40, 20, 0]
    assert lines[4].split()[:4] == ["(missing)", "30", "30.0", "%"]

    assert main(["show", str(tmp_path / "p.json"), "--column", "city"]) == 0
    assert "Oslo\\n" in capsys.readouterr().out
    assert main(["show", str(tmp_path / "p.json"), "--column", "town"]) == 2
    assert "p.json: no column 'town'; known: stars, city" in capsys.readouterr().err


def test_the_bars_of_numbers_show_their_distribution(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Bins of equal mass hold equally many rows: the bars of a normal distribution are long in the middle all the same."""
    numbers = np.random.default_rng(6).normal(size=20_000)
    write_profile(build_profile_from_table({"x": numbers}, model="m"), tmp_path / "p.json")

    assert main(["show", str(tmp_path / "p.json"), "--column", "x"]) == 0

    bars = [line.count("█") for line in capsys.readouterr().out.splitlines()[1:]]
    assert len(bars) == 20
    assert max(bars[9:11]) == 40
    assert bars[0] <= 3
    assert bars[19] <= 3


def test_without_mlflow_the_message_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """For logging and for loading, one line with exit code 2."""
    real = builtins.__import__

    def without(name: str, *rest: Any, **more: Any) -> Any:
        if name.partition(".")[0] == "mlflow":
            raise ImportError(name)
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    write_profile(profile(), tmp_path / "p.json")

    for arguments in (["log", str(tmp_path / "p.json"), "--run-id", "r"], ["show", "models:/m/1"]):
        assert main(arguments) == 2
        error = capsys.readouterr().err
        assert "MLflow is not installed here; install `mlflow-skinny`" in error
        assert error.count("\n") == 1


def test_logging_needs_to_know_where(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A run or a model, and not both."""
    for where in ([], ["--run-id", "r", "--model", "models:/m/1"]):
        assert main(["log", str(tmp_path / "p.json"), *where]) == 2
        assert "--run-id" in capsys.readouterr().err

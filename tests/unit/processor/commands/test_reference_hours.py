"""The seasonal part of a profile, and what the reference's own windows are compared with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np
import pytest

from otel_ml_processor.commands.profile import build_profile_from_table
from otel_ml_processor.commands.profile import main as profile_main
from otel_ml_processor.commands.reference_hours import TableHours
from otel_ml_processor.errors import ProfileError, TableError
from otel_ml_processor.profile_file import read_profile, write_profile
from otel_ml_processor.sketches.slots import N_SLOTS
from otel_ml_processor.windows.seasons import SeasonalReference

if TYPE_CHECKING:
    from pathlib import Path

    from otel_ml_processor.columns import IntArray

HOUR = 3_600_000_000_000
WIDTH = 4 + N_SLOTS


def counted(cells: IntArray) -> IntArray:
    """Return how many rows there are of each place."""
    return np.bincount(cells, minlength=WIDTH)


def test_each_window_is_compared_with_the_rest_of_its_own_hours() -> None:
    """The same, row by row: leave the window out, count what is left by the hour, and mix it as a live window's is."""
    rng = np.random.default_rng(5)
    n, n_windows = 6000, 7
    hours = TableHours.of("hour_of_day", rng.integers(0, 24, n) * HOUR, rng.uniform(size=n) > 0.05)
    cells = rng.integers(0, 6, n).astype(np.int16)  # four cells, missing, non-finite
    windows = rng.integers(-1, n_windows, n)
    windows[hours.hours < 0] = -1
    counts = np.stack([counted(cells[windows == k]) for k in range(n_windows)])

    found = hours.rest(cells, windows, counts)

    for k in range(n_windows):
        left = (windows != k) & (hours.hours >= 0)
        by_hour = np.stack([counted(cells[left & (hours.hours == h)]) for h in range(24)])
        season = SeasonalReference.of("hour_of_day", [by_hour], [by_hour.sum(axis=0)])
        of_window = np.bincount(hours.hours[windows == k], minlength=24)
        (expected,) = season.mixed(of_window, [slice(0, WIDTH)])
        assert found[k].tolist() == expected.tolist()


def test_a_window_that_is_all_there_is_of_an_hour_is_compared_with_the_other_hours() -> None:
    """Of a single day each hour has one window; better the rest of the day than nothing."""
    times = np.repeat([3, 4], 50) * HOUR
    cells = np.repeat([0, 1], 50).astype(np.int16)
    windows = np.repeat([0, 1], 50)
    counts = np.stack([counted(cells[windows == k]) for k in range(2)])
    hours = TableHours.of("hour_of_day", times, np.ones(100, dtype=bool))
    assert hours.rest(cells, windows, counts)[:, :2].tolist() == [[0, 50], [50, 0]]


def table(rows: int = 480) -> dict[str, object]:
    """Return a table of one row every hour."""
    rng = np.random.default_rng(6)
    times = (np.arange(rows) * HOUR).astype("datetime64[ns]")
    return {"x": rng.normal(size=rows), "kind": rng.choice(["a", "b"], rows), "at": times}


def test_the_hours_add_up_to_the_whole() -> None:
    """Of every column the counts of all hours together are those of the column."""
    profile = build_profile_from_table(table(), model="m", time="at", slots="hour_of_day")
    assert profile.slots is not None
    for column, by_hour in zip(profile.features, profile.slots.counts, strict=True):
        assert np.sum(by_hour, axis=0)[:-4].tolist() == column.counts
        assert [sum(counts) for counts in by_hour] == [20] * 24


def test_hours_need_to_know_the_time() -> None:
    """Without a column that says when there are no hours."""
    with pytest.raises(TableError, match="--slots hour_of_week needs --time"):
        build_profile_from_table(table(), model="m", ignore=["at"], slots="hour_of_week")


def test_the_command_builds_hours(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`--slots hour_of_week`, written, read back and told."""
    rows = "\n".join(f"{i % 7},2026-01-{1 + i // 24:02}T{i % 24:02}:00:00Z" for i in range(24 * 21))
    (tmp_path / "train.csv").write_text(f"x,at\n{rows}\n")
    target = tmp_path / "profile.json"
    command = ["build", str(tmp_path / "train.csv"), "--model", "m", "--time", "at"]

    code = profile_main([*command, "--slots", "hour_of_week", "-o", str(target)])

    assert code == 0, capsys.readouterr().err
    slots = read_profile(target).slots
    assert slots is not None
    assert (slots.season, len(slots.counts[0])) == ("hour_of_week", 168)
    assert "hour_of_week" in capsys.readouterr().out


@pytest.mark.parametrize("harm", ["an hour less", "a cell less", "a negative count"])
def test_hours_that_do_not_fit_the_columns_are_refused(tmp_path: Path, harm: str) -> None:
    """A profile that was changed by hand says where it is wrong."""
    profile = build_profile_from_table(table(), model="m", time="at", slots="hour_of_day")
    assert profile.slots is not None
    counts = [[list(hour) for hour in column] for column in profile.slots.counts]
    if harm == "an hour less":
        counts[0].pop()
    elif harm == "a cell less":
        counts[0][3].pop()
    else:
        counts[0][3][0] = -1
    slots = msgspec.structs.replace(profile.slots, counts=counts)
    write_profile(msgspec.structs.replace(profile, slots=slots), tmp_path / "harmed.json")
    with pytest.raises(ProfileError, match=r"\$\.slots\.counts: expected"):
        read_profile(tmp_path / "harmed.json")

"""What commands print is cut to the width of a terminal alone: who reads from a pipe finds names and sentences whole."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from otel_ml_processor.commands.counts import counted
from tests.data.state_house import House, request

if TYPE_CHECKING:
    from pathlib import Path

LONG = "a_name_that_takes_more_than_half_of_the_eighty_characters_of_a_line"


def said(*arguments: object) -> str:
    """Return what `otel-ml` with *arguments* writes into a pipe, with no width said."""
    environment = {key: value for key, value in os.environ.items() if key != "COLUMNS"}
    command = [sys.executable, "-m", "otel_ml", *map(str, arguments)]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=120, env=environment
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_compare_breaks_no_name_in_a_pipe(tmp_path: Path) -> None:
    """A line per column, which a search for its name finds; also where it has moved."""
    for name, offset in (("before", 0), ("after", 500)):
        rows = "\n".join(str(i + offset) for i in range(1000))
        (tmp_path / f"{name}.csv").write_text(f"{LONG}\n{rows}\n")
    text = said("compare", tmp_path / "before.csv", tmp_path / "after.csv")
    (line,) = [line for line in text.splitlines() if line.startswith(LONG)]
    assert "drifting" in line
    assert "mean 499.5 ->" in line
    assert "1 of 1 column differs." in text


def test_merge_breaks_no_stream_in_a_pipe(tmp_path: Path) -> None:
    """The title of a table is the stream, in one line."""
    house = House(tmp_path / "state").take(request(range(7), model=LONG))
    house.save()
    house.vanish()
    output = tmp_path / "merged" / "snapshot"
    settings = (
        "--set",
        "windows=[{name: 10m, length: 10m}, {name: rows, rows: 20}]",
        "--set",
        "streams.min_rows=20",
    )
    text = said("merge", tmp_path / "state", "-o", output, *settings)
    assert f"{LONG} 1 of shop" in [line.strip() for line in text.splitlines()]


@pytest.mark.parametrize(
    ("number", "text"), [(0, "0 rows"), (1, "1 row"), (2, "2 rows"), (1200, "1,200 rows")]
)
def test_one_thing_is_not_called_several(number: int, text: str) -> None:
    """As in English, where none is several."""
    assert counted(number, "row") == text

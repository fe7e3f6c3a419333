"""The rows of `make test-versions`: every light framework, in versions between the oldest and the latest."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from tests.versions import ROWS

ROOT = Path(__file__).parents[2]
LIGHT = ("catboost", "lightgbm", "onnxruntime", "sklearn", "xgboost")


def pinned(row: str) -> dict[str, tuple[int, ...]]:
    """Return the version of each framework of *row*."""
    found = dict(requirement.split("==") for requirement in ROWS[row].frameworks)
    return {name: tuple(map(int, version.split("."))) for name, version in found.items()}


@pytest.mark.parametrize("row", ROWS)
@pytest.mark.parametrize("name", LIGHT)
def test_a_row_has_a_version_that_is_supported(row: str, name: str) -> None:
    """Of one of the distributions that the instrumentor knows, and none older than it promises."""
    (point,) = entry_points(group="opentelemetry_instrumentor", name=f"ml_{name}")
    framework = point.load().framework
    (version,) = [pinned(row)[given] for given in framework.distributions if given in pinned(row)]
    assert version > tuple(map(int, framework.oldest.split(".")))


def test_later_rows_are_of_later_versions() -> None:
    """No two rows try the same version of anything."""
    earlier, later = map(pinned, sorted(ROWS))
    assert earlier.keys() == later.keys()
    assert all(later[name] > earlier[name] for name in later)


@pytest.mark.parametrize("row", ROWS)
def test_what_a_row_leaves_out_is_there(row: str) -> None:
    """A test file that was renamed would else run where it cannot."""
    folder = ROOT / "tests" / "unit" / "otel_ml" / "instrumentors"
    assert all((folder / file).is_file() for file in ROWS[row].without)


def test_an_unknown_row_is_told_with_the_known_ones() -> None:
    """As misuse: nothing is installed, nothing runs."""
    command = [sys.executable, ROOT / "tests" / "versions.py", "2023"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert re.search(r"unknown row '2023'; known: 2024, 2025", done.stderr)

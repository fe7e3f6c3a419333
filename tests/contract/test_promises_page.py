"""What the page of promises names is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "concepts" / "promises.md"
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", PAGE.read_text("utf-8"))))


def test_every_row_names_a_test() -> None:
    """A promise without a test is no promise."""
    rows = [line for line in PAGE.read_text("utf-8").splitlines() if line.startswith("| ")][1:]

    assert len(rows) >= 15
    assert [row for row in rows if "`tests/" not in row] == []


@pytest.mark.parametrize(("file", "name"), NAMED, ids=[name or file for file, name in NAMED])
def test_the_test_is_there(file: str, name: str) -> None:
    """The file exists and defines the test, which is neither skipped nor expected to fail."""
    text = (ROOT / file).read_text("utf-8")

    assert f"def {name}(" in text if name else "def test_" in text
    assert "xfail" not in text

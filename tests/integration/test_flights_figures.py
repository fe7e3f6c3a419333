"""The walk-through's numbers are those of its script, and the script's are those of the processor."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.integration.flights import ROOT

FOLDER = ROOT / "docs" / "walkthrough"
MOST_BYTES = 150_000


@pytest.fixture(scope="module", name="facts")
def _facts() -> dict[str, Any]:
    """The numbers that the figures were drawn from."""
    found: dict[str, Any] = json.loads((FOLDER / "flights.json").read_text(encoding="utf-8"))
    return found


def test_the_numbers_of_the_page_are_those_of_the_script(facts: dict[str, Any]) -> None:
    """Between the marks of the page stands what the script writes there from the numbers, and nothing else."""
    import figures

    page = figures.PAGE.read_text(encoding="utf-8")

    assert figures.with_block(page, facts) == page


def test_the_figures_are_drawn_from_the_numbers(facts: dict[str, Any], tmp_path: Path) -> None:
    """Each that the page shows is drawn, labelled, and small."""
    import figures

    drawn = figures.draw(facts, tmp_path)

    shown = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", figures.PAGE.read_text(encoding="utf-8"))
    assert sorted(shown) == sorted(path.name for path in drawn)
    for path in drawn:
        committed = FOLDER / path.name
        assert path.read_text(encoding="utf-8").startswith("<?xml")
        assert ">2013, by week<" in committed.read_text(encoding="utf-8")
        assert committed.stat().st_size < MOST_BYTES


@pytest.mark.long
def test_the_first_weeks_are_as_the_page_says(facts: dict[str, Any]) -> None:
    """Two weeks of March through the processor: the same features drift, the same scores are estimated and, by labels, realised."""
    import year

    found = year.flown_year(year.profile_of_winter(), "2013-03-14")

    assert [week["begin"] for week in found] == ["2013-02-28", "2013-03-07"]
    for week, expected in zip(found, facts["weeks"], strict=False):
        assert week["drifting"] == expected["drifting"]
        assert week["psi"] == pytest.approx(expected["psi"], abs=0.005)
        for basis in ("estimated", "realized"):
            assert week[basis] == pytest.approx(expected[basis], abs=0.005)
        assert week["accuracy_by_origin"] == pytest.approx(expected["accuracy_by_origin"], abs=0.01)


@pytest.mark.long
def test_winter_once_more_is_as_quiet_as_the_page_says(facts: dict[str, Any]) -> None:
    """The undrifted replay: as many windows, and as many of them drifting, as is written."""
    import year

    found, said = year.control(year.profile_of_winter()), facts["control"]

    assert found["windows"] == said["windows"] >= 50
    assert found.get("drifting", 0) == said.get("drifting", 0) == 0

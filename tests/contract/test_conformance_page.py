"""The page about conformance names every rule of the judge."""

from __future__ import annotations

import re
from pathlib import Path

from otel_ml_conventions.conformance import Level, Rule

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "check-conformance.md"


def test_every_rule_has_a_line() -> None:
    """Who reads a finding finds its rule in the table, and the table has no rule that the judge does not know."""
    table = PAGE.read_text().split("| rule | found where |")[1]
    rows = re.findall(r"^\| ((?:advice: )?`[^|]+) \|", table, re.MULTILINE)
    told = {name for row in rows for name in re.findall(r"`([a-z_]+)`", row)}
    assert told == {rule.value for rule in Rule}


def test_what_only_advises_is_said_to() -> None:
    """An advice does not fail a check, and the page says which rules are advice."""
    rows = {
        name: row
        for row in PAGE.read_text().splitlines()
        for name in re.findall(r"`([a-z_]+)`", row.split("|")[1] if row.startswith("| ") else "")
    }
    advice = {rule.value for rule in Rule if rule.level is Level.ADVICE}
    assert {name for name in advice if "advice" in rows[name]} == advice

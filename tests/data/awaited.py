"""The names of the registry that nothing emits yet."""

from __future__ import annotations

from pathlib import Path

import yaml

__all__ = ["awaited_names"]

FILE = Path(__file__).parents[2] / "conventions" / "scenarios" / "awaited.yaml"


def awaited_names(kind: str) -> set[str]:
    """Return the awaited names of *kind*: `attribute`, `span`, `metric`, `event` or `entity`."""
    groups = yaml.safe_load(FILE.read_text())
    named = [name.partition(" ") for group in groups for name in group["names"]]
    return {name for of_kind, _, name in named if of_kind == kind}

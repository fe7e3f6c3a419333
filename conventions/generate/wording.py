"""How docstrings and pages word what the registry says in a word or a value."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from conventions.generate.model import Deprecated, Requirement


def level_name(level: str) -> str:
    """Give a requirement level as a reader would say it."""
    return "Opt-in" if level == "opt_in" else level.replace("_", " ").capitalize()


def requirement(stated: Requirement) -> str:
    """Give the level of a reference with its condition."""
    name = level_name(stated.level)
    return f"{name}: {stated.condition}" if stated.condition else name


def stability_name(stability: str) -> str:
    """Give a stability as a reader would say it."""
    return stability.replace("_", " ").capitalize()


def example_text(example: object) -> str:
    """Give an example as a reader would write it."""
    return example if isinstance(example, str) else json.dumps(example)


def deprecation(stated: Deprecated | None) -> str:
    """Give what to write instead of something deprecated; empty for what is in use."""
    if stated is None:
        return ""
    instead = f"use `{stated.renamed_to}`." if stated.renamed_to else f"{stated.reason}."
    return f"Deprecated: {instead} {stated.note}".strip()

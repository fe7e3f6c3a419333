"""What a scenario emits, printed in the form of `expected.yaml`."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import yaml

from conventions.scenarios.observed import observe
from conventions.scenarios.telemetry import emitted

if TYPE_CHECKING:
    from collections.abc import Callable

    from conventions.scenarios.observed import Observed
    from conventions.scenarios.telemetry import Telemetry

__all__ = ["show", "text"]


def show(run: Callable[[Telemetry], None]) -> None:
    """Run a scenario and print what it emitted."""
    print(text(observe(emitted(run))), end="")


def text(observed: Observed) -> str:
    """Return *observed* as YAML; what is empty is left out."""
    written: str = yaml.safe_dump(_told(asdict(observed)), sort_keys=False, width=120)
    return written


def _told(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _told(held) for key, held in value.items() if held not in (None, "", [], ())}
    if isinstance(value, (list, tuple)):
        return [_told(item) for item in value]
    return value

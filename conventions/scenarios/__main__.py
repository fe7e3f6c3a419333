"""`python -m conventions.scenarios [NAME]`: what there is, or what one of them emits."""

from __future__ import annotations

import argparse
import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from conventions.scenarios.observed import observe
from conventions.scenarios.telemetry import emitted

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import ModuleType

    from conventions.scenarios.observed import Observed

FOLDER = Path(__file__).parent
MISUSED = 2


def names() -> list[str]:
    """Return the names of all scenarios: the folders that hold one."""
    return sorted(path.parent.name for path in FOLDER.glob("*/scenario.py"))


def scenario(name: str) -> ModuleType:
    """Return the module of the scenario *name*, whose `run` takes a `Telemetry`."""
    return import_module(f"conventions.scenarios.{name}.scenario")


def text(observed: Observed) -> str:
    """Return what was emitted, in the form of `expected.yaml`."""
    document = {
        "spans": [_plain(span) for span in observed.spans],
        "metrics": [
            {**_plain(metric), "points": [_plain(point) for point in metric.points]}
            for metric in observed.metrics
        ],
        "events": [_plain(event) for event in observed.events],
    }
    written: str = yaml.safe_dump(document, sort_keys=False, width=120)
    return written


def _plain(record: Any) -> dict[str, Any]:
    fields = {name: getattr(record, name) for name in record.__slots__}
    if "events" in fields:
        fields["events"] = [_plain(event) for event in fields["events"]]
    return {name: value for name, value in fields.items() if value not in (None, "", [], ())}


def main(argv: Sequence[str] | None = None) -> int:
    """Print the list, or run one and print what it emitted; 2 if there is no such scenario."""
    parser = argparse.ArgumentParser(prog="python -m conventions.scenarios", description=__doc__)
    parser.add_argument("name", nargs="?", help="the scenario to run; without it, list all")
    chosen = parser.parse_args(argv).name
    if chosen is None:
        for name in names():
            print(f"{name:28}{(scenario(name).__doc__ or '').strip().splitlines()[0]}")
        return 0
    if chosen not in names():
        print(f"unknown scenario {chosen!r}; known: {', '.join(names())}", file=sys.stderr)
        return MISUSED
    print(text(observe(emitted(scenario(chosen).run))), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())

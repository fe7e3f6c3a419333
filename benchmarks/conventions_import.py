"""
What importing the conventions costs, beside importing three modules of the standard library that every service has anyway.

In a service these three are there already: `added` is what the conventions take on top of them.

Each import is timed in a fresh interpreter, in turns, so that whatever else the machine does meets all of them; the ratio is that of the medians.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from importlib.resources import files
from pathlib import Path
from statistics import median
from typing import Final

STANDARD: Final = "enum, json, typing"
MODULES: Final = (
    STANDARD,
    "otel_ml_conventions",
    "otel_ml_conventions.attributes",
    "otel_ml_conventions.metrics",
    "opentelemetry.semconv.attributes.http_attributes",
)
MEASURE: Final = """\
import sys, time{before}
known = len(sys.modules)
begin = time.perf_counter()
import {module}
print(time.perf_counter() - begin, len(sys.modules) - known)
"""


def main() -> int:
    """Measure, print the table, and return 0."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--rounds",
        type=int,
        default=15,
        help="imports of each, the median counts (default: %(default)s)",
    )
    rounds = parser.parse_args().rounds
    rows = [{module: row(module) for module in MODULES} for _ in range(rounds + 1)][1:]
    print(f"{'import':52} {'alone, ms':>9} {'added, ms':>9} {'ratio':>6} {'modules':>8}")
    standard = median(one[STANDARD][0] for one in rows)
    for module in MODULES:
        alone, added, modules = (median(one[module][k] for one in rows) for k in range(3))
        print(
            f"{module:52} {alone * 1e3:>9.1f} {added * 1e3:>9.1f} {added / standard:>5.2f}x {modules:>8.0f}"
        )
    folder = Path(str(files("otel_ml_conventions")))
    sizes = {
        path.name: path.stat().st_size
        for path in folder.iterdir()
        if path.suffix in {".py", ".json"}
    }
    print(
        f"\non disk: {sum(sizes.values()) / 1e3:.0f} kB, of which registry.json {sizes['registry.json'] / 1e3:.0f} kB"
    )
    return 0


def row(module: str) -> tuple[float, float, int]:
    """Return the seconds that *module* takes alone, and on top of the standard modules, and how many modules it brings then."""
    return imported(module)[0], *imported(module, f"; import {STANDARD}")


def imported(module: str, before: str = "") -> tuple[float, int]:
    """Return the seconds that importing *module* took in a new interpreter, *before* being there, and how many modules it brought."""
    command = [sys.executable, "-c", MEASURE.format(module=module, before=before)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    seconds, modules = done.stdout.split()
    return float(seconds), int(modules)


if __name__ == "__main__":
    sys.exit(main())

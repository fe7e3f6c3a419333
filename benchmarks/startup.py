"""
What zero-code instrumentation adds to the start of a program that imports no framework.

Each way starts an interpreter of its own; the peer is an interpreter that imports OpenTelemetry's SDK, which every instrumented
program does, and beside it stands what importing scikit-learn takes, which an instrumentor that imports its framework pays.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from typing import Final

from rich.console import Console
from rich.progress import track
from rich.table import Table

_SDK: Final = (
    "import opentelemetry.instrumentation.instrumentor, opentelemetry.sdk.trace, "
    "opentelemetry.sdk.metrics, opentelemetry.sdk._logs"
)
_WAYS: Final = {
    "OpenTelemetry's SDK": "pass",
    "otel_ml.instrument(), every framework": "import otel_ml; otel_ml.instrument()",
    "otel_ml.instrument(['sklearn'])": "import otel_ml; otel_ml.instrument(['sklearn'])",
    "import sklearn.base": "import sklearn.base",
}
_PROGRAM: Final = """
import time
{sdk}
begin = time.perf_counter()
{way}
print(time.perf_counter() - begin)
"""
_SDK_PROGRAM: Final = """
import time
begin = time.perf_counter()
{sdk}
print(time.perf_counter() - begin)
"""


def seconds(name: str, way: str, times: int) -> float:
    """Return the shortest time of *times* interpreters that do *way*."""
    program = _SDK_PROGRAM if name == next(iter(_WAYS)) else _PROGRAM
    text = program.format(sdk=_SDK, way=way)
    found = []
    for _ in track(range(times), description=name, transient=True):
        done = subprocess.run(
            [sys.executable, "-c", text], capture_output=True, text=True, check=True
        )
        found.append(float(done.stdout))
    return min(found)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=10, help="interpreters per way")
    times = parser.parse_args().times
    found = {name: seconds(name, way, times) for name, way in _WAYS.items()}
    sdk = found[next(iter(_WAYS))]
    table = Table(title="what is added to the start of a program")
    for heading in ("what", "ms", "of importing the SDK"):
        table.add_column(heading, justify="left" if heading == "what" else "right")
    for name, added in found.items():
        table.add_row(name, f"{1e3 * added:.0f}", f"{added / sdk:.2f}")
    Console().print(table)


if __name__ == "__main__":
    main()

"""
What zero-code instrumentation adds to the start of a program that imports no framework.

Each way starts an interpreter of its own, with the bytecode of installed packages at hand. Beside
what we add stand importing OpenTelemetry's SDK, which every instrumented program does, and importing
scikit-learn, which an instrumentor that imports its framework pays.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from importlib.metadata import entry_points
from tempfile import TemporaryDirectory
from typing import Final

from rich.console import Console
from rich.progress import track
from rich.table import Table

_SDK: Final = (
    "import opentelemetry.instrumentation.instrumentor, opentelemetry.sdk.trace, "
    "opentelemetry.sdk.metrics, opentelemetry.sdk._logs"
)
_LOADER: Final = (
    "from opentelemetry.instrumentation.auto_instrumentation import _load as loader\n"
    "distro = loader._load_distro()"
)
_IMPORTS: Final = "from otel_ml.instrumentors._imports import imports"
_SDK_ALONE: Final = "OpenTelemetry's SDK"
_WITHOUT: Final = "opentelemetry-instrument without us"
_WITH: Final = "opentelemetry-instrument with us, every framework awaited"
# What is there before, and what is timed.
_WAYS: Final = {
    _SDK_ALONE: ("", _SDK),
    _WITHOUT: (f"{_SDK}\n{_LOADER}", "loader._load_instrumentors(distro)"),
    _WITH: (f"{_SDK}\n{_LOADER}", "loader._load_instrumentors(distro)"),
    "otel_ml.instrument(), every framework": (_SDK, "import otel_ml; otel_ml.instrument()"),
    "otel_ml.instrument(['sklearn'])": (_SDK, "import otel_ml; otel_ml.instrument(['sklearn'])"),
    "the rest of ours, when scikit-learn is imported": (
        f"{_SDK}\nimport otel_ml\notel_ml.instrument(['sklearn'])\n{_IMPORTS}",
        "imports.announce('sklearn')",
    ),
    "import sklearn.base": (_SDK, "import sklearn.base"),
}
_PROGRAM: Final = """
import time
{before}
begin = time.process_time()
{timed}
print(time.process_time() - begin)
"""
_DISABLED: Final = "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS"
_GROUP: Final = "opentelemetry_instrumentor"
_OURS: Final = "ml_"


def disabled(name: str) -> str:
    """Return the instrumentors that are not loaded in the way *name*: others', and without us ours."""
    known = {point.name for point in entry_points(group=_GROUP)}
    return ",".join(each for each in known if name == _WITHOUT or not each.startswith(_OURS))


def seconds(name: str, bytecode: str) -> float:
    """Return the processor time of one interpreter that does *name*, with its bytecode in *bytecode*."""
    before, timed = _WAYS[name]
    environment = {
        **os.environ,
        "PYTHONPYCACHEPREFIX": bytecode,
        "PYTHONDONTWRITEBYTECODE": "",
        _DISABLED: disabled(name),
    }
    program = _PROGRAM.format(before=before, timed=timed)
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        env=environment,
    )
    return float(done.stdout)


def measure(times: int) -> dict[str, float]:
    """Return the shortest of so many interpreters per way, in turns; what the first compile is left out."""
    with TemporaryDirectory() as bytecode:
        for name in _WAYS:
            seconds(name, bytecode)
        turns = [
            [seconds(name, bytecode) for name in _WAYS]
            for _ in track(range(times), description="starting", transient=True)
        ]
    return dict(zip(_WAYS, map(min, zip(*turns, strict=True)), strict=True))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=10, help="interpreters per way")
    found = measure(parser.parse_args().times)
    rows = {name: took for name, took in found.items() if name not in {_WITHOUT, _WITH}}
    rows["zero-code: what we add to opentelemetry-instrument"] = found[_WITH] - found[_WITHOUT]
    table = Table(title="what is added to the start of a program")
    for heading in ("what", "ms", "of importing the SDK"):
        table.add_column(heading, justify="left" if heading == "what" else "right")
    for name, took in rows.items():
        table.add_row(name, f"{1e3 * took:.0f}", f"{took / found[_SDK_ALONE]:.2f}")
    Console().print(table)


if __name__ == "__main__":
    main()

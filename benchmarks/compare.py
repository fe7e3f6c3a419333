"""
What `otel-ml compare` takes for two tables of a million rows and twenty columns, and how much memory.

Beside it, in the same run and on the same files: scipy's two-sample Kolmogorov-Smirnov test of every column, which is what many
tools run, and a naive twin that sorts both sides, cuts them at the reference's quantiles and computes the same PSI.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from rich.console import Console
from rich.table import Table

ROWS: Final = 1_000_000
COLUMNS: Final = 20

_MEASURED: Final = """
    import resource, sys, time
    from pathlib import Path
    import numpy as np, pyarrow.parquet as pq, scipy.stats
    from otel_ml_processor.commands.compare_sides import compare_files
    from otel_ml_processor.commands.table_roles import Roles

    before, after = map(Path, sys.argv[2:])

    def ours():
        compare_files(before, after, Roles(), alpha=0.01, effect_floor=0.01, on_step=lambda _: None)

    def columns():
        sides = pq.read_table(before), pq.read_table(after)
        for name in sides[0].column_names:
            yield tuple(side[name].to_numpy() for side in sides)

    def scipys():
        for a, b in columns():
            scipy.stats.ks_2samp(a, b)

    def naive():
        for a, b in columns():
            edges = np.quantile(a, np.arange(1, 20) / 20)
            p, q = (np.bincount(np.digitize(side, edges), minlength=20) / len(side) for side in (a, b))
            float(((p - q) * np.log(p / q)).sum())

    def input_only():
        sides = pq.read_table(before), pq.read_table(after)

    started = time.perf_counter()
    locals()[sys.argv[1]]()
    seconds = time.perf_counter() - started
    print(seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


def measured(what: str, files: list[Path]) -> tuple[float, float]:
    """Return seconds and the largest resident memory in MiB of a process that does *what*, imports included in the memory alone."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(_MEASURED), what, *map(str, files)],
        capture_output=True,
        text=True,
        check=True,
    )
    seconds, memory = map(float, done.stdout.split())
    return seconds, memory


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=ROWS)
    rows = parser.parse_args().rows
    console = Console()
    with tempfile.TemporaryDirectory() as folder, console.status("writing two tables"):
        files = [Path(folder) / f"{name}.parquet" for name in ("before", "after")]
        rng = np.random.default_rng(1)
        for path in files:
            pq.write_table(pa.table({f"c{i}": rng.normal(size=rows) for i in range(COLUMNS)}), path)
        named = {
            "input_only": "reading both files",
            "naive": "naive PSI of every column",
            "scipys": "scipy's ks_2samp of every column",
            "ours": "otel-ml compare",
        }
        found = {}
        for what, title in named.items():
            console.log(title)
            found[what] = min(measured(what, files) for _ in range(3))
    table = Table(title=f"two tables of {rows:,} rows and {COLUMNS} columns")
    for heading in ("what", "seconds", "of the naive twin", "MiB above the input"):
        table.add_column(heading, justify="left" if heading == "what" else "right")
    for what, title in named.items():
        seconds, memory = found[what]
        above = memory - found["input_only"][1]
        ratio = seconds / found["naive"][0]
        table.add_row(title, f"{seconds:.2f}", f"{ratio:.2f}", f"{above:.0f}")
    console.print(table)


if __name__ == "__main__":
    main()

"""
Hostile bytes for everything that reads somebody else's, led by coverage: `make fuzz`.

Each target gets its share of the time, in a process of its own. An input that breaks a promise is written to a file and ends the run with
status 1. Printed is a table of how many inputs were tried, and of the resident memory after a tenth of them and at the end.

    python -m tests.fuzz.run                       all targets, 15 minutes
    python -m tests.fuzz.run --minutes 60          longer
    python -m tests.fuzz.run --target snapshots    one
    python -m tests.fuzz.run --target snapshots crash-0123abcd    one input once more
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final, NamedTuple

_ALLOWED_GROWTH_MB: Final = 128
"""By so much resident memory may grow between the first tenth and the end: caches fill, and the fuzzer keeps its corpus, 65 MB of it after half a million inputs."""
_NAMES: Final = (
    "decoders",
    "http-json",
    "feedback",
    "verdicts",
    "aggregate-only",
    "profiles",
    "configurations",
    "snapshots",
    "journals",
)


class _Row(NamedTuple):
    target: str
    inputs: int
    coverage: int
    early_mb: int
    late_mb: int
    is_whole: bool

    @property
    def said(self) -> str:
        """What came of it, in a word."""
        if not self.is_whole:
            return "BROKEN"
        return "GROWS" if self.late_mb - self.early_mb > _ALLOWED_GROWTH_MB else "nothing found"


def main() -> int:
    """Try all targets; return 0 if nothing was found, 1 otherwise."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--minutes", type=float, default=15.0, help="for all (default: %(default)s)"
    )
    parser.add_argument("--target", choices=_NAMES, help="only this one")
    parser.add_argument(
        "inputs", nargs="*", type=Path, help="try these files once, and nothing else"
    )
    arguments = parser.parse_args()
    names = [arguments.target] if arguments.target else _NAMES
    share_s = round(60 * arguments.minutes / len(names))
    print(f"{'target':16}{'inputs':>12}{'coverage':>10}{'MB, a tenth':>13}{'MB, end':>9}  result")
    rows = [_tried(name, share_s, arguments.inputs) for name in names]
    print(f"{'together':16}{sum(row.inputs for row in rows):12,}")
    return int(any(row.said != "nothing found" for row in rows))


def _tried(name: str, seconds: int, inputs: list[Path]) -> _Row:
    """Fuzz one target in a process of its own, and print its row."""
    with tempfile.TemporaryDirectory() as corpus:
        given = [str(path) for path in inputs] or [corpus, f"-max_total_time={max(1, seconds)}"]
        command = [sys.executable, "-m", "tests.fuzz.fuzzed", name, *given]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    told = [(int(n), int(c), int(mb)) for n, c, mb in _STATUS.findall(done.stderr)]
    last = told[-1] if told else (len(inputs), 0, 0)
    early = next((mb for n, _, mb in told if n >= last[0] / 10), 0)
    row = _Row(name, last[0], last[1], early, last[2], done.returncode == 0)
    print(
        f"{name:16}{row.inputs:12,}{row.coverage:10,}{row.early_mb:13,}{row.late_mb:9,}  {row.said}",
        flush=True,
    )
    if not row.is_whole:
        print(done.stdout[-3000:], done.stderr[-3000:], file=sys.stderr)
    return row


_STATUS: Final = re.compile(r"#(\d+)\s.*?cov: (\d+).*?rss: (\d+)Mb")
"""What libFuzzer says now and then, and at the end."""

if __name__ == "__main__":
    sys.exit(main())

"""One target in this process, under Atheris: `python -m tests.fuzz.fuzzed TARGET CORPUS [options of libFuzzer]`; `run.py` starts it."""

from __future__ import annotations

import random
import re
import sys
import tempfile
from pathlib import Path

import atheris

import otel_ml_processor

# Compiled functions are made from what was written, so their modules stay as they are; what they do is seen in where the plain ones go.
_ROOT = Path(*otel_ml_processor.__path__)
_COMPILED = [
    ".".join([_ROOT.name, *path.relative_to(_ROOT).with_suffix("").parts])
    for path in sorted(_ROOT.rglob("*.py"))
    if re.search("^@(compiled|lean|folded)$", path.read_text(), re.MULTILINE)
]
with atheris.instrument_imports(include=["otel_ml_processor"], exclude=_COMPILED):
    from tests.fuzz.damage import damaged
    from tests.fuzz.targets import TARGETS

_MAX_BYTES = 1 << 16


def main() -> None:
    """Fuzz until the time is over; libFuzzer ends the process, with another status than 0 where something was found."""
    target = TARGETS[sys.argv[1]]
    given = sys.argv[2:]
    if given and Path(given[0]).is_dir():
        for number, seed in enumerate(target.seeds()):
            Path(given[0], f"seed-{number}").write_bytes(seed)
    # Memory: a file for each input costs no disk.
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        options = [f"-max_len={_MAX_BYTES}", "-rss_limit_mb=2048", "-timeout=20"]
        atheris.Setup(
            [sys.argv[0], *options, *given], target.begin(Path(folder)), custom_mutator=_mutated
        )
        atheris.Fuzz()


def _mutated(content: bytes, max_size: int, seed: int) -> bytes:
    """Return *content* changed, as libFuzzer does or as the wire does."""
    chance = random.Random(seed)
    if chance.random() < 0.5:
        mutated: bytes = atheris.Mutate(content, max_size)
        return mutated
    return damaged(content, chance)[:max_size]


if __name__ == "__main__":
    main()

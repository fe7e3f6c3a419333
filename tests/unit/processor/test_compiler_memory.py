"""What the compiler has in memory is given back when all is compiled, and comes again when it is needed."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from otel_ml_processor import compiler_memory
from otel_ml_processor.compiled import IS_COMPILED
from tests.data.programs import run

PROGRAM = """
    import re
    from pathlib import Path
    from numba import njit
    from otel_ml_processor.warm import prepare_decoder

    def resident():
        lines = Path("/proc/self/smaps").read_text().splitlines()
        is_llvm, pages = False, 0
        for line in lines:
            if re.match("[0-9a-f]+-[0-9a-f]+ ", line):
                is_llvm = "llvm" in line
            elif is_llvm and line.startswith("Rss:"):
                pages += int(line.split()[1])
        return pages

    assert njit(lambda x: x + 1)(1) == 2
    before = resident()
    prepare_decoder()
    print(before, resident())
    assert njit(lambda x: x * 2)(21) == 42
"""


@pytest.mark.skipif(not IS_COMPILED, reason="the extra `fast` is not installed")
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells what is mapped")
def test_the_compiler_is_let_go_and_compiles_again() -> None:
    """Of its megabytes next to none stay; what is compiled afterwards is right."""
    before, after = map(int, run(PROGRAM).stdout.split())
    assert before > 16_000, before
    assert after < before / 8, (before, after)


def test_nothing_happens_where_mappings_are_not_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As elsewhere than on Linux, or where `/proc` is closed."""
    monkeypatch.setattr(compiler_memory, "_MAPPINGS", tmp_path / "none")
    compiler_memory.let_go_of_compiler()

"""What the compiler of the hot loops has in memory, and nobody needs once they are compiled."""

from __future__ import annotations

import ctypes
import re
from pathlib import Path
from typing import Final

__all__ = ["let_go_of_compiler"]

_MAPPINGS: Final = Path("/proc/self/smaps")
_EACH: Final = re.compile(r"^(?=[0-9a-f]+-[0-9a-f]+ )", re.MULTILINE)
_OF_COMPILER: Final = re.compile(r"([0-9a-f]+)-([0-9a-f]+) r-\S+ .*/lib(?:llvmlite|LLVM)[^/\n]*\n")
_UNCHANGED: Final = re.compile(r"^Anonymous: +0 kB$", re.MULTILINE)
_NOT_NEEDED: Final = 4  # MADV_DONTNEED, the same on every Linux


def let_go_of_compiler() -> None:
    """
    Let the kernel take back the pages of LLVM's file, a third of what the processor has resident, where they are as in the file and cannot be written.

    Whoever compiles again has them read again: nothing is lost but the time for that. Nothing happens where the kernel does not tell what is mapped, as elsewhere than on Linux.
    """
    try:
        mappings = _EACH.split(_MAPPINGS.read_text(encoding="utf-8", errors="replace"))
    except OSError:
        return
    advise = ctypes.CDLL(None).madvise
    advise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    for mapping in mappings:
        found = _OF_COMPILER.match(mapping)
        if found and _UNCHANGED.search(mapping):
            begin, end = (int(address, 16) for address in found.groups())
            advise(begin, end - begin, _NOT_NEEDED)  # what it refuses stays as it is

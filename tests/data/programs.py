"""Programs that need an interpreter of their own: where it matters what has been imported before, and what is left at the end."""

import os
import subprocess
import sys
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path

__all__ = ["run"]


def run(
    program: str,
    *arguments: str,
    options: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
) -> subprocess.CompletedProcess[str]:
    """
    Return what *program* said in a fresh interpreter; an AssertionError with its standard error where it failed.

    Args:
        program: Lines of Python, which may be indented alike.
        arguments: Its `sys.argv` from the second on.
        options: Of the interpreter.
        environment: Variables beside those of this process.
        folder: Where it runs.
    """
    done = subprocess.run(
        [sys.executable, *options, "-c", textwrap.dedent(program), *arguments],
        cwd=folder,
        env={**os.environ, **(environment or {})},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return done

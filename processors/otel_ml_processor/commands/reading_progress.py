"""How far files have been read, on stderr."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.progress import Progress

from otel_ml_processor.commands.otlp_files import OtlpFileError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

__all__ = ["reading_progress"]


@contextmanager
def reading_progress(
    paths: Sequence[Path], *, is_shown: bool
) -> Iterator[Callable[[Path, int], None]]:
    """
    Show a bar per file; what is given takes a path and how many bytes of it have been read.

    Raises:
        OtlpFileError: If one of *paths* cannot be looked at.
    """
    console = Console(stderr=True)
    with Progress(console=console, transient=console.is_terminal, disable=not is_shown) as bar:
        tasks = {path: bar.add_task(escape(path.name), total=_size_bytes(path)) for path in paths}
        yield lambda path, read_bytes: bar.update(tasks[path], completed=read_bytes)


def _size_bytes(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError as error:
        raise OtlpFileError(f"{path}: cannot be read: {error.strerror}") from None

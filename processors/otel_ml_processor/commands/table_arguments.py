"""What commands that read tables have in common: their options, their errors, their progress bar."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.progress import Progress

from otel_ml_processor.commands.table_roles import Roles

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

__all__ = ["Steps", "add_roles", "progress_steps", "roles_of"]


class Steps:
    """A progress bar on stderr: called with what is being done."""

    def __init__(self, bar: Progress) -> None:
        self._bar = bar
        self._task = bar.add_task("reading", total=None)

    def expect(self, steps: int) -> None:
        """Say how many steps there are."""
        self._bar.update(self._task, total=steps)

    def __call__(self, step: str) -> None:
        """Say what is being done now."""
        self._bar.update(self._task, description=escape(step), advance=1)


@contextmanager
def progress_steps(*, is_shown: bool) -> Iterator[Steps]:
    """Show a progress bar while the block runs; it is gone from a terminal afterwards."""
    console = Console(stderr=True)
    with Progress(console=console, transient=console.is_terminal, disable=not is_shown) as bar:
        yield Steps(bar)


def add_roles(parser: argparse.ArgumentParser) -> None:
    """Give *parser* the options that say which column plays which part."""
    add = parser.add_argument
    add("--label", metavar="COL", help="predicted class or number (not the truth)")
    add("--score", metavar="COL", help="probability of the class --positive")
    add("--positive", metavar="CLASS", help="the class that --score belongs to")
    add("--confidence", metavar="COL", help="probability of the predicted class")
    add("--target", metavar="COL", help="what was true; `profile build` learns what scores mean")
    add(
        "--time",
        metavar="COL",
        help="when; `profile build` tests the days or hours of the reference",
    )
    add("--features", type=_names, metavar="A,B", help="columns to use (default: all others)")
    add("--ignore", type=_names, default=(), metavar="A,B", help="columns to leave out")
    add("--categorical", type=_names, default=(), metavar="A,B", help="treat as categories")
    add("--ordered", type=_names, default=(), metavar="A,B", help="treat as numbers")


def roles_of(arguments: argparse.Namespace) -> Roles:
    """Return the roles that *arguments* say."""
    names = [name for name in Roles.__dataclass_fields__ if hasattr(arguments, name)]
    roles = {name: getattr(arguments, name) for name in names if name != "validation"}
    return Roles(**roles)


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]

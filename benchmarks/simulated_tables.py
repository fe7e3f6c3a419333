"""
What is simulated, part by part: each is the lines of a table that hang together, and can be done in a process of its own.

A table is its parts' lines in their order, whoever was ready first.
"""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context
from typing import TYPE_CHECKING

import numpy as np
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table
from scipy import stats

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rich.console import Console

__all__ = ["Line", "Simulated", "print_all", "share"]

Line = tuple[str, ...]
"""What stands in a line of a table, a text per column."""


@dataclass(frozen=True)
class Simulated:
    """A table: what it is called, what its columns are, what is said below it, and the parts that its lines are made by."""

    title: str
    columns: Sequence[str]
    parts: Sequence[Callable[[np.random.Generator], Sequence[Line]]]
    caption: str = ""

    def printed(self, lines: Sequence[Sequence[Line]]) -> Table:
        """Return the table with the *lines* of its parts."""
        table = Table(title=self.title, caption=self.caption or None)
        for column in self.columns:
            table.add_column(column, justify="right")
        for of_part in lines:
            for line in of_part:
                table.add_row(*line)
            if len(of_part) > 1:
                table.add_section()
        return table


def share(alarms: int, of: int) -> str:
    """Return how many windows alarmed, and between what the share of all such windows lies, at a confidence of 95 % (Wilson)."""
    between = stats.binomtest(alarms, of).proportion_ci(method="wilson")
    return f"{alarms / of:.1%} ({100 * between.low:.1f} to {100 * between.high:.1f})"


def print_all(console: Console, tables: Sequence[Simulated], *, seed: int, processes: int) -> None:
    """Simulate all parts of *tables* on so many *processes*, each part with random numbers of its own, and print."""
    parts = [(i, part) for i, table in enumerate(tables) for part in table.parts]
    generators = map(np.random.default_rng, np.random.SeedSequence(seed).spawn(len(parts)))
    columns = TextColumn("simulated"), BarColumn(), MofNCompleteColumn()
    with (
        Progress(*columns, console=console, transient=True) as progress,
        ProcessPoolExecutor(processes, get_context("spawn")) as pool,
    ):
        running = [pool.submit(part, rng) for (_, part), rng in zip(parts, generators, strict=True)]
        for _ in progress.track(as_completed(running), total=len(running)):
            pass
        found = [done.result() for done in running]
    for i, table in enumerate(tables):
        of_table = [lines for (j, _), lines in zip(parts, found, strict=True) if j == i]
        console.print(table.printed(of_table))

"""What a tally says, for people: a table on a terminal, one line per finding elsewhere, and what was seen of the registry."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from otel_ml_processor.commands.counts import counted

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from otel_ml_conventions.tally import Coverage, Found, Tally

__all__ = ["conformance_text"]

_STYLES: Final = {True: "bold red", False: "yellow"}


def conformance_text(tally: Tally, *, is_terminal: bool = False, width: int = 120) -> str:
    """
    Return the findings of *tally*, then its coverage, then the sum in one line.

    On a terminal of *width* columns the findings are a coloured table; elsewhere they are lines that other programs can search.
    """
    found = tally.found()
    findings = (
        _table(found, width) if is_terminal and found else "".join(f"{item}\n" for item in found)
    )
    unkept = f"and {tally.n_unkept} more of further kinds\n" if tally.n_unkept else ""
    coverage = "".join(f"{line}\n" for line in _coverage_lines(tally.coverage()))
    return f"{findings}{unkept}{coverage}{_sum(tally)}\n"


def _table(found: Sequence[Found], width: int) -> str:
    table = Table("", "signal", "attribute", "rule", "expected", "found", "times", "first in")
    for finding, times, first in found:
        style = _STYLES[finding.is_violation]
        cells = (finding.signal, finding.attribute, finding.rule.value, finding.expected)
        # Text, because what others wrote may look like markup.
        table.add_row(
            Text(finding.rule.level.value, style),
            *map(Text, (*cells, finding.found, f"{times:,}", first)),
        )
    console = Console(file=io.StringIO(), force_terminal=True, width=width)
    with console.capture() as captured:
        console.print(table)
    return captured.get()


def _coverage_lines(coverage: Sequence[Coverage]) -> Iterable[str]:
    seen = [signal for signal in coverage if signal.times]
    yield f"coverage: {len(seen)} of {len(coverage)} signals of the registry seen"
    for signal in seen:
        total = len(signal.seen) + len(signal.never)
        yield f"  {signal.signal}: {signal.times:,} x, {len(signal.seen)} of {total} attributes"
        yield from _names("seen", signal.seen)
        yield from _names("never", [key for key in signal.never if key not in signal.opt_in])
        yield from _names("never (opt-in)", [key for key in signal.never if key in signal.opt_in])
    yield from _names("never seen", [signal.signal for signal in coverage if not signal.times], 2)


def _names(title: str, names: Sequence[str], indent: int = 4) -> Iterable[str]:
    if names:
        yield f"{' ' * indent}{title}: {', '.join(names)}"


def _sum(tally: Tally) -> str:
    if not tally.n_seen and not tally.n_violations:
        return "nothing of the registry was seen, so nothing is shown to be right or wrong"
    n_advice = sum(item.times for item in tally.found() if not item.finding.is_violation)
    pieces = "piece" if n_advice == 1 else "pieces"
    return f"{counted(tally.n_violations, 'violation')}, {n_advice:,} {pieces} of advice"

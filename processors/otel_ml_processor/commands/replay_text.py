"""What a replay found, for people: a line per window, then the alarms in words, then what could not be used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from otel_ml_conventions.attributes import MlDriftStateValues, MlDriftTargetValues
from otel_ml_processor.emit.readings import iso_time

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from otel_ml_processor.assess.reading import Reading, TargetReading

__all__ = ["replay_text"]

_MOVED_SHOWN: Final = 3
_TO_THE_MINUTE: Final = len("2026-03-01T10:05")
_STYLES: Final = {
    MlDriftStateValues.DRIFTING: "bold red",
    MlDriftStateValues.WARNING: "yellow",
    MlDriftStateValues.STEADY: "green",
}


def replay_text(
    readings: Sequence[Reading], alarms: Sequence[str], counts: Mapping[str, int]
) -> RenderableType:
    """Return the windows in their order, a table per stream; nothing of what is empty."""
    streams = dict.fromkeys(reading.stream for reading in readings)
    # The title is a line of its own: as that of the table it would be broken at the table's width.
    tables = [
        part
        for stream in streams
        for part in (
            Text(str(stream), style="italic"),
            _table([reading for reading in readings if reading.stream == stream]),
        )
    ]
    words = [Text(alarm) for alarm in alarms]
    unused = [Text(f"{name}: {count}") for name, count in sorted(counts.items())]
    return Group(*tables, *words, *unused)


def _table(readings: Sequence[Reading]) -> Table:
    table = Table(box=None, pad_edge=False)
    for heading in ("window", "from (UTC)", "state"):
        table.add_column(heading, no_wrap=True)
    for heading in ("samples", "confidence"):
        table.add_column(heading, no_wrap=True, justify="right")
    table.add_column("what moved")
    for reading in readings:
        table.add_row(*_row(reading))
    return table


def _row(reading: Reading) -> list[RenderableType]:
    window = reading.window
    confidence = reading.confidence
    state = reading.state.value.replace("_", " ")
    return [
        window.name,
        iso_time(window.start_ns)[:_TO_THE_MINUTE].replace("T", " "),
        Text(state, style=_STYLES.get(reading.state, "")),
        f"{reading.rows:,}",
        "" if confidence is None else f"{confidence.mean:.1%}",
        _moved(reading),
    ]


def _moved(reading: Reading) -> str:
    moved = [t for t in reading.targets if t.state is MlDriftStateValues.DRIFTING]
    ordered = sorted(moved, key=lambda target: -target.effect)
    named = ", ".join(f"{_name(target)} {target.effect:.2f}" for target in ordered[:_MOVED_SHOWN])
    rest = len(ordered) - _MOVED_SHOWN
    return f"{named}, and {rest} more" if rest > 0 else named


def _name(target: TargetReading) -> str:
    return target.name if target.target is MlDriftTargetValues.FEATURE else target.target.value

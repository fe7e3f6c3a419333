"""A comparison as one page that can be opened, mailed and kept: no script, nothing that is loaded from elsewhere."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING, Final

from jinja2 import Environment, StrictUndefined

from otel_ml_conventions.attributes import MlDriftStateValues
from otel_ml_processor.commands.compare_text import (
    column_name,
    moved_text,
    p_value_text,
    sorted_columns,
    summary_text,
)
from otel_ml_processor.emit.points import valid_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from otel_ml_processor.commands.compare_sides import Compared, ComparedColumn

__all__ = ["compare_page"]

_SCORES: Final = {
    "psi": "PSI",
    "jensen_shannon": "Jensen-Shannon",
    "kolmogorov_smirnov": "Kolmogorov-Smirnov",
    "wasserstein": "Wasserstein",
    "wasserstein_iqr": "Wasserstein / IQR",
    "total_variation": "total variation",
}
_HEIGHT: Final = 90
_WIDTH: Final = 12
_GAP: Final = 6


def compare_page(compared: Compared) -> str:
    """Return the page: what was found, then every column with both sides side by side, the worst first; names are text whatever they hold."""
    columns = sorted_columns(compared)
    return _TEMPLATE.render(
        css=_read("otel_ml_processor.emit", "page.css"),
        compared=compared,
        summary=summary_text(compared),
        changed=[column for column in columns if _is_open(column)],
        others=[column for column in columns if not _is_open(column)],
    )


def _is_open(column: ComparedColumn) -> bool:
    return column.reading.state is not MlDriftStateValues.STEADY


def _state(column: ComparedColumn) -> str:
    return column.reading.state.value if column.is_exact else "not tested"


def _facts(column: ComparedColumn) -> list[tuple[str, str]]:
    reading = column.reading
    facts = [("p-value", p_value_text(reading.p_value))] if column.is_exact else []
    moved = moved_text(column)
    facts = [*facts, ("moved", moved)] if moved else facts
    facts += [(_SCORES[name], f"{score:.4g}") for name, score in reading.scores.items()]
    if column.reference_missing or reading.missing:
        facts.append(("missing", f"{column.reference_missing:.2%} → {reading.missing:.2%}"))
    shares = {
        "unseen": reading.unseen,
        "out of range": reading.out_of_range,
        "infinite": reading.non_finite,
        "wrong type": reading.type_error,
    }
    return facts + [(name, f"{share:.2%}") for name, share in shares.items() if share]


def _cells(column: ComparedColumn) -> list[tuple[str, float, float]]:
    """Return the name of each cell and the share of the rows with a value that either side has in it; empty ones are left out."""
    sides = zip(column.cells, _shares(column.reference), _shares(column.current), strict=True)
    return [(valid_text(name), before, now) for name, before, now in sides if before or now]


def _shares(counts: Sequence[int]) -> list[float]:
    total = max(sum(counts), 1)
    return [count / total for count in counts]


def _chart(cells: Sequence[tuple[str, float, float]]) -> dict[str, object]:
    """Return where the bars of both sides lie, in a drawing of `width` by `height`."""
    highest = max([max(before, now) for _, before, now in cells], default=0.0) or 1.0
    step = 2 * _WIDTH + _GAP
    bars = [
        (
            side,
            i * step + (0 if side == "before" else _WIDTH),
            _HEIGHT * (1 - share / highest),
            name,
            share,
        )
        for i, (name, before, now) in enumerate(cells)
        for side, share in (("before", before), ("now", now))
    ]
    return {
        "width": max(len(cells) * step - _GAP, 1),
        "height": _HEIGHT,
        "bar": _WIDTH,
        "bars": bars,
    }


def _read(package: str, name: str) -> str:
    return files(package).joinpath(name).read_text(encoding="utf-8")


_ENVIRONMENT: Final = Environment(
    autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
)
_ENVIRONMENT.filters.update(
    cells=_cells,
    chart=_chart,
    facts=_facts,
    name=lambda column: valid_text(column_name(column.reading)),
    state=_state,
    text=valid_text,
)
_TEMPLATE: Final = _ENVIRONMENT.from_string(
    _read("otel_ml_processor.commands", "compare_page.html")
)

"""The report as a person reads it in a terminal, and as a program does."""

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from otel_ml.doctor.report import Report
from otel_ml.doctor.sending import Sent

__all__ = ["as_json", "as_text"]

_MARGIN: Final = "  "


def as_json(report: Report) -> str:
    """Return *report* as one JSON object; each list holds objects with the names of its fields."""
    told: dict[str, object] = {
        name: [row._asdict() for row in value] if isinstance(value, list) else value
        for name, value in report._asdict().items()
    }
    told["sent"] = [
        {**row._asdict(), "finding": row.finding and row.finding._asdict()} for row in report.sent
    ]
    return json.dumps(told, indent=2) + "\n"


def as_text(report: Report) -> str:
    """Return *report* in sections, what is off last, where a reader looks first."""
    lines: list[str] = []
    for title, body in _sections(report):
        lines += [title, *(_MARGIN + line for line in body), ""]
    return "\n".join([*lines, *_conclusion(report)]) + "\n"


def _sections(report: Report) -> Iterator[tuple[str, list[str]]]:
    yield "Versions", _table(report.versions.items())
    yield (
        "Frameworks",
        _table(
            (
                state.instrumentor,
                state.version or "-",
                state.state,
                f"supported: {state.requirement}",
            )
            for state in report.frameworks
        ),
    )
    yield "Settings", _table(report.settings)
    for captured in report.captured:
        whose = f" ({captured.instrumentor})" if captured.instrumentor else ""
        yield f"Captured{whose}", [f"leaves  {captured.leaves}", f"stays   {captured.stays}"]
    if report.destinations:
        yield (
            "Sent to",
            _table(
                (
                    each.signal,
                    each.exporter,
                    each.protocol or "-",
                    each.endpoint or "-",
                    each.said_by,
                )
                for each in report.destinations
            ),
        )
    yield "Test span", list(map(_fate, report.sent)) or ["not sent"]


def _fate(sent: Sent) -> str:
    if sent.seconds is None:
        return f"not acknowledged by {sent.endpoint}"
    return f"acknowledged by {sent.endpoint} in {sent.seconds * 1000:.0f} ms, trace {sent.trace_id}"


def _conclusion(report: Report) -> Iterator[str]:
    number = len(report.findings)
    if not number:
        yield "Nothing is off."
        return
    yield "One thing is off:" if number == 1 else f"{number} things are off:"
    for position, finding in enumerate(report.findings, 1):
        yield f"{_MARGIN}{position}. {finding.said}"
        yield f"{_MARGIN}   -> {finding.remedy}"


def _table(rows: Iterable[Sequence[str]]) -> list[str]:
    """Return *rows* with their columns aligned."""
    written = [list(row) for row in rows]
    widths = [max(map(len, column)) for column in zip(*written, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in written
    ]

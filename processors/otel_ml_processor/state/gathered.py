"""What several requests delivered, as one: most of what it takes to count rows does not depend on how many they are."""

from __future__ import annotations

from itertools import accumulate
from typing import TYPE_CHECKING, Any, NamedTuple

from otel_ml_processor.decode.inference_spans import InferenceSpans
from otel_ml_processor.decode.joined import concatenated
from otel_ml_processor.windows.placed import PlacedRows

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

__all__ = ["Counted", "gathered"]


class Counted(NamedTuple):
    """Inference spans, and the rows of them that are counted; `PlacedRows.rows.spans` are positions in `spans`."""

    spans: InferenceSpans
    placed: Sequence[PlacedRows]


def gathered(parts: Sequence[Counted]) -> Counted:
    """Return *parts*, at least one, as one: rows of the same stream that were placed alike are one entry, in the order of the parts."""
    if len(parts) == 1:
        return parts[0]
    first_spans = [0, *accumulate(len(part.spans) for part in parts[:-1])]
    alike: dict[Hashable, list[tuple[PlacedRows, int]]] = {}
    for part, first_span in zip(parts, first_spans, strict=True):
        for placed in part.placed:
            if len(placed):
                alike.setdefault(_kind(placed), []).append((placed, first_span))
    return Counted(
        InferenceSpans.joined([part.spans for part in parts]),
        [_joined(*zip(*each, strict=True)) for each in alike.values()],
    )


def _kind(placed: PlacedRows) -> tuple[Any, ...]:
    """Return what rows have in common that can be counted together: their stream, where they were placed, and what was read of them."""
    rows = placed.rows
    read = tuple(rows.features), tuple(rows.segments), tuple(rows.probabilities)
    return rows.stream, id(placed.reference), read


def _joined(parts: Sequence[PlacedRows], first_spans: Sequence[int]) -> PlacedRows:
    rows = concatenated([part.rows for part in parts], first_spans)
    return PlacedRows.joined(parts, rows)

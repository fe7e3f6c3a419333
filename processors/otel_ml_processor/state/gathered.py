"""What several requests delivered, as one: most of what it takes to count rows does not depend on how many they are."""

from __future__ import annotations

from itertools import accumulate
from typing import TYPE_CHECKING, Any, NamedTuple

from otel_ml_processor.decode.inference_spans import InferenceSpans
from otel_ml_processor.decode.joined import concatenated
from otel_ml_processor.windows.placed import PlacedRows

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

__all__ = ["Counted", "gathered", "size_of"]


class Counted(NamedTuple):
    """Inference spans, and the rows of them that are counted; `PlacedRows.rows.spans` are positions in `spans`."""

    spans: InferenceSpans
    placed: Sequence[PlacedRows]


def gathered(parts: Sequence[Counted]) -> Counted:
    """Return *parts*, at least one, as one: rows of the same stream that were placed alike are one entry, in the order of the parts."""
    if len(parts) == 1:
        return parts[0]
    spans = [part.spans for part in parts]
    first_spans = [0, *accumulate([len(each.ids) for each in spans])]
    alike: dict[Hashable, tuple[list[PlacedRows], list[int]]] = {}
    for part, first_span in zip(parts, first_spans, strict=False):
        for placed in part.placed:
            if len(placed.rows.spans):
                rows, firsts = alike.setdefault(_kind(placed), ([], []))
                rows.append(placed)
                firsts.append(first_span)
    return Counted(InferenceSpans.joined(spans), [_joined(*each) for each in alike.values()])


def size_of(counted: Counted) -> tuple[int, int]:
    """Return how many rows are counted, and about how many bytes they take, with those of the requests that are kept."""
    n_rows, n_bytes = 0, len(counted.spans.content)
    for placed in counted.placed:
        n_rows += len(placed)
        n_bytes += placed.n_bytes
    return n_rows, n_bytes


def _kind(placed: PlacedRows) -> tuple[Any, ...]:
    """Return what rows have in common that can be counted together: their stream, where they were placed, and what was read of them."""
    rows = placed.rows
    read = tuple(rows.features), tuple(rows.segments), tuple(rows.probabilities)
    return rows.stream, id(placed.reference), read


def _joined(parts: Sequence[PlacedRows], first_spans: Sequence[int]) -> PlacedRows:
    rows = concatenated([part.rows for part in parts], first_spans)
    return PlacedRows.joined(parts, rows)

"""What a decoder said, in a form that two of them can be compared in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from otel_ml_processor.decode.wire import MalformedRequest

if TYPE_CHECKING:
    import numpy as np

    from otel_ml_processor.columns import InferenceColumns, TextColumn
    from otel_ml_processor.decode.decoder import Decoded, Decoder

__all__ = ["outcome"]


def outcome(decoder: Decoder, request: bytes, size: int | None = None) -> object:
    """Return everything that *decoder* says of *request*, of which *size* bytes count: its columns and spans, or its refusal."""
    try:
        return _told(decoder.decode(request, size=size))
    except MalformedRequest as refused:
        return ("refused", str(refused))


def _told(decoded: Decoded) -> object:
    return (
        [(span.place, span.stream, span.resource, span.has_verdict) for span in decoded.spans],
        decoded.spans.ids.tolist(),
        sorted((_rows(columns) for columns in decoded.columns), key=str),
        decoded.n_spans,
        decoded.spans.request,
        sorted(decoded.undecoded.items()),
    )


def _rows(columns: InferenceColumns) -> object:
    numbers = (columns.confidences, columns.entropies, columns.margins, columns.values)
    return (
        columns.stream,
        columns.spans.tolist(),
        columns.end_times_ns.tolist(),
        _texts(columns.labels),
        [_bits(column) for column in numbers],
        {
            name: (
                column.kinds.tolist(),
                _bits(column.numbers),
                [column.dictionary[code] if code >= 0 else None for code in column.texts.tolist()],
            )
            for name, column in columns.features.items()
        },
        {name: _texts(column) for name, column in columns.segments.items()},
        None if columns.calls is None else columns.calls.tolist(),
        None if columns.hashes is None else columns.hashes.tolist(),
        [] if columns.flaws is None else columns.flaws.tolist(),
        [] if columns.is_failed is None else columns.is_failed.tolist(),
        [] if columns.thresholds is None else columns.thresholds.tolist(),
        {name: _bits(column) for name, column in columns.probabilities.items()},
    )


def _texts(column: TextColumn) -> list[str | None]:
    return [column.dictionary[code] if code >= 0 else None for code in column.codes.tolist()]


def _bits(numbers: np.ndarray) -> list[str]:
    """Return floats exactly; every NaN is the same, and 0 is not -0."""
    return ["nan" if number != number else number.hex() for number in numbers.tolist()]  # noqa: PLR0124  only NaN differs from itself

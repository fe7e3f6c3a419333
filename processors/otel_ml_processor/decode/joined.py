"""Columns of the same stream that were read apart, as one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from otel_ml_processor.columns import InferenceColumns, TextColumn, ValueColumn
from otel_ml_processor.decode.calls import NO_CALL
from otel_ml_processor.decode.trace_state import NO_THRESHOLD

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from otel_ml_processor.columns import BoolArray, ByteArray, IntArray

__all__ = ["concatenated", "joined"]


def joined(parts: Sequence[InferenceColumns]) -> InferenceColumns:
    """Return the rows of *parts*, at least one, all of the same stream and with the same features, in the order of their spans."""
    if len(parts) == 1:
        return parts[0]
    whole = concatenated(parts, [0] * len(parts))
    return whole[np.argsort(whole.spans, kind="stable")]


def concatenated(parts: Sequence[InferenceColumns], first_spans: Sequence[int]) -> InferenceColumns:
    """Return the rows of *parts*, as `joined` does, one part behind the other; the number of each part's first span is added to those of its rows."""
    return InferenceColumns(
        stream=parts[0].stream,
        spans=np.concatenate(
            [part.spans + first for part, first in zip(parts, first_spans, strict=True)]
        ),
        end_times_ns=np.concatenate([part.end_times_ns for part in parts]),
        labels=_texts([part.labels for part in parts]),
        confidences=np.concatenate([part.confidences for part in parts]),
        entropies=np.concatenate([part.entropies for part in parts]),
        margins=np.concatenate([part.margins for part in parts]),
        values=np.concatenate([part.values for part in parts]),
        features=_Features([part.features for part in parts]),
        segments={
            name: _texts([part.segments[name] for part in parts]) for name in parts[0].segments
        },
        is_failed=_flags(parts),
        calls=_calls(parts),
        hashes=_hashes(parts),
        flaws=_flaws(parts),
        probabilities={
            name: np.concatenate([part.probabilities[name] for part in parts])
            for name in parts[0].probabilities
        },
        thresholds=_thresholds(parts),
    )


class _Features(Mapping[str, ValueColumn]):
    """Columns of parts, put together when one is looked at: once the rows have been placed, nearly none is."""

    __slots__ = ("_joined", "_parts")

    def __init__(self, parts: Sequence[Mapping[str, ValueColumn]]) -> None:
        self._parts = parts
        self._joined: dict[str, ValueColumn] = {}

    def __getitem__(self, name: str) -> ValueColumn:
        if name not in self._joined:
            self._joined[name] = _values([part[name] for part in self._parts])
        return self._joined[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._parts[0])

    def __len__(self) -> int:
        return len(self._parts[0])


def _texts(columns: Sequence[TextColumn]) -> TextColumn:
    dictionary = columns[0].dictionary
    if all(column.dictionary == dictionary for column in columns):  # most often that of no text
        return TextColumn(np.concatenate([column.codes for column in columns]), dictionary)
    numbers: dict[str, int] = {}
    codes = []
    for column in columns:
        renumbered = [numbers.setdefault(text, len(numbers)) for text in column.dictionary]
        codes.append(np.array([*renumbered, -1], dtype=np.int64)[column.codes])
    return TextColumn(np.concatenate(codes), tuple(numbers))


def _flags(parts: Sequence[InferenceColumns]) -> BoolArray | None:
    if all(part.is_failed is None for part in parts):
        return None
    said = [np.zeros(len(p), bool) if p.is_failed is None else p.is_failed for p in parts]
    return np.concatenate(said)


def _calls(parts: Sequence[InferenceColumns]) -> IntArray | None:
    if all(part.calls is None for part in parts):
        return None
    said = [np.tile(NO_CALL, (len(p), 1)) if p.calls is None else p.calls for p in parts]
    return np.concatenate(said)


def _hashes(parts: Sequence[InferenceColumns]) -> IntArray | None:
    if all(part.hashes is None for part in parts):
        return None
    said = [np.zeros((len(p), 2), np.int64) if p.hashes is None else p.hashes for p in parts]
    return np.concatenate(said)


def _thresholds(parts: Sequence[InferenceColumns]) -> IntArray | None:
    if all(part.thresholds is None for part in parts):
        return None
    said = [np.full(len(p), NO_THRESHOLD) if p.thresholds is None else p.thresholds for p in parts]
    return np.concatenate(said)


def _flaws(parts: Sequence[InferenceColumns]) -> ByteArray | None:
    if all(part.flaws is None for part in parts):
        return None
    said = [np.zeros(len(p), np.uint8) if p.flaws is None else p.flaws for p in parts]
    return np.concatenate(said)


def _values(columns: Sequence[ValueColumn]) -> ValueColumn:
    texts = _texts([TextColumn(column.texts, column.dictionary) for column in columns])
    return ValueColumn(
        np.concatenate([column.kinds for column in columns]),
        np.concatenate([column.numbers for column in columns]),
        texts.codes,
        texts.dictionary,
    )

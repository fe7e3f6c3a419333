"""Columns of the same stream that were read apart, as one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, TypeVar

import numpy as np

from otel_ml_processor.columns import InferenceColumns, TextColumn, ValueColumn
from otel_ml_processor.decode.calls import NO_CALL
from otel_ml_processor.decode.trace_state import NO_THRESHOLD

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

__all__ = ["concatenated", "joined"]

_Scalar = TypeVar("_Scalar", bound=np.generic)
_NOT_FAILED: Final = np.zeros(1, dtype=bool)
_NO_CALL: Final = np.array([NO_CALL], dtype=np.int64)
_NO_HASHES: Final = np.zeros((1, 2), dtype=np.int64)
_NO_FLAW: Final = np.zeros(1, dtype=np.uint8)
_NO_THRESHOLD: Final = np.array([NO_THRESHOLD], dtype=np.int64)


def joined(parts: Sequence[InferenceColumns]) -> InferenceColumns:
    """Return the rows of *parts*, at least one, all of the same stream and with the same features, in the order of their spans."""
    if len(parts) == 1:
        return parts[0]
    whole = concatenated(parts, [0] * len(parts))
    return whole[np.argsort(whole.spans, kind="stable")]


def concatenated(parts: Sequence[InferenceColumns], first_spans: Sequence[int]) -> InferenceColumns:
    """Return the rows of *parts*, as `joined` does, one part behind the other; the number of each part's first span is added to those of its rows."""
    spans = [part.spans for part in parts]
    lengths = list(map(len, spans))
    return InferenceColumns(
        stream=parts[0].stream,
        spans=np.concatenate(spans) + np.repeat(first_spans, lengths),
        end_times_ns=np.concatenate([part.end_times_ns for part in parts]),
        labels=_texts([part.labels for part in parts]),
        confidences=np.concatenate([part.confidences for part in parts]),
        entropies=np.concatenate([part.entropies for part in parts]),
        margins=np.concatenate([part.margins for part in parts]),
        values=np.concatenate([part.values for part in parts]),
        features=_Features([part.features for part in parts]) if parts[0].features else {},
        segments={
            name: _texts([part.segments[name] for part in parts]) for name in parts[0].segments
        },
        is_failed=_optional([part.is_failed for part in parts], lengths, _NOT_FAILED),
        calls=_optional([part.calls for part in parts], lengths, _NO_CALL),
        hashes=_optional([part.hashes for part in parts], lengths, _NO_HASHES),
        flaws=_optional([part.flaws for part in parts], lengths, _NO_FLAW),
        probabilities={
            name: np.concatenate([part.probabilities[name] for part in parts])
            for name in parts[0].probabilities
        },
        thresholds=_optional([part.thresholds for part in parts], lengths, _NO_THRESHOLD),
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
    codes = np.concatenate([column.codes for column in columns])
    dictionaries = [column.dictionary for column in columns]
    if dictionaries.count(dictionaries[0]) == len(dictionaries):  # most often that of no text
        return TextColumn(codes, dictionaries[0])
    numbers: dict[str, int] = {}
    renumbered: list[int] = []
    first_of: dict[tuple[str, ...], int] = {}
    for dictionary in dictionaries:
        if dictionary not in first_of:
            renumbered.append(-1)  # where the code of no text leads, one before the first
            first_of[dictionary] = len(renumbered)
            renumbered += [numbers.setdefault(text, len(numbers)) for text in dictionary]
    firsts = [first_of[dictionary] for dictionary in dictionaries]
    of_rows = codes + np.repeat(firsts, [len(column.codes) for column in columns])
    return TextColumn(np.array(renumbered, dtype=np.int64)[of_rows], tuple(numbers))


def _optional(
    columns: Sequence[NDArray[_Scalar] | None], lengths: Sequence[int], unsaid: NDArray[_Scalar]
) -> NDArray[_Scalar] | None:
    """Return *columns* as one, each of so many rows, that are all *unsaid* where there is no column; None where there is none at all."""
    said = [column for column in columns if column is not None]
    if not said:
        return None
    if len(said) < len(columns):
        said = [
            np.repeat(unsaid, n, axis=0) if column is None else column
            for column, n in zip(columns, lengths, strict=True)
        ]
    return np.concatenate(said)


def _values(columns: Sequence[ValueColumn]) -> ValueColumn:
    texts = _texts([TextColumn(column.texts, column.dictionary) for column in columns])
    return ValueColumn(
        np.concatenate([column.kinds for column in columns]),
        np.concatenate([column.numbers for column in columns]),
        texts.codes,
        texts.dictionary,
    )

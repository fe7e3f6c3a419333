"""Which predictions are unusable, and when each feature had its newest value, found in one pass over the rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from otel_ml_processor.columns import Flaw
from otel_ml_processor.compiled import lean, plain

if TYPE_CHECKING:
    from otel_ml_processor.columns import (
        BoolArray,
        ByteArray,
        FloatArray,
        InferenceColumns,
        IntArray,
    )

__all__ = ["count_invalid", "last_values"]

_NOT_A_NUMBER, _NO_PROBABILITY = int(Flaw.NOT_A_NUMBER), int(Flaw.NO_PROBABILITY)
_NO_FLAWS: Final[ByteArray] = np.zeros(0, dtype=np.uint8)


def count_invalid(rows: InferenceColumns) -> tuple[int, int, int]:
    """Return how many predictions are not finite, how many empty, how many improbable."""
    names = [not name.strip() for name in rows.labels.dictionary]
    counts = _count_invalid(
        plain(rows.spans),
        plain(rows.labels.codes),
        np.array([*names, False]),
        plain(rows.values),
        _NO_FLAWS if rows.flaws is None else plain(rows.flaws),
    )
    return int(counts[0]), int(counts[1]), int(counts[2])


def last_values(places: IntArray, missing: IntArray, times_ns: IntArray, nowhere: int) -> IntArray:
    """
    Return when each feature had its newest value, shape (n_features,); 0 where it had none.

    Args:
        places: Where rows are counted, shape (n_features or more, n_rows).
        missing: By feature, where rows are counted that have no value.
        times_ns: Of the rows.
        nowhere: Places from here on say nothing.
    """
    newest = np.zeros(len(missing), dtype=np.int64)
    _last_values(plain(places), missing, plain(times_ns), nowhere, newest)
    return newest


@lean
def _count_invalid(
    spans: IntArray, codes: IntArray, is_nameless: BoolArray, values: FloatArray, flaws: ByteArray
) -> tuple[int, int, int]:
    infinite, empty, improbable, unsaid = 0, 0, 0, 0
    says_some = False
    for row in range(len(spans)):
        if row and spans[row] != spans[row - 1]:
            empty += unsaid * says_some
            unsaid, says_some = 0, False
        flaw = flaws[row] if len(flaws) else 0
        is_no_number = flaw & _NOT_A_NUMBER != 0
        infinite += np.isinf(values[row]) or is_no_number
        improbable += flaw & _NO_PROBABILITY != 0
        if codes[row] >= 0 and is_nameless[codes[row]]:
            empty += 1
        if codes[row] < 0 and np.isnan(values[row]) and not is_no_number:
            unsaid += 1
        else:
            says_some = True
    return infinite, empty + unsaid * says_some, improbable


@lean
def _last_values(
    places: IntArray, missing: IntArray, times_ns: IntArray, nowhere: int, newest: IntArray
) -> None:
    for feature in range(len(missing)):
        lacking, last = missing[feature], newest[feature]
        for row in range(len(times_ns)):
            place = places[feature, row]
            if place != lacking and place < nowhere:
                last = max(last, times_ns[row])
        newest[feature] = last

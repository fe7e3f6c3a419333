"""Counted rows as predictions that labels can find: what each is called."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from otel_ml_processor.feedback.keys import NO_KEY, id_key, sample_keys, span_keys
from otel_ml_processor.feedback.said_names import said_names

if TYPE_CHECKING:
    from collections.abc import Sequence

    from otel_ml_processor.feedback.inbox import CountedRows
    from otel_ml_processor.feedback.keys import Keys
    from otel_ml_processor.feedback.said_names import SaidNames

__all__ = ["Names", "names_of"]


class Names(NamedTuple):
    """The keys of rows by their span and by their prediction id, shape (n_rows,), `NO_KEY` where there is none."""

    keys: Keys
    names: Keys


def names_of(parts: Sequence[CountedRows]) -> Names:
    """
    Return what each row of *parts*, one at least, is found by, one part behind the other.

    A sample of a batch is found by its position as well. Where only some samples of a batch were captured nobody knows their positions, so
    nothing finds them.
    """
    # Ids lie as columns in memory: taking them as rows would copy those of all spans for each part.
    ids = np.concatenate([rows.ids.T.take(rows.spans, axis=1) for rows in parts], axis=1)
    keys = span_keys(ids.T)
    names = np.full(len(keys), NO_KEY, dtype=np.uint64)
    said: dict[int, SaidNames] = {}
    end = 0
    for rows in parts:
        begin, end = end, end + len(rows.spans)
        if rows.content is not None:
            if id(rows.content) not in said:  # parts of one request share its spans
                said[id(rows.content)] = said_names(rows.content)
            of_spans = said[id(rows.content)]
            keys[begin:end], names[begin:end] = _named(rows, keys[begin:end], of_spans)
    return Names(keys, names)


def _named(rows: CountedRows, keys: Keys, said: SaidNames) -> Names:
    """Return what *rows* are found by, whose spans have those *keys*, where all is known that the spans say."""
    indexes, of_row, n_rows = np.unique(rows.spans, return_inverse=True, return_counts=True)
    texts = [said.names[index] for index in indexes.tolist()]
    of_spans = [id_key(text, rows.stream.tenant) if text else NO_KEY for text in texts]
    names = np.array(of_spans, dtype=np.uint64)[of_row]
    is_whole = said.batch_sizes[indexes] <= n_rows
    is_batch = n_rows[of_row] > 1
    if is_batch.any():  # rows of a span are neighbours
        first = np.searchsorted(rows.spans, indexes)
        positions = np.arange(len(of_row)) - first[of_row]
        keys, names = (np.where(is_batch, sample_keys(k, positions), k) for k in (keys, names))
    is_known = is_whole[of_row]
    return Names(*(np.where(is_known, k, np.uint64(NO_KEY)) for k in (keys, names)))

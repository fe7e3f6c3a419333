"""Counted rows as predictions that labels can find: what each is called, and in which windows it is judged."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from otel_ml_conventions.attributes import ML_BATCH_SIZE, ML_PREDICTION_ID
from otel_ml_processor.decode.attributes import text
from otel_ml_processor.feedback.keys import NO_KEY, id_key, sample_keys, span_keys

if TYPE_CHECKING:
    from otel_ml_processor.columns import BoolArray, IntArray
    from otel_ml_processor.feedback.inbox import CountedRows
    from otel_ml_processor.feedback.keys import Keys

__all__ = ["NAMED", "Names", "names_of"]

NAMED: Final = ML_PREDICTION_ID.encode()
"""Bytes that a span without a prediction id does not have."""

_READ: Final = (ML_PREDICTION_ID, ML_BATCH_SIZE)


class Names(NamedTuple):
    """The keys of rows by their span and by their prediction id, shape (n_rows,), `NO_KEY` where there is none."""

    keys: Keys
    names: Keys


def names_of(rows: CountedRows) -> Names:
    """
    Return what each row is found by.

    A sample of a batch is found by its position as well. Where only some samples of a batch were captured nobody knows their positions, so
    nothing finds them.
    """
    n_spans = len(rows.ids)
    keys = span_keys(rows.ids)
    names = np.full(n_spans, NO_KEY, dtype=np.uint64)
    n_rows = np.bincount(rows.spans, minlength=n_spans)
    if rows.content is not None:
        _read_spans(rows, n_rows, keys, names)
    positions = _positions(rows.spans)
    is_batch = n_rows[rows.spans] > 1
    return Names(*(_of_rows(k[rows.spans], is_batch, positions) for k in (keys, names)))


def _read_spans(rows: CountedRows, n_rows: IntArray, keys: Keys, names: Keys) -> None:
    """Write the keys of prediction ids into *names*, and take both keys of a batch that was not captured whole."""
    if rows.content is None:
        return
    request = rows.content.request
    for index in np.unique(rows.spans).tolist():
        _, start, end, _ = rows.content.places[index].tolist()
        if start == end:  # nobody kept what it says: it has no more to say
            continue
        span = Span.FromString(request[start:end])
        said = {a.key: a.value for a in span.attributes if a.key in _READ}
        name = text(said.get(ML_PREDICTION_ID), set())
        if name:
            names[index] = id_key(name, rows.stream.tenant)
        if ML_BATCH_SIZE in said and said[ML_BATCH_SIZE].int_value > n_rows[index]:
            keys[index] = names[index] = NO_KEY


def _positions(spans: IntArray) -> IntArray:
    """Return the position of each row among those of its span, which are neighbours."""
    begins = np.concatenate([[True], spans[1:] != spans[:-1]])
    first = np.flatnonzero(begins)
    return np.asarray(np.arange(len(spans)) - first[np.cumsum(begins) - 1])


def _of_rows(keys: Keys, is_batch: BoolArray, positions: IntArray) -> Keys:
    return np.asarray(np.where(is_batch, sample_keys(keys, positions), keys))

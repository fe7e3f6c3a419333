"""JSON objects of many spans, each name a column."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from otel_ml_processor.decode.fast_json import read_objects
from otel_ml_processor.decode.packed import TextRoom, keys_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from otel_ml_processor.columns import BoolArray, ByteArray, FloatArray, IntArray

__all__ = ["Objects"]


class Objects(NamedTuple):
    """What `read_objects` has read."""

    kinds: ByteArray
    numbers: FloatArray
    texts: IntArray
    ranges: IntArray
    is_read: BoolArray

    @classmethod
    def of(
        cls,
        data: ByteArray,
        places: IntArray,
        names: Sequence[str],
        kinds: ByteArray,
        most_texts: int,
    ) -> Objects:
        """Return what the objects at *places*, shape (2, n), say under *names*; of what they do not say the kind is that in *kinds*, shape (n,)."""
        shape = (len(names), len(kinds))
        said = np.empty(shape, np.uint8)
        said[:] = kinds
        numbers, texts = np.full(shape, np.nan), np.full(shape, -1, dtype=np.int64)
        table, ranges = TextRoom.of(min(most_texts, texts.size))
        is_read = np.ones(len(kinds), np.bool_)
        places, packed = np.ascontiguousarray(places.T), keys_of(tuple(names))
        n_texts = read_objects(data, places, *packed, said, numbers, texts, table, ranges, is_read)
        return cls(said, numbers, texts, ranges[:n_texts], is_read)

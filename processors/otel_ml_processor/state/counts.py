"""Counts as bytes: where most are 0, as a small request leaves them, only the others are written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from otel_ml_processor.columns import IntArray

__all__ = ["counts_of", "packed"]

_SPARSE, _DENSE = b"s", b"d"
_PAIR: Final = np.dtype([("at", "<u4"), ("count", "<i8")])


def packed(counts: IntArray) -> bytes:
    """Return *counts*, shape (n,), n < 2**32, in the shorter of two forms."""
    at = np.flatnonzero(counts)
    if len(at) * _PAIR.itemsize >= counts.nbytes:
        return _DENSE + counts.astype("<i8").tobytes()
    pairs = np.empty(len(at), dtype=_PAIR)
    pairs["at"], pairs["count"] = at, counts[at]
    return _SPARSE + pairs.tobytes()


def counts_of(data: bytes, n: int) -> IntArray:
    """
    Return the *n* counts that `packed` wrote.

    Raises:
        ValueError: If *data* holds other than *n* counts >= 0.
    """
    counts = np.zeros(n, dtype=np.int64)
    if data[:1] == _DENSE:
        counts[:] = np.frombuffer(data, dtype="<i8", offset=1)
    elif data[:1] == _SPARSE:
        pairs = np.frombuffer(data, dtype=_PAIR, offset=1)
        if (pairs["at"] >= n).any():
            raise ValueError(f"expected {n} counts, found one at {int(pairs['at'].max())}")
        counts[pairs["at"]] = pairs["count"]
    else:
        raise ValueError(f"expected counts, found {data[:1]!r}")
    if (counts < 0).any():
        raise ValueError("expected counts >= 0, found one below")
    return counts

"""What spans are told of their confidence, found in one pass over their rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from otel_ml_processor.compiled import lean
from otel_ml_processor.sketches.moments import ROUNDING

if TYPE_CHECKING:
    from otel_ml_processor.columns import FloatArray, IntArray

__all__ = ["tell_bands"]

_LEAST, _MOST = -ROUNDING, 1 + ROUNDING


@lean
def tell_bands(
    spans: IntArray,
    confidences: FloatArray,
    values: FloatArray,
    low: float,
    medium: float,
    first: int,
    codes: IntArray,
) -> int:
    """
    Write into *codes* the band of the lowest confidence of each span, behind *first*; return how many rows have an output that none should be.

    A band is 0 where no row says a probability, 1 below *low*, 2 below *medium*, else 3.

    Args:
        spans: Of each row.
        confidences: Of any content, shape (n_rows,).
        values: Predicted numbers, of any content, shape (n_rows,).
        low: Below it a confidence is low.
        medium: Below it, where it is not low, a confidence is medium.
        first: The code of the band 0.
        codes: By span, written to; below *first* where nothing has been told yet.
    """
    n_invalid = 0
    for row in range(len(spans)):
        span, sure, band = spans[row], confidences[row], 0
        if _LEAST <= sure <= _MOST:
            sure = min(max(sure, 0.0), 1.0)
            band = 1 + (sure >= low) + (sure >= medium)
        else:
            n_invalid += not np.isnan(sure)
        n_invalid += np.isinf(values[row])
        if codes[span] <= first or 0 < band < codes[span] - first:
            codes[span] = first + band
    return n_invalid

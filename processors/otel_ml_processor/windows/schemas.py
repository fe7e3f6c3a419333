"""By which schemas rows came: the hashes of names and types of features, as inferences say them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from otel_ml_processor.columns import InferenceColumns

__all__ = ["schemas_of"]


def schemas_of(rows: InferenceColumns) -> list[str]:
    """Return the hashes of the schemas of *rows* as they are written on the wire, the most frequent first; nothing where no row says one."""
    if rows.hashes is None:
        return []
    words, counts = np.unique(rows.hashes[:, 1].view(np.uint64), return_counts=True)
    by_rows = words[np.argsort(-counts, kind="stable")]
    return [f"{word:016x}" for word in by_rows.tolist() if word]

"""What a span says of the probability of each class: an object of names and numbers per sample, read only where somebody wants them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from otel_ml_conventions.attributes import ML_PREDICTION_PROBABILITIES
from otel_ml_processor.columns import Kind
from otel_ml_processor.decode.content import structure
from otel_ml_processor.decode.decoder import Cause
from otel_ml_processor.decode.value_column import value_column

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from opentelemetry.proto.common.v1.common_pb2 import AnyValue

    from otel_ml_processor.columns import ByteArray, FloatArray

__all__ = [
    "PROBABILITY_KEYS",
    "Probabilities",
    "probabilities_of",
    "probability_columns",
    "said_numbers",
    "samples_of",
]

PROBABILITY_KEYS: Final = frozenset({ML_PREDICTION_PROBABILITIES})
"""Every attribute that is read here."""
Probabilities = dict[str, object]
"""By class, what was said of one sample; not yet checked to be a number."""


def probabilities_of(
    attributes: Mapping[str, AnyValue], n_samples: int, causes: set[Cause]
) -> list[Probabilities]:
    """
    Return what the span with *attributes* says of each of its samples; nothing of any where it says that of another number of them.

    A span of one sample says one object, any other one an array of them.
    """
    said = samples_of(attributes, causes)
    if said is not None and len(said) == n_samples:
        return said
    if said is not None:
        causes.add(Cause.MISMATCHED_LENGTHS)
    return [{} for _ in range(n_samples)]


def samples_of(
    attributes: Mapping[str, AnyValue], causes: set[Cause]
) -> list[Probabilities] | None:
    """Return what the span with *attributes* says, sample by sample; None where it says nothing, or nothing that can be read."""
    if ML_PREDICTION_PROBABILITIES not in attributes:
        return None
    said = structure(attributes[ML_PREDICTION_PROBABILITIES], causes)
    if said is None:
        return None
    samples = said if isinstance(said, list) else [said]
    if not all(isinstance(sample, dict) for sample in samples):
        causes.add(Cause.WRONG_TYPE)
    return [sample if isinstance(sample, dict) else {} for sample in samples]


def probability_columns(
    samples: Sequence[Probabilities], classes: Sequence[str]
) -> dict[str, FloatArray]:
    """Return by class what *samples* say, shape (n_samples,); NaN where one does not say it, or says no number."""
    return {
        name: said_numbers(column.kinds, column.numbers)
        for name in classes
        for column in [value_column([sample.get(name) for sample in samples])]
    }


def said_numbers(kinds: ByteArray, numbers: FloatArray) -> FloatArray:
    """Return *numbers* of which `Kind` says that they are one; NaN in place of all else."""
    return np.where(kinds == Kind.NUMBER, numbers, np.nan)

"""The samples that one inference span speaks of: one row from its scalars, or the rows of a batch from its arrays."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar

from otel_ml_conventions.attributes import (
    ML_INPUT_ROWS,
    ML_PREDICTION_CONFIDENCE,
    ML_PREDICTION_CONFIDENCES,
    ML_PREDICTION_ENTROPY,
    ML_PREDICTION_LABEL,
    ML_PREDICTION_LABELS,
    ML_PREDICTION_MARGIN,
    ML_PREDICTION_VALUE,
    ML_PREDICTION_VALUES,
)
from otel_ml_processor.columns import Flaw
from otel_ml_processor.decode.attributes import elements, number, proportion, text
from otel_ml_processor.decode.class_probabilities import PROBABILITY_KEYS
from otel_ml_processor.decode.content import (
    CONTENT_KEYS,
    NOTHING,
    Content,
    content_of_row,
    content_of_rows,
)
from otel_ml_processor.decode.decoder import Cause

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from opentelemetry.proto.common.v1.common_pb2 import AnyValue

__all__ = ["SAMPLE_KEYS", "Sample", "read_samples"]

SAMPLE_KEYS: Final = (
    CONTENT_KEYS
    | PROBABILITY_KEYS
    | {
        ML_PREDICTION_CONFIDENCE,
        ML_PREDICTION_CONFIDENCES,
        ML_PREDICTION_ENTROPY,
        ML_PREDICTION_LABEL,
        ML_PREDICTION_LABELS,
        ML_PREDICTION_MARGIN,
        ML_PREDICTION_VALUE,
        ML_PREDICTION_VALUES,
    }
)
"""Every attribute that says something of a sample."""

_BATCH_KEYS: Final = frozenset(
    {ML_INPUT_ROWS, ML_PREDICTION_LABELS, ML_PREDICTION_CONFIDENCES, ML_PREDICTION_VALUES}
)
_T = TypeVar("_T")


class Sample(NamedTuple):
    """One row: None and NaN where the span does not say it."""

    label: str | None
    confidence: float
    entropy: float
    margin: float
    value: float
    content: Content
    flaws: int
    """`Flaw` of what was predicted."""


_UNSAID: Final = Sample(None, math.nan, math.nan, math.nan, math.nan, NOTHING, 0)


def read_samples(
    attributes: Mapping[str, AnyValue], names: Sequence[str], causes: set[Cause]
) -> list[Sample]:
    """
    Return the samples of the span with *attributes*, in the order of its rows.

    A span without any array of a batch is one sample. Of arrays that differ in length the first holds, in the order rows, labels,
    confidences, values. *names* are the features asked for, in the order of unnamed values.
    """
    if attributes.keys().isdisjoint(_BATCH_KEYS):
        return [_single(attributes, names, causes)]
    rows = content_of_rows(attributes, causes)
    labels = _array(attributes, ML_PREDICTION_LABELS, text, causes)
    confidences = _array(attributes, ML_PREDICTION_CONFIDENCES, proportion, causes)
    values = _array(attributes, ML_PREDICTION_VALUES, number, causes)
    wrong = _array(attributes, ML_PREDICTION_VALUES, _flaw_of_value, set())
    doubtful = _array(attributes, ML_PREDICTION_CONFIDENCES, _flaw_of_confidence, set())
    lengths = [len(a) for a in (rows, labels, confidences, values) if a is not None]
    if not lengths:
        return [_single(attributes, names, causes)]
    if len(set(lengths)) > 1:
        causes.add(Cause.MISMATCHED_LENGTHS)
    n = lengths[0]
    rest = _single(attributes, names, causes) if n == 1 else _UNSAID
    return [
        Sample(label, confidence, rest.entropy, rest.margin, value, content, flaw | other_flaw)
        for label, confidence, value, content, flaw, other_flaw in zip(
            _filled(labels, n, rest.label),
            _filled(confidences, n, rest.confidence),
            _filled(values, n, rest.value),
            _filled(rows, n, rest.content),
            _filled(wrong, n, rest.flaws & Flaw.NOT_A_NUMBER),
            _filled(doubtful, n, rest.flaws & Flaw.NO_PROBABILITY),
            strict=True,
        )
    ]


def _single(attributes: Mapping[str, AnyValue], names: Sequence[str], causes: set[Cause]) -> Sample:
    return Sample(
        label=text(attributes.get(ML_PREDICTION_LABEL), causes),
        confidence=proportion(attributes.get(ML_PREDICTION_CONFIDENCE), causes),
        entropy=proportion(attributes.get(ML_PREDICTION_ENTROPY), causes),
        margin=proportion(attributes.get(ML_PREDICTION_MARGIN), causes),
        value=number(attributes.get(ML_PREDICTION_VALUE), causes),
        content=content_of_row(attributes, names, causes) if names else NOTHING,
        flaws=_flaw_of_value(attributes.get(ML_PREDICTION_VALUE))
        | _flaw_of_confidence(attributes.get(ML_PREDICTION_CONFIDENCE)),
    )


def _flaw_of_value(value: AnyValue | None, _: object = None) -> int:
    is_said = value is not None and value.WhichOneof("value") == "double_value"
    return Flaw.NOT_A_NUMBER if value and is_said and math.isnan(value.double_value) else 0


def _flaw_of_confidence(value: AnyValue | None, _: object = None) -> int:
    is_said = value is not None and value.WhichOneof("value") in {"double_value", "int_value"}
    return Flaw.NO_PROBABILITY if is_said and math.isnan(proportion(value, set())) else 0


def _array(
    attributes: Mapping[str, AnyValue],
    key: str,
    read: Callable[[AnyValue, set[Cause]], _T],
    causes: set[Cause],
) -> list[_T] | None:
    found = elements(attributes.get(key), causes)
    return None if found is None else [read(element, causes) for element in found]


def _filled(array: list[_T] | None, length: int, fill: _T) -> list[_T]:
    """Return *array* if it has *length* elements, else as many of *fill*."""
    return array if array is not None and len(array) == length else [fill] * length

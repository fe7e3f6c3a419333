"""What a model's outputs say: classes, confidence, entropy and margin, numbers, scores."""

import math
import sys
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from json import dumps
from typing import Any, Final, NamedTuple

from otel_ml.describe.arrays import read_table
from otel_ml.describe.values import row_texts

__all__ = [
    "Outputs",
    "class_label",
    "describe_classes",
    "describe_numbers",
    "describe_probabilities",
    "describe_scores",
    "describe_shape",
    "entropy",
    "margin",
    "probabilities_text",
]

_MAX_LABEL: Final = 64
_MAX_CLASSES: Final = 32
_TABLE_AXES: Final = 2
# Probabilities in single precision, over many classes, add up to 1 no better than this.
_TOLERANCE: Final = 1e-3
# A probability in its shortest exact form, with what JSON puts around it and its key.
_BYTES_PER_PROBABILITY: Final = 26


class Outputs(NamedTuple):
    """
    What is said of one call's outputs: the singular of one sample, the plural of several.

    The plural ones are of the captured samples, in their order; `confidence_mean` and
    `confidence_min` are over all samples of the call. `shape` and `dtype` are for outputs whose
    meaning is unknown.
    """

    label: str | None = None
    labels: Sequence[str] | None = None
    confidence: float | None = None
    confidences: Sequence[float] | None = None
    confidence_mean: float | None = None
    confidence_min: float | None = None
    entropy: float | None = None
    margin: float | None = None
    value: float | None = None
    values: Sequence[float] | None = None
    score: float | None = None
    scores: Sequence[float] | None = None
    probabilities: str | None = None
    shape: Sequence[int] | None = None
    dtype: str | None = None


def class_label(value: Any) -> str:
    """
    Return a class as text: `1` for 1 and for 1.0, `True` for True, a string as it is.

    A string of more than 64 characters, which may hold more than a class, is replaced by its hash.
    """
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
    if len(text) <= _MAX_LABEL:
        return text
    return f"b2:{blake2b(text.encode('utf-8', 'surrogatepass'), digest_size=8).hexdigest()}"


def entropy(probabilities: Sequence[float]) -> float:
    """
    Return Shannon's entropy of *probabilities* over its maximum, ln K, between 0 and 1.

    0 for a single class, which leaves nothing open.
    """
    if len(probabilities) == 1:
        return 0.0
    nats = -sum(p * math.log(p) for p in probabilities if p > 0.0)
    return min(1.0, max(0.0, nats / math.log(len(probabilities))))


def margin(probabilities: Sequence[float]) -> float:
    """Return the largest of *probabilities* less the second largest; a lone class stands against 0."""
    first, second = sorted((*probabilities, 0.0), reverse=True)[:2]
    return first - second


def describe_probabilities(
    output: Any, rows: Sequence[int], labels: Sequence[str] | None, *, are_logarithms: bool = False
) -> Outputs | None:
    """
    Return class, confidence, entropy and margin of class probabilities of shape (n_samples, K).

    The predicted class is the most probable one, the first of equals. None where *output* is no
    such array, or a sample's numbers are no distribution (those of a multi-label model are not).

    Args:
        output: What the model returned.
        rows: Positions of the captured samples.
        labels: The K classes as text, in the order of the columns; None where unknown.
        are_logarithms: Whether *output* holds the logarithms of probabilities.
    """
    if not _is_matrix(output):
        return None
    known = labels if labels is not None and len(labels) == output.shape[1] else None
    if len(output) == 1:
        sample = output.tolist()[0]
        return _one_distribution(list(map(math.exp, sample)) if are_logarithms else sample, known)
    return _several_distributions(_exponentials(output) if are_logarithms else output, rows, known)


def _is_matrix(output: Any) -> bool:
    is_array = type(output) is getattr(sys.modules.get("numpy"), "ndarray", None)
    return is_array and output.dtype.kind == "f" and output.ndim == _TABLE_AXES and output.size > 0


def _exponentials(logarithms: Any) -> Any:
    return sys.modules["numpy"].exp(logarithms)


def _one_distribution(sample: list[float], labels: Sequence[str] | None) -> Outputs | None:
    if not (min(sample) >= 0.0 and abs(sum(sample) - 1.0) <= _TOLERANCE):
        return None
    confidence = max(sample)
    return Outputs(
        label=labels[sample.index(confidence)] if labels else None,
        confidence=min(1.0, confidence),
        entropy=entropy(sample),
        margin=margin(sample),
    )


def _several_distributions(
    matrix: Any, rows: Sequence[int], labels: Sequence[str] | None
) -> Outputs | None:
    if not (matrix.min() >= 0.0 and abs(matrix.sum(axis=1) - 1.0).max() <= _TOLERANCE):
        return None
    samples = _rows_of(matrix, rows)
    largest = matrix.max(axis=1)
    return Outputs(
        labels=[labels[sample.index(max(sample))] for sample in samples] if labels else None,
        confidences=[min(1.0, max(sample)) for sample in samples],
        confidence_mean=min(1.0, float(largest.mean())),
        confidence_min=min(1.0, float(largest.min())),
    )


def _rows_of(matrix: Any, rows: Sequence[int]) -> list[list[float]]:
    chosen: list[list[float]] = (
        matrix if len(rows) == len(matrix) else matrix[list(rows)]
    ).tolist()
    return chosen


def probabilities_text(
    output: Any,
    rows: Sequence[int],
    labels: Sequence[str],
    max_bytes: int,
    *,
    are_logarithms: bool = False,
) -> str:
    """
    Return the probability of each class as a JSON object, of several samples as an array of them.

    At most the 32 most probable classes of each sample, fewer where *max_bytes* would not hold them.
    *output* is what `describe_probabilities` found to be distributions.
    """
    samples = _rows_of(_exponentials(output) if are_logarithms else output, rows)
    keys = [dumps(label) for label in labels]
    bytes_per_class = max(map(len, keys)) + _BYTES_PER_PROBABILITY
    at_most = max(1, min(_MAX_CLASSES, max_bytes // (bytes_per_class * len(samples))))
    texts = [_map_text(sample, keys, at_most, str(output.dtype)) for sample in samples]
    return texts[0] if len(output) == 1 else f"[{','.join(texts)}]"


def _map_text(sample: list[float], keys: list[str], at_most: int, kind: str) -> str:
    texts = row_texts(sample, (kind,))
    chosen: Sequence[int] = range(len(sample))
    if at_most < len(sample):
        chosen = sorted(chosen, key=sample.__getitem__, reverse=True)[:at_most]
    return "{" + ",".join(f"{keys[i]}:{texts[i]}" for i in chosen) + "}"


def describe_classes(
    output: Any, rows: Sequence[int], names: Mapping[str, str] | None = None
) -> Outputs | None:
    """
    Return the predicted classes of the captured samples; None unless there is one per sample.

    Args:
        output: What the model returned.
        rows: Positions of the captured samples.
        names: What a class, as text, is called.
    """
    column = _column(output, rows)
    if column is None:
        return None
    labels = [class_label(value) for value in column]
    if names:
        labels = [names.get(label, label) for label in labels]
    return Outputs(label=labels[0]) if _is_one(output) else Outputs(labels=labels)


def describe_numbers(output: Any, rows: Sequence[int]) -> Outputs | None:
    """Return the predicted numbers of the captured samples; None unless there is one per sample."""
    column = _column(output, rows)
    if column is None:
        return None
    numbers = [float(value) for value in column]
    return Outputs(value=numbers[0]) if _is_one(output) else Outputs(values=numbers)


def describe_scores(output: Any, rows: Sequence[int]) -> Outputs | None:
    """Return the scores of the captured samples; None unless there is one per sample."""
    column = _column(output, rows)
    if column is None:
        return None
    scores = [float(value) for value in column]
    return Outputs(score=scores[0]) if _is_one(output) else Outputs(scores=scores)


def describe_shape(output: Any) -> Outputs:
    """Return shape and type of an output whose meaning is unknown; nothing where it has neither."""
    shape = getattr(output, "shape", None)
    is_plain = isinstance(shape, tuple) and all(isinstance(length, int) for length in shape)
    dtype = getattr(output, "dtype", None)
    return Outputs(
        shape=list(shape) if is_plain and shape else None,
        dtype=None if dtype is None else str(dtype),
    )


def _is_one(output: Any) -> bool:
    return len(output) == 1


def _column(output: Any, rows: Sequence[int]) -> list[Any] | None:
    """Return one value per captured sample, None where a sample has several or none."""
    table = read_table(output)
    if table.columns != 1 or not table.rows:
        return None
    values = table.take(rows, 1)
    return None if values is None else [value for (value,) in values]

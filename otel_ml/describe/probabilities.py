"""What a model's outputs say: classes, confidence, entropy and margin, numbers, scores."""

import math
import sys
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from functools import reduce
from hashlib import blake2b
from json import dumps
from typing import Any, Final

from otel_ml.describe.arrays import read_table
from otel_ml.describe.soundness import is_array
from otel_ml.describe.tensors import shape_of, type_name
from otel_ml.describe.values import Facts, is_missing, own_text, plain_number, row_texts, valid_text
from otel_ml_conventions import attributes as keys

__all__ = [
    "class_label",
    "describe_classes",
    "describe_confidences",
    "describe_numbers",
    "describe_probabilities",
    "describe_scores",
    "describe_shape",
    "distributions",
    "entropy",
    "exponentials",
    "margin",
    "one_array",
    "probabilities_text",
    "two_classes",
]

_MAX_LABEL: Final = 64
_MAX_CLASSES: Final = 32
_FEW_CLASSES: Final = 8  # up to here numpy finds the largest of each row sooner class by class
_TABLE_AXES: Final = 2
_DOUBLE_BYTES: Final = 8
_PLAIN: Final = (str, int, float)  # Python's own, and what extends them
# Probabilities in single precision, over many classes, add up to 1 no better than this.
_TOLERANCE: Final = 1e-3
# A probability in its shortest exact form, with what JSON puts around it and its key.
_BYTES_PER_PROBABILITY: Final = 26


def class_label(value: Any) -> str:
    """
    Return a class as text: `1` for 1 and for 1.0, `True` for True, a string as it is.

    A string of more than 64 characters, which may hold more than a class, is replaced by its hash.
    """
    if not isinstance(value, _PLAIN):
        value = plain_number(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    text = _text(value)
    if len(text) <= _MAX_LABEL:
        return text
    return f"b2:{blake2b(text.encode('utf-8', 'surrogatepass'), digest_size=8).hexdigest()}"


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return valid_text(own_text(value))


def entropy(probabilities: Sequence[float]) -> float:
    """
    Return Shannon's entropy of *probabilities* over its maximum, ln K, between 0 and 1.

    0 for a single class, which leaves nothing open.
    """
    if len(probabilities) == 1:
        return 0.0
    nats, log = 0.0, math.log
    for probability in probabilities:
        if probability > 0.0:
            nats -= probability * log(probability)
    share = nats / log(len(probabilities))
    return share if 0.0 <= share <= 1.0 else float(share > 1.0)  # it is only rounded


def margin(probabilities: Sequence[float]) -> float:
    """Return the largest of *probabilities* less the second largest; a lone class stands against 0."""
    if len(probabilities) == 1:
        return probabilities[0]
    ascending = sorted(probabilities)
    return ascending[-1] - ascending[-2]


def two_classes(output: Any) -> Any:
    """
    Return the probabilities of both classes, shape (n_samples, 2), given those of the second.

    Args:
        output: A numpy array of shape (n_samples,) or (n_samples, 1); anything else is returned as
            it is.
    """
    if type(output).__name__ != "ndarray" or output.shape[1:] not in {(), (1,)}:
        return output
    both = sys.modules["numpy"].empty((len(output), 2), output.dtype)
    both[:, 1] = output.reshape(-1)
    both[:, 0] = 1 - both[:, 1]
    return both


def distributions(output: Any) -> Any:
    """
    Return the probabilities of K classes, shape (n_samples, K), for those or for logits.

    Rows that are no distributions are taken for logits, or logarithms of probabilities: their
    softmax is returned.

    Args:
        output: A numpy array of shape (n_samples, K) with K > 1; anything else is returned as it is.
    """
    if not _is_matrix(output) or output.shape[1] == 1 or _are_distributions(output):
        return output
    with _quietly():
        raised = sys.modules["numpy"].exp(output - output.max(axis=1, keepdims=True))
        return raised / raised.sum(axis=1, keepdims=True)


def _are_distributions(matrix: Any) -> bool:
    with _quietly():
        # As `matrix.sum(axis=1)`, in a third of the time where there are few classes.
        sums = sys.modules["numpy"].einsum("ij->i", matrix)
        return bool(matrix.min() >= 0.0 and abs(sums - 1.0).max() <= _TOLERANCE)


def _quietly() -> AbstractContextManager[Any]:
    """Return what keeps numpy from warning the user of numbers too large, which are no distributions."""
    quietly: AbstractContextManager[Any] = sys.modules["numpy"].errstate(all="ignore")
    return quietly


def describe_probabilities(
    output: Any, rows: Sequence[int], labels: Sequence[str] | None, *, are_logarithms: bool = False
) -> Facts | None:
    """
    Return class, confidence, entropy and margin of class probabilities of shape (n_samples, K).

    The predicted class is the most probable one, the first of equals. None where *output* is no
    such array, or a sample's numbers are no distribution: those of a multi-label model are none, nor is a
    single column that is not known to be of a lone class, as the probability of one class of two is.

    Args:
        output: What the model returned.
        rows: Positions of the captured samples.
        labels: The K classes as text, in the order of the columns; None where unknown.
        are_logarithms: Whether *output* holds the logarithms of probabilities.
    """
    if not _is_matrix(output):
        return None
    known = labels if labels is not None and len(labels) == output.shape[1] else None
    if known is None and output.shape[1] == 1:
        return None
    if len(output) == 1:
        sample = output.tolist()[0]
        return _one_distribution(_exponentials(sample) if are_logarithms else sample, known)
    return _several_distributions(exponentials(output) if are_logarithms else output, rows, known)


def describe_confidences(
    output: Any, rows: Sequence[int], *, are_logarithms: bool = False
) -> Facts | None:
    """
    Return the confidences alone, which metrics need of every call; what else could be said costs.

    None where *output* is no array of distributions over several classes; else as `describe_probabilities`.
    """
    if not _is_matrix(output) or output.shape[1] == 1:
        return None
    if len(output) == 1:
        sample = output.tolist()[0]
        if are_logarithms:
            sample = _exponentials(sample)
        largest = max(sample)
        if not (min(sample) >= 0.0 and abs(sum(sample) - 1.0) <= _TOLERANCE):
            return None
        return {keys.ML_PREDICTION_CONFIDENCE: largest if largest < 1.0 else 1.0}  # noqa: FURB136 - as below
    matrix = exponentials(output) if are_logarithms else output
    if not _are_distributions(matrix):
        return None
    return {keys.ML_PREDICTION_CONFIDENCES: _confidences(_chosen(matrix, rows)).tolist()}


def _is_matrix(output: Any) -> bool:
    if not is_array(output):
        return False
    if output.dtype.kind != "f" or output.dtype.itemsize > _DOUBLE_BYTES:
        return False  # what is longer stays numpy's, which no span and no metric can hold
    is_table: bool = output.ndim == _TABLE_AXES and output.size > 0
    return is_table


def one_array(output: Any) -> Any:
    """Return *output* if it is one numpy array, else None."""
    return output if is_array(output) else None


def exponentials(logarithms: Any) -> Any:
    """Return the numbers that *logarithms*, one numpy array, are of; None of anything else."""
    if one_array(logarithms) is None:
        return None
    with _quietly():
        return sys.modules["numpy"].exp(logarithms)


def _exponentials(sample: list[float]) -> list[float]:
    try:
        return list(map(math.exp, sample))
    except OverflowError:  # no logarithm of a probability
        return [math.inf]


def _one_distribution(sample: list[float], labels: Sequence[str] | None) -> Facts | None:
    ascending = sorted(sample)  # tells the least, the largest and the margin in one go
    if not (ascending[0] >= 0.0 and abs(sum(sample) - 1.0) <= _TOLERANCE):
        return None
    largest = ascending[-1]
    facts: dict[str, str | float] = {
        keys.ML_PREDICTION_CONFIDENCE: largest if largest < 1.0 else 1.0,  # noqa: FURB136 - `min` takes four times as long, in the caller's time
        keys.ML_PREDICTION_ENTROPY: entropy(sample),
        keys.ML_PREDICTION_MARGIN: largest - ascending[-2] if len(sample) > 1 else largest,
    }
    if labels is not None:
        facts[keys.ML_PREDICTION_LABEL] = labels[sample.index(largest)]
    return facts


def _several_distributions(
    matrix: Any, rows: Sequence[int], labels: Sequence[str] | None
) -> Facts | None:
    if not _are_distributions(matrix):
        return None
    confidences = _confidences(matrix)
    facts: dict[str, float | list[float] | list[str]] = {
        keys.ML_PREDICTION_CONFIDENCES: _chosen(confidences, rows).tolist(),
        keys.ML_BATCH_CONFIDENCE_MEAN: float(confidences.sum(dtype=float) / len(confidences)),
        keys.ML_BATCH_CONFIDENCE_MIN: float(confidences.min()),
    }
    if labels is not None:
        best = _chosen(matrix, rows).argmax(axis=1).tolist()
        facts[keys.ML_PREDICTION_LABELS] = [labels[place] for place in best]
    return facts


def _chosen(matrix: Any, rows: Sequence[int]) -> Any:
    return matrix if len(rows) == len(matrix) else matrix.take(rows, 0)


def _confidences(matrix: Any) -> Any:
    if matrix.shape[1] > _FEW_CLASSES:
        return matrix.max(axis=1).clip(None, 1.0)
    return reduce(sys.modules["numpy"].maximum, matrix.T).clip(None, 1.0)


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
    samples = _chosen(exponentials(output) if are_logarithms else output, rows).tolist()
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
) -> Facts | None:
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
    if len(output) == 1:
        return {keys.ML_PREDICTION_LABEL: labels[0]}
    return {keys.ML_PREDICTION_LABELS: labels}


def describe_numbers(output: Any, rows: Sequence[int]) -> Facts | None:
    """Return the predicted numbers of the captured samples, NaN where one is missing; None unless there is one per sample."""
    return _numbers(output, rows, keys.ML_PREDICTION_VALUE, keys.ML_PREDICTION_VALUES)


def describe_scores(output: Any, rows: Sequence[int]) -> Facts | None:
    """Return the scores of the captured samples; None unless there is one per sample."""
    return _numbers(output, rows, keys.ML_PREDICTION_SCORE, keys.ML_PREDICTION_SCORES)


def _numbers(output: Any, rows: Sequence[int], one: str, several: str) -> Facts | None:
    column = _column(output, rows)
    numbers = None if column is None else _floats(column)
    if numbers is None:
        return None
    return {one: numbers[0]} if len(output) == 1 else {several: numbers}


def _floats(column: list[Any]) -> list[float] | None:
    """Return *column* as numbers, NaN where one is missing; None where one is no number."""
    with suppress(TypeError, ValueError, OverflowError):
        return list(map(float, column))
    with suppress(TypeError, ValueError, OverflowError):  # what is missing is found by another look
        return [math.nan if is_missing(value) else float(value) for value in column]
    return None


def describe_shape(output: Any) -> Facts:
    """Return shape and type of an output whose meaning is unknown; nothing where it has neither."""
    facts: dict[str, Any] = {}
    shape = shape_of(output)
    if isinstance(shape, tuple) and shape and all(isinstance(length, int) for length in shape):
        facts[keys.ML_OUTPUT_SHAPE] = shape
    dtype = getattr(output, "dtype", None)
    if dtype is not None:
        facts[keys.ML_OUTPUT_DTYPE] = type_name(dtype)
    return facts


def _column(output: Any, rows: Sequence[int]) -> list[Any] | None:
    """Return one value per captured sample, None where a sample has several or none."""
    table = read_table(output)
    if table.columns != 1 or not table.rows:
        return None
    values = table.take(rows, 1)
    return None if values is None else [value for (value,) in values]

"""What users say that a model answered, as facts: whatever they hold it in."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from json import dumps
from math import fsum, isfinite, isnan, nan, sqrt
from typing import Any, Final

from otel_ml.describe.embeddings import describe_embeddings
from otel_ml.describe.probabilities import class_label, describe_probabilities, entropy, margin
from otel_ml.describe.series import is_row
from otel_ml.describe.soundness import is_array
from otel_ml.describe.tensors import plain_array
from otel_ml.describe.values import Facts, is_missing
from otel_ml_conventions import attributes as keys

__all__ = [
    "Positions",
    "UnreadableError",
    "describe_confidence",
    "describe_distributions",
    "describe_embedding",
    "describe_interval",
    "describe_labels",
    "describe_scores",
    "describe_values",
    "names_of",
    "probabilities_text",
    "read_confidence",
    "read_probabilities",
    "samples_of",
]

Positions = Callable[[int], Sequence[int]]
"""Gives the positions of the captured samples among so many."""


class UnreadableError(ValueError):
    """Something told that cannot be understood; the message holds no value of it."""


_MAX_CLASSES: Final = 32
_MAX_CELLS: Final = 100_000  # of samples by classes, where maps do not have them all
_TOLERANCE: Final = 1e-3  # single precision, over many classes
_ROUNDING: Final = 1e-5  # what scikit-learn takes for that in calibrated probabilities
_TABLE_AXES: Final = 2
_ENDS: Final = 2
_FRAMES: Final = frozenset({"pandas", "polars"})


def samples_of(values: Any) -> list[Any]:
    """
    Return *values* as one item per sample; what is no array and no sequence is one sample.

    Raises:
        UnreadableError: If there is no sample, it can be read but once, or it is on a device.
    """
    values = _in_memory(values)
    values = values.tolist() if hasattr(values, "tolist") else values
    is_one = isinstance(values, (str, bytes, Mapping)) or not isinstance(values, Iterable)
    samples = [values] if is_one else list(values)
    if not samples:
        raise UnreadableError("expected at least one sample, found none")
    return samples


def _in_memory(values: Any) -> Any:
    """Return tensors of the process's memory and data frames as arrays of numpy's, and anything else as it is."""
    if _is_frame(values):
        return values.to_numpy()
    if isinstance(values, Iterator):
        raise UnreadableError(
            "expected a sequence, found an iterator, which only its user may read"
        )
    if getattr(values, "is_cpu", True) is False:
        raise UnreadableError(
            "expected a tensor in memory, found one on a device; give its `.cpu()`"
        )
    plain = plain_array(values)
    return values if plain is None else plain


def _is_frame(values: Any) -> bool:
    """Whether *values* has columns by name: who reads such an object from its beginning is given the names."""
    if isinstance(values, Mapping) or not hasattr(values, "columns"):
        return False
    kinds = type(values).__mro__
    if _FRAMES.isdisjoint(kind.__module__.partition(".")[0] for kind in kinds):
        raise UnreadableError("expected an array or a sequence, found a data frame; give its array")
    return True


def _column(values: Any) -> list[Any]:
    """Return `samples_of` *values* of which each sample is to have one, also where they are a column of a matrix."""
    values = _in_memory(values)
    is_column = tuple(getattr(values, "shape", ()))[1:] == (1,)
    return samples_of(values.reshape(-1) if is_column else values)


def describe_labels(values: Any, positions: Positions) -> Facts:
    """Return the class of each captured sample."""
    samples = _column(values)
    return _told(
        samples, class_label, positions, keys.ML_PREDICTION_LABEL, keys.ML_PREDICTION_LABELS
    )


def describe_values(values: Any, positions: Positions) -> Facts:
    """Return the predicted number of each captured sample."""
    samples = _column(values)
    return _told(samples, _number, positions, keys.ML_PREDICTION_VALUE, keys.ML_PREDICTION_VALUES)


def describe_scores(values: Any, positions: Positions) -> Facts:
    """Return the score of each captured sample."""
    samples = _column(values)
    return _told(samples, _number, positions, keys.ML_PREDICTION_SCORE, keys.ML_PREDICTION_SCORES)


def describe_interval(ends: Any, positions: Positions) -> Facts:
    """Return the two ends of the predicted interval of one sample."""
    positions(1)
    numbers = _numbers(ends)
    if len(numbers) != _ENDS:
        raise UnreadableError(f"expected the two ends of an interval, found {len(numbers)} numbers")
    if any(map(isnan, numbers)):
        raise UnreadableError("expected the two ends of an interval, found one that is missing")
    lower, upper = numbers
    return {keys.ML_PREDICTION_INTERVAL_LOWER: lower, keys.ML_PREDICTION_INTERVAL_UPPER: upper}


def describe_confidence(values: Any, positions: Positions) -> Facts:
    """
    Return the probability of the predicted class of each captured sample; of several, mean and least.

    Raises:
        UnreadableError: If one is not between 0 and 1.
    """
    confidences = [read_confidence(_number(value)) for value in _column(values)]
    facts = _told(
        confidences, float, positions, keys.ML_PREDICTION_CONFIDENCE, keys.ML_PREDICTION_CONFIDENCES
    )
    return facts if len(confidences) == 1 else {**facts, **_batch_confidence(confidences)}


def read_confidence(value: Any) -> float:
    """
    Return the probability *value*, 1 where rounding has left a little more.

    Raises:
        UnreadableError: If it is not between 0 and 1.
    """
    confidence = float(value)
    if not 0.0 <= confidence <= 1.0 + _ROUNDING:
        raise UnreadableError("expected a confidence between 0 and 1")
    return min(confidence, 1.0)


def describe_embedding(vectors: Any, positions: Positions) -> Facts:
    """Return dimension and mean length of embeddings; never the embeddings themselves."""
    vectors = _in_memory(vectors)
    if _is_matrix(vectors):
        positions(len(vectors))
        facts = describe_embeddings(vectors) or {}
        if isfinite(float(facts.get(keys.ML_EMBEDDING_NORM, 0.0))):  # type: ignore[arg-type]  # one number
            return facts
        raise UnreadableError("expected embeddings of finite numbers")
    rows = _rows_of(vectors)
    positions(len(rows))
    lengths = [sqrt(fsum(part * part for part in row)) for row in rows]
    return {
        keys.ML_EMBEDDING_DIMENSION: len(rows[0]),
        keys.ML_EMBEDDING_NORM: fsum(lengths) / len(lengths),
    }


def read_probabilities(
    values: Any, classes: Sequence[Any] | None
) -> tuple[Any, tuple[str, ...] | None]:
    """
    Return distributions as an array or as rows, and the classes of their columns as text.

    Args:
        values: Of one sample a mapping by class, a row of a data frame or numbers in the order of
            *classes*; of several an array of shape (n_samples, K), a data frame or a sequence of either.
        classes: The classes of the columns, None where *values* names them or nobody knows them.
    """
    if classes is None and _is_frame(values):
        classes = names_of(values.columns)
    elif classes is None and is_row(values):
        classes = list(values.index)
    values = [values] if isinstance(values, Mapping) else _in_memory(values)
    if isinstance(values, (list, tuple)) and values and isinstance(values[0], Mapping):
        classes = list(dict.fromkeys(chain.from_iterable(values)))
        if len(classes) * len(values) > max(_MAX_CELLS, sum(map(len, values))):
            raise UnreadableError(
                "expected the same classes for each sample, found too many others"
            )
        values = [[_number(sample.get(name, 0.0)) for name in classes] for sample in values]
    elif not _is_matrix(values):
        values = _rows_of(values)
    labels = None if classes is None else tuple(map(class_label, samples_of(classes)))
    return values, labels


def describe_distributions(
    values: Any, labels: tuple[str, ...] | None, positions: Positions
) -> Facts:
    """
    Return what `read_probabilities` gave as class, confidence, entropy and margin.

    Raises:
        UnreadableError: If a sample's numbers are no distribution, or are not one per class.
    """
    if labels is not None and len(labels) != len(values[0]):
        raise UnreadableError(
            f"expected {len(labels)} probabilities per sample, found {len(values[0])}"
        )
    if _is_matrix(values):
        facts = describe_probabilities(values, positions(len(values)), labels)
    else:
        facts = _of_rows(values, labels, positions)
    if facts is None:
        raise UnreadableError("expected probabilities of all classes, which add up to 1")
    return facts


def probabilities_text(
    values: Any, labels: tuple[str, ...], positions: Positions, max_bytes: int
) -> str | None:
    """
    Return the probability of each class as a JSON object, of several samples as an array of them.

    At most the 32 most probable classes of each sample; None where *max_bytes* would not hold it.
    """
    rows = [list(map(float, values[position])) for position in positions(len(values))]
    texts = [_object(row, labels) for row in rows]
    text = texts[0] if len(values) == 1 else f"[{','.join(texts)}]"
    return text if len(text) <= max_bytes else None


def _object(row: list[float], labels: tuple[str, ...]) -> str:
    chosen: Sequence[int] = range(len(row))
    if len(row) > _MAX_CLASSES:
        chosen = sorted(chosen, key=row.__getitem__, reverse=True)[:_MAX_CLASSES]
    return dumps({labels[i]: row[i] for i in chosen}, separators=(",", ":"))


def _of_rows(
    rows: list[list[float]], labels: tuple[str, ...] | None, positions: Positions
) -> Facts | None:
    if not all(min(row) >= 0.0 and abs(fsum(row) - 1.0) <= _TOLERANCE for row in rows):
        return None
    facts = dict(describe_confidence([min(1.0, max(row)) for row in rows], positions))
    if labels is not None:
        facts.update(describe_labels([labels[row.index(max(row))] for row in rows], positions))
    if len(rows) == 1:
        facts[keys.ML_PREDICTION_ENTROPY] = entropy(rows[0])
        facts[keys.ML_PREDICTION_MARGIN] = margin(rows[0])
    return facts


def _batch_confidence(confidences: Sequence[float]) -> Facts:
    return {
        keys.ML_BATCH_CONFIDENCE_MEAN: fsum(confidences) / len(confidences),
        keys.ML_BATCH_CONFIDENCE_MIN: min(confidences),
    }


def _told(
    samples: Sequence[Any],
    read: Callable[[Any], Any],
    positions: Positions,
    one: str,
    several: str,
) -> Facts:
    """Return what *read* makes of the captured samples, of which nobody looks at the others."""
    captured = positions(len(samples))
    if len(samples) == 1:
        return {one: read(samples[0])}
    return {several: [read(samples[position]) for position in captured]}


def _numbers(values: Any) -> list[float]:
    return [_number(value) for value in samples_of(values)]


def _number(value: Any) -> float:
    if is_missing(value):  # of one sample, which is no reason to tell nothing of the others
        return nan
    if isinstance(value, (str, bytes)):
        raise UnreadableError("expected a number, found a text")  # float() would read it
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        raise UnreadableError(
            f"expected a number of at most 64 bits, found one of {type(value).__name__}"
        ) from None


def _rows_of(values: Any) -> list[list[float]]:
    samples = samples_of(values)
    is_one = not isinstance(samples[0], Iterable)
    rows = [_numbers(row) for row in ([samples] if is_one else samples)]
    if len(set(map(len, rows))) != 1 or not all(isfinite(part) for row in rows for part in row):
        raise UnreadableError("expected finite numbers, as many for each sample")
    return rows


def names_of(columns: Any) -> list[Any] | None:
    """Return the names of a data frame's columns; None where they are only numbered."""
    return None if type(columns).__name__ == "RangeIndex" else list(columns)


def _is_matrix(values: Any) -> bool:
    # Others are read number by number, those of more than 64 bits too.
    is_plain = is_array(values) and values.dtype.char in "efd"
    return is_plain and values.ndim == _TABLE_AXES and values.size > 0

"""What vectors of an embedding space say without being told: how many components, how long they are."""

import sys
from collections.abc import Sequence
from typing import Any, Final

from otel_ml.describe.samples import draw_rows
from otel_ml.describe.tensors import plain_array
from otel_ml.describe.values import Facts
from otel_ml_conventions import attributes as keys

__all__ = ["describe_embeddings"]

# A norm is worked out in the caller's time: of more cells than this a uniform draw stands for all.
_MAX_CELLS: Final = 1_000_000
_TABLE_AXES: Final = 2


def describe_embeddings(output: Any, per_number: int = 1) -> Facts | None:
    """
    Return the dimension of embeddings, and their Euclidean norm, of several the mean.

    The norm is there where the components are floating numbers in the memory of the process; where
    they are integers it would not be that of the embedding, and a device is not asked to wait. None
    where *output* holds no vectors, or none at all.

    Args:
        output: An array or tensor of shape (n_samples, dimension) or (dimension,), dense or sparse,
            or a list of vectors; of other shapes only the dimension, the last axis, is told.
        per_number: How many components one number holds: 8 where each is a bit of it.
    """
    vectors = output if isinstance(output, list) else None
    shape = _shape(output if vectors is None else vectors[0] if vectors else None)
    if not shape or not shape[-1] or (vectors is None and not shape[0]):
        return None
    facts: dict[str, int | float] = {keys.ML_EMBEDDING_DIMENSION: shape[-1] * per_number}
    norm = _mean_norm(output, shape) if vectors is None else _norm_of_list(vectors, shape)
    return facts if norm is None else {**facts, keys.ML_EMBEDDING_NORM: norm}


def _shape(array: Any) -> tuple[int, ...]:
    return tuple(int(length) for length in getattr(array, "shape", None) or ())


def _norm_of_list(vectors: Sequence[Any], shape: tuple[int, ...]) -> float | None:
    if len(shape) != 1:
        return None
    rows = draw_rows(len(vectors), max(1, _MAX_CELLS // shape[-1]))
    norms = [_mean_norm(vectors[row], shape) for row in rows]
    told = [norm for norm in norms if norm is not None]
    return sum(told) / len(told) if len(told) == len(norms) else None


def _mean_norm(array: Any, shape: tuple[int, ...]) -> float | None:
    if len(shape) > _TABLE_AXES:
        return None
    if getattr(array, "is_sparse", False):
        return _mean_norm_of_sparse(array, shape)
    numbers = plain_array(array)
    if numbers is None or numbers.dtype.kind != "f":
        return None
    matrix = numbers.reshape(-1, shape[-1])
    rows = draw_rows(len(matrix), max(1, _MAX_CELLS // shape[-1]))
    chosen = (matrix if len(rows) == len(matrix) else matrix[list(rows)]).astype("float64")
    return float(((chosen * chosen).sum(axis=1) ** 0.5).mean())


def _mean_norm_of_sparse(tensor: Any, shape: tuple[int, ...]) -> float | None:
    """Return the mean norm of a tensor of torch in coordinates; what it does not store is zero."""
    tensor = tensor.coalesce()
    components = plain_array(tensor.values())
    if components is None or components.dtype.kind != "f":
        return None
    squares = components.astype("float64") ** 2
    if len(shape) == 1:
        return float(squares.sum() ** 0.5)
    rows = tensor.indices()[0].numpy()
    sums = sys.modules["numpy"].bincount(rows, weights=squares, minlength=shape[0])
    return float((sums**0.5).mean())

"""What is told of embeddings: their dimension and length, never a component."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra import numpy as arrays

from otel_ml.describe.embeddings import describe_embeddings
from otel_ml_conventions import attributes as keys

DIMENSION, NORM = keys.ML_EMBEDDING_DIMENSION, keys.ML_EMBEDDING_NORM


@pytest.mark.parametrize(
    ("output", "dimension", "norm"),
    [
        (np.array([3.0, 4.0]), 2, 5.0),
        (np.array([[3.0, 4.0]], "f4"), 2, 5.0),
        (np.array([[3.0, 4.0], [0.0, 0.0]]), 2, 2.5),
        (np.array([[300.0, 400.0]], "f2"), 2, 500.0),  # whose square has no place in 16 bits
        ([np.array([3.0, 4.0]), np.array([6.0, 8.0])], 2, 7.5),
        (np.zeros((2, 7)), 7, 0.0),
    ],
)
def test_the_norm_of_several_is_the_mean(output: Any, dimension: int, norm: float) -> None:
    """One vector, a matrix of them, or a list: the triangle of 3 and 4 has the side 5."""
    assert describe_embeddings(output) == {DIMENSION: dimension, NORM: norm}


@pytest.mark.parametrize(
    "output",
    [
        np.array([[3, 4]], "i1"),  # quantised
        np.zeros((1, 3, 2)),  # a vector per token
        [np.zeros((3, 2)), np.zeros((1, 2))],
        [np.array([3.0, 4.0]), np.array([3, 4])],  # the mean of some would be taken for that of all
    ],
)
def test_without_a_meaningful_norm_only_the_dimension_is_told(output: Any) -> None:
    """The length of what was rounded to integers, or of a token, is not that of an embedding."""
    assert describe_embeddings(output) == {DIMENSION: np.asarray(output[0]).shape[-1]}


@pytest.mark.parametrize(
    "output",
    [
        None,
        [],
        "a",
        1.0,
        np.float64(1.0),
        np.empty((0, 4)),
        np.empty((4, 0)),
        [{}],
        [None],
        object(),
    ],
)
def test_what_holds_no_vectors_tells_nothing(output: Any) -> None:
    """No answer, an empty batch, something else: there is nothing to tell."""
    assert describe_embeddings(output) is None


def test_of_many_vectors_a_draw_stands_for_all() -> None:
    """The cost of a norm is bounded: of ten million components a part is looked at, and it is like the whole."""
    many = np.ones((100_000, 100), "f4")
    assert describe_embeddings(many) == {DIMENSION: 100, NORM: 10.0}


@given(
    arrays.arrays(
        "f8",
        arrays.array_shapes(min_dims=2, max_dims=2),
        elements={"min_value": -1e6, "max_value": 1e6},
    )
)
def test_it_agrees_with_numpys_norm(matrix: Any) -> None:
    """Whatever the vectors, the mean of `numpy.linalg.norm` comes out."""
    told = describe_embeddings(matrix)
    assert told is not None
    expected = float(np.linalg.norm(matrix, axis=1).mean())
    assert math.isclose(float(told[NORM]), expected, rel_tol=1e-9, abs_tol=1e-150)  # type: ignore[arg-type]  # a double


def test_a_vector_that_is_not_a_number_has_a_norm_that_is_none() -> None:
    """NaN in, NaN out: a broken model is not made to look whole."""
    told = describe_embeddings(np.array([[1.0, math.nan]]))
    assert told is not None
    assert math.isnan(float(told[NORM]))  # type: ignore[arg-type]  # a double

"""What is kept of an answer: all that it says, little memory, and nothing that is wrong."""

import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from otel_ml.describe.soundness import FEW_BYTES
from otel_ml.instrumentors._kept import kept

FINITE = st.floats(-1e6, 1e6, width=32)
ANY = st.one_of(FINITE, st.sampled_from([float("nan"), float("inf"), float("-inf")]))
TYPES = st.sampled_from([np.float64, np.float32, np.float16, np.int64, np.int8, np.bool_])


def some_array(numbers: st.SearchStrategy[float]) -> st.SearchStrategy[Any]:
    """Draw an array of up to three axes, of any kind of number."""
    shapes = arrays.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=5)
    return st.one_of(
        arrays.arrays(np.float64, shapes, elements=numbers),
        TYPES.flatmap(lambda kind: arrays.arrays(kind, shapes)),
    )


def some_maps(numbers: st.SearchStrategy[float]) -> st.SearchStrategy[Any]:
    """Draw what ONNX classifiers answer with, and what looks like it."""
    values = st.one_of(numbers, st.integers(0, 1), st.none(), st.text(max_size=2))
    keys = st.one_of(st.integers(0, 3), st.text(max_size=2))
    return st.lists(st.dictionaries(keys, st.one_of(numbers, values), max_size=3), max_size=4)


PARTS = st.one_of(some_array(ANY), some_maps(ANY), st.none(), st.text(max_size=3))
ANSWERS = st.one_of(PARTS, st.lists(PARTS, max_size=6))


def numbers_in(answer: Any) -> list[Any]:
    """Return all values of an answer, one after the other."""
    if isinstance(answer, list):
        return [number for part in answer for number in numbers_in(part)]
    if isinstance(answer, dict):
        return list(answer.values())
    return np.asarray(answer).ravel().tolist()


def arrays_in(answer: Any) -> list[Any]:
    """Return the arrays of an answer."""
    if isinstance(answer, list):
        return [array for part in answer for array in arrays_in(part)]
    return [answer] if isinstance(answer, np.ndarray) else []


@given(answer=ANSWERS)
def test_what_is_kept_says_the_same_and_is_nobody_elses(answer: Any) -> None:
    """Copies are equal, hold no number that is none, and share nothing with what the caller has."""
    copied = kept(answer)
    if copied is None:
        return
    assert repr(copied) == repr(answer)
    assert np.isfinite(np.array(numbers_in(copied), dtype=float)).all()
    for mine, theirs in zip(arrays_in(copied), arrays_in(answer), strict=True):
        assert not np.shares_memory(mine, theirs)


@pytest.mark.parametrize(
    "answer",
    [
        np.array([[0.25, 0.75]]),
        np.array(["no", "yes"]),
        [np.array([1]), np.array([[0.25, 0.75]], dtype=np.float32)],
        [np.array([1]), [{0: 0.25, 1: 0.75}]],
        [[{"no": 0.25, "yes": 0.75}, {"no": 1.0, "yes": 0.0}]],
    ],
)
def test_the_usual_answers_are_kept(answer: Any) -> None:
    """Arrays of numbers and texts, alone and in a list, and the maps of an ONNX classifier."""
    assert repr(kept(answer)) == repr(answer)


@pytest.mark.parametrize(
    "answer",
    [
        np.array([[0.25, np.nan]]),
        np.array([0.5, None], dtype=object),
        np.zeros((0, 2)),
        np.float64(3.0),
        [],
        [np.array([1]), [{0: 0.25, 1: float("nan")}]],
        [np.array([1]), [{0: 1, 1: 0.0}]],
        [np.array([1]), [{}]],
        [np.array([1]), [[0.25, 0.75]]],
        [[{0: 0.5}, None]],
        [np.array([1])] * 5,
        "text",
        None,
        {"logits": np.zeros((1, 2))},
    ],
)
def test_whatever_is_not_as_usual_is_looked_at_in_the_call(answer: Any) -> None:
    """Something wrong, something empty, something unknown: nothing is kept."""
    assert kept(answer) is None


@pytest.mark.parametrize("more", [0, 1])
def test_large_answers_are_not_kept(more: int) -> None:
    """The bound holds for one array, for all of a list together, and for maps."""
    count = FEW_BYTES // 8 + more
    assert (kept(np.ones(count)) is None) == bool(more)
    assert (kept([np.ones(count - 1), np.ones(1)]) is None) == bool(more)
    assert (kept([[{0: 1.0}] * count]) is None) == bool(more)


@pytest.mark.parametrize("kind", [np.float64, np.float32, np.int64, bool])
@pytest.mark.parametrize("shape", [(50_000,), (100, 300), (2, 3, 40, 50)])
def test_without_values_the_form_of_a_large_answer_is_kept(
    shape: tuple[int, ...], kind: Any
) -> None:
    """Its shape and type, without the memory of its values."""
    answer = np.ones(shape, dtype=kind)
    for copied in (kept(answer, has_values=False), kept([answer], has_values=False)[0]):
        assert (copied.shape, copied.dtype) == (answer.shape, answer.dtype)
        assert sys.getsizeof(copied) < FEW_BYTES


def test_without_values_what_is_wrong_is_seen_nevertheless() -> None:
    """A large answer with a NaN is looked at in the call, as is one of objects."""
    answer = np.ones((100, 300))
    answer[50, 3] = np.nan
    assert kept(answer, has_values=False) is None
    assert kept(np.full(5000, "x", dtype=object), has_values=False) is None
    assert kept(np.ones((3, 0, 5)), has_values=False) is None

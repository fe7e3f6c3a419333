"""A keyed hash of an input: the same for the same, different for what differs, nothing without the key."""

import re
from hashlib import blake2b
from typing import Any

import numpy as np
import pandas as pd
import pytest

from otel_ml.describe.arrays import read_table
from otel_ml.describe.input_hash import InputHash
from tests.data.programs import run

NAMES = ("age", "city")


def hash_of(
    data: Any, key: str | None = "k", known: tuple[str, ...] | None = None, **kw: Any
) -> Any:
    """Return the hash of *data*."""
    return InputHash(key, kw.pop("max_rows", 32), **kw).of(read_table(data), known)


def test_it_is_blake2b_of_the_text_of_the_features() -> None:
    """Anybody who has the key and the input can work it out, in any language."""
    by_hand = blake2b(b'{"age":42,"city":"Bern"}', digest_size=8, key=b"k").hexdigest()
    assert hash_of(pd.DataFrame({"age": [42], "city": ["Bern"]})) == f"b2:{by_hand}"


def test_several_samples_are_an_array_of_them() -> None:
    """All of them, in their order."""
    by_hand = blake2b(b'[{"age":1},{"age":2}]', digest_size=8, key=b"k").hexdigest()
    assert hash_of(pd.DataFrame({"age": [1, 2]})) == f"b2:{by_hand}"
    assert hash_of(pd.DataFrame({"age": [2, 1]})) != f"b2:{by_hand}"


def test_numbers_without_names_are_named_by_their_place() -> None:
    """`x0`, `x1` ..., unless the model knows better; a thousand columns and more are all told apart."""
    by_hand = blake2b(b'{"x0":0.5,"x1":1.5}', digest_size=8, key=b"k").hexdigest()
    sample = np.array([[0.5, 1.5]])
    assert hash_of(sample) == f"b2:{by_hand}"
    assert hash_of(sample, known=NAMES) != f"b2:{by_hand}"
    wide = np.zeros((1, 3000))
    other = wide.copy()
    other[0, 2999] = 1.0
    assert hash_of(wide) != hash_of(other)


@pytest.mark.parametrize("length", [1, 64, 65])
def test_a_key_that_is_too_long_is_used_by_its_hash(length: int) -> None:
    """Up to 64 bytes it is used as it is, which is what BLAKE2b takes: so everybody comes to the same."""
    secret = "k" * length
    key = secret.encode() if length <= 64 else blake2b(secret.encode()).digest()
    by_hand = blake2b(b'{"a":1}', digest_size=8, key=key).hexdigest()
    assert hash_of([{"a": 1}], secret) == f"b2:{by_hand}"


def test_the_key_matters() -> None:
    """An input of few possible values cannot be found by trying them without it."""
    sample = pd.DataFrame({"is_ill": [True]})
    assert hash_of(sample, "k") != hash_of(sample, "l")
    assert hash_of(sample, "a" * 64) != hash_of(sample, "a" * 65)
    assert hash_of(sample, "a" * 65) != hash_of(sample, "a" * 66)


def test_without_a_key_each_process_has_its_own() -> None:
    """The same in one process, another in the next."""
    program = (
        "from otel_ml.describe.input_hash import InputHash;"
        "from otel_ml.describe.arrays import read_table;"
        "print(InputHash(None, 1).of(read_table([{'a': 1}]), None))"
    )
    elsewhere = run(program).stdout.strip()
    here = hash_of([{"a": 1}], None)
    assert here == hash_of([{"a": 1}], None)
    assert re.fullmatch("b2:[0-9a-f]{16}", elsewhere)
    assert here != elsewhere


def test_what_may_not_be_captured_is_not_hashed() -> None:
    """A denied feature has no say, and where nobody knows the names a list allows no hash."""
    one, other = (pd.DataFrame({"age": [42], "ssn": [number]}) for number in (1, 2))
    assert hash_of(one) != hash_of(other)
    assert hash_of(one, deny=("ssn",)) == hash_of(other, deny=("ssn",))
    assert hash_of(one, allow=("age",)) == hash_of(one, deny=("ssn",))
    assert hash_of(one, deny=("*",)) is None
    assert hash_of(np.array([[1.0]]), deny=("ssn",)) is None


@pytest.mark.parametrize(
    "data",
    [None, [], np.zeros((0, 3)), np.zeros((33, 1)), iter([1]), object()],
    ids=["none", "empty", "no rows", "too many", "iterator", "anything"],
)
def test_what_cannot_be_hashed_has_no_hash(data: Any) -> None:
    """Nothing is made up."""
    assert hash_of(data) is None


def test_odd_text_is_hashed_too() -> None:
    """Half of a surrogate pair is a text in Python, and no valid UTF-8."""
    assert re.fullmatch("b2:[0-9a-f]{16}", hash_of(pd.DataFrame({"t": ["\ud800"]}, dtype=object)))

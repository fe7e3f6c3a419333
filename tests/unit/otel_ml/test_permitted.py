"""What the settings let leave of inputs."""

import pandas as pd
import pytest

from otel_ml.describe.arrays import read_table
from otel_ml.permitted import input_hash
from otel_ml.settings import Settings


def hash_of(settings: Settings, age: int, name: str) -> str | None:
    """Return the hash of one sample, which is expected to be asked for."""
    hashing = input_hash(settings)
    assert hashing is not None
    return hashing.of(read_table(pd.DataFrame({"age": [age], "name": [name]})), None)


def test_no_hash_of_inputs_leaves_unless_asked_for() -> None:
    """By default there is nothing that would make one."""
    assert input_hash(Settings()) is None


@pytest.mark.parametrize(
    "chosen",
    [
        Settings(capture_input_hash=True, feature_denylist=("name",)),
        Settings(capture_input_hash=True, feature_allowlist=("age",)),
    ],
)
def test_a_feature_that_may_not_leave_has_no_say_in_the_hash(chosen: Settings) -> None:
    """Whoever knows the key cannot try names until the hash is right: it is the same for all of them."""
    assert hash_of(chosen, 42, "Ada") == hash_of(chosen, 42, "Grace")
    assert hash_of(chosen, 42, "Ada") != hash_of(chosen, 43, "Ada")


def test_calls_of_more_samples_than_may_leave_have_no_hash() -> None:
    """The limit of captured rows is that of the hash: two samples, and not three."""
    hashing = input_hash(Settings(capture_input_hash=True, capture_max_rows=2))
    assert hashing is not None
    rows = pd.DataFrame({"age": [1, 2, 3]})
    assert hashing.of(read_table(rows[:2]), None) is not None
    assert hashing.of(read_table(rows), None) is None

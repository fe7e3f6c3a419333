"""What users say of a call, each fact in the type that the conventions give it."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from otel_ml.by_hand.outputs import UnreadableError
from otel_ml.by_hand.prediction_ids import plain_id
from otel_ml.describe.probabilities import class_label
from otel_ml.describe.values import is_missing, own_text, valid_text
from otel_ml_conventions import attributes as keys
from otel_ml_conventions.attributes import MlEvaluationDatasetValues

__all__ = ["position", "sample_index", "size", "text", "typed", "whole"]

_LEAST: Final = -(1 << 63)
_MOST: Final = (1 << 63) - 1
_MAX_LENGTH: Final = (
    1024  # of a text: a collector that refuses what is too long loses all spans beside it
)


def text(value: object) -> str:
    """Return *value* as text, a version that is given as a number too; at most 1024 characters of it."""
    told = own_text(value)
    return valid_text(told if len(told) <= _MAX_LENGTH else told[:_MAX_LENGTH])


def whole(value: Any) -> int:
    """
    Return *value*, a whole number of anybody's, as Python's own.

    A number of numpy's would be sent as text, and where metrics hold one nothing of them is sent.

    Raises:
        ValueError: If it is no whole number of 64 bits.
    """
    number = int(value)
    if number != value or not _LEAST <= number <= _MOST:
        raise ValueError
    return number


def size(value: Any) -> int:
    """
    Return *value*, a number of things, likewise.

    Raises:
        ValueError: If it is none, or less than 0.
    """
    number = whole(value)
    if number < 0:  # -1 for a size that is not known, say
        raise ValueError
    return number


def position(value: Any) -> int:
    """
    Return *value*, a place that is counted from 0, likewise; a truth is none.

    Raises:
        ValueError: If it is none, or less than 0.
    """
    if type(value).__name__ in _TRUTHS:  # numpy's are equal to numbers, too
        raise ValueError
    return size(value)


def sample_index(value: object) -> int | None:
    """
    Return which sample of a batch *value* says, None where it says nothing.

    Raises:
        UnreadableError: If it says what no sample has: without it, another one would be told of.
    """
    try:
        return None if is_missing(value) else position(value)
    except Exception:  # noqa: BLE001 - what a user gives may raise anything
        raise UnreadableError("expected an index of at least 0, found another") from None


def _dataset(value: object) -> str:
    return MlEvaluationDatasetValues(value).value


_TRUTHS: Final = frozenset({"bool", "bool_"})
_READERS: Final[Mapping[str, Callable[[Any], Any]]] = {
    keys.ML_BATCH_SIZE: size,
    keys.ML_EVALUATION_DATASET: _dataset,
    keys.ML_EVALUATION_VALUE: float,
    keys.ML_EXPLANATION_TARGET: class_label,
    keys.ML_INPUT_FEATURE_COUNT: size,
    keys.ML_PIPELINE_STEP_INDEX: position,
    keys.ML_PREDICTION_ID: plain_id,
    keys.ML_PREDICTION_INDEX: position,
    keys.ML_PREDICTION_THRESHOLD: float,
    keys.ML_RANDOM_SEED: whole,
    keys.ML_TRAINING_SAMPLE_COUNT: size,
}


def typed(facts: Mapping[str, Any], failed: Callable[[str, BaseException], None]) -> dict[str, Any]:
    """
    Return those of *facts* that are known, each in its type: a number where one is meant, else a text.

    Args:
        facts: What was said, by its name in the conventions; None is not known.
        failed: Counts, by its cause, what cannot be read and is left out.
    """
    told = {key: _read(key, fact, failed) for key, fact in facts.items() if fact is not None}
    return {key: fact for key, fact in told.items() if fact is not None}


def _read(key: str, fact: Any, failed: Callable[[str, BaseException], None]) -> Any:
    try:
        return _READERS.get(key, text)(fact)
    except Exception as error:  # noqa: BLE001 - what a user gives may raise anything
        failed("describe_facts", error)
        return None

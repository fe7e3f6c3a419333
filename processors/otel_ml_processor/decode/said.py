"""What the bytes of a request may say beyond its columns: most say nothing more, and are not looked at again."""

from __future__ import annotations

from enum import IntEnum
from typing import Final

from otel_ml_conventions.attributes import (
    ML_EXPLANATION_ATTRIBUTIONS,
    ML_PREDICTION_ID,
    MlTaskTypeValues,
)
from otel_ml_processor.decode.fast_search import occurs

__all__ = [
    "ANYTHING",
    "EXPLANATION_MARK",
    "FEEDBACK_MARK",
    "LIST_MARKS",
    "NOTHING",
    "OF_ROWS",
    "PREDICTION_ID_MARK",
    "Said",
    "said_in",
]

FEEDBACK_MARK: Final = b"ml.feedback"
"""Bytes that a request without feedback does not have; likewise the others."""
EXPLANATION_MARK: Final = ML_EXPLANATION_ATTRIBUTIONS.encode()
PREDICTION_ID_MARK: Final = ML_PREDICTION_ID.encode()
LIST_MARKS: Final = (
    MlTaskTypeValues.RANKING.value.encode(),
    MlTaskTypeValues.RECOMMENDATION.value.encode(),
)
"""The tasks of calls that return an ordered list: a span of a list has one."""


class Said(IntEnum):
    """A bit for each thing that there may be."""

    FEEDBACK = 1
    EXPLANATIONS = 2
    PREDICTION_IDS = 4
    LISTS = 8
    BATCHES = 16
    """Spans of several rows."""


NOTHING: Final = 0
ANYTHING: Final = sum(Said)
OF_ROWS: Final = Said.PREDICTION_IDS | Said.LISTS | Said.BATCHES
"""What spans say of their rows: how these are to be found, how large a batch was, or its order."""
_MARKS: Final = (
    (Said.FEEDBACK, (FEEDBACK_MARK,)),
    (Said.EXPLANATIONS, (EXPLANATION_MARK,)),
    (Said.PREDICTION_IDS, (PREDICTION_ID_MARK,)),
    (Said.LISTS, LIST_MARKS),
)


def said_in(request: bytes) -> int:
    """Return what *request* may say, by the bytes that are in it; whether it has batches they do not tell."""
    return sum(what for what, marks in _MARKS if any(occurs(mark, request) for mark in marks))

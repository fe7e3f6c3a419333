"""What compiled code writes of each span of a request: its state, and the lines of two blocks."""

from __future__ import annotations

from enum import IntEnum
from typing import Final

__all__ = ["N_FACTS", "N_FLAGS", "Fact", "Flag", "State"]


class State(IntEnum):
    """What came of a span."""

    OTHER = 0
    """No inference: nothing is to be said of it."""
    PLAIN = 1
    """An inference of one sample, read."""
    ODD = 2
    """To be read by the plain decoder, whatever it is."""


class Fact(IntEnum):
    """What is said of a plain span in 64 bits: the lines of a block of shape (N_FACTS, n_spans)."""

    END_TIME = 0
    MODEL = 1
    VERSION = 2
    """The number of the text, -1 without; likewise LABEL."""
    LABEL = 3
    CONFIDENCE = 4
    """The bits of a float, of four in a row: confidence, entropy and margin, clipped to [0, 1], and value; NaN where not said."""
    FEATURES = 8
    """Where the JSON text begins, and in the next line where it ends; -1 without."""
    IDS = 10
    """In three lines, as `InferenceSpans.ids` has them: the trace id and the span id. Of odd spans too, as far as they were read."""
    CALL = 13
    """In two lines, as `InferenceColumns.calls` has them: the process and the number of the call."""
    HASHES = 15
    """In two lines, as `InferenceColumns.hashes` has them: of the input and of its schema."""
    PROBABILITIES = 17
    """Where the JSON text of those of all classes begins, and in the next line where it ends; -1 without."""
    THRESHOLD = 19
    """As `InferenceColumns.thresholds` has it."""
    GROUP = 20
    """Which `resource_spans` it is of, and in the next line which stream, -1 of all but plain ones: what `number_streams` writes."""
    STREAM = 21


N_FACTS: Final = 22


class Flag(IntEnum):
    """What is so or not of a span: the lines of a block of shape (N_FLAGS, n_spans)."""

    HAS_VERDICT = 0
    IS_CUT = 1
    IS_FAILED = 2


N_FLAGS: Final = 3

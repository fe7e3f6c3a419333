"""What a call was given and answered, kept in copies to be looked at when its caller has gone on."""

import sys
from collections.abc import Hashable, Iterator, Sequence
from typing import Any, Final, NamedTuple

from otel_ml.describe.arrays import read_table
from otel_ml.describe.models import Model
from otel_ml.describe.probabilities import describe_confidences
from otel_ml.describe.validation import Expectation, Failure
from otel_ml.describe.values import Facts
from otel_ml.validation import Validator
from otel_ml_conventions.attributes import ML_PREDICTION_CONFIDENCE, ML_PREDICTION_CONFIDENCES

__all__ = ["Findings", "Reading", "Unread", "confidences_of", "findings"]

_NOTHING_TOLD: Final[Facts] = {}


class Reading(NamedTuple):
    """
    How the arrays of all calls of one method of a model are read.

    Attributes:
        model: Who is asked.
        expectation: What it says of its inputs.
        are_probabilities: Whether metrics need the confidences that its outputs hold.
        are_logarithms: Whether these hold their logarithms.
    """

    model: Model
    expectation: Expectation
    are_probabilities: bool
    are_logarithms: bool


class Unread(NamedTuple):
    """
    The small arrays of floating numbers that one call is about, copied while the caller had them.

    Attributes:
        reading: How they are read.
        input: One row per sample, of the form that is expected.
        output: One row per sample; None where nothing of it is left to be looked at.
    """

    reading: Reading
    input: Any
    output: Any

    @property
    def layout(self) -> Hashable:
        """What calls have in common whose arrays can be laid under one another and read as one."""
        given, answered, reading = self.input, self.output, self.reading
        of_output = None if answered is None else (answered.shape, answered.dtype)
        kinds = reading.are_probabilities, reading.are_logarithms
        return (given.shape, given.dtype, of_output, kinds)


class Findings(NamedTuple):
    """What is found in the arrays of one call: missing cells, confidences, and rules that it breaks."""

    missing_count: int | None
    confidences: Sequence[float]
    failures: tuple[Failure, ...]


def confidences_of(outputs: Facts) -> Any:
    """Return the confidences that *outputs* tell, none where they tell none."""
    confidence = outputs.get(ML_PREDICTION_CONFIDENCE)
    if confidence is not None:
        return (confidence,)
    return outputs.get(ML_PREDICTION_CONFIDENCES, ())


def findings(calls: Sequence[Unread], validator: Validator) -> Iterator[Findings]:
    """
    Yield what is found in each of *calls*, all of one layout.

    They are looked at together, as one array of all their samples, for numpy takes as long for one
    row as for a hundred. Only where something is wrong in one of them each is looked at by itself.
    """
    together = _if_all_is_well(calls) if len(calls) > 1 else None
    if together is None:
        return (_of_one(call, validator) for call in calls)
    return together


def _if_all_is_well(calls: Sequence[Unread]) -> Iterator[Findings] | None:
    join = sys.modules["numpy"].concatenate
    if not read_table(join([call.input for call in calls])).is_sound():
        return None
    first = calls[0]
    if first.output is None:
        return (Findings(0, (), ()) for _ in calls)
    outputs = join([call.output for call in calls])
    if not first.reading.are_probabilities:
        return (Findings(0, (), ()) for _ in calls) if read_table(outputs).is_sound() else None
    confidences, rows = _confidences(first.reading, outputs), len(first.output)
    if not confidences:
        return None
    starts = range(0, len(outputs), rows)
    return (Findings(0, confidences[start : start + rows], ()) for start in starts)


def _of_one(call: Unread, validator: Validator) -> Findings:
    table = read_table(call.input)
    failures: tuple[Failure, ...] = ()
    missing = table.missing()
    if not table.is_sound():
        failures = validator.check_input(table, call.reading.model, call.reading.expectation)
    confidences: Sequence[float] = ()
    if call.output is not None:
        confidences = _confidences(call.reading, call.output)
        if not confidences:
            failures += validator.check_output(call.output, table.rows)
    return Findings(missing, confidences, failures)


def _confidences(reading: Reading, output: Any) -> Sequence[float]:
    """Return the confidence of each sample; none where they are not asked for, or not all can be told."""
    if not reading.are_probabilities:
        return ()
    rows = range(len(output))
    facts = describe_confidences(output, rows, are_logarithms=reading.are_logarithms)
    found: Sequence[float] = confidences_of(facts or _NOTHING_TOLD)
    return found

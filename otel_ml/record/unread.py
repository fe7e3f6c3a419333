"""What a model answered, kept in a copy to be looked at when its caller has gone on."""

import sys
from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence
from typing import Any, Final, NamedTuple

from otel_ml.describe.probabilities import describe_confidences
from otel_ml.describe.samples import draw_rows
from otel_ml.describe.values import Facts
from otel_ml_conventions.attributes import ML_PREDICTION_CONFIDENCE, ML_PREDICTION_CONFIDENCES

__all__ = ["Reading", "Unread", "confidences_of", "confidences_together"]

_NOTHING_TOLD: Final[Facts] = {}
_THE_ONLY_ONE: Final = range(1)


class Reading(NamedTuple):
    """
    How what is kept of the calls of one method of a model is read.

    Attributes:
        describe: Returns what a span says of such a call, beside what it says at its start.
        probabilities: Returns the probabilities of classes in an output, an array of one row per sample;
            None where metrics need none.
    """

    describe: Callable[["Unread"], Facts]
    probabilities: Callable[[Any], Any] | None


class Unread:
    """
    What is kept of a call in which nothing was wrong: small, and the caller has no part in it any more.

    Args:
        reading: How it is read.
        form: What is told of the form of the input, whatever its values.
        samples: Copies of samples of the input whose values may be told, as `ContentPolicy.capture_drawn` takes
            them; None where none may.
        output: What the model answered.
        rows: The number of samples.
        at_most: Of how many of them something is told, at most.
    """

    is_told = True  # as who describes outputs asks: all that may be is told of them

    def __init__(
        self,
        reading: Reading,
        form: Facts,
        samples: Any,
        output: Any,
        rows: int,
        at_most: int,
    ) -> None:
        self.reading = reading
        self.form = form
        self.samples = samples
        self.output = output
        self.rows = rows
        self._at_most = at_most
        # The samples that are told of: whichever thread comes first, all tell of the same.
        self._chosen: dict[int, Sequence[int]] | None = None if rows == 1 else {}

    def facts(self) -> Facts:
        """Return what a span says of the call, beside what it says at its start."""
        return self.reading.describe(self)

    def positions(self, length: int) -> Sequence[int] | None:
        """Return the samples that are told of, the same every time; None if *length* is not their number."""
        if length != self.rows:
            return None
        if self._chosen is None:  # most calls
            return _THE_ONLY_ONE
        chosen = self._chosen.get(length)
        if chosen is None:
            chosen = self._chosen.setdefault(length, draw_rows(length, self._at_most))
        return chosen

    def choose(self, rows: Sequence[int]) -> None:
        """Tell of the samples *rows* and no others."""
        if self._chosen is not None:
            self._chosen[self.rows] = rows

    @staticmethod
    def argument(_name: str) -> None:
        """Return None: nothing is kept of a call that gives what its outputs cannot be read without."""
        return


def confidences_of(outputs: Facts) -> Any:
    """Return the confidences that *outputs* tell, none where they tell none."""
    confidence = outputs.get(ML_PREDICTION_CONFIDENCE)
    if confidence is not None:
        return (confidence,)
    return outputs.get(ML_PREDICTION_CONFIDENCES, ())


def confidences_together(calls: Sequence[Unread]) -> list[Sequence[float]]:
    """
    Return the confidences of each of *calls*, none of a call that has none.

    Calls whose outputs are alike are looked at together, as one array of all their samples, for numpy
    takes as long for one row as for a hundred. Only where one of them holds something else is each
    looked at by itself.
    """
    outputs = [_probabilities(call) for call in calls]
    alike: defaultdict[Hashable, list[int]] = defaultdict(list)
    for place, output in enumerate(outputs):
        if output is not None:
            alike[output.shape, output.dtype].append(place)
    found: list[Sequence[float]] = [()] * len(calls)
    for places in alike.values():
        together = _together([outputs[place] for place in places])
        for number, place in enumerate(places):
            output, rows = outputs[place], calls[place].positions(len(outputs[place])) or ()
            if together is None:
                found[place] = _confidences(output, rows)
            else:
                of_call = together[number * len(output) : (number + 1) * len(output)]
                found[place] = [of_call[row] for row in rows]
    return found


def _probabilities(call: Unread) -> Any:
    output = None
    if call.reading.probabilities is not None:
        output = call.reading.probabilities(call.output)
    return output if output is not None and len(output) == call.rows else None


def _together(outputs: Sequence[Any]) -> Sequence[float] | None:
    """Return the confidences of all samples of several arrays, one after the other; None unless all have one."""
    if len(outputs) == 1:
        return None
    joined = sys.modules["numpy"].concatenate(outputs)
    return _confidences(joined, range(len(joined))) or None


def _confidences(output: Any, rows: Sequence[int]) -> Sequence[float]:
    found: Sequence[float] = confidences_of(describe_confidences(output, rows) or _NOTHING_TOLD)
    return found

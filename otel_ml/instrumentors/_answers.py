"""What an output holds, where that is known, and what may be told of it."""

from collections.abc import Callable, Mapping, Sequence
from enum import IntEnum, auto
from typing import Any, ClassVar, Final

from otel_ml.describe.probabilities import (
    describe_classes,
    describe_confidences,
    describe_numbers,
    describe_probabilities,
    describe_scores,
    describe_shape,
    probabilities_text,
)
from otel_ml.describe.values import Facts
from otel_ml.instrumentors._subject import Captured
from otel_ml.settings import Settings
from otel_ml_conventions import attributes as keys

__all__ = ["Answer", "Answers"]

_NOT_TOLD: Final[Facts] = {}


class Answer(IntEnum):  # of which a dictionary finds the hash without asking Python
    """What an output holds of each sample."""

    CLASSES = auto()
    PROBABILITIES = auto()
    LOGARITHMS = auto()  # of probabilities
    NUMBERS = auto()
    SCORES = auto()
    UNKNOWN = auto()


class Answers:
    """
    What is told of the outputs of one model.

    Args:
        settings: What may be captured: numbers, scores, and the probabilities of all classes leave
            only where everything of outputs is asked for.
        labels: The classes as text in the order of the columns of probabilities, None where unknown.
        names: What a class that is returned, as text, is called.
        are_numbered: Whether classes without labels are told by their number.
    """

    def __init__(
        self,
        settings: Settings,
        labels: Sequence[str] | None = None,
        names: Mapping[str, str] | None = None,
        *,
        are_numbered: bool = False,
    ) -> None:
        self._tells_all = settings.capture_outputs == "full"
        self._max_bytes = settings.capture_max_bytes
        self._labels = labels
        self._names = names
        self._are_numbered = are_numbered

    def describe(self, answer: Answer, output: Any, captured: Captured) -> Facts:
        """Return what is told of *output*, which holds *answer*; its shape where it does not."""
        length = _length(output)
        rows = captured.positions(length) if length else None
        if not rows:
            return describe_shape(output)
        describe = self._describers.get(answer)
        described = None if describe is None else describe(self, output, rows, captured.is_told)
        return describe_shape(output) if described is None else described

    def _classes(self, output: Any, rows: Sequence[int], _is_told: bool) -> Facts | None:
        return describe_classes(output, rows, self._names)

    def _numbers(self, output: Any, rows: Sequence[int], _is_told: bool) -> Facts | None:
        return self._if_all_is_told(describe_numbers(output, rows))

    def _scores(self, output: Any, rows: Sequence[int], _is_told: bool) -> Facts | None:
        return self._if_all_is_told(describe_scores(output, rows))

    def _if_all_is_told(self, numbers: Facts | None) -> Facts | None:
        return numbers if numbers is None or self._tells_all else _NOT_TOLD

    def _logarithms(self, output: Any, rows: Sequence[int], is_told: bool) -> Facts | None:
        return self._probabilities(output, rows, is_told, are_logarithms=True)

    def _probabilities(
        self, output: Any, rows: Sequence[int], is_told: bool, *, are_logarithms: bool = False
    ) -> Facts | None:
        if not is_told:
            return describe_confidences(output, rows, are_logarithms=are_logarithms)
        labels = self._labels
        if labels is None and self._are_numbered and hasattr(output, "shape"):
            labels = tuple(map(str, range(output.shape[-1])))
        described = describe_probabilities(output, rows, labels, are_logarithms=are_logarithms)
        if described is None or labels is None or not self._tells_all:
            return described
        if len(labels) != output.shape[1]:
            return described
        text = probabilities_text(
            output, rows, labels, self._max_bytes, are_logarithms=are_logarithms
        )
        return {**described, keys.ML_PREDICTION_PROBABILITIES: text}

    # Of an output, the samples in it that are captured, and whether more than confidences is told.
    _describers: ClassVar[Mapping[Answer, Callable[..., Facts | None]]] = {
        Answer.CLASSES: _classes,
        Answer.PROBABILITIES: _probabilities,
        Answer.LOGARITHMS: _logarithms,
        Answer.NUMBERS: _numbers,
        Answer.SCORES: _scores,
    }


def _length(output: Any) -> int | None:
    if isinstance(output, list):
        return len(output)
    shape = getattr(output, "shape", None)
    return shape[0] if isinstance(shape, tuple) and shape and isinstance(shape[0], int) else None

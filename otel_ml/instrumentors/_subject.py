"""A model as its framework reads it, and what it may ask of a call that it describes."""

from collections.abc import Sequence
from typing import Any, Protocol

from otel_ml.describe.arrays import Table
from otel_ml.describe.models import Model
from otel_ml.describe.values import Facts
from otel_ml.instrumentors._arguments import first_argument
from otel_ml_conventions.attributes import MlOperationNameValues

__all__ = ["Captured", "Subject"]


class Subject(Protocol):
    """
    A model as its framework reads it, once, until a model is trained again.

    Where it knows more of its inputs than their names it says so by an attribute `expectation`. Where
    copies of the arrays in an output, alone or in a list, say all that it does, it has an attribute
    `distributions`: of the methods whose outputs hold probabilities of classes, what returns these, one
    row per sample. Small outputs are then looked at later; where its attribute `reads_values` is false
    because their shape and type is all it tells, large ones too, as objects that have these alone; but not of calls that give one
    argument without which they cannot be read, whose name is its attribute `asks_for`. Methods that return
    nothing, because the answer is put where the caller said, are its attribute `answers_elsewhere`.
    Whoever extends it predicts, and reads the samples from the first argument of every method.
    """

    model: Model
    feature_names: tuple[str, ...] | None

    def operation(self, method: str) -> str:  # noqa: ARG002 - others tell them apart
        """Return the value of `ml.operation.name` for *method*: `predict`."""
        return MlOperationNameValues.PREDICT.value

    def table(self, method: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Table:  # noqa: ARG002 - others look
        """Return what *method* is asked about, given its arguments after the model: the first."""
        return first_argument(args, kwargs)

    def matters_unsampled(self, method: str) -> bool:
        """Whether the outputs of *method* hold something that metrics need of every call."""

    def outputs(self, method: str, output: Any, captured: "Captured") -> Facts:
        """Return what is to be told of *output*, of the samples that *captured* gives; nobody changes it later."""


class Captured(Protocol):
    """Tells which samples of an output are captured, and what was asked for."""

    @property
    def is_told(self) -> bool:
        """Whether what is said goes onto a span; else metrics need its confidences alone."""

    def positions(self, length: int) -> Sequence[int] | None:
        """Return positions in an output of *length* samples; None if the input had another number."""

    def argument(self, name: str) -> Any:
        """Return what was given for the parameter *name* of the method, None where nothing was."""

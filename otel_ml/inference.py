"""The facts of one call of a model, as every framework's instrumentor hands them on."""

from collections.abc import Sequence
from typing import NamedTuple

from otel_ml.describe.probabilities import Outputs
from otel_ml.describe.samples import Content

__all__ = ["Inference", "Inputs"]


class Inputs(NamedTuple):
    """
    What is said of a call's inputs without telling any value; None where it is unknown.

    `shape` and `dtype` are for tensors: a table is told by the batch size and `feature_count`.
    """

    feature_count: int | None = None
    missing_count: int | None = None
    schema_hash: str | None = None
    shape: Sequence[int] | None = None
    dtype: str | None = None


class Inference(NamedTuple):
    """
    One call of a model, complete and unchangeable.

    It says nothing of spans: not every inference becomes one, every one is counted.

    Attributes:
        batch_size: Samples in the call, None where the input did not tell.
        duration: Seconds that the model's own method took.
        end_time_ns: When it returned or raised, in nanoseconds since 1970.
        inputs: What is said of the inputs.
        content: Feature values, where they may leave the process.
        outputs: What is said of the outputs.
        error: The exception that left the call.
    """

    batch_size: int | None
    duration: float
    end_time_ns: int
    inputs: Inputs = Inputs()
    content: Content | None = None
    outputs: Outputs = Outputs()
    error: BaseException | None = None

"""The facts of one call of a model, as every framework's instrumentor hands them on."""

from typing import NamedTuple

from otel_ml.describe.values import Facts

__all__ = ["Inference"]


class Inference(NamedTuple):
    """
    One call of a model, complete and unchangeable.

    It says nothing of spans: not every inference becomes one, every one is counted.

    Attributes:
        batch_size: Samples in the call, None where the input did not tell.
        duration: Seconds that the model's own method took.
        end_time_ns: When it returned or raised, in nanoseconds since 1970.
        missing_count: Null and NaN cells of the input, None where they were not counted.
        inputs: What is said of the inputs, their values only where these may leave the process.
        outputs: What is said of the outputs.
        error: The exception that left the call.
    """

    batch_size: int | None
    duration: float
    end_time_ns: int
    missing_count: int | None
    inputs: Facts
    outputs: Facts
    error: BaseException | None

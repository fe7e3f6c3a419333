"""Steps around a model: what prepares its inputs, and what turns its outputs into an answer."""

from collections.abc import Iterator
from contextlib import contextmanager

from otel_ml.by_hand.operations import identity, operation
from otel_ml_conventions import attributes as keys

__all__ = ["pipeline_step"]


@contextmanager
def pipeline_step(
    name: str,
    *,
    operation_name: str = "transform",
    index: int | None = None,
    model: str | None = None,
    version: str | None = None,
    implementation: str | None = None,
    framework: str | None = None,
    task: str | None = None,
    batch_size: int | None = None,
) -> Iterator[None]:
    """
    Make a span `ml.pipeline.step` of the block, inside or around a call of a model.

    Calls of models inside are what they would be outside. An exception goes on untouched.

    Args:
        name: Name of the step, of low cardinality.
        operation_name: `preprocess`, `transform`, `postprocess`, or another value of
            `ml.operation.name`.
        index: Position of the step in its pipeline, from 0.
        model: Name of the model that it belongs to.
        version: Version of that model.
        implementation: Class that implements the step.
        framework: A value of `ml.framework.name`; its version is told where it is imported.
        task: A value of `ml.task.type`.
        batch_size: Number of samples.
    """
    facts = {
        keys.ML_PIPELINE_STEP_NAME: name,
        keys.ML_PIPELINE_STEP_INDEX: index,
        **identity(model, version, framework, task, implementation),
        keys.ML_BATCH_SIZE: batch_size,
    }
    with operation(operation_name, name, facts, hides_calls=False):
        yield

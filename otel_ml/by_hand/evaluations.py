"""How good a model is, and the time that finding it out takes."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from otel_ml.by_hand.operations import Operation, identity, operation
from otel_ml.by_hand.typed import typed
from otel_ml.describe.values import own_text
from otel_ml.in_force import in_force
from otel_ml.record.tracing import is_enabled
from otel_ml_conventions import attributes as keys
from otel_ml_conventions.attributes import MlEvaluationDatasetValues
from otel_ml_conventions.events import EVENT_ML_EVALUATION_RESULT

__all__ = ["Evaluation", "evaluation", "record_evaluation"]

_DATASETS: Final = tuple(dataset.value for dataset in MlEvaluationDatasetValues)


def record_evaluation(
    name: str,
    value: float,
    *,
    dataset: str | None = None,
    model: str | None = None,
    version: str | None = None,
    run_id: str | None = None,
) -> None:
    """
    Say how good a model is: the event `ml.evaluation.result`, in the context of the current span.

    Nothing is raised; what cannot be understood is counted and logged once.

    Args:
        name: Name of the score, `accuracy`, `roc_auc`, `rmse` ...
        value: Its value.
        dataset: `train`, `validation` or `test`.
        model: Name of the model.
        version: Version of the model.
        run_id: The run that trained it: the tracker's name, a colon and its own identifier.
    """
    recorder = in_force()
    if not is_enabled():
        return
    if dataset is not None and not (isinstance(dataset, str) and dataset in _DATASETS):
        reason = f"expected a dataset of {', '.join(_DATASETS)}, found another"
        recorder.refused("record_evaluation", reason)
        return
    try:
        facts = {
            keys.ML_MODEL_NAME: model,
            keys.ML_MODEL_VERSION: version,
            keys.ML_EVALUATION_NAME: own_text(name),
            keys.ML_EVALUATION_VALUE: float(value),
            keys.ML_EVALUATION_DATASET: dataset,
            keys.ML_TRAINING_RUN_ID: run_id,
        }
    except Exception as error:  # noqa: BLE001 - what a user gives may raise anything
        recorder.failed("record_evaluation", error)
        return
    recorder.event(EVENT_ML_EVALUATION_RESULT, typed(facts, recorder.failed))


class Evaluation:
    """The scoring of a model on labelled samples; `evaluation` makes it."""

    def __init__(self, under_way: Operation, dataset: str | None) -> None:
        self._identity = under_way.identity
        self._dataset = dataset

    def record(self, name: str, value: float) -> None:
        """Say that score *name* is *value*, as `record_evaluation` does."""
        record_evaluation(
            name,
            value,
            dataset=self._dataset,
            model=self._identity.get(keys.ML_MODEL_NAME),
            version=self._identity.get(keys.ML_MODEL_VERSION),
        )


@contextmanager
def evaluation(
    name: str,
    *,
    dataset: str | None = None,
    version: str | None = None,
    framework: str | None = None,
    task: str | None = None,
    implementation: str | None = None,
    batch_size: int | None = None,
) -> Iterator[Evaluation]:
    """
    Make a span `ml.evaluation` of the block, in which the calls of the model are no inferences.

    Args:
        name: Name of the model.
        dataset: `train`, `validation` or `test`.
        version: Version of the model.
        framework: A value of `ml.framework.name`; its version is told where it is imported.
        task: A value of `ml.task.type`.
        implementation: Class of the model.
        batch_size: Number of samples that it is scored on.
    """
    facts: dict[str, Any] = {
        **identity(name, version, framework, task, implementation),
        keys.ML_EVALUATION_DATASET: dataset,
        keys.ML_BATCH_SIZE: batch_size,
    }
    with operation("evaluate", name, facts, hides_calls=True) as under_way:
        yield Evaluation(under_way, dataset)

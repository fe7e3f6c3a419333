"""How a model comes about: the time it takes, and how it fares from epoch to epoch."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from time import perf_counter
from typing import Any, Final

from otel_ml.by_hand.operations import Operation, identity, operation
from otel_ml.by_hand.typed import position, typed
from otel_ml.describe.values import own_text
from otel_ml.in_force import in_force
from otel_ml.record.failures import qualified
from otel_ml_conventions import attributes as keys
from otel_ml_conventions.events import EVENT_ML_TRAINING_EPOCH

__all__ = ["Training", "training"]

# A span has room for 128 attributes, and lets go of the first ones, which say whose it is.
_MAX_PARAMETERS: Final = 64


class Training:
    """The training of a model; `training` makes it."""

    def __init__(self, under_way: Operation) -> None:
        self._operation = under_way
        self._next = 0

    def epoch(
        self,
        scores: Mapping[str, float] | None = None,
        *,
        dataset: str | None = None,
        index: int | None = None,
    ) -> None:
        """
        Say that training went through the data once more: an event `ml.training.epoch` per score.

        Args:
            scores: Values by the names of scores, none where none was computed.
            dataset: What they are of: `train`, `validation` or `test`.
            index: Which epoch it was, from 0; by default the one after the last.
        """
        recorder = self._operation.recorder
        try:
            number = self._next if index is None else position(index)
            self._next = max(self._next, number + 1)
            facts = {**self._operation.identity, keys.ML_TRAINING_EPOCH_INDEX: number}
            about = typed({keys.ML_EVALUATION_DATASET: dataset}, recorder.failed)
            for score in _scored(scores, about):
                recorder.event(EVENT_ML_TRAINING_EPOCH, {**facts, **score}, self._operation.span)
            self._operation.facts[keys.ML_TRAINING_EPOCH_COUNT] = self._next
        except Exception as error:  # noqa: BLE001 - what a user gives may raise anything
            recorder.failed("record_epoch", error)


def _scored(scores: Mapping[str, float] | None, about: Mapping[str, Any]) -> list[dict[str, Any]]:
    if not scores:
        return [{}]
    return [
        {keys.ML_EVALUATION_NAME: own_text(name), keys.ML_EVALUATION_VALUE: float(value), **about}
        for name, value in scores.items()
    ]


def _told(parameters: Any) -> dict[str, object]:
    if parameters is not None and not isinstance(parameters, Mapping):
        found = type(parameters).__name__
        in_force().refused("describe_facts", f"expected parameters by name, found {found}")
        return {}
    named = list((parameters or {}).items())
    return {
        f"{keys.ML_TRAINING_PARAMETER}.{name}": value for name, value in named[:_MAX_PARAMETERS]
    }


@contextmanager
def training(
    name: str,
    *,
    version: str | None = None,
    framework: str = "other",
    task: str | None = None,
    implementation: str | None = None,
    device: str | None = None,
    seed: int | None = None,
    run_id: str | None = None,
    dataset: str | None = None,
    dataset_hash: str | None = None,
    sample_count: int | None = None,
    feature_count: int | None = None,
    parameters: Mapping[str, object] | None = None,
) -> Iterator[Training]:
    """
    Make a span `ml.training` of the block, in which no call of a model is an inference.

    Its duration is also the metric `ml.training.duration`. An exception goes on untouched.

    Args:
        name: Name of the model.
        version: Version of the model.
        framework: A value of `ml.framework.name`; its version is told where it is imported.
        task: A value of `ml.task.type`.
        implementation: Class of the model.
        device: Device that it is trained on, as its framework names it.
        seed: Seed of the random numbers.
        run_id: The run: the tracker's name, a colon and its own identifier.
        dataset: Name of the data.
        dataset_hash: Hash of the data: algorithm, colon, hexadecimal digits.
        sample_count: Number of samples in the data.
        feature_count: Number of features.
        parameters: Settings of the training, by the framework's names; the first 64 are told,
            each as a text of at most 1024 characters.
    """
    facts: dict[str, Any] = {
        **identity(name, version, framework, task, implementation),
        keys.ML_DEVICE_NAME: device,
        keys.ML_RANDOM_SEED: seed,
        keys.ML_TRAINING_RUN_ID: run_id,
        keys.ML_TRAINING_DATASET_NAME: dataset,
        keys.ML_TRAINING_DATASET_HASH: dataset_hash,
        keys.ML_TRAINING_SAMPLE_COUNT: sample_count,
        keys.ML_INPUT_FEATURE_COUNT: feature_count,
    }
    facts |= _told(parameters)
    started = perf_counter()
    with operation("fit", name, facts, hides_calls=True) as under_way:
        ending = under_way.of_metrics()
        try:
            yield Training(under_way)
        except GeneratorExit:  # as in `operation`
            raise
        except BaseException as error:
            ending[keys.ERROR_TYPE] = qualified(type(error))
            raise
        finally:
            under_way.recorder.time_training(perf_counter() - started, ending)

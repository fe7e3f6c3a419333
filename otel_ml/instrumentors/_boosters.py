"""What gradient boosters have in common: objectives, and what a call asks for besides a prediction."""

import json
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from otel_ml.describe.models import Registration, framework_of, registrations
from otel_ml.describe.probabilities import two_classes
from otel_ml.describe.validation import Expectation
from otel_ml.describe.values import Facts
from otel_ml.instrumentors._answers import Answer, Answers
from otel_ml.instrumentors._arguments import argument
from otel_ml.instrumentors._identity import Metadata, identify
from otel_ml.instrumentors._observing import Observer
from otel_ml.instrumentors._subject import Captured, Subject
from otel_ml.settings import Settings
from otel_ml_conventions.attributes import MlTaskTypeValues

__all__ = [
    "Booster",
    "Objective",
    "asks_for_margins",
    "identity_in",
    "only_predictions",
    "target_count",
]

# Leaves, contributions of features, and predictions in the course of training.
_NO_PREDICTION: Final = (
    "pred_leaf",
    "pred_contrib",
    "pred_contribs",
    "pred_interactions",
    "training",
)
_MODEL_AND_INPUT: Final = 2
_MARGINS: Final = ("raw_score", "output_margin")


def only_predictions(observer: Observer) -> Callable[..., Any]:
    """Return *observer*'s `observe` for calls that predict; others are called and nothing else."""
    observe_call = observer.observe

    def observe(
        original: Callable[..., Any], method: str, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        if (kwargs or len(args) > _MODEL_AND_INPUT) and any(
            _is_set(argument(original, args, kwargs, name)) for name in _NO_PREDICTION
        ):
            return original(*args, **kwargs)
        return observe_call(original, method, args, kwargs)

    return observe


def asks_for_margins(captured: Captured) -> bool:
    """Whether a call wants what comes before probabilities: sums over trees."""
    return any(_is_set(captured.argument(name)) for name in _MARGINS)


def _is_set(option: Any) -> bool:
    try:
        return bool(option)
    except Exception:  # noqa: BLE001 - another class may take anything by that name, an array say
        return False


def identity_in(attributes: Mapping[str, Any]) -> Metadata:
    """Return the name and version that users keep in a model's file: `model_name`, `model_version`."""
    name, version = attributes.get("model_name"), attributes.get("model_version")
    return Metadata(name or None, version or None)


def target_count(booster: Any) -> int:
    """
    Return how many labels or numbers *booster*, one of XGBoost's, predicts for each sample.

    Raises:
        Exception: If it was not trained.
    """
    learner = json.loads(booster.save_config())["learner"]
    return int(learner["learner_model_param"].get("num_target", 1))


class Objective(NamedTuple):
    """What a model was trained for, and what its outputs hold where nothing else is asked for."""

    task: MlTaskTypeValues | None
    answer: Answer


class Booster(Subject):
    """
    What is read once of a model that answers as its objective says.

    Args:
        settings: What may be captured.
        booster: The model.
        is_part: Whether it is called as a part of another.
        framework: The value of `ml.framework.name`.
        objective: What it was trained for.
        feature_names: Those that it knows.
        metadata: What its file says of it.
        feature_count: How many it takes, no more and no fewer; None where it may do with others.
    """

    def __init__(
        self,
        settings: Settings,
        booster: Any,
        is_part: bool,
        framework: str,
        objective: Objective,
        feature_names: tuple[str, ...] | None,
        metadata: Metadata,
        feature_count: int | None = None,
    ) -> None:
        said = registrations.get(booster) or Registration()
        # An objective of the user's own: what its sums become is known to the user alone.
        is_theirs = said.task not in {None, objective.task}
        self.answer = Answer.SCORES if is_theirs else objective.answer
        names = {str(number): name for number, name in enumerate(said.class_names or ())}
        self._answers = Answers(settings, said.class_names, names, are_numbered=True)
        self.feature_names = said.feature_names or feature_names
        self.expectation = Expectation(self.feature_names, feature_count, takes_missing=True)
        self.model = identify(
            booster,
            settings,
            framework_of(type(booster), framework),
            objective.task,
            metadata,
            is_part=is_part,
        )

    def matters_unsampled(self, _method: str) -> bool:
        """Whether there are confidences."""
        return self.answer is Answer.PROBABILITIES

    def outputs(self, _method: str, output: Any, captured: Captured) -> Facts:
        """Return classes, confidence, numbers or scores; of anything else the shape."""
        answer = Answer.SCORES if self.asks_for_scores(captured) else self.answer
        if answer is Answer.PROBABILITIES:
            output = two_classes(output)
        return self._answers.describe(answer, output, captured)

    def asks_for_scores(self, captured: Captured) -> bool:
        """Whether a call wants sums over trees instead of what the objective makes of them."""
        return asks_for_margins(captured)

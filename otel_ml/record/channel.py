"""What all calls of one method of one model share, worked out once."""

from collections.abc import Callable, Mapping
from itertools import count
from typing import Any, Final

from otel_ml.describe.models import Model
from otel_ml.describe.values import valid_text
from otel_ml_conventions import attributes as keys

__all__ = ["Channel", "Numbers"]

_MAX_LENGTH: Final = 1024  # of a name, which a file may give
_OF_EVENTS: Final = (keys.ML_OPERATION_NAME, keys.ML_MODEL_NAME, keys.ML_MODEL_VERSION)


class Numbers:
    """Numbers the calls of one model in this process: 1, 2, 3 ..."""

    __slots__ = ("next",)

    def __init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """Begin at 1 again."""
        self.next: Callable[[], int] = count(1).__next__


class Channel:
    """
    The attributes that every call of one method of one model has.

    Args:
        model: Who is called; what is empty or None is not known.
        operation: The value of `ml.operation.name`.
        function_name: The value of `code.function.name`, None where there is no function.
        numbers: Gives each call its number.
    """

    __slots__ = ("attributes", "metric_attributes", "numbers", "span_name")

    def __init__(
        self, model: Model, operation: str, function_name: str | None, numbers: Numbers
    ) -> None:
        self.span_name = _sendable(f"{operation} {model.name}")
        self.metric_attributes = _known(
            {
                keys.ML_OPERATION_NAME: operation,
                keys.ML_MODEL_NAME: model.name,
                keys.ML_MODEL_VERSION: model.version,
                keys.ML_FRAMEWORK_NAME: model.framework,
                keys.ML_TASK_TYPE: model.task,
            }
        )
        details = _known(
            {
                keys.ML_MODEL_TYPE: model.type,
                keys.ML_FRAMEWORK_VERSION: model.framework_version,
                keys.CODE_FUNCTION_NAME: function_name,
            }
        )
        self.attributes: dict[str, Any] = {**self.metric_attributes, **details, **model.facts}
        self.numbers = numbers

    @property
    def model_attributes(self) -> dict[str, Any]:
        """What metrics of the model say that are of no call: of its loading, of its training."""
        return {
            key: fact
            for key, fact in self.metric_attributes.items()
            if key != keys.ML_OPERATION_NAME
        }

    @property
    def event_attributes(self) -> dict[str, Any]:
        """What events of these calls say of the model and the operation."""
        return {key: self.attributes[key] for key in _OF_EVENTS if key in self.attributes}


def _known(facts: Mapping[str, str | None]) -> dict[str, str]:
    return {key: _sendable(fact) for key, fact in facts.items() if fact}


def _sendable(told: str) -> str:
    """Return *told* as it keeps no span beside it from being sent: short, and with bytes in UTF-8."""
    return valid_text(told[:_MAX_LENGTH])

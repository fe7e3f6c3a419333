"""What is wrong with the inputs and outputs of one call, by the rules that instrumented frameworks keep to."""

from collections.abc import Mapping
from itertools import chain
from typing import Any, Final

from otel_ml.describe.arrays import Table
from otel_ml.describe.models import Model
from otel_ml.describe.validation import Expectation, Failure, ValidationError, validation_facts
from otel_ml.describe.values import Facts
from otel_ml.record.recording import Recording
from otel_ml.recorder import InferenceRecorder

__all__ = ["Checks"]

_INPUT: Final = "features"


class Checks:
    """
    The rules that a call breaks, in what was told of it: of what nobody told, nothing is said.

    Args:
        recorder: Its settings say which rules there are, and it hears of those that are broken.
    """

    __slots__ = ("_failures", "_recorder")

    def __init__(self, recorder: InferenceRecorder) -> None:
        self._recorder = recorder
        self._failures: dict[str, tuple[Failure, ...]] = {}  # by what was looked at

    def look_at_input(self, table: Table, names: tuple[str, ...] | None, model: Model) -> None:
        """
        Look at the samples of *table*, whose columns are called *names* where it does not say.

        Raises:
            ValidationError: If a rule is broken and the settings ask for such calls to be rejected.
        """
        validator = self._recorder.validator
        try:
            failures = validator.check_input(table, model, Expectation(names))
        except Exception as error:  # noqa: BLE001 - an input of the user's may raise anything
            self._recorder.failed("validate_input", error)
            return
        self._failures[_INPUT] = failures
        if failures and validator.rejects:
            raise ValidationError(model.name, failures)

    def look_at_output(self, name: str, answer: Any, samples: int | None) -> None:
        """Look at *answer*, told as *name*, to so many *samples*; told again it is looked at anew."""
        plain = list(answer.values()) if isinstance(answer, Mapping) else answer
        try:
            self._failures[name] = self._recorder.validator.check_output(plain, samples)
        except Exception as error:  # noqa: BLE001 - an output of the user's may raise anything
            self._recorder.failed("validate_output", error)

    def told_of(self, recording: Recording, error: BaseException | None) -> Facts:
        """Tell of what is broken, and return what the span of *recording* is to say, nothing if nothing was told."""
        if not self._failures or not self._recorder.validator.is_on:
            return {}
        failures = tuple(dict.fromkeys(chain.from_iterable(self._failures.values())))
        if failures:
            self._recorder.broken(recording, failures)
        return validation_facts(failures, is_rejected=isinstance(error, ValidationError))

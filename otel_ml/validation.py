"""What is wrong with the inputs and outputs of a model, by the rules that the settings ask for."""

from functools import cached_property
from logging import getLogger
from typing import TYPE_CHECKING, Any, Final

from otel_ml.describe.arrays import Table
from otel_ml.describe.models import Model
from otel_ml.describe.validation import (
    Expectation,
    Failure,
    failures_of_input,
    failures_of_output,
)
from otel_ml.settings import Settings

if TYPE_CHECKING:
    from otel_ml.describe.reference import Reference

__all__ = ["Validator"]

_MAX_TOLD: Final = 64  # models without a profile that are named in the log
_NONE: Final[tuple[Failure, ...]] = ()

_logger = getLogger("otel_ml")


class Validator:
    """
    Checks inputs and outputs; it tells what it finds, and leaves what follows from it to others.

    A profile that cannot be read, or is of another model, is a warning, once: the rules without a
    profile then stand.

    Attributes:
        is_on: Whether anything is checked.
        rejects: Whether a call whose input breaks a rule is not to reach its model.
        uses_profile: Whether inputs are also compared with a profile.
    """

    def __init__(self, settings: Settings) -> None:
        self.is_on = settings.validation != "off"
        self.rejects = self.is_on and settings.validation_blocks
        self.uses_profile = settings.validation == "profile"
        self._path = settings.profile
        self._told: set[tuple[str, str | None]] = set()

    def check_input(
        self, table: Table, model: Model, expectation: Expectation
    ) -> tuple[Failure, ...]:
        """Return what is wrong with *table*, given to *model*, of which *expectation* is known."""
        if not self.is_on:
            return _NONE
        reference = self._reference_of(model) if self.uses_profile else None
        return failures_of_input(table, expectation, reference)

    def check_output(self, output: Any, samples: int | None) -> tuple[Failure, ...]:
        """Return what is wrong with *output*, the answer to so many *samples*."""
        return failures_of_output(output, samples) if self.is_on else _NONE

    def _reference_of(self, model: Model) -> "Reference | None":
        reference = self._reference
        if reference is None:
            return None
        is_of_version = reference.version in {"", model.version}
        if reference.model == model.name and is_of_version:
            return reference
        self._tell_of_mismatch(reference, model)
        return None

    @cached_property
    def _reference(self) -> "Reference | None":
        from otel_ml.describe.reference import ProfileError, read_reference  # only who has one

        if self._path is None:
            _logger.warning(
                "validation asks for a profile and OTEL_ML_PROFILE names none: inputs are checked "
                "without one; build one with `otel-ml profile build`"
            )
            return None
        try:
            return read_reference(self._path)
        except ProfileError as error:
            _logger.warning("inputs are checked without a profile: %s", error)
            return None

    def _tell_of_mismatch(self, reference: "Reference", model: Model) -> None:
        if (model.name, model.version) in self._told or len(self._told) >= _MAX_TOLD:
            return
        self._told.add((model.name, model.version))
        _logger.warning(
            "%s is of model %s version %s: inputs of model %s version %s are checked without a "
            "profile; OTEL_ML_MODEL_NAME and OTEL_ML_MODEL_VERSION name the model of a process",
            self._path,
            reference.model,
            reference.version or "any",
            model.name,
            model.version or "unknown",
        )

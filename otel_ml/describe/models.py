"""Who a model is: what users said of it, what its class says, and how both are remembered."""

import sys
from collections.abc import Sequence
from types import MappingProxyType
from typing import Final, NamedTuple

from otel_ml.describe.by_identity import ByIdentity
from otel_ml.describe.values import Facts, own_text
from otel_ml_conventions.attributes import MlFrameworkNameValues, MlTaskTypeValues

__all__ = ["Framework", "Model", "Registration", "framework_of", "register_model"]


class Registration(NamedTuple):
    """What a user said of one model object; None where nothing was said."""

    name: str | None = None
    version: str | None = None
    feature_names: tuple[str, ...] | None = None
    class_names: tuple[str, ...] | None = None
    task: MlTaskTypeValues | None = None


class Model(NamedTuple):
    """The identity of a model, as it goes on the wire; *facts* are what else spans tell of it."""

    name: str
    version: str | None
    type: str
    framework: str
    framework_version: str | None
    task: str | None
    facts: Facts = MappingProxyType({})


class Framework(NamedTuple):
    """A framework and, where it tells, its version."""

    name: str
    version: str | None


registrations: Final[ByIdentity[Registration]] = ByIdentity()
# The path or address that a model was loaded from, where that was seen.
sources: Final[ByIdentity[str]] = ByIdentity()


def register_model(
    obj: object,
    *,
    name: str | None = None,
    version: str | None = None,
    feature_names: Sequence[str] | None = None,
    class_names: Sequence[str] | None = None,
    task: str | None = None,
) -> None:
    """
    Say who *obj* is: this overrules the environment and what its class would say.

    A second registration of the same object replaces the first. Nothing is stored on the object.

    Args:
        obj: The model whose methods are called, for scikit-learn the outermost one (the pipeline).
        name: Name of the model, of low cardinality.
        version: Its version in a registry, a tag, or a commit.
        feature_names: Names of the columns, in order, for inputs that carry none.
        class_names: Names of the classes, in the order of the model's `classes_`.
        task: One of the values of `ml.task.type`.

    Raises:
        TypeError: If *obj* cannot be weakly referenced, name or version is no text, or names are
            given as one string.
        ValueError: If *task* is not known.
    """
    registrations.remember(
        obj,
        Registration(
            name=_text("name", name),
            version=_text("version", version),
            feature_names=_names("feature_names", feature_names),
            class_names=_names("class_names", class_names),
            task=None if task is None else _task(task),
        ),
    )


def _text(argument: str, value: object) -> str | None:
    if value is None:
        return None
    if isinstance(value, str):
        return own_text(value)
    raise TypeError(f"{argument}: expected text, found {type(value).__name__}")


def _names(argument: str, names: Sequence[str] | None) -> tuple[str, ...] | None:
    if isinstance(names, str):
        raise TypeError(f"{argument}: expected a sequence of names, found the string {names!r}")
    return None if names is None else tuple(map(own_text, names))


def _task(task: str) -> MlTaskTypeValues:
    try:
        return MlTaskTypeValues(task)
    except ValueError:
        known = ", ".join(value.value for value in MlTaskTypeValues)
        raise ValueError(f"unknown task {task!r}; known: {known}") from None


_FRAMEWORK_OF_PACKAGE: Final = {
    "catboost": MlFrameworkNameValues.CATBOOST.value,
    "lightgbm": MlFrameworkNameValues.LIGHTGBM.value,
    "xgboost": MlFrameworkNameValues.XGBOOST.value,
}


def framework_of(kind: type, default: str) -> Framework:
    """
    Return the framework whose class *kind* is, by its own module or the nearest known base's.

    A user's subclass belongs to the framework it extends. *default* is the package whose
    instrumentor asks, for a class that extends only that.
    """
    for ancestor in kind.__mro__:
        package = ancestor.__module__.partition(".")[0]
        if package in _FRAMEWORK_OF_PACKAGE:
            return Framework(_FRAMEWORK_OF_PACKAGE[package], _version_of(package))
    return Framework(default, _version_of(default))


def _version_of(package: str) -> str | None:
    version = getattr(sys.modules.get(package), "__version__", None)
    return version if isinstance(version, str) else None

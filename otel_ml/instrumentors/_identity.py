"""Who a model is: what was said of it, then what the operator says, then what can be found out."""

from types import MappingProxyType
from typing import Any, NamedTuple

from otel_ml.describe.models import Framework, Model, Registration, registrations
from otel_ml.describe.values import Facts
from otel_ml.settings import Settings
from otel_ml_conventions.attributes import MlTaskTypeValues

__all__ = ["Metadata", "identify"]


class Metadata(NamedTuple):
    """
    What a framework knows of one model; None where it does not.

    Attributes:
        name: Name in a registry, in the model's file, or of that file.
        version: Version that belongs to the name.
        facts: Further attributes of every span, for example `ml.model.precision`.
    """

    name: str | None = None
    version: str | None = None
    facts: Facts = MappingProxyType({})


def identify(
    model: Any,
    settings: Settings,
    framework: Framework,
    task: MlTaskTypeValues | None,
    metadata: Metadata = Metadata(),  # noqa: B008 - it cannot be changed
    *,
    is_part: bool,
) -> Model:
    """
    Return the identity of *model*.

    Its name is the registered one, else the operator's, else what the framework knows, else the
    name of its class; its version likewise. A part of a model is not what the operator named.

    Args:
        model: The object whose method is called.
        settings: They hold what the operator says.
        framework: Whose model it is.
        task: What it does, where that is known; a registered task comes first.
        metadata: What the framework knows of it.
        is_part: Whether it is called as a part of another model.
    """
    said = registrations.get(model) or Registration()
    operator = Metadata() if is_part else Metadata(settings.model_name, settings.model_version)
    cls = type(model)
    known_task = said.task or task
    return Model(
        name=said.name or operator.name or metadata.name or cls.__name__,
        version=said.version or operator.version or metadata.version,
        type=f"{cls.__module__}.{cls.__qualname__}",
        framework=framework.name,
        framework_version=framework.version,
        task=None if known_task is None else known_task.value,
        facts=metadata.facts,
    )

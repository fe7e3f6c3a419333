"""Who a model is: what was said of it, then what the operator says, then what can be found out."""

from pathlib import PurePosixPath, PureWindowsPath
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from otel_ml.describe.models import Framework, Model, Registration, registrations, sources
from otel_ml.describe.values import Facts
from otel_ml.settings import Settings
from otel_ml_conventions.attributes import MlFrameworkNameValues, MlTaskTypeValues

__all__ = ["Metadata", "identify", "stored_at"]

_FRAMEWORKS: Final = frozenset(value.value for value in MlFrameworkNameValues)
_OTHER: Final = MlFrameworkNameValues.OTHER.value

# What files and folders are called whatever model they hold.
_ANY_MODELS: Final = frozenset(
    [
        "checkpoint",
        "classifier",
        "clf",
        "data",
        "estimator",
        "model",
        "pipeline",
        "pytorch_model",
        "regressor",
        "saved_model",
        "state_dict",
        "weights",
    ]
)
_ANY_FOLDERS: Final = frozenset(
    [
        ".",
        "/",
        "app",
        "artifacts",
        "assets",
        "bin",
        "build",
        "cache",
        "data",
        "home",
        "latest",
        "model",
        "models",
        "opt",
        "release",
        "src",
        "srv",
        "temp",
        "tmp",
        "var",
        "work",
        "workspace",
    ]
) | {""}


# What joblib and pickle write, compressed: `model.pkl.gz` is any model's name too.
_PICKLED: Final = frozenset([".joblib", ".pickle", ".pkl"])
_COMPRESSED: Final = frozenset([".bz2", ".gz", ".lz4", ".lzma", ".xz", ".z", ".zst"])


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
    said: Registration | None = None,
    kind: type | None = None,
) -> Model:
    """
    Return the identity of *model*.

    Its name is the registered one, else the operator's, else what the framework knows, else that of
    its file, else the name of its class; its version likewise. A part of a model is not what the operator named.

    Args:
        model: The object whose method is called.
        settings: They hold what the operator says.
        framework: Whose model it is; one that the conventions have no name for is told as `other`.
        task: What it does, where that is known; a registered task comes first.
        metadata: What the framework knows of it.
        is_part: Whether it is called as a part of another model.
        said: What the user said of something that stands in front of it; of itself by default.
        kind: Its class, where there is no *model* yet.
    """
    said = said or registrations.get(model) or Registration()
    operator = Metadata() if is_part else Metadata(settings.model_name, settings.model_version)
    stored = stored_at(sources.get(model) or "")
    cls = kind or type(model)
    known_task = said.task or task
    return Model(
        name=said.name or operator.name or metadata.name or stored.name or cls.__name__,
        version=said.version or operator.version or metadata.version or stored.version,
        type=f"{cls.__module__}.{cls.__qualname__}",
        framework=framework.name if framework.name in _FRAMEWORKS else _OTHER,
        framework_version=framework.version,
        task=None if known_task is None else known_task.value,
        facts=metadata.facts,
    )


def stored_at(place: str) -> Metadata:
    """
    Return what the path or the address *place* of a model's file or folder says of it.

    `.../fraud.onnx`, `.../fraud` and `.../fraud/model.pkl` are named fraud, and so are `.../fraud/3`
    and `.../fraud/3/model.pkl`, of version 3. A file that is called as any model's has no name where
    its folder has none either. Nothing else of the path is told: it may say whose machine it is.
    """
    # What follows a question mark in an address may be the key to it.
    path = PureWindowsPath(place) if "\\" in place else PurePosixPath(place.partition("?")[0])
    if path.suffix.lower() in _COMPRESSED and path.with_suffix("").suffix.lower() in _PICKLED:
        path = path.with_suffix("")
    if path.stem.lower() in _ANY_MODELS:
        path = path.parent
        if path.name.lower() in _ANY_FOLDERS:
            return Metadata()
    if path.name.isdecimal() and path.parent.name:
        return Metadata(name=path.parent.name, version=path.name)
    return Metadata(name=path.stem or None)

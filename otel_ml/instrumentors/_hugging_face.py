"""Who a model of Hugging Face's libraries is, by the configuration that it was loaded with."""

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path, PurePath
from typing import Any, Final

from otel_ml.describe.tensors import type_name
from otel_ml.describe.values import Facts
from otel_ml.instrumentors._identity import Metadata, stored_at
from otel_ml.instrumentors._loading import Loaded
from otel_ml_conventions import attributes as keys

__all__ = ["class_names", "hub_metadata", "loaded_from"]

_CACHED: Final = "models--"  # how the local cache calls the folder of a repository
_SNAPSHOTS: Final = "snapshots"
_WEIGHTS: Final = ("model.safetensors", "pytorch_model.bin")  # larger models are in several files


def hub_metadata(config: Any, module: Any = None) -> Metadata:
    """
    Return name and version of a model: its repository and commit, or the name of a local folder.

    Args:
        config: The model's `PretrainedConfig`, None where it has none.
        module: What has a `device` and a `dtype`, for the facts.
    """
    known = _placed(str(getattr(config, "_name_or_path", None) or ""))
    commit = getattr(config, "_commit_hash", None)
    return known._replace(version=commit or known.version, facts=_facts(module))


def _placed(place: str) -> Metadata:
    path = PurePath(place)
    parts = path.parts
    if len(parts) > 2 and parts[-2] == _SNAPSHOTS and parts[-3].startswith(_CACHED):  # noqa: PLR2004 - the cache's layout
        repository = parts[-3].removeprefix(_CACHED).replace("--", "/")
        return Metadata(name=repository, version=path.name)
    is_elsewhere = place.startswith((".", "~", "/")) or "\\" in place
    is_elsewhere = is_elsewhere or _is_folder(place)  # which the library prefers too
    if place and not is_elsewhere and len(parts) <= 2:  # noqa: PLR2004 - an owner and a repository
        return Metadata(name=place)
    return stored_at(place)


def _is_folder(place: str) -> bool:
    with suppress(OSError, ValueError):
        return Path(place).is_dir()
    return False


def _facts(module: Any) -> dict[str, str]:
    device, dtype = getattr(module, "device", None), getattr(module, "dtype", None)
    facts = {}
    if device is not None:
        facts[keys.ML_DEVICE_NAME] = str(device)
    if dtype is not None:
        facts[keys.ML_MODEL_PRECISION] = type_name(dtype)
    return facts


def loaded_from(place: Any, model: Any, config: Any) -> Loaded | None:
    """
    Return what was loaded from *place*; None where that is no name, path or address.

    Args:
        place: A folder, or a repository of the hub.
        model: What was made of it, None where that failed.
        config: The model's `PretrainedConfig`, None where it is not known.
    """
    if not isinstance(place, str | PurePath) or not str(place):
        return None
    return Loaded(model, str(place), _package(config), _weights(Path(place)))


def _package(config: Any) -> Facts:
    """Return the package URL of a model of the hub, where its commit is known."""
    place = str(getattr(config, "_name_or_path", None) or "")
    known = hub_metadata(config)
    is_of_hub = getattr(config, "_commit_hash", None) or _CACHED in place
    if not is_of_hub or known.name is None or known.version is None:
        return {}
    return {keys.ARTIFACT_PURL: f"pkg:huggingface/{known.name}@{known.version}"}


def _weights(folder: Path) -> str | None:
    with suppress(OSError):
        return next((str(folder / name) for name in _WEIGHTS if (folder / name).is_file()), None)
    return None


def class_names(config: Any) -> tuple[str, ...] | None:
    """Return the names of the classes in the order of their numbers, None where they are unknown."""
    names = getattr(config, "id2label", None)
    if not isinstance(names, Mapping) or not names:
        return None
    return tuple(str(names[number]) for number in sorted(names))

"""
The profile file as the process of the model needs it: what each feature may be.

It is written by `otel-ml profile build`; how the values were distributed in it is for the
processor. Keys that are not known here are passed over, so a newer writer can say more.
"""

import gzip
import json
import math
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

__all__ = ["ProfileError", "Reference", "ReferenceFeature", "read_reference"]

_FORMAT: Final = "otel-ml-profile/1"
_MAX_BYTES: Final = 64 << 20  # a profile has a few kilobytes per feature
# A list of other known categories that is this long was cut: from then on none can be called unknown.
_MAX_OTHER_KNOWN: Final = 1000
_MAX_SHOWN: Final = 40
_TYPES: Final = ("numeric", "categorical")  # no set: what is looked up may be a list


class ProfileError(ValueError):
    """A file that is no profile; the message names file, place in it, expectation and finding."""


class ReferenceFeature(NamedTuple):
    """
    What the values of a feature were when the model was right.

    Attributes:
        name: Its name.
        low: The smallest number it may be, minus infinity where nothing is said.
        high: The largest number it may be.
        categories: The categories it may be, where it is no number; None where any may come.
        is_numeric: Whether it is a number.
        takes_missing: Whether the reference had samples without it.
    """

    name: str
    low: float
    high: float
    categories: frozenset[str] | None
    is_numeric: bool
    takes_missing: bool


class Reference(NamedTuple):
    """The features of one model, in the order of its profile; *version* is empty where it names none."""

    model: str
    version: str
    features: tuple[ReferenceFeature, ...]


def read_reference(path: str) -> Reference:
    """
    Return what the profile at *path* says of the features.

    Raises:
        ProfileError: If the file is missing, larger than 64 MiB, not JSON, or no such profile.
    """
    data, place = _parsed(_content(path), path), f"{path}: $"
    if data.get("format") != _FORMAT:
        raise ProfileError(
            f"{place}.format: expected {_FORMAT!r}, found {_shown(data.get('format'))}"
        )
    said = _get(data, "features", list, place)
    features = tuple(_feature(each, f"{place}.features[{i}]") for i, each in enumerate(said))
    _check_names(features, place)
    model, version = _get(data, "model", str, place), _get(data, "version", str, place, "")
    return Reference(model, version, features)


def _check_names(features: Sequence[ReferenceFeature], place: str) -> None:
    names = {feature.name for feature in features}
    if len(names) < len(features):
        raise ProfileError(f"{place}.features: expected a name for each, found one twice")


def _content(path: str) -> bytes:
    try:
        _check_kind(path)
        with gzip.open(path) if path.endswith(".gz") else Path(path).open("rb") as file:
            data = file.read(_MAX_BYTES + 1)
    except (OSError, EOFError, ValueError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ProfileError(
            f"{path}: cannot read the profile: {reason}; build one with `otel-ml profile build`"
        ) from None
    if len(data) > _MAX_BYTES:
        raise ProfileError(f"{path}: expected a profile of at most {_MAX_BYTES} bytes, found more")
    return data


def _check_kind(path: str) -> None:
    if Path(path).is_fifo():  # the call of the model would wait for as long as nobody writes
        raise ValueError("it is a pipe")


def _parsed(content: bytes, path: str) -> Mapping[str, Any]:
    try:
        data = json.loads(content)
    except (ValueError, RecursionError) as error:
        # The text of the file is not shown: it may be any file of the machine.
        place = f" at line {error.lineno}" if isinstance(error, json.JSONDecodeError) else ""
        raise ProfileError(
            f"{path}: expected a profile in JSON, found something else{place}"
        ) from None
    document: Mapping[str, Any] = _of_type(data, dict, f"{path}: $")
    return document


def _feature(said: Any, place: str) -> ReferenceFeature:
    column = _of_type(said, dict, place)
    kind = column.get("type")
    if kind not in _TYPES:
        raise ProfileError(
            f"{place}.type: expected 'numeric' or 'categorical', found {_shown(kind)}"
        )
    is_numeric = kind == "numeric"
    low, high = _range(column, place) if is_numeric else (-math.inf, math.inf)
    return ReferenceFeature(
        _get(column, "name", str, place),
        low,
        high,
        None if is_numeric else _categories(column, place),
        is_numeric,
        _get(column, "missing", int, place, 0) > 0,
    )


def _range(column: Mapping[str, Any], place: str) -> tuple[float, float]:
    low, high = _number(column, "min", place, -math.inf), _number(column, "max", place, math.inf)
    if low > high:
        raise ProfileError(f"{place}: expected min <= max, found {low!r} > {high!r}")
    return low, high


def _number(column: Mapping[str, Any], key: str, place: str, default: float) -> float:
    number = column.get(key)
    if number is None:
        return default
    if isinstance(number, bool) or not isinstance(number, (int, float)) or not _is_finite(number):
        raise ProfileError(f"{place}.{key}: expected a finite number, found {_shown(number)}")
    return float(number)


def _is_finite(number: float) -> bool:
    try:
        return math.isfinite(number)
    except OverflowError:  # an integer that no float can be
        return False


def _categories(column: Mapping[str, Any], place: str) -> frozenset[str] | None:
    names = _texts(column, "categories", place)
    others = _texts(column, "other_known", place)
    # Where some were too rare to be named, any name may be one of those.
    is_open = len(others) >= _MAX_OTHER_KNOWN or _get(column, "unseen", int, place, 0) > 0
    return None if is_open else frozenset(names + others)


def _texts(column: Mapping[str, Any], key: str, place: str) -> list[str]:
    texts = _get(column, key, list, place, [])
    return [_of_type(text, str, f"{place}.{key}[{i}]") for i, text in enumerate(texts)]


def _get(data: Mapping[str, Any], key: str, kind: type, place: str, *default: Any) -> Any:
    found = data.get(key, *default)
    return _of_type(found, kind, f"{place}.{key}")


_WORDS: Final = {dict: "an object", list: "a list", str: "a text", int: "a whole number"}


def _of_type(value: Any, kind: type, place: str) -> Any:
    if not isinstance(value, kind) or isinstance(value, bool):
        raise ProfileError(f"{place}: expected {_WORDS[kind]}, found {_shown(value)}")
    return value


def _shown(value: Any) -> str:
    """Return a value that fits into a line, of one that does not its type."""
    text = repr(value) if isinstance(value, (str, int, float, bool, type(None))) else ""
    return text if 0 < len(text) <= _MAX_SHOWN else type(value).__name__

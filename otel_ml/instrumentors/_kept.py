"""What is kept of an output in which nothing is wrong, to be looked at when the caller has gone on."""

import math
from typing import Any, Final

from otel_ml.describe.soundness import FEW_BYTES, is_array, sound_copy
from otel_ml.describe.tensors import plain_array

__all__ = ["kept"]

_MAX_PARTS: Final = 4
_MAX_NUMBERS: Final = FEW_BYTES // 8  # doubles in maps
_FLOATS: Final = frozenset({float})
_MAPS: Final = frozenset({dict})


def kept(output: Any, *, has_values: bool = True) -> Any:
    """
    Return a copy of *output*: of an array or a tensor, or of a list of arrays and lists of maps.

    None unless it says what the output itself does, is small, and nothing is wrong in it. Where values
    are not needed (*has_values* false), arrays may be large: of them the `Outline` is kept.
    """
    if type(output) is not list:
        array = plain_array(output)
        return None if array is None else sound_copy(array, has_values=has_values)
    if len(output) == 1:  # most of those that answer in parts
        part = _part(output[0], has_values)
        return None if part is None else [part]
    if not 0 < len(output) <= _MAX_PARTS or sum(map(_size, output)) > FEW_BYTES:
        return None
    parts = [_part(part, has_values) for part in output]
    return None if any(part is None for part in parts) else parts


def _size(part: Any) -> int:
    return getattr(part, "nbytes", 0)


def _part(part: Any, has_values: bool) -> Any:
    if is_array(part):
        return sound_copy(part, has_values=has_values)
    return _maps(part) if type(part) is list else None


def _maps(maps: list[Any]) -> list[dict[Any, float]] | None:
    """Return a copy of what ONNX classifiers answer with: of each sample a map of classes."""
    if not _MAPS.issuperset(map(type, maps)) or sum(map(len, maps)) > _MAX_NUMBERS:
        return None
    numbers = [number for classes in maps for number in classes.values()]
    are_sound = _FLOATS.issuperset(map(type, numbers)) and math.isfinite(sum(numbers))
    if not numbers or not are_sound:
        return None
    return [dict(classes) for classes in maps]

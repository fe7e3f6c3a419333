"""When a value is the one that was expected: equal, or of the kind that a matcher asks for."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["MATCHERS", "TYPES", "matches"]

_ROUNDING: Final = 1e-9


def matches(expected: object, found: object) -> bool:
    """
    Return whether *found* is what was *expected*.

    A mapping of one key is a matcher of `MATCHERS`; a list is compared item by item; numbers with a fraction agree to 1e-9; anything
    else has to be equal and of the same type, so that 1 is neither 1.0 nor true.
    """
    if isinstance(expected, Mapping):
        ((matcher, wanted),) = expected.items()
        return MATCHERS[matcher](wanted, found)
    if isinstance(expected, list):
        same_length = isinstance(found, list) and len(found) == len(expected)
        return same_length and all(map(matches, expected, found))  # type: ignore[call-overload]  # a list, by then
    if isinstance(expected, float) and isinstance(found, float):
        return math.isclose(expected, found, rel_tol=_ROUNDING, abs_tol=_ROUNDING)
    return type(expected) is type(found) and expected == found


def _are(value: object, kind: type) -> bool:
    return isinstance(value, list) and all(type(item) is kind for item in value)


TYPES: Final[Mapping[str, Callable[[object], bool]]] = {
    "string": lambda value: type(value) is str,
    "int": lambda value: type(value) is int,
    "double": lambda value: type(value) is float,
    "boolean": lambda value: type(value) is bool,
    "map": lambda value: type(value) is dict,
    "string[]": lambda value: _are(value, str),
    "int[]": lambda value: _are(value, int),
    "double[]": lambda value: _are(value, float),
}
"""What `any` may ask for."""
MATCHERS: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "any": lambda kind, found: TYPES[kind](found),
    "pattern": lambda pattern, found: (
        isinstance(found, str) and re.fullmatch(pattern, found) is not None
    ),
    "between": lambda ends, found: isinstance(found, int | float) and ends[0] <= found <= ends[1],
    "json": lambda wanted, found: isinstance(found, str) and json.loads(found) == wanted,
    "map": lambda wanted, found: found == wanted,
}
"""By its name, whether a found value is as wanted."""

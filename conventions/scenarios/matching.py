"""When a value is the one that was expected: equal, or of the kind that a matcher asks for."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["complaint", "matches"]

_ROUNDING: Final = 1e-9
_BOTH_ENDS: Final = 2


def matches(expected: object, found: object) -> bool:
    """
    Return whether *found* is what was *expected*.

    A mapping is a matcher, free of `complaint`s; a list is compared item by item; doubles agree to 1e-9; anything else has to be equal
    and of the same type, so that 1 is neither 1.0 nor true.
    """
    if isinstance(expected, Mapping):
        ((matcher, wanted),) = expected.items()
        return _MATCHERS[matcher](wanted, found)
    if isinstance(expected, list):
        return (
            isinstance(found, list)
            and len(found) == len(expected)
            and all(map(matches, expected, found))
        )
    if isinstance(expected, float) and isinstance(found, float):
        return math.isclose(expected, found, rel_tol=_ROUNDING, abs_tol=_ROUNDING)
    return type(expected) is type(found) and expected == found


def complaint(expected: object) -> str:
    """Return what is wrong with an expected value, as a matcher or in its items; empty if nothing is."""
    if isinstance(expected, list):
        return next(filter(None, map(complaint, expected)), "")
    if not isinstance(expected, Mapping):
        return ""
    if len(expected) != 1 or not expected.keys() <= _MATCHERS.keys():
        return f"expected a value or one of {', '.join(_MATCHERS)}, found {expected}"
    ((matcher, wanted),) = expected.items()
    wish = _WISHES.get(matcher)
    return f"expected {wish[0]}, found {expected}" if wish and not wish[1](wanted) else ""


def _is_number(value: object) -> bool:
    return type(value) in {int, float}


def _is_pattern(value: object) -> bool:
    with suppress(TypeError, re.error):
        re.compile(value)  # type: ignore[call-overload]  # whether it can is the question
        return isinstance(value, str)
    return False


def _are_ends(value: object) -> bool:
    return isinstance(value, list) and len(value) == _BOTH_ENDS and all(map(_is_number, value))


def _are(value: object, kind: type) -> bool:
    return isinstance(value, list) and all(type(item) is kind for item in value)


def _holds(text: object, wanted: object) -> bool:
    with suppress(TypeError, ValueError):
        return bool(json.loads(text) == wanted)  # type: ignore[arg-type]  # what is no text is no JSON
    return False


_TYPES: Final[Mapping[str, Callable[[object], bool]]] = {
    "string": lambda value: type(value) is str,
    "int": lambda value: type(value) is int,
    "double": lambda value: type(value) is float,
    "boolean": lambda value: type(value) is bool,
    "map": lambda value: type(value) is dict,
    "string[]": lambda value: _are(value, str),
    "int[]": lambda value: _are(value, int),
    "double[]": lambda value: _are(value, float),
    "boolean[]": lambda value: _are(value, bool),
}
"""What `any` may ask for."""
_MATCHERS: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "any": lambda kind, found: _TYPES[kind](found),
    "pattern": lambda pattern, found: (
        isinstance(found, str) and re.fullmatch(pattern, found) is not None
    ),
    "between": lambda ends, found: _is_number(found) and ends[0] <= found <= ends[1],
    "json": lambda wanted, found: _holds(found, wanted),
    "map": lambda wanted, found: found == wanted,
}
"""By its name, whether a found value is as wanted."""
_WISHES: Final[Mapping[str, tuple[str, Callable[[object], bool]]]] = {
    "any": (f"a type of {', '.join(_TYPES)}", lambda kind: kind in _TYPES),
    "pattern": ("a regular expression", _is_pattern),
    "between": ("[lowest, highest]", _are_ends),
}
"""Of the matchers that take not just anything, what they take."""

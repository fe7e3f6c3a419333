"""Facts by their names in the conventions, and one value as JSON text, unchanged on the way."""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from typing import Any, Final

__all__ = [
    "Facts",
    "are_finite_doubles",
    "double_texts",
    "is_infinite",
    "is_missing",
    "json_text",
    "own_text",
    "plain_number",
    "row_texts",
    "valid_text",
]

# What is said of a call: names of attributes, and values that an attribute can have. What is not
# known is not there.
Facts = Mapping[str, str | bool | int | float | Sequence[str] | Sequence[int] | Sequence[float]]

_DOUBLES: Final = ("float64",)
_SINGLE_PRECISION: Final = frozenset({"float16", "float32", "Float16", "Float32"})
_MISSING_MARKERS: Final = frozenset({"NAType", "NaTType"})  # of pandas, which we never import


def row_texts(row: Sequence[Any], types: tuple[str, ...] | None) -> list[str]:
    """
    Return each value of *row* as JSON text.

    A float64 is written in its shortest exact form, a float32 with nine digits, an integer exactly:
    no value crosses the edge of a bin by being written. NaN and None are `null`, infinities
    `"Infinity"` and `"-Infinity"`.

    Args:
        row: Values of one sample.
        types: Their types by name, one for all where they are alike, None where unknown.
    """
    if types is None:
        return [json_text(value) for value in row]
    if len(types) == 1:
        return _uniform_texts(row, types[0])
    return [
        _single_precision_text(value) if kind in _SINGLE_PRECISION else json_text(value)
        for value, kind in zip(row, types, strict=False)  # a row may be cut short
    ]


def are_finite_doubles(row: Sequence[Any], types: tuple[str, ...] | None) -> bool:
    """Whether each value of *row*, Python's numbers of these *types*, is a finite double."""
    return types == _DOUBLES and math.isfinite(sum(row))


def double_texts(row: Sequence[float]) -> list[str]:
    """Return each of *row*, finite doubles, in its shortest exact form: by msgspec where it is installed."""
    encode = _quick_encode()
    if encode is None:
        return list(map(repr, row))
    return encode(row)[1:-1].decode().split(",") if row else []


@lru_cache(maxsize=1)
def _quick_encode() -> Callable[[Any], bytes] | None:
    # Not when a program starts: only who has values captured needs it. Python's own way of writing
    # thirty doubles takes as long as a span; msgspec's takes a fifteenth of that.
    with suppress(ImportError):
        from msgspec.json import Encoder

        return Encoder().encode
    return None


def _uniform_texts(row: Sequence[Any], kind: str) -> list[str]:
    if are_finite_doubles(row, (kind,)):
        return double_texts(row)
    if kind in _SINGLE_PRECISION:
        return [_single_precision_text(value) for value in row]
    return [json_text(value) for value in row]


def _single_precision_text(value: Any) -> str:
    return f"{value:.9g}" if isinstance(value, float) and math.isfinite(value) else json_text(value)


def json_text(value: Any) -> str:
    """Return *value* as JSON text; what JSON has no word for becomes its own text, in quotes."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return int.__repr__(value)
    if isinstance(value, float):
        return _float_text(value)
    if isinstance(value, str):
        return json.dumps(value)
    return _object_text(value)


def _float_text(value: float) -> str:
    if math.isfinite(value):
        return float.__repr__(value)  # numpy's float64 is a float with a repr of its own
    if math.isnan(value):
        return "null"
    return '"Infinity"' if value > 0 else '"-Infinity"'


def _object_text(value: Any) -> str:
    if is_missing(value):
        return "null"
    item = plain_number(value)
    if item is not value:
        is_single = str(getattr(value, "dtype", "")) in _SINGLE_PRECISION
        return _single_precision_text(item) if is_single else json_text(item)
    if isinstance(value, bytes):
        return json.dumps(value.decode("utf-8", "replace"))
    return json.dumps(value.isoformat() if hasattr(value, "isoformat") else str(value))


def own_text(value: object) -> str:
    """Return *value* as text; a member of an enumeration of strings is its value, not its name in the code."""
    return str.__str__(value) if isinstance(value, str) else str(value)


def plain_number(value: Any) -> Any:
    """Return Python's own number for a number of numpy's or a decimal one, anything else as it is."""
    kind = _numpy_kind(value)
    if kind == "f" or _is_decimal(value):
        return float(value)  # one of more than 64 bits stays numpy's by `item`
    return value.item() if kind in {"b", "i", "u"} else value


def valid_text(text: str) -> str:
    """Return *text* as it can go on the wire: half of a surrogate pair, which UTF-8 has no bytes for, is `?`."""
    if text.isascii():
        return text
    return text.encode("utf-8", "replace").decode("utf-8")


def is_missing(value: Any) -> bool:
    """Whether *value* stands for no value: None, NaN, a decimal one too, NaT, or pandas' NA."""
    if value is None:
        return True
    if isinstance(value, float):
        return math.isnan(value)
    if isinstance(value, (str, int, bytes)):
        return False
    if _is_decimal(value):
        return bool(value.is_nan())
    return type(value).__name__ in _MISSING_MARKERS or (
        _numpy_kind(value) == "f" and math.isnan(value)
    )


def is_infinite(value: Any) -> bool:
    """Whether *value* is a number, Python's, numpy's or a decimal one, that is infinite."""
    if isinstance(value, float):
        return math.isinf(value)
    if _is_decimal(value):
        return bool(value.is_infinite())  # a signalling NaN is no float
    return _numpy_kind(value) == "f" and math.isinf(value)


def _is_decimal(value: Any) -> bool:
    """Whether *value* is a decimal number, as databases give them; by name, for most programs never load the module."""
    return type(value).__name__ == "Decimal" and type(value).__module__ == "decimal"


def _numpy_kind(value: Any) -> str:
    """Return the kind of a number of numpy's; of a whole array, which a cell may hold, none."""
    try:
        is_single = getattr(value, "shape", None) == ()
        return str(getattr(getattr(value, "dtype", None), "kind", "")) if is_single else ""
    except Exception:  # noqa: BLE001 - torch's nested tensors raise, and objects of the user's may raise anything
        return ""

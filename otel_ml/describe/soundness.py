"""Numpy's arrays: which values are one, whether all their numbers are finite, and copies of those where nothing is wrong."""

import sys
from typing import Any, Final

__all__ = [
    "FEW_BYTES",
    "MAX_COUNTED_CELLS",
    "NEVER_ODD",
    "Outline",
    "is_array",
    "is_finite",
    "is_surely_finite",
    "sound_copy",
]

FEW_BYTES: Final = 8192
"""Up to here a copy of an input or an output is kept, of at most 4096 calls at once."""
MAX_COUNTED_CELLS: Final = 1_000_000
"""Looking for missing values takes one pass over the input, in the caller's time."""
NEVER_ODD: Final = "biufSU"
"""Kinds of numpy types whose values are no objects."""
_TABLE_AXES: Final = 2
# The floats whose last byte is the sign and the first bits of the exponent, by what numpy calls them, and their bytes.
_LAST_IS_EXPONENT: Final = {"<f4": 4, "<f8": 8}
_POSITIVE: Final = 0x7F  # that byte of what is infinite or no number, and of few that are neither
_NEGATIVE: Final = 0xFF

# What is found out once, of numpy's own types alone.
_kinds: Final[set[type]] = set()
_exponents: Final[dict[Any, slice]] = {}


def is_array(values: Any) -> bool:
    """Return whether *values* is an array of numpy's, and nothing that extends one."""
    kind = type(values)
    return kind in _kinds or _is_numpys(kind)


def _is_numpys(kind: type) -> bool:
    # Other packages have one, too, on a device.
    if kind.__name__ != "ndarray" or kind.__module__ != "numpy":
        return False
    _kinds.add(kind)
    return True


def is_surely_finite(array: Any) -> bool:
    """
    Return whether the exponents of a numpy *array* of at most `FEW_BYTES` tell that all its numbers are finite.

    False where one is NaN or infinite, and where that is not known: numbers above 1e38 (in doubles, 1e303), and
    other types. Numpy's own ways take four times as long for a row.
    """
    where = _exponents.get(array.dtype) or _exponents_of(array.dtype)
    if where is None:
        return False
    exponents = array.tobytes()[where]
    return _POSITIVE not in exponents and _NEGATIVE not in exponents


def _exponents_of(dtype: Any) -> slice | None:
    """Return where the last byte of each number is, None where that tells nothing, and remember the former."""
    # Whole numbers and texts are not remembered: what they are called takes longer to ask than their kind.
    n_bytes = _LAST_IS_EXPONENT.get(dtype.str) if dtype.kind == "f" else None
    if n_bytes is None:
        return None
    return _exponents.setdefault(dtype, slice(n_bytes - 1, None, n_bytes))


def is_finite(array: Any) -> bool:
    """Return whether all of a numpy *array*'s floating numbers are finite."""
    if array.nbytes <= FEW_BYTES and is_surely_finite(array):
        return True
    return bool(sys.modules["numpy"].isfinite(array).all())


class Outline:
    """What is left of an array whose values nobody asks for: its shape and its type."""

    def __init__(self, shape: tuple[int, ...], dtype: Any) -> None:
        self.shape = shape
        self.dtype = dtype


def sound_copy(array: Any, *, has_values: bool = True) -> Any:
    """
    Return a copy of a numpy *array* of one or two axes and at most 8 KiB, with numbers or texts, to be looked at later.

    None where it is another one, is empty, or holds a NaN or an infinity. Where it need not have values
    (*has_values* false) its `Outline`, and it may be larger, and have more axes.
    """
    n_bytes, n_axes = array.nbytes, array.ndim
    if not n_bytes or not n_axes:
        return None
    is_small = n_bytes <= FEW_BYTES
    if has_values and not (is_small and n_axes <= _TABLE_AXES):
        return None
    # Most calls, in the caller's time.
    if not (is_small and is_surely_finite(array)) and not _is_sound(array):
        return None
    return array.copy() if has_values else Outline(array.shape, array.dtype)


def _is_sound(array: Any) -> bool:
    kind = array.dtype.kind
    if array.size > MAX_COUNTED_CELLS or kind not in NEVER_ODD:
        return False
    return kind != "f" or is_finite(array)

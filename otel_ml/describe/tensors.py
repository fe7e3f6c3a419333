"""
Tensors: their shape and type from wherever they are, their values only from the processor's memory.

A device is never asked for a value: that would wait for everything it has yet to do.
"""

from collections.abc import Callable, Hashable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

from otel_ml.describe.arrays import Table, read_table
from otel_ml.describe.soundness import FEW_BYTES, is_array, is_surely_finite

__all__ = ["KINDS", "known_shape", "plain_array", "shape_of", "type_name"]

_PREFIX: Final = "torch."
_TABLE_AXES: Final = 2
_INTEGERS: Final = frozenset({int})
_ONNX_NUMBERS: Final = {"float": "float32", "double": "float64"}


@lru_cache(maxsize=64)
def type_name(dtype: Any) -> str:
    """Return the type of a tensor or an array without what its framework adds: `float32`."""
    return str(dtype).removeprefix(_PREFIX).removeprefix("<dtype: '").removesuffix("'>")


def plain_array(values: Any) -> Any:
    """
    Return *values*, a numpy array or a tensor of torch or TensorFlow, as a numpy array.

    It shares torch's memory. None where there can be none: on a device, sparse, of a type that numpy
    has not, a subclass, a tensor of a graph.
    """
    if is_array(values):
        return values
    kind = type(values)
    read = _ways.get(kind) or _way_of(kind)
    return read(values)


def _way_of(kind: type) -> Callable[[Any], Any]:
    """Return how the values of *kind* are had, and remember it for the known kinds alone."""
    package = kind.__module__.partition(".")[0]
    read = _WAYS.get((package, kind.__name__))
    if read is None:  # others, also those that extend these, may do anything when they are asked
        return _nothing
    return _ways.setdefault(kind, read)


def _nothing(_values: Any) -> None:
    return None


def _of_tensorflow(tensor: Any) -> Any:
    return tensor.numpy() if "CPU" in tensor.device else None


def _of_torch(tensor: Any) -> Any:
    if not tensor.is_cpu:
        return None
    try:
        # Detaching takes longer than all the rest, and only what wants a gradient needs it.
        return (tensor.detach() if tensor.requires_grad else tensor).numpy()
    except Exception:  # noqa: BLE001 - layouts and types without a counterpart
        return None


_WAYS: Final[Mapping[tuple[str, str], Callable[[Any], Any]]] = {
    ("tensorflow", "EagerTensor"): _of_tensorflow,
    ("torch", "Parameter"): _of_torch,
    ("torch", "Tensor"): _of_torch,
}
_ways: Final[dict[type, Callable[[Any], Any]]] = {}


def known_shape(tensor: Any) -> tuple[int, ...] | None:
    """Return the shape of a *tensor*; None where a length is a symbol: in a graph, or of samples of several lengths."""
    said = shape_of(tensor)
    shape = None if said is None else tuple(said)
    return None if shape is None or not _INTEGERS.issuperset(map(type, shape)) else shape


def shape_of(value: Any) -> Any:
    """Return the shape that *value* says it has; None where it has none, or raises: torch's nested tensors do."""
    try:
        return value.shape
    except Exception:  # noqa: BLE001 - as said, and an object of the user's may raise anything
        return None


class _Tensor(Table):
    """A tensor of torch, or something that extends one."""

    __slots__ = ("_array", "_tensor", "_values")

    def __init__(self, tensor: Any) -> None:
        shape = tuple(shape_of(tensor) or ())  # most calls, in the caller's time
        if len(shape) == _TABLE_AXES and type(shape[0]) is int is type(shape[1]):
            self.rows, self.columns = shape
            self.tensor_shape = None
        else:
            super().__init__(known_shape(tensor))
        self._tensor = tensor
        self._array: Any = None
        self._values: Table | None = None

    def layout(self) -> Hashable | None:
        return None if self.columns is None else (self._tensor.dtype, self.columns)

    def types(self) -> tuple[str, ...]:
        return (type_name(self._tensor.dtype),)

    def _plain(self) -> Table:
        if self._values is None:
            array = plain_array(self._tensor) if self._array is None else self._array
            self._values = Table(None) if array is None else read_table(array)
        return self._values

    def missing(self) -> int | None:
        return self._plain().missing()

    def is_sound(self) -> bool | None:
        if self._values is None:  # most calls, in the caller's time
            array = self._array = plain_array(self._tensor)
            if array is not None and array.nbytes <= FEW_BYTES and is_surely_finite(array):
                return True
        return self._plain().is_sound()

    def copy(self, rows: Sequence[int] | None = None, max_bytes: int = FEW_BYTES) -> Any:
        return self._plain().copy(rows, max_bytes)

    def cells(self) -> Any:
        return self._plain().cells()

    def take(self, rows: Sequence[int], width: int) -> list[list[Any]] | None:
        return self._plain().take(rows, width)


class _OrtValue(Table):
    """A value of ONNX Runtime, which may be on a device; of sequences and maps nothing is told."""

    __slots__ = ("_type",)

    def __init__(self, value: Any) -> None:
        is_tensor = value.is_tensor()
        super().__init__(tuple(value.shape()) if is_tensor else None)
        self._type = value.data_type() if is_tensor else None

    def types(self) -> tuple[str, ...] | None:
        if self._type is None:
            return None
        name = self._type.removeprefix("tensor(").removesuffix(")")
        return (_ONNX_NUMBERS.get(name, name),)


KINDS: Final[Mapping[tuple[str, str], Callable[[Any], Table]]] = {
    ("onnxruntime", "OrtValue"): _OrtValue,
    ("tensorflow", "EagerTensor"): _Tensor,
    ("torch", "Tensor"): _Tensor,
}

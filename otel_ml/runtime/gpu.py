"""Use of NVIDIA's GPUs, as their driver's library tells it; where there is none, nothing is told."""

import ctypes
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any, Final, NamedTuple

from opentelemetry.metrics import CallbackOptions, Meter, Observation

__all__ = ["LIBRARY", "Gpu", "Gpus", "observe_gpus"]

LIBRARY: Final = "nvml.dll" if sys.platform == "win32" else "libnvidia-ml.so.1"
"""NVIDIA's management library; it comes with the driver."""

# Names of OpenTelemetry's own conventions, version 1.44.0.
_UTILIZATION: Final = "hw.gpu.utilization"
_MEMORY_USAGE: Final = "hw.gpu.memory.usage"
_MEMORY_LIMIT: Final = "hw.gpu.memory.limit"
_MEMORY_UTILIZATION: Final = "hw.gpu.memory.utilization"
_ID: Final = "hw.id"
_NAME: Final = "hw.name"
_VENDOR: Final = "hw.vendor"
_MODEL: Final = "hw.model"
_DRIVER_VERSION: Final = "hw.driver_version"

_SUCCESS: Final = 0
_MOST: Final = (1 << 63) - 1
_TEXT_BYTES: Final = 96  # the longest that the library writes


class _Memory(ctypes.Structure):
    _fields_ = (
        ("total", ctypes.c_ulonglong),
        ("free", ctypes.c_ulonglong),
        ("used", ctypes.c_ulonglong),
    )


class _Utilization(ctypes.Structure):
    # In percent of the last sampling period: of time with a kernel running, and with memory in use.
    _fields_ = (("gpu", ctypes.c_uint), ("memory", ctypes.c_uint))


class _RefusedError(Exception):
    """The library does not tell this, of this GPU or at all."""


class Gpu(NamedTuple):
    """One GPU: what the library calls it, and what is said of it everywhere."""

    handle: ctypes.c_void_p
    attributes: Mapping[str, str]


def observe_gpus(meter: Meter, library: str = LIBRARY) -> None:
    """
    Measure use and memory of every GPU that the driver shows, whenever *meter* is collected.

    A collection asks the driver, a call of the model never does. Where *library* cannot be loaded
    there are no instruments; what a GPU does not tell is left out.
    """
    try:
        gpus = Gpus(ctypes.CDLL(library))
    except OSError:
        return
    meter.create_observable_gauge(
        _UTILIZATION, [gpus.observing(gpus.utilization)], "1", "Share of time that a GPU computes."
    )
    meter.create_observable_up_down_counter(
        _MEMORY_USAGE, [gpus.observing(gpus.memory_used)], "By", "Memory of a GPU that is used."
    )
    meter.create_observable_up_down_counter(
        _MEMORY_LIMIT, [gpus.observing(gpus.memory_size)], "By", "Memory that a GPU has."
    )
    meter.create_observable_gauge(
        _MEMORY_UTILIZATION, [gpus.observing(gpus.memory_share)], "1", "Share of memory used."
    )


class Gpus:
    """
    The GPUs of this machine.

    The library is initialised when it is first asked, and anew in a forked process, for a child
    must not use what its parent has opened.

    Args:
        library: NVIDIA's management library, loaded.
    """

    def __init__(self, library: ctypes.CDLL) -> None:
        self._library = library
        self._process_id = 0
        self._known: tuple[Gpu, ...] = ()

    def observing(
        self, measure: Callable[[Gpu], float]
    ) -> Callable[[CallbackOptions], Iterable[Observation]]:
        """Return what observes *measure* of every GPU that tells it."""

        def observe(_options: CallbackOptions) -> Iterator[Observation]:
            for gpu in self.all():
                with suppress(_RefusedError):
                    yield Observation(measure(gpu), gpu.attributes)

        return observe

    def all(self) -> tuple[Gpu, ...]:
        """Return every GPU that can be asked, none where the driver does not answer."""
        if self._process_id != os.getpid():
            self._process_id, self._known = os.getpid(), ()
            with suppress(_RefusedError):
                self._call("nvmlInit_v2")
                self._known = tuple(self._open())
        return self._known

    def utilization(self, gpu: Gpu) -> float:
        """Return the share of the last moment, a second or less, in which *gpu* computed."""
        found = _Utilization()
        self._call("nvmlDeviceGetUtilizationRates", gpu.handle, ctypes.byref(found))
        return float(found.gpu) / 100

    def memory_used(self, gpu: Gpu) -> int:
        """Return the bytes of *gpu*'s memory that are used."""
        return int(self._memory(gpu).used)

    def memory_size(self, gpu: Gpu) -> int:
        """Return the bytes of memory that *gpu* has."""
        return int(self._memory(gpu).total)

    def memory_share(self, gpu: Gpu) -> float:
        """Return the share of *gpu*'s memory that is used."""
        memory = self._memory(gpu)
        if not memory.total:
            raise _RefusedError
        return float(memory.used / memory.total)

    def _memory(self, gpu: Gpu) -> _Memory:
        found = _Memory()
        self._call("nvmlDeviceGetMemoryInfo", gpu.handle, ctypes.byref(found))
        # What is not available may be all ones, and such a number keeps all metrics from being sent.
        if max(found.used, found.total) > _MOST:
            raise _RefusedError
        return found

    def _open(self) -> Iterator[Gpu]:
        count = ctypes.c_uint()
        self._call("nvmlDeviceGetCount_v2", ctypes.byref(count))
        for index in range(count.value):
            handle = ctypes.c_void_p()
            with suppress(_RefusedError):  # one that is lost does not hide the others
                self._call("nvmlDeviceGetHandleByIndex_v2", index, ctypes.byref(handle))
                yield Gpu(handle, self._attributes(handle, index))

    def _attributes(self, handle: ctypes.c_void_p, index: int) -> dict[str, str]:
        attributes = {
            _ID: self._text("nvmlDeviceGetUUID", handle),
            _NAME: f"GPU {index}",
            _VENDOR: "NVIDIA",
        }
        for key, function, arguments in (
            (_MODEL, "nvmlDeviceGetName", (handle,)),
            (_DRIVER_VERSION, "nvmlSystemGetDriverVersion", ()),
        ):
            with suppress(_RefusedError):
                attributes[key] = self._text(function, *arguments)
        return attributes

    def _text(self, function: str, *arguments: Any) -> str:
        text = ctypes.create_string_buffer(_TEXT_BYTES)
        self._call(function, *arguments, text, ctypes.c_uint(_TEXT_BYTES))
        return text.value.decode("utf-8", "replace")

    def _call(self, function: str, *arguments: Any) -> None:
        found = getattr(self._library, function, None)  # older drivers lack some
        if found is None or found(*arguments) != _SUCCESS:
            raise _RefusedError

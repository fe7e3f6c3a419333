"""The processor time and memory of this process, as the operating system counts them."""

import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from opentelemetry.metrics import CallbackOptions, Meter, Observation

__all__ = ["observe_process"]

# Names of OpenTelemetry's own conventions, version 1.44.0.
_CPU_TIME: Final = "process.cpu.time"
_MEMORY_USAGE: Final = "process.memory.usage"
_CPU_MODE: Final = "cpu.mode"

_STATM: Final = Path("/proc/self/statm")
_RESIDENT: Final = 1  # its second number: pages in memory


def observe_process(meter: Meter) -> None:
    """
    Measure, whenever *meter* is collected, `process.cpu.time` and `process.memory.usage`.

    Memory is what is resident; only Linux tells that without a library, elsewhere it is left out:
    the largest it has ever been, which others do tell, is another number.
    """
    meter.create_observable_counter(
        _CPU_TIME, [_cpu_times], "s", "Processor time that the process has used, by mode."
    )
    if sys.platform == "linux" and _resident_bytes():
        meter.create_observable_up_down_counter(
            _MEMORY_USAGE, [_memory], "By", "Physical memory that the process uses."
        )


def _cpu_times(_options: CallbackOptions) -> Iterable[Observation]:
    times = os.times()  # of all threads
    return [
        Observation(times.user, {_CPU_MODE: "user"}),
        Observation(times.system, {_CPU_MODE: "system"}),
    ]


def _memory(_options: CallbackOptions) -> Iterable[Observation]:
    resident = _resident_bytes()
    return [] if resident is None else [Observation(resident)]


def _resident_bytes() -> int | None:
    try:
        pages = int(_STATM.read_text(encoding="ascii").split()[_RESIDENT])
    except (OSError, ValueError, IndexError):  # a sandbox without /proc
        return None
    return pages * os.sysconf("SC_PAGE_SIZE")

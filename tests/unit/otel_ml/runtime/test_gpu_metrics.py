"""Use of GPUs, told by a small library with the functions of NVIDIA's, compiled here."""

import ctypes
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from otel_ml.runtime.gpu import LIBRARY, Gpus, observe_gpus

# The signatures of nvml.h. Two GPUs: the second does not tell how busy it is, nor its name.
SOURCE = r"""
#include <stdio.h>
#include <string.h>
#ifndef USED
#define USED 7
#endif
typedef struct { unsigned long long total, free, used; } memory_t;
typedef struct { unsigned int gpu, memory; } utilization_t;
static int inits = 0;
static int first, second;
int inits_so_far(void) { return inits; }
int nvmlInit_v2(void) { inits++; return INIT; }
int nvmlDeviceGetCount_v2(unsigned int *count) { *count = COUNT; return 0; }
int nvmlDeviceGetHandleByIndex_v2(unsigned int index, void **device) {
    if (index == 2) return 15; /* NVML_ERROR_GPU_IS_LOST */
    *device = index == 0 ? (void *) &first : (void *) &second;
    return 0;
}
int nvmlDeviceGetUUID(void *device, char *text, unsigned int length) {
    snprintf(text, length, "GPU-%s", device == &first ? "one" : "two");
    return 0;
}
int nvmlDeviceGetName(void *device, char *text, unsigned int length) {
    if (device != &first) return 3; /* NVML_ERROR_NOT_SUPPORTED */
    snprintf(text, length, "NVIDIA T4 \xff");
    return 0;
}
int nvmlSystemGetDriverVersion(char *text, unsigned int length) {
    memset(text, '9', length); /* as long as there is room, and no end */
    return 0;
}
int nvmlDeviceGetMemoryInfo(void *device, memory_t *found) {
    found->total = device == &first ? 16106127360ULL : 0;
    found->free = 4026531840ULL;
    found->used = device == &first ? 12079595520ULL : USED;
    return 0;
}
#ifndef OLD
int nvmlDeviceGetUtilizationRates(void *device, utilization_t *found) {
    found->gpu = 37;
    found->memory = 99;
    return device == &first ? 0 : 3;
}
#endif
"""
Build = Callable[..., str]
needs_compiler = pytest.mark.skipif(shutil.which("cc") is None, reason="there is no C compiler")


@pytest.fixture(name="build")
def build(tmp_path: Path) -> Build:
    """Return what compiles the library with definitions and returns its path."""

    def compiled(*definitions: str, init: int = 0, count: int = 3) -> str:
        source, library = tmp_path / "nvml.c", tmp_path / f"libnvml-{init}-{count}.so"
        source.write_text(SOURCE)
        options = [f"-DINIT={init}", f"-DCOUNT={count}", *definitions]
        command = ["cc", "-shared", "-fPIC", *options, str(source), "-o", str(library)]
        subprocess.run(command, check=True, capture_output=True)
        return str(library)

    return compiled


def observed(library: str) -> dict[str, Any]:
    """Return the points of every metric, by name, each by the id of its GPU."""
    reader = InMemoryMetricReader()
    provider = MeterProvider([reader])
    observe_gpus(provider.get_meter("test"), library)
    data = reader.get_metrics_data()
    provider.shutdown()
    return {
        metric.name: {
            point.attributes["hw.id"]: (point.value, metric.unit)
            for point in metric.data.data_points
        }
        for resource in (data.resource_metrics if data else ())
        for scope in resource.scope_metrics
        for metric in scope.metrics
    }


@needs_compiler
def test_use_and_memory_of_every_gpu_are_told(build: Build) -> None:
    """Shares of one and bytes; what a GPU does not tell, or has none of, is left out."""
    assert observed(build()) == {
        "hw.gpu.utilization": {"GPU-one": (0.37, "1")},
        "hw.gpu.memory.usage": {"GPU-one": (12_079_595_520, "By"), "GPU-two": (7, "By")},
        "hw.gpu.memory.limit": {"GPU-one": (16_106_127_360, "By"), "GPU-two": (0, "By")},
        "hw.gpu.memory.utilization": {"GPU-one": (0.75, "1")},
    }


@needs_compiler
def test_what_is_not_available_is_no_number(build: Build) -> None:
    """Some drivers say it by all ones, more than the wire can hold: no metric could be sent beside it."""
    told = observed(build("-DUSED=~0ULL"))
    assert told["hw.gpu.memory.usage"] == {"GPU-one": (12_079_595_520, "By")}


@needs_compiler
def test_a_gpu_is_told_by_who_it_is(build: Build) -> None:
    """Its id, its place, its maker; its name and driver where they are told, cut to what has room."""
    first, second = Gpus(ctypes.CDLL(build())).all()
    assert first.attributes == {
        "hw.id": "GPU-one",
        "hw.name": "GPU 0",
        "hw.vendor": "NVIDIA",
        "hw.model": "NVIDIA T4 \ufffd",
        "hw.driver_version": "9" * 96,
    }
    assert second.attributes["hw.id"] == "GPU-two"
    assert "hw.model" not in second.attributes


@needs_compiler
def test_a_driver_that_does_not_start_tells_nothing(build: Build) -> None:
    """A library without a driver, as in an image that is run on a machine without GPUs."""
    assert observed(build(init=9)) == {}
    assert observed(build(count=0)) == {}


@needs_compiler
def test_an_old_driver_tells_what_it_can(build: Build) -> None:
    """A function that is not there is no failure."""
    found = observed(build("-DOLD"))
    assert "hw.gpu.utilization" not in found
    assert set(found["hw.gpu.memory.usage"]) == {"GPU-one", "GPU-two"}


@needs_compiler
def test_the_library_is_started_once_and_again_in_a_child(
    build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When it is first asked; a forked process must not use what its parent opened."""
    library = ctypes.CDLL(build())
    gpus = Gpus(library)
    assert library.inits_so_far() == 0
    assert gpus.all() is gpus.all()
    assert library.inits_so_far() == 1
    monkeypatch.setattr(os, "getpid", lambda: -1)
    assert len(gpus.all()) == 2
    assert library.inits_so_far() == 2


def test_without_the_library_there_are_no_instruments(tmp_path: Path) -> None:
    """Not there, or no library at all: nothing is told and nothing is said."""
    (tmp_path / "text.so").write_text("not a library")
    assert observed(str(tmp_path / "none.so")) == {}
    assert observed(str(tmp_path / "text.so")) == {}
    assert LIBRARY in {"libnvidia-ml.so.1", "nvml.dll"}

"""Processor time and memory of the process, beside what the operating system says of it."""

import mmap
import os
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest
from opentelemetry.metrics import CallbackOptions
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from otel_ml.runtime import observe_runtime, process
from otel_ml.runtime.process import observe_process
from otel_ml.settings import Settings
from otel_ml.testing import capture

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="memory is told on Linux only")


def metrics_of(reader: InMemoryMetricReader) -> list[Any]:
    """Return the metrics that a collection gives."""
    data = reader.get_metrics_data()
    return [
        metric
        for resource in (data.resource_metrics if data else ())
        for scope in resource.scope_metrics
        for metric in scope.metrics
    ]


@pytest.fixture(name="reader")
def reader() -> InMemoryMetricReader:
    """Return a reader of a provider in which the process is observed."""
    reader = InMemoryMetricReader()
    observe_process(MeterProvider([reader]).get_meter("test"))
    return reader


def test_processor_time_is_what_the_system_counts(reader: InMemoryMetricReader) -> None:
    """User and system time, in seconds, and growing."""
    before = os.times()
    metric = next(each for each in metrics_of(reader) if each.name == "process.cpu.time")
    after = os.times()
    assert (metric.unit, metric.data.is_monotonic) == ("s", True)
    modes = {point.attributes["cpu.mode"]: point.value for point in metric.data.data_points}
    assert before.user <= modes["user"] <= after.user
    assert before.system <= modes["system"] <= after.system


@linux_only
def test_memory_is_what_another_library_reads(reader: InMemoryMetricReader) -> None:
    """Resident bytes, now; not the most there ever was."""
    metric = next(each for each in metrics_of(reader) if each.name == "process.memory.usage")
    (point,) = metric.data.data_points
    assert (metric.unit, metric.data.is_monotonic) == ("By", False)
    assert point.value == pytest.approx(psutil.Process().memory_info().rss, rel=0.1)


@linux_only
def test_memory_follows_what_is_allocated(reader: InMemoryMetricReader) -> None:
    """Sixty-four megabytes that are written to, and given back."""

    def resident() -> int:
        found = {each.name: each for each in metrics_of(reader)}["process.memory.usage"]
        return int(found.data.data_points[0].value)

    before = resident()
    # Pages of our own: an allocator may keep what it was given back.
    with mmap.mmap(-1, 64 << 20) as block:
        for page in range(0, len(block), mmap.PAGESIZE):
            block[page] = 1
        during = resident()
    assert during - before > 48 << 20
    assert during - resident() > 48 << 20


@pytest.mark.parametrize("content", [None, "", "12", "a b c"])
def test_without_a_readable_proc_memory_is_left_out(
    content: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sandbox without it, or with something else in its place: from the start, or later."""
    reader = InMemoryMetricReader()
    place = tmp_path / "statm"
    if content is not None:
        place.write_text(content)
    monkeypatch.setattr(process, "_STATM", place)
    observe_process(MeterProvider([reader]).get_meter("test"))
    assert [metric.name for metric in metrics_of(reader)] == ["process.cpu.time"]
    assert list(process._memory(CallbackOptions())) == []


def test_observing_twice_is_observing_once() -> None:
    """Every framework that is instrumented asks for it."""
    reader = InMemoryMetricReader()
    meter = MeterProvider([reader]).get_meter("test")
    observe_runtime(meter)
    observe_runtime(meter)
    names = [metric.name for metric in metrics_of(reader)]
    assert len(names) == len(set(names)) >= 1


def test_instrumenting_measures_the_process_unless_told_otherwise() -> None:
    """The setting `runtime_metrics` decides."""
    with capture() as seen:
        assert len(seen.metric("process.cpu.time")) == 2
    with capture(Settings(runtime_metrics=False)) as seen:
        assert seen.metric("process.cpu.time") == []

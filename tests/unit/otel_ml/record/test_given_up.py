"""Calls that the garbage collector ends, in whatever thread and in the middle of whatever that does."""

from __future__ import annotations

import gc
from collections.abc import Generator, Iterator

import pytest

import otel_ml
from otel_ml.record.given_up import given_up
from otel_ml.testing import capture
from tests.data.giving_up import Locking, drop_in_a_cycle, is_collected_under, runs_through
from tests.data.programs import run


@pytest.fixture(name="locking")
def _locking() -> Iterator[Locking]:
    """Return a processor that hears of all spans, in a process that collects no garbage unless asked to."""
    locking = Locking()
    with capture() as seen:
        seen.tracer_provider.add_span_processor(locking)
        gc.disable()
        try:
            yield locking
        finally:
            gc.enable()


@otel_ml.observe(name="stream")
def steps() -> Generator[int, None, None]:
    """Yield without end."""
    while True:
        yield 1


def leave_in_a_cycle() -> None:
    """Leave a suspended call to the garbage collector."""
    asked = steps()
    next(asked)
    drop_in_a_cycle(asked)


def test_garbage_that_is_collected_under_a_lock_of_the_exporter_waits_for_nothing(
    locking: Locking,
) -> None:
    """The thread would wait for a lock that it holds itself, for ever: the span ends in another one."""
    leave_in_a_cycle()

    assert is_collected_under(locking.lock)
    given_up.settle()
    assert locking.ended == [("predict stream", False)]


def test_who_closes_a_call_has_its_span_at_once(locking: Locking) -> None:
    """Left by `break`, closed or let go of, it has ended when the next line runs, in the same thread."""
    for _ in steps():
        break
    closed = steps()
    next(closed)
    closed.close()
    assert locking.ended == [("predict stream", True)] * 2


def test_another_thread_does_not_wait_for_a_collection(locking: Locking) -> None:
    """What it closes itself while garbage is collected elsewhere ends there and then."""
    asked = steps()
    next(asked)

    class Garbage:
        def __del__(self) -> None:
            """Have the call closed by another thread, in the middle of the collection."""
            assert runs_through(asked.close)
            ended.extend(locking.ended)

    ended: list[tuple[str, bool]] = []
    drop_in_a_cycle(Garbage())
    gc.collect()
    assert ended == [("predict stream", False)]


def test_whoever_waits_finds_that_all_has_ended(locking: Locking) -> None:
    """However much was given up at once, each call has ended, and once."""
    for _ in range(100):
        leave_in_a_cycle()
    gc.collect()
    given_up.settle()
    assert locking.ended == [("predict stream", False)] * 100


def test_a_child_of_a_fork_ends_what_is_given_up_there() -> None:
    """The parent's thread is not there any more; the child has its own."""
    program = """
import gc, os, sys
import otel_ml
from otel_ml.record.given_up import given_up
from otel_ml.testing import capture
from tests.data.giving_up import Locking, drop_in_a_cycle, is_collected_under, runs_through

@otel_ml.observe(name="stream")
def steps():
    while True:
        yield 1

def leave():
    asked = steps()
    next(asked)
    cycle = [asked]
    cycle.append(cycle)

gc.disable()
with capture() as seen:
    leave(); gc.collect(); given_up.settle()
    assert len(seen.spans) == 1
    child = os.fork()
    leave(); gc.collect(); given_up.settle()
    assert len(seen.spans) == 2, len(seen.spans)
    if child:
        assert os.waitpid(child, 0)[1] == 0
"""
    run(program)


def test_what_is_given_up_just_before_the_end_of_a_program_is_told() -> None:
    """The spans of a program's last moment leave before the SDK is shut down, and nothing is complained of."""
    program = """
import gc
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter
provider = TracerProvider()
provider.add_span_processor(BatchSpanProcessor(ConsoleSpanExporter()))
trace.set_tracer_provider(provider)
import otel_ml

@otel_ml.observe(name="stream")
def steps():
    while True:
        yield 1

gc.disable()
asked = steps()
next(asked)
cycle = [asked]
cycle.append(cycle)
del asked, cycle
gc.collect()
"""
    ran = run(program)
    assert ran.stdout.count('"name": "predict stream"') == 1
    assert ran.stderr == ""

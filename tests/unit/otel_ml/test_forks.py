"""A process that is forked off in the middle of something of ours waits for nobody who stayed behind."""

import os

import pytest

from tests.data.programs import run

# While one thread holds a lock of ours another forks; the child is ended by an alarm where it waits for ever.
FORKING = """
import os, signal, sys, threading, warnings
warnings.simplefilter("ignore", DeprecationWarning)
import otel_ml
from otel_ml import in_force
from otel_ml.instrumentors._imports import imports

imports.before_import("statistics", lambda: print("announced", flush=True))
held, forked = threading.Event(), threading.Event()

def hold():
    with in_force._leases.changing, imports._announcing:
        held.set()
        forked.wait()

thread = threading.Thread(target=hold)
thread.start()
held.wait()
child = os.fork()
if child == 0:
    signal.alarm(60)
    with otel_ml.inference("fraud"):
        import statistics
    otel_ml.instrument()
    os._exit(0)
_, status = os.waitpid(child, 0)
forked.set()
thread.join()
sys.exit(status)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_child_waits_for_no_lock_of_its_parents() -> None:
    """Its first call by hand, its first import of a framework, its first instrumentation go on."""
    assert run(FORKING).stdout == "announced\n"

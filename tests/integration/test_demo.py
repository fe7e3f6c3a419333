"""The demo as a person runs it: the program, its output, its exit code, and what it leaves behind."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import psutil
import pytest

from tests.integration.flights import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator


FLIGHTS = ROOT / "examples" / "flights"
DEMO = (str(FLIGHTS / "demo.py"),)
ALONE = ("-c", "import course, demo; course.found_servers = dict; raise SystemExit(demo.main([]))")
"""The demo on a machine where no server is built."""


@contextmanager
def running(program: tuple[str, ...], seconds: str) -> Iterator[subprocess.Popen[str]]:
    """Run the demo for so many seconds; on the way out it is ended like everything that it started."""
    environment = {**os.environ, "DEMO_SECONDS": seconds, "PYTHONPATH": str(FLIGHTS)}
    process = subprocess.Popen(
        [sys.executable, "-u", *program],
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        process.terminate()
        process.communicate(timeout=60)


def ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Return exit code and output of a demo that ends by itself."""
    said, _ = process.communicate(timeout=500)
    return process.returncode, said


def test_a_short_demo_ends_by_itself_and_every_number_agrees() -> None:
    """
    Exit code 0; winter in random order without an alarm, the year with one in every month; as many predictions as requests.

    With the real servers there are as many inference spans in Jaeger, a trace of a late flight is found, and Prometheus has the same
    score twice.
    """
    import stack

    with running(DEMO, "1") as process:
        code, said = ended(process)
    assert code == 0, said
    winter, year = re.findall(r"(\d+) of (\d+) windows in alarm", said)
    assert winter == ("0", "2")
    assert year == ("10", "10")
    assert "temperature and dew point among the drifted features in 8 of 8 windows" in said
    assert re.search(r"requests answered by the service +2400 ", said)
    assert re.search(
        r"predictions in the processor's windows +2400 +as many as were answered", said
    )
    if len(stack.found_servers()) == len(stack.SERVER_NAMES):
        assert re.search(r"inference spans in Jaeger +2400 +as many as were answered", said)
        assert re.search(
            r"predict late-arrival .*ml\.prediction\.label=late .*ml\.verdict\.drift=drifting", said
        )
        scores = re.findall(r"(\d+\.\d+), from job otel-ml(?:-processor)?$", said, re.MULTILINE)
        assert len(scores) == 2
        assert len(set(scores)) == 1


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_whoever_ends_it_leaves_nothing_behind(number: int, code: int) -> None:
    """Ctrl-C in the middle of the play, or a polite kill: every process that it started is gone, and the exit code says why."""
    with running(ALONE, "120") as process:
        assert process.stdout is not None
        said = iter(process.stdout.readline, "")
        assert any("] Jan-Feb shuffled" in line for line in said)
        children = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(number)
        assert process.wait(60) == code
    assert len(children) == 2  # processor and service
    assert [child for child in children if child.is_running()] == []


def test_a_part_that_cannot_start_is_shown(tmp_path_factory: pytest.TempPathFactory) -> None:
    """A collector that fails ends the demo with exit code 1, the end of its log, and nothing left running."""
    broken = tmp_path_factory.mktemp("bin") / "broken"
    broken.write_text("#!/bin/sh\necho bind: address already in use\nexit 1\n")
    broken.chmod(0o755)
    found = f"dict.fromkeys(course.SERVER_NAMES, {str(broken)!r})"
    program = f"import course, demo; course.found_servers = lambda: {found}; raise SystemExit(demo.main([]))"
    with running(("-c", program), "20") as process:
        code, said = ended(process)
    assert code == 1
    assert "demo.py: jaeger: ended with exit code 1; the end of" in said
    assert "  bind: address already in use" in said


@pytest.mark.parametrize("seconds", ["soon", "0", "-1", "nan", "inf"])
def test_a_time_that_is_none_is_refused(seconds: str) -> None:
    """One line, exit code 2, nothing started."""
    with running(DEMO, seconds) as process:
        code, said = ended(process)
    assert code == 2
    assert (
        said
        == f"demo.py: DEMO_SECONDS: expected a number of seconds above 0 such as 60, got {seconds!r}\n"
    )


def test_help_says_what_will_happen() -> None:
    """What is started, in which order, and how it ends."""
    with running((*DEMO, "--help"), "") as process:
        code, said = ended(process)
    assert code == 0
    assert "DEMO_SECONDS=60" in said
    assert "until Ctrl-C" in said

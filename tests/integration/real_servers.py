"""Real servers in tests: where their binaries are, how they are started on free local ports, and how they are stopped."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.request import ProxyHandler, build_opener

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager

__all__ = [
    "OTEL_ML",
    "answers",
    "eventually",
    "find_tool",
    "free_port",
    "listens",
    "processor_running",
    "running",
]

OTEL_ML: Final = Path(sys.executable).with_name("otel-ml")

_TOOLS = Path(__file__).parents[2] / ".tools" / "bin"
_LOG_TAIL = 8000
_DIRECT = build_opener(ProxyHandler({}))


def find_tool(name: str) -> str:
    """
    Return the path of the binary *name*, from `.tools/bin` or else the PATH.

    Without it the calling test is skipped and says so; where the environment has `CI=true`, where everything must be there, it fails.
    """
    found = shutil.which(name, path=_TOOLS) or shutil.which(name)
    if found is not None:
        return found
    reason = f"no {name} in {_TOOLS} or on the PATH; `make tools` builds it"
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


def _own_ports() -> Iterator[int]:
    """Return ports below those that systems give to whoever connects, in no order, none of another worker's that runs tests beside this one."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    ports = range(15_000 + worker, 32_000, int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")))
    return iter(secrets.SystemRandom().sample(ports, len(ports)))


# Each is given once: whoever was given one need not listen yet when the next is asked for.
_PORTS: Final = _own_ports()


def free_port() -> int:
    """Return a TCP port of 127.0.0.1 that nothing listens on, of those that no connection is given: it is free a moment later too."""
    for port in _PORTS:
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
    raise AssertionError("all ports have been given away")


def answers(url: str) -> bool:
    """Return whether *url* answers with success."""
    try:
        with _DIRECT.open(url, timeout=30) as answer:
            status: int = answer.status
    except OSError:
        return False
    return 200 <= status < 300


def listens(port: int) -> bool:
    """Return whether *port* of 127.0.0.1 can be connected to: a request might be one of those that are counted."""
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


def eventually(found: Callable[[], Any], wanted: Callable[[Any], bool], within_s: float) -> Any:
    """Return the first value that is *wanted*, or the last one after *within_s* seconds: the assertion then shows it."""
    end = time.monotonic() + within_s
    while not wanted(value := found()) and time.monotonic() < end:
        time.sleep(0.2)
    return value


@contextmanager
def running(
    command: Sequence[str | Path],
    *,
    ready: Callable[[], bool],
    log: Path,
    deadline_s: float = 180.0,
) -> Iterator[subprocess.Popen[bytes]]:
    """
    Run *command* from when *ready* says so until the block is left, its output in *log*.

    The test fails, showing the end of the log, if the process ends or is not ready within *deadline_s*; a failure inside the block
    shows the log too. Only this process is stopped: asked first, killed after ten seconds.
    """
    with log.open("wb") as output:
        process = subprocess.Popen(
            [str(part) for part in command], stdout=output, stderr=subprocess.STDOUT
        )
        try:
            _await(process, ready, deadline_s, log)
            yield process
        except BaseException:
            print(f"--- {log}\n{_tail(log)}")  # noqa: T201 - shown by pytest beside the failure
            raise
        finally:
            _stop(process)


def processor_running(
    config: Path, page: str, log: Path, *settings: str
) -> AbstractContextManager[subprocess.Popen[bytes]]:
    """Run the processor as `running` does, with *config* and further *settings*; it is ready when its page at *page* says so."""
    command: list[str | Path] = [OTEL_ML, "processor", "--config", config, *settings]
    return running(command, ready=partial(answers, f"http://{page}/readyz"), log=log)


def _await(
    process: subprocess.Popen[bytes], ready: Callable[[], bool], deadline_s: float, log: Path
) -> None:
    """Return when *ready* says so; fail when *process* ends or time is up."""
    deadline = time.monotonic() + deadline_s
    while not ready():
        if process.poll() is not None:
            pytest.fail(f"{process.args!r} ended with status {process.returncode}, see {log}")
        if time.monotonic() > deadline:
            pytest.fail(f"{process.args!r} was not ready within {deadline_s:g} s, see {log}")
        time.sleep(0.05)


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Ask *process* to end, and end it where it does not."""
    process.terminate()
    try:
        process.wait(60)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _tail(log: Path) -> str:
    """Return the end of *log*."""
    return log.read_bytes()[-_LOG_TAIL:].decode(errors="replace")

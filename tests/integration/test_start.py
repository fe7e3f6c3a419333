"""The start of a processor: what its log says of the decoder, and that it can be ended before it has begun."""

from __future__ import annotations

import signal
import subprocess
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from otel_ml_processor.compiled import IS_COMPILED
from tests.integration.real_servers import OTEL_ML, answers, eventually, free_port, running

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.skipif(not IS_COMPILED, reason="without numba nothing is compiled")

COMPILED_NOW = "decoder: compiled now"


@contextmanager
def started(folder: Path, until: str) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    """Run a processor from when its log says *until*, which is in the file that comes with it."""
    page = free_port()
    addresses = {
        "http.endpoint": f"127.0.0.1:{page}",
        "receive.endpoint": f"127.0.0.1:{free_port()}",
        "receive.http.endpoint": f"127.0.0.1:{free_port()}",
    }
    settings = [part for key, at in addresses.items() for part in ("--set", f"{key}={at}")]
    log = folder / "log"
    with running(
        [OTEL_ML, "processor", *settings],
        ready=lambda: until in log.read_text() and answers(f"http://127.0.0.1:{page}/healthz"),
        log=log,
    ) as process:
        yield process, log


@pytest.mark.parametrize("ask", [signal.SIGTERM, signal.SIGINT])
def test_whoever_compiles_ends_when_asked(
    ask: signal.Signals, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To compile takes half a minute and more; a service manager would have killed it by then."""
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "compiled"))
    with started(tmp_path, COMPILED_NOW) as (process, log):
        process.send_signal(ask)
        assert process.wait(15) == 0
    assert "before anything was received" in log.read_text()
    assert "ready after" not in log.read_text()


def test_the_log_says_that_it_compiles_where_it_does(tmp_path: Path) -> None:
    """The second start finds everything compiled: nobody is told to wait."""
    for _ in range(2):
        with started(tmp_path, "mode tee") as (_process, log):
            said = eventually(log.read_text, lambda text: "ready after" in text, within_s=1)
    assert COMPILED_NOW not in said

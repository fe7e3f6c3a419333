"""`otel-ml conventions live-check` as a process of its own, beside what is tested."""

from __future__ import annotations

import signal
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.integration.real_servers import OTEL_ML, free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Check", "live_check"]


@dataclass
class Check:
    """Where it listens, and after the block what it has printed and its exit status."""

    endpoint: str
    printed: str = ""
    status: int | None = None


@contextmanager
def live_check() -> Iterator[Check]:
    """Judge what arrives until the block ends."""
    check = Check(f"127.0.0.1:{free_port()}")
    command = [str(OTEL_ML), "conventions", "live-check", "--http", "127.0.0.1:0"]
    process = subprocess.Popen(
        [*command, "--grpc", check.endpoint],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert "listening" in process.stdout.readline()
        yield check
    finally:
        process.send_signal(signal.SIGINT)
        check.printed, _ = process.communicate(timeout=60)
        check.status = process.returncode

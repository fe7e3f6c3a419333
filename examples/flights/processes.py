"""Starts the parts of the demo, notices when one of them dies, and stops by its own process id whatever was started."""

from __future__ import annotations

import subprocess
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import httpx

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from typing_extensions import Self

__all__ = ["Part", "PartFailedError", "Processes"]

_LOG_LINES = 12
_READY_WITHIN_S = 300.0  # the first time the processor compiles its decoder: half a minute, or several where others want the CPU
_STOPPED_WITHIN_S = 30.0
_POLL_S = 0.1


class PartFailedError(Exception):
    """A part that did not start, or ended before its time; the message shows the end of its log."""


@dataclass(frozen=True, slots=True)
class Part:
    """A program of the demo: how it is started, the address that answers 200 when it is ready, and the folder that it starts in."""

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    ready_url: str
    folder: Path | None = None


@dataclass(frozen=True, slots=True)
class _Running:
    part: Part
    process: subprocess.Popen[bytes]
    log: Path


class Processes:
    """
    The parts that run, in the order in which they were started; each writes its log into the folder *logs*.

    A context manager: on the way out, however it is taken, all are stopped, the last first.
    """

    def __init__(self, logs: Path) -> None:
        self._logs = logs
        self._running: list[_Running] = []

    def __enter__(self) -> Self:
        self._logs.mkdir(parents=True, exist_ok=True)
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self, *parts: Part) -> None:
        """
        Start *parts* together and return when all are ready.

        Raises:
            PartFailedError: If one ends, or is not ready within five minutes.
        """
        for part in parts:
            self._running.append(self._started(part))
        for running in self._running[-len(parts) :]:
            self._wait_until_ready(running)

    def check(self) -> None:
        """Raise PartFailedError if a part has ended."""
        for running in self._running:
            code = running.process.poll()
            if code is not None:
                raise _failure(running, f"ended with exit code {code}")

    def stop(self) -> None:
        """Stop all that was started: ask first (SIGTERM), and after half a minute end it."""
        while self._running:
            process = self._running[-1].process
            process.terminate()
            try:
                process.wait(_STOPPED_WITHIN_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            self._running.pop()

    def _started(self, part: Part) -> _Running:
        log = self._logs / f"{part.name}.log"
        # A session of its own: Ctrl-C in the terminal reaches the demo alone, which stops its parts in order.
        with log.open("wb") as output:
            try:
                process = subprocess.Popen(
                    part.command,
                    cwd=part.folder,
                    env=dict(part.environment),
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
            except OSError as error:
                raise PartFailedError(
                    f"{part.name}: cannot start {part.command[0]}: {error.strerror}"
                ) from error
        return _Running(part, process, log)

    def _wait_until_ready(self, running: _Running) -> None:
        end = time.monotonic() + _READY_WITHIN_S
        while time.monotonic() < end:
            self.check()
            if _answers(running.part.ready_url):
                return
            time.sleep(_POLL_S)
        raise _failure(
            running, f"not ready after {_READY_WITHIN_S:.0f} s ({running.part.ready_url})"
        )


def _answers(url: str) -> bool:
    try:
        answer = httpx.get(url, timeout=2.0, trust_env=False)
    except httpx.TransportError:
        return False
    return answer.status_code == httpx.codes.OK


def _failure(running: _Running, what: str) -> PartFailedError:
    lines = running.log.read_text(errors="replace").splitlines()[-_LOG_LINES:]
    shown = "\n".join(f"  {line}" for line in lines) or "  (it wrote nothing)"
    return PartFailedError(f"{running.part.name}: {what}; the end of {running.log}:\n{shown}")

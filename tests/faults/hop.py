"""A processor in line, as a process of its own that can be killed, stopped and started again on the same addresses and folder."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import msgspec

from otel_ml_processor.config import Duration, WindowConfig
from otel_ml_processor.profile_file import write_profile
from otel_ml_processor.state.snapshot import read_snapshot
from tests.data.state_house import House, profile
from tests.integration.real_servers import answers, eventually, free_port, processor_running

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = [
    "DUPLICATES",
    "JOURNAL",
    "SAMPLES",
    "Hop",
    "addresses",
    "recomputed",
    "refused",
]

SAMPLES = "ml_prediction_samples_total"
DUPLICATES = "ml_processor_duplicates_total"
JOURNAL = "state: {directory: state, interval: 1s, journal: on}"
DAY = "24h"


def refused(cause: str) -> str:
    """Return the series that counts the requests refused for *cause*."""
    return f'ml_processor_refused_total{{ml_processor_cause="{cause}"}}'


class Hop:
    """
    A processor whose next hop is at *forward*; without one it is in mode tee.

    *receive*, *http* and *more* are further options, of `receive`, of `receive.http` and of all; *also* of `forward`. By default there is no state. All its addresses are at
    *host*.
    """

    def __init__(
        self,
        folder: Path,
        forward: str | None,
        more: str = "",
        *,
        receive: str = "",
        http: str = "",
        also: str = "",
        host: str = "127.0.0.1",
    ) -> None:
        folder.mkdir(exist_ok=True)
        write_profile(profile(), folder / "fraud.json")
        self.folder, self.starts = folder, 0
        self.grpc, self.http, self.page, self.emit = addresses(4, host)
        self.config = folder / "processor.yaml"
        self.process: subprocess.Popen[bytes] | None = None
        self.write(forward, more, receive=receive, http=http, also=also)

    def write(
        self,
        forward: str | None,
        more: str = "",
        *,
        receive: str = "",
        http: str = "",
        also: str = "",
    ) -> None:
        """Write its configuration."""
        mode = f"mode: inline\nforward: {{endpoint: '{forward}', {also}}}" if forward else ""
        self.config.write_text(f"""
{mode}
receive: {{endpoint: "{self.grpc}", http: {{endpoint: "{self.http}", {http}}}, {receive}}}
http: {{endpoint: "{self.page}"}}
emit: {{endpoint: "{self.emit}"}}
windows: [{{name: {DAY}, length: 24h}}]
streams: {{idle: 24h}}
profiles: [fraud.json]
{more}
""")

    @contextmanager
    def running(self) -> Iterator[Hop]:
        """Run it until the block ends, or until it is killed in it."""
        self.starts += 1
        log = self.folder / f"log-{self.starts}"
        with processor_running(self.config, self.page, log) as self.process:
            yield self

    @property
    def pid(self) -> int:
        """Its process."""
        assert self.process is not None
        return self.process.pid

    def kill(self) -> None:
        """End it without a last word."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(60)

    def stop(self) -> int:
        """Ask it to end and return its exit code."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)

    def is_alive(self) -> bool:
        """Return whether its process runs and is ready."""
        assert self.process is not None
        return self.process.poll() is None and answers(f"http://{self.page}/readyz")

    def resident_bytes(self) -> int:
        """Return its resident memory."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * resource.getpagesize()

    def cpu_s(self) -> float:
        """Return the seconds of CPU that it has used."""
        after_name = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return sum(map(int, after_name[11:13])) / os.sysconf("SC_CLK_TCK")

    def series(self) -> dict[str, float]:
        """Return all series of `/metrics` by name and labels."""
        text = httpx.get(f"http://{self.page}/metrics", timeout=60, trust_env=False).text
        lines = [line.rpartition(" ") for line in text.splitlines() if not line.startswith("#")]
        return {name: float(value) for name, _, value in lines}

    def total(self, metric: str, *labels: str) -> float:
        """Return the sum of the series of *metric* that have all *labels*."""
        return sum(
            value
            for name, value in self.series().items()
            if name.startswith(metric) and all(label in name for label in labels)
        )

    def samples(self, expected: float, model: str = "fraud", within_s: float = 60.0) -> float:
        """Return the inferences of *model* that it says to have counted, as soon as they are *expected*; it says so once a second."""
        label = f'ml_model_name="{model}"'
        found = eventually(lambda: self.total(SAMPLES, label), lambda n: n == expected, within_s)
        return float(found)

    def log(self) -> str:
        """Return what all its starts have said."""
        return "".join(path.read_text() for path in sorted(self.folder.glob("log-*")))

    def windows(self) -> list[bytes]:
        """Return the windows of its last snapshot, byte for byte; it has ended."""
        streams = read_snapshot(self.folder / "state" / "snapshot").snapshot.streams
        return sorted(msgspec.msgpack.encode((s.key, s.newest_ns, s.windows)) for s in streams)


def addresses(n: int, host: str = "127.0.0.1") -> list[str]:
    """Return *n* different addresses of *host* that nothing listens on, nor will by chance."""
    return [f"{host}:{free_port()}" for _ in range(n)]


def recomputed(requests: Sequence[bytes], at_ns: int) -> list[bytes]:
    """
    Return the windows that *requests* make, each once, one after the other, without a process, a network or a fault.

    They are read by the plain decoder, *at_ns*; `Hop.windows` must be these, byte for byte.
    """
    window = WindowConfig(name=DAY, length=Duration(86_400))
    return House(None, windows=[window], clock_ns=lambda: at_ns).take(*requests).windows()

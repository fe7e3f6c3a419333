"""What survives of a real processor that is killed under load, or stopped, and started again."""

from __future__ import annotations

import re
import signal
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import grpc
import httpx
import msgspec

from otel_ml_processor.config import Duration, WindowConfig
from otel_ml_processor.profile_file import write_profile
from otel_ml_processor.state.snapshot import read_snapshot
from tests.data.state_house import House, profile, request, singly
from tests.integration.real_servers import (
    eventually,
    free_port,
    processor_running,
)
from tests.integration.test_processor import EXPORT, configured, run

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator
    from pathlib import Path

SAMPLES = "ml_prediction_samples_total"
KILLS = 3
SENDERS = 4
PER_REQUEST = 25
DAY = "24h"


class Setting:
    """A processor that can be started again and again on the same ports and folder."""

    def __init__(self, folder: Path, state: str) -> None:
        """Write its profile and its configuration; *state* are further options of the state."""
        write_profile(profile(), folder / "fraud.json")
        self.folder = folder
        self.port, self.page, self.starts = free_port(), free_port(), 0
        self.config = configured(
            folder,
            f"""
            receive: {{endpoint: "127.0.0.1:{self.port}"}}
            http: {{endpoint: "127.0.0.1:{self.page}"}}
            emit: {{endpoint: "127.0.0.1:{free_port()}"}}
            windows: [{{name: {DAY}, length: 24h}}]
            streams: {{idle: 24h}}
            profiles: [fraud.json]
            state: {{directory: state, {state}}}
            """,
        )

    @contextmanager
    def processor(self) -> Iterator[subprocess.Popen[bytes]]:
        """Run it until the block is left."""
        self.starts += 1
        with processor_running(self.config, f"127.0.0.1:{self.page}", self.log) as process:
            yield process

    @property
    def log(self) -> Path:
        """The log of the last start."""
        return self.folder / f"log-{self.starts}"

    def counts(self, metric: str) -> dict[str, float]:
        """Return the points of *metric* on the scrape page, by their labels."""
        text = httpx.get(f"http://127.0.0.1:{self.page}/metrics", timeout=60).text
        lines = [line.rpartition(" ") for line in text.splitlines() if line.startswith(metric)]
        return {labels: float(value) for labels, _, value in lines}

    def total(self, metric: str) -> float:
        """Return the sum of the points of *metric*."""
        return sum(self.counts(metric).values())

    def send(self, one: bytes) -> None:
        """Send *one* until it is acknowledged, as an exporter does."""
        with grpc.insecure_channel(f"127.0.0.1:{self.port}") as channel:
            deliver(channel, one)

    def windows(self) -> list[bytes]:
        """Return the windows in the snapshot, as `House.windows` does."""
        streams = read_snapshot(self.folder / "state" / "snapshot").snapshot.streams
        return sorted(msgspec.msgpack.encode((s.key, s.newest_ns, s.windows)) for s in streams)


def deliver(channel: grpc.Channel, one: bytes) -> None:
    """Send *one* until it is acknowledged."""
    while not is_taken(channel, one):
        time.sleep(0.05)


def is_taken(channel: grpc.Channel, one: bytes) -> bool:
    """Return whether *one* was acknowledged."""
    try:
        channel.unary_unary(EXPORT)(one, timeout=2, wait_for_ready=True)
    except grpc.RpcError:
        return False
    return True


class Load:
    """Senders that send different requests one after the other, each until it is acknowledged."""

    def __init__(self, setting: Setting, at_ns: int) -> None:
        """Begin with the first; *at_ns* is when all inferences are said to have ended."""
        self._setting = setting
        self._at_ns = at_ns
        self._stopping = threading.Event()
        self.acknowledged: list[bytes] = []
        self._threads = [threading.Thread(target=self._send, args=(n,)) for n in range(SENDERS)]
        for thread in self._threads:
            thread.start()

    def _send(self, sender: int) -> None:
        number = 1_000_000 * sender
        with grpc.insecure_channel(f"127.0.0.1:{self._setting.port}") as channel:
            while not self._stopping.is_set():
                one = request(range(number, number + PER_REQUEST), at_ns=self._at_ns)
                deliver(channel, one)
                self.acknowledged.append(one)
                number += PER_REQUEST

    def stop(self) -> list[bytes]:
        """Stop, and return the requests that have been acknowledged: all that were sent."""
        self._stopping.set()
        for thread in self._threads:
            thread.join(60)
        return self.acknowledged


def kill_under_load(setting: Setting, at_ns: int) -> list[bytes]:
    """Kill the processor `KILLS` times while requests come in, and start it once more; return what was acknowledged, which is all that was sent."""
    load: Load | None = None
    for _ in range(KILLS):
        with setting.processor() as process:
            load = load or Load(setting, at_ns)
            enough = len(load.acknowledged) + 40
            eventually(load.acknowledged.__len__, enough.__le__, 60)
            process.kill()
            process.wait(60)
    assert load is not None
    with setting.processor() as process:
        acknowledged = load.stop()
        for one in singly(acknowledged[:10]):  # batched anew by somebody on the way
            setting.send(one)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    return acknowledged


def logs(setting: Setting) -> str:
    """Return what all starts have said."""
    return "".join(path.read_text() for path in setting.folder.glob("log-*"))


def test_with_a_journal_a_kill_loses_and_doubles_nothing(tmp_path: Path) -> None:
    """
    Killed three times under load, sent again by its senders and, in part, batched anew by somebody on the way.

    The windows in the end are those of one processor that was given each request once, bit for bit; no restart says that anything was lost.
    """
    setting, at_ns = Setting(tmp_path, "interval: 1s, journal: on"), time.time_ns()
    acknowledged = kill_under_load(setting, at_ns)
    truth = House(
        None, windows=[WindowConfig(name=DAY, length=Duration(86_400))], clock_ns=lambda: at_ns
    )
    truth.take(*acknowledged)
    assert setting.windows() == truth.windows()
    assert logs(setting).count("state: restored") == KILLS
    assert "are lost" not in logs(setting)


def test_without_a_journal_a_kill_loses_what_it_says(tmp_path: Path) -> None:
    """
    What the windows have in the end and what the restarts said to be lost are all that was sent.

    What was being answered when it was killed may be among the lost and have come again.
    """
    setting = Setting(tmp_path, "interval: 1s")
    acknowledged = kill_under_load(setting, time.time_ns())
    lost = sum(int(n) for n in re.findall(r"state: (\d+) inferences that were", logs(setting)))
    assert lost > 0
    snapshot = read_snapshot(tmp_path / "state" / "snapshot").snapshot
    rows = sum(w.summary.rows for s in snapshot.streams for ws in s.windows for w in ws.opened)
    missing = len(acknowledged) * PER_REQUEST - lost
    came_again = KILLS * SENDERS * PER_REQUEST + len(acknowledged[:10]) * PER_REQUEST
    assert missing <= rows <= missing + came_again


def test_after_a_clean_end_everything_goes_on(tmp_path: Path) -> None:
    """The windows, the totals and since when they are counted; what was counted is not counted again; `/metrics` says that it was restored."""
    setting, at_ns = Setting(tmp_path, "interval: 1h"), time.time_ns()
    first, second = request(range(300), at_ns=at_ns), request(range(300, 400), at_ns=at_ns)
    with setting.processor() as process:
        setting.send(first)
        assert eventually(lambda: setting.total(SAMPLES), (300.0).__eq__, 60) == 300
        assert setting.counts("ml_processor_state") == {
            'ml_processor_state{ml_processor_state="fresh"}': 1,
            'ml_processor_state{ml_processor_state="restored"}': 0,
        }
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    with setting.processor() as process:
        assert setting.total(SAMPLES) == 300
        for one in (first, second, *singly([first])[:50]):
            setting.send(one)
        assert eventually(lambda: setting.total(SAMPLES), (400.0).__eq__, 60) == 400
        assert setting.total("ml_processor_duplicates_total") == 350
        assert setting.counts("ml_processor_state") == {
            'ml_processor_state{ml_processor_state="fresh"}': 0,
            'ml_processor_state{ml_processor_state="restored"}': 1,
        }
        assert 0 <= setting.total("ml_processor_snapshot_age_seconds") < 600
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    truth = House(
        None, windows=[WindowConfig(name=DAY, length=Duration(86_400))], clock_ns=lambda: at_ns
    )
    assert setting.windows() == truth.take(first, second).windows()


def test_a_folder_belongs_to_one_processor(tmp_path: Path) -> None:
    """A second one on the same folder would undo the first one's work: one line, exit code 2, and the first serves on."""
    setting = Setting(tmp_path, "interval: 1h")
    with setting.processor():
        ports = [free_port() for _ in range(3)]
        other = ["receive.endpoint", "http.endpoint", "receive.http.endpoint"]
        options = [
            text
            for key, port in zip(other, ports, strict=True)
            for text in ("--set", f"{key}=127.0.0.1:{port}")
        ]
        done = run("--config", setting.config, *options)
        assert done.returncode == 2
        assert "expected a folder that nobody uses" in done.stderr.splitlines()[-1]
        setting.send(request(range(3)))

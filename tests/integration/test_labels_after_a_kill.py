"""Labels of predictions that a processor made before it was killed: they find them in the one that comes after it."""

from __future__ import annotations

import signal
import time
from functools import partial
from typing import TYPE_CHECKING

import grpc
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.logs.v1.logs_pb2 import ResourceLogs, ScopeLogs

from otel_ml_processor.commands.state import main as state
from otel_ml_processor.feedback.ring import empty_predictions
from otel_ml_processor.state.snapshot import read_snapshot
from tests.data.state_house import request
from tests.integration.feedback_traffic import label_of
from tests.integration.real_servers import eventually
from tests.integration.test_state import Setting

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

LOGS = "/opentelemetry.proto.collector.logs.v1.LogsService/Export"
JOINED = "ml_feedback_joined_total"


def waiting(setting: Setting) -> int:
    """Return how many predictions in the snapshot wait for a label."""
    try:
        memory = read_snapshot(setting.folder / "state" / "snapshot").snapshot.joining
    except FileNotFoundError:
        return 0
    return 0 if memory is None else len(memory.predictions) // empty_predictions(0, 1).itemsize


def tell(setting: Setting, numbers: Iterable[int], at_ns: int) -> None:
    """Send the true label of predictions, which `request` predicted right."""
    records = [label_of(number, at_ns, label=f"class {number % 3}") for number in numbers]
    content = ExportLogsServiceRequest(
        resource_logs=[ResourceLogs(scope_logs=[ScopeLogs(log_records=records)])]
    ).SerializeToString()
    with grpc.insecure_channel(f"127.0.0.1:{setting.port}") as channel:
        channel.unary_unary(LOGS)(content, timeout=60, wait_for_ready=True)


def counted(setting: Setting, outcome: str) -> float:
    """Return how much feedback had that *outcome*."""
    said = f'ml_feedback_outcome="{outcome}"'
    return sum(value for labels, value in setting.counts(JOINED).items() if said in labels)


def test_a_label_finds_the_prediction_of_before_the_kill(tmp_path: Path) -> None:
    """
    Killed after a snapshot, started again: a label that comes then is joined, and one that came before is not joined twice.

    What a forgotten prediction was stays unknown; a label of a prediction that never was is unmatched as ever.
    """
    setting, now_ns = Setting(tmp_path, "interval: 1s, journal: on"), time.time_ns()
    with setting.processor() as process:
        setting.send(request(range(300), at_ns=now_ns))
        assert eventually(partial(waiting, setting), lambda n: n == 300, 60) == 300
        tell(setting, range(100), now_ns)
        assert eventually(partial(counted, setting, "joined"), lambda n: n == 100, 60) == 100
        snapshot = setting.folder / "state" / "snapshot"
        for _ in range(2):  # the first one after the labels may have been begun before them
            before = snapshot.stat().st_mtime_ns
            eventually(lambda: snapshot.stat().st_mtime_ns, partial(int.__lt__, before), 60)
        process.kill()
        process.wait(60)
    forgotten = f"{300:032x}-{300:016x}"  # of number 299
    assert state(["forget", forgotten, "--directory", str(setting.folder / "state")]) == 0
    assert waiting(setting) == 299

    with setting.processor():
        tell(setting, [*range(50), *range(100, 300)], now_ns)
        assert eventually(partial(counted, setting, "joined"), lambda n: n == 199, 60) == 199
        assert eventually(partial(counted, setting, "duplicate"), lambda n: n == 50, 60) == 50
        told = setting.counts("ml_feedback_coverage")
    assert told == {}  # the window is still open: nothing is told of it


def test_what_does_not_fit_is_kept_by_its_hash(tmp_path: Path) -> None:
    """A snapshot holds no more predictions than `state.predictions`; each of them counts for as many as there were."""
    setting, now_ns = Setting(tmp_path, "interval: 1s, predictions: 100"), time.time_ns()
    with setting.processor() as process:
        setting.send(request(range(300), at_ns=now_ns))
        eventually(partial(waiting, setting), bool, 60)
        kept = waiting(setting)
        assert 40 <= kept <= 100
        process.kill()
        process.wait(60)
    with setting.processor():
        tell(setting, range(300), now_ns)
        assert eventually(partial(counted, setting, "joined"), lambda n: n == kept, 60) == kept


def test_after_a_clean_end_what_labels_said_goes_on(tmp_path: Path) -> None:
    """Stopped and started: the counters of feedback are where they were, before any more has come."""
    setting, now_ns = Setting(tmp_path, "interval: 1h"), time.time_ns()
    with setting.processor() as process:
        setting.send(request(range(60), at_ns=now_ns))
        tell(setting, range(40), now_ns)
        assert eventually(partial(counted, setting, "joined"), lambda n: n == 40, 60) == 40
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    with setting.processor():
        assert eventually(partial(counted, setting, "joined"), bool, 60) == 40
        tell(setting, range(30, 60), now_ns)
        assert eventually(partial(counted, setting, "joined"), lambda n: n == 60, 60) == 60
        assert eventually(partial(counted, setting, "duplicate"), lambda n: n == 10, 60) == 10

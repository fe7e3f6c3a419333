"""Where a model failed and what its predictions were attributed to, after a processor was killed and started again."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ResourceLogs, ScopeLogs
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from otel_ml_processor.columns import StreamKey
from otel_ml_processor.commands.state import main as state
from otel_ml_processor.config_file import load_config
from otel_ml_processor.feedback.explaining import FIRST
from otel_ml_processor.feedback.keys import context_key
from otel_ml_processor.profile_file import write_profile
from otel_ml_processor.service import Service
from otel_ml_processor.signals import Signal
from otel_ml_processor.state.folder import StateFolder
from otel_ml_processor.state.forget import Forgotten, forget
from otel_ml_processor.state.merging import merged
from otel_ml_processor.state.snapshot import StoredSnapshot, read_snapshot, write_snapshot
from otel_ml_processor.windows.streams import Streams
from tests.data.export_requests import attributes
from tests.data.state_house import NOW, profile
from tests.unit.processor.otlp_requests import inference, request_of

if TYPE_CHECKING:
    from pathlib import Path

    from otel_ml_processor.assess.error_patterns import Pattern
    from otel_ml_processor.assess.explanations import Explained
    from otel_ml_processor.profile import Profile
    from otel_ml_processor.state.snapshot import Snapshot

STREAM = StreamKey("shop", "", "fraud", "1")
FIRST_HALF, SECOND_HALF = range(700), range(700, 1400)
N_EXPLAINED = 300
"""Of each half: the first half is fewer than say what is usual, both are more, so that some are left for a window."""


class Processor:
    """A processor without doors, on a folder of its own or of one that was before it."""

    def __init__(self, folder: Path, known: Profile | None = None) -> None:
        folder.mkdir(exist_ok=True)
        write_profile(known or profile(), folder / "fraud.json")
        said = [
            "receive={endpoint: '127.0.0.1:0'}",
            "http={endpoint: '127.0.0.1:0'}",
            "windows=[{name: rows, rows: 100000}]",
            "profiles=[fraud.json]",
            "state={directory: state}",
        ]
        self.folder = folder
        self.service = Service(load_config(None, said), folder)
        assert self.service._keeper is not None
        self.keeper = self.service._keeper
        self.keeper.restore()

    def take(self, numbers: range) -> Processor:
        """Take the inferences of those *numbers*, which are unsure where the amount is large, and their explanations."""
        self.service._pipeline.take(inferences(numbers), None)
        self.service._pipeline.tick(NOW)
        self.service._explaining.hear(Signal.LOGS, explanations(numbers))
        self.service._pipeline.tick(NOW)
        return self

    def killed(self) -> None:
        """Write a snapshot and end without a last word; the system takes the locks of a process that is gone."""
        self.keeper.save()
        self.keeper._folder.release()

    @property
    def patterns(self) -> tuple[Pattern, ...]:
        """Where the model fails."""
        return self.service._pipeline.patterns.of(STREAM)

    def explained(self) -> Explained:
        """Return the explanations of the window so far."""
        taken = self.service._explaining.taken(STREAM, "rows")
        assert taken is not None
        return taken


def inferences(numbers: range) -> bytes:
    """Return a request of inferences: the same number is always the same inference."""
    spans = []
    for number in numbers:
        amount = float(np.random.default_rng(number).normal())
        sure = 0.51 if amount > 1 else 0.9
        spans.append(
            inference(
                number,
                end_ns=NOW + number,
                features={"amount": amount},
                prediction_label="yes",
                prediction_confidence=sure,
            )
        )
    return request_of(spans).SerializeToString()


def explanations(numbers: range) -> bytes:
    """Return what the inferences of the last of those numbers are attributed to."""
    records = []
    for number in numbers[-N_EXPLAINED:]:
        drawn = np.random.default_rng(number).normal(size=5) * (3, 1, 1, 1, 1)
        said = dict(
            zip(("amount", "age", "visits", "height", "width"), drawn.tolist(), strict=True)
        )
        records.append(
            LogRecord(
                event_name="ml.explanation",
                trace_id=(number + 1).to_bytes(16, "big"),
                span_id=(number + 1).to_bytes(8, "big"),
                attributes=attributes(
                    {
                        "ml.model.name": "fraud",
                        "ml.model.version": "1",
                        "ml.explanation.attributions": json.dumps(said),
                    }
                ),
            )
        )
    resource = Resource(attributes=attributes({"service.name": "shop"}))
    logs = ResourceLogs(resource=resource, scope_logs=[ScopeLogs(log_records=records)])
    return ExportLogsServiceRequest(resource_logs=[logs]).SerializeToString()


def same(one: Explained, other: Explained) -> bool:
    """Return whether two windows of explanations say the same, to the last integer."""
    counts = zip(one.comparisons(), other.comparisons(), strict=True)
    return one.reading == other.reading and all((a.current == b.current).all() for a, b in counts)


def snapshot_of(folder: Path) -> Snapshot:
    """Return what was kept."""
    return read_snapshot(folder / "state" / "snapshot").snapshot


def test_a_killed_processor_goes_on_where_its_snapshot_is(tmp_path: Path) -> None:
    """Killed twice, while it is learned what is usual of explanations and in the midst of a window: as if it had never ended."""
    undisturbed = Processor(tmp_path / "one")
    for numbers in (FIRST_HALF, SECOND_HALF, range(1400, 2100)):
        undisturbed.take(numbers)

    Processor(tmp_path / "two").take(FIRST_HALF).killed()
    Processor(tmp_path / "two").take(SECOND_HALF).killed()
    last = Processor(tmp_path / "two")
    before = last.patterns
    last.take(range(1400, 2100))

    assert before
    assert last.patterns == undisturbed.patterns
    assert N_EXPLAINED < FIRST < 2 * N_EXPLAINED
    as_ever = undisturbed.explained()
    assert as_ever.reading.consistency is not None
    last.keeper._folder.release()
    again = Processor(tmp_path / "two")
    assert again.patterns == before  # the last one wrote nothing more
    assert same(again.take(range(1400, 2100)).explained(), as_ever)


def test_near_inputs_are_still_known_after_a_kill(tmp_path: Path) -> None:
    """Explanations of inputs that the processor before it saw are compared with those of near ones, as if it had never ended."""
    undisturbed, killed = Processor(tmp_path / "one"), Processor(tmp_path / "two")
    for each in (undisturbed, killed):
        each.take(FIRST_HALF).take(SECOND_HALF).take(range(1400, 2100)).explained()
    killed.killed()
    told = []
    for each in (undisturbed, Processor(tmp_path / "two")):
        each.service._explaining.hear(Signal.LOGS, explanations(range(1400, 2100)))
        each.service._pipeline.tick(NOW)
        told.append(each.explained())
    assert told[0].reading.consistency is not None
    assert same(*told)


def test_another_profile_begins_anew(tmp_path: Path) -> None:
    """Counts of other bins, and inputs in other bins, say nothing now."""
    Processor(tmp_path).take(FIRST_HALF).killed()
    second = Processor(tmp_path, profile(mean=1.0))
    assert second.patterns == ()
    assert second.service._explaining.memories() == []


def test_a_snapshot_of_before_is_read(tmp_path: Path) -> None:
    """One that knows of neither, as older processors wrote it: all else comes back."""
    Processor(tmp_path).take(FIRST_HALF).killed()
    path = tmp_path / "state" / "snapshot"
    stored = read_snapshot(path)
    older = msgspec.structs.replace(stored.snapshot, patterns=(), explanations=())
    write_snapshot(path, StoredSnapshot(older, stored.generations))
    second = Processor(tmp_path)
    assert second.patterns == ()
    assert second.service._pipeline.ledger.counted == len(FIRST_HALF)


@pytest.mark.parametrize("harm", ["counts", "hits", "cells", "windows"])
def test_what_is_odd_costs_nothing_else(
    tmp_path: Path, harm: str, caplog: pytest.LogCaptureFixture
) -> None:
    """More rows that fail than there are, counts of other bins, half a number: one line with the stream, and the rest goes on."""
    Processor(tmp_path).take(FIRST_HALF).take(SECOND_HALF).take(range(1400, 2100)).killed()
    path = tmp_path / "state" / "snapshot"
    stored = read_snapshot(path)
    (patterns, *rest), (explained,) = stored.snapshot.patterns, stored.snapshot.explanations
    change = msgspec.structs.replace
    if harm == "counts":
        patterns = change(patterns, n_counts=3)
    elif harm == "hits":
        patterns = change(patterns, all_hits=patterns.all_rows + 1)
    elif harm == "cells":
        explained = change(explained, cells=explained.cells[:-1])
    else:
        windows = {name: change(w, sums={}) for name, w in explained.windows.items()}
        explained = change(explained, windows=windows)
    odd = change(stored.snapshot, patterns=(patterns, *rest), explanations=(explained,))
    write_snapshot(path, StoredSnapshot(odd, stored.generations))

    second = Processor(tmp_path)

    assert second.service._pipeline.ledger.counted == 2100
    assert str(STREAM) in caplog.text
    assert bool(second.patterns) is (harm in {"cells", "windows"})


def test_merged_snapshots_have_the_newest(tmp_path: Path) -> None:
    """Of two processors that saw the same stream, that which wrote last; each thing once."""
    for name, numbers in (("one", FIRST_HALF), ("two", SECOND_HALF)):
        Processor(tmp_path / name).take(numbers).killed()
    snapshots = [read_snapshot(tmp_path / name / "state" / "snapshot") for name in ("two", "one")]
    older, newer = sorted(snapshots, key=lambda stored: stored.snapshot.written_ns)
    config = load_config(None, [])
    whole = merged(Streams(config.streams, config.windows, lambda _: None), [newer, older]).snapshot
    assert whole.patterns == newer.snapshot.patterns
    assert whole.explanations == newer.snapshot.explanations
    assert newer.snapshot.patterns != older.snapshot.patterns


def test_a_prediction_that_is_forgotten_is_no_near_input_any_more(tmp_path: Path) -> None:
    """`otel-ml state forget` takes it from the inputs that explanations are compared by; the others stay."""
    Processor(tmp_path).take(FIRST_HALF).take(SECOND_HALF).take(range(1400, 2100)).killed()
    number = 1500 + 1
    key = context_key(number.to_bytes(16, "big"), number.to_bytes(8, "big"))
    before = snapshot_of(tmp_path).explanations[0].memory()
    assert key in before.keys.tolist()
    folder = ["--directory", str(tmp_path / "state")]
    assert state(["forget", f"{number:032x}-{number:016x}", *folder]) == 0
    after = snapshot_of(tmp_path).explanations[0].memory()
    assert after.keys.tolist() == [k for k in before.keys.tolist() if k != key]
    assert len(after.cells) == len(after.keys)


def test_a_near_input_is_forgotten_though_nothing_else_is_left_of_it(tmp_path: Path) -> None:
    """Its span is known no more, and no label is waited for: what it said of its features is taken out of the file all the same."""
    Processor(tmp_path).take(FIRST_HALF).take(SECOND_HALF).take(range(1400, 2100)).killed()
    number = 1500 + 1
    key = context_key(number.to_bytes(16, "big"), number.to_bytes(8, "big"))
    stored = read_snapshot(tmp_path / "state" / "snapshot")
    without_predictions = msgspec.structs.replace(stored.snapshot, joining=None)
    write_snapshot(
        tmp_path / "state" / "snapshot", StoredSnapshot(without_predictions, stored.generations)
    )
    nothing, keys = np.zeros(0, dtype=np.uint64), np.array([key], dtype=np.uint64)
    assert forget(StateFolder(tmp_path / "state"), nothing, keys) == Forgotten(0, 0)
    assert key not in snapshot_of(tmp_path).explanations[0].memory().keys.tolist()

"""Which profile is in force: another version's where there is none, a new file's from one moment to the next, never a broken one's."""

from __future__ import annotations

import logging
import os
import time
from typing import TYPE_CHECKING

import numpy as np
import pytest

from otel_ml_conventions.attributes import MlDriftStateValues
from otel_ml_processor.config_file import load_config
from otel_ml_processor.emit.readings import readings_json
from otel_ml_processor.errors import ProfileError
from otel_ml_processor.profile import Profile, Source
from otel_ml_processor.profile_file import write_profile
from otel_ml_processor.profile_sources import ProfileSources
from otel_ml_processor.service import Service
from otel_ml_processor.sketches.bins import Bins
from otel_ml_processor.windows.reference import build_profile
from tests.unit.processor.otlp_requests import inference, request_of

if TYPE_CHECKING:
    from pathlib import Path

SECOND_NS = 1_000_000_000


def profile(mean: float, version: str = "1", model: str = "fraud") -> Profile:
    """Return the profile of a model whose one input is normal around *mean*."""
    return build_profile(
        {"amount": np.random.default_rng(4).normal(mean, 1, 5000)},
        model=model,
        version=version,
        created="2026-01-01T00:00:00Z",
        source=Source(kind="array", uri="", rows=5000),
    )


class House:
    """A processor without doors that has the profile in *path*, and inferences a second apart."""

    def __init__(self, path: Path, *settings: str) -> None:
        said = [
            "receive={endpoint: '127.0.0.1:0'}",
            "http={endpoint: '127.0.0.1:0'}",
            "windows=[{name: rows, rows: 500}]",
            f"profiles=['{path}']",
        ]
        self.service = Service(load_config(None, [*said, *settings]), path.parent)
        self.random = np.random.default_rng(9)
        self.number = 0

    def send(
        self, rows: int, mean: float, *, version: str = "1", model: str = "fraud"
    ) -> MlDriftStateValues | None:
        """Have *rows* inferences happen; return the state of the last window."""
        begin_ns = time.time_ns() - 86_400 * SECOND_NS
        spans = []
        for _ in range(rows):
            self.number += 1
            spans.append(
                inference(
                    self.number,
                    end_ns=begin_ns + self.number * SECOND_NS,
                    model=model,
                    version=version,
                    features={"amount": float(self.random.normal(mean, 1))},
                )
            )
        self.service._pipeline.take(request_of(spans).SerializeToString(), None)
        self.service.tick()
        readings = [
            reading
            for view in self.service._book.views()
            for reading in view.readings
            if (view.stream.model, view.stream.version) == (model, version)
        ]
        return readings[-1].state if readings else None


def changed(path: Path, content: Profile | bytes) -> None:
    """Write another file, with a time of its own: a test is faster than the clock of a disk."""
    if isinstance(content, Profile):
        write_profile(content, path)
    else:
        path.write_bytes(content)
    later = time.time_ns() + 5 * SECOND_NS
    os.utime(path, ns=(later, later))


def test_a_new_file_is_in_force_at_once(tmp_path: Path) -> None:
    """Without a restart and without a signal: what was drift against the old one is none against the new one."""
    path = tmp_path / "p.json"
    write_profile(profile(0.0), path)
    house = House(path)
    assert house.send(1000, 3.0) is MlDriftStateValues.DRIFTING

    changed(path, profile(3.0))

    house.service.tick()
    assert house.send(1000, 3.0) is MlDriftStateValues.STEADY


@pytest.mark.parametrize("content", [b"", b"{", b'{"model": "fraud"}', b"null"])
def test_a_broken_file_leaves_the_old_one_in_force(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, content: bytes
) -> None:
    """It is said once, with what is wrong; when it is whole again it is used."""
    path = tmp_path / "p.json"
    write_profile(profile(0.0), path)
    house = House(path)

    changed(path, content)
    with caplog.at_level(logging.ERROR):
        for _ in range(3):
            house.service.tick()

    said = [r.getMessage() for r in caplog.records if r.levelno >= logging.ERROR]
    assert len(said) == 1
    assert said[0].startswith(f"{path}: ")
    assert said[0].endswith("the profiles before stay in force")
    assert house.send(1000, 0.0) is MlDriftStateValues.STEADY
    changed(path, profile(3.0))
    house.service.tick()
    assert house.send(1000, 3.0) is MlDriftStateValues.STEADY


def test_a_file_that_is_gone_leaves_the_old_one_in_force(tmp_path: Path) -> None:
    """Whoever replaces it may delete it first."""
    path = tmp_path / "p.json"
    write_profile(profile(0.0), path)
    house = House(path)

    path.unlink()
    house.service.tick()

    assert house.send(1000, 0.0) is MlDriftStateValues.STEADY


def test_rows_on_their_way_are_counted_against_the_new_profile(tmp_path: Path) -> None:
    """What was placed before the change and is counted after it lands in the cells that are there then."""
    path = tmp_path / "p.json"
    write_profile(profile(0.0), path)
    house = House(path)
    house.send(100, 0.0)
    decode, seen = house.service._pipeline._decoder.decode, []

    def changing(request: bytes) -> object:
        decoded = decode(request)
        placed = house.service._pipeline._placed(decoded)
        changed(path, profile(3.0))
        house.service.tick()
        seen.append(placed[0].reference)
        house.service._pipeline.ledger.streams.add(placed, time.time_ns())
        return decoded

    spans = [
        inference(n, end_ns=time.time_ns(), features={"amount": 3.0}) for n in range(9000, 9300)
    ]
    changing(request_of(spans).SerializeToString())

    (window,) = [w.closed for w in house.service._pipeline.ledger.streams.finish()]
    reference = window.summary.reference
    assert reference is not None
    assert reference is not seen[0]
    (edges,) = [t.cells.edges for t in reference.targets if isinstance(t.cells, Bins)]
    assert window.summary.counts[np.searchsorted(edges, 3.0)] == 300


def test_the_profile_of_another_version_is_said_to_be_one(tmp_path: Path) -> None:
    """Version 3 has none of its own: it is compared with that of version 2, and readings say so."""
    path = tmp_path / "p.json"
    write_profile(profile(0.0, version="2"), path)
    house = House(path)

    assert house.send(1000, 0.0, version="3") is MlDriftStateValues.STEADY

    said = readings_json(house.service._book.views())
    assert b'"version":"3","reference":' in said
    assert b'"version":"2","provisional":false' in said
    points = {m.definition.name: m.points for m in house.service._book.collect()}
    (samples,) = points["ml.reference.samples"]
    assert ("ml.drift.reference.version", "2") in samples.attributes


def test_an_earlier_version_is_not_compared_with_a_later_one(tmp_path: Path) -> None:
    """Going back from version 3 to version 1 is no reason to compare it with what came after it."""
    path = tmp_path / "p.json"
    write_profile(profile(0.0, version="2"), path)
    house = House(path, "bootstrap=null")

    house.send(1000, 5.0, version="1")

    (view,) = house.service._book.views()
    assert view.reference is None


def test_what_is_different_for_one_model_is_so_in_its_windows(tmp_path: Path) -> None:
    """Its windows, its floor and its promise; the other model keeps those of all."""
    path = tmp_path / "p.json"
    write_profile(profile(0.0, model="strict"), path)
    other = tmp_path / "q.json"
    write_profile(profile(0.0, model="lenient"), other)
    house = House(
        path,
        f"profiles=['{path}', '{other}']",
        "models=[{name: len*, windows: [{name: rows, rows: 900}], "
        "drift: {effect_floor: 5, false_alarm_rate: 0.2, windows_between_alarms: 50}}]",
    )

    assert house.send(1000, 1.0, model="strict") is MlDriftStateValues.DRIFTING
    assert house.send(1000, 1.0, model="lenient") is not MlDriftStateValues.DRIFTING

    readings = {v.stream.model: v.readings[-1] for v in house.service._book.views()}
    assert {m: r.rows for m, r in readings.items()} == {"strict": 500, "lenient": 900}
    assert {m: r.alpha for m, r in readings.items()} == {"strict": 0.01, "lenient": 0.2}
    assert {m: r.windows_between_alarms for m, r in readings.items()} == {
        "strict": 1000,
        "lenient": 50,
    }


def test_differing_from_the_first_row_on_is_skew_and_later_it_is_drift(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """End to end: the words that an alarm uses for a stream that never agreed, and for one that did."""
    path = tmp_path / "p.json"
    write_profile(profile(0.0), path)
    with caplog.at_level(logging.WARNING):
        House(path).send(500, 3.0)
        house = House(path)
        house.send(500, 0.0)
        house.send(500, 3.0)

    alarms = [r.getMessage() for r in caplog.records if "amount (PSI" in r.getMessage()]
    assert len(alarms) == 2
    assert "skew between reference and serving rather than drift" in alarms[0]
    assert "differs from the reference" in alarms[0]
    assert "drifted in window rows" in alarms[1]
    assert "skew" not in alarms[1]


def test_sources_are_read_by_their_names(tmp_path: Path) -> None:
    """Paths are relative to the folder; what is not there is named."""
    write_profile(profile(0.0), tmp_path / "p.json")

    sources = ProfileSources(["p.json"], tmp_path)
    assert sources.have_changed()
    assert [name for name, _ in sources.read()] == [str(tmp_path / "p.json")]
    assert not sources.have_changed()
    with pytest.raises(ProfileError, match=r"absent\.json: cannot read the profile"):
        ProfileSources(["absent.json"], tmp_path).read()

"""`otel-ml merge`: as its user sees it."""

from __future__ import annotations

import json
import os
import shutil
from typing import TYPE_CHECKING

import pytest

from otel_ml_processor.commands import merge
from otel_ml_processor.commands.merge import main
from otel_ml_processor.config import Duration, WindowConfig
from otel_ml_processor.profile_file import write_profile
from otel_ml_processor.state.snapshot import StoredSnapshot, read_snapshot
from tests.data.state_house import NOW, House, profile, request, singly
from tests.unit.processor.learn.test_learning import House as Learning

if TYPE_CHECKING:
    from pathlib import Path

WINDOWS = [WindowConfig(name="24h", length=Duration(86_400)), WindowConfig(name="rows", rows=500)]


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Return the configuration of two processors that have ended: `a` was fed 300 inferences, `b` 150 others."""
    write_profile(profile(), tmp_path / "fraud.json")
    path = tmp_path / "processor.yaml"
    path.write_text(
        "profiles: [fraud.json]\nwindows: [{name: 24h, length: 24h}, {name: rows, rows: 500}]\n"
    )
    for name, numbers in (("a", range(300)), ("b", range(300, 450))):
        House(tmp_path / name, windows=WINDOWS).take(request(numbers)).stop()
    return path


def test_it_prints_what_the_open_windows_say_together(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A table for people."""
    assert (
        main([str(config.with_name("a")), str(config.with_name("b")), "--config", str(config)]) == 0
    )
    said = capsys.readouterr()
    assert "fraud 1" in said.out
    assert "24h" in said.out
    assert "450" in said.out
    assert "the secrets differ" in said.err


def test_readings_for_programs_are_those_of_one_processor(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same numbers as of a processor that was fed everything: state, confidence, p-values."""
    House(tmp_path / "whole", windows=WINDOWS).take(request(range(450))).stop()
    assert main([str(tmp_path / "whole"), "--config", str(config), "--json"]) == 0
    whole = capsys.readouterr().out
    assert main([str(tmp_path / "a"), str(tmp_path / "b"), "--config", str(config), "--json"]) == 0
    assert capsys.readouterr().out == whole
    day = json.loads(whole.splitlines()[0])
    assert (day["window"], day["rows"]) == ("24h", 450)
    assert day["targets"][0]["name"] == "amount"


def test_that_no_window_is_open_is_said(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """After a window of rows has closed and none has begun; an empty answer would look like a command that did nothing."""
    only = [WindowConfig(name="rows", rows=200)]
    House(tmp_path / "c", windows=only).take(request(range(200))).stop()
    own = ["--config", str(config), "--set", "windows=[{name: rows, rows: 200}]"]
    for options in ([], ["--json"]):
        assert main([str(tmp_path / "c"), *own, *options]) == 0
        said = capsys.readouterr()
        assert said.out == ""
        (line,) = said.err.splitlines()
        assert line.startswith("otel-ml merge: no window was open: ")


def test_a_processor_goes_on_from_the_merged_snapshot(config: Path, tmp_path: Path) -> None:
    """Two became one: its windows have the rows of both; with a secret that was shared it knows their spans too."""
    (tmp_path / "c").mkdir()
    shutil.copy(tmp_path / "a" / "secret", tmp_path / "c" / "secret")
    House(tmp_path / "c", windows=WINDOWS).take(request(range(450, 460))).stop()
    (tmp_path / "next").mkdir()
    arguments = [str(tmp_path / "a"), str(tmp_path / "c"), "--config", str(config)]
    assert main([*arguments, "-o", str(tmp_path / "next" / "snapshot")]) == 0
    shutil.copy(tmp_path / "a" / "secret", tmp_path / "next" / "secret")

    house = House(tmp_path / "next", windows=WINDOWS)

    assert house.rows("24h") == 310
    house.take(*singly([request(range(295, 300)), request(range(450, 460))]))
    assert house.rows("24h") == 310
    assert house.take(request(range(600, 605))).rows("24h") == 315


def test_a_state_and_its_copy_are_told_apart_by_nobody_and_said(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Sums of both have every row twice, and nobody sees that in them; spans that were counted once are not said."""
    shutil.copytree(tmp_path / "a", tmp_path / "copy")
    again = "300 spans of one had been counted in another"

    for name, is_said in (("copy", True), ("b", False)):
        assert main([str(tmp_path / "a"), str(tmp_path / name), "--config", str(config)]) == 0
        assert (again in capsys.readouterr().err) == is_said


def test_what_is_no_file_is_not_replaced_by_one(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`-o /dev/null` of whoever wants the table alone, as root, would leave this machine without it."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)

    assert main([str(tmp_path / "a"), "--config", str(config), "-o", str(pipe)]) == 2

    assert "expected the name of a file, found a folder or a device" in capsys.readouterr().err
    assert pipe.is_fifo()


def test_what_the_older_snapshot_knows_is_older(config: Path, tmp_path: Path) -> None:
    """Written five minutes before the other: what it knows of requests and spans is forgotten so much sooner, and first."""
    (tmp_path / "c").mkdir()
    shutil.copy(tmp_path / "a" / "secret", tmp_path / "c" / "secret")
    later = House(tmp_path / "c", windows=WINDOWS, clock_ns=lambda: NOW + 300 * 10**9)
    later.take(request(range(450, 460))).stop()
    folders = [str(tmp_path / name) for name in "ca"]
    assert main([*folders, "--config", str(config), "-o", str(tmp_path / "merged")]) == 0

    snapshot = read_snapshot(tmp_path / "merged").snapshot

    ages_s = [known.age_s for known in snapshot.requests]
    assert ages_s == [pytest.approx(300, abs=60), pytest.approx(0, abs=60)]
    assert list(snapshot.generation_ages_s) == [
        pytest.approx(300, abs=60),
        pytest.approx(0, abs=60),
    ]


def test_row_windows_that_are_over_full_together_are_closed(config: Path, tmp_path: Path) -> None:
    """300, 150 and 100 rows of windows of 500: the next row begins a new window."""
    House(tmp_path / "c", windows=WINDOWS).take(request(range(450, 550))).stop()
    (tmp_path / "next").mkdir()
    folders = [str(tmp_path / name) for name in "abc"]
    assert main([*folders, "--config", str(config), "-o", str(tmp_path / "next" / "snapshot")]) == 0

    house = House(tmp_path / "next", windows=WINDOWS)

    assert [(r.window.name, r.rows) for r, _ in house.readings] == [("rows", 550)]
    assert house.take(request(range(600, 605))).rows("rows") == 5


def test_what_journals_say_is_in_it(config: Path, tmp_path: Path) -> None:
    """Killed after 40 inferences that are in its journal alone: windows have them, and their spans are known, each once."""
    killed = House(tmp_path / "c", windows=WINDOWS, journal=True).take(request(range(450, 460)))
    killed.save()
    killed.take(request(range(460, 500))).vanish()
    arguments = [str(tmp_path / "a"), str(tmp_path / "c"), "--config", str(config)]
    alone = [str(tmp_path / "c"), "--config", str(config)]
    assert main([*alone, "-o", str(tmp_path / "c" / "snapshot")]) == 0
    assert main([*arguments, "-o", str(tmp_path / "both")]) == 0
    (stream,) = read_snapshot(tmp_path / "both").snapshot.streams
    assert [pane.summary.rows for pane in stream.windows[0].opened] == [350]

    house = House(tmp_path / "c", windows=WINDOWS, journal=True)

    assert house.rows("24h") == 50
    house.take(*singly([request(range(450, 500))]))
    assert house.rows("24h") == 50


def test_nothing_is_lost_where_it_takes_the_place_of_a_snapshot(
    config: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Of two processors with secrets of their own, one goes on with what both have counted: it says of none that it is lost."""
    snapshot = tmp_path / "a" / "snapshot"
    arguments = [str(tmp_path / "a"), str(tmp_path / "b"), "--config", str(config)]
    assert main([*arguments, "-o", str(snapshot)]) == 0

    house = House(tmp_path / "a", windows=WINDOWS)

    assert house.rows("24h") == 450
    assert "lost" not in caplog.text


def mistake(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """Return the one line that is said."""
    assert main(arguments) == 2
    said = capsys.readouterr()
    assert said.out == ""
    (line,) = said.err.splitlines()
    assert line.startswith("otel-ml merge: ")
    return line


def test_the_folder_of_a_processor_at_work_is_refused(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its next snapshot would take the place of what was merged."""
    busy = House(tmp_path / "busy", windows=WINDOWS)
    output = tmp_path / "busy" / "snapshot"
    before = output.read_bytes()
    arguments = [str(tmp_path / "a"), "--config", str(config), "-o", str(output)]
    assert main(arguments) == 2
    assert "but a processor has it" in capsys.readouterr().err
    assert output.read_bytes() == before
    busy.stop()
    assert main(arguments) == 0


def test_mistakes_are_one_line(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """No such file, no snapshot, other windows, another profile, nowhere to write: each names the file."""
    options = ["--config", str(config)]
    a = str(tmp_path / "a")
    assert "absent: expected a snapshot, found no file" in mistake(
        [str(tmp_path / "absent"), *options], capsys
    )
    assert "fraud.json: not a state file" in mistake(
        [str(tmp_path / "fraud.json"), *options], capsys
    )
    (tmp_path / "other").symlink_to(tmp_path / "a")
    for same in (a, f"{a}/snapshot", str(tmp_path / "other")):
        assert "snapshot: expected each snapshot once, found it" in mistake(
            [a, same, *options], capsys
        )
    said = mistake([a, *options, "--set", "windows=[{name: x, rows: 500}]"], capsys)
    assert "is none now; --config has to give the windows" in said
    write_profile(profile(9), tmp_path / "fraud.json")
    said = mistake([a, *options], capsys)
    assert f"{a}/snapshot: fraud 1 of shop: it was counted against profile sha256:" in said
    assert said.count("sha256:") == 2, "which one, and which one is in force"
    write_profile(profile(), tmp_path / "fraud.json")
    nowhere = str(tmp_path / "fraud.json" / "where")
    assert "where: cannot be written: File exists" in mistake([a, *options, "-o", nowhere], capsys)
    assert main([a, *options, "-o", str(tmp_path / "new" / "one" / "snapshot")]) == 0
    assert read_snapshot(tmp_path / "new" / "one" / "snapshot").snapshot.counted > 0


def test_a_snapshot_that_is_replaced_meanwhile_is_read_anew(
    config: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A processor that runs ends its journal with its next snapshot: nothing of it is missing, and nothing is there twice."""
    house = House(config.with_name("running"), windows=WINDOWS, journal=True)
    house.take(request(range(300)))
    n_read = 0

    def read(path: Path) -> StoredSnapshot:
        nonlocal n_read
        n_read += 1
        stored = read_snapshot(path)
        if n_read == 1:
            house.save()
        return stored

    monkeypatch.setattr(merge, "read_snapshot", read)
    assert main([str(config.with_name("running")), "--config", str(config), "--json"]) == 0
    assert [json.loads(line)["rows"] for line in capsys.readouterr().out.splitlines()] == [300, 300]
    house.vanish()


def test_a_name_that_is_too_long_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    """As that of any other file that is not there."""
    assert main(["x" * 300]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("otel-ml merge: ")


def test_what_was_learned_goes_with_the_snapshots(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two processors that share the models, none of which has a profile: the one that goes on compares with what they have learned, and its windows go on."""
    for name in ("left", "right"):
        (tmp_path / name).mkdir()
        Learning(tmp_path / name).send(1200, model=name).close()
    folders = [str(tmp_path / name / "state") for name in ("left", "right")]
    windows = ["--set", "windows=[{name: rows, rows: 500}]"]
    (tmp_path / "next/state").mkdir(parents=True)
    assert main([*folders, *windows, "-o", str(tmp_path / "next/state/snapshot"), "--json"]) == 0
    rows = {r["model"]: r["rows"] for r in map(json.loads, capsys.readouterr().out.splitlines())}
    # The first request tells which features there are, the next thousand rows where edges lie.
    assert rows == {"left": 100, "right": 100}

    after = Learning(tmp_path / "next")
    learned = {p.model for p in after.service._references.profiles.values()}
    copies = after.service._pipeline.ledger.streams.copies()

    assert learned == {"left", "right"}
    assert {c.stream.model: [w.all()[0].summary.rows for w in c.windows] for c in copies} == {
        "left": [100],
        "right": [100],
    }


def test_cells_that_two_have_learned_of_one_model_are_no_sum(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each drew the edges by its own rows: the stream is named, with both profiles."""
    for seed, name in enumerate(("left", "right")):
        (tmp_path / name).mkdir()
        Learning(tmp_path / name, seed=seed).send(1200).close()
    folders = [str(tmp_path / name / "state") for name in ("left", "right")]
    assert main([*folders, "--set", "windows=[{name: rows, rows: 500}]"]) == 2
    said = capsys.readouterr().err
    assert f"{folders[1]}/snapshot: fraud 1 of shop: it was counted against profile sha256:" in said

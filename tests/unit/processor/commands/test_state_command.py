"""`otel-ml state`: as its user sees it."""

from __future__ import annotations

import resource
from typing import TYPE_CHECKING

import pytest

from otel_ml_processor.commands import state
from otel_ml_processor.commands.state import main
from tests.data.state_house import House, request, singly

if TYPE_CHECKING:
    from pathlib import Path


def span(number: int) -> str:
    """Return the id of the inference of that number."""
    return f"{number + 1:032x}-{number + 1:016x}"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return the folder of a processor that was killed: seven spans in the snapshot, five more in the journal."""
    house = House(tmp_path / "state", journal=True).take(request(range(7)))
    house.save()
    house.take(request(range(7, 12)))
    house.vanish()
    return tmp_path / "state"


def test_show_says_what_is_kept(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """How old, how much, whose; no value and no id."""
    assert main(["show", str(folder)]) == 0
    said = capsys.readouterr().out
    assert "snapshot    2023-11-14 22:13:20 UTC, of a running processor" in said
    assert "counted     7 inferences" in said
    assert "known       7 spans, 1 request, as hashes" in said
    assert "journal     journal-2: 1 request after the snapshot" in said
    assert "stream      fraud 1 of shop" in said
    assert "  open      10m, from 2023-11-14 22:13 UTC: 7 rows" in said


def test_forgotten_spans_are_known_no_more(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One from the snapshot, one from the journal, as an id and as a traceparent; the counts and all other spans stay."""
    ids = [span(3), f"00-{span(9)}-01", span(5000)]
    assert main(["forget", *ids, "--directory", str(folder)]) == 0
    assert capsys.readouterr().out == "2 of 3 forgotten\n"

    house = House(folder, journal=True)

    assert house.rows() == 12
    house.take(*singly([request(range(12))]))
    assert house.rows() == 14


def test_the_folder_is_found_by_the_configuration(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Relative to it, as the processor does."""
    config = folder.with_name("processor.yaml")
    config.write_text("state: {directory: state}")
    assert main(["show", "--config", str(config)]) == 0
    assert "7 inferences" in capsys.readouterr().out


def test_a_disk_that_is_full_leaves_nothing_behind(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line, and neither half a journal nor half a snapshot; with room again it is as if nothing had been."""
    before = {path.name for path in folder.iterdir()}
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
    try:
        assert main(["forget", span(9), "--directory", str(folder)]) == 2
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith("File too large")
    assert {path.name for path in folder.iterdir()} == before
    assert main(["forget", span(9), "--directory", str(folder)]) == 0


def test_a_journal_that_goes_meanwhile_is_not_missed(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A running processor takes it away with its next snapshot."""

    def gone(path: Path) -> None:
        raise FileNotFoundError(path)

    monkeypatch.setattr(state, "read_journal", gone)
    assert main(["show", str(folder)]) == 0
    assert "stream      fraud 1 of shop" in capsys.readouterr().out


def test_a_folder_in_use_is_left_alone(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What a running processor knows, it would write again."""
    house = House(folder)
    assert main(["forget", span(3), "--directory", str(folder)]) == 2
    assert "expected a folder that nobody uses" in capsys.readouterr().err
    house.vanish()


@pytest.mark.parametrize(
    "wrong", ["", "abc", span(1)[:-1], span(1).replace("-", ":"), f"{span(1)}-xx"]
)
def test_what_is_no_id_is_named(
    folder: Path, capsys: pytest.CaptureFixture[str], wrong: str
) -> None:
    """One line, exit code 2, nothing changed."""
    before = (folder / "snapshot").read_bytes()
    assert main(["forget", span(3), wrong, "--directory", str(folder)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("otel-ml state: expected TRACE_ID-SPAN_ID, 32 and 16 hexadecimal digits")
    assert (folder / "snapshot").read_bytes() == before


def test_a_folder_without_a_state_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """None at all, a damaged one, none configured; nothing is made there."""
    for command in (["show"], ["forget", span(1), "--directory"]):
        assert main([*command, str(tmp_path / "absent")]) == 2
        assert "absent: expected a snapshot in it, found none" in capsys.readouterr().err
        assert not (tmp_path / "absent").exists()
    (tmp_path / "snapshot").write_bytes(b"otel-ml\n")
    assert main(["show", str(tmp_path)]) == 2
    assert "snapshot: not a state file" in capsys.readouterr().err
    (tmp_path / "processor.yaml").write_text("mode: tee")
    assert main(["show", "--config", str(tmp_path / "processor.yaml")]) == 2
    assert (
        "expected a state folder, or --config with a file that has state.directory"
        in capsys.readouterr().err
    )


def test_a_name_makes_no_line_of_its_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A model is called as whoever sends says, and a terminal obeys what it is shown."""
    House(tmp_path / "state").take(request(range(1), model="x\ncounted  9 \x1b[2J")).stop()

    assert main(["show", str(tmp_path / "state")]) == 0

    assert r"stream      'x\ncounted  9 \x1b[2J 1 of shop'" in capsys.readouterr().out.splitlines()

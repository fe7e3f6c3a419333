"""The command `python -m conventions.generate`: what it writes, says and returns."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from conventions.generate.__main__ import REPOSITORY, generated_files, main
from conventions.generate.model import read_registry

METRICS = "conventions/model/metrics.yaml"
PACKAGE = "conventions/otel_ml_conventions"
PAGES = "docs/reference/conventions"


def _run(root: Path, action: str) -> int:
    return main([action, "--root", str(root)])


def test_what_was_written_is_current(
    write_registry: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    """After `write`, `check` has nothing to say and returns 0."""
    root = write_registry()

    assert _run(root, "write") == 0
    capsys.readouterr()
    assert _run(root, "check") == 0
    assert capsys.readouterr() == ("", "")


def test_writing_again_changes_nothing(
    write_registry: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    """A second `write` touches no file."""
    root = write_registry()
    _run(root, "write")
    capsys.readouterr()

    _run(root, "write")

    assert capsys.readouterr().out == ""


def test_a_stale_file_fails_the_check_at_its_first_difference(
    write_registry: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    """An edit by hand is found: exit code 1, file and line, and what to do; the file is left alone."""
    root = write_registry()
    _run(root, "write")
    spans = root / PACKAGE / "spans.py"
    lines = spans.read_text(encoding="utf-8").splitlines(keepends=True)
    edited = "".join([*lines[:4], "edited\n", *lines[4:]])
    spans.write_text(edited, encoding="utf-8")
    capsys.readouterr()

    assert _run(root, "check") == 1

    said = capsys.readouterr().err
    assert said == (
        f"{PACKAGE}/spans.py:5: stale: differs; run `python -m conventions.generate write`\n"
    )
    assert spans.read_text(encoding="utf-8") == edited


def test_a_file_cut_short_fails_the_check(
    write_registry: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    """A file that is the beginning of what it should be is stale too."""
    root = write_registry()
    _run(root, "write")
    events = root / PACKAGE / "events.py"
    events.write_bytes(events.read_bytes()[:-1])

    assert _run(root, "check") == 1
    assert f"{PACKAGE}/events.py:" in capsys.readouterr().err


def test_a_missing_file_fails_the_check(
    write_registry: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    """A generated file that is not there is named."""
    root = write_registry()
    _run(root, "write")
    (root / PAGES / "spans.md").unlink()

    assert _run(root, "check") == 1
    assert f"{PAGES}/spans.md:1: stale: is missing" in capsys.readouterr().err


def test_a_page_that_is_no_longer_generated_is_found_and_removed(
    write_registry: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    """When the last event goes, its page fails the check until `write` removes it."""
    root = write_registry()
    _run(root, "write")
    (root / "conventions/model/events.yaml").unlink()

    assert _run(root, "check") == 1
    assert f"{PAGES}/events.md:1: stale: is no longer generated" in capsys.readouterr().err
    assert _run(root, "write") == 0
    assert not (root / PAGES / "events.md").exists()


def test_a_page_written_by_hand_is_left_alone(write_registry: Callable[..., Path]) -> None:
    """What does not say that it is generated belongs to somebody."""
    root = write_registry()
    (root / PAGES).mkdir(parents=True)
    (root / PAGES / "why.md").write_text("# Why\n", encoding="utf-8")

    assert _run(root, "write") == 0
    assert _run(root, "check") == 0
    assert (root / PAGES / "why.md").read_text(encoding="utf-8") == "# Why\n"


@pytest.mark.parametrize("action", ["check", "write"])
@pytest.mark.parametrize(
    ("old", "new", "rule"),
    [
        ("instrument: gauge", "instrument: meter", "wrong-type"),
        ("ml.painting.strokes", "ml.painting.Strokes", "naming"),
    ],
)
def test_a_broken_registry_generates_nothing(
    write_registry: Callable[..., Path],
    capsys: pytest.CaptureFixture[str],
    action: str,
    old: str,
    new: str,
    rule: str,
) -> None:
    """With a finding the command returns 1 and says where; no file is written from half a registry."""
    root = write_registry(METRICS, old, new)

    assert _run(root, action) == 1
    assert f": {rule}: " in capsys.readouterr().err
    assert not (root / PACKAGE).exists()


def test_a_folder_without_a_registry_is_misuse(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 2, and one line that names the file that was looked for."""
    assert _run(tmp_path, "check") == 2

    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "conventions/model/manifest.yaml: no such file" in said


@pytest.mark.parametrize("argv", [[], ["draw"], ["check", "--loudly"]])
def test_an_unknown_word_is_misuse(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 2 and the usage."""
    with pytest.raises(SystemExit) as stopped:
        main(argv)

    assert stopped.value.code == 2
    assert "usage: python -m conventions.generate" in capsys.readouterr().err


def test_help_tells_both_actions(capsys: pytest.CaptureFixture[str]) -> None:
    """`--help` explains `write` and `check` and returns 0."""
    with pytest.raises(SystemExit) as stopped:
        main(["--help"])

    assert stopped.value.code == 0
    said = capsys.readouterr().out
    assert "write: generate what differs" in said
    assert "check: change nothing" in said


@pytest.mark.parametrize("seed", ["0", "1", "2"])
def test_the_output_is_the_same_everywhere(write_registry: Callable[..., Path], seed: str) -> None:
    """The order of hashes, the locale and the time zone leave no trace in a file."""
    root = write_registry()
    registry, _ = read_registry(root)
    environment = {**os.environ, "PYTHONHASHSEED": seed, "LC_ALL": "C", "TZ": "Asia/Tokyo"}

    subprocess.run(
        [sys.executable, "-m", "conventions.generate", "write", "--root", str(root)],
        cwd=REPOSITORY,
        env=environment,
        check=True,
        capture_output=True,
    )

    for file, text in generated_files(registry).items():
        assert (root / file).read_bytes() == text.encode()

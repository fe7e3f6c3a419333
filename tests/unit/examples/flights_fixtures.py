"""What the tests of the example share: the data, and a small model that is trained in a second."""

from __future__ import annotations

from typing import TYPE_CHECKING

import joblib
import pytest
from departures import FEATURES, departures
from threadpoolctl import threadpool_limits
from train import new_model, training_rows

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd
    from sklearn.pipeline import Pipeline

__all__ = ["all_departures", "small_model", "small_model_file", "winter_sample"]


@pytest.fixture(scope="session", name="year")
def all_departures() -> pd.DataFrame:
    """Every departure of the year."""
    return departures()


@pytest.fixture(scope="session", name="winter")
def winter_sample(year: pd.DataFrame) -> pd.DataFrame:
    """Every tenth row of training, 5 001 of them."""
    return training_rows(year).iloc[::10]


@pytest.fixture(scope="session", name="model")
def small_model(winter: pd.DataFrame) -> Pipeline:
    """The example's model, trained on `winter`."""
    with threadpool_limits(1, user_api="openmp"):
        return new_model().fit(winter[list(FEATURES)], winter["outcome"])


@pytest.fixture(scope="session", name="model_file")
def small_model_file(model: Pipeline, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same in a file."""
    path = tmp_path_factory.mktemp("model") / "model.joblib"
    joblib.dump(model, path)
    return path

"""Training, and the table that the profile is built from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import joblib
import numpy as np
import pandas as pd
import pytest
import train
from departures import FEATURES
from sklearn.metrics import roc_auc_score
from threadpoolctl import threadpool_limits

if TYPE_CHECKING:
    from pathlib import Path

    from sklearn.pipeline import Pipeline


@pytest.fixture(autouse=True)
def _one_thread() -> object:
    """The trees' threads spin while they wait for each other, which on shared cores takes minutes."""
    with threadpool_limits(1, user_api="openmp"):
        yield


def test_winter_is_trained_on_and_the_rest_is_played(year: pd.DataFrame) -> None:
    """January and February with an outcome; March to December with or without one, since at departure nobody knows."""
    trained, played = train.training_rows(year), train.rest_of_the_year(year)
    assert set(trained["date"].dt.month) == {1, 2}
    assert trained["outcome"].notna().all()
    assert set(played["date"].dt.month) == set(range(3, 13))
    assert played["outcome"].isna().any()


def test_the_reference_knows_no_row_by_heart(winter: pd.DataFrame) -> None:
    """
    With outcomes drawn by lot nothing can be learnt, and out of fold nothing is: the area under the curve is that of chance.

    A model asked about its own training rows would seem to know something; that is the confidence a reference must not have.
    """
    rows = winter.assign(outcome=np.random.default_rng(1).choice(["late", "on_time"], len(winter)))
    is_late = rows["outcome"] == "late"
    model = train.new_model().fit(rows[list(FEATURES)], rows["outcome"])
    by_heart = roc_auc_score(is_late, model.predict_proba(rows[list(FEATURES)])[:, 0])
    out_of_fold = roc_auc_score(is_late, train.reference_table(rows)["probability"])
    assert by_heart > 0.6
    assert out_of_fold == pytest.approx(0.5, abs=0.03)  # 3.7 standard errors of chance


def test_the_reference_table_has_what_a_profile_is_built_from(winter: pd.DataFrame) -> None:
    """The features as they are, the label that follows from the probability, what came true, the time."""
    table = train.reference_table(winter)
    assert list(table.columns) == [*FEATURES, "label", "probability", "outcome", "departed"]
    assert (table["outcome"] == winter["outcome"]).all()
    pd.testing.assert_frame_equal(table[list(FEATURES)], winter[list(FEATURES)])
    assert ((table["probability"] >= 0.5) == (table["label"] == "late")).all()
    assert set(table["label"]) == {"late", "on_time"}


def test_the_model_has_learnt_something(model: Pipeline, year: pd.DataFrame) -> None:
    """Trained on a tenth of the winter it tells late flights of the rest of the year from the others."""
    rows = train.rest_of_the_year(year).dropna(subset="outcome").iloc[::20]
    late = model.predict_proba(rows[list(FEATURES)])[:, 0]
    assert list(model.classes_) == ["late", "on_time"]
    assert roc_auc_score(rows["outcome"] == "late", late) > 0.87


def test_the_program_writes_both_files(
    winter: pd.DataFrame,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Model and table, in a folder that it makes; and it says what it did."""
    monkeypatch.setattr(train, "departures", lambda: winter)
    assert train.main([str(tmp_path / "new")]) == 0
    model = joblib.load(tmp_path / "new" / "model.joblib")
    table = pd.read_parquet(tmp_path / "new" / "reference.parquet")
    assert model.predict_proba(winter[list(FEATURES)]).shape == (len(winter), 2)
    assert len(table) == len(winter)
    assert f"trained on {len(winter)} flights" in capsys.readouterr().out

"""Boosters that are read from files: one span, named after the file, and the framework's own error where it is no model."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import TYPE_CHECKING, Any

import catboost
import joblib
import lightgbm
import numpy as np
import pytest
import xgboost

if TYPE_CHECKING:
    from collections.abc import Callable

    from otel_ml.testing import Capture

RNG = np.random.default_rng(0)
SAMPLES = RNG.normal(size=(60, 3))
TARGET = (SAMPLES[:, 0] > 0).astype(int)


def xgboost_file(folder: Path) -> tuple[Path, Callable[[], Any]]:
    """Return a file of a booster and what reads it."""
    path = folder / "churn.json"
    xgboost.XGBClassifier(n_estimators=2).fit(SAMPLES, TARGET).save_model(path)
    return path, lambda: xgboost.Booster(model_file=str(path))


def xgboost_estimator_file(folder: Path) -> tuple[Path, Callable[[], Any]]:
    """Return a file of a booster and what reads it into an estimator."""
    path, _ = xgboost_file(folder)

    def load() -> Any:
        model = xgboost.XGBClassifier()
        model.load_model(path)
        return model

    return path, load


def lightgbm_file(folder: Path) -> tuple[Path, Callable[[], Any]]:
    """Return a file of a booster and what reads it."""
    path = folder / "churn.txt"
    data = lightgbm.Dataset(SAMPLES, TARGET)
    lightgbm.train({"objective": "binary", "verbose": -1}, data, 2).save_model(path)
    return path, lambda: lightgbm.Booster(model_file=path)


def catboost_file(folder: Path) -> tuple[Path, Callable[[], Any]]:
    """Return a file of a model and what reads it."""
    path = folder / "churn.cbm"
    model = catboost.CatBoostClassifier(iterations=2, verbose=False, allow_writing_files=False)
    model.fit(SAMPLES, TARGET).save_model(str(path))
    return path, lambda: catboost.CatBoostClassifier().load_model(str(path))


FILES = [xgboost_file, xgboost_estimator_file, lightgbm_file, catboost_file]


def pickled(make: Callable[[Path], Any], kept_by: Any) -> Callable[[Path], Any]:
    """Return what makes a file of the same model, written and read by joblib or pickle."""

    def pickled_file(folder: Path) -> tuple[Path, Callable[[], Any]]:
        path = folder / "churn.pkl"
        path.write_bytes(pickle.dumps(make(folder)[1]()))

        def load() -> Any:
            with path.open("rb") as file:
                return kept_by.load(file)

        return path, load

    pickled_file.__name__ = f"{make.__name__}_{kept_by.__name__}"
    return pickled_file


PICKLED = [
    pickled(make, kept_by)
    for make in (xgboost_file, lightgbm_file, catboost_file)
    for kept_by in (joblib, pickle)
]


def loads(seen: Capture) -> list[Any]:
    """Return the spans of loading."""
    return [span for span in seen.spans if span.name.startswith("load")]


@pytest.mark.parametrize("make", [*FILES, *PICKLED])
def test_a_booster_is_called_as_its_file(
    captured: Capture, tmp_path: Path, make: Callable[[Path], Any]
) -> None:
    """Loading it is one span with the file's hash, and its predictions bear the file's name."""
    path, load = make(tmp_path)
    captured.clear()

    model = load()
    data = xgboost.DMatrix(SAMPLES) if isinstance(model, xgboost.Booster) else SAMPLES
    model.predict(data)

    (span,) = loads(captured)
    told = dict(span.attributes or {})
    assert span.name == "load churn"
    assert told["artifact.filename"] == path.name
    assert len(told["artifact.hash"]) == 64
    assert [s.name for s in captured.spans if s.name.startswith("predict")] == ["predict churn"]


def test_a_file_given_by_name_after_something_else_is_the_file(
    captured: Capture, tmp_path: Path
) -> None:
    """In whatever order the arguments come: what is first may be a format, which is nobody's name."""
    path, _ = catboost_file(tmp_path)
    captured.clear()

    catboost.CatBoostClassifier().load_model(format="cbm", fname=str(path))

    assert [span.name for span in loads(captured)] == ["load churn"]


@pytest.mark.parametrize("make", FILES)
def test_what_is_no_model_fails_as_it_does(
    captured: Capture, tmp_path: Path, make: Callable[[Path], Any]
) -> None:
    """The framework's own exception; the span says its type, and no model is counted."""
    path, load = make(tmp_path)
    captured.clear()
    path.write_bytes(b"no model")

    with pytest.raises(Exception) as raised:  # noqa: PT011 - whatever class the framework has for it
        load()

    (span,) = loads(captured)
    assert span.name == "load churn"
    kind = type(raised.value)
    assert dict(span.attributes or {})["error.type"] == f"{kind.__module__}.{kind.__qualname__}"
    assert captured.metric("ml.model.loaded") == []


def test_a_booster_that_is_made_to_be_trained_is_not_loaded(captured: Capture) -> None:
    """`lightgbm.train` makes a booster as well."""
    data = lightgbm.Dataset(SAMPLES, TARGET)
    lightgbm.train({"objective": "binary", "verbose": -1}, data, 2)

    assert loads(captured) == []

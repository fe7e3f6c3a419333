"""Training as spans, where it is asked for: the outermost fit, and nothing of what happens inside."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from otel_ml.settings import Settings
from otel_ml.testing import Capture, capture

if TYPE_CHECKING:
    from collections.abc import Iterator

RNG = np.random.default_rng(0)
SAMPLES = RNG.normal(size=(60, 3))
TARGET = (SAMPLES[:, 0] > 0).astype(int)


@pytest.fixture(name="seen")
def _seen() -> Iterator[Capture]:
    """What is recorded where training is captured."""
    with capture(Settings(capture_training=True)) as seen:
        yield seen


def names(seen: Capture) -> list[str]:
    """Return the names of all spans, in the order of their ends."""
    return [span.name for span in seen.spans]


def test_a_fit_is_one_span_whatever_it_fits_inside(seen: Capture) -> None:
    """A pipeline, a forest with threads, a search with folds: one span each, and no inference."""
    make_pipeline(StandardScaler(), LogisticRegression()).fit(SAMPLES, TARGET)
    RandomForestClassifier(5, n_jobs=2).fit(SAMPLES, TARGET)
    GridSearchCV(LogisticRegression(), {"C": [0.1, 1.0]}, cv=2).fit(SAMPLES, TARGET)

    assert names(seen) == ["fit Pipeline", "fit RandomForestClassifier", "fit GridSearchCV"]
    told = dict(seen.spans[0].attributes or {})
    assert told["ml.operation.name"] == "fit"
    assert told["ml.training.sample.count"] == 60
    assert told["ml.input.feature.count"] == 3
    assert told["code.function.name"] == "sklearn.pipeline.Pipeline.fit"
    (duration, *_) = seen.metric("ml.training.duration")
    assert sum(point.count for point in seen.metric("ml.training.duration")) == 3
    assert "ml.operation.name" not in dict(duration.attributes)


def test_what_an_inference_fits_is_part_of_it(seen: Capture) -> None:
    """A calibrated classifier numbers its classes each time that it is asked."""
    model = CalibratedClassifierCV(LogisticRegression(), cv=2).fit(SAMPLES, TARGET)
    model.predict_proba(SAMPLES)

    assert names(seen) == ["fit CalibratedClassifierCV", "predict CalibratedClassifierCV"]
    (duration,) = seen.metric("ml.training.duration")
    assert duration.count == 1


def test_training_is_not_told_unless_asked_for(captured: Capture) -> None:
    """By default fitting makes neither span nor metric."""
    LogisticRegression().fit(SAMPLES, TARGET)

    assert names(captured) == []
    assert captured.metric("ml.training.duration") == []


def test_a_fit_that_fails_fails_as_it_does(seen: Capture) -> None:
    """The exception is the framework's own; the span has its type, and no message."""
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        LogisticRegression().fit(SAMPLES, TARGET[:-1])

    (span,) = seen.spans
    assert dict(span.attributes or {})["error.type"] == "ValueError"
    assert span.status.description is None


def test_each_fold_of_a_cross_validation_is_a_fit(seen: Capture) -> None:
    """There is no fit around them; scoring them is no inference."""
    cross_val_score(LogisticRegression(), SAMPLES, TARGET, cv=3)

    assert names(seen) == []  # scikit-learn's own parallel calls are parts of one call


@pytest.mark.parametrize("samples", [None, [], object(), "text"])
def test_odd_samples_are_the_frameworks_business(seen: Capture, samples: Any) -> None:
    """What is no table has no counts, and the error is the framework's."""
    with pytest.raises((ValueError, TypeError)):
        LogisticRegression().fit(samples, TARGET)

    (span,) = seen.spans
    assert span.name == "fit LogisticRegression"
    assert seen.metric("ml.sdk.errors") == []

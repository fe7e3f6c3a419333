"""A model that many ask."""

import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from tests.data.iris import FRAME, NAMES, TARGET


@pytest.fixture
def iris() -> Pipeline:
    """Return a pipeline that knows its columns and has classes of text."""
    model = make_pipeline(StandardScaler(), LogisticRegression())
    return model.fit(FRAME, NAMES[TARGET])

"""Flowers that are told apart, and a model of them."""

from functools import cache

import numpy as np
import pandas as pd
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression

SAMPLES, TARGET = load_iris(return_X_y=True)
BINARY = (TARGET > 0).astype(int)
FRAME = pd.DataFrame(SAMPLES, columns=["a", "b", "c", "d"])
NAMES = np.array(["setosa", "versicolor", "virginica"])


@cache
def trained_on_names() -> LogisticRegression:
    """Return a model of three classes of text."""
    return LogisticRegression().fit(SAMPLES, NAMES[TARGET])

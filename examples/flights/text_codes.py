"""The first step of the model: texts become numbers, numbers stay what they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray
    from typing_extensions import Self

__all__ = ["TextCodes"]


class TextCodes(TransformerMixin, BaseEstimator):
    """
    Replaces the values of *text_features* by their rank among the values seen in training; unseen and missing become NaN.

    It does what a `ColumnTransformer` around an `OrdinalEncoder` does, in .2 ms instead of 4 ms for a single row: a service that
    answers one flight at a time pays that price with every request.
    """

    def __init__(self, text_features: tuple[str, ...]) -> None:
        self.text_features = text_features

    def fit(self, X: pd.DataFrame, y: object = None) -> Self:  # noqa: ARG002, N803 - scikit-learn's signature
        """Learn the values of each text column, in alphabetical order."""
        values = {name: sorted(X[name].dropna().unique()) for name in self.text_features}
        self.codes_ = {
            name: {text: code for code, text in enumerate(known)} for name, known in values.items()
        }
        self.feature_names_in_ = np.asarray(X.columns, dtype=object)
        return self

    def transform(self, X: pd.DataFrame) -> NDArray[np.float64]:  # noqa: N803 - scikit-learn's signature
        """Return the columns in the order of training, shape (n_rows, n_features); KeyError names a column that is not there."""
        columns = [self._numbers(name, X[name]) for name in self.feature_names_in_]
        return np.column_stack(columns)

    def _numbers(self, name: str, values: pd.Series) -> NDArray[np.float64]:
        codes = self.codes_.get(name)
        if codes is None:
            return values.to_numpy(dtype=np.float64)
        return np.array([codes.get(value, np.nan) for value in values])

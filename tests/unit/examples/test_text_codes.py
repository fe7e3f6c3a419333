"""The first step of the model, against scikit-learn's own encoder."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING

import numpy as np
import pytest
from departures import FEATURES, NUMERIC_FEATURES, TEXT_FEATURES
from sklearn.base import clone
from sklearn.preprocessing import OrdinalEncoder
from text_codes import TextCodes

if TYPE_CHECKING:
    import pandas as pd


def test_texts_get_the_codes_that_scikit_learn_gives(
    winter: pd.DataFrame, year: pd.DataFrame
) -> None:
    """Rank among the values of training; what training never saw, and what is missing, is NaN; on a year that has both."""
    later = year.iloc[::100]
    oracle = OrdinalEncoder(
        handle_unknown="use_encoded_value", unknown_value=np.nan, encoded_missing_value=np.nan
    ).fit(winter[list(TEXT_FEATURES)])
    codes = TextCodes(TEXT_FEATURES).fit(winter[list(FEATURES)])
    found = codes.transform(later[list(FEATURES)])
    expected = oracle.transform(later[list(TEXT_FEATURES)])
    unseen = ~later["dest"].isin(set(winter["dest"]))
    assert unseen.any()
    np.testing.assert_array_equal(found[:, len(NUMERIC_FEATURES) :], expected)


def test_numbers_stay_what_they_are(winter: pd.DataFrame) -> None:
    """Missing ones included."""
    found = TextCodes(TEXT_FEATURES).fit_transform(winter[list(FEATURES)])
    expected = winter[list(NUMERIC_FEATURES)].to_numpy(float)
    np.testing.assert_array_equal(found[:, : len(NUMERIC_FEATURES)], expected)


def test_columns_are_found_by_name(winter: pd.DataFrame) -> None:
    """A request that names its values in another order gets the same numbers; one that lacks a name is told which."""
    codes = TextCodes(TEXT_FEATURES).fit(winter[list(FEATURES)])
    expected = codes.transform(winter[list(FEATURES)])
    np.testing.assert_array_equal(codes.transform(winter[list(reversed(FEATURES))]), expected)
    with pytest.raises(KeyError, match="temp"):
        codes.transform(winter[list(FEATURES)].drop(columns="temp"))


def test_it_is_an_estimator_like_any_other(winter: pd.DataFrame) -> None:
    """It can be cloned unfitted and pickled fitted, as a model file needs."""
    codes = TextCodes(TEXT_FEATURES).fit(winter[list(FEATURES)])
    copy = pickle.loads(pickle.dumps(codes))
    expected = codes.transform(winter[list(FEATURES)])
    np.testing.assert_array_equal(copy.transform(winter[list(FEATURES)]), expected)
    assert clone(codes).text_features == TEXT_FEATURES

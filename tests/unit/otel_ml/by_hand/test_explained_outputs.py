"""Explanations of models with several outputs, in the forms that explainers and models give them."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

import otel_ml
from otel_ml.testing import Capture

# One sample, two features, three outputs; the last output is the one that is explained.
VALUES = np.array([[[9.0, 8.0, 0.25], [7.0, 6.0, -0.5]]])
BASES = np.array([5.0, 4.0, 0.125])


@pytest.mark.parametrize(
    "target",
    [2, np.int64(2), np.array([0.1, 0.2, 0.7]).argmax()],
)
def test_a_target_is_a_number_of_numpys_too(told_all: Capture, target: Any) -> None:
    """What `argmax` of the probabilities gives, or `classes_` holds, names an output as Python's own number does."""
    shap = SimpleNamespace(
        values=VALUES,
        base_values=BASES[None],
        data=None,
        feature_names=["a", "b"],
        output_names=["low", "middle", "high"],
    )
    otel_ml.record_explanation(shap, target=target, prediction="p")
    (told,) = told_all.events_named("ml.explanation")
    assert told["ml.explanation.attributions"] == {"b": -0.5, "a": 0.25}
    assert told["ml.explanation.target"] == "2"


def test_an_array_with_an_axis_of_outputs(told_all: Capture) -> None:
    """As `shap_values` and `expected_value` of an explainer are given, for two samples."""
    otel_ml.record_explanation(
        np.repeat(VALUES, 2, axis=0),
        names=["a", "b"],
        target=2,
        base_value=BASES,
        prediction="p",
    )
    told = told_all.events_named("ml.explanation")
    assert [each["ml.explanation.attributions"] for each in told] == [{"b": -0.5, "a": 0.25}] * 2
    assert [each["ml.explanation.base_value"] for each in told] == [0.125] * 2


def test_an_array_with_an_axis_of_outputs_needs_a_target(told_all: Capture) -> None:
    """Which of them is explained is not guessed."""
    otel_ml.record_explanation(VALUES, names=["a", "b"], prediction="p")
    assert not told_all.events


@pytest.mark.parametrize(
    ("base_value", "told"),
    [(np.array([0.125]), 0.125), ([0.125], 0.125), (np.float32(0.125), 0.125), (pd.NA, None)],
)
def test_a_base_value_as_explainers_hold_it(
    told_all: Capture, base_value: Any, told: float | None
) -> None:
    """Of a single output in an array of one; one that is not known does not keep the rest from being told."""
    otel_ml.record_explanation({"a": 1.0}, base_value=base_value, prediction="p")
    (event,) = told_all.events_named("ml.explanation")
    assert event.get("ml.explanation.base_value") == told

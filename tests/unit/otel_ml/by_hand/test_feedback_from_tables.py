"""Feedback as it is found in tables, stores and queues: with gaps, and as bytes."""

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest

import otel_ml
from otel_ml.testing import Capture

ADDRESS = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.mark.parametrize("gap", [math.nan, pd.NA, pd.NaT, None], ids=str)
@pytest.mark.parametrize(
    "column", ["predicted_confidence", "predicted_at", "predicted_label", "model", "version"]
)
def test_a_gap_in_a_row_is_not_told(seen: Capture, column: str, gap: Any) -> None:
    """The truth beside it is; a model is not called `nan`."""
    otel_ml.record_feedback("p", label="yes", source=gap, **{column: gap})
    assert seen.events_named("ml.feedback") == [
        {"ml.prediction.id": "p", "ml.feedback.label": "yes"}
    ]


def test_an_id_in_bytes_is_the_text_in_them(seen: Capture) -> None:
    """As a store gives it back; the address of a span leads to that."""
    otel_ml.record_feedback(ADDRESS.encode(), correct=True)
    (event,) = seen.events
    assert event.attributes["ml.prediction.id"] == ADDRESS
    assert f"{event.trace_id:032x}-{event.span_id:016x}" == ADDRESS[3:-3]


def test_a_given_id_in_bytes_is_the_text_in_them(seen: Capture) -> None:
    """So that its feedback, with the text, is of the same prediction."""
    with otel_ml.inference("fraud", prediction_id=b"order-17"):
        pass
    assert seen.attributes["ml.prediction.id"] == "order-17"


@pytest.mark.parametrize("column", [pd.Series(["p", "q"]), ["p", "q"], np.array(["p"])])
def test_a_column_of_predictions_is_refused(seen: Capture, caplog: Any, column: Any) -> None:
    """It would be taken for one, of which nobody has heard."""
    otel_ml.record_feedback(column, correct=True)
    assert not seen.events
    assert "expected one prediction, found several; tell of each by itself" in caplog.text


@pytest.mark.parametrize("moment", ["2026-01-02T03:04:05Z", np.datetime64("2026-01-02")])
def test_a_moment_that_is_no_datetime_is_refused_in_words(
    seen: Capture, caplog: Any, moment: Any
) -> None:
    """The log says what is expected, not where our code has failed."""
    otel_ml.record_feedback("p", correct=True, predicted_at=moment)
    assert not seen.events
    assert "expected predicted_at to be a `datetime` with its offset from UTC" in caplog.text


def test_a_little_more_than_certain_is_certain(seen: Capture) -> None:
    """As means of probabilities in single precision are; more than rounding makes is refused."""
    otel_ml.record_feedback(
        "p", label="a", predicted_confidence=float(np.nextafter(np.float32(1), np.float32(2)))
    )
    otel_ml.record_feedback("p", label="a", predicted_confidence=1.001)
    (told,) = seen.events_named("ml.feedback")
    assert told["ml.prediction.confidence"] == 1.0
    with otel_ml.inference("fraud") as call:
        call.output(confidence=1.0000001)
    assert seen.attributes["ml.prediction.confidence"] == 1.0

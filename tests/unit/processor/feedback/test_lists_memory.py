"""Lists that wait for feedback: many, and long ones."""

from __future__ import annotations

import numpy as np
import pytest

from otel_ml_processor.decode.attributes import MAX_ROWS
from otel_ml_processor.decode.spans import PlainDecoder
from otel_ml_processor.feedback.inbox import counted_rows
from otel_ml_processor.feedback.lists import lists_of
from otel_ml_processor.windows.placed import place
from tests.data.export_requests import export_request, inference_span


@pytest.mark.parametrize("says_scores", [True, False])
def test_a_list_of_as_many_items_as_there_may_be_takes_two_bytes_each(says_scores: bool) -> None:
    """A hundred thousand are kept: with eight it would be three gigabytes. The places are those of the scores, else of the samples."""
    scores = [float(n) for n in range(MAX_ROWS)]
    span = inference_span(
        {
            "ml.task.type": "ranking",
            "ml.batch.size": MAX_ROWS,
            "ml.prediction.labels": ["x"] * MAX_ROWS,
            **({"ml.prediction.scores": scores} if says_scores else {}),
        }
    )
    decoded = PlainDecoder(lambda _: None).decode(export_request([span]))
    (rows,) = decoded.columns

    (seen,) = lists_of(counted_rows(decoded.spans, place(rows, None), {}))

    assert seen.places.nbytes == 2 * MAX_ROWS
    expected = np.arange(MAX_ROWS)[::-1] if says_scores else np.arange(MAX_ROWS)
    np.testing.assert_array_equal(seen.places, expected)

"""Ordered lists, what people did with them, and feedback that repeats its prediction, through the real service."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue
from sklearn.metrics import average_precision_score, ndcg_score

from tests.integration.feedback_traffic import (
    DAY_NS,
    SECOND_NS,
    START_NS,
    label_of,
    prediction,
    processor,
)
from tests.unit.processor.otlp_requests import attribute

if TYPE_CHECKING:
    from pathlib import Path

    from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
    from opentelemetry.proto.trace.v1.trace_pb2 import Span

LISTS = 240
ITEMS = 8
WINDOW = f"windows=[{{name: rows, rows: {LISTS}}}]"
LATER = prediction(99_999, START_NS + 3 * DAY_NS)
"""By which feedback on all that was before it is in, as far as it comes."""


def shown(number: int, scores: list[float] | None = None) -> Span:
    """Return a recommendation of eight items, in the order of *scores*, or as they stand."""
    span = prediction(
        number, START_NS + number * SECOND_NS, task_type="recommendation", batch_size=ITEMS
    )
    if scores is not None:
        values = [AnyValue(double_value=score) for score in scores]
        array = AnyValue(array_value=ArrayValue(values=values))
        span.attributes.append(KeyValue(key="ml.prediction.scores", value=array))
    return span


def told(number: int, index: int, **said: Any) -> LogRecord:
    """Return feedback on one item of a list, or one sample of a batch."""
    record = label_of(number, START_NS + DAY_NS, **said)
    record.attributes.append(attribute("ml.prediction.index", index))
    return record


def test_lists_are_scored_as_scikit_learn_scores_them(tmp_path: Path) -> None:
    """Judged item by item, in any order and over several ticks: NDCG, MAP and MRR of the order of the scores, and each list is one label."""
    random = np.random.default_rng(1)
    scores = random.random((LISTS, ITEMS))
    gains = random.integers(0, 4, (LISTS, ITEMS)) * (random.random((LISTS, ITEMS)) < 0.3)
    gains[:, 0] = 1  # every list has a relevant item
    judged = [
        told(i, j, score=float(gains[i, j]), source="human")
        for i in range(LISTS)
        for j in range(ITEMS)
    ]
    order = random.permutation(len(judged)).tolist()
    with processor(tmp_path, WINDOW) as running:
        running.traces([shown(i, scores[i].tolist()) for i in range(LISTS)])
        running.tick()
        for part in (order[:400], order[400:], order[:9]):
            running.logs([judged[i] for i in part])
            running.tick()
        found = running.performance()
        duplicates = running.scraped("ml_feedback_joined_total")
        series = running.scraped("ml_evaluation_score")
    best = (-scores).argsort(axis=1)
    ordered = np.take_along_axis(gains, best, axis=1)
    expected = {
        "ndcg": ndcg_score(gains, scores),
        "map": np.mean(
            [average_precision_score(g > 0, s) for g, s in zip(gains, scores, strict=True)]
        ),
        "mrr": np.mean(1 / ((ordered > 0).argmax(axis=1) + 1)),
    }
    assert found["realized"] == pytest.approx(expected)
    assert (found["predictions"], found["coverage"]) == (LISTS, 1.0)
    assert found["proxies"] == {}
    assert sum(n for key, n in duplicates.items() if '"duplicate"' in key) == 9
    (ndcg,) = [n for key, n in series.items() if '"ndcg"' in key and '"realized"' in key]
    assert ndcg == pytest.approx(expected["ndcg"])


def test_clicks_are_proxies_and_no_truth(tmp_path: Path) -> None:
    """A third of the lists is clicked at the second item: a rate of 1/3, a reciprocal rank of 1/2, and nothing realised."""
    clicks = [told(i, 1, correct=True, source="implicit") for i in range(0, LISTS, 3)]
    passed = [told(i, 0, correct=False, source="implicit") for i in range(0, LISTS, 3)]
    with processor(tmp_path, WINDOW) as running:
        running.traces([shown(i) for i in range(LISTS)])
        running.tick()
        running.logs([*clicks, *passed])
        running.traces([LATER])
        running.tick()
        found, page = running.performance(), running.page()
        series = running.scraped("ml_evaluation_score")
    assert found["realized"] == {}
    assert found["coverage"] == 0.0
    expected = {"click_through": 1 / 3, "acceptance": 0.5, "mrr": 0.5, "map": 0.5}
    assert found["proxies"] == pytest.approx({**expected, "ndcg": 1 / np.log2(3)})
    assert "click through 0.333" in page
    assert {key.split('basis="')[1].split('"')[0] for key in series} == {"proxy"}


def test_single_predictions_have_proxies_too(tmp_path: Path) -> None:
    """Of 240 predictions 60 were accepted and 20 declined: a quarter was acted upon, three in four of those asked said yes."""
    reactions = [
        label_of(i, START_NS + DAY_NS, correct=i < 60, source="implicit") for i in range(80)
    ]
    with processor(tmp_path, WINDOW) as running:
        running.traces([prediction(i, START_NS + i, prediction_label="a") for i in range(LISTS)])
        running.tick()
        running.logs(reactions)
        running.traces([LATER])
        running.tick()
        found = running.performance()
    assert found["proxies"] == {"click_through": 0.25, "acceptance": 0.75}


@pytest.mark.parametrize("index", [ITEMS, 4_000_000_000])
def test_an_item_that_a_list_does_not_have_is_unmatched(tmp_path: Path, index: int) -> None:
    """Whoever counts from one, or says nonsense, reads so in the counts, and no list changes."""
    with processor(tmp_path, WINDOW, "feedback.early=0s") as running:
        running.traces([shown(0)])
        running.tick()
        running.logs([told(0, index, score=1.0)])
        running.tick()
        counts = running.scraped("ml_feedback_joined_total")
    assert [key.split('outcome="')[1].split('"')[0] for key in counts] == ["unmatched"]


def carried(number: int, **said: Any) -> LogRecord:
    """Return feedback of a prediction that the processor does not keep, with all that it has to know of it."""
    record = label_of(number, START_NS + DAY_NS, label="yes")
    facts = {
        "ml.model.name": "fraud",
        "ml.model.version": "1",
        "ml.prediction.label": "yes",
        "ml.prediction.confidence": 0.75,
        "ml.prediction.time": "2025-06-15T15:06:40.5Z",  # half a second after START_NS
        **said,
    }
    record.attributes.extend(attribute(key, value) for key, value in facts.items())
    return record


def test_feedback_that_repeats_its_prediction_needs_no_ring(tmp_path: Path) -> None:
    """Of 200 predictions none is known by its id any more: labels that bring class, confidence and time are joined, each once."""
    spans = [prediction(i, START_NS + i * SECOND_NS, prediction_label="yes") for i in range(200)]
    labels = [carried(1_000 + i) for i in range(150)]
    with processor(tmp_path, "windows=[{name: rows, rows: 200}]") as running:
        running.traces(spans)
        running.tick()
        running.logs([*labels, *labels[:5]])
        running.traces([LATER])
        running.tick()
        found, counts = running.performance(), running.scraped("ml_feedback_joined_total")
    assert found["realized"]["accuracy"] == 1.0
    assert found["coverage"] == 0.75
    assert found["calibration"]["brier"] == pytest.approx(0.0625)
    by_outcome = {key.split('outcome="')[1].split('"')[0]: n for key, n in counts.items()}
    assert by_outcome == {"joined": 150, "duplicate": 5}


@pytest.mark.parametrize(
    "said",
    [
        {"ml.prediction.time": "yesterday"},
        {"ml.prediction.time": "2025-06-15T15:06:40"},  # of which offset?
        {"ml.prediction.time": "0001-01-01T00:00:00+14:00"},
        {"ml.prediction.time": "2019-01-01T00:00:00Z"},
        {"ml.model.name": "another"},
    ],
    ids=["no time", "no offset", "before all times", "no window of then", "another model"],
)
def test_what_cannot_be_placed_is_unmatched(tmp_path: Path, said: dict[str, str]) -> None:
    """A time that is none, or of no window that is still counted, or a model that nobody knows: counted as not found."""
    with processor(tmp_path, WINDOW, "feedback.early=0s") as running:
        running.traces([prediction(i, START_NS + i * SECOND_NS) for i in range(LISTS)])
        running.tick()
        running.logs([carried(7_777, **said)])
        running.tick()
        counts = running.scraped("ml_feedback_joined_total")
    assert [key.split('outcome="')[1].split('"')[0] for key in counts] == ["unmatched"]

"""What is expected of a window, and what people did with it, as people read it."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from otel_ml_processor.emit.metrics import MetricBook
from otel_ml_processor.emit.page import ProcessorFacts, page_html
from otel_ml_processor.emit.readings import readings_json
from otel_ml_processor.profile import Profile, Source, sealed
from otel_ml_processor.self_metrics import SelfMetrics
from tests.unit.processor.emit import sample_feedback as feedback
from tests.unit.processor.emit import sample_readings as samples

FACTS = ProcessorFacts("tee", "127.0.0.1:14317", "0")


@pytest.fixture(name="book")
def _book() -> MetricBook:
    """A book of a stream whose reference had an accuracy of .8; .6 is expected of its window, and others need more to be known."""
    book = MetricBook(windows=["1h"], scores=["psi"], self_metrics=SelfMetrics())
    profile = Profile(
        model="m",
        created="2026-01-01T00:00:00Z",
        source=Source(kind="CSV", uri="", rows=1),
        features=[],
        performance={"accuracy": 0.8},
    )
    book.register(samples.STREAM, sealed(profile), {})
    reading = replace(
        samples.drifting_reading(),
        estimated={"accuracy": 0.6},
        needs_probabilities=("f1", "roc_auc"),
    )
    book.update(reading, None)
    book.set_performance(replace(feedback.PERFORMANCE, proxies={"click_through": 0.125}))
    return book


def test_an_estimate_is_a_part_of_what_the_reference_had(book: MetricBook) -> None:
    """.6 of .8 is 75 %; the percentage stands beside both."""
    page = page_html(book.views(), FACTS, is_ready=True)
    (row,) = [line for line in page.splitlines() if '<th scope="row">accuracy</th>' in line]
    cells = [cell.split("</td>")[0] for cell in row.split('<td class="n">')[1:]]
    assert cells[:3] == ["0.800", "0.600", "75\N{NO-BREAK SPACE}%"]


def test_what_cannot_be_estimated_is_named_and_has_no_number(book: MetricBook) -> None:
    """In words on the page, as a list for programs, and nowhere among the estimates."""
    page = page_html(book.views(), FACTS, is_ready=True)
    assert "For f1, roc auc an estimate needs the probabilities of all classes." in page
    (stream,) = json.loads(readings_json(book.views()))["streams"]
    (reading,) = stream["readings"]
    assert reading["needs_probabilities"] == ["f1", "roc_auc"]
    assert reading["estimated"] == {"accuracy": 0.6}


def test_proxies_are_called_so(book: MetricBook) -> None:
    """Whoever reads a click rate reads that it is no truth; programs find it under its own name."""
    page = page_html(book.views(), FACTS, is_ready=True)
    assert "Proxies, what people did with them, which is no truth: click through 0.125." in page
    (stream,) = json.loads(readings_json(book.views()))["streams"]
    (performance,) = stream["performance"]
    assert performance["proxies"] == {"click_through": 0.125}
    assert "click_through" not in performance["realized"]

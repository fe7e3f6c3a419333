"""What the page and `/readings` say of all features together, and of explanations."""

from __future__ import annotations

import json
from dataclasses import replace

from otel_ml_conventions.attributes import MlDriftStateValues, MlDriftTargetValues
from otel_ml_processor.assess.explanations import ExplanationReading
from otel_ml_processor.assess.reading import PairReading, TargetReading
from otel_ml_processor.emit.page import ProcessorFacts, page_html
from otel_ml_processor.emit.readings import readings_json
from otel_ml_processor.emit.stream_pages import StreamView
from tests.unit.processor.emit import sample_readings as samples

FACTS = ProcessorFacts("tee", "127.0.0.1:14317", "1")


def target(of: MlDriftTargetValues, name: str = "") -> TargetReading:
    """Return a target that drifts."""
    drifting = MlDriftStateValues.DRIFTING
    return TargetReading(of, name, 50, {}, p_value=0.001, effect=0.1, state=drifting)


def view() -> StreamView:
    """Return a stream of which all three targets drift."""
    together = replace(
        target(MlDriftTargetValues.MULTIVARIATE), scores={"pca_reconstruction": 1.25}, ood=0.01
    )
    pair = PairReading("<a>", "b", 0.6, 0.1, 0.001, 0.1)
    correlation = replace(target(MlDriftTargetValues.CORRELATION), pair=pair)
    attribution = target(MlDriftTargetValues.EXPLANATION, "fare")
    reading = replace(
        samples.drifting_reading(),
        targets=(together, correlation, attribution),
        explanations=ExplanationReading(
            50, {"age": 0.1, "fare": 0.5}, {"fare": 0.4, "age": 0.2}, 0.9, is_provisional=True
        ),
    )
    return StreamView(reading.stream, None, (reading,))


def test_the_page_says_what_went_together_before() -> None:
    """The share far off and the mean error, the pair with both correlations, and what counts most: as text, whatever a feature is called."""
    page = page_html([view()], FACTS, is_ready=True)

    assert "1\N{NO-BREAK SPACE}% out of distribution, mean error 1.250" in page
    assert "&lt;a&gt; and b: 0.60 to 0.10" in page
    assert "<em>attribution to</em> <bdi>fare</bdi>" in page
    assert "the first explanations that came: fare 0.5 (0.4), age 0.1 (0.2)." in page
    assert "Like inputs are explained alike to 90\N{NO-BREAK SPACE}%." in page


def test_readings_say_the_same_for_programs() -> None:
    """With the names that the page shows, and numbers that need no parsing."""
    (stream,) = json.loads(readings_json([view()]))["streams"]
    (reading,) = stream["readings"]

    together, correlation, _ = reading["targets"]
    assert together["ood"] == 0.01
    assert correlation["pair"] == {"features": ["<a>", "b"], "before": 0.6, "after": 0.1}
    assert reading["explanations"] == {
        "explained": 50,
        "importance": {"age": 0.1, "fare": 0.5},
        "before": {"fare": 0.4, "age": 0.2},
        "consistency": 0.9,
        "provisional": True,
    }

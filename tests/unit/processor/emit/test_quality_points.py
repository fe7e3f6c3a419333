"""What leaves the processor about the quality of data: metrics, the page, and `/readings`."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest

from otel_ml_processor.assess.data_quality import Alike, QualityReading
from otel_ml_processor.assess.reading import Reading
from otel_ml_processor.emit.metrics import MetricBook
from otel_ml_processor.emit.page import ProcessorFacts, page_html
from otel_ml_processor.emit.readings import readings_json
from otel_ml_processor.self_metrics import SelfMetrics
from otel_ml_processor.windows.quality import Freshness
from tests.unit.processor.emit import sample_readings as samples

SECOND = 10**9
QUALITY = QualityReading(
    duplicates=0.25,
    inconsistent=0.5,
    invalid={"non_finite": 3, "empty": 0, "category": 1_200},
    schemas={"9f2c1a7be0d4c355": 900},
    constant=(samples.HOSTILE_FEATURE,),
    alike=(Alike("width", "height", 0.02, 0.995),),
)
FACTS = ProcessorFacts("tee", "127.0.0.1:4317", "1")


@pytest.fixture(name="book")
def _book() -> MetricBook:
    """Return an empty book whose clock stands at 2 000 seconds."""
    return MetricBook(
        windows=["1h"], scores=["psi"], self_metrics=SelfMetrics(), clock_ns=lambda: 2_000 * SECOND
    )


def values(book: MetricBook, name: str, *keys: str) -> dict[tuple[object, ...], float]:
    """Return the values of one metric by these attributes."""
    found = [metric for metric in book.collect() if metric.definition.name == name]
    return {
        tuple(dict(point.attributes).get(key) for key in keys): point.value
        for metric in found
        for point in metric.points
    }


def page(book: MetricBook) -> str:
    """Return the text of the page, without its tags."""
    html = page_html(book.views(), FACTS, is_ready=True)
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


def reading(quality: QualityReading) -> Reading:
    """Return an ordinary reading of the window `1h` with this quality."""
    return replace(samples.drifting_reading(), quality=quality)


def test_shares_are_told_where_there_is_something_to_tell(book: MetricBook) -> None:
    """Both shares per window; without hashes, and without repeats, there is no point, not a zero."""
    book.update(reading(QUALITY), None)
    assert values(book, "ml.input.duplicates", "ml.window.name") == {("1h",): 0.25}
    assert values(book, "ml.prediction.inconsistent", "ml.window.name") == {("1h",): 0.5}
    book.update(reading(QualityReading(None, None, {}, {})), None)
    assert values(book, "ml.input.duplicates") == {}
    assert values(book, "ml.prediction.inconsistent") == {}


def test_unusable_predictions_only_ever_grow(book: MetricBook) -> None:
    """By rule, as counters; they survive in what another book goes on from."""
    fresh = Freshness(0, 0, {})
    book.set_quality(samples.STREAM, {"empty": 2, "range": 0}, fresh)
    book.set_quality(samples.STREAM, {"empty": 5, "range": 1}, fresh)
    expected = {("empty",): 5.0, ("range",): 1.0}
    assert values(book, "ml.prediction.invalid", "ml.validation.rule") == expected
    since_ns, counts = book.counts()
    other = MetricBook(windows=["1h"], scores=["psi"], self_metrics=SelfMetrics())
    other.go_on_from(since_ns, counts)
    assert values(other, "ml.prediction.invalid", "ml.validation.rule") == expected


def test_age_is_that_of_the_stream_and_of_each_feature(book: MetricBook) -> None:
    """A stream that is silent for 100 s, and a feature that had been missing for 3 600 s before that."""
    seen = {"temp": 400 * SECOND, "dewp": 4_000 * SECOND}
    book.set_quality(samples.STREAM, {}, Freshness(1_900 * SECOND, 4_000 * SECOND, seen))
    ages = {(None,): 100.0, ("temp",): 3_700.0, ("dewp",): 100.0}
    assert values(book, "ml.feature.staleness", "ml.feature.name") == ages
    (stream,) = json.loads(readings_json(book.views()))["streams"]
    assert stream["silent_seconds"] == 100
    assert stream["stale_seconds"] == {"temp": 3_700, "dewp": 100}
    assert "Without a value for long: temp (1 h 01 min) ." in page(book)


def test_the_page_says_what_is_remarkable_in_words(book: MetricBook) -> None:
    """Shares, what is broken and how often, features by name, as text whatever they are called; nothing of what is fine."""
    book.update(reading(QUALITY), None)
    text = page(book).replace("\N{NO-BREAK SPACE}", " ").replace("\N{NARROW NO-BREAK SPACE}", " ")
    assert "25 % of the inputs came before" in text
    assert "50 % of the repeated ones were answered differently" in text
    broken = "unusable predictions: 3 not finite, 1 200 of a class that the reference does not have"
    assert broken in text
    assert "say nearly the same, and did not: width and height (0.02 to 0.99)" in text
    html = page_html(book.views(), FACTS, is_ready=True)
    assert '<script>alert("x")' not in html
    assert "all in one bin or category, and were not" in html
    fine = QualityReading(None, None, {"empty": 0}, {"9f2c1a7be0d4c355": 900})
    book.update(reading(fine), None)
    assert "unusable" not in page(book)


def test_readings_have_all_of_it_as_numbers(book: MetricBook) -> None:
    """The same for programs, with zeros and with the schemas."""
    book.update(reading(QUALITY), None)
    (stream,) = json.loads(readings_json(book.views()))["streams"]
    assert stream["readings"][0]["quality"] == {
        "duplicates": 0.25,
        "inconsistent": 0.5,
        "invalid": {"non_finite": 3, "empty": 0, "category": 1200},
        "schemas": {"9f2c1a7be0d4c355": 900},
        "constant": [samples.HOSTILE_FEATURE],
        "alike": [{"features": ["width", "height"], "before": 0.02, "after": 0.995}],
    }

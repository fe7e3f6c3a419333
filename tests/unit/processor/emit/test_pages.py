"""What the processor shows over HTTP, asked for as a browser, a program and an orchestrator ask."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import httpx
import numpy as np
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from otel_ml_conventions.attributes import MlDriftStateValues
from otel_ml_processor.assess.reading import Evidence
from otel_ml_processor.columns import StreamKey
from otel_ml_processor.emit.metrics import MetricBook
from otel_ml_processor.emit.page import ProcessorFacts, page_html
from otel_ml_processor.emit.pages import pages
from otel_ml_processor.emit.server import HttpServer
from otel_ml_processor.self_metrics import SelfMetrics
from tests.unit.processor.emit import sample_readings as samples

if TYPE_CHECKING:
    from collections.abc import Iterator

FACTS = ProcessorFacts(mode="tee", receive_endpoint="127.0.0.1:14317", version="1.2.3")
VOID = {"meta", "link", "br", "img", "input", "hr"}


class Outline(HTMLParser):
    """The elements and the visible text of a page; fails where an element is not closed."""

    def __init__(self, page: str) -> None:
        """Read *page* to its end."""
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.open: list[str] = []
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element."""
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """Close an element; they must be nested."""
        assert self.open.pop() == tag

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element that holds nothing."""
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        """Note text that a reader sees."""
        if not {"style", "script"} & set(self.open):
            self.texts.append(data)

    @property
    def text(self) -> str:
        """The visible text, white space made one."""
        return " ".join(" ".join(self.texts).split())

    def count(self, tag: str) -> int:
        """Return how many elements *tag* there are."""
        return sum(found == tag for found, _ in self.elements)


class Site:
    """The pages of a book, served for real."""

    def __init__(self) -> None:
        """Make everything, but do not serve yet."""
        self.book = MetricBook(windows=["1h", "24h"], scores=["psi"], self_metrics=SelfMetrics())
        self.is_ready = True
        self.server = HttpServer("127.0.0.1:0", pages(self.book, FACTS, lambda: self.is_ready))

    def get(self, path: str, **headers: str) -> httpx.Response:
        """Return the answer for *path*."""
        with httpx.Client(trust_env=False, timeout=60) as client:
            return client.get(f"http://{self.server.endpoint}{path}", headers=headers)


@pytest.fixture
def site() -> Iterator[Site]:
    """The pages of an empty book."""
    made = Site()
    made.server.start()
    yield made
    made.server.stop()


def page(book: MetricBook, *, is_ready: bool = True) -> Outline:
    """Return the outline of the page of *book*."""
    return Outline(page_html(book.views(), FACTS, is_ready=is_ready))


@pytest.fixture
def book() -> MetricBook:
    """An empty book."""
    return MetricBook(windows=["1h", "24h"], scores=["psi"], self_metrics=SelfMetrics())


def test_health_and_readiness_differ(site: Site) -> None:
    """A processor that is still warming up is alive but not ready; both answers are for orchestrators."""
    site.is_ready = False
    alive, waiting = site.get("/healthz"), site.get("/readyz")
    site.is_ready = True

    assert (alive.status_code, waiting.status_code) == (200, 503)
    assert site.get("/readyz").status_code == 200


def test_slow_drift_is_told_in_words(book: MetricBook) -> None:
    """Which feature, to which side, and how seldom that happens by chance; nothing below the promise, and nothing of hostile names."""
    book.update(samples.with_evidence(samples.drifting_reading()), None)
    text = page(book).text
    assert "Slow drift: temp (rising) ." in text
    assert "at most once in 1000 windows" in text

    book.update(samples.drifting_reading(), None)
    assert "Slow drift" not in page(book).text

    hostile = replace(
        samples.TEMP, name=samples.HOSTILE_FEATURE, evidence=Evidence(9.0, rises=False)
    )
    book.update(replace(samples.reading(hostile), windows_between_alarms=1000.0), None)
    assert "<script>" in page(book).text
    assert page(book).count("script") == 0


def test_an_unknown_page_and_a_wrong_method_are_refused(site: Site) -> None:
    """There is nothing to write to."""
    assert site.get("/../etc/passwd").status_code == 404
    with httpx.Client(trust_env=False, timeout=60) as client:
        assert client.post(f"http://{site.server.endpoint}/").status_code == 405


def test_the_scrape_page_gives_what_the_client_accepts(site: Site) -> None:
    """Prometheus asks for OpenMetrics and gets it, with the numbers of the book."""
    site.book.update(samples.drifting_reading(), None)

    answer = site.get("/metrics", accept="application/openmetrics-text;version=1.0.0")

    families = {family.name: family for family in text_string_to_metric_families(answer.text)}
    scores = {
        sample.labels.get("ml_feature_name"): sample.value
        for sample in families["ml_drift_score"].samples
    }
    assert answer.headers["content-type"].startswith("application/openmetrics-text")
    assert (scores["temp"], scores["dewp"]) == (0.412, 0.287)
    assert site.get("/metrics").headers["content-type"].startswith("text/plain")


def test_the_page_may_load_and_run_nothing(site: Site) -> None:
    """Even if a name got through unescaped, the browser would not run it: only the page's own style is allowed."""
    site.book.update(samples.drifting_reading(), None)

    answer = site.get("/")

    policy = answer.headers["content-security-policy"]
    (style,) = re.findall(r"<style>(.*?)</style>", answer.text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert policy.startswith("default-src 'none'; ")
    assert f"style-src 'sha256-{digest}'" in policy
    assert "script-src" not in policy
    assert "frame-ancestors 'none'" in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "http://" not in answer.text.replace(f"http://{site.server.endpoint}", "")
    assert "https://" not in answer.text


def test_readings_are_json_with_null_for_what_is_not_a_number(site: Site) -> None:
    """A program reads the same as a person: every window, every target, every number."""
    profile = samples.profile()
    site.book.register(samples.STREAM, profile, {"1h": 0.46})
    site.book.update(replace(samples.drifting_reading(), measured=0.46), None)

    answer = site.get("/readings")

    (stream,) = json.loads(answer.text)["streams"]
    (read,) = stream["readings"]
    assert answer.headers["content-type"] == "application/json"
    assert (stream["service"], stream["model"]) == ("flights", "late-arrival")
    assert stream["reference"] == {
        "id": profile.id,
        "created": "2013-03-20T12:00:00Z",
        "samples": 54_321,
        "version": "2013-02",
        "provisional": False,
        "performance": {},
    }
    assert (read["start"], read["end"]) == ("2013-03-20T13:00:00Z", "2013-03-20T14:00:00Z")
    assert (read["state"], read["rows"], read["mode"]) == ("drifting", 900, "iid")
    assert (read["false_alarm_promised"], read["false_alarm_measured"]) == (0.01, 0.46)
    assert read["labels"] == {"on_time": 712, "late": 188}
    assert read["confidence"]["margin"] is None
    assert read["confidence"]["quantiles"] == {"0.05": 0.531, "0.5": 0.84, "0.95": 0.972}
    assert read["targets"][0]["scores"] == {"psi": 0.412, "jensen_shannon": 0.0515}
    assert [target["name"] for target in read["targets"]][:2] == ["temp", "dewp"]


def test_readings_take_the_numbers_of_numpy(site: Site) -> None:
    """A statistic that comes as a numpy scalar is a number like others."""
    target = replace(
        samples.TEMP, p_value=np.float64(0.25), rows=np.int64(9), effect=np.float32(0.5)
    )
    site.book.update(samples.reading(target), None)

    (stream,) = json.loads(site.get("/readings").text)["streams"]

    (read,) = stream["readings"][0]["targets"]
    assert (read["p_value"], read["rows"], read["effect"]) == (0.25, 9, 0.5)
    assert site.get("/").status_code == 200


def test_readings_of_an_empty_book_and_of_hostile_names(site: Site) -> None:
    """JSON stays JSON, whatever a model or a class is called."""
    assert json.loads(site.get("/readings").text) == {"streams": []}
    hostile = samples.reading(samples.feature(samples.HOSTILE_FEATURE), stream=samples.HOSTILE)
    site.book.update(replace(hostile, labels={"\ud800": 1, "</script>": 2}), None)

    (stream,) = json.loads(site.get("/readings").text)["streams"]

    assert stream["model"] == samples.HOSTILE.model
    assert stream["reference"] is None
    assert stream["readings"][0]["targets"][0]["name"] == samples.HOSTILE_FEATURE
    assert stream["readings"][0]["labels"] == {"?": 1, "</script>": 2}


def test_an_empty_page_says_what_to_do(book: MetricBook) -> None:
    """Before the first inference the page tells where to send spans, and that it is not ready if it is not."""
    found = page(book, is_ready=False)

    assert "No inference yet" in found.text
    assert (
        "spans to 127.0.0.1:14317 (gRPC). A stream appears here with its first inference"
        in found.text
    )
    assert "starting" in found.text
    assert found.count("table") == 0


def test_whoever_sends_by_http_finds_that_door_too(book: MetricBook) -> None:
    """Where it is open; an exporter that speaks HTTP gets no answer at the other."""
    facts = replace(FACTS, http_endpoint="127.0.0.1:14318")

    found = Outline(page_html(book.views(), facts, is_ready=True)).text

    assert found.count("127.0.0.1:14317 (gRPC) or 127.0.0.1:14318 (HTTP)") == 2


def test_a_sentence_names_ten_features_and_counts_the_others(book: MetricBook) -> None:
    """A model with a hundred features that rise slowly is told of in three lines, not on a page."""
    slow = [samples.feature(f"rising_{number:03d}") for number in range(100)]
    reading = samples.with_evidence(samples.reading(*slow))
    rising = Evidence(log=1e6, rises=True)
    targets = tuple(replace(target, evidence=rising) for target in reading.targets)
    book.update(replace(reading, targets=targets), None)

    text = page(book).text

    sentence = text[text.index("Slow drift: ") :].partition(" . ")[0]
    names = [f"rising_{number:03d} (rising)" for number in range(10)]
    assert sentence == f"Slow drift: {', '.join(names)}, 90 more"


def test_the_page_shows_state_numbers_and_promise(book: MetricBook) -> None:
    """A person sees per window the rows, the time, the worst features first, the confidence, and what is promised."""
    book.register(samples.STREAM, samples.profile(), {"1h": 0.46})
    book.update(replace(samples.drifting_reading(), measured=0.46), None)

    text = page(book).text

    for expected in (
        "late-arrival 2013-02 drifting",
        "flights in production",
        "54\N{NARROW NO-BREAK SPACE}321 rows",
        "900 rows · 2013-03-20 13:00:00 \N{EN DASH} 14:00:00 UTC",
        "2 of 4",
        "mean confidence 0.812",
        "on_time 79.1 % (712)",
        "temp drifting 0.412 < 0.0001 location 0",
        "dewp drifting 0.287 0.0004 location 0.22 %",
        "wind_speed warning 0.013 0.07",
        "at most 1 % raise an alarm. Mode iid",
        "windows: 46 %",
        "The promise does not hold here",
        "ml.verdict.drift=drifting",
    ):
        assert " ".join(expected.split()) in text
    order = [
        text.index(name) for name in ("temp drifting", "dewp drifting", "wind_speed", "carrier")
    ]
    assert order == sorted(order)


def test_a_promise_that_holds_raises_no_eyebrow(book: MetricBook) -> None:
    """Up to three times the promise is within what a self-test can tell."""
    book.update(replace(samples.drifting_reading(), measured=0.03), None)

    found = page(book).text

    assert "windows: 3" in found
    assert "does not hold" not in found


def test_an_insufficient_window_says_so(book: MetricBook) -> None:
    """A starved window is not shown as steady, and shows no numbers of the window before."""
    book.update(samples.insufficient(samples.drifting_reading()), None)

    found = page(book)

    assert "Too few rows to tell" in found.text
    assert "steady" not in found.text
    assert found.count("table") == 0


def test_a_model_without_a_profile_is_not_called_steady(book: MetricBook) -> None:
    """Nothing was compared, so nothing is claimed; the page says how to get a reference."""
    nothing = MlDriftStateValues.NO_REFERENCE
    book.update(replace(samples.reading(), reference_id="", state=nothing), None)

    text = page(book).text

    assert "no reference" in text
    assert "otel-ml profile build" in text
    assert "steady" not in text
    assert "Promise" not in text


def test_a_registered_stream_waits_for_its_first_window(book: MetricBook) -> None:
    """A stream is shown as soon as it is known."""
    book.register(samples.STREAM, samples.profile(), {})

    text = page(book).text

    assert "waiting" in text
    assert "No window has closed yet" in text


def test_the_worst_stream_comes_first(book: MetricBook) -> None:
    """What drifts is on top, whatever its name; the title says how many do."""
    for name, target in (("a", samples.CARRIER), ("b", samples.WIND), ("z", samples.TEMP)):
        book.update(samples.reading(target, stream=StreamKey("s", "", f"model-{name}", "")), None)

    html = page_html(book.views(), FACTS, is_ready=True)

    order = [html.index(f"model-{name}") for name in "zba"]
    assert order == sorted(order)
    assert "<title>1 drifting" in html


def test_hostile_names_are_text(book: MetricBook) -> None:
    """Markup in names is shown, not obeyed: the page has the elements of an ordinary one."""
    hostile = samples.reading(samples.feature(samples.HOSTILE_FEATURE), stream=samples.HOSTILE)
    book.update(replace(hostile, labels={"<img src=x onerror=alert(1)>": 1, "\ud800": 1}), None)

    found = page(book)

    assert found.count("script") == found.count("img") == 0
    assert samples.HOSTILE.model in found.text
    assert "<img src=x onerror=alert(1)>" in found.text
    assert " ".join(samples.HOSTILE_FEATURE.split()) in found.text
    assert not [a for _, attributes in found.elements for a in attributes if a.startswith("on")]


def test_a_thousand_features_fold(book: MetricBook) -> None:
    """The worst features are open, the others a click away, each exactly once."""
    features = [samples.feature(f"f{i:04}") for i in range(1000)]
    book.update(samples.reading(samples.TEMP, *features), None)

    found = page(book)

    shown = re.findall(r"\bf\d{4}\b", found.text)
    assert sorted(shown) == [f"f{i:04}" for i in range(1000)]
    assert found.count("details") == 1
    assert "976 more" in found.text
    assert found.text.index("temp drifting") < found.text.index("f0000")


def test_many_classes_are_summed_up(book: MetricBook) -> None:
    """Of many classes the most frequent are named and the rest is one."""
    labels = {f"class {i}": 2**i for i in range(8)}
    book.update(replace(samples.drifting_reading(), labels=labels), None)

    text = page(book).text

    assert "class 7 50.2" in text
    assert "class 2" not in text
    assert re.search(r"3 others 2.75\s%", text)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_number_that_is_none_is_a_dash(book: MetricBook, bad: float) -> None:
    """The page survives what a statistic could not compute."""
    target = replace(samples.TEMP, scores={"psi": bad}, p_value=bad, missing=bad)
    book.update(samples.reading(target, samples.CARRIER), None)

    text = page(book).text

    assert "nan" not in text.lower()
    assert re.search(r"temp drifting \N{EN DASH}", text)


def test_bars_do_not_exaggerate(book: MetricBook) -> None:
    """A bar is full at a PSI of .1 or at the largest of the window: a steady window looks calm."""
    book.update(samples.reading(samples.feature("calm", psi=0.025)), None)
    book.update(
        samples.reading(samples.TEMP, samples.feature("half", psi=0.206), window="24h"), None
    )

    bars = [
        attributes["width"]
        for tag, attributes in page(book).elements
        if tag == "rect" and attributes["class"] == "fill"
    ]

    assert bars == ["16.0", "64.0", "32.0"]


def test_other_scores_still_show_an_effect(book: MetricBook) -> None:
    """Where the PSI is not among the configured scores its debiased value stands in its column."""
    target = replace(samples.TEMP, scores={"jensen_shannon": 0.05}, effect=0.409)
    book.update(samples.reading(target), None)

    assert "temp drifting 0.409" in page(book).text

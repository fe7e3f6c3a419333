"""What the demo says at its end."""

from __future__ import annotations

import http.server
import json
import threading
from datetime import date
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import pytest
import receipts
from closing import Count, promise_lines, where_to_look
from stack import free_addresses
from watch import Drifted, Window

from otel_ml_processor.columns import StreamKey
from otel_ml_processor.emit.metrics import MetricBook
from otel_ml_processor.emit.page import ProcessorFacts
from otel_ml_processor.emit.pages import pages
from otel_ml_processor.emit.server import HttpServer
from otel_ml_processor.self_metrics import SelfMetrics

if TYPE_CHECKING:
    from collections.abc import Iterator


def window(number: int, month: int, state: str, *names: str) -> Window:
    """Return a window of a day in *month* in which *names* drifted."""
    drifted = tuple(Drifted(name, 1.0, 0.0) for name in names)
    return Window(number, (date(2013, month, 5),), 200, state, drifted, 0.9, 0.05)


def test_a_count_says_whether_it_agrees() -> None:
    """In words, beside the number."""
    assert str(Count("spans", 2400, 2400)).split() == [
        "spans",
        "2400",
        "as",
        "many",
        "as",
        "were",
        "answered",
    ]
    assert str(Count("spans", 2399, 2400)).split() == ["spans", "2399", "expected", "2400"]


def test_the_promise_is_counted_as_it_was_kept_and_as_it_was_not() -> None:
    """False alarms in winter, alarms afterwards, and months from April on in which the weather was not in alarm."""
    windows = [
        window(1, 1, "steady"),
        window(2, 2, "drifting", "hour"),
        window(3, 3, "warning"),
        window(4, 4, "drifting", "temp", "dewp", "hour"),
        window(5, 5, "drifting", "temp"),
    ]
    lines = promise_lines(windows, "what the profile says")
    assert "1 of 2 windows in alarm (promised: 1 in 100)" in lines[0]
    assert "2 of 3 windows in alarm" in lines[1]
    assert lines[2].endswith("in 1 of 2 windows")
    assert "what the profile says" in lines[-1]


def test_addresses_are_of_what_runs() -> None:
    """Without the servers nobody is sent to Jaeger; with them the query is ready to be opened."""
    at = free_addresses()
    alone = where_to_look(at, with_servers=False)
    everything = where_to_look(at, with_servers=True)
    assert all(at.processor_page in line for line in alone)
    assert everything[: len(alone)] == alone
    url = urlsplit(everything[len(alone)].split()[-1])
    assert url.netloc == at.jaeger_query
    assert json.loads(parse_qs(url.query)["tags"][0]) == {"ml.verdict.drift": "drifting"}


def test_a_metric_is_summed_from_the_page_as_it_is_served() -> None:
    """All series of the one metric, not of another whose name begins alike; 0 where there is none."""
    book = MetricBook(windows=["rows"], scores=["psi"], self_metrics=SelfMetrics())
    book.set_totals(StreamKey("s", "e", "m", "1"), {"late": 400, "on_time": 1600}, 90)
    book.set_totals(StreamKey("s", "e", "m", "2"), {"late": 7}, 0)
    server = HttpServer("127.0.0.1:0", pages(book, ProcessorFacts("tee", "", "1"), lambda: True))
    server.start()
    try:
        assert receipts.scraped_sum(server.endpoint, "ml_prediction_samples_total") == 2007
        assert receipts.scraped_sum(server.endpoint, "ml_prediction_samples") == 0
    finally:
        server.stop()


class Jaeger(http.server.BaseHTTPRequestHandler):
    """Answers `/api/traces` from a list of (start in seconds, trace), as Jaeger does by start and end."""

    traces: list[tuple[float, dict[str, object]]] = []  # noqa: RUF012 - set by the fixture, per test

    def do_GET(self) -> None:
        """Return the traces between start and end; `null` where there are none."""
        asked = parse_qs(urlsplit(self.path).query)
        start, end = (int(asked[key][0]) / 1e6 for key in ("start", "end"))
        found = [trace for moment, trace in self.traces if start <= moment <= end]
        body = json.dumps({"data": found or None}).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(name="jaeger")
def _jaeger() -> Iterator[str]:
    """The address of a Jaeger with a thousand traces of one inference each, a hundred a second, one of them stored twice."""
    Jaeger.traces = [
        (5000 + number / 100, trace(f"{number:032x}", inferences=2 if number == 500 else 1))
        for number in range(1000)
    ]
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Jaeger) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def trace(trace_id: str, inferences: int) -> dict[str, object]:
    """Return a trace of a server's span and some inferences."""
    names = ["POST /predict", *["predict late-arrival"] * inferences]
    return {"traceID": trace_id, "spans": [{"operationName": name} for name in names]}


def test_spans_in_jaeger_are_counted_exactly(jaeger: str) -> None:
    """Slices overlap, so a trace is found twice and counts once; a span that is stored twice counts twice."""
    answered = [5000 + number / 100 for number in range(1000)]
    assert receipts.jaeger_inferences(jaeger, answered) == 1001
    assert receipts.jaeger_inferences(jaeger, []) == 0


def test_waiting_ends_with_the_last_answer() -> None:
    """The first answer that is wanted, or the last one: the demo then shows how much is missing."""
    answers = iter(range(10))
    assert receipts.settled(lambda: next(answers), lambda value: value == 2) == 2
    assert receipts.settled(lambda: 7, lambda value: value == 8, within_s=0) == 7

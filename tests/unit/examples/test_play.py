"""The player, against a real HTTP server that notes what it is sent."""

from __future__ import annotations

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import play
import pytest
from departures import FEATURES
from play import Player, PlayError, requests_for, thinned
from train import rest_of_the_year

if TYPE_CHECKING:
    from collections.abc import Iterator


class Listener(ThreadingHTTPServer):
    """Answers every POST, keeps bodies in the order of arrival, and counts connections and requests at the same time."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answering)
        self.lock = threading.Lock()
        self.bodies: list[dict[str, Any]] = []
        self.connections = self.busy = self.most_busy = 0
        self.fails_from: float = float("inf")

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.server_address[1]}"


class Answering(BaseHTTPRequestHandler):
    """One connection to the listener."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1
    """Head and body leave together; apart, each answer takes the forty milliseconds of a delayed acknowledgement."""
    server: Listener

    def setup(self) -> None:
        """Count the connection."""
        super().setup()
        with self.server.lock:
            self.server.connections += 1

    def do_POST(self) -> None:
        """Note the request and answer it, with an error from `fails_from` on."""
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        with self.server.lock:
            self.server.bodies.append(body)
            self.server.busy += 1
            self.server.most_busy = max(self.server.most_busy, self.server.busy)
            failed = len(self.server.bodies) > self.server.fails_from
        self.send_response(500 if failed else 200)
        self.send_header("content-length", "2")
        self.end_headers()
        with self.server.lock:
            self.server.busy -= 1
        self.wfile.write(b"{}")

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(name="listener")
def _listener() -> Iterator[Listener]:
    """A listener that serves."""
    with Listener() as listener:
        thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield listener
        listener.shutdown()
        thread.join()


BODIES = [{"number": number} for number in range(300)]


def test_every_request_is_sent_once(listener: Listener) -> None:
    """Several at once, so that neighbours may change places on their way; but none is lost and none is sent twice."""
    Player(listener.url, at_once=4).play(BODIES)
    assert sorted(body["number"] for body in listener.bodies) == list(range(300))


def test_one_at_a_time_is_in_order(listener: Listener) -> None:
    """A client that waits for each answer sends the flights as they departed."""
    Player(listener.url, at_once=1).play(BODIES)
    assert [body["number"] for body in listener.bodies] == list(range(300))


def test_it_is_a_modest_client(listener: Listener) -> None:
    """Never more requests at once than it was told, over connections that stay open."""
    Player(listener.url, at_once=3).play(BODIES)
    assert listener.most_busy <= 3
    assert listener.connections <= 3


def test_it_knows_when_each_flight_was_answered(listener: Listener) -> None:
    """That is how a window is matched with its days."""
    player = Player(listener.url)
    before = time.time()
    player.play(BODIES[:10])
    between = time.time()
    player.play(BODIES[10:30])
    assert len(player.answer_times) == 30
    assert [player.answered_by(moment) for moment in (before - 1, between, time.time())] == [
        0,
        10,
        30,
    ]


def test_what_is_beyond_the_limit_waits(listener: Listener) -> None:
    """Of several ways to send none goes past it; what follows is sent when it is raised, over several plays, and `stop` ends the waiting."""
    player = Player(listener.url, at_once=4)
    player.limit = 7
    player.play(BODIES[:5])
    with ThreadPoolExecutor(1) as thread:
        playing = thread.submit(player.play, BODIES[5:20])
        for limit in (7, 12):
            player.limit = limit
            end = time.monotonic() + 60
            while len(player.answer_times) < limit and time.monotonic() < end:
                time.sleep(0.01)
            time.sleep(0.1)
            assert len(listener.bodies) == limit
        player.stop()
        playing.result(60)
    assert sorted(body["number"] for body in listener.bodies) == list(range(12))


def test_it_sends_no_faster_than_it_was_told(listener: Listener) -> None:
    """The eleventh of eleven requests at a hundred a second leaves a tenth of a second after the first, or later."""
    begin = time.monotonic()
    Player(listener.url, per_second=100).play(BODIES[:11])
    assert time.monotonic() - begin >= 0.1


def test_a_refusal_ends_the_play(listener: Listener) -> None:
    """The error says what was expected, what came, and to which request; what waits is not sent."""
    listener.fails_from = 20
    player = Player(listener.url, at_once=2)
    with pytest.raises(
        PlayError, match=r"expected 200, got 500: \{\}; the request was "
    ) as refusal:
        player.play(BODIES)
    refused = listener.bodies[20:]
    assert 1 <= len(refused) <= 2
    assert str(refusal.value).split("the request was ")[1] in map(str, refused)
    assert len(player.answer_times) == 20


def test_without_a_service_one_reads_so(listener: Listener) -> None:
    """The address is named, and no traceback is what `play.py` ends with."""
    listener.server_close()
    with pytest.raises(PlayError, match=rf"no answer from {listener.url}: .*; is the service up\?"):
        Player(listener.url).play(BODIES)


def test_it_can_be_stopped(listener: Listener) -> None:
    """After the requests that are under way it returns, and says nothing of the rest."""
    player = Player(listener.url, at_once=2, per_second=5)
    thread = threading.Thread(target=player.play, args=(BODIES,))
    thread.start()
    while not player.answer_times:
        time.sleep(0.01)
    player.stop()
    thread.join(60)
    assert not thread.is_alive()
    assert 1 <= len(player.answer_times) < 300


def test_a_request_says_what_is_known_and_null_for_the_rest(year: pd.DataFrame) -> None:
    """JSON has no NaN; a service in any language reads it."""
    rows = year.iloc[[0, int(year["temp"].isna().to_numpy().argmax())]]
    bodies = json.loads(json.dumps(requests_for(rows), allow_nan=False))
    assert [set(body) for body in bodies] == [set(FEATURES)] * 2
    assert bodies[0]["temp"] == 39.02
    assert bodies[0]["carrier"] == "UA"
    assert bodies[1]["temp"] is None


@pytest.mark.parametrize("count", [1, 10, 2400, 9000])
def test_thinning_keeps_the_order_and_the_whole_year(year: pd.DataFrame, count: int) -> None:
    """Evenly spaced rows in their order, from the first on; with ten or more every month is there."""
    rows = rest_of_the_year(year)
    thin = thinned(rows, count)
    steps = np.diff([*np.searchsorted(rows.index, thin.index), len(rows)])
    assert len(thin) == count
    assert thin.index[0] == rows.index[0]
    assert steps.max() - steps.min() <= 1
    if count >= 2400:
        assert set(thin["date"].dt.month) == set(range(3, 13))


@pytest.mark.parametrize("count", [5, 6])
def test_there_are_never_more_rows_than_there_are(count: int) -> None:
    """Asked for as many or more, thinning gives all of them."""
    rows = pd.DataFrame({"number": range(5)})
    pd.testing.assert_frame_equal(thinned(rows, count), rows)


def test_the_program_tells_each_month(
    listener: Listener,
    year: pd.DataFrame,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """March to December, a line each; the last one says that all are answered."""
    monkeypatch.setattr(play, "departures", lambda: year)
    assert play.main(["--url", listener.url, "--count", "50"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition(":")[0] for line in lines][:: len(lines) - 1] == ["March", "December"]
    assert len(lines) == 10
    assert lines[-1].endswith("50 of 50 flights answered")
    assert len(listener.bodies) == 50


def test_the_program_fails_in_one_line(
    year: pd.DataFrame, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 1 and what to look at."""
    monkeypatch.setattr(play, "departures", lambda: year)
    assert play.main(["--url", "http://127.0.0.1:9", "--count", "3"]) == 1
    [line] = capsys.readouterr().err.splitlines()
    assert "http://127.0.0.1:9" in line

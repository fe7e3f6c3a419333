"""
Plays flights to the service, as a client would: over HTTP, in the order of departure, a few requests at a time.

    python play.py --url http://127.0.0.1:8000 --count 3000

sends 3000 flights, evenly spread over March to December 2013.
"""

from __future__ import annotations

import argparse
import itertools
import math
import sys
import threading
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import httpx
from departures import FEATURES, departures
from train import rest_of_the_year

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pandas as pd

__all__ = ["PlayError", "Player", "main", "requests_for", "thinned"]


_WAIT_S = 0.02


class PlayError(Exception):
    """A flight that the service did not answer; the message says which, and what came instead."""


def thinned(rows: pd.DataFrame, count: int) -> pd.DataFrame:
    """Return *count* of *rows*, evenly spaced and in their order; all of them where there are no more."""
    if count >= len(rows):
        return rows
    return rows.iloc[[position * len(rows) // count for position in range(count)]]


def requests_for(rows: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the body of the request for each row; what is not known is `null`."""
    known = rows[list(FEATURES)].astype(object)
    return known.where(known.notna(), None).to_dict("records")


class Player:
    """
    Sends requests in order to `POST {url}/predict`, *at_once* at a time over connections that stay open.

    So neighbours may change places on their way. Not more than *per_second* requests are sent in a second.
    """

    def __init__(self, url: str, at_once: int = 4, per_second: float = math.inf) -> None:
        self._url = url
        self._at_once = at_once
        self._interval_s = 1 / per_second
        self._waiting: deque[tuple[int, dict[str, Any]]] = deque()
        self._lock = threading.Lock()
        self._n_begun = 0
        self.answer_times: list[float] = []
        """When each request was answered with 200, in seconds since 1970."""
        self.limit: float = math.inf
        """So many requests are sent in all; the ones after them wait until it is raised."""

    def answered_by(self, moment: float) -> int:
        """Return how many requests were answered until *moment*, in seconds since 1970."""
        return sum(answer <= moment for answer in tuple(self.answer_times))

    def stop(self) -> None:
        """Let `play` return after the requests that are under way."""
        self._waiting.clear()

    def play(self, bodies: Iterable[dict[str, Any]]) -> None:
        """
        Send *bodies*; return when all are answered, or soon after `stop`.

        Raises:
            PlayError: If one could not be sent or was not answered with 200; the ones after it are not sent.
        """
        self._waiting.extend(enumerate(bodies))
        begin = time.monotonic()
        with (
            httpx.Client(base_url=self._url, timeout=30.0, trust_env=False) as client,
            ThreadPoolExecutor(self._at_once, thread_name_prefix="player") as pool,
        ):
            workers = [pool.submit(self._send, client, begin) for _ in range(self._at_once)]
        for worker in workers:
            worker.result()

    def _send(self, client: httpx.Client, begin: float) -> None:
        try:
            while (turn := self._next()) is not None:
                number, body = turn
                time.sleep(max(0.0, begin + number * self._interval_s - time.monotonic()))
                _answer(client, body)
                self.answer_times.append(time.time())
        except PlayError:
            self.stop()
            raise

    def _next(self) -> tuple[int, dict[str, Any]] | None:
        while self._waiting:
            with self._lock:
                if self._waiting and self._n_begun < self.limit:
                    self._n_begun += 1
                    return self._waiting.popleft()
            time.sleep(_WAIT_S)
        return None


def _answer(client: httpx.Client, body: dict[str, Any]) -> None:
    try:
        response = client.post("/predict", json=body)
    except httpx.HTTPError as error:
        reason = str(error) or type(error).__name__
        raise PlayError(
            f"no answer from {client.base_url}: {reason}; is the service up?"
        ) from error
    if response.status_code != httpx.codes.OK:
        found = f"{response.status_code}: {response.text[:200]}"
        raise PlayError(f"{response.url}: expected 200, got {found}; the request was {body}")


def main(argv: list[str] | None = None) -> int:
    """Play the rest of the year and say how far it is; returns the exit code."""
    parser = argparse.ArgumentParser(prog="play.py", description=__doc__.split("\n\n", 1)[0])
    parser.add_argument(
        "--url", default="http://127.0.0.1:8000", help="of the service (%(default)s)"
    )
    parser.add_argument("--count", type=int, default=3000, help="how many flights (%(default)s)")
    options = parser.parse_args(argv)
    rows = thinned(rest_of_the_year(departures()), options.count)
    player = Player(options.url)
    months = [list(month) for _, month in itertools.groupby(rows["date"], lambda day: day.month)]
    begin = 0
    try:
        for days in months:
            end = begin + len(days)
            player.play(requests_for(rows.iloc[begin:end]))
            print(f"{days[0]:%B}: {end} of {len(rows)} flights answered")
            begin = end
    except PlayError as error:
        print(f"play.py: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

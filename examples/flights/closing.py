"""How the demo ends: what arrived where, how the promise held, and where to look."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date
from functools import partial
from math import isclose
from operator import eq
from typing import TYPE_CHECKING
from urllib.parse import quote

from plan import CONTROL_WINDOWS
from receipts import jaeger_inferences, prometheus_values, scraped_sum, settled, trace_lines
from stack import SERVICE_NAME

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stack import Addresses
    from watch import Window

__all__ = ["Count", "counts", "found_lines", "promise_lines", "where_to_look"]

_SPRING = date(2013, 4, 1)
_WEATHER = frozenset({"temp", "dewp"})
_BOTH_WAYS = 2
"""Prometheus has every series twice in the demo: it scrapes the processor, and the collector pushes to it."""
_SCORE = 'ml_drift_score{ml_feature_name="temp",ml_drift_method="psi"}'


@dataclass(frozen=True, slots=True)
class Count:
    """How many of something there are, and how many there should be."""

    what: str
    found: int
    expected: int

    def __str__(self) -> str:
        agrees = (
            "as many as were answered"
            if self.found == self.expected
            else f"expected {self.expected}"
        )
        return f"{self.what:<44}{self.found:>8}   {agrees}"


def counts(at: Addresses, answer_times: Sequence[float], *, with_servers: bool) -> list[Count]:
    """Return what each part has counted of the requests that were answered, once it agrees or after a minute."""
    answered = len(answer_times)
    asked = {
        "predictions in the processor's windows": partial(
            scraped_sum, at.processor_page, "ml_prediction_samples_total"
        )
    }
    if with_servers:
        asked["inference spans in Jaeger"] = partial(
            jaeger_inferences, at.jaeger_query, answer_times
        )
    found = [
        Count(what, settled(ask, partial(eq, answered)), answered) for what, ask in asked.items()
    ]
    return [Count("requests answered by the service", answered, answered), *found]


def promise_lines(windows: Sequence[Window], promise: str) -> list[str]:
    """Return, in words, how often the processor raised an alarm where it should not and where it should."""
    control = [window for window in windows if window.number <= CONTROL_WINDOWS]
    year = [window for window in windows if window.number > CONTROL_WINDOWS]
    from_spring = [window for window in year if window.days and min(window.days) >= _SPRING]
    weather = [window for window in from_spring if _covers_weather(window)]
    return [
        f"winter flights in random order: {_alarms(control)} of {len(control)} windows in alarm (promised: 1 in 100)",
        f"March to December in order: {_alarms(year)} of {len(year)} windows in alarm",
        f"from April on: temperature and dew point among the drifted features in {len(weather)} of {len(from_spring)} windows",
        "The promise is about rows that are independent of each other. Flights of one day share their weather, so in the",
        "order of time even winter days would raise alarms; what tells is how large the scores are. The profile says so itself:",
        f"  {promise}",
    ]


def _covers_weather(window: Window) -> bool:
    return {one.name for one in window.drifted} >= _WEATHER


def _alarms(windows: Sequence[Window]) -> int:
    return sum(window.state == "drifting" for window in windows)


def found_lines(at: Addresses, score: float) -> list[str]:
    """Return what a search in Jaeger and a query to Prometheus find: a late flight's trace, and temperature's *score* twice."""
    tags = json.dumps({"ml.prediction.label": "late", "ml.verdict.drift": "drifting"})
    ask = partial(prometheus_values, at.prometheus, _SCORE)
    scores = settled(
        ask, lambda found: sum(isclose(value, score) for _, value in found) == _BOTH_WAYS
    )
    return [
        f"a trace that Jaeger finds by {tags}:",
        *(f"  {line}" for line in trace_lines(at.jaeger_query, tags)),
        f"{_SCORE} in Prometheus:",
        *(f"  {value:.6f}, from job {job}" for job, value in scores),
    ]


def where_to_look(at: Addresses, *, with_servers: bool) -> list[str]:
    """Return the addresses of everything that a person may want to see."""
    lines = [
        f"page of the processor  http://{at.processor_page}/",
        f"the same as metrics    http://{at.processor_page}/metrics",
    ]
    if not with_servers:
        return lines
    tags = quote('{"ml.verdict.drift":"drifting"}')
    return [
        *lines,
        f"Jaeger, drifted traces http://{at.jaeger_query}/api/traces?service={SERVICE_NAME}&limit=5&tags={tags}",
        f"Prometheus, PSI        http://{at.prometheus}/api/v1/query?query={quote(_SCORE)}",
    ]

"""The numbers that a reader of the demo can check for themselves, asked of the running parts."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Any, TypeVar

import httpx
from stack import MODEL_NAME, SERVICE_NAME

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["jaeger_inferences", "prometheus_values", "scraped_sum", "settled", "trace_lines"]

T = TypeVar("T")

_SLICE = 400
"""Requests whose traces are fetched at once; a trace has some 10 KB."""
_MARGIN_S = 1.0
_TIMEOUT_S = 60.0
_POLL_S = 0.25
_TOLD = (
    "http.response.status_code",
    "ml.prediction.label",
    "ml.prediction.confidence",
    "ml.verdict.drift",
)


def scraped_sum(page: str, metric: str) -> int:
    """Return the sum of all series of *metric* on the processor's `/metrics`; 0 where there is none."""
    text = _answer(f"http://{page}/metrics").text
    series = re.findall(rf"^{re.escape(metric)}(?:\{{.*\}})? (\S+)", text, flags=re.MULTILINE)
    return round(sum(float(value) for value in series))


def prometheus_values(prometheus: str, query: str) -> list[tuple[str, float]]:
    """Return job and value of each series that Prometheus answers to *query*: the scraped ones and the pushed ones."""
    series = _answer(f"http://{prometheus}/api/v1/query", query=query).json()["data"]["result"]
    return [(one["metric"].get("job", ""), float(one["value"][1])) for one in series]


def jaeger_inferences(jaeger: str, answer_times: Sequence[float]) -> int:
    """
    Return how many inference spans Jaeger holds of requests that were answered at *answer_times*; one that it holds twice counts twice.

    Asked slice by slice, because all at once would be hundreds of megabytes; a trace that two slices find counts once.
    """
    by_trace: dict[str, int] = {}
    for begin in range(0, len(answer_times), _SLICE):
        times = answer_times[begin : begin + _SLICE]
        by_trace |= _inferences_by_trace(jaeger, min(times) - _MARGIN_S, max(times) + _MARGIN_S)
    return sum(by_trace.values())


def _inferences_by_trace(jaeger: str, start: float, end: float) -> dict[str, int]:
    operation = f"predict {MODEL_NAME}"
    between = {"start": round(start * 1e6), "end": round(end * 1e6), "limit": 20 * _SLICE}
    return {
        trace["traceID"]: sum(span["operationName"] == operation for span in trace["spans"])
        for trace in _traces(jaeger, operation=operation, **between)
    }


def _traces(jaeger: str, **asked: str | int) -> list[dict[str, Any]]:
    answer = _answer(f"http://{jaeger}/api/traces", service=SERVICE_NAME, **asked)
    return answer.json()["data"] or []


def trace_lines(jaeger: str, tags: str) -> list[str]:
    """Return one trace that a search in Jaeger by *tags* (JSON) finds, a line per span; empty if it finds none."""
    traces = _traces(jaeger, tags=tags, limit=1)
    spans = sorted(traces[0]["spans"], key=lambda span: span["startTime"]) if traces else []
    return [_span_line(span) for span in spans if "http " not in span["operationName"]]


def _span_line(span: dict[str, Any]) -> str:
    tags = {tag["key"]: tag["value"] for tag in span["tags"]}
    told = [f"{key}={tags[key]}" for key in _TOLD if key in tags]
    indent = "  " if span["references"] else ""
    return f"{indent}{span['operationName']} {span['duration'] / 1000:.1f} ms {' '.join(told)}".rstrip()


def _answer(url: str, **asked: str | int) -> httpx.Response:
    answer = httpx.get(url, params=asked, timeout=_TIMEOUT_S, trust_env=False)
    return answer.raise_for_status()


def settled(ask: Callable[[], T], wanted: Callable[[T], bool], within_s: float = 60.0) -> T:
    """Return the first answer that is wanted, or the last one after *within_s* seconds: what is sent takes its time."""
    end = time.monotonic() + within_s
    while not wanted(answer := ask()) and time.monotonic() < end:
        time.sleep(_POLL_S)
    return answer

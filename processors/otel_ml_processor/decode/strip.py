"""What is forwarded when only aggregates may be kept: a request without the attributes that hold content."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span

from otel_ml_processor.compiled import IS_COMPILED
from otel_ml_processor.decode.fast_strip import (
    ATTRIBUTE,
    MALFORMED,
    NOTHING,
    cut_out,
    find,
)
from otel_ml_processor.decode.wire import MalformedRequest
from otel_ml_processor.signals import Signal

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from otel_ml_processor.columns import IntArray

__all__ = ["content_keys", "stripped", "warm_strip"]

_N_FIELDS: Final = 16
_ROOM: Final = 1024
"""Places that are written before more room is made."""


def _table(*kinds: Mapping[int, int]) -> IntArray:
    table = np.full((len(kinds), _N_FIELDS), NOTHING, np.int64)
    for kind, fields in enumerate(kinds):
        for field, inner in fields.items():
            table[kind, field] = inner
    return table


# request (0) > resource_x (1) > scope_x (2) > item (3) with its attributes; a span has events (4) and links (5) with attributes too.
_SPANS: Final = _table(
    {1: 1}, {2: 2}, {2: 3}, {9: ATTRIBUTE, 11: 4, 13: 5}, {3: ATTRIBUTE}, {4: ATTRIBUTE}
)
_LOG_RECORDS: Final = _table({1: 1}, {2: 2}, {2: 3}, {6: ATTRIBUTE})
_TABLES: Final = {Signal.TRACES: _SPANS, Signal.LOGS: _LOG_RECORDS}


class _Keys(NamedTuple):
    """Keys one after the other, and where each begins and ends."""

    data: Any
    ends: IntArray


@cache
def content_keys() -> frozenset[str]:
    """Return the attributes that the conventions call large (`value_size`) or personal data (`sensitivity`)."""
    registry = json.loads(files("otel_ml_conventions").joinpath("registry.json").read_text("utf-8"))
    return frozenset(
        key
        for key, attribute in registry["attributes"].items()
        if attribute.get("annotations", {}).keys() & {"value_size", "sensitivity"}
    )


def stripped(
    request: bytes, signal: Signal, keys: frozenset[str] | None = None
) -> tuple[bytes, int]:
    """
    Return *request* without the attributes of spans, their events and links, or log records, that have one of *keys*, and how many those were.

    By default the keys are `content_keys()`. Every other byte stays as it came, but the lengths around what is taken out. A request of
    metrics is returned as it is: no attribute of a metric holds content.

    Raises:
        MalformedRequest: If it is no request: what cannot be read might hold anything, so it goes no further.
    """
    if signal not in _TABLES:
        return request, 0
    data, encoded = _readable(request), _encoded(content_keys() if keys is None else keys)
    room = _ROOM
    while True:
        messages = np.empty((room, 4), np.int64)
        cuts = np.empty((room, 3), np.int64)
        n_messages, n = find(data, len(request), _TABLES[signal], *encoded, messages, cuts)
        if n_messages >= 0:
            break
        if n_messages == MALFORMED:
            kind = signal.request.__name__
            raise MalformedRequest("request", n, "bytes that are no protobuf", kind)
        room *= 4
    if not n:
        return request, 0
    target = _writable(len(request))
    size = cut_out(data, len(request), messages[:n_messages], cuts[:n], target)
    return bytes(target[:size]), n


def warm_strip() -> None:
    """Have everything compiled, or read from where it was kept, so that nothing is compiled while a request waits."""
    attribute = Span(attributes=[KeyValue(key="k")])
    scoped = ScopeSpans(spans=[attribute])
    groups = [ResourceSpans(scope_spans=[scoped])]
    request = ExportTraceServiceRequest(resource_spans=groups).SerializeToString()
    stripped(request, Signal.TRACES, frozenset({"k"}))


def _readable(request: bytes) -> Any:
    return np.frombuffer(request, np.uint8) if IS_COMPILED else request


def _writable(size: int) -> Any:
    return np.empty(size, np.uint8) if IS_COMPILED else bytearray(size)


@cache
def _encoded(keys: frozenset[str]) -> _Keys:
    encoded: Iterable[bytes] = [key.encode() for key in sorted(keys)]
    ends = np.cumsum([0, *map(len, encoded)], dtype=np.int64)
    return _Keys(_readable(b"".join(encoded)), ends)

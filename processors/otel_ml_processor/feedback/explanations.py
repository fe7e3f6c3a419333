"""Explanations as they come: events `ml.explanation` in logs, and on the inference's own span."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from otel_ml_conventions import attributes as keys
from otel_ml_conventions.events import EVENT_ML_EXPLANATION
from otel_ml_processor.decode.attributes import MAX_TEXT, number
from otel_ml_processor.decode.said import EXPLANATION_MARK
from otel_ml_processor.decode.whose import ONE_TENANT
from otel_ml_processor.feedback.events import (
    by_key,
    events_in_logs,
    events_of_span,
    position_in,
    spans_with,
    subject_of,
)
from otel_ml_processor.signals import Signal

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from opentelemetry.proto.common.v1.common_pb2 import AnyValue

    from otel_ml_processor.assess.explanations import Attributions
    from otel_ml_processor.columns import StreamKey
    from otel_ml_processor.decode.whose import Whose
    from otel_ml_processor.feedback.events import Event

__all__ = ["Explanation", "explanations_in"]

_MAX_FEATURES: Final = 1000
"""An explanation of more is not read."""


class Explanation(NamedTuple):
    """
    What one prediction is attributed to.

    `keys` lead to the prediction, the likeliest first; `position` is that in its batch. `stream` is whose prediction it is; its model
    is empty where nothing says so.
    """

    keys: tuple[int, ...]
    position: int | None
    stream: StreamKey
    attributions: Attributions


def explanations_in(signal: Signal, request: bytes, whose: Whose = ONE_TENANT) -> list[Explanation]:
    """Return the explanations in an export request of logs or traces; what is none of a few numbers is passed over. MalformedRequest if it is none."""
    if signal is Signal.LOGS:
        events = events_in_logs(request, EVENT_ML_EXPLANATION, whose)
        return [found for event in events for found in _read(event, {})]
    return [
        found
        for span in spans_with(request, EXPLANATION_MARK, whose)
        for event in events_of_span(span, EVENT_ML_EXPLANATION)
        for found in _read(event, by_key(span.span.attributes))
    ]


def _read(event: Event, on_span: Mapping[str, AnyValue]) -> Iterator[Explanation]:
    """Yield the explanation that *event* is; whose prediction it is may be said *on_span*."""
    attributions = _attributions(event.said.get(keys.ML_EXPLANATION_ATTRIBUTIONS))
    if not attributions:
        return
    leading, stream = subject_of(event, {**on_span, **event.said})
    yield Explanation(leading, position_in(event), stream, attributions)


def _attributions(value: AnyValue | None) -> Attributions:
    """Return the finite numbers of a map, or of a JSON object as text; nothing where it is neither, or too large."""
    kind = None if value is None else value.WhichOneof("value")
    if value is None or kind not in {"kvlist_value", "string_value"}:
        return {}
    if kind == "string_value":
        return _of_json(value.string_value)
    if len(value.kvlist_value.values) > _MAX_FEATURES:
        return {}
    return _told({each.key: number(each.value, set()) for each in value.kvlist_value.values})


def _of_json(content: str) -> Attributions:
    try:
        found = msgspec.json.decode(content, type=dict[str, float])
    except msgspec.DecodeError:
        return {}
    return {} if len(found) > _MAX_FEATURES else _told(found)


def _told(found: Mapping[str, float]) -> Attributions:
    """Return what tells something: finite numbers under names that are no longer than names are."""
    return {n: each for n, each in found.items() if math.isfinite(each) and len(n) <= MAX_TEXT}

"""Which features inferences have, of a stream of which nobody has said it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from otel_ml_processor.decode.attributes import MAX_TEXT
from otel_ml_processor.decode.class_probabilities import PROBABILITY_KEYS, samples_of
from otel_ml_processor.decode.content import CONTENT_KEYS, content_of_row, content_of_rows

if TYPE_CHECKING:
    from collections.abc import Iterator

    from otel_ml_processor.columns import StreamKey
    from otel_ml_processor.decode.decoder import Cause
    from otel_ml_processor.decode.inference_spans import InferenceSpans

__all__ = ["MAX_FEATURES", "class_names", "feature_names"]

MAX_FEATURES: Final = 200
"""Features that are learned of a stream; further ones are passed over."""
_MAX_SPANS: Final = 64
"""Spans of a request that are looked at."""


def feature_names(spans: InferenceSpans, stream: StreamKey) -> tuple[str, ...]:
    """Return the names of the captured features of *stream*, in the order in which they come; values without names have none."""
    names: dict[str, None] = {}
    for name in _names(spans, stream):
        # A longer one names nothing, and would be on every series of its feature.
        if len(name) <= MAX_TEXT:
            names.setdefault(name)
        if len(names) == MAX_FEATURES:
            break
    return tuple(names)


def class_names(spans: InferenceSpans, stream: StreamKey) -> tuple[str, ...]:
    """Return the classes of *stream* whose probabilities were captured, in the order in which they come."""
    names: dict[str, None] = {}
    for span in _spans_of(spans, stream):
        said = {e.key: e.value for e in span.attributes if e.key in PROBABILITY_KEYS}
        for sample in samples_of(said, set()) or ():
            names.update(dict.fromkeys(sample))
    return tuple(names)


def _names(spans: InferenceSpans, stream: StreamKey) -> Iterator[str]:
    for span in _spans_of(spans, stream):
        said = {each.key: each.value for each in span.attributes if each.key in CONTENT_KEYS}
        causes: set[Cause] = set()
        for row in content_of_rows(said, causes) or [content_of_row(said, (), causes)]:
            yield from row.values


def _spans_of(spans: InferenceSpans, stream: StreamKey) -> Iterator[Span]:
    if stream not in spans.streams:
        return
    own = np.flatnonzero(spans.stream_of == spans.streams.index(stream))[:_MAX_SPANS]
    for _, start, end, _ in spans.places[own].tolist():
        yield Span.FromString(spans.content[start:end])

"""What spans say of how their predictions are to be found: a prediction id, and how many samples a batch had."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from google.protobuf.message import DecodeError
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from otel_ml_conventions.attributes import ML_BATCH_SIZE, ML_PREDICTION_ID
from otel_ml_processor.compiled import IS_COMPILED
from otel_ml_processor.decode.attributes import MAX_TEXT, text
from otel_ml_processor.feedback.fast_names import UNUSUAL, found_names

if TYPE_CHECKING:
    from otel_ml_processor.columns import IntArray
    from otel_ml_processor.decode.inference_spans import InferenceSpans

__all__ = ["SaidNames", "said_names", "warm_said_names"]

_READ: Final = (ML_PREDICTION_ID, ML_BATCH_SIZE)


class SaidNames(NamedTuple):
    """Of each span its prediction id, empty for none, and the size of its batch, 0 where it is not said."""

    names: list[str]
    batch_sizes: IntArray


def said_names(spans: InferenceSpans) -> SaidNames:
    """Return what each of *spans* says; one whose bytes were not kept, or that cannot be read, says nothing. Of an attribute that comes twice the last holds."""
    request, places = spans.content, spans.places[:, 1:3]
    if IS_COMPILED:
        found = found_names(request, places)
    else:
        found = np.full((len(places), 3), UNUSUAL, dtype=np.int64)
    names, batch_sizes = [""] * len(places), np.maximum(found[:, 2], 0)
    for row in np.flatnonzero(found[:, 0]).tolist():
        start, end, _ = found[row].tolist()
        if start != UNUSUAL:
            names[row] = _text(request[start:end])
        else:
            start, end = places[row].tolist()
            names[row], batch_sizes[row] = _read_whole(request[start:end])
    return SaidNames(names, batch_sizes)


def warm_said_names() -> None:
    """Have everything compiled, or read from where it was kept, so that nothing is compiled while something waits."""
    found_names(b"", np.zeros((0, 2), dtype=np.int64))


def _text(content: bytes) -> str:
    try:
        read = content.decode()
    except UnicodeDecodeError:
        return ""
    return read if len(read) <= MAX_TEXT else ""


def _read_whole(content: bytes) -> tuple[str, int]:
    try:
        span = Span.FromString(content)
    except DecodeError:
        return "", 0
    said = {a.key: a.value for a in span.attributes if a.key in _READ}
    size = said[ML_BATCH_SIZE].int_value if ML_BATCH_SIZE in said else 0
    return text(said.get(ML_PREDICTION_ID), set()) or "", max(0, size)

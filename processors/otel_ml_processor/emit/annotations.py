"""Verdicts on the inferences' own traces: spliced onto the spans that pass (in line), or as child spans beside them (tee)."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict, defaultdict
from enum import Enum
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import numpy as np
from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope
from opentelemetry.proto.trace.v1.trace_pb2 import ScopeSpans, Span

from otel_ml_conventions.attributes import (
    ML_MODEL_NAME,
    ML_MODEL_VERSION,
    ML_VERDICT_CONFIDENCE,
    ML_VERDICT_DRIFT,
    ML_VERDICT_FLAGS,
    ML_VERDICT_OOD,
    ML_VERDICT_REFERENCE,
)
from otel_ml_conventions.metrics import (
    METRIC_ML_PROCESSOR_UNANNOTATED,
    METRIC_ML_PROCESSOR_VERDICTS_DROPPED,
)
from otel_ml_conventions.schema import SCHEMA_URL
from otel_ml_processor.assess.verdict import OOD
from otel_ml_processor.decode.wire import encode_attributes, length_delimited
from otel_ml_processor.emit.otlp import SCOPE_NAME

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from otel_ml_processor.assess.verdict import Verdict, Verdicts
    from otel_ml_processor.decode.inference_spans import InferenceSpan, InferenceSpans
    from otel_ml_processor.decode.wire import AttributeValue
    from otel_ml_processor.self_metrics import SelfMetrics

__all__ = ["RateLimit", "UnannotatedCause", "annotate", "verdict_spans"]

_MAX_MODELS: Final = 1000
"""Models whose rate is remembered; the one seen longest ago is forgotten first."""
_NS: Final = 1e9
_LAST_NS: Final = 2**64 - 1
_RESOURCE_SPANS, _RESOURCE, _SCOPE_SPANS, _SPANS = 1, 1, 2, 2


class UnannotatedCause(str, Enum):
    """Why a span went on without its verdict, as `ml.processor.cause` says it."""

    POSSIBLE_LOOP = "possible_loop"
    """It carries a verdict already: keys are unique, and it may have been here before."""
    OVERSIZED = "oversized"
    """With it, the request would be larger than what the next hop accepts."""


def annotate(
    spans: InferenceSpans,
    verdicts: Verdicts,
    max_bytes: int,
    self_metrics: SelfMetrics,
) -> bytes:
    """
    Return the request of *spans* with `ml.verdict.*` appended to them, everything else byte for byte as received.

    A span that carries a verdict already is left alone, and if the result would be larger than *max_bytes*, the request itself is returned; both
    are counted.
    """
    codes, has_verdict = verdicts.codes, spans.has_verdict
    if np.count_nonzero(has_verdict):
        loops = int(np.count_nonzero(has_verdict & (codes >= 0)))
        self_metrics.add(METRIC_ML_PROCESSOR_UNANNOTATED, loops, UnannotatedCause.POSSIBLE_LOOP)
        codes = np.where(has_verdict, -1, codes)
    annotated = spans.with_additions(codes, _additions(verdicts.said))
    if len(annotated) <= max_bytes:
        return annotated
    left_out = int(np.count_nonzero(codes >= 0))
    self_metrics.add(METRIC_ML_PROCESSOR_UNANNOTATED, left_out, UnannotatedCause.OVERSIZED)
    return spans.request


def verdict_spans(spans: Sequence[InferenceSpan], verdicts: Mapping[int, Verdict]) -> bytes:
    """
    Return an `ExportTraceServiceRequest` with one child span per verdict; empty if there is none.

    A child lies in the trace of its inference, under its resource (the bytes received), a nanosecond at its end. Its id follows from the ids of
    trace and inference, so that a request that is sent again gives the same spans again.
    """
    children: defaultdict[bytes, list[bytes]] = defaultdict(list)
    for index, verdict in verdicts.items():
        span = spans[index]
        children[span.resource].append(length_delimited(_SPANS, _child(span, verdict)))
    return b"".join(
        length_delimited(_RESOURCE_SPANS, _resource_spans(resource, siblings))
        for resource, siblings in children.items()
    )


def _resource_spans(resource: bytes, spans: Sequence[bytes]) -> bytes:
    scope = ScopeSpans(scope=InstrumentationScope(name=SCOPE_NAME), schema_url=SCHEMA_URL)
    scope_spans = scope.SerializeToString() + b"".join(spans)
    return length_delimited(_RESOURCE, resource) + length_delimited(_SCOPE_SPANS, scope_spans)


def _child(span: InferenceSpan, verdict: Verdict) -> bytes:
    child = Span(
        trace_id=span.trace_id,
        span_id=hashlib.blake2b(span.trace_id + span.span_id, digest_size=8).digest(),
        parent_span_id=span.span_id,
        name=f"verdict {span.stream.model}",
        kind=Span.SPAN_KIND_INTERNAL,
        start_time_unix_nano=span.end_time_ns,
        # Jaeger warns of spans without length.
        end_time_unix_nano=min(span.end_time_ns + 1, _LAST_NS),
    )
    identity = {ML_MODEL_NAME: span.stream.model, ML_MODEL_VERSION: span.stream.version}
    said = [(key, value) for key, value in identity.items() if value]
    return child.SerializeToString() + encode_attributes(said) + _encoded(verdict)


@lru_cache(maxsize=16)
def _additions(verdicts: tuple[Verdict, ...]) -> tuple[bytes, ...]:
    """Return what each of *verdicts* is on a span; the same for most requests."""
    return tuple(map(_encoded, verdicts))


@lru_cache(maxsize=4096)
def _encoded(verdict: Verdict) -> bytes:
    """Return what *verdict* says as attributes of a span; only what is set is written."""
    attributes: list[tuple[str, AttributeValue | None]] = [
        (ML_VERDICT_CONFIDENCE, verdict.confidence),
        (ML_VERDICT_DRIFT, verdict.drift),
        (ML_VERDICT_OOD, OOD in verdict.flags),
        (ML_VERDICT_FLAGS, verdict.flags),
        (ML_VERDICT_REFERENCE, verdict.reference),
    ]
    return encode_attributes([(key, value) for key, value in attributes if value])


class RateLimit:
    """
    Which verdicts become child spans: those with flags, at most *per_second* (> 0) per model of a tenant, in bursts of as many.

    Safe to use from any thread. What is left out is counted.
    """

    __slots__ = ("_buckets", "_burst", "_lock", "_per_second", "_self_metrics")

    def __init__(self, per_second: float, self_metrics: SelfMetrics) -> None:
        self._per_second = per_second
        self._burst = max(1.0, per_second)
        self._self_metrics = self_metrics
        self._lock = threading.Lock()
        self._buckets: OrderedDict[tuple[str, str], tuple[float, int]] = OrderedDict()

    def select(self, spans: InferenceSpans, verdicts: Verdicts, now_ns: int) -> dict[int, Verdict]:
        """Return the flagged of *verdicts* that may be sent at *now_ns*; none for a span that carries a verdict already."""
        flagged = {
            index: verdict
            for index, verdict in verdicts.flagged().items()
            if not spans.has_verdict[index]
        }
        chosen = {
            index: verdict
            for index, verdict in flagged.items()
            if self._allows((spans[index].stream.tenant, spans[index].stream.model), now_ns)
        }
        if len(chosen) < len(flagged):
            left_out = len(flagged) - len(chosen)
            self._self_metrics.add(METRIC_ML_PROCESSOR_VERDICTS_DROPPED, left_out)
        return chosen

    def _allows(self, model: tuple[str, str], now_ns: int) -> bool:
        with self._lock:
            tokens, since_ns = self._buckets.pop(model, (self._burst, now_ns))
            refill = max(0, now_ns - since_ns) / _NS * self._per_second
            tokens = min(self._burst, tokens + refill)
            is_allowed = tokens >= 1
            self._buckets[model] = (tokens - is_allowed, max(now_ns, since_ns))
            if len(self._buckets) > _MAX_MODELS:
                self._buckets.popitem(last=False)
            return is_allowed

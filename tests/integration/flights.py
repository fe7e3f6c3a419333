"""The example with its real data, as the integration tests use it: model and profile, and flights as spans."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.unit.processor.otlp_requests import attribute, request_of

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / ".demo"
"""Where the demo keeps what it has trained; it is trained once for both."""

_EXAMPLE = str(ROOT / "examples" / "flights")
if _EXAMPLE not in sys.path:
    sys.path.insert(0, _EXAMPLE)


def span_of(number: int, body: dict[str, Any], late: float, end_ns: int) -> Span:
    """Return the span that the instrumented service would send for one flight, ten of them to a trace."""
    label = "late" if late >= 0.5 else "on_time"
    attributes = {
        "ml.operation.name": "predict",
        "ml.model.name": "late-arrival",
        "ml.model.version": "1",
        "ml.framework.name": "sklearn",
        "ml.prediction.label": label,
        "ml.prediction.confidence": max(late, 1 - late),
        "ml.input.features": json.dumps(body),
    }
    return Span(
        trace_id=(1 + number // 10).to_bytes(16, "big"),
        span_id=(1 + number).to_bytes(8, "big"),
        name="predict late-arrival",
        kind=Span.SPAN_KIND_INTERNAL,
        start_time_unix_nano=end_ns - 2_000_000,
        end_time_unix_nano=end_ns,
        attributes=[attribute(key, value) for key, value in attributes.items()],
    )


def requests_with(spans: Sequence[Span], per_request: int, service: str) -> list[bytes]:
    """Return serialized requests of *per_request* spans each."""
    portions = [spans[i : i + per_request] for i in range(0, len(spans), per_request)]
    return [request_of(portion, service, "demo").SerializeToString() for portion in portions]

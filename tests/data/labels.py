"""The rooms of a processor that labels go through, and labels as they come in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ResourceLogs, ScopeLogs
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from otel_ml_processor.assess.promise import Promises
from otel_ml_processor.commands.replay import Replayed
from otel_ml_processor.feedback.joining import Joining
from otel_ml_processor.service import make_pipeline, new_self_metrics
from otel_ml_processor.windows.references import References
from tests.data.export_requests import TRACE_ID, attributes

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from otel_ml_processor.config import Config
    from otel_ml_processor.pipeline import Pipeline

__all__ = ["label_record", "label_request", "rooms"]


def rooms(
    config: Config, told: Any, clock_ns: Callable[[], int], references: References | None = None
) -> tuple[Joining, Pipeline]:
    """Return what joins labels to predictions, telling *told*, and the pipeline before it, which forwards nowhere; without *references* nothing is compared."""
    references = references or References.of([])
    joining = Joining(config, references.reference, told, lambda _: None)
    pipeline = make_pipeline(
        config,
        references,
        Promises.of_config(config, references.profiles.values()),
        forward=None,
        emit=Replayed(),
        self_metrics=new_self_metrics(),
        clock_ns=clock_ns,
        joining=joining,
    )
    return joining, pipeline


def label_record(values: Mapping[str, object], span: int | None, time_ns: int) -> LogRecord:
    """Return feedback that says *values* at *time_ns*, of the span with that number or of no span."""
    return LogRecord(
        event_name="ml.feedback",
        time_unix_nano=time_ns,
        trace_id=TRACE_ID if span else b"",
        span_id=span.to_bytes(8, "big") if span else b"",
        attributes=attributes(values),
    )


def label_request(records: Sequence[LogRecord], resource: Mapping[str, object]) -> bytes:
    """Return the request with *records* of that *resource*, as it comes in."""
    logs = ResourceLogs(
        resource=Resource(attributes=attributes(resource)),
        scope_logs=[ScopeLogs(log_records=records)],
    )
    request: bytes = ExportLogsServiceRequest(resource_logs=[logs]).SerializeToString()
    return request

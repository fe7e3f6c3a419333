"""What a sender is told of spans that could not be read."""

from __future__ import annotations

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTracePartialSuccess,
    ExportTraceServiceResponse,
)

from otel_ml_processor.decode.decoder import Cause
from otel_ml_processor.receive.warning import with_warning


def test_where_all_was_read_there_is_nothing_to_say() -> None:
    """A full success is an empty answer."""
    assert with_warning(b"", {}) == b""


def test_what_was_not_read_is_said_by_cause_and_rejects_nothing() -> None:
    """The causes have the names under which they are counted, in an order that does not change."""
    answer = with_warning(b"", {Cause.WRONG_TYPE: 2, Cause.OVERSIZED: 1})
    said = ExportTraceServiceResponse.FromString(answer).partial_success
    assert said.rejected_spans == 0
    assert "oversized in 1, wrong_type in 2" in said.error_message
    assert with_warning(b"", {"oversized": 1, "wrong_type": 2}) == answer


def test_the_next_hops_answer_is_not_written_over() -> None:
    """What it says comes first, and is handed on as it is."""
    partial = ExportTracePartialSuccess(rejected_spans=2, error_message="too old")
    theirs = ExportTraceServiceResponse(partial_success=partial).SerializeToString()
    assert with_warning(theirs, {"wrong_type": 1}) == theirs

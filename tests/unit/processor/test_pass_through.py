"""Telemetry that is not read goes on as it came, and is acknowledged when it has arrived."""

from __future__ import annotations

import grpc
import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
    ExportLogsPartialSuccess,
    ExportLogsServiceResponse,
)

from otel_ml_processor.decode.items import n_log_records
from otel_ml_processor.pass_through import PassThrough
from otel_ml_processor.refusal import Refusal, RefusalCause
from otel_ml_processor.self_metrics import SelfMetrics
from otel_ml_processor.signals import Signal

THREE = b"\x0a\x0a\x12\x08\x12\x00\x12\x02\x08\x01\x12\x00"
"""Three log records of one scope."""


def counted(metrics: SelfMetrics) -> dict[str, int]:
    """Return what was counted, without zeros."""
    return {name: count for name, _, count in metrics.snapshot() if count}


def test_a_request_goes_on_byte_for_byte_and_the_answer_comes_back() -> None:
    """With the time that its sender still waits."""
    seen: list[tuple[bytes, float | None]] = []

    def forward(request: bytes, remaining_s: float | None) -> bytes:
        seen.append((request, remaining_s))
        return ExportLogsServiceResponse(
            partial_success=ExportLogsPartialSuccess(rejected_log_records=1)
        ).SerializeToString()

    metrics = SelfMetrics()
    response = PassThrough(Signal.LOGS, n_log_records, forward, metrics).take(THREE, 2.5)
    assert seen == [(THREE, 2.5)]
    parsed = ExportLogsServiceResponse.FromString(response)
    assert parsed.partial_success.rejected_log_records == 1
    assert counted(metrics) == {
        "otelcol_receiver_accepted_log_records": 3,
        "otelcol_exporter_sent_log_records": 2,
        "otelcol_exporter_send_failed_log_records": 1,
    }


def test_without_a_next_hop_it_is_acknowledged() -> None:
    """In mode `tee` what comes is a copy."""
    metrics = SelfMetrics()
    assert PassThrough(Signal.LOGS, n_log_records, None, metrics).take(THREE, None) == b""
    assert counted(metrics) == {"otelcol_receiver_accepted_log_records": 3}


def test_what_was_not_delivered_is_not_accepted() -> None:
    """The refusal of the next hop goes back to the sender, who keeps it."""

    def forward(request: bytes, remaining_s: float | None) -> bytes:
        raise Refusal(grpc.StatusCode.UNAVAILABLE, "away", RefusalCause.NEXT_HOP, 1.0)

    metrics = SelfMetrics()
    with pytest.raises(Refusal, match="away"):
        PassThrough(Signal.LOGS, n_log_records, forward, metrics).take(THREE, None)
    assert counted(metrics) == {
        "otelcol_receiver_refused_log_records": 3,
        "otelcol_exporter_send_failed_log_records": 3,
    }


def test_what_is_no_request_goes_nowhere() -> None:
    """Refused before anything is forwarded."""

    def forward(request: bytes, remaining_s: float | None) -> bytes:
        raise AssertionError

    with pytest.raises(Refusal) as raised:
        PassThrough(Signal.LOGS, n_log_records, forward, SelfMetrics()).take(THREE[:-3], None)
    assert raised.value.code is grpc.StatusCode.INVALID_ARGUMENT

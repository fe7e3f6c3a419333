"""What every door does alike, asked without a connection."""

from __future__ import annotations

from pathlib import Path

import grpc
import pytest

from otel_ml_processor.config import Door
from otel_ml_processor.receive.admission import Admission
from otel_ml_processor.receive.callers import Callers
from otel_ml_processor.receive.door import ByTenant, Doorkeeper, Takes
from otel_ml_processor.refusal import Refusal
from otel_ml_processor.self_metrics import SelfMetrics
from otel_ml_processor.signals import Signal


def nobody(_request: bytes, _remaining_s: float | None) -> bytes:
    """Answer for whoever says no name."""
    return b"nobody"


def somebody(_request: bytes, _remaining_s: float | None) -> bytes:
    """Answer for a tenant."""
    return b"somebody"


def takes_of(tenant: str) -> Takes:
    """Return who takes requests of *tenant*."""
    return {Signal.TRACES: somebody if tenant else nobody}


def no_header(_name: str) -> str:
    """Return what stands in a header that is not there."""
    return ""


def doorkeeper(admission: Admission) -> Doorkeeper:
    """Return one who lets everybody in, and knows tenants by a header."""
    callers = Callers(Door(endpoint="127.0.0.1:0"), Path(), "receive.http")
    return Doorkeeper(callers, admission, SelfMetrics(), ByTenant("x-tenant", takes_of))


def test_where_there_is_no_room_nobody_comes_in() -> None:
    """Told before the request is read, with a time to try again; once there is room, everybody does."""
    admission = Admission(100)
    keeper = doorkeeper(admission)

    with admission.hold(100), pytest.raises(Refusal) as refused:
        keeper.let_in(no_header)

    assert refused.value.code is grpc.StatusCode.UNAVAILABLE
    assert refused.value.retry_after_s is not None
    keeper.let_in(no_header)


@pytest.mark.parametrize(
    ("said", "answer"),
    [("", b"nobody"), ("a", b"somebody"), ("a" * 256, b"somebody"), ("a" * 257, b"nobody")],
)
def test_a_header_names_a_tenant_in_up_to_256_characters(said: str, answer: bytes) -> None:
    """A longer one names nobody: what a stranger writes is kept in no name of a stream."""
    take = doorkeeper(Admission(100)).take_of(Signal.TRACES, nobody, {"x-tenant": said}.__getitem__)

    assert take(b"", None) == answer

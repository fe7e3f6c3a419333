"""How long the next hop may take."""

from __future__ import annotations

import grpc
import pytest

from otel_ml_processor.forward.deadline import forward_timeout
from otel_ml_processor.refusal import Refusal, RefusalCause


@pytest.mark.parametrize(
    ("remaining_s", "timeout_s"), [(10.0, 9.0), (1.0, 0.9), (0.02, 0.018), (86_400.0, 77_760.0)]
)
def test_a_tenth_of_the_callers_deadline_is_kept(remaining_s: float, timeout_s: float) -> None:
    """The caller must still be there when we answer, however long or short it waits."""
    assert forward_timeout(remaining_s, 10.0) == pytest.approx(timeout_s)


def test_without_a_deadline_the_default_holds() -> None:
    """Nobody waits for ever."""
    assert forward_timeout(None, 10.0) == 10.0


@pytest.mark.parametrize("remaining_s", [0.0199, 0.001, 0.0, -1.0])
def test_a_caller_that_is_about_to_leave_is_told_at_once(remaining_s: float) -> None:
    """Below 20 ms nothing is sent: it would arrive, and then be sent again."""
    with pytest.raises(Refusal) as refused:
        forward_timeout(remaining_s, 10.0)

    assert refused.value.code is grpc.StatusCode.DEADLINE_EXCEEDED
    assert refused.value.cause is RefusalCause.DEADLINE
    assert "20 ms" in refused.value.message

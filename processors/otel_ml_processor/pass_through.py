"""What happens to telemetry that goes by unread: it is counted, passed on as it came, and acknowledged when it has arrived."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from otel_ml_processor.forward.otlp_client import rejected_items
from otel_ml_processor.receive.convoys import is_for_good
from otel_ml_processor.refusal import Refusal
from otel_ml_processor.self_metrics import ITEMS

if TYPE_CHECKING:
    from collections.abc import Callable

    from otel_ml_processor.self_metrics import SelfMetrics
    from otel_ml_processor.signals import Signal

__all__ = ["NextHop", "PassThrough", "deliver"]


class NextHop(Protocol):
    """Whoever the request goes to after us."""

    def __call__(self, request: bytes, remaining_s: float | None) -> bytes:
        """Deliver *request* within the caller's remaining time and return the answer; Refusal where it was not delivered."""


class PassThrough:
    """
    Passes requests of *signal* on to *forward*, or acknowledges them where that is None; safe to use from any thread.

    *count* says how many items a request has, and raises `Refusal` where it is no request.
    """

    __slots__ = ("_count", "_forward", "_self_metrics", "_signal")

    def __init__(
        self,
        signal: Signal,
        count: Callable[[bytes], int],
        forward: NextHop | None,
        self_metrics: SelfMetrics,
    ) -> None:
        self._signal = signal
        self._count = count
        self._forward = forward
        self._self_metrics = self_metrics

    def take(self, request: bytes, remaining_s: float | None) -> bytes:
        """
        Pass *request* on, count it, and return the answer for its sender (empty: success).

        Raises:
            Refusal: If the request is malformed or was not delivered.
        """
        n_items = self._count(request)
        response = b""
        if self._forward is not None:
            response = deliver(
                self._forward, request, remaining_s, n_items, self._signal, self._self_metrics
            )
        self._self_metrics.add(ITEMS[self._signal].accepted, n_items)
        return response


def deliver(
    forward: NextHop,
    request: bytes,
    remaining_s: float | None,
    n_items: int,
    signal: Signal,
    self_metrics: SelfMetrics,
    *,
    is_group: bool = False,
) -> bytes:
    """
    Have *request* with its *n_items* of *signal* forwarded, count how that went, and return the answer.

    Of several requests that go together and are refused for good nothing is counted: each will come alone.

    Raises:
        Refusal: If it was not delivered.
    """
    counters = ITEMS[signal]
    try:
        response = forward(request, remaining_s)
    except Refusal as refusal:
        if not (is_group and is_for_good(refusal)):
            self_metrics.add(counters.send_failed, n_items)
            self_metrics.add(counters.refused, n_items)
        raise
    rejected = min(n_items, rejected_items(response))
    self_metrics.add(counters.sent, n_items - rejected)
    self_metrics.add(counters.send_failed, rejected)
    return response

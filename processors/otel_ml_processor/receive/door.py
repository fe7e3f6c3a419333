"""What every door does alike: who may come in, how much at once, and what a caller is told when something goes wrong."""

from __future__ import annotations

import logging
import traceback
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

import grpc

from otel_ml_conventions.metrics import METRIC_ML_PROCESSOR_REFUSED
from otel_ml_processor.receive.admission import RETRY_AFTER_S
from otel_ml_processor.refusal import Refusal, RefusalCause

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from otel_ml_processor.receive.admission import Admission
    from otel_ml_processor.receive.callers import Callers
    from otel_ml_processor.self_metrics import SelfMetrics
    from otel_ml_processor.signals import Signal

__all__ = ["ByTenant", "Doorkeeper", "Take", "Takes"]

Take: TypeAlias = "Callable[[bytes, float | None], bytes]"
"""
Takes a request and the seconds that its caller still waits (None: for ever), and gives the response.

It raises `Refusal` to answer with a status; anything else that it raises is answered with UNAVAILABLE.
"""
Takes: TypeAlias = "Mapping[Signal, Take]"
"""Who takes what; a signal that is not in it is not served."""

MAX_TENANT_CHARACTERS: Final = 256
"""A header that says more names nobody."""
_LOGGER: Final = logging.getLogger(__name__)


class ByTenant(NamedTuple):
    """Who takes what of each tenant, whose name is what the `header` of a request says; empty where it says none."""

    header: str
    takes_of: Callable[[str], Takes]


class Doorkeeper:
    """
    Lets in those of *callers* for whose requests *admission* has room, and counts what is refused.

    With *by_tenant* a request goes to whoever takes those of its tenant.
    """

    __slots__ = ("_by_tenant", "_callers", "_reported", "_self_metrics", "admission")

    def __init__(
        self,
        callers: Callers,
        admission: Admission,
        self_metrics: SelfMetrics,
        by_tenant: ByTenant | None = None,
    ) -> None:
        self._by_tenant = by_tenant
        self._callers = callers
        self._self_metrics = self_metrics
        self._reported: set[str] = set()
        self.admission = admission

    def let_in(self, header: Callable[[str], str]) -> None:
        """
        Return if whoever sends what *header*, asked by name, says may send a request now; asked before it is read.

        Raises:
            Refusal: UNAUTHENTICATED or UNAVAILABLE.
        """
        self._callers.check(header)
        self.admission.check()

    def take_of(self, signal: Signal, take: Take, header: Callable[[str], str]) -> Take:
        """Return who takes a request of *signal*: *take*, or whoever takes those of the tenant that *header*, asked by name, says."""
        if self._by_tenant is None:
            return take
        tenant = header(self._by_tenant.header)
        is_name = len(tenant) <= MAX_TENANT_CHARACTERS
        return self._by_tenant.takes_of(tenant if is_name else "")[signal]

    def refused(self, error: Exception) -> Refusal:
        """Count a request that ended with *error* and return what its sender is told; for a mistake of our own to try again."""
        refusal = error if isinstance(error, Refusal) else self._our_mistake(error)
        self._self_metrics.add(METRIC_ML_PROCESSOR_REFUSED, cause=refusal.cause)
        return refusal

    def _our_mistake(self, error: Exception) -> Refusal:
        what = type(error).__name__
        frame = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{what} in {frame.filename}:{frame.lineno}"
        # Its message may quote a value of the user's, so it stays out.
        if where not in self._reported:
            self._reported.add(where)
            _LOGGER.warning("a request failed by a mistake of ours (said once): %s", where)
        message = f"the processor failed ({what}); try again"
        return Refusal(grpc.StatusCode.UNAVAILABLE, message, RefusalCause.INTERNAL, RETRY_AFTER_S)

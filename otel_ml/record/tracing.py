"""Where spans come from, and when one need not be started at all."""

import re
from contextlib import suppress
from typing import Final

from opentelemetry import trace

from otel_ml_conventions.schema import SCHEMA_URL

__all__ = ["Tracing"]

# The samplers that decide as an unsampled parent did, told by the description every sampler has:
# under them a child of an unsampled parent need not be started to know that nothing comes of it.
_FOLLOWS_UNSAMPLED_PARENT: Final = re.compile(
    r"ParentBased\{root:.*,remoteParentSampled:[^{},]*,remoteParentNotSampled:AlwaysOffSampler,"
    r"localParentSampled:[^{},]*,localParentNotSampled:AlwaysOffSampler\}"
)


class Tracing:
    """
    Gives the tracer, as soon as there is an SDK.

    Args:
        provider: Makes the tracer; the global one, also one set later, by default.
        scope: Name and version of the instrumentation.
        schema_url: By which conventions its spans are named; ours by default.
    """

    def __init__(
        self,
        provider: trace.TracerProvider | None,
        scope: tuple[str, str | None],
        schema_url: str | None = SCHEMA_URL,
    ) -> None:
        self._provider = provider
        self._scope = scope
        self._schema_url = schema_url
        self._tracer: trace.Tracer | None = None
        self._follows_unsampled_parent = False

    def tracer(self) -> trace.Tracer | None:
        """Return what starts spans; None where nothing could come of one that is started now."""
        tracer = self._tracer or self._resolve()
        if self._follows_unsampled_parent and _is_parent_unsampled():
            return None
        return tracer

    def _resolve(self) -> trace.Tracer | None:
        provider = self._provider or trace.get_tracer_provider()
        if isinstance(provider, trace.ProxyTracerProvider):
            return None  # no SDK yet: a span would go nowhere
        self._tracer = provider.get_tracer(*self._scope, self._schema_url)
        self._follows_unsampled_parent = _follows_unsampled_parent(self._tracer)
        return self._tracer


def _follows_unsampled_parent(tracer: trace.Tracer) -> bool:
    # Only the SDK's tracers tell their sampler, and a user's sampler may not tell.
    with suppress(Exception):
        description = tracer.sampler.get_description()  # type: ignore[attr-defined]  # of the SDK's
        return _FOLLOWS_UNSAMPLED_PARENT.fullmatch(description) is not None
    return False


def _is_parent_unsampled() -> bool:
    parent = trace.get_current_span().get_span_context()
    return parent.is_valid and not parent.trace_flags.sampled

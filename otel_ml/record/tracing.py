"""Where spans come from, and when one need not be started at all."""

import re
from contextlib import suppress
from contextvars import Context
from typing import Any, Final

from opentelemetry import trace
from opentelemetry.instrumentation.utils import suppress_instrumentation

from otel_ml.record.current import context_here, span_in, value_in
from otel_ml.record.known_sdk import is_sdk_known
from otel_ml_conventions.schema import SCHEMA_URL

__all__ = ["Tracing", "is_enabled"]

# The samplers that decide as an unsampled parent did, told by the description every sampler has:
# under them a child of an unsampled parent need not be started to know that nothing comes of it.
_FOLLOWS_UNSAMPLED_PARENT: Final = re.compile(
    r"ParentBased\{root:.*,remoteParentSampled:[^{},]*,remoteParentNotSampled:AlwaysOffSampler,"
    r"localParentSampled:[^{},]*,localParentNotSampled:AlwaysOffSampler\}"
)

# The samplers of the SDK that look at no attributes, and the processors that do nothing at the start.
_SAMPLING: Final = "opentelemetry.sdk.trace.sampling"
_BLIND: Final = frozenset({"StaticSampler", "TraceIdRatioBased", "_AlwaysOff", "_AlwaysOn"})
_AS_PARENT: Final = "ParentBased"
_IDLE_AT_START: Final = frozenset(
    {"SpanProcessor.on_start", "SimpleSpanProcessor.on_start", "BatchSpanProcessor.on_start"}
)
_PROCESSING: Final = ("opentelemetry.sdk.trace", "opentelemetry.sdk.trace.export")


_SAMPLED: Final = int(trace.TraceFlags.SAMPLED)


def _suppressing() -> tuple[str, ...]:
    with suppress_instrumentation():
        return tuple(context_here())


# What a context says so by; looked up once, and where nothing else is current.
_SUPPRESSING: Final = Context().run(_suppressing)


def is_enabled() -> bool:
    """Whether telemetry is wanted in this context: an exporter, say, suppresses its own."""
    context = context_here()
    for key in _SUPPRESSING:  # noqa: SIM110 - in the caller's time, where `all` takes twice as long
        if value_in(context, key):
            return False
    return True


class Tracing:
    """
    Gives the tracer, as soon as there is an SDK.

    Args:
        provider: Makes the tracer; the global one, also one set later, by default.
        scope: Name and version of the instrumentation.
        schema_url: By which conventions its spans are named; ours by default.

    Attributes:
        is_known: Whether spans are of an SDK whose private parts are known.
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
        self.is_known = False
        self._watching: tuple[Any, Any] = (None, None)
        self._is_watched = True

    def tracer(self) -> trace.Tracer | None:
        """Return what starts spans; None where nothing could come of one that is started now."""
        return self.here()[0]

    def here(self) -> tuple[trace.Tracer | None, int]:
        """Return that, and where there is none the trace that this context is in, 0 for none."""
        tracer = self._tracer or self._resolve()
        context = context_here()
        if not context or (tracer is not None and not self._follows_unsampled_parent):
            return tracer, 0
        # The tuple that it is: each of its properties is a function of Python's.
        trace_id, _, _, flags, _, is_valid = span_in(context).get_span_context()
        could_be_sampled = flags & _SAMPLED or not is_valid
        if tracer is not None and could_be_sampled:
            return tracer, 0
        return None, trace_id

    def is_watched(self) -> bool:
        """Whether somebody may look at the attributes of a span as it starts: a sampler, a processor."""
        if not self.is_known:
            return True
        tracer: Any = self._tracer
        sampler, processors = tracer.sampler, tracer.span_processor._span_processors  # noqa: SLF001 - of an SDK that is known
        if sampler is not self._watching[0] or processors is not self._watching[1]:
            self._is_watched = not (_is_blind(sampler) and all(map(_is_idle_at_start, processors)))
            self._watching = sampler, processors
        return self._is_watched

    def _resolve(self) -> trace.Tracer | None:
        provider = self._provider or trace.get_tracer_provider()
        if isinstance(provider, trace.ProxyTracerProvider):
            return None  # no SDK yet: a span would go nowhere
        self._tracer = provider.get_tracer(*self._scope, self._schema_url)
        self._follows_unsampled_parent = _follows_unsampled_parent(self._tracer)
        self.is_known = is_sdk_known() and _has_known_parts(self._tracer)
        return self._tracer


def _follows_unsampled_parent(tracer: trace.Tracer) -> bool:
    # Only the SDK's tracers tell their sampler, and a user's sampler may not tell.
    with suppress(Exception):
        description = tracer.sampler.get_description()  # type: ignore[attr-defined]  # of the SDK's
        return _FOLLOWS_UNSAMPLED_PARENT.fullmatch(description) is not None
    return False


def _has_known_parts(tracer: Any) -> bool:
    processors = getattr(getattr(tracer, "span_processor", None), "_span_processors", None)
    is_of_sdk = type(tracer).__module__ == _PROCESSING[0]
    return is_of_sdk and isinstance(processors, tuple) and hasattr(tracer, "sampler")


def _is_blind(sampler: Any) -> bool:
    """Whether *sampler* is one of the SDK's own that decides without attributes."""
    kind = type(sampler)
    if kind.__module__ != _SAMPLING:
        return False
    is_as_parent = any(ancestor.__name__ == _AS_PARENT for ancestor in kind.__mro__)
    if is_as_parent:  # then it holds others, and nothing else
        return all(map(_is_blind, vars(sampler).values()))
    return kind.__name__ in _BLIND


def _is_idle_at_start(processor: Any) -> bool:
    on_start = getattr(type(processor), "on_start", None)
    return (
        getattr(on_start, "__module__", None) in _PROCESSING
        and getattr(on_start, "__qualname__", None) in _IDLE_AT_START
        and "on_start" not in getattr(processor, "__dict__", ())
    )

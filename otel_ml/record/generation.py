"""Spans of calls that generate text: upstream's conventions of generative calls, and nothing of ours."""

import os
from collections.abc import Callable, Mapping
from typing import Any, Final

from opentelemetry import trace

from otel_ml.record.failures import qualified
from otel_ml.record.tracing import Tracing
from otel_ml_conventions import attributes as keys

__all__ = ["GenerationRecorder", "is_opted_in"]

_OPT_IN: Final = "OTEL_SEMCONV_STABILITY_OPT_IN"
_EXPERIMENTAL: Final = "gen_ai_latest_experimental"


def is_opted_in() -> bool:
    """Whether the environment asks for the conventions of generative calls as they are today."""
    return _EXPERIMENTAL in map(str.strip, os.environ.get(_OPT_IN, "").split(","))


class GenerationRecorder:
    """
    Makes the span of a generation; nothing here raises into the caller.

    Args:
        provider: Where spans go; the global one, also one set later, by default.
        scope: Name and version of the instrumentation.
        failed: Told the cause and the exception where recording fails.
    """

    def __init__(
        self,
        provider: trace.TracerProvider | None,
        scope: tuple[str, str | None],
        failed: Callable[[str, BaseException], None],
    ) -> None:
        # Not under our schema: its attributes are upstream's, which has no fixed version of them.
        self._tracing = Tracing(provider, scope, schema_url=None)
        self._failed = failed

    def start(self, name: str, attributes: Mapping[str, Any]) -> trace.Span | None:
        """Return the span of a generation that begins now; None where there can be none."""
        try:
            tracer = self._tracing.tracer()
            return None if tracer is None else tracer.start_span(name, attributes=attributes)
        except Exception as error:  # noqa: BLE001 - a sampler or processor of the user's may raise anything
            self._failed("start_span", error)
            return None

    def finish(
        self,
        span: trace.Span | None,
        attributes: Mapping[str, Any],
        error: BaseException | None = None,
    ) -> None:
        """End what `start` returned, with what is known now and the class of what was raised."""
        if span is None:
            return
        try:
            span.set_attributes(dict(attributes))
            if error is not None:
                span.set_attribute(keys.ERROR_TYPE, qualified(type(error)))
                span.set_status(trace.StatusCode.ERROR)
            span.end()
        except Exception as failure:  # noqa: BLE001 - a span processor of the user's may raise anything
            self._failed("end_span", failure)

"""The events of the conventions: as log records, and on the span in whose context they happen."""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final

from opentelemetry import trace
from opentelemetry._logs import Logger, LoggerProvider, SeverityNumber
from opentelemetry.context import Context

from otel_ml.describe.values import valid_text
from otel_ml.record.log_records import emit, logger_of, plain
from otel_ml_conventions import events as names
from otel_ml_conventions.schema import SCHEMA_URL

__all__ = ["SEVERITIES", "WITH_CONTENT", "Events", "sendable", "write_on_span"]

SEVERITIES: Final[Mapping[str, SeverityNumber]] = {
    names.EVENT_ML_EVALUATION_RESULT: SeverityNumber.INFO,
    names.EVENT_ML_EXPLANATION: SeverityNumber.INFO,
    names.EVENT_ML_FEEDBACK: SeverityNumber.INFO,
    names.EVENT_ML_INFERENCE_EXCEPTION: SeverityNumber.WARN,
    names.EVENT_ML_INTERNAL: SeverityNumber.DEBUG,
    names.EVENT_ML_PREDICTION_DETAILS: SeverityNumber.DEBUG,
    names.EVENT_ML_TRAINING_EPOCH: SeverityNumber.DEBUG,
    names.EVENT_ML_VALIDATION_FAILURE: SeverityNumber.WARN,
}
"""The severity of every event that the SDK emits, as the registry has it."""

WITH_CONTENT: Final = frozenset({names.EVENT_ML_EXPLANATION, names.EVENT_ML_PREDICTION_DETAILS})
"""Events that go onto spans only where the settings say that content does; they are not mirrored."""


_LEAST: Final = -(1 << 63)
_MOST: Final = (1 << 63) - 1


class Events:
    """
    Where events go.

    Args:
        provider: Makes the logger; the global one, also one set later, by default.
        scope: Name and version of the instrumentation.
        are_mirrored: Whether an event is also written on the span in its context, while that
            span records: for back ends that take no log records.
    """

    def __init__(
        self, provider: LoggerProvider | None, scope: tuple[str, str], *, are_mirrored: bool
    ) -> None:
        self._provider = provider
        self._scope = scope
        self._are_mirrored = are_mirrored
        self._logger: Logger | None = None

    def emit(
        self,
        name: str,
        attributes: Mapping[str, Any],
        context: Context,
        *,
        to_log: bool = True,
        to_span: bool = False,
    ) -> None:
        """
        Emit event *name* in the trace context of *context*.

        Args:
            name: One of `otel_ml_conventions.events`.
            attributes: What it says; maps as maps.
            context: Holds the span that it happened in.
            to_log: Whether it may leave as a log record.
            to_span: Whether it is written on the span even where events are not mirrored.
        """
        if to_span or (self._are_mirrored and name not in WITH_CONTENT):
            write_on_span(trace.get_current_span(context), name, attributes)
        logger = (self._logger or self._resolve()) if to_log else None
        if logger is not None:
            emit(logger, name, SEVERITIES[name], sendable(attributes), context)

    def _resolve(self) -> Logger | None:
        self._logger = logger_of(self._provider, *self._scope, SCHEMA_URL)
        return self._logger


def sendable(value: Any) -> Any:
    """
    Return *value* as the wire can hold it, or the SDK would leave the whole attribute out.

    Texts that UTF-8 has bytes for, whole numbers of 64 bits (a larger one is the nearest double, one
    that no double holds a text), maps without empty keys.
    """
    if isinstance(value, str):
        return valid_text(value)
    if type(value) is int and not _LEAST <= value <= _MOST:
        with suppress(OverflowError):
            return float(value)
        return str(value)
    if isinstance(value, Mapping):
        return {valid_text(str(key)): sendable(item) for key, item in value.items() if key != ""}
    if isinstance(value, (list, tuple)):
        return [sendable(item) for item in value]
    return value


def write_on_span(span: trace.Span, name: str, attributes: Mapping[str, Any]) -> None:
    """Write event *name* on *span*, with maps as JSON text; nothing where it does not record."""
    if span.is_recording():
        span.add_event(name, plain(attributes))

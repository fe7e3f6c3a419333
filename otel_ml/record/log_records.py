"""
One event as a log record, through whichever Logs API there is.

The API has moved: a record took the ids of its span until 1.34 and takes a context since, has a name
of its own since 1.35, and is made by the logger itself since 1.37. Everything else of ours knows
only `emit`.
"""

from collections.abc import Mapping
from inspect import signature
from json import dumps
from time import time_ns
from typing import Any, Final

from opentelemetry import trace
from opentelemetry._logs import (
    Logger,
    LoggerProvider,
    LogRecord,
    SeverityNumber,
    get_logger_provider,
)
from opentelemetry.context import Context

__all__ = ["emit", "logger_of", "name_of", "plain"]

_MAKES_RECORDS: Final = "event_name" in signature(Logger.emit).parameters
_KNOWS_EVENTS: Final = "event_name" in signature(LogRecord.__init__).parameters
# How events were named when records had no name.
_EVENT_NAME: Final = "event.name"


def logger_of(
    provider: LoggerProvider | None, scope: str, version: str, schema_url: str
) -> Logger | None:
    """Return the logger of *provider*, by default the global one; None where no SDK is set up yet."""
    provider = provider or get_logger_provider()
    if type(provider).__name__ == "ProxyLoggerProvider":  # there is no public place for it
        return None
    return provider.get_logger(scope, version, schema_url)


def emit(
    logger: Logger,
    name: str,
    severity: SeverityNumber,
    attributes: Mapping[str, Any],
    context: Context,
) -> None:
    """Emit event *name*, which happened now, in the trace context that *context* holds."""
    now = time_ns()
    if not _MAKES_RECORDS:
        _emit_record(logger, name, severity, attributes, context, now)
        return
    logger.emit(
        timestamp=now,
        observed_timestamp=now,
        context=context,
        severity_number=severity,
        severity_text=severity.name,
        attributes=attributes,
        event_name=name,
    )


def name_of(record: Any) -> str | None:
    """Return the name of the event that *record*, of any SDK, was emitted as; None where it has none."""
    name: str | None = getattr(record, "event_name", None) or record.attributes.get(_EVENT_NAME)
    return name


def plain(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Return *attributes* with maps as JSON text, as spans and older log records have them."""
    return {
        key: dumps(value, separators=(",", ":"))
        if isinstance(value, (Mapping, list)) and _is_nested(value)
        else value
        for key, value in attributes.items()
    }


def _is_nested(value: Mapping[str, Any] | list[Any]) -> bool:
    return isinstance(value, Mapping) or any(isinstance(item, Mapping) for item in value)


def _emit_record(
    logger: Any,
    name: str,
    severity: SeverityNumber,
    attributes: Mapping[str, Any],
    context: Context,
    now: int,
) -> None:
    if not hasattr(logger, "resource"):  # not the SDK's: it would go nowhere
        return
    from opentelemetry.sdk import _logs as sdk  # only these records were exported

    record: Any = getattr(sdk, "LogRecord")  # noqa: B009 - newer SDKs have none
    facts: dict[str, Any] = {
        "timestamp": now,
        "observed_timestamp": now,
        "severity_number": severity,
        "severity_text": severity.name,
        "resource": logger.resource,
    }
    if _KNOWS_EVENTS:
        logger.emit(record(**facts, attributes=attributes, context=context, event_name=name))
        return
    span_context = trace.get_current_span(context).get_span_context()
    logger.emit(
        record(
            **facts,
            attributes={**plain(attributes), _EVENT_NAME: name},
            trace_id=span_context.trace_id,
            span_id=span_context.span_id,
            trace_flags=span_context.trace_flags,
        )
    )

"""Records of the `logging` module, told which trace, span and prediction they are about."""

import logging
from functools import wraps
from typing import Final

from opentelemetry import trace

from otel_ml.record.recent import recent

__all__ = ["LogCorrelation", "correlate_logs"]


class LogCorrelation(logging.Filter):
    """
    A filter that refuses no record, and gives each `trace_id`, `span_id` and `prediction_id`.

    Those of trace and span are hexadecimal; that of the prediction is what
    `current_prediction_id()` would say, but is not put on the span. Each is empty where there is
    none, so that a format can always name it, and stays what it is where the record has it already.
    For a handler of one's own, or in `dictConfig`:
    `"filters": {"otel_ml": {"()": "otel_ml.LogCorrelation"}}`.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Return True, with *record* told."""
        _tell(record)
        return True


def correlate_logs() -> None:
    """
    Give every record that is logged from now on `trace_id`, `span_id` and `prediction_id`.

    Whatever the logger and the handler; a record that has one already, by `extra` say, keeps its own.
    A second call changes nothing, and it stays when nothing is observed any more: a format that names
    them would fail. The environment variable
    `OTEL_INSTRUMENTATION_ML_LOG_CORRELATION=true` does the same once anything is instrumented.
    """
    handle = logging.Logger.handle
    if hasattr(handle, _MARKER):
        return

    # Not by a factory of records: `logging` refuses an `extra` of a name that a new record has.
    @wraps(handle)
    def handle_told(logger: logging.Logger, record: logging.LogRecord) -> None:
        _tell(record)
        handle(logger, record)

    setattr(handle_told, _MARKER, True)
    logging.Logger.handle = handle_told  # type: ignore[method-assign,assignment]  # all records pass here


_MARKER: Final = "__otel_ml__"
_NO_TRACE: Final = ("", "")


def _tell(record: logging.LogRecord) -> None:
    trace_id, span_id = _ids()
    recording = recent.here()
    prediction_id = None if recording is None else recording.prediction_id or recording.address
    known = vars(record)
    known.setdefault("trace_id", trace_id)
    known.setdefault("span_id", span_id)
    known.setdefault("prediction_id", prediction_id or "")


def _ids() -> tuple[str, str]:
    context = trace.get_current_span().get_span_context()
    if not context.is_valid:
        return _NO_TRACE
    return trace.format_trace_id(context.trace_id), trace.format_span_id(context.span_id)

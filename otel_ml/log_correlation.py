"""Records of the `logging` module, told which trace, span and prediction they are about."""

import logging
from collections.abc import Callable
from typing import Any, Final

from opentelemetry import trace

from otel_ml.record.recent import recent

__all__ = ["LogCorrelation", "correlate_logs"]


class LogCorrelation(logging.Filter):
    """
    A filter that refuses no record, and gives each `trace_id`, `span_id` and `prediction_id`.

    They are hexadecimal, and the id that the prediction has; each is empty where there is none, so
    that a format can always name it. For a handler of one's own, or in `dictConfig`:
    `"filters": {"otel_ml": {"()": "otel_ml.LogCorrelation"}}`.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Return True, with *record* told."""
        _tell(record)
        return True


def correlate_logs() -> None:
    """
    Give every record that is made from now on `trace_id`, `span_id` and `prediction_id`.

    Whatever the logger and the handler. A second call changes nothing. The environment variable
    `OTEL_INSTRUMENTATION_ML_LOG_CORRELATION=true` does the same once anything is instrumented.
    """
    make = logging.getLogRecordFactory()
    if not isinstance(make, _Factory):
        logging.setLogRecordFactory(_Factory(make))


class _Factory:
    """Makes records as *make* does, and tells them."""

    def __init__(self, make: Callable[..., logging.LogRecord]) -> None:
        self._make = make

    def __call__(self, *args: Any, **kwargs: Any) -> logging.LogRecord:
        record = self._make(*args, **kwargs)
        _tell(record)
        return record


_NO_TRACE: Final = ("", "")


def _tell(record: logging.LogRecord) -> None:
    record.trace_id, record.span_id = _ids()
    recording = recent.here()
    record.prediction_id = (None if recording is None else recording.prediction_id) or ""


def _ids() -> tuple[str, str]:
    context = trace.get_current_span().get_span_context()
    if not context.is_valid:
        return _NO_TRACE
    return trace.format_trace_id(context.trace_id), trace.format_span_id(context.span_id)

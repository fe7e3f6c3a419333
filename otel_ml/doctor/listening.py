"""What OpenTelemetry logs while we look: kept, not shown."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["hearing_answers", "listening"]

_ROOT = "opentelemetry"
_HTTP = "urllib3.connectionpool"


class _Complaints(logging.Handler):
    """Keeps what is logged."""

    def __init__(self, level: int = logging.WARNING) -> None:
        super().__init__(level)
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.said.append(record.getMessage())


@contextmanager
def listening() -> Iterator[list[str]]:
    """
    Keep OpenTelemetry's log off the terminal, and yield what is said in it: we put it in our words.

    Its filters, which let a complaint pass only once in a while, are lifted meanwhile.
    """
    root, complaints = logging.getLogger(_ROOT), _Complaints()
    filters = {logger: logger.filters for logger in _loggers()}
    propagates, root.propagate = root.propagate, False
    root.addHandler(complaints)
    for logger in filters:
        logger.filters = []
    try:
        yield complaints.said
    finally:
        for logger, kept in filters.items():
            logger.filters = kept
        root.removeHandler(complaints)
        root.propagate = propagates


@contextmanager
def hearing_answers() -> Iterator[list[str]]:
    """
    Yield what is answered to each request by HTTP, as `"POST /v1/traces HTTP/1.1" 200 0` at the end of a line.

    Exporters take an answer that sends them elsewhere for a success, and do not say which it was.
    """
    logger, answers = logging.getLogger(_HTTP), _Complaints(logging.DEBUG)
    level, propagates = logger.level, logger.propagate
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
    logger.addHandler(answers)
    try:
        yield answers.said
    finally:
        logger.removeHandler(answers)
        logger.setLevel(level)
        logger.propagate = propagates


def _loggers() -> list[logging.Logger]:
    names = [name for name in logging.root.manager.loggerDict if name.startswith(f"{_ROOT}.")]
    return [logging.getLogger(name) for name in names]

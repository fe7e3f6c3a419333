"""What OpenTelemetry logs while we look: kept, not shown."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["listening"]

_ROOT = "opentelemetry"


class _Complaints(logging.Handler):
    """Keeps what is logged."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
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


def _loggers() -> list[logging.Logger]:
    names = [name for name in logging.root.manager.loggerDict if name.startswith(f"{_ROOT}.")]
    return [logging.getLogger(name) for name in names]

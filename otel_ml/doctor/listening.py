"""What OpenTelemetry logs, and what it is answered, while we look: kept, not shown."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPResponse
from typing import Any, NamedTuple

__all__ = ["Answer", "hearing_answers", "listening"]

_ROOT = "opentelemetry"


class Answer(NamedTuple):
    """What is answered to a request by HTTP: to which method, with which status, and what kind of content."""

    method: str
    status: int
    content_type: str


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


@contextmanager
def hearing_answers() -> Iterator[list[Answer]]:
    """
    Yield what is answered to each request by HTTP, as soon as its headers are there.

    Exporters take an answer that sends them elsewhere, and a web page, for a success, and do not say
    which it was. Whatever they are made with asks by Python's own connections in the end.
    """
    answers: list[Answer] = []

    class Heard(HTTPResponse):
        def __init__(
            self, sock: Any, debuglevel: int = 0, method: str | None = None, url: str | None = None
        ) -> None:
            super().__init__(sock, debuglevel, method, url)
            self._asked_by = method or "GET"

        def begin(self) -> None:
            super().begin()
            kind = self.headers.get("Content-Type", "")
            answers.append(Answer(self._asked_by, self.status, kind.lower()))

    usual, HTTPConnection.response_class = HTTPConnection.response_class, Heard
    try:
        yield answers
    finally:
        HTTPConnection.response_class = usual


def _loggers() -> list[logging.Logger]:
    names = [name for name in logging.root.manager.loggerDict if name.startswith(f"{_ROOT}.")]
    return [logging.getLogger(name) for name in names]

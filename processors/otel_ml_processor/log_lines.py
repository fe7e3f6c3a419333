"""What the processor writes to its log: lines for people or JSON for programs, and never so many that they become the trouble themselves."""

from __future__ import annotations

import logging
import sys
import threading
import time
import traceback
from collections import OrderedDict
from typing import TYPE_CHECKING, Final, Literal

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

__all__ = ["JsonLines", "RateLimit", "write_logs"]

_TEXT: Final = "%(asctime)s %(levelname)s %(message)s"
_PER_MINUTE: Final = 30
_MINUTE_S: Final = 60.0
_MAX_PLACES: Final = 1000


def write_logs(form: Literal["text", "json"]) -> None:
    """Write what is logged from INFO on to standard error, in that *form*, in place of what was said before of that."""
    root = logging.getLogger()
    for before in [known for known in root.handlers if isinstance(known, _StandardError)]:
        root.removeHandler(before)
    handler = _StandardError(sys.stderr)
    handler.setFormatter(JsonLines() if form == "json" else _TextLines(_TEXT))
    handler.addFilter(RateLimit())
    root.addHandler(handler)
    root.setLevel(logging.INFO)


class _StandardError(logging.StreamHandler):  # type: ignore[type-arg] # takes none at run time before Python 3.11
    """The handler that is ours; those of whoever runs us in a process of their own stay."""


class _WithoutValues(logging.Formatter):
    """Of an exception where it was raised and its class: its message may quote a value of a feature, which no log ever holds."""

    def formatException(  # noqa: N802 - what is overridden is called so
        self,
        ei: tuple[type[BaseException], BaseException, TracebackType | None]
        | tuple[None, None, None],
    ) -> str:
        """Return the stack of the exception and the name of its class."""
        kind, _, trace = ei
        frames = "".join(traceback.format_tb(trace))
        return f"Traceback (most recent call last):\n{frames}{kind.__qualname__ if kind else ''}"


class _TextLines(_WithoutValues):
    """One line per message: names in it come from outside, and must not look like a line of ours or move a terminal's cursor."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of *record*, and what it says of its exception."""
        said, record.exc_text = record.exc_text, None  # it keeps what another handler said of it
        line = super().format(record)
        record.exc_text = said
        return line

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - what is overridden is called so
        """Return the line of *record*, without its exception."""
        line = super().formatMessage(record)
        return line if line.isprintable() else _escaped(line)


class JsonLines(_WithoutValues):
    """One JSON object per line: `time` (UTC), `level`, `logger`, `message`, and `exception` where there is one."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of *record*."""
        fraction = f"{record.msecs:03.0f}"
        said = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%S.", time.gmtime(record.created))
            + fraction
            + "Z",
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            said["exception"] = self.formatException(record.exc_info)
        return msgspec.json.encode(said).decode()


def _escaped(line: str) -> str:
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in line)


class RateLimit(logging.Filter):
    """Lets the same line of code write *per_minute* (>= 1) times a minute; the first of the next minute says how many were left out."""

    def __init__(
        self, per_minute: int = _PER_MINUTE, clock: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__()
        self._per_minute = per_minute
        self._clock = clock
        self._lock = threading.Lock()
        self._places: OrderedDict[tuple[str, int], tuple[float, int]] = OrderedDict()

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether *record* is written."""
        place, now_s = (record.pathname, record.lineno), self._clock()
        with self._lock:
            since_s, n = self._places.pop(place, (now_s, 0))
            left_out = 0
            if now_s - since_s >= _MINUTE_S:
                left_out, since_s, n = max(0, n - self._per_minute), now_s, 0
            self._places[place] = (since_s, n + 1)
            if len(self._places) > _MAX_PLACES:
                self._places.popitem(last=False)
        if left_out:
            record.msg = f"{record.getMessage()} (and {left_out} more like this before)"
            record.args = ()
        return n < self._per_minute

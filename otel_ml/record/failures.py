"""What went wrong in the instrumentation itself: counted by cause, told once per cause."""

import threading
import traceback
from collections import Counter
from contextlib import suppress
from logging import getLogger

from opentelemetry import metrics

from otel_ml_conventions import attributes as keys
from otel_ml_conventions.metrics import create_ml_sdk_errors

__all__ = ["Failures", "qualified"]

_logger = getLogger("otel_ml")


class Failures:
    """Failures that no caller may notice, on their way to the metric `ml.sdk.errors`."""

    def __init__(self, meter: metrics.Meter) -> None:
        self._counter = create_ml_sdk_errors(meter)
        self._told: set[str] = set()
        self.restart()

    def restart(self) -> None:
        """Begin anew in a process that was forked off."""
        self._lock = threading.Lock()
        self._failed: Counter[str] = Counter()

    def failed(self, cause: str, error: BaseException) -> None:
        """
        Count a failure of ours by *cause*, and log the first of each.

        Neither the message of *error* nor its stack is logged: they may quote a user's data.
        """
        if self._count(cause):
            _tell(
                "%s failed with %s (%s): telemetry is incomplete, the call of the model is not "
                "affected; further failures of this kind are counted in ml.sdk.errors only",
                cause,
                qualified(type(error)),
                _place(error),
            )

    def refused(self, cause: str, reason: str) -> None:
        """
        Count what a user told us and we cannot pass on, by *cause*, and log the first of each.

        *reason* says what was expected and found, without a value.
        """
        if self._count(cause):
            _tell(
                "%s: %s; nothing was recorded, further ones are counted in ml.sdk.errors only",
                cause,
                reason,
            )

    def withheld(self, what: str, reason: str) -> None:
        """Log, once per *what*, that the settings keep it in the process; it is no failure."""
        with self._lock:
            is_first = what not in self._told
            self._told.add(what)
        if is_first:
            _tell("%s: %s, so nothing leaves the process", what, reason)

    def _count(self, cause: str) -> bool:
        with self._lock:
            self._failed[cause] += 1
            is_first = cause not in self._told
            self._told.add(cause)
        return is_first

    def record(self) -> None:
        """Add to the metric what was counted since the last time."""
        if not self._failed:
            return
        with self._lock:
            failed, self._failed = self._failed, Counter()
        for cause, number in failed.items():
            self._counter.add(number, {keys.ML_SDK_ERROR_CAUSE: cause})


def _tell(message: str, *arguments: str) -> None:
    with suppress(Exception):  # a log handler of the user's may raise anything
        _logger.warning(message, *arguments)


def qualified(kind: type) -> str:
    """Return the name of a class with its module, as `error.type` has it."""
    is_builtin = kind.__module__ == "builtins"
    return kind.__qualname__ if is_builtin else f"{kind.__module__}.{kind.__qualname__}"


def _place(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    return f"{frames[-1].filename}:{frames[-1].lineno}" if frames else "unknown place"

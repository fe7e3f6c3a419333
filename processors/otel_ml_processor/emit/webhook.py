"""
A change of state as an HTTP POST, signed and repeated until it arrives: for whoever closes the loop and trains again.

Headers and signature are those of https://www.standardwebhooks.com (version 1.0.0), so there is a library that checks them in most
languages. One thread sends, and nobody waits for it.
"""

from __future__ import annotations

import base64
import hashlib
import heapq
import hmac
import logging
import random
import threading
import time
from dataclasses import astuple, dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import msgspec
import urllib3

from otel_ml_conventions.events import EVENT_ML_DRIFT_DETECTED
from otel_ml_conventions.metrics import (
    METRIC_ML_PROCESSOR_EXPORT_FAILED,
    METRIC_ML_PROCESSOR_WEBHOOKS_DROPPED,
)
from otel_ml_processor.emit.readings import iso_time
from otel_ml_processor.errors import ConfigError
from otel_ml_processor.forward.renewed import Renewed
from otel_ml_processor.forward.tls import client_context

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from otel_ml_processor.assess.performance import PerformanceReading
    from otel_ml_processor.assess.reading import Reading
    from otel_ml_processor.config import WebhookConfig
    from otel_ml_processor.self_metrics import SelfMetrics

__all__ = [
    "GIVE_UP_S",
    "LONGEST_DELAY_S",
    "MAX_WAITING",
    "Webhook",
    "event_body",
    "event_id",
    "key_of",
    "signature",
]

MAX_WAITING: Final = 1000
"""Events that wait to be delivered; further ones are dropped and counted."""
FIRST_DELAY_S: Final = 1.0
LONGEST_DELAY_S: Final = 300.0
"""Between two attempts: a second after the first, twice as long after each further one, at most this; each time half of it by chance."""
GIVE_UP_S: Final = 86_400.0
"""An event that nobody has taken for a day is dropped and counted."""

_PLACE: Final = "$.emit.webhook"
_SECRET_PREFIX: Final = "whsec_"  # noqa: S105 - what every secret begins with is none
_MIN_KEY_BYTES, _MAX_KEY_BYTES = 24, 64
_LOGGER: Final = logging.getLogger(__name__)


def event_id(reading: Reading | PerformanceReading, *, of_labels: bool = False) -> str:
    """
    Return what tells the event of a window from all others: 32 hexadecimal digits.

    It depends on the stream, the window, the reference and whether it is *of labels* alone, so that a processor that was restarted and assesses the
    window again gives the same.
    """
    known = (
        astuple(reading.stream),
        reading.window.name,
        reading.window.end_ns,
        reading.reference_id,
        *(["labels"] if of_labels else []),
    )
    return hashlib.sha256(msgspec.json.encode(known)).hexdigest()[:32]


def event_body(end_ns: int, attributes: Mapping[str, object]) -> bytes:
    """Return the event as JSON: its name, when its window ended, and *attributes*, those of the log record that says the same."""
    event = {
        "event_name": EVENT_ML_DRIFT_DETECTED,
        "time": iso_time(end_ns),
        "attributes": dict(attributes),
    }
    return msgspec.json.encode(event, enc_hook=_plain)


def key_of(secret: str, place: str) -> bytes:
    """
    Return the key that *secret* says: `whsec_` and 24 to 64 bytes in base64.

    Raises:
        ConfigError: If it says none; it is not shown. *place* is where it stands.
    """
    try:
        key = base64.b64decode(secret.strip().removeprefix(_SECRET_PREFIX), validate=True)
    except ValueError:
        key = b""
    if not (secret.startswith(_SECRET_PREFIX) and _MIN_KEY_BYTES <= len(key) <= _MAX_KEY_BYTES):
        raise ConfigError(
            f"{place}: expected 'whsec_' and {_MIN_KEY_BYTES} to {_MAX_KEY_BYTES} bytes in base64, found something else, which is not "
            "shown; `echo whsec_$(openssl rand -base64 32)` makes one"
        )
    return key


def signature(key: bytes, message_id: str, timestamp_s: int, body: bytes) -> str:
    """Return `v1,` and the base64 of HMAC-SHA256 over `id.timestamp.body`, as Standard Webhooks has it."""
    signed = b".".join((message_id.encode(), str(timestamp_s).encode(), body))
    return f"v1,{base64.b64encode(hmac.digest(key, signed, 'sha256')).decode()}"


@dataclass(order=True, slots=True)
class _Waiting:
    due_s: float
    number: int
    message_id: str = field(compare=False)
    body: bytes = field(compare=False)
    since_s: float = field(compare=False)
    attempts: int = field(default=0, compare=False)


class Webhook:
    """
    Delivers events to `config.url`, at least once each: whoever takes them tells one from its repetition by its id.

    Everything but an answer of 2xx is tried again, an event that is never taken holds up no other, and what is given up is counted. A
    secret in a file, relative to *folder*, is read for each attempt, so that it can be changed at any time.

    Raises:
        ConfigError: If the secret is none, or a file cannot be read.
    """

    def __init__(
        self,
        config: WebhookConfig,
        folder: Path,
        self_metrics: SelfMetrics,
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._config = config
        self._folder = folder
        self._self_metrics = self_metrics
        self._clock_s = clock_s
        self._pool = Renewed(config.tls, folder, _PLACE, partial(_pool, config, folder))
        self._waiting: list[_Waiting] = []
        self._number = 0
        self._is_failing = False
        self._closing = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="otel-ml-webhook", daemon=True)
        self._key()

    def start(self) -> None:
        """Begin to deliver."""
        self._thread.start()

    def push(self, message_id: str, body: bytes) -> None:
        """Have *body* delivered under *message_id*; where too many wait it is dropped and counted."""
        with self._changed:
            if len(self._waiting) >= MAX_WAITING:
                self._drop(message_id, f"{MAX_WAITING} others wait")
                return
            now_s = self._clock_s()
            self._number += 1
            heapq.heappush(
                self._waiting, _Waiting(now_s, self._number, message_id, body, since_s=now_s)
            )
            self._changed.notify()

    def close(self, timeout_s: float) -> None:
        """Try once more what waits, for at most *timeout_s* seconds; what is left is dropped and counted."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
        with self._changed:
            for waiting in self._waiting:
                self._drop(waiting.message_id, "the processor ends")
            self._waiting.clear()

    def _run(self) -> None:
        while (waiting := self._next()) is not None:
            delivered = self._delivered(waiting)
            with self._changed:
                if not delivered:
                    self._put_back(waiting)

    def _next(self) -> _Waiting | None:
        """Return what is due, when it is; at the end all that has not been tried since, and then None."""
        with self._changed:
            while True:
                if self._closing:
                    return heapq.heappop(self._waiting) if self._waiting else None
                wait_s = self._waiting[0].due_s - self._clock_s() if self._waiting else None
                if wait_s is not None and wait_s <= 0:
                    return heapq.heappop(self._waiting)
                self._changed.wait(wait_s)

    def _put_back(self, waiting: _Waiting) -> None:
        now_s = self._clock_s()
        if self._closing or now_s - waiting.since_s >= GIVE_UP_S:
            self._drop(waiting.message_id, "nobody took it")
            return
        longest_s = min(LONGEST_DELAY_S, FIRST_DELAY_S * 2.0**waiting.attempts)
        waiting.attempts += 1
        # Half by chance, so that the processors of a fleet do not all come back at the same moment.
        waiting.due_s = now_s + longest_s * random.uniform(0.5, 1)  # noqa: S311 - guards no secret
        heapq.heappush(self._waiting, waiting)

    def _delivered(self, waiting: _Waiting) -> bool:
        try:
            status = self._post(waiting)
        except Exception as error:  # noqa: BLE001 - whatever goes wrong, this thread must outlive it
            return self._failed(f"{type(error).__name__}: {error}")
        if not 200 <= status < 300:  # noqa: PLR2004 - what HTTP calls success
            return self._failed(f"status {status}")
        if self._is_failing:
            self._is_failing = False
            _LOGGER.info("webhook: events are delivered again")
        return True

    def _post(self, waiting: _Waiting) -> int:
        now_s = int(time.time())
        headers = {
            "content-type": "application/json",
            "webhook-id": waiting.message_id,
            "webhook-timestamp": str(now_s),
            "webhook-signature": signature(self._key(), waiting.message_id, now_s, waiting.body),
        }
        answer = self._pool.current().request(
            "POST",
            self._config.url,
            body=waiting.body,
            headers=headers,
            timeout=urllib3.Timeout(total=self._config.timeout),
            retries=False,
            redirect=False,
            preload_content=False,  # what it says besides the status is of no interest
        )
        answer.close()
        return answer.status

    def _key(self) -> bytes:
        if self._config.secret_file is None:
            return key_of(self._config.secret or "", "$.emit.webhook.secret")
        path = self._folder / self._config.secret_file
        try:
            secret = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"$.emit.webhook.secret_file: cannot read {path}: {error}") from None
        return key_of(secret, f"$.emit.webhook.secret_file: {path}")

    def _failed(self, why: str) -> bool:
        self._self_metrics.add(METRIC_ML_PROCESSOR_EXPORT_FAILED)
        if not self._is_failing:
            self._is_failing = True
            _LOGGER.warning(
                "webhook: cannot deliver an event: %s; it is tried again for a day, counted in %s",
                why,
                METRIC_ML_PROCESSOR_EXPORT_FAILED,
            )
        return False

    def _drop(self, message_id: str, why: str) -> None:
        self._self_metrics.add(METRIC_ML_PROCESSOR_WEBHOOKS_DROPPED)
        _LOGGER.warning("webhook: event %s was not delivered: %s", message_id, why)


def _pool(config: WebhookConfig, folder: Path) -> urllib3.PoolManager:
    if config.tls is None:
        return urllib3.PoolManager()
    name = config.tls.server_name_override
    context = client_context(config.tls, folder, _PLACE)
    return urllib3.PoolManager(ssl_context=context, server_hostname=name, assert_hostname=name)


def _plain(value: Any) -> Any:
    """Return the Python number of a numpy scalar."""
    return value.item()

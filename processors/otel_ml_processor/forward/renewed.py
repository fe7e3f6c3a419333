"""What was made of certificates is made again when their files change: those that are valid for hours are replaced while spans go by."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from otel_ml_processor.errors import ConfigError
from otel_ml_processor.file_stamp import file_stamp

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from otel_ml_processor.config import ClientTls
    from otel_ml_processor.file_stamp import FileStamp
    from otel_ml_processor.forward.next_hop import Client

__all__ = ["Renewed", "renewed_client"]

_LOGGER: Final = logging.getLogger(__name__)
_Made = TypeVar("_Made")


class Renewed(Generic[_Made]):
    """
    What *make* makes of the files of *tls*, which stands at *place*; their paths are relative to *folder*.

    Raises:
        ConfigError: As *make* does the first time.
    """

    def __init__(
        self, tls: ClientTls | None, folder: Path, place: str, make: Callable[[], _Made]
    ) -> None:
        names = (tls.ca_file, tls.cert_file, tls.key_file) if tls else ()
        self._paths = [folder / name for name in names if name is not None]
        self._place = place
        self._make = make
        self._seen = self._stamps()  # before they are read: what comes between is another change
        self._made = make()

    def current(self) -> _Made:
        """Return what the files say since they have changed last, or, where that cannot be used, what they said before."""
        if (stamps := self._stamps()) != self._seen:
            self._seen = stamps
            try:
                self._made = self._make()
                _LOGGER.info("%s.tls: certificates were read again", self._place)
            except ConfigError as error:
                _LOGGER.warning("%s; the certificates in force stay", error)
        return self._made

    def _stamps(self) -> list[FileStamp | None]:
        return [*map(file_stamp, self._paths)]


def renewed_client(
    tls: ClientTls | None, folder: Path, place: str, make: Callable[[], Client]
) -> Client:
    """
    Return the client that *make* makes of the files of *tls*, made again with those that have changed; otherwise as `Renewed`.

    Raises:
        ConfigError: If a certificate cannot be used.
    """
    return _RenewedClient(Renewed(tls, folder, place, make)) if tls else make()


class _RenewedClient:
    """Sends with the newest of its clients; what is on its way ends with the one that it began with. Safe to use from any thread."""

    def __init__(self, clients: Renewed[Client]) -> None:
        self._clients = clients
        self._newest = clients.current()
        self._sending: Counter[Client] = Counter()
        self._lock = threading.Lock()

    def send(self, request: bytes, timeout_s: float) -> bytes:
        """Send *request* as the client does."""
        with self._lock:
            client = self._newest = self._clients.current()
            self._sending[client] += 1
        try:
            return client.send(request, timeout_s)
        finally:
            self._end(client)

    def close(self) -> None:
        """Let go of all connections."""
        with self._lock:
            clients = {self._newest, *self._sending}
        for client in clients:
            client.close()

    def _end(self, client: Client) -> None:
        """Count a request that has ended, and close what has been replaced and sends nothing any more."""
        with self._lock:
            self._sending[client] -= 1
            idle = [c for c, n in self._sending.items() if not n and c is not self._newest]
            for each in idle:
                del self._sending[each]
        for each in idle:
            each.close()

"""A next hop that speaks OTLP over HTTP: raw bytes out, and its answer in the words that our own caller must get."""

from __future__ import annotations

import gzip
import threading
import time
from contextlib import suppress
from email.utils import parsedate_to_datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Literal
from weakref import WeakSet

import grpc
import urllib3
from google.protobuf.message import DecodeError
from google.rpc.status_pb2 import Status
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError, NewConnectionError
from urllib3.exceptions import TimeoutError as TookTooLong

from otel_ml_processor.endpoint import host_and_port
from otel_ml_processor.forward.next_hop import MAX_RESPONSE, refusal
from otel_ml_processor.forward.otlp_client import answer_of, retry_delay_s
from otel_ml_processor.forward.timed_socket import TimedSocket

if TYPE_CHECKING:
    import ssl
    from collections.abc import Mapping

    from otel_ml_processor.refusal import Refusal

__all__ = ["OtlpHttpClient"]

_CONNECTIONS: Final = 32
"""Kept open; more are made where more requests are on their way, and closed afterwards."""
_CONNECT_S: Final = 10.0
"""Longest wait for a connection, however long the answer may take: what is being connected is not ended with the client."""
_GZIP_LEVEL: Final = 6
_CODES: Final[Mapping[int, grpc.StatusCode]] = {
    400: grpc.StatusCode.INVALID_ARGUMENT,
    401: grpc.StatusCode.UNAUTHENTICATED,
    403: grpc.StatusCode.PERMISSION_DENIED,
    404: grpc.StatusCode.UNIMPLEMENTED,
    405: grpc.StatusCode.UNIMPLEMENTED,
    413: grpc.StatusCode.RESOURCE_EXHAUSTED,
    415: grpc.StatusCode.UNIMPLEMENTED,
    429: grpc.StatusCode.UNAVAILABLE,
    502: grpc.StatusCode.UNAVAILABLE,
    503: grpc.StatusCode.UNAVAILABLE,
    504: grpc.StatusCode.UNAVAILABLE,
}
"""What an HTTP status is called in gRPC: UNAVAILABLE where OTLP has it sent again; what is not here is INTERNAL."""


class OtlpHttpClient:
    """
    Sends export requests to *endpoint* (`host:port`, with a path if there is one before `/v1/...`) at *path*, over connections that are kept.

    Over TLS with *tls*, else in the clear; *server_name* is the name of its certificate where that is not the host. *headers* go with
    every request. Redirects are not followed and no proxy of the environment is used. Safe to use from any thread.

    Raises:
        ConfigError: If *endpoint*, which stands at *place*, is no address.
    """

    def __init__(
        self,
        endpoint: str,
        path: str,
        *,
        place: str = "endpoint",
        tls: ssl.SSLContext | None = None,
        server_name: str | None = None,
        headers: Mapping[str, str] = MappingProxyType({}),
        compression: Literal["none", "gzip"] = "none",
    ) -> None:
        self._endpoint = endpoint
        authority, _, prefix = endpoint.partition("/")
        host, port = host_and_port(place, authority)
        self._url = f"/{prefix}".rstrip("/") + path
        self._is_gzip = compression == "gzip"
        encoding = {"content-encoding": "gzip"} if self._is_gzip else {}
        # Answers are small: nobody has to be able to blow one up.
        fixed = {"content-type": "application/x-protobuf", "accept-encoding": "identity"}
        self._headers = {**headers, **fixed, **encoding}
        self._pool = (
            _PlainPool(host, port, maxsize=_CONNECTIONS)
            if tls is None
            else _TlsPool(
                host,
                port,
                maxsize=_CONNECTIONS,
                ssl_context=tls,
                server_hostname=server_name,
                assert_hostname=server_name,
            )
        )

    def send(self, request: bytes, timeout_s: float) -> bytes:
        """
        Send *request*, wait at most *timeout_s* seconds, and return the answer, which may be a partial success.

        An answer that is no export response is replaced by an empty one: the status said that the request was accepted.

        Raises:
            Refusal: If the request was not accepted, or if that is unknown. UNAVAILABLE where sending again is right.
        """
        body = gzip.compress(request, _GZIP_LEVEL, mtime=0) if self._is_gzip else request
        try:
            response = self._pool.urlopen(
                "POST",
                self._url,
                body,
                self._headers,
                retries=False,
                timeout=urllib3.Timeout(connect=min(timeout_s, _CONNECT_S), total=timeout_s),
                preload_content=False,
                decode_content=False,
            )
        except (HTTPError, OSError) as error:
            # For urllib3 whoever refuses a connection has taken too long as well.
            if isinstance(error, TookTooLong) and not isinstance(error, NewConnectionError):
                code = grpc.StatusCode.DEADLINE_EXCEEDED
                raise self._refusal(code, "no answer in time") from None
            said = str(error).partition("): ")[2]  # behind the connection, which has been named
            what = f"{type(error).__name__}: {said or error}"
            raise self._refusal(grpc.StatusCode.UNAVAILABLE, what) from None
        content = _content(response)
        if 200 <= response.status < 300:  # noqa: PLR2004 - what HTTP calls success
            return answer_of(content)
        raise self._refused(response, content)

    def close(self) -> None:
        """Close the connections; what is still being sent fails with UNAVAILABLE."""
        self._pool.close()
        self._pool.end()

    def _refused(self, response: urllib3.BaseHTTPResponse, content: bytes) -> Refusal:
        code = _CODES.get(response.status, grpc.StatusCode.INTERNAL)
        said = _retry_after_s(response.headers.get("retry-after", ""))
        return self._refusal(
            code,
            f"HTTP {response.status}: {_message(content) or response.reason or ''}",
            retry_delay_s(content) if said is None else said,
        )

    def _refusal(
        self, code: grpc.StatusCode, details: str, retry_after_s: float | None = None
    ) -> Refusal:
        return refusal(self._endpoint, code, details, retry_after_s)


def _content(response: urllib3.BaseHTTPResponse) -> bytes:
    """Return what the answer says; empty where it breaks off or is too large, for its status has been said."""
    try:
        content = response.read(MAX_RESPONSE + 1)
        if len(content) <= MAX_RESPONSE:
            response.release_conn()
            return content
    except (HTTPError, OSError):
        pass
    response.close()
    return b""


def _message(content: bytes) -> str:
    try:
        return str(Status.FromString(content).message)
    except DecodeError:
        return ""


def _retry_after_s(header: str) -> float | None:
    """Return the seconds that *header* says, as a number or as a date; None if it says none."""
    if header.isascii() and header.isdigit():
        return float(header[:9])
    try:
        return parsedate_to_datetime(header).timestamp() - time.time()
    except (TypeError, ValueError, OverflowError):
        return None


class _Timed:
    """A connection whose timeout holds for sending all and for receiving all, however slowly it trickles."""

    sock: Any
    timeout: float | None

    def connect(self) -> None:
        """Connect."""
        super().connect()  # type: ignore[misc] # of the class that this one is mixed into
        self.sock = TimedSocket(self.sock)
        self.sock.settimeout(self.timeout)

    def request(self, *arguments: Any, **options: Any) -> None:
        """Send a request."""
        if self.sock is not None:
            self.sock.settimeout(self.timeout)
        super().request(*arguments, **options)  # type: ignore[misc] # of the class that this one is mixed into

    def end(self) -> None:
        """End what is being sent or received."""
        connected = self.sock  # another thread may close it meanwhile
        if isinstance(connected, TimedSocket):  # or it is being connected, which takes no longer
            with suppress(OSError):
                connected.end()


class _Remembering:
    """A pool that knows the connections in use too."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self._made: WeakSet[_Timed] = WeakSet()
        self._making = threading.Lock()
        super().__init__(*arguments, **options)

    def _new_conn(self) -> Any:
        connection = super()._new_conn()  # type: ignore[misc] # of the class that this one is mixed into
        with self._making:
            self._made.add(connection)
        return connection

    def end(self) -> None:
        """Have whoever waits for an answer wait no longer."""
        with self._making:
            for connection in self._made:
                connection.end()


class _PlainPool(_Remembering, urllib3.HTTPConnectionPool):
    ConnectionCls = type("TimedConnection", (_Timed, HTTPConnection), {})


class _TlsPool(_Remembering, urllib3.HTTPSConnectionPool):
    ConnectionCls = type("TimedTlsConnection", (_Timed, HTTPSConnection), {})

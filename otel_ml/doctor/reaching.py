"""Who answers at an endpoint: whether anybody does, whether by TLS, and in which protocol."""

import os
import socket
import ssl
from contextlib import suppress
from time import monotonic
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from otel_ml.doctor.findings import Finding

__all__ = ["Address", "address_of", "spoken_at", "why_no_tls", "why_unreachable"]

_PATIENCE_SECONDS: Final = 5.0
_SILENCE_SECONDS: Final = 1.0
_DEFAULT_PORT: Final = {True: 443, False: 80}
_TLS_ALERT: Final = 0x15
_HTTP2_SETTINGS: Final = 0x04
_HTTP2_HEADER_BYTES: Final = 9
_ENOUGH_BYTES: Final = 512
_REQUEST: Final = b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
_PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00"


class Address(NamedTuple):
    """A host, a port, and whether what is said there is encrypted."""

    host: str
    port: int
    is_secure: bool

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


def address_of(endpoint: str, protocol: str) -> Address:
    """
    Return where *endpoint* is.

    As the exporters do: one for gRPC that names no scheme is encrypted unless
    OTEL_EXPORTER_OTLP_INSECURE says otherwise.

    Raises:
        ValueError: If it is no address.
    """
    has_scheme = "://" in endpoint
    if not has_scheme and protocol != "grpc":
        raise ValueError("it begins with neither http:// nor https://")
    parts = urlsplit(endpoint if has_scheme else f"//{endpoint}")
    if parts.scheme not in {"http", "https", ""} or not parts.hostname:
        raise ValueError("it is not http://HOST:PORT or https://HOST:PORT")
    is_secure = parts.scheme == "https" or (parts.scheme == "" and not _is_insecure())
    return Address(parts.hostname, parts.port or _DEFAULT_PORT[is_secure], is_secure)


def _is_insecure() -> bool:
    for variable in ("OTEL_EXPORTER_OTLP_TRACES_INSECURE", "OTEL_EXPORTER_OTLP_INSECURE"):
        if said := os.environ.get(variable):
            return said.lower() == "true"
    return False


def why_unreachable(address: Address, said_by: str) -> Finding | None:
    """Return why no connection to *address* comes about, None where one does."""
    where = "OTEL_EXPORTER_OTLP_ENDPOINT" if said_by == "default" else said_by
    try:
        _connect(address).close()
    except ConnectionRefusedError:
        return Finding(
            f"nothing listens at {address}",
            f"start a collector there, or say in {where} where one is",
        )
    except (socket.gaierror, UnicodeError):  # of a name with two dots in a row, say
        return Finding(f"there is no host {address.host!r}", f"mend {where}")
    except TimeoutError:
        return Finding(
            f"{address} does not answer within {_PATIENCE_SECONDS:g} s",
            f"mend {where}, or let this machine through the firewall",
        )
    except OSError as error:
        return Finding(f"{address} cannot be reached: {error.strerror or error}", f"mend {where}")
    return None


def _connect(address: Address) -> socket.socket:
    return socket.create_connection(address[:2], _PATIENCE_SECONDS)


def why_no_tls(address: Address) -> Finding | None:
    """Return why no encrypted connection to *address* comes about, None where one does."""
    try:
        with _connect(address) as plain, _tls(plain, address):
            return None
    except ssl.SSLCertVerificationError as error:
        return Finding(
            f"{address} shows a certificate that is not trusted: {error.verify_message}",
            "if it is the right server, name its authority's file in OTEL_EXPORTER_OTLP_CERTIFICATE",
        )
    except ssl.SSLError as error:
        if error.reason and ("VERSION" in error.reason or "RECORD" in error.reason):
            return Finding(
                f"{address} speaks no TLS",
                "begin the endpoint with http://, if nobody can listen in between",
            )
        return Finding(f"TLS with {address} fails: {error.reason or error}", "ask who runs it")
    except OSError as error:
        return Finding(
            f"TLS with {address} fails: {error.strerror or error}",
            "mend OTEL_EXPORTER_OTLP_CERTIFICATE, if that is the file it names",
        )


def _tls(plain: socket.socket, address: Address) -> ssl.SSLSocket:
    authorities = os.environ.get("OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE") or os.environ.get(
        "OTEL_EXPORTER_OTLP_CERTIFICATE"
    )
    context = ssl.create_default_context(cafile=authorities or None)
    context.set_alpn_protocols(["h2", "http/1.1"])
    return context.wrap_socket(plain, server_hostname=address.host)


def spoken_at(address: Address) -> str | None:
    """Return `gRPC`, `HTTP` or `TLS`, by what *address* answers; None where that is unclear."""
    for greeting in (_REQUEST, _PREFACE):
        try:
            answer = _answer(address, greeting)
        except OSError:
            continue
        spoken = _classify(answer)
        if spoken is not None:
            return spoken
    return "TLS" if not address.is_secure and _takes_tls(address) else None


def _takes_tls(address: Address) -> bool:
    """Whether TLS is spoken by one who hangs up on plain words; its certificate does not matter."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        with _connect(address) as plain, context.wrap_socket(plain):
            return True
    except OSError:
        return False


def _answer(address: Address, greeting: bytes) -> bytes:
    with _connect(address) as plain:
        connection = _tls(plain, address) if address.is_secure else plain
        connection.settimeout(_SILENCE_SECONDS)
        connection.sendall(greeting)
        answer = b""
        ends = monotonic() + _PATIENCE_SECONDS
        with suppress(OSError):  # what has come before a silence or a slammed door is an answer
            # One byte after the other may come for ever.
            while len(answer) < _ENOUGH_BYTES and monotonic() < ends:
                part = connection.recv(_ENOUGH_BYTES)
                if not part:
                    break
                answer += part
        return answer


def _classify(answer: bytes) -> str | None:
    if answer.startswith(b"HTTP/"):
        return "TLS" if b"to an HTTPS server" in answer else "HTTP"
    if answer[:1] == bytes([_TLS_ALERT]):
        return "TLS"
    is_frame = len(answer) >= _HTTP2_HEADER_BYTES and answer[3] == _HTTP2_SETTINGS
    return "gRPC" if is_frame else None

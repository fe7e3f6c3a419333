"""Who we are to callers, and who they have to be: certificates that are read anew when their files change."""

from __future__ import annotations

import logging
import ssl
from typing import TYPE_CHECKING, Final, Generic, TypeVar

import grpc

from otel_ml_processor.errors import ConfigError
from otel_ml_processor.file_stamp import file_stamp

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from otel_ml_processor.config import ServerTls
    from otel_ml_processor.file_stamp import FileStamp

__all__ = ["is_of_before", "server_context", "server_credentials"]

_LOGGER: Final = logging.getLogger(__name__)
_Made = TypeVar("_Made")


class _Files(Generic[_Made]):
    """
    The certificate files, and what *make* makes of them: once at the start, and again when they have changed.

    Raises:
        ConfigError: If a file is missing, holds no PEM, or does not belong to the others.
    """

    def __init__(
        self,
        config: ServerTls,
        folder: Path,
        place: str,
        make: Callable[[Mapping[str, Path]], _Made],
    ) -> None:
        names = {
            "cert_file": config.cert_file,
            "key_file": config.key_file,
            "client_ca_file": config.client_ca_file,
        }
        self._place = place
        self._make = make
        self._paths = {key: folder / name for key, name in names.items() if name is not None}
        try:
            self._seen = self._stamps()
            self.first = self._read()
        except ssl.SSLError as error:
            reason = error.reason or error
            raise ConfigError(f"{place}: cannot use these files: {reason}") from None
        except OSError as error:
            raise ConfigError(f"{place}: cannot read {error.filename}: {error.strerror}") from None
        except ValueError as error:
            raise ConfigError(str(error)) from None

    def _stamps(self) -> list[FileStamp | None]:
        return [*map(file_stamp, self._paths.values())]

    def _read(self) -> _Made:
        for key, path in self._paths.items():
            if b"-----BEGIN " not in path.read_bytes():
                raise ValueError(f"{self._place}.{key}: expected PEM, found none in {path}")
        return self._make(self._paths)

    def changed(self) -> _Made | None:
        """Return what the files say since they have changed; None if they have not, or say nothing that can be used."""
        stamps = self._stamps()
        if stamps == self._seen:
            return None
        self._seen = stamps
        try:
            made = self._read()
        except (OSError, ValueError) as error:
            _LOGGER.warning(
                "%s: the certificates in force stay, the new ones are unusable: %s",
                self._place,
                error,
            )
            return None
        _LOGGER.info("%s: certificates were read again", self._place)
        return made


def server_credentials(config: ServerTls, folder: Path, place: str) -> grpc.ServerCredentials:
    """
    Return what a gRPC server needs for *config*, which stands at *place*; paths are relative to *folder*.

    Each new connection looks whether the files have changed. Connections that are open keep what they began with.

    Raises:
        ConfigError: If a file is missing, holds no PEM, or key and certificate do not belong together.
    """
    files = _Files(config, folder, place, _for_grpc)
    return grpc.dynamic_ssl_server_credentials(
        files.first,
        files.changed,
        require_client_authentication=config.client_ca_file is not None,
    )


def server_context(config: ServerTls, folder: Path, place: str) -> ssl.SSLContext:
    """
    Return what an HTTP server needs for *config*; otherwise as `server_credentials`.

    Raises:
        ConfigError: If a file is missing, holds no PEM, or key and certificate do not belong together.
    """
    files = _Files(config, folder, place, _for_http)
    current = files.first

    def renew(connection: ssl.SSLObject, _name: str | None, _context: ssl.SSLContext) -> None:
        nonlocal current
        current = files.changed() or current
        connection.context = current

    # Called at the beginning of every handshake, also of a client that says no name.
    files.first.sni_callback = renew
    return files.first


def is_of_before(connection: ssl.SSLObject, first: ssl.SSLContext) -> bool:
    """Return whether *connection*, to a server that began with *first*, was let in by what certificates said before the files changed."""
    needs_certificate = connection.context.verify_mode is ssl.CERT_REQUIRED
    is_changed = connection.context is not first
    return needs_certificate and is_changed and bool(connection.session_reused)


def _for_grpc(paths: Mapping[str, Path]) -> grpc.ServerCertificateConfiguration:
    # Raises where they do not belong together: gRPC would tell nobody, and serve nobody.
    _for_http(paths)
    content = {key: path.read_bytes() for key, path in paths.items()}
    return grpc.ssl_server_certificate_configuration(
        [(content["key_file"], content["cert_file"])],
        root_certificates=content.get("client_ca_file"),
    )


def _for_http(paths: Mapping[str, Path]) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # Nobody is there to be asked for a password.
    context.load_cert_chain(paths["cert_file"], paths["key_file"], password="")
    if "client_ca_file" in paths:
        context.load_verify_locations(paths["client_ca_file"])
        context.verify_mode = ssl.CERT_REQUIRED
        # Who takes up a session with a ticket is not asked again who signed the certificate, also where other authorities are in force by now.
        context.options |= ssl.OP_NO_TICKET
        context.num_tickets = 0
    return context

"""Who we are to callers, and who they have to be: certificates that are read anew when their files change."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

import grpc

from otel_ml_processor.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

    from otel_ml_processor.config import ServerTls

__all__ = ["server_credentials"]

_LOGGER: Final = logging.getLogger(__name__)
_PLACE: Final = "$.receive.tls"


class _Files:
    """The certificate files as they are now, and as they were when they were last read."""

    def __init__(self, config: ServerTls, folder: Path) -> None:
        names = {
            "cert_file": config.cert_file,
            "key_file": config.key_file,
            "client_ca_file": config.client_ca_file,
        }
        self._paths = {key: folder / name for key, name in names.items() if name is not None}
        self._seen = self._stamps()

    def _stamps(self) -> list[tuple[int, int]]:
        stats = [path.stat() for path in self._paths.values()]
        return [(stat.st_mtime_ns, stat.st_size) for stat in stats]

    def read(self) -> grpc.ServerCertificateConfiguration:
        """Return what the files say; OSError if one cannot be read, ValueError if one holds nothing."""
        found = {key: path.read_bytes() for key, path in self._paths.items()}
        for key, content in found.items():
            if b"-----BEGIN " not in content:
                raise ValueError(f"{_PLACE}.{key}: expected PEM, found none in {self._paths[key]}")
        return grpc.ssl_server_certificate_configuration(
            [(found["key_file"], found["cert_file"])], root_certificates=found.get("client_ca_file")
        )

    def changed(self) -> grpc.ServerCertificateConfiguration | None:
        """Return what the files say since they have changed; None if they have not, or say nothing that can be used."""
        try:
            stamps = self._stamps()
            if stamps == self._seen:
                return None
            self._seen = stamps
            found = self.read()
        except (OSError, ValueError) as error:
            _LOGGER.warning(
                "%s: the certificates in force stay, the new ones are unusable: %s", _PLACE, error
            )
            return None
        _LOGGER.info("%s: certificates were read again", _PLACE)
        return found


def server_credentials(config: ServerTls, folder: Path) -> grpc.ServerCredentials:
    """
    Return the credentials that *config* describes; paths are relative to *folder*.

    Each new connection looks whether the files have changed. Connections that are open keep what they began with.

    Raises:
        ConfigError: If a file is missing or holds no PEM.
    """
    try:
        files = _Files(config, folder)
        return grpc.dynamic_ssl_server_credentials(
            files.read(),
            files.changed,
            require_client_authentication=config.client_ca_file is not None,
        )
    except OSError as error:
        raise ConfigError(f"{_PLACE}: cannot read {error.filename}: {error.strerror}") from None
    except ValueError as error:
        raise ConfigError(str(error)) from None

"""How a next hop is spoken to: in the clear, or over TLS with whatever proves who we are."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

import grpc

from otel_ml_processor.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

    from otel_ml_processor.config import ClientTls

__all__ = ["channel_credentials", "channel_options", "client_context"]


def channel_credentials(config: ClientTls, folder: Path, place: str) -> grpc.ChannelCredentials:
    """
    Return the credentials of a gRPC channel that *config* describes; paths are relative to *folder*, *place* is where it stands.

    Raises:
        ConfigError: If a file cannot be read, holds no PEM, or key and certificate do not belong together.
    """
    # gRPC finds out with the first connection, and does not say what is wrong.
    client_context(config, folder, place)
    names = {
        "ca_file": config.ca_file,
        "key_file": config.key_file,
        "cert_file": config.cert_file,
    }
    ca, key, certificate = (
        None if name is None else _pem(folder / name, f"{place}.tls.{field}")
        for field, name in names.items()
    )
    return grpc.ssl_channel_credentials(ca, key, certificate)


def channel_options(config: ClientTls | None) -> tuple[tuple[str, str], ...]:
    """Return what a channel needs besides its credentials."""
    if config is None or config.server_name_override is None:
        return ()
    return (("grpc.ssl_target_name_override", config.server_name_override),)


def client_context(config: ClientTls, folder: Path, place: str) -> ssl.SSLContext:
    """
    Return the context of an HTTP client that *config* describes; otherwise as `channel_credentials`.

    Raises:
        ConfigError: If a file cannot be read, holds no PEM, or key and certificate do not belong together.
    """
    ca = None if config.ca_file is None else _pem(folder / config.ca_file, f"{place}.tls.ca_file")
    try:
        context = ssl.create_default_context(cadata=ca.decode("ascii", "replace") if ca else None)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if config.cert_file is not None and config.key_file is not None:
            certificate, key = folder / config.cert_file, folder / config.key_file
            _pem(certificate, f"{place}.tls.cert_file")
            _pem(key, f"{place}.tls.key_file")
            # Nobody is there to be asked for a password.
            context.load_cert_chain(certificate, key, password="")
    except ssl.SSLError as error:
        reason = error.reason or error
        raise ConfigError(f"{place}.tls: cannot use these files: {reason}") from None
    return context


def _pem(path: Path, place: str) -> bytes:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{place}: cannot read {path}: {error.strerror}") from None
    if b"-----BEGIN " not in content:
        raise ConfigError(f"{place}: expected PEM, found none in {path}")
    return content

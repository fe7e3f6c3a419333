"""How a next hop is spoken to: in the clear, or over TLS with whatever proves who we are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import grpc

from otel_ml_processor.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

    from otel_ml_processor.config import ClientTls

__all__ = ["channel_credentials", "channel_options"]


def channel_credentials(config: ClientTls, folder: Path, place: str) -> grpc.ChannelCredentials:
    """
    Return the credentials that *config* describes; paths are relative to *folder*, *place* is where it stands.

    Raises:
        ConfigError: If a file cannot be read or holds no PEM.
    """
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


def _pem(path: Path, place: str) -> bytes:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{place}: cannot read {path}: {error.strerror}") from None
    if b"-----BEGIN " not in content:
        raise ConfigError(f"{place}: expected PEM, found none in {path}")
    return content

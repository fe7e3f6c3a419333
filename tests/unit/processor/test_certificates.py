"""Files of certificates that are PEM and of no use: said at the start, at whichever end, over gRPC as over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import trustme
from cryptography.hazmat.primitives import serialization

from otel_ml_processor.config import ClientTls, ServerTls
from otel_ml_processor.errors import ConfigError
from otel_ml_processor.forward.tls import channel_credentials, client_context
from otel_ml_processor.receive.tls import server_context, server_credentials

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

NO_CERTIFICATE = b"-----BEGIN CERTIFICATE-----\nabc\n-----END CERTIFICATE-----\n"
SERVERS = pytest.mark.parametrize("made", [server_context, server_credentials])
CLIENTS = pytest.mark.parametrize("made", [client_context, channel_credentials])


@pytest.fixture(name="folder")
def _folder(tmp_path: Path) -> Path:
    """A folder with a certificate, its key, that key behind a password, and the key of another certificate."""
    authority = trustme.CA()
    mine, other = (authority.issue_cert("localhost") for _ in range(2))
    mine.cert_chain_pems[0].write_to_path(tmp_path / "cert")
    mine.private_key_pem.write_to_path(tmp_path / "key")
    other.private_key_pem.write_to_path(tmp_path / "other")
    key = serialization.load_pem_private_key(mine.private_key_pem.bytes(), None)
    locked = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"a password"),
    )
    (tmp_path / "locked").write_bytes(locked)
    (tmp_path / "none").write_bytes(NO_CERTIFICATE)
    return tmp_path


@SERVERS
@pytest.mark.parametrize(("cert", "key"), [("cert", "other"), ("none", "key"), ("cert", "locked")])
def test_a_server_says_at_once_that_it_could_serve_nobody(
    folder: Path, made: Callable[[ServerTls, Path, str], object], cert: str, key: str
) -> None:
    """Key and certificate of two, no certificate within the PEM, and a key for whose password nobody is asked."""
    with pytest.raises(ConfigError, match=r"^\$\.receive\.tls: cannot use these files: .") as said:
        made(ServerTls(cert_file=cert, key_file=key), folder, "$.receive.tls")
    assert "None" not in str(said.value)
    made(ServerTls(cert_file="cert", key_file="key"), folder, "$.receive.tls")


@CLIENTS
@pytest.mark.parametrize(
    "config",
    [
        ClientTls(ca_file="none"),
        ClientTls(cert_file="cert", key_file="other"),
        ClientTls(cert_file="cert", key_file="locked"),
    ],
)
def test_a_client_says_at_once_that_it_could_reach_nobody(
    folder: Path, made: Callable[[ClientTls, Path, str], object], config: ClientTls
) -> None:
    """The same towards a next hop, and an authority that is none."""
    with pytest.raises(ConfigError, match=r"^\$\.forward\.tls: cannot use these files: .") as said:
        made(config, folder, "$.forward")
    assert "None" not in str(said.value)
    made(ClientTls(ca_file="cert", cert_file="cert", key_file="key"), folder, "$.forward")


@CLIENTS
@pytest.mark.parametrize("config", [ClientTls(ca_file=""), ClientTls(cert_file="", key_file="")])
def test_an_empty_name_of_a_file_is_a_mistake(
    folder: Path, made: Callable[[ClientTls, Path, str], object], config: ClientTls
) -> None:
    """It does not stand for the authorities of this machine, nor for no certificate."""
    with pytest.raises(ConfigError, match=r"^\$\.forward\.tls\.c\w+_file: cannot read "):
        made(config, folder, "$.forward")

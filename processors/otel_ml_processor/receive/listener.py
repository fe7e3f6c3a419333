"""The address to listen on: of this machine only, and free."""

from __future__ import annotations

import errno
import ipaddress
import os
import socket
from typing import Final

from otel_ml_processor.endpoint import host_and_port
from otel_ml_processor.errors import ConfigError

__all__ = ["LOCALHOST", "NO_SUCH_ADDRESS", "check_endpoint"]

LOCALHOST: Final = ("127.0.0.1", "::1")
"""What `localhost` stands for."""
NO_SUCH_ADDRESS: Final = frozenset({errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT})
"""What a machine says that does not have that kind of address."""


def check_endpoint(place: str, endpoint: str, *, may_reach_out: bool) -> None:
    """
    Return if *endpoint*, `host:port`, can be listened on; port 0 stands for any free one.

    *place* is where in the configuration it stands. Only addresses that reach no further than this machine are listened on, unless
    it *may_reach_out*.

    Raises:
        ConfigError: If it is no such address, reaches further, or is used by somebody else.
    """
    host, port = host_and_port(place, endpoint)
    if not may_reach_out and host != "localhost" and not _is_loopback(host):
        raise ConfigError(
            f"{place}: expected an address of this machine such as 127.0.0.1:{port}, got {endpoint!r}; "
            "what others can reach needs TLS (`receive.tls`) or a network that is closed itself (`insecure_bind: true`)"
        )
    for address in LOCALHOST if host == "localhost" else (host,):
        reason = _why_not_free(address, port)
        if reason:
            raise ConfigError(f"{place}: cannot listen on {endpoint}: {reason}")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _why_not_free(address: str, port: int) -> str:
    """Return why nothing can listen there, and what to do; empty if something can, or if this machine does not have that kind of address."""
    # gRPC binds one of the two addresses of `localhost` and says nothing if the other is taken, so each is bound once and let go.
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((address, port))
    except socket.gaierror:
        return "nobody knows that name; write an address of this machine"
    except OSError as error:
        if error.errno in NO_SUCH_ADDRESS:
            return ""
        return f"{os.strerror(error.errno or 0)}; stop what listens there or choose another port"
    return ""

"""The address of a server, written `host:port`."""

from __future__ import annotations

import re
from typing import Final

from otel_ml_processor.errors import ConfigError

__all__ = ["host_and_port", "is_target", "leads_to"]

_ADDRESS: Final = re.compile(r"(?:\[(?P<v6>[^\]\s]+)\]|(?P<host>[^:/\s]+)):(?P<port>[0-9]{1,5})")
_MAX_PORT: Final = 65_535
_HERE: Final = frozenset({"localhost", "127.0.0.1", "::1", "0.0.0.0", "::"})  # noqa: S104 - nothing is bound here


def host_and_port(place: str, endpoint: str) -> tuple[str, int]:
    """Return the parts of `host:port` or `[host]:port`; ConfigError naming *place* for anything else."""
    parts = _parts(endpoint)
    if parts is None:
        raise ConfigError(f"{place}: expected host:port such as 127.0.0.1:14317, got {endpoint!r}")
    return parts


def is_target(endpoint: str) -> bool:
    """Return whether *endpoint* is `host:port` or `[host]:port` that can be connected to: port 0 is none."""
    parts = _parts(endpoint)
    return parts is not None and parts[1] > 0


def leads_to(endpoint: str, listener: str) -> bool:
    """Return whether whoever connects to *endpoint* reaches what listens on *listener* of this machine, as far as their texts tell."""
    target, own = _parts(endpoint), _parts(listener)
    if target is None or own is None or target[1] != own[1]:
        return False
    return target[0] == own[0] or {target[0], own[0]} <= _HERE


def _parts(endpoint: str) -> tuple[str, int] | None:
    found = _ADDRESS.fullmatch(endpoint)
    if found is None or int(found["port"]) > _MAX_PORT:
        return None
    return found["v6"] or found["host"], int(found["port"])

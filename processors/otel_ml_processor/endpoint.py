"""The address of a server, written `host:port`."""

from __future__ import annotations

import re
from typing import Final

from otel_ml_processor.errors import ConfigError

__all__ = ["host_and_port"]

_MAX_PORT: Final = 65_535


def host_and_port(place: str, endpoint: str) -> tuple[str, int]:
    """Return the parts of `host:port` or `[host]:port`; ConfigError naming *place* for anything else."""
    found = re.fullmatch(r"(?:\[(?P<v6>[^\]]+)\]|(?P<host>[^:]+)):(?P<port>[0-9]{1,5})", endpoint)
    if found is None or int(found["port"]) > _MAX_PORT:
        raise ConfigError(f"{place}: expected host:port such as 127.0.0.1:14317, got {endpoint!r}")
    return found["v6"] or found["host"], int(found["port"])

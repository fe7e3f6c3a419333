"""The HTTP server of the pages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from otel_ml_processor.receive.web_server import WebServer

if TYPE_CHECKING:
    from starlette.types import ASGIApp

__all__ = ["HttpServer"]

_PLACE: Final = "$.http.endpoint"


class HttpServer(WebServer):
    """Serves *app* on *endpoint*, written `host:port` or `[host]:port`; port 0 takes a free one."""

    def __init__(self, endpoint: str, app: ASGIApp, *, insecure_bind: bool = False) -> None:
        super().__init__(_PLACE, endpoint, app, may_reach_out=insecure_bind)

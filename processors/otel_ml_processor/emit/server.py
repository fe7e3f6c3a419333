"""The HTTP server of the pages: uvicorn in a thread of its own, on a socket that is bound before anything else starts."""

from __future__ import annotations

import socket
import threading
from typing import TYPE_CHECKING, Final

import uvicorn

from otel_ml_processor.errors import ConfigError
from otel_ml_processor.receive.listener import check_endpoint, host_and_port

if TYPE_CHECKING:
    from starlette.types import ASGIApp

__all__ = ["HttpServer"]

_PLACE: Final = "$.http.endpoint"


class HttpServer:
    """Serves *app* on *endpoint*, written `host:port` or `[host]:port`; port 0 takes a free one."""

    def __init__(self, endpoint: str, app: ASGIApp, *, insecure_bind: bool = False) -> None:
        self._endpoint = endpoint
        self._insecure_bind = insecure_bind
        self._host, self._port = host_and_port(_PLACE, endpoint)
        self._socket: socket.socket | None = None
        self._server = uvicorn.Server(
            uvicorn.Config(
                app,
                http="h11",
                ws="none",
                lifespan="off",
                log_config=None,
                log_level="warning",
                access_log=False,
                server_header=False,
                timeout_graceful_shutdown=2,
            )
        )
        self._thread = threading.Thread(target=self._run, name="otel-ml-http", daemon=True)

    @property
    def endpoint(self) -> str:
        """`host:port` as it is served: after `start` with the real port."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"{host}:{self._port}"

    def start(self) -> None:
        """
        Listen; a client that comes before the thread is up waits in the socket's queue.

        Raises:
            ConfigError: If the address cannot be listened on, naming it and the reason.
        """
        check_endpoint(_PLACE, self._endpoint, may_reach_out=self._insecure_bind)
        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        try:
            self._socket = socket.create_server((self._host, self._port), family=family)
        except OSError as error:
            reason = str(error.strerror).partition(" (")[0]
            message = f"{_PLACE}: cannot listen on {self._endpoint}: {reason}; choose a free port"
            raise ConfigError(message) from None
        self._port = self._socket.getsockname()[1]
        self._thread.start()

    def stop(self, timeout_s: float = 5.0) -> None:
        """Answer what is being answered, close the socket and end the thread, within *timeout_s*."""
        self._server.should_exit = True
        if self._socket is not None:
            self._thread.join(timeout_s)

    def _run(self) -> None:
        self._server.run(sockets=[self._socket] if self._socket is not None else [])

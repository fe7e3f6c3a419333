"""An HTTP server in a thread of its own, on a socket that is bound before anything else starts."""

from __future__ import annotations

import socket
import threading
from typing import TYPE_CHECKING, cast

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from otel_ml_processor.endpoint import host_and_port
from otel_ml_processor.errors import ConfigError
from otel_ml_processor.receive.listener import LOCALHOST, NO_SUCH_ADDRESS, check_endpoint
from otel_ml_processor.receive.tls import is_of_before

if TYPE_CHECKING:
    import asyncio
    import ssl

    from starlette.types import ASGIApp

__all__ = ["WebServer"]


class WebServer:
    """
    Serves *app* on *endpoint*, written `host:port` or `[host]:port`, which stands at *place* in the configuration.

    Port 0 takes a free one, `localhost` both of its addresses. Over *tls* where that is given. A connection on which no request begins is closed after *keep_alive_s*, at the latest after twice that;
    more than *max_connections* (None: no limit) are answered 503; `stop` waits *grace_s* for requests in flight.

    Raises:
        ConfigError: If *endpoint* is no address.
    """

    def __init__(
        self,
        place: str,
        endpoint: str,
        app: ASGIApp,
        *,
        may_reach_out: bool = False,
        tls: ssl.SSLContext | None = None,
        keep_alive_s: int = 5,
        max_connections: int | None = None,
        grace_s: int = 2,
    ) -> None:
        self._place = place
        self._endpoint = endpoint
        self._may_reach_out = may_reach_out
        self._host, self._port = host_and_port(place, endpoint)
        self._sockets: list[socket.socket] = []
        config = uvicorn.Config(
            app,
            # Served alike everywhere: left to uvicorn it would be uvloop where that happens to be installed.
            loop="asyncio",
            http=_Impatient,
            ws="none",
            lifespan="off",
            log_config=None,
            log_level="warning",
            access_log=False,
            server_header=False,
            proxy_headers=False,
            limit_concurrency=max_connections,
            timeout_keep_alive=keep_alive_s,
            timeout_graceful_shutdown=grace_s,
        )
        config.load()
        config.ssl = tls
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._run, name="otel-ml-http", daemon=True)

    @property
    def endpoint(self) -> str:
        """`host:port` as it is served: after `start` with the real port."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"{host}:{self._port}"

    def bind(self) -> None:
        """
        Take the address; a client that comes before `start` waits in the socket's queue.

        Raises:
            ConfigError: If the address cannot be listened on, naming it and the reason.
        """
        check_endpoint(self._place, self._endpoint, may_reach_out=self._may_reach_out)
        try:
            self._listen()
        except OSError as error:
            self._let_go()
            reason = str(error.strerror).partition(" (")[0]
            message = (
                f"{self._place}: cannot listen on {self._endpoint}: {reason}; choose a free port"
            )
            raise ConfigError(message) from None

    def _listen(self) -> None:
        # Whoever connects to `localhost` may mean either, and takes no for an answer; gRPC listens on both too.
        for host in LOCALHOST if self._host == "localhost" else (self._host,):
            try:
                self._sockets.append(_bound(host, self._port))
            except OSError as error:
                if not self._sockets or error.errno not in NO_SUCH_ADDRESS:
                    raise
            self._port = self._sockets[0].getsockname()[1]

    def start(self) -> None:
        """
        Serve, on the address that `bind` took or now takes.

        Raises:
            ConfigError: As `bind`.
        """
        if not self._sockets:
            self.bind()
        self._thread.start()

    def stop(self, timeout_s: float = 5.0) -> None:
        """Answer what is being answered, close the socket and end the thread, within *timeout_s*."""
        self._server.should_exit = True
        if self._thread.is_alive():
            self._thread.join(timeout_s)
        else:
            self._let_go()

    def _run(self) -> None:
        self._server.run(sockets=self._sockets)

    def _let_go(self) -> None:
        while self._sockets:
            self._sockets.pop().close()


def _bound(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # All addresses are all, as gRPC has it: without this none but those of IPv6.
    is_all = host == "::" and socket.has_dualstack_ipv6()
    return socket.create_server((host, port), family=family, dualstack_ipv6=is_all)


class _Impatient(H11Protocol):
    """A connection that is closed when no request begins on it, whether its sender is silent or trickles."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # What a selector's transport is called; uvicorn asks for it by the name of its class.
        super().connection_made(cast("asyncio.Transport", transport))
        tls = transport.get_extra_info("ssl_object")
        if tls is not None and is_of_before(tls, transport.get_extra_info("sslcontext")):
            # TLS 1.2 also has sessions without a ticket; one that breaks off is forgotten, and the next connection begins anew.
            self.transport.abort()
            return
        self._look_again(None)

    def _look_again(self, last: object) -> None:
        self.loop.call_later(self.timeout_keep_alive, self._look, last)

    def _look(self, last: object) -> None:
        if self.transport.is_closing():
            return
        if self.conn.their_state is h11.IDLE and self.cycle is last:
            self.transport.close()
        else:
            self._look_again(self.cycle)

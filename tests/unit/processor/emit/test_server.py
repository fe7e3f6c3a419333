"""The HTTP server of the pages."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from otel_ml_processor.emit.server import HttpServer
from otel_ml_processor.errors import ConfigError
from tests.integration.real_servers import free_port


def app() -> Starlette:
    """Return an application with one page."""
    return Starlette(routes=[Route("/", lambda _: PlainTextResponse("here"))])


def get(endpoint: str) -> httpx.Response:
    """Return the answer of *endpoint*."""
    with httpx.Client(trust_env=False, timeout=60) as client:
        return client.get(f"http://{endpoint}/")


def test_a_free_port_is_found_and_told() -> None:
    """Port 0 takes a free one, and the server answers as soon as `start` returns."""
    server = HttpServer("127.0.0.1:0", app())
    server.start()

    answer = get(server.endpoint)

    server.stop()
    assert not server.endpoint.endswith(":0")
    assert answer.text == "here"
    assert "server" not in answer.headers


def test_a_stopped_server_has_let_go_of_its_port() -> None:
    """After `stop` nobody answers, and another server can take the same address."""
    first = HttpServer(f"127.0.0.1:{free_port()}", app())
    first.start()
    get(first.endpoint)
    first.stop(60)

    with pytest.raises(httpx.ConnectError):
        get(first.endpoint)
    second = HttpServer(first.endpoint, app())
    second.start()
    assert get(second.endpoint).text == "here"
    second.stop()


def test_a_used_port_is_an_error_of_the_configuration() -> None:
    """Start fails at once, with a line that names the setting, the address and the reason."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        endpoint = f"127.0.0.1:{taken.getsockname()[1]}"
        server = HttpServer(endpoint, app())

        with pytest.raises(ConfigError) as caught:
            server.start()

    message = str(caught.value)
    reason = os.strerror(errno.EADDRINUSE)
    assert message.startswith(f"$.http.endpoint: cannot listen on {endpoint}: {reason}; ")
    assert "choose another port" in message
    server.stop()


@pytest.mark.parametrize(
    "endpoint",
    ["", "localhost", ":19464", "127.0.0.1:", "127.0.0.1:http", "h:-1", "h:65536", "h:٣"],
)
def test_an_endpoint_that_is_none_is_refused(endpoint: str) -> None:
    """What is not host:port never reaches the network; the message says what was expected and found."""
    with pytest.raises(ConfigError) as caught:
        HttpServer(endpoint, app())

    assert "expected host:port" in str(caught.value)
    assert repr(endpoint) in str(caught.value)


def test_a_host_that_does_not_exist_is_an_error_of_the_configuration() -> None:
    """A name or address that is not of this machine is told like a used port."""
    server = HttpServer("192.0.2.1:0", app(), insecure_bind=True)

    with pytest.raises(ConfigError, match=r"\$\.http\.endpoint: cannot listen on 192\.0\.2\.1:0"):
        server.start()


@pytest.mark.parametrize("endpoint", ["0.0.0.0:0", "[::]:0", "192.0.2.1:0"])
def test_only_this_machine_is_served_unless_told_otherwise(endpoint: str) -> None:
    """The page shows what models see; without TLS it is for this machine."""
    with pytest.raises(ConfigError, match=r"\$\.http\.endpoint: expected an address of this"):
        HttpServer(endpoint, app()).start()


def test_a_closed_network_is_served_when_told_so() -> None:
    """In a compose file every container has an address of its own."""
    server = HttpServer("0.0.0.0:0", app(), insecure_bind=True)
    server.start()
    server.stop()


def test_all_addresses_are_those_of_both_kinds() -> None:
    """`[::]` takes callers over IPv4 too, as the door of gRPC does."""
    server = HttpServer("[::]:0", app(), insecure_bind=True)
    server.start()
    port = server.endpoint.rpartition(":")[2]

    answers = [get(f"{host}:{port}").text for host in ("127.0.0.1", "[::1]")]

    server.stop()
    assert answers == ["here", "here"]


def test_localhost_is_both_of_its_addresses() -> None:
    """A client that tries `::1` first, as Node.js does, is served, and so is one that tries `127.0.0.1`; both end together."""
    server = HttpServer(f"localhost:{free_port()}", app())
    server.start()
    port = server.endpoint.rpartition(":")[2]

    answers = [get(f"{host}:{port}").text for host in ("127.0.0.1", "[::1]", "localhost")]

    server.stop(60)
    assert answers == ["here"] * 3
    for host in ("127.0.0.1", "[::1]"):
        with pytest.raises(httpx.ConnectError):
            get(f"{host}:{port}")


def test_localhost_without_ipv6_is_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where this machine has no address of that kind, nobody can mean it."""
    bind = socket.create_server

    def without_ipv6(address: tuple[str, int], **options: Any) -> socket.socket:
        """Bind as a machine that has no IPv6 does."""
        if ":" in address[0]:
            raise OSError(errno.EADDRNOTAVAIL, os.strerror(errno.EADDRNOTAVAIL))
        return bind(address, **options)

    monkeypatch.setattr(socket, "create_server", without_ipv6)
    server = HttpServer("localhost:0", app())
    server.start()

    assert get(f"127.0.0.1:{server.endpoint.rpartition(':')[2]}").text == "here"

    server.stop()


def test_half_of_localhost_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where somebody takes one of its addresses in the meantime, the other is let go again, and the reason is said."""
    bind = socket.create_server
    bound: list[socket.socket] = []

    def outrun(address: tuple[str, int], **options: Any) -> socket.socket:
        """Bind as if somebody else had taken the second address."""
        if ":" in address[0]:
            raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))
        bound.append(bind(address, **options))
        return bound[0]

    monkeypatch.setattr(socket, "create_server", outrun)

    with pytest.raises(ConfigError, match=os.strerror(errno.EADDRINUSE)):
        HttpServer("localhost:0", app()).start()

    assert [each.fileno() for each in bound] == [-1]


def test_ipv6_is_written_in_brackets() -> None:
    """An IPv6 address is read and told the way a URL has it."""
    assert HttpServer("[::1]:19464", app()).endpoint == "[::1]:19464"


def test_the_loop_is_pythons_own() -> None:
    """Served alike everywhere: what happens to be installed (the tests have uvloop) changes nothing."""

    async def loop_of(_: Request) -> PlainTextResponse:
        """Answer with where the running loop's class is from."""
        return PlainTextResponse(type(asyncio.get_running_loop()).__module__)

    server = HttpServer("127.0.0.1:0", Starlette(routes=[Route("/", loop_of)]))
    server.start()

    answer = get(server.endpoint)

    server.stop()
    assert answer.text.startswith("asyncio.")


def test_a_server_that_never_ran_can_be_stopped() -> None:
    """A start that failed elsewhere cleans up without an error."""
    HttpServer("127.0.0.1:0", app()).stop()

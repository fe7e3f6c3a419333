"""Connections that are slow, idle, too many, or break the rules; whoever keeps them is served as before."""

from __future__ import annotations

import resource
import socket
import time
from contextlib import ExitStack, suppress
from itertools import count
from typing import TYPE_CHECKING

import grpc
import httpx
import pytest

from tests.data.state_house import request
from tests.faults.hop import Hop
from tests.faults.http2 import GOAWAY, HEADERS, PING, RST_STREAM, Http2
from tests.faults.senders import Sender
from tests.integration.real_servers import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

PROTOBUF = {"content-type": "application/x-protobuf"}
NUMBERS = count()
IDLE = 10_000
_CALM = 11
"""What HTTP/2 calls the end of who did too much (ENHANCE_YOUR_CALM)."""


@pytest.fixture(scope="module", name="one")
def _one(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hop]:
    """One processor in mode tee for all tests of this file, which must not need a restart."""
    with Hop(tmp_path_factory.mktemp("hop"), None).running() as hop:
        soft, hard = resource.prlimit(hop.pid, resource.RLIMIT_NOFILE)
        wanted = min(2 * IDLE, hard) if hard != resource.RLIM_INFINITY else 2 * IDLE
        resource.prlimit(hop.pid, resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
        yield hop


@pytest.fixture(name="hop")
def _hop(one: Hop) -> Iterator[Hop]:
    """The processor, which in the end serves everybody at both doors."""
    yield one
    assert served(one) is grpc.StatusCode.OK
    assert eventually(lambda: served_by_http(one), (200).__eq__, 60) == 200
    assert one.is_alive()


def served(hop: Hop) -> grpc.StatusCode:
    """Return what a new sender's request is answered within twenty seconds."""
    sender = Sender(hop.grpc)
    try:
        error = sender.once(request([next(NUMBERS)]), deadline_s=20)
        return grpc.StatusCode.OK if error is None else error.code()
    finally:
        sender.close()


def served_by_http(hop: Hop) -> int:
    """Return the status that a new sender's request has over HTTP; 0 where there is none."""
    one = request([next(NUMBERS)])
    with suppress(httpx.TransportError):
        url = f"http://{hop.http}/v1/traces"
        return httpx.post(
            url, content=one, headers=PROTOBUF, trust_env=False, timeout=20
        ).status_code
    return 0


def connected(stack: ExitStack, address: str, n: int) -> list[socket.socket]:
    """Return *n* connections that are closed with *stack*."""
    host, _, port = address.rpartition(":")
    return [stack.enter_context(socket.create_connection((host, int(port)), 20)) for _ in range(n)]


@pytest.mark.long
def test_ten_thousand_idle_connections_over_grpc_cost_memory_and_nothing_else(hop: Hop) -> None:
    """A request is answered beside them, in 32 KiB or less for each; as many as there are descriptors for, where that is fewer."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 2 * IDLE)), hard))
    n = min(IDLE, resource.getrlimit(resource.RLIMIT_NOFILE)[0] - 500)
    before = hop.resident_bytes()
    with ExitStack() as stack:
        connected(stack, hop.grpc, n)
        assert served(hop) is grpc.StatusCode.OK
        assert hop.resident_bytes() - before < n * (32 << 10)
    assert served(hop) is grpc.StatusCode.OK


def test_idle_connections_over_http_are_bounded_and_disturb_nobody_over_grpc(hop: Hop) -> None:
    """More than are held: whoever comes over HTTP then is told 503, which is to come again; over gRPC all goes on."""
    with ExitStack() as stack:
        connected(stack, hop.http, 1100)
        assert served(hop) is grpc.StatusCode.OK
        assert served_by_http(hop) in {0, 503}
        assert hop.is_alive()
    assert eventually(lambda: served_by_http(hop), (200).__eq__, 60) == 200


def test_who_says_a_byte_at_a_time_keeps_nobody_waiting(hop: Hop) -> None:
    """A hundred such at each door, in the middle of a header and in the middle of a body."""
    begun = f"POST /v1/traces HTTP/1.1\r\nhost: x\r\ncontent-type: {PROTOBUF['content-type']}\r\n"
    in_body = f"{begun}content-length: 100000\r\n\r\n"
    with ExitStack() as stack:
        slow = {
            said: connected(stack, address, 100)
            for said, address in (
                (begun.encode(), hop.http),
                (in_body.encode(), hop.http),
                (b"PRI * HTTP/2", hop.grpc),
            )
        }
        for said, sockets in slow.items():
            for one in sockets:
                one.sendall(said)
        for _ in range(5):
            for sockets in slow.values():
                for one in sockets:
                    with suppress(OSError):
                        one.sendall(b"x")
            begin = time.monotonic()
            assert served(hop) is grpc.StatusCode.OK
            assert served_by_http(hop) == 200
            assert time.monotonic() - begin < 25  # who waits for the slow ones waits for thirty


def test_a_flood_of_pings_ends_its_connection_and_no_other(hop: Hop) -> None:
    """GOAWAY with `too_many_pings`; a sender that had been there before is served on."""
    sender = Sender(hop.grpc)
    sender.send(request([next(NUMBERS)]))
    flood = Http2(hop.grpc)
    with suppress(OSError):
        for number in range(1000):
            flood.send(PING, 0, 0, number.to_bytes(8, "big"))
    frames = flood.until_closed()
    flood.close()
    goodbyes = [frame.payload for frame in frames if frame.kind == GOAWAY]
    assert goodbyes
    assert int.from_bytes(goodbyes[-1][4:8], "big") == _CALM
    assert b"too_many_pings" in goodbyes[-1]
    sender.send(request([next(NUMBERS)]))
    assert sender.repeats == 0
    sender.close()


@pytest.mark.long
def test_calls_that_are_begun_and_reset_at_once_leave_nothing_behind(hop: Hop) -> None:
    """Twenty thousand of them on five connections: memory stays within 64 MiB, and others are served beside it."""
    before = hop.resident_bytes()
    for _ in range(5):
        flood = Http2(hop.grpc)
        with suppress(OSError):
            for stream in range(1, 8001, 2):
                flood.call(stream)
                flood.send(RST_STREAM, 0, stream, (8).to_bytes(4, "big"))
        assert served(hop) is grpc.StatusCode.OK
        flood.close()
    assert hop.resident_bytes() - before < 64 << 20


def test_a_flood_of_headers_is_refused(hop: Hop) -> None:
    """A megabyte of them in one call, and headers that never end: that call fails, memory stays, others are served."""
    before = hop.resident_bytes()
    large = Http2(hop.grpc)
    with suppress(OSError):
        large.call(1, {f"x-{n}": "v" * 1000 for n in range(1000)})
    large.until_over(1)
    trailers = [f for f in large.frames if f.stream == 1 and f.kind == HEADERS]
    assert not any(b"grpc-status\x010" in frame.payload for frame in trailers)
    large.close()
    endless = Http2(hop.grpc)
    with suppress(OSError):
        for _ in range(200):
            endless.call(1, {"x": "v" * 10_000}, is_whole=False)
    assert served(hop) is grpc.StatusCode.OK
    endless.close()
    assert hop.resident_bytes() - before < 32 << 20


def test_the_largest_headers_that_are_read_over_http(hop: Hop) -> None:
    """A header of a megabyte is refused with an HTTP status, not with a crash."""
    answer = b""
    with ExitStack() as stack:
        (one,) = connected(stack, hop.http, 1)
        with suppress(OSError):
            one.sendall(b"POST /v1/traces HTTP/1.1\r\nx: " + b"v" * (1 << 20))
            answer = one.recv(100)
    assert answer[:13] in {b"", b"HTTP/1.1 400 ", b"HTTP/1.1 431 "}

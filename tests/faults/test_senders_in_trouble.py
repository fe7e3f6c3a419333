"""Senders that leave too early, change their mind, come twice at once, or come late with what is old."""

from __future__ import annotations

import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import grpc
import pytest

from tests.data.state_house import request, singly
from tests.faults.hop import DUPLICATES, Hop, recomputed, refused
from tests.faults.peers import Peer, taking
from tests.faults.senders import EXPORT, Sender, is_retryable, span_ids
from tests.integration.real_servers import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(name="peer")
def _peer() -> Iterator[Peer]:
    """The next hop."""
    with Peer().serving() as peer:
        yield peer


@pytest.fixture(name="hop")
def _hop(tmp_path: Path, peer: Peer) -> Iterator[Hop]:
    """A processor in line before `peer`, with a state."""
    with Hop(tmp_path, peer.endpoint, "state: {directory: state}").running() as hop:
        yield hop


def test_too_little_time_is_refused_before_anything_is_forwarded(hop: Hop, peer: Peer) -> None:
    """A sender that waits a millisecond keeps its spans; with time enough they arrive, are counted once, and what was refused is counted."""
    sender = Sender(hop.grpc)
    sender.send(request([0]))  # connected from here on
    for number in range(1, 200):
        error = sender.once(request([number]), deadline_s=0.001)
        assert error is not None
        assert is_retryable(error)
    for number in range(1, 200):
        sender.send(request([number]))
    sender.close()
    assert set(peer.span_ids()) == set(span_ids(sender.acknowledged))
    assert hop.samples(200) == 200

    def seen() -> float:
        return hop.total(refused("deadline")) + hop.total(refused("unreadable"))

    assert eventually(lambda: len(peer.taken) - 200 + seen(), bool, 60) >= 1


def test_a_call_that_is_cancelled_and_repeated_is_counted_once(hop: Hop, peer: Peer) -> None:
    """Its sender left while the next hop had it; the next hop took it, so it is counted, and the repeated one goes nowhere."""
    arrived, go_on = threading.Event(), threading.Event()

    def slow(_: bytes, __: grpc.ServicerContext) -> bytes:
        arrived.set()
        go_on.wait(60)
        return b""

    peer.behaviour = slow
    one = request(range(20))
    with grpc.insecure_channel(hop.grpc) as channel:
        call = channel.unary_unary(EXPORT).future(one, timeout=60)
        assert arrived.wait(60)
        call.cancel()
        go_on.set()
    peer.behaviour = taking
    assert hop.samples(20) == 20
    sender = Sender(hop.grpc)
    sender.send(one)
    sender.close()
    assert peer.span_ids() == span_ids([one])
    assert hop.samples(20) == 20
    assert hop.total(DUPLICATES) == 20


def test_the_same_request_many_times_at_once_goes_on_once(hop: Hop, peer: Peer) -> None:
    """Twelve senders, one request, a next hop that takes its time: all are answered, it arrives once and is counted once."""
    arrived, go_on = threading.Event(), threading.Event()

    def slow(_: bytes, __: grpc.ServicerContext) -> bytes:
        arrived.set()
        go_on.wait(60)
        return b""

    peer.behaviour = slow
    one = request(range(30))

    def send(_: int) -> grpc.StatusCode:
        sender = Sender(hop.grpc, deadline_s=20)
        try:
            return sender.send(one)
        finally:
            sender.close()

    with ThreadPoolExecutor(12) as threads:
        answers = threads.map(send, range(12))
        assert arrived.wait(60)
        go_on.set()
        assert list(answers) == [grpc.StatusCode.OK] * 12
    assert peer.span_ids() == span_ids([one])
    assert hop.samples(30) == 30
    assert hop.total(DUPLICATES) == 330


def test_in_any_order_and_batched_anew_the_windows_are_the_same(hop: Hop, peer: Peer) -> None:
    """Sixty requests, shuffled, a third of them span by span beside, over four connections at once: byte for byte those of the requests in their order."""
    at_ns = time.time_ns()
    requests = [request(range(10 * n, 10 * n + 10), at_ns=at_ns) for n in range(60)]
    coming = requests + singly(requests[::3])
    random.Random(3).shuffle(coming)

    def send(portion: list[bytes]) -> None:
        sender = Sender(hop.grpc)
        for one in portion:
            sender.send(one)
        sender.close()

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(send, [coming[n::4] for n in range(4)]))
    assert set(peer.span_ids()) == set(span_ids(requests))
    assert hop.stop() == 0
    assert hop.windows() == recomputed(requests, at_ns)

"""The next hop refuses, hangs, trickles, resets, answers late, or answers nonsense; one processor lives through all of it."""

from __future__ import annotations

import random
import threading
import time
from contextlib import ExitStack
from itertools import count
from typing import TYPE_CHECKING, NamedTuple

import grpc
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTracePartialSuccess,
    ExportTraceServiceResponse,
)

from tests.data.state_house import request
from tests.faults.hop import Hop, refused
from tests.faults.lines import Fault, Line
from tests.faults.peers import Behaviour, Peer, aborting, taking
from tests.faults.senders import EXPORT, Load, Sender, span_ids
from tests.integration.real_servers import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator


NOW = time.time_ns()
FIRST = count(100_000_000, 100_000_000)
"""The first inference of each test: none has been in another one."""


class House(NamedTuple):
    """The processor, its next hop, and the line between them."""

    hop: Hop
    peer: Peer
    line: Line

    def has(self, sent: list[bytes]) -> list[bytes]:
        """Return the ids of the spans of *sent* that the next hop has, once for each time."""
        wanted = set(span_ids(sent))
        return [span for span in self.peer.span_ids() if span in wanted]


@pytest.fixture(scope="module", name="one")
def _one(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """One processor for all tests of this file, which must not need a restart."""
    with ExitStack() as stack:
        peer = stack.enter_context(Peer().serving())
        line = stack.enter_context(Line(peer.endpoint).serving())
        hop = Hop(tmp_path_factory.mktemp("hop"), line.endpoint)
        yield House(stack.enter_context(hop.running()), peer, line)


@pytest.fixture(name="house")
def _house(one: House) -> Iterator[House]:
    """The processor with a next hop in order; in the end it is alive and takes requests."""
    one.peer.behaviour, one.line.fault = taking, "none"
    one.peer.taken.clear()
    yield one
    one.peer.behaviour, one.line.fault = taking, "none"
    sender = Sender(one.hop.grpc)
    assert sender.send(request([next(FIRST)], "last"), within_s=60) is grpc.StatusCode.OK
    sender.close()
    assert one.hop.is_alive()


@pytest.mark.long
@pytest.mark.parametrize("fault", ["refuses", "hangs", "trickles", "resets", "closes"])
def test_while_the_line_is_broken_senders_keep_their_spans(house: House, fault: Fault) -> None:
    """
    For two seconds under load.

    None is told that a span arrived which did not, none is told to drop one. Afterwards, without a restart, all arrive, and each is
    counted once, also where the next hop had it already.
    """
    model, before = f"line {fault}", house.hop.series()[refused("next_hop")]
    load = Load(house.hop.grpc, NOW, n_senders=2, model=model, first=next(FIRST), deadline_s=1)
    eventually(lambda: len(load.acknowledged), lambda n: n > 3, 60)
    house.line.fault = fault
    assert eventually(lambda: load.repeats, lambda n: n > 1, 60) > 1
    time.sleep(1)
    house.line.fault = "none"
    enough = len(load.acknowledged) + 10
    assert eventually(lambda: len(load.acknowledged), enough.__le__, 60) >= enough
    acknowledged = load.stop()
    assert not load.dropped
    sent = span_ids(acknowledged)
    assert sorted(set(house.has(acknowledged))) == sent
    assert house.hop.samples(len(sent), model) == len(sent)
    assert house.hop.series()[refused("next_hop")] > before


def test_an_answer_that_comes_too_late_is_an_answer_that_is_not_known(house: House) -> None:
    """
    The next hop takes a request and says so after the sender's deadline.

    The sender is told in time to come again. It does, and the next hop has the span twice, for nobody could know; we count it once.
    """
    first, is_first, is_told = next(FIRST), threading.Event(), threading.Event()

    def late(_: bytes, __: grpc.ServicerContext) -> bytes:
        if not is_first.is_set():
            is_first.set()
            is_told.wait(60)
        return b""

    house.peer.behaviour = late
    sender = Sender(house.hop.grpc)
    one = request(range(first, first + 30), "late")
    error = sender.once(one, deadline_s=4)
    assert is_first.is_set()
    is_told.set()
    assert error is not None
    assert error.code() in {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED}
    sender.send(one)
    sender.close()
    assert eventually(lambda: len(house.has([one])), (60).__le__, 60) == 60
    assert house.hop.samples(30, "late") == 30


def mixed(*behaviours: tuple[float, Behaviour]) -> Behaviour:
    """Return what behaves in that share of the calls as said, and takes the others; the same in every run."""
    drawn, lock = random.Random(5), threading.Lock()

    def behave(one: bytes, context: grpc.ServicerContext) -> bytes:
        with lock:
            at = drawn.random()
        for share, behaviour in behaviours:
            if at < share:
                return behaviour(one, context)
            at -= share
        return b""

    return behave


def raising(_: bytes, __: grpc.ServicerContext) -> bytes:
    """Fail inside, which a sender sees as UNKNOWN."""
    raise RuntimeError("a mistake of the next hop")


def with_garbage(code: grpc.StatusCode) -> Behaviour:
    """Return what refuses with *code* and details that are none."""

    def refuse(_: bytes, context: grpc.ServicerContext) -> bytes:
        context.set_trailing_metadata((("grpc-status-details-bin", b"\xff\x00\xff" * 20),))
        context.abort(code, "as the test says")
        raise AssertionError

    return refuse


CODE = grpc.StatusCode
FOR_NOW = {
    "UNAVAILABLE in 70 %": mixed((0.7, aborting(CODE.UNAVAILABLE))),
    "UNAVAILABLE with a time": mixed((0.5, aborting(CODE.UNAVAILABLE, 0.05))),
    "RESOURCE_EXHAUSTED with a time": mixed((0.7, aborting(CODE.RESOURCE_EXHAUSTED, 0.05))),
    "ABORTED, DATA_LOSS, CANCELLED": mixed(
        (0.2, aborting(CODE.ABORTED)),
        (0.2, aborting(CODE.DATA_LOSS)),
        (0.2, aborting(CODE.CANCELLED)),
    ),
    "UNAVAILABLE with garbage": mixed((0.5, with_garbage(CODE.UNAVAILABLE))),
}
FOR_GOOD = {
    "RESOURCE_EXHAUSTED": aborting(CODE.RESOURCE_EXHAUSTED),
    "RESOURCE_EXHAUSTED with garbage": with_garbage(CODE.RESOURCE_EXHAUSTED),
    "INTERNAL": aborting(CODE.INTERNAL),
    "UNAUTHENTICATED": aborting(CODE.UNAUTHENTICATED),
    "INVALID_ARGUMENT": aborting(CODE.INVALID_ARGUMENT),
    "UNKNOWN": raising,
}


def send_all(house: House, model: str, n: int = 60) -> Sender:
    """Send *n* requests of ten inferences of *model*, each until it has an answer that holds."""
    first = next(FIRST)
    sender = Sender(house.hop.grpc)
    for i in range(n):
        sender.send(request(range(first + 10 * i, first + 10 * i + 10), model))
    sender.close()
    return sender


@pytest.mark.parametrize("said", FOR_NOW)
def test_what_is_refused_for_now_comes_again_and_arrives_once(house: House, said: str) -> None:
    """All arrive, nothing twice, and each is counted once."""
    house.peer.behaviour = FOR_NOW[said]
    sender = send_all(house, said)
    assert sender.repeats > 5
    assert not sender.dropped
    sent = span_ids(sender.acknowledged)
    assert len(sent) == 600
    assert house.has(sender.acknowledged) == sent
    assert house.hop.samples(600, said) == 600


@pytest.mark.parametrize("said", FOR_GOOD)
def test_what_is_refused_for_good_is_neither_repeated_nor_counted(house: House, said: str) -> None:
    """In three of ten calls: the sender learns of each, and what it was told to have arrived is what has arrived and is counted."""
    house.peer.behaviour = mixed((0.3, FOR_GOOD[said]))
    before = house.hop.series()[refused("next_hop")]
    sender = send_all(house, said)
    assert sender.repeats == 0
    assert sender.dropped
    assert len(sender.dropped) + len(sender.acknowledged) == 60
    assert house.has(sender.dropped + sender.acknowledged) == span_ids(sender.acknowledged)
    expected = 10 * len(sender.acknowledged)
    assert house.hop.samples(expected, said) == expected
    assert house.hop.series()[refused("next_hop")] - before == len(sender.dropped)


def test_refused_for_now_for_good_and_taken_in_any_order(house: House) -> None:
    """Each request is either acknowledged and there once, or dropped by its sender and not there."""
    house.peer.behaviour = mixed(
        (0.3, aborting(CODE.UNAVAILABLE, 0.02)), (0.2, aborting(CODE.INTERNAL))
    )
    sender = send_all(house, "mixed")
    assert sender.repeats
    assert sender.dropped
    assert house.has(sender.dropped + sender.acknowledged) == span_ids(sender.acknowledged)
    assert house.hop.samples(10 * len(sender.acknowledged), "mixed") == 10 * len(
        sender.acknowledged
    )


def test_a_partial_success_is_told_and_not_repeated(house: House) -> None:
    """The next hop rejects three of ten: the sender reads so, we count what was said to have been sent and what was not."""
    partial = ExportTraceServiceResponse(
        partial_success=ExportTracePartialSuccess(rejected_spans=3, error_message="too old")
    ).SerializeToString()
    house.peer.behaviour = lambda _, __: partial
    first = next(FIRST)
    before = house.hop.series()
    with grpc.insecure_channel(house.hop.grpc) as channel:
        one = request(range(first, first + 10), "partial")
        assert channel.unary_unary(EXPORT)(one, timeout=60) == partial
        assert channel.unary_unary(EXPORT)(one, timeout=60) == partial
    after = house.hop.series()
    for name, expected in (("sent", 7), ("send_failed", 3)):
        key = f'otelcol_exporter_{name}_spans_total{{exporter="otlp"}}'
        assert after[key] - before[key] == expected
    assert len(house.has([one])) == 10


def test_an_answer_that_is_too_large_ends_one_call_and_nothing_else(house: House) -> None:
    """Five mebibytes where four are read: refused for good, not counted; memory stays, and the next request is taken."""
    house.peer.behaviour = lambda _, __: bytes(5 << 20)
    first = next(FIRST)
    sender = Sender(house.hop.grpc)
    before = house.hop.resident_bytes()
    for i in range(20):
        code = sender.send(request([first + i], "large answers"))
        assert code is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert house.hop.resident_bytes() - before < 40 << 20
    house.peer.behaviour = taking
    assert sender.send(request([first + 30], "large answers")) is grpc.StatusCode.OK
    sender.close()
    assert house.hop.samples(1, "large answers") == 1


@pytest.mark.parametrize("answer", [b"\xff" * 1000, b"\n\xff\xff\xff\xff\x0f", b"\0" * 7])
def test_nonsense_in_an_acknowledgement_is_an_acknowledgement(house: House, answer: bytes) -> None:
    """The status says that the spans have arrived, so they are counted, and the sender does not repeat them."""
    house.peer.behaviour = lambda _, __: answer
    model = f"nonsense {answer[:2].hex()}"
    sender = send_all(house, model, 3)
    assert not sender.repeats
    assert house.has(sender.acknowledged) == span_ids(sender.acknowledged)
    assert house.hop.samples(30, model) == 30

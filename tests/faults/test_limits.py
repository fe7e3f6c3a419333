"""Too much of everything: names, load, calls that wait, descriptors."""

from __future__ import annotations

import resource
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import grpc
import pytest
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub

from tests.data.state_house import request
from tests.faults.hop import Hop, refused
from tests.faults.peers import Peer, taking
from tests.faults.senders import EXPORT, Sender, span_ids
from tests.integration.real_servers import eventually
from tests.unit.processor.otlp_requests import inference, request_of

if TYPE_CHECKING:
    from google.protobuf.message import Message
    from opentelemetry.proto.trace.v1.trace_pb2 import Span

MIB = 1 << 20


def spans_of(n: int, kind: str) -> list[Span]:
    """Return *n* inferences that differ in *kind*: each has another model, version, feature, class or category."""
    now = time.time_ns()
    return [
        inference(
            number,
            end_ns=now,
            model=f"m{number}" if kind == "model" else "fraud",
            version=f"v{number}" if kind == "version" else "1",
            features={f"f{number}" if kind == "feature" else "amount": 0.5},
            prediction_label=f"c{number}" if kind == "class" else "ok",
        )
        for number in range(n)
    ]


@pytest.mark.long
@pytest.mark.parametrize("kind", ["model", "version", "feature", "class", "service"])
def test_an_explosion_of_names_is_bounded_counted_and_disturbs_nobody(
    tmp_path: Path, kind: str
) -> None:
    """
    Twenty thousand different ones.

    Memory grows by less than 128 MiB, `/metrics` has fewer than ten thousand series, what is beyond the cap is counted where it is left
    out, and every span is delivered.
    """
    spans = spans_of(20_000, kind)
    portions = [spans[at : at + 1000] for at in range(0, len(spans), 1000)]
    with Peer().serving() as peer, Hop(tmp_path, peer.endpoint).running() as hop:
        sender = Sender(hop.grpc, deadline_s=20)
        sender.send(request(range(60_000, 60_100)))
        hop.samples(100)
        before = hop.resident_bytes()
        for number, portion in enumerate(portions):
            if kind == "service":
                for at in range(0, 1000, 50):
                    service = f"shop {number} {at}"
                    sender.send(request_of(portion[at : at + 50], service).SerializeToString())
            else:
                sender.send(request_of(portion).SerializeToString())
        sender.close()
        assert len(set(peer.span_ids())) == 20_100
        n_counted = eventually(
            lambda: (
                hop.total("ml_prediction_samples_total") + hop.total("ml_processor_overflow_total")
            ),
            (20_100.0).__le__,
            60,
        )
        assert n_counted >= 20_100
        if kind in {"model", "version", "service"}:
            assert hop.total("ml_processor_overflow_total", "streams") > 0
        assert len(hop.series()) < 10_000
        assert hop.resident_bytes() - before < 128 * MIB


@pytest.mark.long
def test_while_the_next_hop_hangs_memory_stays_within_its_limit(tmp_path: Path) -> None:
    """
    Thirty-two senders of a mebibyte each, a budget of 6 MiB.

    What does not fit is refused as overload and comes again; memory grows by less than 100 MiB; all arrive in the end, each counted once.
    """
    go_on = threading.Event()

    def hang(_: bytes, __: grpc.ServicerContext) -> bytes:
        go_on.wait(60)
        return b""

    at_ns = time.time_ns()
    large = [request(range(2500 * n, 2500 * n + 2500), at_ns=at_ns) for n in range(32)]
    with (
        Peer(hang, largest=16 * MIB).serving() as peer,
        Hop(tmp_path, peer.endpoint, receive="max_in_flight: 6MiB").running() as hop,
        ThreadPoolExecutor(32) as threads,
    ):
        before = hop.resident_bytes()

        def send(one: bytes) -> Sender:
            sender = Sender(hop.grpc, deadline_s=30)
            sender.send(one, within_s=90)
            sender.close()
            return sender

        sending = [threads.submit(send, one) for one in large]
        overload = eventually(lambda: hop.total(refused("overload")), (50.0).__le__, 60)
        assert overload >= 50
        assert hop.resident_bytes() - before < 100 * MIB
        go_on.set()
        assert all(not future.result(90).dropped for future in sending)
        assert sorted(set(peer.span_ids())) == span_ids(large)
        assert hop.samples(80_000) == 80_000


def test_while_all_threads_wait_for_the_next_hop_health_is_told(tmp_path: Path) -> None:
    """Two threads, ten requests that wait: who asks whether it is alive, over gRPC or HTTP, is answered; and then all are taken."""
    go_on = threading.Event()

    def hang(_: bytes, __: grpc.ServicerContext) -> bytes:
        go_on.wait(60)
        return b""

    with (
        Peer(hang).serving() as peer,
        Hop(tmp_path, peer.endpoint, receive="threads: 2").running() as hop,
        ThreadPoolExecutor(10) as threads,
        grpc.insecure_channel(hop.grpc) as channel,
    ):
        senders = [Sender(hop.grpc, deadline_s=30) for _ in range(10)]
        sending = [threads.submit(sender.send, request([n])) for n, sender in enumerate(senders)]
        eventually(lambda: peer.waiting, (2).__le__, 60)
        answer: Message = HealthStub(channel).Check(HealthCheckRequest(), timeout=60)
        assert answer == HealthCheckResponse(status=HealthCheckResponse.SERVING)
        assert hop.is_alive()
        go_on.set()
        assert [future.result(60) for future in sending] == [grpc.StatusCode.OK] * 10
        for sender in senders:
            sender.close()
        assert hop.samples(10) == 10


def test_without_descriptors_nobody_new_comes_in_and_with_them_all_do(tmp_path: Path) -> None:
    """Sixty-four are allowed and two hundred connect: who was there is served on, and when there are descriptors again everybody is."""
    with Peer().serving() as peer, Hop(tmp_path, peer.endpoint).running() as hop:
        sender = Sender(hop.grpc)
        sender.send(request([0]))
        before = resource.prlimit(hop.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(hop.pid, resource.RLIMIT_NOFILE, (64, before[1]))
        with ExitStack() as stack:
            for address in (hop.grpc, hop.http) * 100:
                host, _, port = address.rpartition(":")
                with suppress(OSError):
                    stack.enter_context(socket.create_connection((host, int(port)), 1))
            for number in range(1, 20):
                sender.send(request([number]))
            assert sender.repeats == 0
        resource.prlimit(hop.pid, resource.RLIMIT_NOFILE, before)
        sender.close()
        new = Sender(hop.grpc)
        for number in range(20, 40):
            new.send(request([number]))
        new.close()
        assert hop.samples(40) == 40
        assert peer.span_ids() == span_ids(request([n]) for n in range(40))


def test_more_calls_than_threads_are_all_answered(tmp_path: Path) -> None:
    """Three hundred at once on one connection, four threads: each is taken once or told to come again."""
    with (
        Peer(taking).serving() as peer,
        Hop(tmp_path, peer.endpoint, receive="threads: 4").running() as hop,
        grpc.insecure_channel(hop.grpc) as channel,
    ):
        export = channel.unary_unary(EXPORT)
        waiting = [request([number]) for number in range(300)]
        end = time.monotonic() + 60
        while waiting and time.monotonic() < end:
            calls = [(one, export.future(one, timeout=60)) for one in waiting]
            waiting = [one for one, call in calls if call.code() is not grpc.StatusCode.OK]
        assert not waiting
        assert peer.span_ids() == span_ids(request([n]) for n in range(300))
        assert hop.samples(300) == 300

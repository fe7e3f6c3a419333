"""The receiver against real gRPC clients: every case has the status that OTLP gives it, and is counted."""

from __future__ import annotations

import gzip
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import TraceServiceStub

from otel_ml_conventions.metrics import METRIC_ML_PROCESSOR_REFUSED
from otel_ml_processor.config import ReceiveConfig, Size
from otel_ml_processor.decode.wire import scan
from otel_ml_processor.errors import ConfigError
from otel_ml_processor.receive import grpc_server
from otel_ml_processor.receive.admission import Admission
from otel_ml_processor.receive.grpc_server import GrpcServer
from otel_ml_processor.refusal import Refusal, RefusalCause
from otel_ml_processor.self_metrics import SelfMetrics
from otel_ml_processor.signals import Signal
from tests.data.export_requests import export_request, inference_span
from tests.integration.real_servers import eventually

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

COMPRESSIONS = list(grpc.Compression)
EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"


class Receiver:
    """A running receiver on a free port, a client of it, and what was counted."""

    def __init__(self, take: Callable[[bytes, float | None], bytes], **settings: object) -> None:
        """Listen, with *take* behind it and *settings* of `receive`."""
        self.metrics = SelfMetrics({METRIC_ML_PROCESSOR_REFUSED: RefusalCause})
        config = ReceiveConfig(endpoint="127.0.0.1:0", **settings)  # type: ignore[arg-type]  # a test names settings as it likes
        self.server = GrpcServer(
            config, {Signal.TRACES: take}, Admission(config.max_in_flight), self.metrics
        )
        self.server.start()
        self.channel = grpc.insecure_channel(f"127.0.0.1:{self.server.port}")
        self.export = self.channel.unary_unary(EXPORT)

    def refused(self) -> dict[str, int]:
        """Return the refused requests by cause, without zeros."""
        return {
            attributes["ml.processor.cause"]: count
            for name, attributes, count in self.metrics.snapshot()
            if name == METRIC_ML_PROCESSOR_REFUSED and count
        }

    def failure(self, request: bytes, **call: object) -> grpc.RpcError:
        """Return the error that *request* is answered with."""
        with pytest.raises(grpc.RpcError) as failed:
            self.export(request, **{"timeout": 30, **call})
        return failed.value


def server_of(config: ReceiveConfig, *, insecure_bind: bool = False) -> GrpcServer:
    """Return a receiver of traces that has not been started and acknowledges everything."""
    takes = {Signal.TRACES: lambda request, _: b""}
    return GrpcServer(config, takes, Admission(1 << 20), SelfMetrics(), insecure_bind=insecure_bind)


@contextmanager
def receiving(
    take: Callable[[bytes, float | None], bytes], **settings: object
) -> Iterator[Receiver]:
    """Run a receiver with *take* behind it until the block ends."""
    receiver = Receiver(take, **settings)
    try:
        yield receiver
    finally:
        receiver.channel.close()
        receiver.server.stop(0)


def retry_after_s(error: grpc.RpcError) -> float | None:
    """Return what the error's RetryInfo says, None if it has none."""
    info = RetryInfo()
    for key, value in error.trailing_metadata() or ():
        if key == "grpc-status-details-bin":
            status = Status.FromString(value)
            assert status.code == error.code().value[0]
            assert status.message == error.details()
            assert status.details[0].Unpack(info)
            return float(info.retry_delay.seconds + info.retry_delay.nanos / 1e9)
    return None


@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_a_request_arrives_as_it_was_sent(compression: grpc.Compression) -> None:
    """The bytes, unchanged, and the response goes back unchanged."""
    taken: list[bytes] = []

    def take(request: bytes, _: float | None) -> bytes:
        taken.append(request)
        return b"\x0a\x02\x12\x00"

    with receiving(take) as receiver:
        response = receiver.export(b"any bytes" * 100, timeout=60, compression=compression)

    assert taken == [b"any bytes" * 100]
    assert response == b"\x0a\x02\x12\x00"
    assert receiver.refused() == {}


def test_an_exporter_of_anybody_is_understood() -> None:
    """The client that protobuf generates for the service sends, and reads a success."""
    with receiving(lambda request, _: b"") as receiver:
        stub = TraceServiceStub(receiver.channel)
        request = ExportTraceServiceRequest.FromString(export_request([inference_span()]))

        response = stub.Export(request, timeout=60)

    assert response == ExportTraceServiceResponse()


def test_each_signal_goes_to_who_takes_it() -> None:
    """Three services behind one address."""
    taken: list[tuple[Signal, bytes]] = []

    def taker(signal: Signal) -> Callable[[bytes, float | None], bytes]:
        def take(request: bytes, _: float | None) -> bytes:
            taken.append((signal, request))
            return b""

        return take

    config = ReceiveConfig(endpoint="127.0.0.1:0")
    takes = {signal: taker(signal) for signal in Signal}
    server = GrpcServer(config, takes, Admission(100), SelfMetrics())
    server.start()
    services = {
        "trace.v1.TraceService": Signal.TRACES,
        "metrics.v1.MetricsService": Signal.METRICS,
        "logs.v1.LogsService": Signal.LOGS,
    }
    try:
        with grpc.insecure_channel(f"127.0.0.1:{server.port}") as channel:
            for name in services:
                method = f"/opentelemetry.proto.collector.{name}/Export"
                channel.unary_unary(method)(name.encode(), timeout=60)
    finally:
        server.stop(0)

    assert taken == [(signal, name.encode()) for name, signal in services.items()]


def test_an_empty_request_is_a_success() -> None:
    """As OTLP says."""
    taken: list[bytes] = []

    def take(request: bytes, _: float | None) -> bytes:
        taken.append(request)
        return b""

    with receiving(take) as receiver:
        assert receiver.export(b"", timeout=60) == b""
    assert taken == [b""]


def test_the_callers_deadline_is_handed_on() -> None:
    """What remains of it (gRPC writes three digits, rounded up), or None from a caller that waits for ever."""
    remaining: list[float | None] = []

    def take(_: bytes, remaining_s: float | None) -> bytes:
        remaining.append(remaining_s)
        return b""

    with receiving(take) as receiver:
        receiver.export(b"", timeout=1000)
        receiver.export(b"")

    assert remaining[0] is not None
    assert 900 < remaining[0] <= 1011
    assert remaining[1] is None


@pytest.mark.parametrize("compression", COMPRESSIONS)
@pytest.mark.parametrize("size", [(1 << 16) + 1, 16 << 20])
def test_an_oversized_request_is_refused_for_good_and_counted(
    compression: grpc.Compression, size: int
) -> None:
    """Sending it again would not make it smaller: RESOURCE_EXHAUSTED without a time to try again, after decompression too."""
    with receiving(lambda request, _: b"", max_message=Size(1 << 16)) as receiver:
        error = receiver.failure(bytes(size), compression=compression)
        assert receiver.export(bytes(1 << 16), timeout=60, compression=compression) == b""
        # gRPC may have answered before the thread that asked for the message has counted.
        assert eventually(receiver.refused, bool, 60) == {"unreadable": 1}

    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert retry_after_s(error) is None


def test_what_does_not_fit_beside_those_in_flight_may_be_sent_again() -> None:
    """UNAVAILABLE with RetryInfo while the first request is worked on; taken once it is done."""
    inside, leave = threading.Event(), threading.Event()

    def take(request: bytes, _: float | None) -> bytes:
        if len(request) == 60:
            inside.set()
            leave.wait(60)
        return b""

    with receiving(take, max_in_flight=Size(100)) as receiver, ThreadPoolExecutor(1) as other:
        first = other.submit(receiver.export, bytes(60), timeout=60)
        assert inside.wait(60)
        error = receiver.failure(bytes(41))
        leave.set()
        assert first.result(60) == b""
        assert receiver.export(bytes(41), timeout=60) == b""

    assert error.code() is grpc.StatusCode.UNAVAILABLE
    assert retry_after_s(error) == 1.0
    assert receiver.refused() == {"overload": 1}


def test_what_counts_is_how_large_a_request_is_once_it_is_decompressed() -> None:
    """A small one that becomes large does not fit beside another either; what it took is free again afterwards."""
    inside, leave = threading.Event(), threading.Event()

    def take(request: bytes, _: float | None) -> bytes:
        if len(request) == 6000:
            inside.set()
            leave.wait(60)
        return b""

    packed = grpc.Compression.Gzip
    with receiving(take, max_in_flight=Size(10_000)) as receiver, ThreadPoolExecutor(1) as other:
        first = other.submit(receiver.export, bytes(6000), timeout=60)
        assert inside.wait(60)
        error = receiver.failure(bytes(5000), compression=packed)
        leave.set()
        assert first.result(60) == b""
        assert receiver.export(bytes(5000), timeout=60, compression=packed) == b""
        assert receiver.export(bytes(10_000), timeout=60) == b""

    assert error.code() is grpc.StatusCode.UNAVAILABLE
    assert receiver.refused() == {"overload": 1}


def test_what_cannot_be_decompressed_is_refused_for_good_and_counted() -> None:
    """INVALID_ARGUMENT: it would break there again."""
    with receiving(lambda request, _: b"") as receiver:
        error = receiver.failure(gzip.compress(b"any bytes")[:-1])

    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "gzip" in error.details()
    assert receiver.refused() == {"unreadable": 1}


def test_a_malformed_request_is_told_where_it_breaks() -> None:
    """INVALID_ARGUMENT with the path and the offset, and no time to try again: it would break there again."""

    def take(request: bytes, _: float | None) -> bytes:
        scan(request)
        return b""

    with receiving(take) as receiver:
        error = receiver.failure(b"\x0a\x02\x12\x05")

    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "resource_spans[0]" in error.details()
    assert "byte 3" in error.details()
    assert retry_after_s(error) is None
    assert receiver.refused() == {"malformed": 1}


@pytest.mark.parametrize(
    ("code", "after_s"),
    [
        (grpc.StatusCode.UNAVAILABLE, 2.5),
        (grpc.StatusCode.UNAVAILABLE, 0.0),
        (grpc.StatusCode.UNAVAILABLE, None),
        (grpc.StatusCode.UNAUTHENTICATED, None),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, None),
        (grpc.StatusCode.DEADLINE_EXCEEDED, None),
    ],
)
def test_a_refusal_goes_out_as_it_was_meant(code: grpc.StatusCode, after_s: float | None) -> None:
    """Code, message and time to try again, as whoever refused said them."""

    def take(_: bytes, __: float | None) -> bytes:
        raise Refusal(code, "nö, not now", RefusalCause.NEXT_HOP, after_s)

    with receiving(take) as receiver:
        error = receiver.failure(b"")

    assert (error.code(), error.details(), retry_after_s(error)) == (code, "nö, not now", after_s)
    assert receiver.refused() == {"next_hop": 1}


def test_a_long_message_still_reaches_the_caller() -> None:
    """A status travels in a header with a limit: the message is cut, the code arrives."""

    def take(_: bytes, __: float | None) -> bytes:
        raise Refusal(grpc.StatusCode.INTERNAL, "\u6f22" * 100_000, RefusalCause.NEXT_HOP, 1.0)

    with receiving(take) as receiver:
        error = receiver.failure(b"")

    assert error.code() is grpc.StatusCode.INTERNAL
    assert set(error.details()) == {"\u6f22"}


def test_a_mistake_of_ours_never_costs_a_span(caplog: pytest.LogCaptureFixture) -> None:
    """UNAVAILABLE, which every exporter repeats, never UNKNOWN; logged once, without what the error quotes."""

    def take(_: bytes, __: float | None) -> bytes:
        raise ValueError("card number 4111")

    with receiving(take) as receiver:
        errors = [receiver.failure(b"") for _ in range(3)]

    assert {error.code() for error in errors} == {grpc.StatusCode.UNAVAILABLE}
    assert {retry_after_s(error) for error in errors} == {1.0}
    assert receiver.refused() == {"internal_error": 3}
    assert len(caplog.records) == 1
    assert "ValueError" in caplog.text
    assert "4111" not in caplog.text + errors[0].details()


def test_a_call_without_a_message_is_refused_and_counted() -> None:
    """A client that breaks the protocol gets a status and holds no thread."""
    with receiving(lambda request, _: b"", threads=1) as receiver:
        stream = receiver.channel.stream_unary(EXPORT)
        with pytest.raises(grpc.RpcError) as failed:
            stream(iter(()), timeout=60)
        assert receiver.export(b"", timeout=60) == b""

    assert failed.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert receiver.refused() == {"unreadable": 1}


def test_what_nobody_takes_is_not_served() -> None:
    """A signal that nobody stands behind: UNIMPLEMENTED, with what is served instead, and counted: its sender drops it."""
    with receiving(lambda request, _: b"") as receiver:
        metrics = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export"
        with pytest.raises(grpc.RpcError) as failed:
            receiver.channel.unary_unary(metrics)(b"", timeout=60)

    assert failed.value.code() is grpc.StatusCode.UNIMPLEMENTED
    assert failed.value.details() == f"expected Export of one of {Signal.TRACES.service}"
    assert receiver.refused() == {"unreadable": 1}


def test_stopping_lets_those_in_flight_finish() -> None:
    """Whoever was admitted before the stop gets the answer; nobody is admitted after it."""
    inside, leave = threading.Event(), threading.Event()

    def take(_: bytes, __: float | None) -> bytes:
        inside.set()
        leave.wait(60)
        return b""

    with receiving(take) as receiver, ThreadPoolExecutor(2) as others:
        call = others.submit(receiver.export, b"", timeout=60)
        assert inside.wait(60)
        stopping = others.submit(receiver.server.stop, 30)
        while not refuses(receiver):
            assert not stopping.done()
        leave.set()
        assert call.result(60) == b""
        stopping.result(60)


def refuses(receiver: Receiver) -> bool:
    """Return whether a new connection gets no answer any more."""
    with grpc.insecure_channel(
        f"127.0.0.1:{receiver.server.port}", [("grpc.use_local_subchannel_pool", 1)]
    ) as channel:
        try:
            channel.unary_unary("/nobody/home")(b"", timeout=60)
        except grpc.RpcError as error:
            return error.code() is grpc.StatusCode.UNAVAILABLE
    return False


def test_stopping_does_not_wait_longer_than_its_grace() -> None:
    """A request that never ends is cut off, whatever it waits for: its sender is told, and keeps its spans."""
    inside, leave = threading.Event(), threading.Event()

    def take(_: bytes, __: float | None) -> bytes:
        inside.set()
        leave.wait()
        return b""

    with receiving(take) as receiver, ThreadPoolExecutor(1) as other:
        call = other.submit(receiver.failure, b"")
        assert inside.wait(60)
        receiver.server.stop(0.01)
        error = call.result(60)
        leave.set()

    assert error.code() in {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED}


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_port_in_use_is_said_with_its_endpoint(host: str) -> None:
    """Half a start is none: one line that names the address and the reason, also where only one of its addresses is taken."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        endpoint = f"{host}:{taken.getsockname()[1]}"
        server = server_of(ReceiveConfig(endpoint=endpoint))

        with pytest.raises(ConfigError) as failed:
            server.start()

    assert f"$.receive.endpoint: cannot listen on {endpoint}" in str(failed.value)
    assert "already in use" in str(failed.value)
    assert "\n" not in str(failed.value)


def test_two_receivers_never_share_a_port() -> None:
    """Each would silently get a part of the spans."""
    with receiving(lambda request, _: b"") as receiver:
        endpoint = f"127.0.0.1:{receiver.server.port}"
        second = server_of(ReceiveConfig(endpoint=endpoint))
        with pytest.raises(ConfigError, match="already in use"):
            second.start()


@pytest.mark.parametrize(
    "endpoint", ["0.0.0.0:4317", "192.0.2.1:4317", "[::]:4317", "example.com:4317"]
)
def test_an_address_of_another_machine_is_refused(endpoint: str) -> None:
    """Without TLS nobody else is listened to."""
    server = server_of(ReceiveConfig(endpoint=endpoint))

    with pytest.raises(ConfigError, match=r"\$\.receive\.endpoint: expected an address of this"):
        server.start()


def test_a_closed_network_is_listened_to_when_told_so() -> None:
    """In a compose file every container has an address of its own."""
    config = ReceiveConfig(endpoint="0.0.0.0:0")
    server = server_of(config, insecure_bind=True)
    server.start()
    assert server.port > 0
    server.stop(0)


@pytest.mark.parametrize(
    "endpoint", ["", "nonsense", "127.0.0.1", "127.0.0.1:", "127.0.0.1:99999", "::1:4317", ":4317"]
)
def test_what_is_no_address_is_refused(endpoint: str) -> None:
    """The message says what an address looks like, before anything is started."""
    config = ReceiveConfig(endpoint=endpoint)

    with pytest.raises(ConfigError, match=r"\$\.receive\.endpoint: expected host:port"):
        server_of(config)


def begun_in_silence(receiver: Receiver, number: int, is_over: threading.Event) -> list[Any]:
    """Return so many calls that say nothing until that is over."""

    def silence() -> Iterator[bytes]:
        is_over.wait()
        yield from ()

    begin = receiver.channel.stream_unary(EXPORT)
    return [begin.future(silence()) for _ in range(number)]


def test_who_begins_a_call_and_says_nothing_keeps_its_thread_for_a_while(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """More silent callers than threads, none with a deadline: they are cut off and counted, and whoever comes then is served."""
    monkeypatch.setattr(grpc_server, "_READ_S", 0.2)
    monkeypatch.setattr(grpc_server, "_LOOK_S", 0.05)
    is_over = threading.Event()

    with receiving(lambda _request, _: b"", threads=2) as receiver:
        silent = begun_in_silence(receiver, 4, is_over)
        codes = [call.exception(timeout=60).code() for call in silent]
        is_over.set()
        monkeypatch.undo()  # of a request the message would have to come as soon as that, too

        assert codes == [grpc.StatusCode.CANCELLED] * 4
        assert receiver.export(b"a request", timeout=60) == b""
        # Who is cut off knows it before the thread that served it has counted.
        counted = {"unreadable": 4}
        assert eventually(receiver.refused, counted.__eq__, 60) == counted


def test_who_says_nothing_keeps_half_of_the_threads_at_most(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Calls without a message, many more than threads: all but eight are cut off soon, and whoever sends one is served meanwhile."""
    monkeypatch.setattr(grpc_server, "_READ_S", 600.0)
    # Time enough, on a busy machine as well, for the message of the one that sends it.
    monkeypatch.setattr(grpc_server, "_READ_BRIEFLY_S", 2.0)
    monkeypatch.setattr(grpc_server, "_LOOK_S", 0.02)
    is_over, cut_off = threading.Event(), threading.Semaphore(0)

    with receiving(lambda _request, _: b"", threads=16) as receiver:
        silent = begun_in_silence(receiver, 32, is_over)
        for call in silent:
            call.add_done_callback(lambda _: cut_off.release())
        assert receiver.export(b"a request", timeout=60) == b""
        assert all(cut_off.acquire(timeout=60) for _ in range(24))
        assert [call.done() for call in silent].count(False) == 8
        is_over.set()

"""All doors of the processor as a process: what comes in one way is what comes in another, and where it goes."""

from __future__ import annotations

import json
import time
from concurrent import futures
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc
import httpx
import pytest
from google.protobuf.json_format import MessageToDict
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcExporter
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpExporter
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ResourceLogs, ScopeLogs
from opentelemetry.proto.metrics.v1.metrics_pb2 import (
    Gauge,
    Metric,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
)
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from tests.integration.real_servers import (
    eventually,
    find_tool,
    free_port,
    processor_running,
    running,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

UNKNOWN = bytes.fromhex("a206056e6577657aaa0600")
"""Fields 100 and 101, which nobody knows."""
PROTOBUF = {"content-type": "application/x-protobuf"}


class Sink(grpc.GenericRpcHandler):  # type: ignore[misc] # grpc has no types
    """Keeps the bytes of every request of every service; refuses with *code* as long as that is set."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, bytes]] = []
        self.code: grpc.StatusCode | None = None
        self._server = grpc.server(futures.ThreadPoolExecutor(4))
        self._server.add_generic_rpc_handlers((self,))
        self.endpoint = f"127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler:
        """Return what answers any method."""

        def answer(request: bytes, context: grpc.ServicerContext) -> bytes:
            if self.code is not None:
                context.abort(self.code, "as the test says")
            self.requests.append((details.method.split(".")[3], request))
            return b""

        return grpc.unary_unary_rpc_method_handler(answer)

    def of(self, signal: str) -> list[bytes]:
        """Return the requests of `trace`, `metrics` or `logs`."""
        return [request for name, request in self.requests if name == signal]

    @contextmanager
    def serving(self) -> Iterator[Sink]:
        """Serve until the block is left."""
        self._server.start()
        try:
            yield self
        finally:
            self._server.stop(0).wait()


class Processor:
    """A running processor and its addresses."""

    def __init__(self, grpc_port: int, http_port: int, page_port: int) -> None:
        self.grpc = f"127.0.0.1:{grpc_port}"
        self.http = f"http://127.0.0.1:{http_port}"
        self.page = f"http://127.0.0.1:{page_port}"

    def counts(self, *names: str) -> dict[str, float]:
        """Return the series of `/metrics` whose name begins with one of *names*, without zeros and times."""
        lines = httpx.get(f"{self.page}/metrics", trust_env=False, timeout=60).text.splitlines()
        samples = [line.rsplit(" ", 1) for line in lines if line.startswith(names)]
        return {
            name: float(value)
            for name, value in samples
            if float(value) and "_created" not in name and "window_lag" not in name
        }


@contextmanager
def processing(folder: Path, text: str, http: str = "") -> Iterator[Processor]:
    """Run a processor with both doors, *http* said of the second one, and *text* in its configuration until the block ends."""
    folder.mkdir(exist_ok=True)
    ports = free_port(), free_port(), free_port()
    config = folder / "processor.yaml"
    config.write_text(f"""
receive: {{endpoint: "127.0.0.1:{ports[0]}", http: {{endpoint: "127.0.0.1:{ports[1]}", {http}}}}}
http: {{endpoint: "127.0.0.1:{ports[2]}"}}
emit: {{endpoint: "127.0.0.1:{free_port()}", interval: 1h}}
{text}
""")
    with processor_running(config, f"127.0.0.1:{ports[2]}", folder / "log"):
        yield Processor(*ports)


def spans() -> Sequence[ReadableSpan]:
    """Return inferences of the real SDK, some of which say something that cannot be read."""
    kept = InMemorySpanExporter()
    provider = TracerProvider(resource=Resource({"service.name": "shop"}))
    provider.add_span_processor(SimpleSpanProcessor(kept))
    tracer = provider.get_tracer("by-hand")
    now = time.time_ns()
    for number in range(40):
        attributes: dict[str, Any] = {
            "ml.operation.name": "predict",
            "ml.model.name": f"model-{number % 3}",
            "ml.prediction.label": ("yes", "no", "ä")[number % 3],
            "ml.prediction.confidence": "very" if number == 7 else 0.5 + number / 100,
            "ml.input.features": json.dumps({"a": number, "b": "text"}),
            "big": 2**60 + number,
            "many": [1.5, -2.5],
        }
        span = tracer.start_span("predict", attributes=attributes, start_time=now)
        span.add_event("happened", {"ml.input.features": "x"}, timestamp=now)
        span.end(now + number)
    return kept.get_finished_spans()


def by_grpc(processor: Processor) -> SpanExporter:
    """Return the SDK's exporter over gRPC."""
    return GrpcExporter(endpoint=processor.grpc, insecure=True, timeout=60)


def by_http(processor: Processor) -> SpanExporter:
    """Return the SDK's exporter over HTTP, compressed."""
    return HttpExporter(f"{processor.http}/v1/traces", compression=Compression.Gzip, timeout=60)


class ByJson(SpanExporter):
    """A client that speaks OTLP/JSON, with ids in hexadecimal, as browsers do."""

    def __init__(self, processor: Processor) -> None:
        self._url = f"{processor.http}/v1/traces"

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send them; no field is left out."""
        document = MessageToDict(encode_spans(spans), use_integers_for_enums=True)
        for group in document["resourceSpans"]:
            for scoped in group["scopeSpans"]:
                for span, sdk_span in zip(scoped["spans"], spans, strict=True):
                    context = sdk_span.get_span_context()
                    assert context is not None
                    span["traceId"] = f"{context.trace_id:032x}"
                    span["spanId"] = f"{context.span_id:016x}"
        answer = httpx.post(self._url, json=document, trust_env=False, timeout=60)
        assert answer.status_code == 200
        assert "wrong_type in 1" in answer.json()["partialSuccess"]["errorMessage"]
        return SpanExportResult.SUCCESS


READ = ("ml_prediction_samples", "ml_processor", "otelcol")


def is_ticked(counts: dict[str, float]) -> bool:
    """Return whether a tick has come and gone: what was read is on the page, and what a tick tells last."""
    told = ("ml_prediction_samples", "ml_processor_dedupe_horizon")
    return all(any(name.startswith(each) for name in counts) for each in told)


def test_the_three_ways_in_give_the_same(tmp_path: Path) -> None:
    """The same spans over gRPC, over HTTP in protobuf and in JSON: the same is counted, read, refused and forwarded."""
    sent = spans()
    found = []
    with Sink().serving() as sink:
        text = f"mode: inline\nforward: {{endpoint: '{sink.endpoint}'}}"
        for way in (by_grpc, by_http, ByJson):
            with processing(tmp_path / way.__name__, text) as processor:
                exporter = way(processor)
                assert exporter.export(sent) is SpanExportResult.SUCCESS
                exporter.shutdown()
                forwarded = ExportTraceServiceRequest.FromString(sink.of("trace")[-1])
                counts = eventually(partial(processor.counts, *READ), is_ticked, within_s=60)
            assert counts['ml_processor_undecoded_total{ml_processor_cause="wrong_type"}'] == 1
            found.append((forwarded, counts))
    assert found[0] == found[1] == found[2]
    assert sum(n for name, n in counts.items() if name.startswith("ml_prediction_samples")) == 40


def logs_request() -> bytes:
    """Return two records, with fields that nobody knows."""
    records = [LogRecord(event_name="ml.feedback"), LogRecord()]
    group = ResourceLogs(scope_logs=[ScopeLogs(log_records=records)])
    written: bytes = ExportLogsServiceRequest(resource_logs=[group]).SerializeToString()
    return written + UNKNOWN


def metrics_request() -> bytes:
    """Return three points, with fields that nobody knows."""
    metric = Metric(name="m", gauge=Gauge(data_points=[NumberDataPoint(as_int=1)] * 3))
    group = ResourceMetrics(scope_metrics=[ScopeMetrics(metrics=[metric])])
    written: bytes = ExportMetricsServiceRequest(resource_metrics=[group]).SerializeToString()
    return written + UNKNOWN


def test_logs_and_metrics_go_on_byte_for_byte_and_keep_the_status(tmp_path: Path) -> None:
    """Over both doors; while the next hop is away, their senders are told to come again, and nothing counts as accepted."""
    with Sink().serving() as sink:
        text = f"mode: inline\nforward: {{endpoint: '{sink.endpoint}'}}"
        with (
            processing(tmp_path, text) as processor,
            httpx.Client(base_url=processor.http, trust_env=False, timeout=60) as client,
            grpc.insecure_channel(processor.grpc) as channel,
        ):
            for name, request in (("logs", logs_request()), ("metrics", metrics_request())):
                method = f"/opentelemetry.proto.collector.{name}.v1.{name.title()}Service/Export"
                assert channel.unary_unary(method)(request, timeout=60) == b""
                answer = client.post(f"/v1/{name}", content=request, headers=PROTOBUF)
                assert answer.status_code == 200
                assert sink.of(name) == [request, request]
            sink.code = grpc.StatusCode.UNAVAILABLE
            answer = client.post("/v1/logs", content=logs_request(), headers=PROTOBUF)
            assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
            sink.code = grpc.StatusCode.RESOURCE_EXHAUSTED
            answer = client.post("/v1/metrics", content=metrics_request(), headers=PROTOBUF)
            assert answer.status_code == 413
            counts = processor.counts("otelcol")
    assert counts == {
        'otelcol_receiver_accepted_log_records_total{receiver="otlp"}': 4,
        'otelcol_receiver_accepted_metric_points_total{receiver="otlp"}': 6,
        'otelcol_receiver_refused_log_records_total{receiver="otlp"}': 2,
        'otelcol_receiver_refused_metric_points_total{receiver="otlp"}': 3,
        'otelcol_exporter_sent_log_records_total{exporter="otlp"}': 4,
        'otelcol_exporter_sent_metric_points_total{exporter="otlp"}': 6,
        'otelcol_exporter_send_failed_log_records_total{exporter="otlp"}': 2,
        'otelcol_exporter_send_failed_metric_points_total{exporter="otlp"}': 3,
    }


def test_a_chain_of_two_processors_over_http_changes_no_byte(tmp_path: Path) -> None:
    """In over gRPC, on over HTTP with gzip, out over gRPC: unknown fields at the end of the request included."""
    request = encode_spans(spans()).SerializeToString() + UNKNOWN
    with Sink().serving() as sink:
        last = f"mode: inline\nforward: {{endpoint: '{sink.endpoint}'}}"
        with processing(tmp_path / "last", last) as second:
            endpoint = second.http.removeprefix("http://")
            first_text = f"mode: inline\nforward: {{endpoint: '{endpoint}', protocol: http, compression: gzip}}"
            with (
                processing(tmp_path / "first", first_text) as first,
                grpc.insecure_channel(first.grpc) as channel,
            ):
                method = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
                plain = ExportTraceServiceRequest().SerializeToString() + UNKNOWN
                assert channel.unary_unary(method)(plain, timeout=60) == b""
                assert sink.of("trace") == [plain]
                answer = channel.unary_unary(method)(request, timeout=60)
                # A warning of the last one, handed on by the first.
                assert b"wrong_type in 1" in answer
                sink.code = grpc.StatusCode.INVALID_ARGUMENT
                with pytest.raises(grpc.RpcError) as raised:
                    channel.unary_unary(method)(request + UNKNOWN, timeout=60)
    assert raised.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "as the test says" in raised.value.details()
    assert sink.of("trace")[1].endswith(UNKNOWN)


def test_a_best_effort_destination_that_is_away_disturbs_nobody(tmp_path: Path) -> None:
    """The next hop has everything at once; what the other could not take is counted when it is over."""
    request = encode_spans(spans()).SerializeToString()
    with Sink().serving() as sink, Sink().serving() as copies:
        text = f"""
mode: inline
forward:
  endpoint: '{sink.endpoint}'
  also:
    - {{endpoint: '127.0.0.1:{free_port()}', protocol: http, queue: 10KiB, timeout: 1s}}
    - {{endpoint: '{copies.endpoint}', signals: [logs]}}
"""
        with (
            processing(tmp_path, text) as processor,
            httpx.Client(base_url=processor.http, trust_env=False, timeout=60) as client,
        ):
            for number in range(3):
                body = request + UNKNOWN * number
                assert client.post("/v1/traces", content=body, headers=PROTOBUF).is_success
            assert client.post("/v1/logs", content=logs_request(), headers=PROTOBUF).is_success
            counts = processor.counts("otelcol_exporter")
            eventually(lambda: copies.of("logs"), bool, within_s=60)
    assert len(sink.of("trace")) == 3
    assert copies.requests == [("logs", logs_request())]
    dropped = 'otelcol_exporter_enqueue_failed_spans_total{exporter="otlp/best_effort"}'
    assert counts[dropped] >= 40
    assert counts['otelcol_exporter_sent_spans_total{exporter="otlp"}'] == 120


def test_only_aggregates_are_kept_where_that_is_said(tmp_path: Path) -> None:
    """Inputs are read and go no further, over every door and to every destination, nor in logs; the rest of a span does."""
    request = encode_spans(spans()).SerializeToString()
    with Sink().serving() as sink, Sink().serving() as copies:
        text = f"""
mode: inline
privacy: aggregate_only
forward: {{endpoint: '{sink.endpoint}', also: [{{endpoint: '{copies.endpoint}', delivery: required}}]}}
"""
        with (
            processing(tmp_path, text) as processor,
            httpx.Client(base_url=processor.http, trust_env=False, timeout=60) as client,
        ):
            assert client.post("/v1/traces", content=request, headers=PROTOBUF).is_success
            assert client.post("/v1/logs", content=logs_request(), headers=PROTOBUF).is_success
            counts = processor.counts("ml_processor_stripped")
    assert counts == {"ml_processor_stripped_total": 80}
    assert sink.requests == copies.requests
    (forwarded,) = sink.of("trace")
    assert b"ml.input.features" in request
    assert b"ml.input.features" not in forwarded
    parsed = ExportTraceServiceRequest.FromString(forwarded)
    found = parsed.resource_spans[0].scope_spans[0].spans
    assert [event.name for span in found for event in span.events] == ["happened"] * 40
    assert {a.key for a in found[0].attributes} >= {"ml.model.name", "big", "many"}


COLLECTOR = """
receivers:
  otlp: {{protocols: {{http: {{endpoint: "{listen}"}}}}}}
exporters:
  otlp_http:
    endpoint: "http://{forward}"
    encoding: {encoding}
    compression: {compression}
    tls: {{insecure: true}}
    headers: {{authorization: "Basic YW5uOnR1bmE="}}
  otlp_grpc: {{endpoint: "{forward}", tls: {{insecure: true}}}}
service:
  telemetry: {{metrics: {{level: none}}}}
  pipelines:
    traces: {{receivers: [otlp], exporters: [{exporter}]}}
    logs: {{receivers: [otlp], exporters: [{exporter}]}}
"""


@contextmanager
def collecting(folder: Path, **said: str) -> Iterator[str]:
    """Run a real collector that exports to `forward` by `exporter`; give the address that it receives HTTP at."""
    listen = f"127.0.0.1:{free_port()}"
    folder.mkdir()
    config = folder / "collector.yaml"
    config.write_text(COLLECTOR.format(listen=listen, **said))

    def ready() -> bool:
        with suppress(httpx.TransportError):
            return (
                httpx.get(f"http://{listen}/v1/traces", trust_env=False, timeout=60).status_code
                == 405
            )
        return False

    command: list[str | Path] = [find_tool("otelcol"), "--config", config]
    with running(command, ready=ready, log=folder / "log"):
        yield listen


@pytest.mark.real_servers
@pytest.mark.parametrize(
    ("encoding", "compression"), [("proto", "zstd"), ("proto", "gzip"), ("json", "none")]
)
def test_between_real_collectors_over_http_nothing_is_lost(
    tmp_path: Path, encoding: str, compression: str
) -> None:
    """In from one and on to another, with a password, however the first one writes; both agree on what is said."""
    (tmp_path / "house").mkdir()
    (tmp_path / "house" / "users").write_text("ann:tuna\n")
    sent = spans()
    with Sink().serving() as sink:
        last = {
            "exporter": "otlp_grpc",
            "forward": sink.endpoint,
            "encoding": "proto",
            "compression": "gzip",
        }
        with collecting(tmp_path / "last", **last) as onward:
            text = f"mode: inline\nforward: {{endpoint: '{onward}', protocol: http, compression: gzip}}"
            with processing(tmp_path / "house", text, "basic_auth_file: users") as processor:
                first = {
                    "exporter": "otlp_http",
                    "forward": processor.http.removeprefix("http://"),
                    "encoding": encoding,
                    "compression": compression,
                }
                with collecting(tmp_path / "first", **first) as entry:
                    exporter: SpanExporter = HttpExporter(f"http://{entry}/v1/traces", timeout=60)
                    assert exporter.export(sent) is SpanExportResult.SUCCESS
                    exporter.shutdown()
                    url = f"http://{entry}/v1/logs"
                    answer = httpx.post(
                        url, content=logs_request(), headers=PROTOBUF, trust_env=False, timeout=60
                    )
                    assert answer.is_success
                    eventually(lambda: len(sink.requests), lambda n: n == 2, within_s=60)
    (traces,), (logs,) = sink.of("trace"), sink.of("logs")
    found = ExportTraceServiceRequest.FromString(traces).resource_spans[0].scope_spans[0].spans
    expected = encode_spans(sent).resource_spans[0].scope_spans[0].spans
    assert [as_sent(span) for span in found] == [as_sent(span) for span in expected]
    records = ExportLogsServiceRequest.FromString(logs).resource_logs[0].scope_logs[0].log_records
    assert [record.event_name for record in records] == ["ml.feedback", ""]


def as_sent(span: Span) -> Span:
    """Return *span* without our verdict, and without what a JSON writer may leave out."""
    copy = Span()
    copy.CopyFrom(span)
    del copy.attributes[:]
    copy.attributes.extend(a for a in span.attributes if not a.key.startswith("ml.verdict."))
    copy.ClearField("flags")
    copy.ClearField("status")
    return copy

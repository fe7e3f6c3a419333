"""
What one more hop costs: CPU per span of our processor (in line: receive, decode, forward, count) beside the real collector.

The collector has an OTLP receiver and an OTLP exporter and only forwards. Both get the same load, every request distinct, and forward to
the same sink, which counts the spans that arrive. Beside them stands grpcio alone (`relay.py`), bytes in and bytes out: the floor of any hop in
Python. CPU is that of the whole process, user and system; all take turns and the ratios are taken within each round, so that
whatever else the machine does meets all. Every span gets a verdict on its way, except those that come with one. Where it has features,
these are compared with a profile.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import secrets
import shlex
import socket
import struct
import subprocess
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Final

import grpc
import numpy as np
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span

from otel_ml_processor.profile import Source
from otel_ml_processor.profile_file import write_profile
from otel_ml_processor.windows.reference import build_profile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from multiprocessing.connection import Connection

COLLECTOR: Final = Path(__file__).parents[1] / ".tools" / "bin" / "otelcol"
PROCESSOR: Final = f"{shlex.quote(sys.executable)} -m otel_ml_processor --config {{config}}"
RELAY: Final = shlex.join([sys.executable, str(Path(__file__).with_name("relay.py"))]) + " {config}"
RELAY_CONFIG: Final = "{listen} {forward}"
TRACES: Final = "opentelemetry.proto.collector.trace.v1.TraceService"
METRICS: Final = "opentelemetry.proto.collector.metrics.v1.MetricsService"
LOGS: Final = "opentelemetry.proto.collector.logs.v1.LogsService"
N_CALLS: Final = 500
"""Calls one after the other whose latency is measured."""
READY_S: Final = 120.0

COLLECTOR_CONFIG: Final = """\
receivers:
  otlp: {{protocols: {{grpc: {{endpoint: "{listen}", max_recv_msg_size_mib: 64}}}}}}
exporters:
  otlp/next:
    endpoint: "{forward}"
    tls: {{insecure: true}}
    compression: none
    sending_queue: {{enabled: false}}
    retry_on_failure: {{enabled: false}}
service:
  telemetry: {{metrics: {{level: none}}, logs: {{level: error}}}}
  pipelines: {{traces: {{receivers: [otlp], exporters: [otlp/next]}}}}
"""
PROCESSOR_CONFIG: Final = """\
mode: inline
receive: {{endpoint: "{listen}"}}
forward: {{endpoint: "{forward}"}}
emit: {{endpoint: "{forward}"}}
http: {{endpoint: "{http}"}}
profiles: [{profiles}]
"""


@dataclass(frozen=True)
class Case:
    """
    What is sent: *size* spans per request from so many callers, with so many features as a JSON object, of so many models.

    What is judged already has a verdict of an earlier hop, and gets no other. *goal* is what our processor may take at most, as a ratio to the
    collector.
    """

    size: int
    callers: int = 4
    is_gzip: bool = False
    features: int = 0
    models: int = 1
    is_judged: bool = False
    goal: float | None = None

    def __str__(self) -> str:
        said = f"{self.size:>5} spans, {self.callers:>2} callers"
        said += ", gzip" * self.is_gzip
        said += f", {self.features} features" * bool(self.features)
        said += f", {self.models} models" * (self.models > 1)
        return said + ", judged" * self.is_judged


CASES: Final = (
    Case(512, goal=0.55),
    Case(512, is_judged=True, goal=0.5),
    Case(64, goal=1.2),
    Case(64, callers=10, goal=0.8),
    Case(2048, goal=0.45),
    Case(512, is_gzip=True, goal=0.6),
    Case(512, features=10),
    Case(512, features=30, goal=0.8),
    Case(512, features=30, is_judged=True, goal=0.8),
    Case(64, features=30),
    Case(512, features=100),
    Case(512, models=10),
    Case(512, models=50),
)


def main() -> int:
    """Measure, print the table, and return 0; 1 if a span got lost, 2 if there is no collector."""
    arguments = parse_arguments()
    if not COLLECTOR.exists():
        print(f"collector not built ({COLLECTOR}), run make tools", file=sys.stderr)
        return 2
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        sink = stack.enter_context(running_sink())
        command = f"{shlex.quote(str(COLLECTOR))} --config {{config}}"
        collector = stack.enter_context(
            running_hop("collector", command, COLLECTOR_CONFIG, sink, folder)
        )
        relay = stack.enter_context(running_hop("relay", RELAY, RELAY_CONFIG, sink, folder))
        print(
            f"{'what is sent':<44} {'collector':>12} {'grpcio alone':>21} {'processor':>21}"
            "   goal  medians of each round's ratio to the collector"
        )
        is_complete = True
        for features in sorted({case.features for case in CASES}):
            profiles = [written_profile(folder, features)] if features else []
            with running_hop(
                "processor", arguments.processor, PROCESSOR_CONFIG, sink, folder, profiles
            ) as processor:
                hops = (collector, relay, processor)
                print(f"{'at rest':<44} {memories(hops)}        200 MiB")
                for case in (case for case in CASES if case.features == features):
                    result = measure(case, hops, sink, arguments.rounds, arguments.spans)
                    print(result.line(), flush=True)
                    is_complete &= result.is_complete
                print(f"{'resident afterwards':<44} {memories(hops)}")
                if not features:
                    print(latency_lines(hops, sink), flush=True)
    return 0 if is_complete else 1


def parse_arguments() -> argparse.Namespace:
    """Return what the command line says."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--processor",
        default=PROCESSOR,
        metavar="COMMAND",
        help="command line of the hop to measure; {config} becomes the path of its configuration (default: %(default)s)",
    )
    parser.add_argument(
        "--rounds", type=int, default=5, help="turns of each, the median counts (default: 5)"
    )
    parser.add_argument(
        "--spans", type=int, default=40_960, help="spans per turn (default: %(default)s)"
    )
    return parser.parse_args()


@dataclass
class Result:
    """What a case cost each hop, by its name, in seconds of CPU per span and round; the first one is what the others are compared with."""

    case: Case
    costs: dict[str, list[float]]
    sent: int = 0
    arrived: int = 0

    @property
    def is_complete(self) -> bool:
        """Whether every span that was sent has arrived, once."""
        return self.sent == self.arrived

    def line(self) -> str:
        """Return the row of the table: microseconds per span, and the medians of the rounds' ratios."""
        first, *others = self.costs.values()
        cells = [f"{median(first) * 1e6:9.2f} us"]
        for costs in others:
            ratio = median(cost / least for cost, least in zip(costs, first, strict=True))
            cells.append(f"{median(costs) * 1e6:9.2f} us {ratio:>7.2f}x")
        goal = "" if self.case.goal is None else f"{self.case.goal:.2f}x"
        lost = "" if self.is_complete else "  SPANS LOST OR DOUBLED"
        arrived = f"{self.arrived} of {self.sent} arrived{lost}"
        return f"{self.case!s:<44} {' '.join(cells)} {goal:>6}  {arrived}"


@dataclass(frozen=True)
class Hop:
    """A running process that forwards, and a way to send to it."""

    name: str
    pid: int
    export: grpc.UnaryUnaryMultiCallable

    def cpu_s(self) -> float:
        """Return the CPU seconds that the process has taken so far."""
        return time.clock_gettime(~self.pid << 3 | 2)  # the clock that clock_getcpuclockid(3) gives

    def resident_mib(self) -> float:
        """Return how much memory the process has in use."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / (1 << 20)


@dataclass(frozen=True)
class Sink:
    """The end of the line, in a process of its own."""

    address: str
    connection: Connection

    def take_count(self) -> int:
        """Return how many spans have arrived since this was last asked."""
        self.connection.send(None)
        count: int = self.connection.recv()
        return count


def measure(case: Case, hops: Sequence[Hop], sink: Sink, rounds: int, n_spans: int) -> Result:
    """Send so many spans through each hop in turn; the first turn warms up and does not count."""
    result = Result(case, {hop.name: [] for hop in hops})
    load = Load(case.size, case.features, case.models, is_judged=case.is_judged)
    compression = grpc.Compression.Gzip if case.is_gzip else grpc.Compression.NoCompression
    n_requests = max(1, n_spans // case.size)
    for turn in range(rounds + 1):
        for hop in hops:
            requests = load.requests(n_requests)
            send = partial(hop.export, timeout=60, compression=compression)
            before_s = hop.cpu_s()
            with ThreadPoolExecutor(case.callers) as callers:
                list(callers.map(send, requests))
            cost = (hop.cpu_s() - before_s) / (n_requests * case.size)
            result.sent += n_requests * case.size
            result.arrived += sink.take_count()
            if turn:
                result.costs[hop.name].append(cost)
    return result


def latency_lines(hops: Sequence[Hop], sink: Sink) -> str:
    """Return how long a request of 64 spans takes through each hop, one after the other, nothing else under way."""
    took_s: dict[str, list[float]] = {hop.name: [] for hop in hops}
    load = Load(64)
    for request in load.requests(N_CALLS):
        for hop in hops:  # in turns, so that whatever else the machine does meets both
            begin_s = time.perf_counter()
            hop.export(request, timeout=60)
            took_s[hop.name].append(time.perf_counter() - begin_s)
    sink.take_count()
    lines = []
    for name, percent, goal in (("median", 50, "+0.3ms"), ("99 %", 99, " 1.20x")):
        first, *others = (float(np.percentile(took, percent)) for took in took_s.values())
        what = f"latency, 64 spans, 1 caller, {name}"
        cells = [f"{seconds * 1e3:9.2f} ms {seconds / first:>7.2f}x" for seconds in others]
        lines.append(f"{what:<44} {first * 1e3:9.2f} ms {' '.join(cells)} {goal}")
    return "\n".join(lines)


def memories(hops: Sequence[Hop]) -> str:
    """Return the cells of a row: what each of *hops* has in memory."""
    return (" " * 10).join(f"{hop.resident_mib():8.0f} MiB" for hop in hops)


def written_profile(folder: Path, features: int) -> Path:
    """Return where the profile of the model is, written to *folder*: so many features, all as those that are sent."""
    random = np.random.default_rng(1)
    profile = build_profile(
        {name: random.uniform(0, 10, size=20_000) for name in feature_names(features)},
        model=model_name(0),
        version="3",
        created="2026-01-01T00:00:00Z",
        source=Source(kind="array", uri="", rows=20_000),
        confidence=random.random(20_000),
    )
    path = folder / f"profile_{features}.json"
    write_profile(profile, path)
    return path


def feature_names(features: int) -> list[str]:
    """Return the names of so many features."""
    return [f"feature_{number}" for number in range(features)]


def model_name(number: int) -> str:
    """Return the name of the model of that number, below 1000."""
    return f"fraud-detector-{number:03}"


class Load:
    """Requests of *size* spans with 19 attributes and so many features, all different: the fixed parts are encoded once, the rest is patched in."""

    def __init__(
        self, size: int, features: int = 0, models: int = 1, *, is_judged: bool = False
    ) -> None:
        template, self._marks = span_template(features, models, is_judged=is_judged)
        self._size = size
        self._span = np.frombuffer(template, dtype=np.uint8)
        empty: bytes = ExportTraceServiceRequest(
            resource_spans=[
                ResourceSpans(
                    resource=Resource(attributes=[key_value("service.name", "shop")]),
                    scope_spans=[
                        ScopeSpans(
                            scope=InstrumentationScope(name="otel_ml.sklearn"),
                            spans=[Span.FromString(template)] * size,
                        )
                    ],
                )
            ]
        ).SerializeToString()
        self._first = empty.index(template)
        self._stride = empty.index(template, self._first + 1) - self._first
        self._request = np.frombuffer(empty, dtype=np.uint8)

    def requests(self, number: int) -> list[bytes]:
        """Return *number* requests; no two spans have the same ids, times or outputs."""
        return [self._next() for _ in range(number)]

    def _next(self) -> bytes:
        request = self._request.copy()
        end = self._first + self._stride * (self._size - 1) + len(self._span)
        starts = np.arange(self._first, end, self._stride)[:, None]
        for offset, width, draw in self._marks:
            drawn = np.frombuffer(draw(self._size), dtype=np.uint8).reshape(self._size, width)
            request[starts + offset + np.arange(width)] = drawn
        return bytes(request)


def span_template(
    features: int, models: int, *, is_judged: bool = False
) -> tuple[bytes, list[tuple[int, int, Callable[[int], bytes]]]]:
    """Return one encoded span, and where in it lies what differs: offset, width, and how to draw that many of it."""
    trace_id, span_id, parent_id = b"T" * 16, b"S" * 8, b"P" * 8
    end_ns, outputs = 0x1122334455667788, (0.123456789, 0.234567891, 0.345678912)
    texts = {
        "ml.operation.name": "predict",
        "ml.model.name": model_name(0),
        "ml.model.version": "3",
        "ml.model.type": "sklearn.ensemble.RandomForestClassifier",
        "ml.framework.name": "sklearn",
        "ml.framework.version": "1.8.0",
        "ml.task.type": "binary_classification",
        "ml.call.stream": "9f2c1a7be0d4c355",
        "code.function.name": "predict_proba",
        "ml.input.schema.hash": "5d0c1a7be0d4c355",
        "ml.prediction.label": "LABEL",
    }
    counts = {
        "ml.batch.size": 1,
        "ml.call.sequence": 1742,
        "ml.input.feature.count": 30,
        "ml.input.missing.count": 0,
        "ml.model.parameter.count": 66_955_010,
    }
    names = ("ml.prediction.confidence", "ml.prediction.entropy", "ml.prediction.margin")
    values: dict[str, str | float] = {**texts, **counts, **dict(zip(names, outputs, strict=True))}
    inputs = {name: f"7.{number:06}" for number, name in enumerate(feature_names(features))}
    if inputs:
        pairs = ",".join(f'"{name}":{text}' for name, text in inputs.items())
        values["ml.input.features"] = f"{{{pairs}}}"
    if is_judged:
        values["ml.verdict.confidence"] = "medium"
    span: bytes = Span(
        trace_id=trace_id,
        span_id=span_id,
        parent_span_id=parent_id,
        name="predict fraud-detector",
        kind=Span.SPAN_KIND_INTERNAL,
        start_time_unix_nano=end_ns - 1,
        end_time_unix_nano=end_ns,
        attributes=[key_value(key, value) for key, value in values.items()],
    ).SerializeToString()
    drawn: list[tuple[bytes, Callable[[int], bytes]]] = [
        (trace_id, lambda n: secrets.token_bytes(16 * n)),
        (span_id, lambda n: secrets.token_bytes(8 * n)),
        (parent_id, lambda n: secrets.token_bytes(8 * n)),
        (struct.pack("<Q", end_ns), draw_times),
        (struct.pack("<Q", end_ns - 1), draw_times),
        (b"LABEL", draw_labels),
        (model_name(0).encode(), partial(draw_models, models)),
        *((struct.pack("<d", output), draw_proportions) for output in outputs),
        *((text.encode(), draw_inputs) for text in inputs.values()),
    ]
    return span, [(span.index(mark), len(mark), draw) for mark, draw in drawn]


def draw_times(number: int) -> bytes:
    """Return so many times of now, a nanosecond apart."""
    times: bytes = (np.arange(number, dtype="<u8") + np.uint64(time.time_ns())).tobytes()
    return times


def draw_proportions(number: int) -> bytes:
    """Return so many numbers in [0, 1)."""
    return np.random.default_rng().random(number).astype("<f8").tobytes()


def draw_models(models: int, number: int) -> bytes:
    """Return so many names of so many models."""
    drawn = np.random.default_rng().integers(models, size=number).tolist()
    return "".join(map(model_name, drawn)).encode()


def draw_inputs(number: int) -> bytes:
    """Return so many numbers between 0 and 10, as texts of eight characters."""
    digits = np.random.default_rng().integers(ord("0"), ord("9"), (number, 8), dtype=np.uint8)
    digits[:, 1] = ord(".")
    text: bytes = digits.tobytes()
    return text


def draw_labels(number: int) -> bytes:
    """Return so many labels of five letters."""
    return b"".join(secrets.choice((b"fraud", b"sound")) for _ in range(number))


def key_value(key: str, value: str | float) -> KeyValue:
    """Return one attribute."""
    if isinstance(value, str):
        return KeyValue(key=key, value=AnyValue(string_value=value))
    if isinstance(value, int):
        return KeyValue(key=key, value=AnyValue(int_value=value))
    return KeyValue(key=key, value=AnyValue(double_value=value))


@contextmanager
def running_hop(
    name: str, command: str, config: str, sink: Sink, folder: Path, profiles: Sequence[Path] = ()
) -> Iterator[Hop]:
    """Run *command* with *config* written to *folder* until the block ends; it listens before the block begins."""
    port = free_port()
    path = folder / f"{name}.yaml"
    listen, http = f"127.0.0.1:{port}", f"127.0.0.1:{free_port()}"
    named = ", ".join(f'"{profile}"' for profile in profiles)
    path.write_text(config.format(listen=listen, forward=sink.address, http=http, profiles=named))
    log = folder / f"{name}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            shlex.split(command.format(config=shlex.quote(str(path)))), stdout=output, stderr=output
        )
    channel = grpc.insecure_channel(listen, [("grpc.enable_http_proxy", 0)])
    try:
        await_listening(process, port, log)
        # A processor listens before it serves: it may be compiling, for longer than a connection is waited for.
        grpc.channel_ready_future(channel).result(READY_S)
        yield Hop(name, process.pid, channel.unary_unary(f"/{TRACES}/Export"))
    finally:
        channel.close()
        process.terminate()
        process.wait()


def await_listening(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    """Return when somebody listens on *port*; end the program, showing the log, if *process* does not come so far."""
    deadline = time.monotonic() + READY_S
    while process.poll() is None and time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    sys.exit(f"{process.args!r} does not listen:\n{log.read_text(errors='replace')[-4000:]}")


def free_port() -> int:
    """Return a port of this machine that nobody listens on at this moment."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
        return port


@contextmanager
def running_sink() -> Iterator[Sink]:
    """Run a sink in a process of its own until the block ends."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=serve_sink, args=(there,), daemon=True)
    process.start()
    there.close()  # or nobody would be told if the process ended
    try:
        yield Sink(here.recv(), here)
    finally:
        process.terminate()
        process.join()


def serve_sink(connection: Connection) -> None:
    """Accept every request and count the spans of traces; tell the address first, then the count whenever asked."""
    counts: Counter[str] = Counter()

    def count(request: bytes, _: grpc.ServicerContext) -> bytes:
        parsed = ExportTraceServiceRequest.FromString(request)
        scopes = [scoped for group in parsed.resource_spans for scoped in group.scope_spans]
        counts["spans"] += sum(len(scoped.spans) for scoped in scopes)
        return b""

    def ignore(_: bytes, __: grpc.ServicerContext) -> bytes:
        return b""

    answers = {TRACES: count, METRICS: ignore, LOGS: ignore}
    handlers = [
        grpc.method_handlers_generic_handler(
            service, {"Export": grpc.unary_unary_rpc_method_handler(answer)}
        )
        for service, answer in answers.items()
    ]
    with ThreadPoolExecutor(1) as one:  # One thread, so that no count is lost.
        server = grpc.server(one, options=[("grpc.max_receive_message_length", 64 << 20)])
        server.add_generic_rpc_handlers(handlers)
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        connection.send(f"127.0.0.1:{port}")
        while True:
            connection.recv()
            connection.send(counts.pop("spans", 0))


if __name__ == "__main__":
    sys.exit(main())

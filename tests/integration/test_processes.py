"""Processes, threads and tasks: every inference once, under its own request, numbered without a gap, and nothing hangs."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import threading
import urllib.request
from collections import Counter
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from conventions.scenarios.receiver import Receiver
from tests.integration.real_servers import eventually, free_port, listens, running

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

REQUESTS = 40
MODEL = """
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression().fit([[0.0], [1.0]], ["on time", "late"])
"""
WORKERS = {
    "own": (),
    "preload": ("--preload",),
    "threads": ("--threads", "4"),
    "gevent": ("-k", "gevent"),
    "gevent preload": ("-k", "gevent", "--preload"),
}
FLASK = """
    from flask import Flask, request

    app = Flask(__name__)

    @app.get("/predict")
    def predict():
        return str(model.predict([[float(request.args["x"])]])[0])
"""
FASTAPI = """
    import os
    from fastapi import FastAPI

    app = FastAPI()

    @app.get("/predict")
    async def predict(x: float):
        return {"answer": str(model.predict([[x]])[0]), "process": os.getpid()}
"""


@pytest.fixture(name="receiver")
def _receiver() -> Iterator[Receiver]:
    """A real OTLP receiver."""
    receiver = Receiver()
    yield receiver
    receiver.close()


def spans(receiver: Receiver) -> list[Any]:
    """Return every span that arrived."""
    requests = received(receiver, ExportTraceServiceRequest)
    return [span for request in requests for span in spans_of(request)]


def spans_of(request: ExportTraceServiceRequest) -> list[Any]:
    """Return the spans of one request."""
    return [
        span
        for resource in request.resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]


def received(receiver: Receiver, kind: type) -> list[Any]:
    """Return the requests of one kind, in the order of their arrival."""
    return [request for request in receiver.requests if isinstance(request, kind)]


def facts(span: Any) -> dict[str, Any]:
    """Return the attributes of a span that are text or whole numbers."""
    return {
        attribute.key: attribute.value.string_value or attribute.value.int_value
        for attribute in span.attributes
    }


def inferences(receiver: Receiver) -> list[Any]:
    """Return the spans of model calls."""
    return [span for span in spans(receiver) if "ml.model.name" in facts(span)]


def requests_of(receiver: Receiver) -> list[Any]:
    """Return the spans of the server."""
    return [span for span in spans(receiver) if span.kind == Span.SPAN_KIND_SERVER]


def counted(receiver: Receiver) -> int:
    """Return how many calls the duration histograms count in the last report of each process."""
    last: dict[int, int] = {}
    for request in received(receiver, ExportMetricsServiceRequest):
        for resource in request.resource_metrics:
            process = {a.key: a.value for a in resource.resource.attributes}["process.pid"]
            for scope in resource.scope_metrics:
                for metric in scope.metrics:
                    if metric.name == "ml.inference.duration":
                        points = metric.histogram.data_points
                        last[process.int_value] = sum(point.count for point in points)
    return sum(last.values())


def instrumented(receiver: Receiver) -> tuple[str, Mapping[str, str]]:
    """Return the command that instruments a program, and the environment it needs."""
    command = str(Path(sys.executable).with_name("opentelemetry-instrument"))
    return command, os.environ | {
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{receiver.endpoint}",
        "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc",
        "OTEL_TRACES_EXPORTER": "otlp",
        "OTEL_METRICS_EXPORTER": "otlp",
        "OTEL_LOGS_EXPORTER": "none",
        "OTEL_EXPERIMENTAL_RESOURCE_DETECTORS": "otel,process",
        "OTEL_BSP_SCHEDULE_DELAY": "100",
        # What is not acknowledged in time is sent again, and would be there twice.
        "OTEL_EXPORTER_OTLP_TIMEOUT": "60",
        "PYTHONDONTWRITEBYTECODE": "1",
    }


def written(folder: Path, name: str, *parts: str) -> Path:
    """Write a program made of *parts*."""
    path = folder / name
    path.write_text("\n".join(map(textwrap.dedent, parts)))
    return path


@contextmanager
def served(
    receiver: Receiver, folder: Path, monkeypatch: pytest.MonkeyPatch, *command: str, port: int
) -> Iterator[str]:
    """Run a web server under `opentelemetry-instrument` and return the address that predicts."""
    instrument, environment = instrumented(receiver)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(folder)
    address = f"http://127.0.0.1:{port}/predict?x=1"
    program = [instrument, str(Path(sys.executable).with_name(command[0])), *command[1:]]
    with running(program, ready=lambda: listens(port), log=folder / "server.log"):
        yield address


def asked(address: str) -> list[str]:
    """Ask *REQUESTS* times, from four threads at once; return the answers."""
    found: list[str] = []

    def ask() -> None:
        for _ in range(REQUESTS // 4):
            with urllib.request.urlopen(address) as answer:
                found.append(answer.read().decode())

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def check_every_request(receiver: Receiver, requests: int) -> None:
    """Every server span has one inference, of its own trace; each process numbers its calls 1, 2, 3 ..."""
    found = eventually(lambda: inferences(receiver), lambda all_: len(all_) >= requests, 60)
    assert len(found) == requests
    parents = {span.span_id: span for span in requests_of(receiver)}
    assert len(parents) == requests
    assert Counter(span.parent_span_id for span in found) == Counter(parents.keys())
    assert all(parents[span.parent_span_id].trace_id == span.trace_id for span in found)
    streams: dict[str, list[int]] = {}
    for span in found:
        told = facts(span)
        streams.setdefault(told["ml.call.stream"], []).append(told["ml.call.sequence"])
    assert 1 <= len(streams) <= 2
    for sequence in streams.values():
        assert sorted(sequence) == list(range(1, len(sequence) + 1))


@pytest.mark.parametrize("kind", WORKERS.values(), ids=WORKERS)
def test_gunicorn_workers_observe_every_request(
    receiver: Receiver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: tuple[str, ...]
) -> None:
    """Two workers of every kind, forked before or after the model was loaded: every request once, and metrics of all when they are stopped."""
    written(tmp_path, "service.py", MODEL, FLASK)
    port = free_port()
    # A worker that is slow to start on a busy machine would be taken for hung, and begun again.
    patience = ("--timeout", "300", "--graceful-timeout", "50")
    command = (
        *("gunicorn", "-w", "2", *patience, "--bind", f"127.0.0.1:{port}"),
        *(*kind, "service:app"),
    )

    with served(receiver, tmp_path, monkeypatch, *command, port=port) as address:
        assert asked(address) == ["late"] * REQUESTS

    check_every_request(receiver, REQUESTS)
    assert eventually(lambda: counted(receiver), lambda n: n >= REQUESTS, 60) == REQUESTS


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_uvicorn_workers_observe_every_request(
    receiver: Receiver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, loop: str
) -> None:
    """Two spawned workers with a loop each: every request once, as a child of its own request."""
    written(tmp_path, "service.py", MODEL, FASTAPI)
    port = free_port()
    # A worker that is slow to start on a busy machine would be taken for dead, and begun again.
    patience = ("--timeout-worker-healthcheck", "100")
    command = (
        "uvicorn",
        "--loop",
        loop,
        "--workers",
        "2",
        *patience,
        "--port",
        str(port),
        "service:app",
    )

    with served(receiver, tmp_path, monkeypatch, *command, port=port) as address:
        assert len(asked(address)) == REQUESTS
        # A worker is ended without a last export: the last request may be told later than its inference.
        eventually(
            lambda: (len(inferences(receiver)), len(requests_of(receiver))),
            lambda found: min(found) >= REQUESTS,
            60,
        )

    check_every_request(receiver, REQUESTS)


def run(receiver: Receiver, program: Path) -> list[str]:
    """Run *program* under `opentelemetry-instrument`; return the lines it printed."""
    command, environment = instrumented(receiver)
    done = subprocess.run(
        [command, sys.executable, str(program)],
        env=dict(environment),
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr, done.stderr
    return done.stdout.splitlines()


IN_A_SPAN = """
    from opentelemetry import trace

    tracer = trace.get_tracer("caller")

    def traced(work):
        with tracer.start_as_current_span("request"):
            return work()
"""
WAYS = {
    "loky": """
        import joblib, otel_ml

        def ask(x):
            return model.predict([[x]])[0]

        if __name__ == "__main__":
            jobs = lambda: [joblib.delayed(otel_ml.propagate(ask))(float(x)) for x in range(8)]
            print(len(traced(lambda: joblib.Parallel(n_jobs=2)(jobs()))))
    """,
    "threads": """
        import otel_ml
        from concurrent.futures import ThreadPoolExecutor

        def ask(x):
            return model.predict([[float(x)]])[0]

        with ThreadPoolExecutor(4) as pool:
            print(len(traced(lambda: list(pool.map(otel_ml.propagate(ask), range(8))))))
    """,
    "tasks": """
        import asyncio

        async def ask(x):
            await asyncio.sleep(0)
            if x % 2:
                return model.predict([[float(x)]])[0]
            return await asyncio.to_thread(model.predict, [[float(x)]])

        async def all_of_them():
            with tracer.start_as_current_span("request"):
                return await asyncio.gather(*map(ask, range(8)))

        print(len(asyncio.run(all_of_them())))
    """,
}


@pytest.mark.parametrize("way", WAYS)
def test_inferences_elsewhere_belong_to_their_request(
    receiver: Receiver, tmp_path: Path, way: str
) -> None:
    """In worker processes of joblib, in a thread pool, in tasks of a loop: eight calls, eight spans, all in the caller's trace."""
    program = written(tmp_path, "program.py", MODEL, IN_A_SPAN, WAYS[way])

    assert run(receiver, program) == ["8"]

    found = eventually(lambda: inferences(receiver), lambda all_: len(all_) >= 8, 60)
    (request,) = [span for span in spans(receiver) if span.name == "request"]
    assert len(found) == 8
    assert {span.parent_span_id for span in found} == {request.span_id}


FORKING = """
    import os, threading

    def ask_for_ever():
        while not stop.is_set():
            model.predict([[1.0]])
            asked.append(1)

    stop, asked = threading.Event(), []
    threads = [threading.Thread(target=ask_for_ever) for _ in range(3)]
    for thread in threads:
        thread.start()
    statuses = []
    for _ in range(15):
        child = os.fork()
        if child == 0:
            status = 0 if model.predict([[1.0]])[0] == "late" else 1
            os._exit(status)
        statuses.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    stop.set()
    for thread in threads:
        thread.join()
    print(statuses == [0] * 15, len(asked))
"""


def test_forks_in_the_middle_of_calls_do_not_hang(receiver: Receiver, tmp_path: Path) -> None:
    """Children forked while three threads predict answer and end; what the parent saw is told once and is counted in full.

    gRPC, forked in the middle of a request, may send it a second time as it is: an exporter alone does so too, in one of thirty programs.
    """
    program = written(tmp_path, "program.py", MODEL, FORKING)

    (line,) = run(receiver, program)

    answered, calls = line.split()
    assert answered == "True"
    assert counted(receiver) == int(calls)
    told = {
        bytes(request.SerializeToString()): request
        for request in received(receiver, ExportTraceServiceRequest)
    }
    ids = [(span.trace_id, span.span_id) for request in told.values() for span in spans_of(request)]
    assert len(set(ids)) == len(ids)

"""A program that knows nothing of telemetry, run under `opentelemetry-instrument`."""

import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator, Mapping
from concurrent import futures
from pathlib import Path
from typing import Any, NamedTuple

import grpc
import pytest
from opentelemetry.proto.collector.metrics.v1 import (
    metrics_service_pb2,
    metrics_service_pb2_grpc,
)
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc

from otel_ml_conventions.schema import SCHEMA_URL

PROGRAM = """
    import numpy as np
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    rng = np.random.default_rng(0)
    samples = rng.normal(size=(50, 3))
    target = np.where(samples[:, 0] > 0, "late", "on time")
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(samples, target)
    print(model.predict([[1.5, 0.25, -2.0]])[0])
    print(len(model.predict_proba(samples[:4])))
    try:
        model.predict([["not a number", 1, 2]])
    except ValueError as error:
        print(type(error).__name__)
"""
PRINTS = ["late", "4", "ValueError"]

SPAWNING = """
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor
    from sklearn.linear_model import LinearRegression

    def work(number):
        model = LinearRegression().fit([[0.0], [1.0]], [0.0, 1.0])
        return float(model.predict([[float(number)]])[0])

    if __name__ == "__main__":
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(1, mp_context=context) as pool:
            print([round(value, 6) for value in pool.map(work, [1, 2])])
"""

SERVICE = """
    import numpy as np
    from fastapi import FastAPI
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression().fit([[0.0], [1.0]], ["on time", "late"])
    app = FastAPI()

    @app.get("/predict")
    def predict(x: float):
        return {"answer": str(model.predict([[x]])[0])}

    @app.get("/predict_async")
    async def predict_async(x: float):
        return {"answer": str(model.predict([[x]])[0])}
"""
CLIENT = """
    import sys, threading, time, urllib.request
    import uvicorn
    from service import app

    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="warning"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    for path in ("predict", "predict_async"):
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/{path}?x=1") as answer:
            print(answer.read().decode())
    server.should_exit = True
    thread.join()
"""

BLOCKED = """
    import importlib.abc, runpy, sys

    class Absent(importlib.abc.MetaPathFinder):
        def find_spec(self, name, path, target=None):
            if name.partition(".")[0] in {"otel_ml", "otel_ml_conventions", "opentelemetry"}:
                raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    sys.meta_path.insert(0, Absent())
    runpy.run_path(sys.argv[1], run_name="__main__")
"""


class Receiver(NamedTuple):
    """A real OTLP server and what it has received."""

    endpoint: str
    spans: list[Any]
    scopes: list[Any]
    metrics: list[Any]

    def of_models(self) -> list[Any]:
        """Return the spans of model calls, by their start."""
        found = [span for span in self.spans if "ml.model.name" in attributes(span)]
        return sorted(found, key=lambda span: int(span.start_time_unix_nano))


class _Traces(trace_service_pb2_grpc.TraceServiceServicer):  # type: ignore[misc]  # generated, without types
    def __init__(self, receiver: Receiver) -> None:
        self._receiver = receiver

    def Export(self, request: Any, context: Any) -> Any:  # noqa: N802 - gRPC's name
        for resource in request.resource_spans:
            for scope in resource.scope_spans:
                self._receiver.scopes.append(scope)
                self._receiver.spans.extend(scope.spans)
        return trace_service_pb2.ExportTraceServiceResponse()


class _Metrics(metrics_service_pb2_grpc.MetricsServiceServicer):  # type: ignore[misc]  # generated, without types
    def __init__(self, receiver: Receiver) -> None:
        self._receiver = receiver

    def Export(self, request: Any, context: Any) -> Any:  # noqa: N802 - gRPC's name
        for resource in request.resource_metrics:
            for scope in resource.scope_metrics:
                self._receiver.metrics.extend(scope.metrics)
        return metrics_service_pb2.ExportMetricsServiceResponse()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """Return an OTLP server on a free port of this machine."""
    server = grpc.server(futures.ThreadPoolExecutor(4))
    port = server.add_insecure_port("127.0.0.1:0")
    receiver = Receiver(f"http://127.0.0.1:{port}", [], [], [])
    trace_service_pb2_grpc.add_TraceServiceServicer_to_server(_Traces(receiver), server)
    metrics_service_pb2_grpc.add_MetricsServiceServicer_to_server(_Metrics(receiver), server)
    server.start()
    yield receiver
    server.stop(grace=None).wait()


def write(path: Path, program: str) -> Path:
    """Write *program* to *path* and return it."""
    path.write_text(textwrap.dedent(program))
    return path


def instrumented(receiver: Receiver, program: Path, *flags: str, **variables: str) -> list[str]:
    """Run *program* as a user would, and return the lines it prints."""
    command = str(Path(sys.executable).with_name("opentelemetry-instrument"))
    environment = os.environ | {
        "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.endpoint,
        "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc",
        "OTEL_TRACES_EXPORTER": "otlp",
        "OTEL_METRICS_EXPORTER": "otlp",
        "OTEL_LOGS_EXPORTER": "none",
        "OTEL_SERVICE_NAME": "zero-code",
        # What is not acknowledged in time is sent again, and would be there twice.
        "OTEL_EXPORTER_OTLP_TIMEOUT": "60",
        **variables,
    }
    done = subprocess.run(
        [command, *flags, sys.executable, str(program)],
        env=environment,
        cwd=program.parent,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr, done.stderr
    return done.stdout.splitlines()


def attributes(span: Any) -> Mapping[str, Any]:
    """Return the attributes of a received span as Python values of the types that were sent."""
    found: dict[str, Any] = {}
    for attribute in span.attributes:
        kind = attribute.value.WhichOneof("value")
        value = getattr(attribute.value, kind)
        if kind == "array_value":
            value = [getattr(item, item.WhichOneof("value")) for item in value.values]
        found[attribute.key] = value
    return found


def types(facts: Mapping[str, Any]) -> dict[str, str]:
    """Return the type of each fact by name."""
    return {key: type(value).__name__ for key, value in facts.items()}


COMMON = {
    "ml.operation.name": "str",
    "ml.model.name": "str",
    "ml.model.type": "str",
    "ml.framework.name": "str",
    "ml.framework.version": "str",
    "ml.task.type": "str",
    "ml.batch.size": "int",
    "ml.call.sequence": "int",
    "ml.call.stream": "str",
    "code.function.name": "str",
    "ml.input.feature.count": "int",
    "ml.input.missing.count": "int",
    "ml.validation.result": "str",
}


def test_a_program_without_a_line_of_ours_sends_every_inference(
    receiver: Receiver, tmp_path: Path
) -> None:
    """What arrives at a real OTLP server: these spans, with these attributes of these types."""
    program = write(tmp_path / "program.py", PROGRAM)
    assert instrumented(receiver, program) == PRINTS
    one, batch, refused = receiver.of_models()
    assert {span.name for span in (one, batch, refused)} == {"predict Pipeline"}
    assert types(attributes(one)) == COMMON | {"ml.prediction.label": "str"}
    assert types(attributes(batch)) == COMMON | {
        "ml.input.schema.hash": "str",
        "ml.prediction.labels": "list",
        "ml.prediction.confidences": "list",
        "ml.batch.confidence.mean": "float",
        "ml.batch.confidence.min": "float",
    }
    assert types(attributes(refused)) == COMMON | {"error.type": "str"}
    assert attributes(one)["ml.prediction.label"] == "late"
    assert attributes(one)["ml.task.type"] == "binary_classification"
    assert len(attributes(batch)["ml.prediction.confidences"]) == 4
    assert attributes(refused)["error.type"] == "ValueError"
    assert [attributes(span)["ml.call.sequence"] for span in (one, batch, refused)] == [1, 2, 3]
    assert len({attributes(span)["ml.call.stream"] for span in (one, batch, refused)}) == 1
    assert [(span.status.code, span.status.message) for span in (one, batch, refused)] == [
        (0, ""),
        (0, ""),
        (2, ""),
    ]
    assert {(scope.scope.name, scope.schema_url) for scope in receiver.scopes} == {
        ("otel_ml", SCHEMA_URL)
    }


def test_the_metrics_arrive_too(receiver: Receiver, tmp_path: Path) -> None:
    """All five, complete although the program ended at once."""
    program = write(tmp_path / "program.py", PROGRAM)
    instrumented(receiver, program)
    points = {metric.name: metric for metric in receiver.metrics}
    assert points.keys() >= {
        "ml.inference.duration",
        "ml.inference.batch.size",
        "ml.inference.predictions",
        "ml.prediction.confidence",
        "ml.sdk.dropped",
    }
    assert "ml.sdk.errors" not in points
    assert sum(p.count for p in points["ml.inference.duration"].histogram.data_points) == 3
    assert sum(p.as_int for p in points["ml.inference.predictions"].sum.data_points) == 6
    assert sum(p.count for p in points["ml.prediction.confidence"].histogram.data_points) == 4
    assert points["ml.inference.duration"].unit == "s"


def test_the_same_file_runs_where_otel_ml_cannot_be_imported(tmp_path: Path) -> None:
    """Zero code: nothing in the program depends on us, or on OpenTelemetry."""
    program = write(tmp_path / "program.py", PROGRAM)
    blocked = write(tmp_path / "blocked.py", BLOCKED)
    done = subprocess.run(
        [sys.executable, str(blocked), str(program)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == PRINTS
    assert "otel" not in program.read_text()


def test_every_variable_is_a_flag(receiver: Receiver, tmp_path: Path) -> None:
    """`--instrumentation_ml_capture_content span_only` is the variable of that name."""
    program = write(tmp_path / "program.py", PROGRAM)
    flags = (
        *("--instrumentation_ml_capture_content", "span_only"),
        *("--instrumentation_ml_capture_outputs", "full"),
        *("--ml_model_name", "lateness"),
        *("--ml_model_version", "7"),
    )
    assert instrumented(receiver, program, *flags) == PRINTS
    one, batch, _ = receiver.of_models()
    facts = attributes(one)
    assert one.name == "predict lateness"
    assert facts["ml.model.version"] == "7"
    assert facts["ml.input.values"] == [1.5, 0.25, -2.0]
    assert types(attributes(batch))["ml.prediction.probabilities"] == "str"


def test_one_framework_can_be_switched_off(receiver: Receiver, tmp_path: Path) -> None:
    """By the name of its entry point, as with any other instrumentation."""
    program = write(tmp_path / "program.py", PROGRAM)
    lines = instrumented(receiver, program, OTEL_PYTHON_DISABLED_INSTRUMENTATIONS="ml_sklearn")
    assert lines == PRINTS
    assert receiver.of_models() == []


def test_a_spawned_process_observes_itself(receiver: Receiver, tmp_path: Path) -> None:
    """Workers inherit the instrumentation, and count their calls in a stream of their own."""
    program = write(tmp_path / "spawning.py", SPAWNING)
    assert instrumented(receiver, program) == ["[1.0, 2.0]"]
    first, second = (attributes(span) for span in receiver.of_models())
    assert [first["ml.call.sequence"], second["ml.call.sequence"]] == [1, 2]
    assert first["ml.call.stream"] == second["ml.call.stream"]


def test_an_inference_is_a_child_of_its_request(receiver: Receiver, tmp_path: Path) -> None:
    """In a FastAPI service, in a thread of its pool and in its loop alike."""
    write(tmp_path / "service.py", SERVICE)
    client = write(tmp_path / "client.py", CLIENT)
    assert instrumented(receiver, client) == ['{"answer":"late"}'] * 2
    requests = {span.span_id: span for span in receiver.spans if span.kind == 2}
    inferences = receiver.of_models()
    assert len(inferences) == 2
    for span in inferences:
        parent = requests[span.parent_span_id]
        assert parent.trace_id == span.trace_id
        assert parent.name.startswith("GET /predict")


def test_a_service_without_the_sdk_configured_still_answers(tmp_path: Path) -> None:
    """Instrumented, but with nowhere to send to: the results are the same."""
    program = write(tmp_path / "program.py", "import otel_ml\notel_ml.instrument()\n")
    program.write_text(program.read_text() + textwrap.dedent(PROGRAM))
    done = subprocess.run(
        [sys.executable, "-W", "error", str(program)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == PRINTS

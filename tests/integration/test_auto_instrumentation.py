"""What the operator's init container copies into a Python service, put together as the Dockerfile does, and injected as the operator does."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

if TYPE_CHECKING:
    from collections.abc import Iterator


ROOT = Path(__file__).parents[2]
DOCKERFILE = ROOT / "collector-config" / "Dockerfile"
OPERATORS = ("opentelemetry-distro", "opentelemetry-exporter-otlp-proto-http")
"""What is in the operator's image of itself; all else follows from what they need."""
PROGRAM = """
import otel_ml
from sklearn.linear_model import LogisticRegression

print(otel_ml.__file__)
model = LogisticRegression().fit([[0.0], [1.0]], ["on time", "late"])
print(model.predict([[5.0]])[0])
"""


@pytest.fixture(scope="module", name="tree")
def _tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What is in the image: the line of the Dockerfile, without a network, beside what the operator puts there."""
    line = re.search(
        r"^RUN pip (install .+) --target /otel-ml /src$", DOCKERFILE.read_text(), re.MULTILINE
    )
    assert line is not None
    tree = tmp_path_factory.mktemp("image") / "autoinstrumentation"
    options = [part for part in line[1].split() if part not in {"--no-cache-dir", "--no-compile"}]
    offline = ("--offline", "--no-build-isolation", "--python", sys.executable)
    command = [str(Path(sys.executable).with_name("uv")), "pip", *options, *offline]
    done = subprocess.run(
        [*command, "--target", str(tree), str(ROOT)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return tree


def needed_by(name: str, found: set[str]) -> set[str]:
    """Return *found* with the installed distributions that *name* is and needs."""
    name = re.sub(r"[-_.]+", "-", name).lower()
    try:
        requires = distribution(name).requires or []
    except PackageNotFoundError:  # of another platform or version of Python
        return found
    if name not in found:
        found.add(name)
        for one in requires:
            if "extra ==" not in one:
                needed_by(re.split(r"[^\w.-]", one, maxsplit=1)[0], found)
    return found


def copy_distribution(name: str, tree: Path) -> None:
    """Copy the files of an installed distribution into *tree*."""
    whole = distribution(name)
    for file in whole.files or []:
        if ".." not in file.parts and "__pycache__" not in file.parts:
            target = tree / file
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(str(whole.locate_file(file)), target)


def service_environment(folder: Path) -> Path:
    """Return the Python of an environment that has the framework and nothing of telemetry."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    (packages,) = folder.glob("lib/python*/site-packages")
    for name in needed_by("scikit-learn", set()):
        whole = distribution(name)
        for top in {file.parts[0] for file in whole.files or []} - {".."}:
            (packages / top).symlink_to(str(whole.locate_file(top)))
    return folder / "bin" / "python"


@contextmanager
def receiving() -> Iterator[tuple[str, list[bytes]]]:
    """Take OTLP over HTTP until the block ends; give the address and the bodies of requests for spans."""
    bodies: list[bytes] = []

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.path == "/v1/traces":
                bodies.append(body)
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", bodies
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_nothing_of_ours_is_compiled(tree: Path) -> None:
    """So the same files serve glibc and musl, and the Dockerfile puts the same folder into both places."""
    assert (tree / "otel_ml" / "__init__.py").is_file()
    assert [path for path in tree.rglob("*") if path.suffix in {".so", ".pyd", ".dylib"}] == []
    copies = re.findall(
        r"^COPY --from=pure-python (\S+) (\S+)$", DOCKERFILE.read_text(), re.MULTILINE
    )
    assert copies == [
        ("/otel-ml", "/autoinstrumentation"),
        ("/otel-ml", "/autoinstrumentation-musl"),
    ]


def test_ours_takes_nothing_of_the_operators_away(tree: Path) -> None:
    """No file of ours lies where the operator's image has one of its own."""
    ours = {path.name for path in tree.iterdir()} - {"bin"}
    theirs = {
        file.parts[0]
        for name in set().union(*(needed_by(name, set()) for name in OPERATORS))
        for file in distribution(name).files or []
    }
    assert not ours & theirs


def test_a_service_without_telemetry_is_observed_when_it_is_injected(
    tree: Path, tmp_path: Path
) -> None:
    """`PYTHONPATH` as the operator sets it, http/protobuf as it says: the service prints what it printed, and its call is a span."""
    whole = tmp_path / "otel-auto-instrumentation-python"
    shutil.copytree(tree, whole)
    for name in set().union(*(needed_by(name, set()) for name in OPERATORS)):
        copy_distribution(name, whole)
    python = service_environment(tmp_path / "service")
    program = tmp_path / "service.py"
    program.write_text(PROGRAM)
    alone = subprocess.run([python, program], capture_output=True, text=True, check=False, env={})
    assert "No module named 'otel_ml'" in alone.stderr
    with receiving() as (endpoint, bodies):
        injected = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": f"{whole}/opentelemetry/instrumentation/auto_instrumentation:{whole}",
            "OTEL_SERVICE_NAME": "shop",
            "OTEL_TRACES_EXPORTER": "otlp",
            "OTEL_METRICS_EXPORTER": "none",
            "OTEL_LOGS_EXPORTER": "none",
            "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
            "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint,
        }
        done = subprocess.run(
            [python, program], capture_output=True, text=True, check=False, env=injected
        )
    assert (done.returncode, done.stdout.splitlines()) == (
        0,
        [str(whole / "otel_ml" / "__init__.py"), "late"],
    ), done.stderr
    spans = [
        span
        for body in bodies
        for group in ExportTraceServiceRequest.FromString(body).resource_spans
        for scope in group.scope_spans
        for span in scope.spans
    ]
    assert "predict LogisticRegression" in [span.name for span in spans]

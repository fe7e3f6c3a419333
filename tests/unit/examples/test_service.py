"""The service that is watched: it answers, and it knows nothing of telemetry."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest
import service
from departures import FEATURES
from play import requests_for

from tests.integration.real_servers import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd
    from sklearn.pipeline import Pipeline

SOURCE = Path(service.__file__)
BLOCKED = """
import sys
for name in ("otel_ml", "otel_ml_conventions", "otel_ml_processor"):
    sys.modules[name] = None  # whoever imports it gets an ImportError, as where it is not installed
import uvicorn
uvicorn.run("service:app", host="127.0.0.1", port=int(sys.argv[1]), app_dir=sys.argv[2])
"""


def started(model_file: Path) -> tuple[subprocess.Popen[str], int]:
    """Start the service in an interpreter that cannot import otel-ml; return it and its port."""
    port = free_port()
    command = [sys.executable, "-c", BLOCKED, str(port), str(SOURCE.parent)]
    environment = {**os.environ, "MODEL_FILE": str(model_file), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True), port


@pytest.fixture(scope="module", name="client")
def _client(model_file: Path) -> Iterator[httpx.Client]:
    """A client of the service, which runs without otel-ml."""
    process, port = started(model_file)
    try:
        with httpx.Client(
            base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=60
        ) as client:
            wait_until_it_answers(client, process)
            yield client
    finally:
        process.terminate()
        process.communicate(timeout=60)


def wait_until_it_answers(client: httpx.Client, process: subprocess.Popen[str]) -> None:
    """Return when the service is healthy; fail if it ends."""
    end = time.monotonic() + 180
    while not is_healthy(client):
        if time.monotonic() > end or process.poll() is not None:
            pytest.fail("the service is not up")
        time.sleep(0.1)


def is_healthy(client: httpx.Client) -> bool:
    """Return whether the service answers."""
    try:
        return client.get("/healthz").status_code == httpx.codes.OK
    except httpx.TransportError:
        return False


def test_its_source_imports_nothing_of_ours_and_nothing_of_opentelemetry() -> None:
    """Zero code, literally."""
    imported = set()
    for node in ast.walk(ast.parse(SOURCE.read_text())):
        if isinstance(node, ast.Import):
            imported |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported.add((node.module or "").partition(".")[0])
    assert "fastapi" in imported
    assert not [name for name in imported if name.startswith(("otel", "opentelemetry"))]


def test_the_same_file_runs_where_otel_ml_is_not_installed(client: httpx.Client) -> None:
    """An interpreter that cannot import otel-ml serves it."""
    assert client.get("/healthz").json() == {"status": "ok"}


def test_it_answers_what_the_model_says(
    client: httpx.Client, winter: pd.DataFrame, model: Pipeline
) -> None:
    """For flights with and without missing readings, the model's own probability, and late from one half on."""
    rows = winter.iloc[::100]
    assert rows[list(FEATURES)].isna().any(axis=None)
    answers = [client.post("/predict", json=body).json() for body in requests_for(rows)]
    expected = model.predict_proba(rows[list(FEATURES)])[:, 0]
    assert [answer["probability"] for answer in answers] == pytest.approx(expected, abs=1e-12)
    assert [answer["late"] for answer in answers] == [bool(late >= 0.5) for late in expected]


@pytest.mark.parametrize("name", ["dep_delay", "hour", "distance", "carrier", "origin", "dest"])
def test_a_flight_without_what_is_always_known_is_refused(
    client: httpx.Client, winter: pd.DataFrame, name: str
) -> None:
    """Weather and aircraft may be unknown; the flight itself may not."""
    [body] = requests_for(winter.iloc[:1])
    del body[name]
    answer = client.post("/predict", json=body)
    assert answer.status_code == httpx.codes.UNPROCESSABLE_ENTITY
    assert answer.json()["detail"][0]["loc"] == ["body", name]


def test_weather_and_aircraft_may_be_left_out(client: httpx.Client) -> None:
    """An absent key is as good as a null."""
    body = {"dep_delay": 4, "hour": 8, "distance": 760}
    body |= {"carrier": "UA", "origin": "EWR", "dest": "ORD"}
    nulls = dict.fromkeys(set(FEATURES) - set(body))
    answers = [client.post("/predict", json=each).json() for each in (body, {**body, **nulls})]
    assert answers[0] == answers[1]
    assert 0 <= answers[0]["probability"] <= 1


def test_without_its_model_it_does_not_start(tmp_path: Path) -> None:
    """Rather no service than one that fails at every request; the last lines name the file."""
    process, _ = started(tmp_path / "none.joblib")
    _, said = process.communicate(timeout=300)
    assert process.returncode != 0
    assert "No such file or directory" in said
    assert "none.joblib" in said

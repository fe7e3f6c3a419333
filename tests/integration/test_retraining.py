"""A model drifts, and the example that the documentation shows starts a training, once."""

from __future__ import annotations

import base64
import os
import subprocess
import sys
import time
from contextlib import ExitStack
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import numpy as np
import pytest
from standardwebhooks import Webhook

from otel_ml_processor.config import Config
from otel_ml_processor.config_file import load_config
from otel_ml_processor.service import Service
from tests.integration.real_servers import eventually, free_port, listens, running
from tests.unit.processor.otlp_requests import inference, request_of

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).parents[2]
RECEIVER = ROOT / "examples" / "retrain" / "receive.py"
SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()
ROWS = 500
BOUND_S = 60.0


def configured(folder: Path, port: int) -> Config:
    """Return the configuration of a processor that calls the receiver."""
    table = folder / "training.csv"
    amounts = np.random.default_rng(1).normal(size=2000)
    table.write_text("amount\n" + "".join(f"{amount}\n" for amount in amounts))
    build = [
        *(str(Path(sys.executable).parent / "otel-ml"), "profile", "build", str(table)),
        *("--model", "fraud", "--version", "1", "-o", str(folder / "profile.json")),
    ]
    subprocess.run(build, check=True, capture_output=True, timeout=300)
    file = folder / "processor.yaml"
    file.write_text(
        f"""
receive: {{endpoint: "127.0.0.1:0"}}
emit: {{endpoint: "127.0.0.1:{free_port()}", webhook: {{url: "http://127.0.0.1:{port}/", secret: "{SECRET}"}}}}
http: {{endpoint: "127.0.0.1:0"}}
windows: [{{name: rows, rows: {ROWS}}}]
profiles: [profile.json]
"""
    )
    return load_config(file)


def rows(amounts: Sequence[float], first: int) -> bytes:
    """Return a request with one inference per amount."""
    now_ns = time.time_ns()
    spans = [
        inference(first + i, end_ns=now_ns, features={"amount": amount})
        for i, amount in enumerate(amounts)
    ]
    return request_of(spans).SerializeToString()


def test_drift_starts_a_training_once(tmp_path: Path) -> None:
    """Two usual windows are quiet; one that has moved starts `train.py` with model and version; a second one of the same state does not."""
    port = free_port()
    train = tmp_path / "train.py"
    trained = tmp_path / "trained"
    train.write_text(
        f"import sys\nwith open({str(trained)!r}, 'a') as file:\n    print(*sys.argv[1:], file=file)\n"
    )
    command = [sys.executable, str(RECEIVER), f"127.0.0.1:{port}", sys.executable, str(train)]
    random = np.random.default_rng(2)
    with ExitStack() as stack, pytest.MonkeyPatch.context() as patch:
        patch.setitem(os.environ, "WEBHOOK_SECRET", SECRET)
        log = tmp_path / "receiver.log"
        stack.enter_context(running(command, ready=lambda: listens(port), log=log))
        service = Service(configured(tmp_path, port), tmp_path)
        stack.callback(service.stop)
        service.start()
        for number, shift in enumerate([0, 0, 2, 2]):
            service._pipeline.take(
                rows(random.normal(shift, 1, ROWS).tolist(), number * ROWS), None
            )
            service.tick()
        found = eventually(lambda: trained.exists() and trained.read_text(), bool, BOUND_S)
    assert found == "fraud 1\n"
    assert trained.read_text() == "fraud 1\n", "and not again"


def test_whoever_does_not_know_the_secret_starts_nothing(tmp_path: Path) -> None:
    """A request of somebody else is refused; one that is repeated is taken, and starts nothing a second time."""
    port = free_port()
    trained = tmp_path / "trained"
    script = f"open({str(trained)!r}, 'a').write('x')"
    command = [sys.executable, str(RECEIVER), f"127.0.0.1:{port}", sys.executable, "-c", script]
    body = b'{"attributes": {"ml.model.name": "fraud"}}'
    with pytest.MonkeyPatch.context() as patch, ExitStack() as stack:
        patch.setitem(os.environ, "WEBHOOK_SECRET", SECRET)
        log = tmp_path / "receiver.log"
        stack.enter_context(running(command, ready=lambda: listens(port), log=log))
        client = stack.enter_context(
            httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=60)
        )
        other = base64.b64encode(bytes(range(1, 33))).decode()
        assert client.post("/", content=body).status_code == 401
        assert client.post("/", content=body, headers=signed(other, body)).status_code == 401
        for _ in range(3):
            good = signed(SECRET, body)
            assert client.post("/", content=body, headers=good).status_code == 204
        eventually(lambda: trained.exists() and trained.read_text(), bool, BOUND_S)
    assert trained.read_text() == "x"


def signed(secret: str, body: bytes) -> dict[str, str]:
    """Return headers as the public library makes them."""
    now = datetime.now(timezone.utc)
    return {
        "webhook-id": "one",
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(secret).sign("one", now, body.decode()),
    }

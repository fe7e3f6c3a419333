"""The Go example, built and run: what it sends is judged by the conventions."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.real_servers import free_port

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "other_languages" / "go"
OTEL_ML = Path(sys.executable).parent / "otel-ml"


@pytest.mark.timeout(600)  # the first build downloads what it is made of
@pytest.mark.skipif(shutil.which("go") is None, reason="needs Go")
def test_the_go_example_keeps_to_the_conventions(tmp_path: Path) -> None:
    """Three calls, one of which fails: every name, type, unit and level as the registry has it."""
    program = tmp_path / "scoring"
    subprocess.run(
        ["go", "build", "-mod=readonly", "-o", program, "."], cwd=EXAMPLE, check=True, timeout=500
    )
    endpoint = f"127.0.0.1:{free_port()}"
    command = [
        str(OTEL_ML),
        "conventions",
        "live-check",
        "--grpc",
        endpoint,
        "--http",
        "127.0.0.1:0",
    ]
    check = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        assert check.stdout is not None
        assert "listening" in check.stdout.readline()
        environment = {
            **os.environ,
            "OTEL_SERVICE_NAME": "payments",
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{endpoint}",
        }
        ran = subprocess.run(
            [program], env=environment, capture_output=True, text=True, check=False, timeout=60
        )
    finally:
        check.send_signal(signal.SIGINT)
    printed, _ = check.communicate(timeout=60)

    assert ran.returncode == 0, ran.stderr
    assert [line.split()[0] for line in ran.stdout.splitlines()] == ["fraud", "ok", "0"]
    assert "span ml.inference: 3 x" in printed
    assert "metric ml.inference.duration: 1 x" in printed
    assert "0 violations, 0 pieces of advice" in printed
    assert check.returncode == 0

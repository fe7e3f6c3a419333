"""The Go example, built and run: what it sends is judged by the conventions."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.integration.live_check import live_check

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "other_languages" / "go"


@pytest.mark.skipif(shutil.which("go") is None, reason="needs Go")
def test_the_go_example_keeps_to_the_conventions(tmp_path: Path) -> None:
    """Three calls, one of which fails: every name, type, unit and level as the registry has it."""
    program = tmp_path / "scoring"
    subprocess.run(
        ["go", "build", "-mod=readonly", "-o", program, "."], cwd=EXAMPLE, check=True, timeout=1500
    )
    with live_check() as check:
        ours = {
            "OTEL_SERVICE_NAME": "payments",
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{check.endpoint}",
        }
        ran = subprocess.run(
            [program],
            env={**os.environ, **ours},
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )

    assert ran.returncode == 0, ran.stderr
    assert [line.split()[0] for line in ran.stdout.splitlines()] == ["fraud", "ok", "0"]
    assert "span ml.inference: 3 x" in check.printed
    assert "metric ml.inference.duration: 1 x" in check.printed
    assert "0 violations, 0 pieces of advice" in check.printed
    assert check.status == 0

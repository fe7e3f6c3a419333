"""The examples in other languages, built and run: what they send is judged by the conventions."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Final, NamedTuple

import pytest

from tests.integration.live_check import live_check

EXAMPLES = Path(__file__).parents[2] / "examples" / "other_languages"
BUILD_S: Final = 1500


class Example(NamedTuple):
    """How an example is built and run in its folder, and with which words the lines begin that it prints."""

    build: list[str]
    run: list[str]
    words: list[str]


MAVEN: Final = ["mvn", "--quiet", "--batch-mode"]
RESET: Final = "\x1b[0m"
"""What Maven sets a terminal back with, also where there is none."""
EXAMPLE_OF: Final = {
    "go": Example(
        ["go", "build", "-mod=readonly", "-o", "scoring", "."],
        ["./scoring"],
        ["fraud", "ok", "0"],
    ),
    "java": Example(
        [*MAVEN, "compile"],
        [*MAVEN, "exec:java"],
        ["Answer[label=fraud,", "Answer[label=ok,", "java.lang.IllegalArgumentException:"],
    ),
}


@pytest.mark.parametrize("language", sorted(EXAMPLE_OF))
def test_the_example_keeps_to_the_conventions(language: str, tmp_path: Path) -> None:
    """Three calls, one of which fails: every name, type, unit and level as the registry has it."""
    example = EXAMPLE_OF[language]
    if shutil.which(example.build[0]) is None:
        pytest.skip(f"needs {example.build[0]}")
    folder = tmp_path / language
    shutil.copytree(EXAMPLES / language, folder)
    subprocess.run(example.build, cwd=folder, check=True, timeout=BUILD_S)
    with live_check() as check:
        ours = {
            "OTEL_SERVICE_NAME": "payments",
            "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc",
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{check.endpoint}",
        }
        ran = subprocess.run(
            example.run,
            cwd=folder,
            env={**os.environ, **ours},
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )

    assert ran.returncode == 0, ran.stderr
    printed = ran.stdout.replace(RESET, "").strip().splitlines()
    assert [line.split()[0] for line in printed] == example.words
    assert "span ml.inference: 3 x" in check.printed
    assert "metric ml.inference.duration: 1 x" in check.printed
    assert "0 violations, 0 pieces of advice" in check.printed
    assert check.status == 0

"""A declarative configuration file, read by OpenTelemetry's own loader in a program that knows nothing of it."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

PROGRAM = """
from sklearn.dummy import DummyRegressor
import pandas

frame = pandas.DataFrame({"age": [40.0], "ssn": [424242.0], "email": [7.0]})
model = DummyRegressor().fit(frame, [1.0])
model.predict(frame)
"""
FILE = """
file_format: "1.0"
tracer_provider:
  processors:
    - simple: {{exporter: {{console: }}}}
instrumentation/development:
  python:
    ml_sklearn: {block}
"""


class Ran(NamedTuple):
    """What the program wrote."""

    spans: list[dict[str, Any]]
    errors: str


def run(folder: Path, block: str, **environment: str) -> Ran:
    """Run the program under `opentelemetry-instrument` with *block* in its file."""
    (folder / "program.py").write_text(PROGRAM)
    (folder / "otel.yaml").write_text(FILE.format(block=block))
    done = subprocess.run(
        [Path(sys.executable).with_name("opentelemetry-instrument"), sys.executable, "program.py"],
        cwd=folder,
        env={**os.environ, "OTEL_CONFIG_FILE": "otel.yaml", **environment},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    spans, rest = [], done.stdout.strip()
    while rest:
        span, end = json.JSONDecoder().raw_decode(rest)
        spans.append(span)
        rest = rest[end:].strip()
    return Ran(spans, done.stderr)


def test_a_file_chooses_and_comes_before_the_environment_option_by_option(tmp_path: Path) -> None:
    """What the file says is in force; what it leaves out is as the environment says."""
    ran = run(
        tmp_path,
        "{capture_content: span_only, feature_denylist: [ssn], model_name: from the file}",
        OTEL_INSTRUMENTATION_ML_FEATURE_ALLOWLIST="age,ssn",
        OTEL_INSTRUMENTATION_ML_CAPTURE_CONTENT="no_content",
        OTEL_ML_MODEL_NAME="from the environment",
        OTEL_ML_MODEL_VERSION="3",
    )
    (span,) = ran.spans
    attributes = span["attributes"]
    assert attributes["ml.input.features"] == '{"age":40.0}'
    assert attributes["ml.model.name"] == "from the file"
    assert attributes["ml.model.version"] == "3"


def test_a_file_that_is_misspelt_captures_nothing(tmp_path: Path) -> None:
    """A deny list that is none must not go unnoticed: no span at all, and one line that says why."""
    ran = run(tmp_path, "{capture_content: span_only, feature_deny_list: [ssn]}")
    assert ran.spans == []
    (line,) = [line for line in ran.errors.splitlines() if "feature_deny_list" in line]
    assert line.startswith("sklearn is not instrumented: unknown option 'feature_deny_list'; known")
    assert "Traceback" not in ran.errors


def test_enabled_false_does_not_reach_opentelemetry_instrument(tmp_path: Path) -> None:
    """OpenTelemetry's loader instruments all the same; the variable is what it heeds."""
    assert len(run(tmp_path, "{enabled: false}").spans) == 1
    variable = "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS"
    assert run(tmp_path, "{enabled: false}", **{variable: "ml_sklearn"}).spans == []

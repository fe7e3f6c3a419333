"""The page on how to add a framework, and the instrumentor on it, as a distribution of its own."""

import json
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from otel_ml import extension

ROOT = Path(__file__).parents[3]
EXAMPLE = ROOT / "examples" / "add_a_framework"
PAGE = ROOT / "docs" / "how-to" / "add-a-framework.md"

PROGRAM = """
import json, sys
import numpy as np
import otel_ml
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from otel_ml.testing import Conformance

exporter, conformance, provider = InMemorySpanExporter(), Conformance(), TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(exporter))
provider.add_span_processor(SimpleSpanProcessor(conformance.span_exporter))
otel_ml.instrument(["weathervane"], tracer_provider=provider)
assert "weathervane" not in sys.modules

from weathervane import Vane

vane, before = Vane("rain"), vars(Vane)["forecast"].__wrapped__
days = np.array([[75.0, 1000.0]])
assert vane.forecast(days).tolist() == [[0.25, 0.75]]
assert vane.check(days, np.array([1])) == 1.0
try:
    vane.forecast("tomorrow")
except TypeError:
    pass
otel_ml.uninstrument()
assert vars(Vane)["forecast"] is before
vane.forecast(days)
conformance.check()
print(json.dumps([dict(span.attributes) for span in exporter.get_finished_spans()]))
"""


@pytest.fixture(scope="module", name="spans")
def _spans(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """The attributes of what a process emits in which the example is installed."""
    folder = tmp_path_factory.mktemp("weathervane")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=EXAMPLE, check=True, capture_output=True, timeout=300)
    (wheel,) = folder.glob("*.whl")
    zipfile.ZipFile(wheel).extractall(folder)
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def test_the_example_is_found_by_its_name_and_makes_spans(spans: list[dict[str, Any]]) -> None:
    """One of a forecast with all that is known, one of a failure, none of a check."""
    forecast, failure = spans
    relevant = {
        "ml.operation.name": "predict",
        "ml.model.name": "rain",
        "ml.model.type": "weathervane.Vane",
        "ml.framework.name": "other",
        "ml.framework.version": "1.2",
        "ml.task.type": "binary_classification",
        "code.function.name": "weathervane.Vane.forecast",
        "ml.batch.size": 1,
        "ml.input.feature.count": 2,
        "ml.prediction.label": "rain",
        "ml.prediction.confidence": 0.75,
        "ml.prediction.margin": 0.5,
    }
    assert relevant.items() <= forecast.items()
    assert failure["error.type"] == "TypeError"


def test_the_page_shows_the_code_that_is_tested() -> None:
    """Word for word: the instrumentor, and the entry point by which it is found."""
    page = PAGE.read_text()
    assert f"```python\n{(EXAMPLE / 'weathervane_telemetry.py').read_text()}```" in page
    (entry_point,) = [
        line for line in (EXAMPLE / "pyproject.toml").read_text().splitlines() if "ml_" in line
    ]
    assert f"\n{entry_point}\n" in page


def test_the_example_is_short() -> None:
    """Of its lines that say something there are at most forty."""
    code = (EXAMPLE / "weathervane_telemetry.py").read_text()
    assert len([line for line in code.splitlines() if line.strip()]) <= 40


@pytest.mark.parametrize("name", extension.__all__)
def test_what_the_extension_offers_is_documented(name: str) -> None:
    """Each name is there, and says what it is."""
    offered = getattr(extension, name)
    assert offered.__doc__ or name == "Facts"


def test_what_the_page_names_is_offered() -> None:
    """Whoever follows the page finds it in one module."""
    page = PAGE.read_text()
    named = {name for name in extension.__all__ if f"`{name}`" in page or f"ml.{name}" in page}
    assert {
        "Answer",
        "Answers",
        "Captured",
        "Coverage",
        "FrameworkInstrumentor",
        "Hooks",
        "Metadata",
        "Subject",
        "SupportedFramework",
        "Table",
        "first_argument",
        "identify",
        "read_table",
    } <= named

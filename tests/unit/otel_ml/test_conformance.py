"""The exporters and the fixture that fail a test whose telemetry breaks the conventions."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

from otel_ml.testing import Conformance
from otel_ml_conventions.conformance import Rule
from otel_ml_conventions.metrics import create_ml_input_missing_values
from otel_ml_conventions.schema import SCHEMA_URL
from tests.data.telemetry import IDENTITY

PAGE = Path(__file__).parents[3] / "docs" / "how-to" / "check-conformance.md"


def emit_span(conformance: Conformance, **attributes: str | int) -> None:
    """Emit the span of a call as any instrumentation might, with *attributes* without `ml.`."""
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(conformance.span_exporter))
    given = {f"ml.{key}": value for key, value in attributes.items()}
    tracer = provider.get_tracer("mine", schema_url=SCHEMA_URL)
    tracer.start_span("predict fraud", attributes={**IDENTITY, **given}).end()


def test_a_span_that_keeps_to_the_conventions_passes() -> None:
    """Nothing is found and it was seen."""
    conformance = Conformance()

    emit_span(conformance)
    conformance.check()

    assert (conformance.findings, conformance.tally.n_seen) == ([], 1)


def test_a_violation_is_an_assertion_error_with_one_line_each() -> None:
    """What pytest shows is what to mend."""
    conformance = Conformance()

    emit_span(conformance, modelname="x", zzz=1)

    with pytest.raises(AssertionError) as raised:
        conformance.check()
    lines = str(raised.value).splitlines()
    assert lines[0] == "telemetry breaks the conventions:"
    assert [line.split(", ")[1].split(":")[0] for line in lines[1:]] == ["ml.modelname", "ml.zzz"]


def test_metrics_are_judged_when_the_test_asks() -> None:
    """Without waiting for a collection."""
    conformance = Conformance()
    provider = MeterProvider([conformance.metric_reader], shutdown_on_exit=False)
    meter = provider.get_meter("mine", schema_url=SCHEMA_URL)

    create_ml_input_missing_values(meter).add(1, {**IDENTITY, "ml.modelname": "x"})
    meter.create_gauge("ml.drift.p_value", unit="1").set(1)

    found = {(finding.signal, finding.rule) for finding in conformance.findings}
    assert ("metric ml.input.missing_values", Rule.UNKNOWN_ATTRIBUTE) in found
    assert ("metric ml.drift.p_value", Rule.WRONG_UNIT) in found
    assert ("metric ml.drift.p_value", Rule.WRONG_VALUE_TYPE) in found
    assert ("metric ml.input.missing_values", Rule.WRONG_INSTRUMENT) not in found
    provider.shutdown()


def test_what_a_shutdown_collects_is_judged() -> None:
    """A program under test may close its provider itself."""
    conformance = Conformance()
    provider = MeterProvider([conformance.metric_reader], shutdown_on_exit=False)
    provider.get_meter("mine").create_counter("ml.no.such.metric").add(1)

    provider.shutdown()

    assert [found.finding.rule for found in conformance.tally.found()] == [Rule.UNKNOWN_METRIC]


def test_events_are_judged() -> None:
    """Through the real SDK; a record that is no event is judged by its attributes."""
    conformance = Conformance()
    provider = LoggerProvider(shutdown_on_exit=False)
    provider.add_log_record_processor(SimpleLogRecordProcessor(conformance.log_exporter))
    logger = provider.get_logger("mine", schema_url=SCHEMA_URL)

    logger.emit(
        LogRecord(
            event_name="ml.drift.detected",
            severity_number=SeverityNumber.INFO,
            attributes={"ml.drift.score": 1},
        )
    )
    logger.emit(LogRecord(body="plain", attributes={"ml.modelname": "x"}))
    provider.shutdown()

    found = {(finding.signal, finding.attribute, finding.rule) for finding in conformance.findings}
    assert {
        ("event ml.drift.detected", "", Rule.WRONG_SEVERITY),
        ("event ml.drift.detected", "ml.drift.score", Rule.WRONG_TYPE),
        ("event ml.drift.detected", "ml.model.name", Rule.MISSING_REQUIRED),
        ("other log record", "ml.modelname", Rule.UNKNOWN_ATTRIBUTE),
    } <= found


def run_pytest(folder: Path, content: str) -> subprocess.CompletedProcess[str]:
    """Run pytest on a test file of *content* with a conftest.py as the page has it."""
    (folder / "conftest.py").write_text('pytest_plugins = ["otel_ml.testing"]\n')
    (folder / "test_it.py").write_text(content)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:randomly", "--rootdir", str(folder)]
    return subprocess.run(
        [*command, str(folder)], capture_output=True, text=True, check=False, timeout=300
    )


def test_the_example_of_the_page_runs(tmp_path: Path) -> None:
    """The instrumented model passes, and the emitter with the typing error fails with that line."""
    examples = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    tests = [example for example in examples if "def test_" in example]

    done = run_pytest(tmp_path, "\n\n".join(tests))

    assert "1 failed, 1 passed" in done.stdout, done.stdout
    told = re.findall(
        r"^violation: .*$", PAGE.read_text().partition("## Of files")[0], re.MULTILINE
    )
    assert len(told) == 2
    assert all(line in done.stdout for line in told)


def test_the_fixture_fails_a_test_that_breaks_the_conventions(tmp_path: Path) -> None:
    """A test that asserts nothing itself is not green."""
    done = run_pytest(
        tmp_path,
        "def test_it(conforming):\n"
        "    tracer = conforming.tracer_provider.get_tracer('mine')\n"
        "    tracer.start_span('x', attributes={'ml.modelname': 'x'}).end()\n",
    )

    assert done.returncode == 1
    assert "violation: other span, ml.modelname: unknown_attribute" in done.stdout

"""How `otel-ml splice` has feedback come to the processor that services send as log records."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import yaml

from otel_ml_processor.commands.splice.command import main
from tests.data.collector_configs.cases import FOLDER

if TYPE_CHECKING:
    from pathlib import Path

PARTS = """
receivers:
  otlp: {protocols: {grpc: {endpoint: "127.0.0.1:4317"}}}
  otlp/inside: {protocols: {grpc: {endpoint: "127.0.0.1:4327"}}}
  jaeger: {protocols: {grpc: }}
processors:
  batch:
  redaction:
  resource: {attributes: [{key: stage, value: production, action: insert}]}
  span: {name: {from_attributes: [a]}}
  mystery:
connectors: {forward: }
exporters: {otlp/store: {endpoint: "store.example.org:4317"}}
service:
  pipelines:
"""
TRACES = "    traces: {receivers: [otlp], processors: [redaction, span, resource, batch], exporters: [otlp/store]}\n"


@pytest.fixture(name="splice")
def _splice(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    """The command on a file with PARTS and the pipelines that are given; it gives status, overlay (as read, and as text in one line), errors."""

    def call(pipelines: str, *options: str) -> tuple[int, Any, str, str]:
        """Write the file and call the command on it."""
        file = tmp_path / "gateway.yaml"
        file.write_text(PARTS + pipelines)
        status = main([str(file), *options])
        said = capsys.readouterr()
        text = " ".join(said.out.replace("#", " ").split())
        return status, yaml.safe_load(said.out), text, said.err

    return call


def test_the_copy_of_feedback_passes_what_the_logs_pass(splice: Any) -> None:
    """So the processor sees no more than the store of the logs; it does not pass the batch, having one of its own."""
    logs = (
        "    logs: {receivers: [otlp], processors: [batch, redaction], exporters: [otlp/store]}\n"
    )
    _, overlay, text, _ = splice(TRACES + logs)
    assert overlay["service"]["pipelines"]["logs/otel_ml_feedback"] == {
        "receivers": ["otlp"],
        "processors": ["filter/otel_ml_feedback", "batch/otel_ml", "redaction"],
        "exporters": ["otlp/otel_ml"],
    }
    assert "What `logs` does with" in text


def test_without_logs_it_passes_what_the_spans_pass_and_logs_can(splice: Any) -> None:
    """Redaction, and what says whose they are; that the collector now takes in logs is said."""
    _, overlay, text, _ = splice(TRACES)
    copied = overlay["service"]["pipelines"]["logs/otel_ml_feedback"]
    # `resource` reads who sent the logs, so it stands before the wall, and what comes first with it.
    assert copied["processors"] == [
        *("filter/otel_ml_feedback", "redaction", "resource"),
        "batch/otel_ml",
    ]
    assert "refused logs so far" in text


def test_logs_that_come_in_elsewhere_are_not_read(splice: Any) -> None:
    """Feedback comes from where the inferences come from."""
    logs = (
        "    logs: {receivers: [otlp/inside], processors: [redaction], exporters: [otlp/store]}\n"
    )
    _, overlay, text, _ = splice(TRACES + logs)
    assert overlay["service"]["pipelines"]["logs/otel_ml_feedback"]["receivers"] == ["otlp"]
    assert "refused logs so far" in text


def test_where_spans_come_by_a_connector_feedback_comes_by_the_receivers_before_it(
    splice: Any,
) -> None:
    """A connector of spans hands on no logs."""
    pipelines = (
        "    traces/in: {receivers: [otlp, otlp/inside, jaeger], exporters: [forward]}\n"
        "    traces/out: {receivers: [forward], exporters: [otlp/store]}\n"
    )
    _, overlay, _, _ = splice(pipelines, "--pipeline", "traces/out")
    copied = overlay["service"]["pipelines"]["logs/otel_ml_feedback"]
    assert copied["receivers"] == ["otlp", "otlp/inside"]


@pytest.mark.parametrize(
    ("pipelines", "options"),
    [
        ("    traces: {receivers: [jaeger], exporters: [otlp/store]}\n", ()),
        (TRACES, ("--without-feedback",)),
    ],
)
@pytest.mark.parametrize("mode", ["tee", "inline", "failover"])
def test_where_feedback_cannot_come_or_is_not_to_that_is_said(
    splice: Any, mode: str, pipelines: str, options: tuple[str, ...]
) -> None:
    """A receiver of another protocol takes no logs; then there is nothing of logs but the results."""
    _, overlay, text, _ = splice(pipelines, *options, "--mode", mode)
    assert [name for name in overlay["service"]["pipelines"] if "logs" in name] == ["logs/otel_ml"]
    assert "filter/otel_ml_feedback" not in text
    assert "does not come to it" in text


def test_a_processor_of_logs_whose_place_is_not_known_is_asked_for(splice: Any) -> None:
    """As for spans; and the answer is taken."""
    logs = "    logs: {receivers: [otlp], processors: [mystery], exporters: [otlp/store]}\n"
    status, _, _, errors = splice(TRACES + logs)
    assert status == 1
    assert "`mystery` in pipeline `logs`: not known" in errors
    for option, passed in (("--before", ["mystery"]), ("--behind", [])):
        _, overlay, _, _ = splice(TRACES + logs, option, "mystery")
        names = overlay["service"]["pipelines"]["logs/otel_ml_feedback"]["processors"]
        assert names == ["filter/otel_ml_feedback", "batch/otel_ml", *passed]
    assert splice(TRACES + logs, "--without-feedback")[0] == 0


def test_logs_that_are_redacted_only_later_are_refused(splice: Any) -> None:
    """The copy would show what the store does not; the ways out are said, and work."""
    logs = (
        "    logs/in: {receivers: [otlp], exporters: [forward]}\n"
        "    logs/out: {receivers: [forward], processors: [redaction], exporters: [otlp/store]}\n"
    )
    status, _, _, errors = splice(TRACES + logs)
    assert status == 1
    assert "`redaction` redacts in pipeline `logs/out`, which comes after pipeline `logs/in`" in (
        errors
    )
    assert "do:  --without-feedback, or --behind redaction" in errors
    assert splice(TRACES + logs, "--without-feedback")[0] == 0


def test_only_inferences_and_feedback_are_copied_where_that_is_asked_for(splice: Any) -> None:
    """Feedback that is a span need not know its model. The filter stands before the wall, and belongs to the copy alone."""
    _, copied, _, _ = splice(TRACES.replace("redaction, span, resource, ", ""), "--only-inferences")
    names = copied["service"]["pipelines"]["traces/otel_ml"]["processors"]
    assert names == ["filter/otel_ml", "batch/otel_ml"]
    (condition,) = copied["processors"]["filter/otel_ml"]["traces"]["span"]
    kept = ("model.name", "feedback.label", "feedback.value", "feedback.score", "feedback.correct")
    assert condition == " and ".join(f'attributes["ml.{key}"] == nil' for key in kept)
    assert splice(TRACES, "--only-inferences", "--mode", "inline")[:2] == (2, None)


def test_what_one_overlay_hands_over_a_second_does_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A label that comes twice would be counted as a duplicate."""
    first = tmp_path / "first.yaml"
    joined = str(FOLDER / "joined.yaml")
    assert main([joined, "--pipeline", "traces/public", "--behind", "redaction"]) == 0
    first.write_text(capsys.readouterr().out)
    assert main([joined, str(first), "--pipeline", "traces/store", "--name", "two"]) == 0
    second = yaml.safe_load(capsys.readouterr().out)["service"]["pipelines"]
    assert second["logs/two_feedback"]["receivers"] == ["otlp/internal"]

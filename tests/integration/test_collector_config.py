"""The files of collector-config/, as the programs that they are for read them."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.integration.real_servers import find_tool

pytestmark = pytest.mark.real_servers

CONFIG = Path(__file__).parents[2] / "collector-config"
FRAGMENT = CONFIG / "otel-ml.yaml"
WAY_BACK = {"metrics/otel_ml", "logs/otel_ml", "traces/otel_ml_verdicts"}
FEEDBACK = "logs/otel_ml_feedback"
BESIDE = {
    "otel-ml": {"traces/otel_ml", FEEDBACK, *WAY_BACK},
    "otel-ml-gateway": {"traces/otel_ml", *WAY_BACK},
    "otel-ml-sidecar": {"traces/otel_ml", FEEDBACK},
}
"""The fragments that give the processor a copy, with the pipelines that each adds."""
COPIES = pytest.mark.parametrize(
    "fragment", [CONFIG / f"{name}.yaml" for name in BESIDE], ids=BESIDE
)
HOP = {"OTEL_ML_ENDPOINT": "127.0.0.1:14317"}
STORE = {"OTEL_ML_TRACES_EXPORTER": "otlp/jaeger"}
APPEND = "--feature-gates=+confmap.enableMergeAppendOption"
"""With it a collector appends lists of later files, instead of replacing them."""
GATES = pytest.mark.parametrize("gate", [(), (APPEND,)], ids=["lists replaced", "lists appended"])

EXISTING = """
receivers:
  otlp: {protocols: {grpc: {endpoint: 127.0.0.1:4317}}}
processors:
  batch: {}
exporters:
  otlp/jaeger: {endpoint: 127.0.0.1:24317, tls: {insecure: true}}
  otlphttp/prometheus: {endpoint: http://127.0.0.1:9090/api/v1/otlp}
service:
  pipelines:
    traces: {receivers: [otlp], processors: [batch], exporters: [otlp/jaeger]}
    metrics: {receivers: [otlp], processors: [batch], exporters: [otlphttp/prometheus]}
"""
"""What a team has before it hears of us."""


@pytest.fixture(name="existing")
def _existing(tmp_path: Path) -> Path:
    """The file that a team has."""
    path = tmp_path / "existing.yaml"
    path.write_text(EXISTING)
    return path


def run(tool: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Return what *tool* says to *arguments*."""
    theirs = {key: value for key, value in os.environ.items() if not key.startswith("OTEL_")}
    command = [find_tool(tool), *arguments]
    return subprocess.run(
        command,
        env={**theirs, **environment},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def loaded(*files: Path) -> list[str]:
    """Return the options that load *files*, the last one winning."""
    return [option for file in files for option in ("--config", str(file))]


def merged(*arguments: str, **environment: str) -> dict[str, Any]:
    """Return the configuration that a collector makes of its files."""
    printed = run("otelcol", "print-config", *arguments, **environment)
    assert printed.returncode == 0, printed.stderr
    document: dict[str, Any] = yaml.safe_load(printed.stdout)
    return document


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("otelcol", ("validate", "--config", str(CONFIG / "collector.yaml"))),
        ("jaeger", ("validate", "--config", str(CONFIG / "jaeger.yaml"))),
        ("promtool", ("check", "config", str(CONFIG / "prometheus.yaml"))),
    ],
)
def test_a_file_is_valid_for_its_program(tool: str, arguments: tuple[str, ...]) -> None:
    """As it lies there, without a single variable set."""
    done = run(tool, *arguments)
    assert done.returncode == 0, done.stdout + done.stderr


@COPIES
@GATES
def test_a_fragment_is_added_with_one_more_config(
    existing: Path, fragment: Path, gate: tuple[str, ...]
) -> None:
    """Beside a collector's own file it is valid, whether that collector appends lists or replaces them."""
    done = run("otelcol", "validate", *gate, *loaded(existing, fragment), **HOP)
    assert done.returncode == 0, done.stderr


@COPIES
@GATES
def test_a_fragment_changes_nothing_that_was_there(
    existing: Path, fragment: Path, gate: tuple[str, ...]
) -> None:
    """Every receiver, exporter and pipeline of the team's own file is the same afterwards; what is new is ours."""
    before, after = merged(*loaded(existing)), merged(*gate, *loaded(existing, fragment), **HOP)
    for section in ("receivers", "processors", "exporters"):
        assert before[section].items() <= after[section].items()
    pipelines = before["service"]["pipelines"], after["service"]["pipelines"]
    assert pipelines[0].items() <= pipelines[1].items()
    assert set(pipelines[1]) - set(pipelines[0]) == BESIDE[fragment.stem]


@COPIES
def test_a_copy_is_merged_alike_with_and_without_the_gate(existing: Path, fragment: Path) -> None:
    """Nobody has to know which gates their collector runs with."""
    files = loaded(existing, fragment)
    assert merged(*files, **HOP) == merged(APPEND, *files, **HOP)


@COPIES
def test_the_copy_is_walled_off_from_the_senders(existing: Path, fragment: Path) -> None:
    """Behind the shared receiver there is a batch processor first, so that our errors end there."""
    pipelines = merged(*loaded(existing, fragment), **HOP)["service"]["pipelines"]
    assert pipelines["traces/otel_ml"]["processors"][0] == "batch/otel_ml"
    assert pipelines["traces/otel_ml"]["receivers"] == ["otlp"]


def test_redaction_is_added_to_the_copy_alone(existing: Path) -> None:
    """Behind the wall, before the hop; the team's own pipeline is as it was, with and without the gate."""
    files = loaded(existing, FRAGMENT, CONFIG / "otel-ml-redaction.yaml")
    before = merged(*loaded(existing))["service"]["pipelines"]
    after = merged(*files)["service"]["pipelines"]
    redacting = ["batch/otel_ml", "redaction/otel_ml", "transform/otel_ml_redaction"]
    assert after["traces/otel_ml"]["processors"] == redacting
    assert before.items() <= after.items()
    assert merged(*files) == merged(APPEND, *files)


@pytest.mark.parametrize("name", ["inline", "failover"])
def test_in_line_only_the_exporters_are_replaced(existing: Path, name: str) -> None:
    """Receivers and processors of the pipeline stay; its exporter now stands behind the hop. With the gate, as the file warns, the direct way would stay."""
    files = loaded(existing, CONFIG / f"otel-ml-{name}.yaml")
    before = merged(*loaded(existing))["service"]["pipelines"]["traces"]
    after = merged(*files, **STORE)["service"]["pipelines"]
    appended = merged(APPEND, *files, **STORE)["service"]["pipelines"]["traces"]
    (ours,) = after["traces"]["exporters"]
    assert after["traces"] == {**before, "exporters": [ours]}
    assert "/otel_ml" in ours
    assert after["traces/otel_ml_return"]["exporters"] == before["exporters"]
    assert appended["exporters"] == [*before["exporters"], ours]


@pytest.mark.parametrize("name", ["inline", "failover"])
def test_tail_sampling_is_added_behind_the_hop(existing: Path, name: str) -> None:
    """In what comes back, and nowhere else."""
    files = existing, CONFIG / f"otel-ml-{name}.yaml", CONFIG / "otel-ml-tail-sampling.yaml"
    pipelines = merged(*loaded(*files), **STORE)["service"]["pipelines"]
    assert [
        name for name, one in pipelines.items() if "tail_sampling/otel_ml" in one["processors"]
    ] == ["traces/otel_ml_return"]
    done = run("otelcol", "validate", *loaded(*files), **STORE)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("variable", "pipeline", "exporter"),
    [
        ("OTEL_ML_METRICS_EXPORTER", "metrics/otel_ml", "otlphttp/prometheus"),
        ("OTEL_ML_LOGS_EXPORTER", "logs/otel_ml", "otlp/jaeger"),
        ("OTEL_ML_TRACES_EXPORTER", "traces/otel_ml_verdicts", "otlp/jaeger"),
    ],
)
def test_results_go_where_one_says(
    existing: Path, variable: str, pipeline: str, exporter: str
) -> None:
    """A variable names an exporter of the team's own file; one that does not exist is an error at start, naming the pipeline."""
    files = loaded(existing, FRAGMENT)
    good = run("otelcol", "validate", *files, **{variable: exporter})
    bad = run("otelcol", "validate", *files, **{variable: "otlp/nowhere"})
    assert good.returncode == 0, good.stderr
    assert bad.returncode != 0
    assert pipeline in bad.stderr
    assert "otlp/nowhere" in bad.stderr


def test_a_receiver_of_another_name_is_noticed(tmp_path: Path) -> None:
    """The one name to know: where there is no receiver `otlp`, the collector does not start, and says what it misses."""
    other = tmp_path / "other.yaml"
    other.write_text(
        EXISTING.replace("otlp: {protocols", "otlp/ours: {protocols").replace(
            "[otlp]", "[otlp/ours]"
        )
    )
    done = run("otelcol", "validate", *loaded(other, FRAGMENT))
    assert done.returncode != 0
    # Of either pipeline: which it looks at first is chance.
    assert re.search(
        r'(traces/otel_ml|logs/otel_ml_feedback): references receiver "otlp"', done.stderr
    )


def test_in_line_there_is_one_way_to_jaeger_and_it_leads_through_the_processor() -> None:
    """From the outside spans go to the processor alone; what comes back goes to Jaeger alone, without a queue in between."""
    config = merged(*loaded(CONFIG / "collector.yaml"))
    pipelines = config["service"]["pipelines"]
    assert pipelines["traces"]["receivers"] == ["otlp"]
    assert pipelines["traces"]["exporters"] == ["otlp/otel_ml"]
    assert pipelines["traces/otel_ml_return"]["receivers"] == ["otlp/otel_ml_return"]
    assert pipelines["traces/otel_ml_return"]["exporters"] == ["otlp/jaeger"]
    assert config["exporters"]["otlp/jaeger"]["sending_queue"] is None

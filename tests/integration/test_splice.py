"""`otel-ml splice` and the real collector: it accepts every overlay, and spans go where the overlay says."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import time
from functools import cache
from typing import TYPE_CHECKING, Any

import grpc
import httpx
import pytest
import yaml
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from otel_ml_processor.commands.splice.collector import Collector, type_of
from otel_ml_processor.commands.splice.command import main
from otel_ml_processor.commands.splice.layers import read_layers, resolved
from otel_ml_processor.profile_file import write_profile
from tests.data.collector_configs.cases import APPEND, CASES, Case
from tests.integration.flights import requests_with
from tests.integration.real_servers import answers, eventually, find_tool, free_port, running
from tests.integration.test_outage import EXPORT, counted, in_jaeger
from tests.unit.processor.otlp_requests import inference
from tests.unit.processor.test_pipeline import profile

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from pathlib import Path

pytestmark = pytest.mark.real_servers

EVERY = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
SPLICED = pytest.mark.parametrize(
    ("case", "mode"),
    [pytest.param(case, mode, id=f"{case.name}-{mode}") for case in CASES for mode in case.modes],
)
CARD = "4111111111111111"


@cache
def built_in() -> dict[str, set[str]]:
    """Return what the collector of the tests is built of: types by kind."""
    said = subprocess.run(
        [find_tool("otelcol"), "components"],
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    )
    listed: dict[str, Any] = yaml.safe_load(said.stdout)
    kinds = ("receivers", "processors", "exporters", "connectors", "extensions")
    known = {kind: {part["name"] for part in listed[kind]} for kind in kinds}
    # The former names, which are listed under the new ones.
    known["exporters"] |= {"otlp", "otlphttp"}
    return known


def need_parts_of(case: Case) -> None:
    """Skip the test where the collector at hand lacks a part that *case* has; it says which."""
    collector = Collector(read_layers(case.files, appends=False))
    lacking = {
        type_of(name)
        for kind, known in built_in().items()
        for name in collector.parts(kind)
        if type_of(name) not in known
    }
    if lacking:
        pytest.skip(f"{find_tool('otelcol')} is built without: {', '.join(sorted(lacking))}")


def spliced(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Return the overlay that the command prints for *arguments*."""
    status = main(arguments)
    said = capsys.readouterr()
    assert status == 0, said.err
    return said.out


def gates_of(case: Case) -> list[str]:
    """Return the feature gates that the collector of *case* runs with."""
    return [option for option in case.options if option == APPEND]


@SPLICED
def test_the_collector_accepts_every_overlay_with_the_files_it_was_made_for(
    case: Case, mode: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """By its own `validate`, asked apart from the command, which says the same."""
    need_parts_of(case)
    otelcol = find_tool("otelcol")
    overlay = tmp_path / "overlay.yaml"
    overlay.write_text(spliced(capsys, *case.arguments, "--mode", mode, "--collector", otelcol))
    files = [f"--config={path}" for path in (*case.files, overlay)]
    said = subprocess.run(
        [otelcol, "validate", *files, *gates_of(case)],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert (said.returncode, said.stderr) == (0, "")


@EVERY
def test_files_are_merged_as_the_collector_merges_them(case: Case) -> None:
    """Every pipeline of the merged files has the parts that the collector says it has."""
    need_parts_of(case)
    files = [f"--config={path}" for path in case.files]
    said = subprocess.run(
        [find_tool("otelcol"), "print-config", *files, *gates_of(case)],
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
        env={"PATH": os.environ["PATH"]},
    )
    theirs = {
        name: [pipeline[kind] or [] for kind in ("receivers", "processors", "exporters")]
        for name, pipeline in yaml.safe_load(said.stdout)["service"]["pipelines"].items()
    }
    ours = {
        pipeline.name: [
            [resolved(one.name) for one in side]
            for side in (pipeline.receivers, pipeline.processors, pipeline.exporters)
        ]
        for pipeline in Collector(read_layers(case.files, appends=bool(gates_of(case)))).pipelines
    }
    assert ours == theirs


def test_a_collector_that_refuses_is_quoted(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Files that it refuses by themselves are told apart from an overlay that it refuses; the line of what it names is told."""
    broken = tmp_path / "broken.yaml"
    broken.write_text(
        "receivers: {otlp: {protocols: {grpc: }}}\nexporters:\n  debug:\n    verbosity: loud\n"
        "service: {pipelines: {traces: {receivers: [otlp], exporters: [debug]}}}\n"
    )
    status = main([str(broken), "--collector", find_tool("otelcol")])
    said = capsys.readouterr()
    assert (status, said.out) == (1, "")
    assert said.err.startswith(f"otel-ml splice: {broken}:4: ")
    assert "refuses your files as they are" in said.err
    assert "loud" in said.err


class Spliced:
    """A collector of somebody else with our overlay, Jaeger as its store, and our processor: started as the overlay says."""

    def __init__(self, folder: Path, files: list[Path], mode: str) -> None:
        import processes
        import stack

        self.at = stack.free_addresses()
        self.folder = folder
        self.back = f"127.0.0.1:{free_port()}"
        self.overlay = folder / "otel-ml.yaml"
        own = [
            *(sys.executable, "-m", "otel_ml", "splice", *map(str, files), "--mode", mode),
            *("--processor", self.at.processor, "--return", self.back),
            *("--collector", find_tool("otelcol")),
        ]
        said = subprocess.run(own, capture_output=True, text=True, check=False, timeout=300)
        assert said.returncode == 0, said.stderr
        self.overlay.write_text(said.stdout)
        told = [line[4:] for line in said.stdout.splitlines() if line.startswith("#   ")]
        self.collector_command, self.processor_command = map(shlex.split, told)
        servers = {
            name: find_tool(name) for name in ("otelcol", "jaeger", "prometheus", "alertmanager")
        }
        stack_files = stack.Files(folder / "none", folder / "profile.json", folder)
        parts = stack.parts_with_servers(self.at, stack_files, 200, servers)
        (self.jaeger,) = [part for part in parts if part.name == "jaeger"]
        self.started = processes.Processes(folder / "logs")

    def collector(self) -> AbstractContextManager[object]:
        """Return the running collector: the command that the overlay names, in the folder of the overlay."""
        host, _, port = self.at.collector.rpartition(":")
        environment = {
            "LISTEN_HOST": host,
            "LISTEN_PORT": port,
            "HEALTH": self.at.collector_health,
            "STORE": self.at.jaeger,
            "STORE_INSECURE": "true",
            "OWN_METRICS": "none",
        }
        command = [
            "env",
            *(f"{key}={value}" for key, value in environment.items()),
            *(
                str(self.overlay) if part == "otel-ml.yaml" else part
                for part in self.collector_command
            ),
        ]
        url = f"http://{self.at.collector_health}/"
        return running(command, ready=lambda: answers(url), log=self.folder / "collector.log")

    def processor(self) -> AbstractContextManager[object]:
        """Return the running processor: the command that the overlay names, with a profile and addresses of its own beside."""
        import stack

        write_profile(profile(), self.folder / "profile.json")
        config = self.folder / "processor.yaml"
        config.write_text(
            f"http: {{endpoint: '{self.at.processor_page}'}}\nprofiles: [profile.json]\n"
            "windows: [{name: rows, rows: 200}]\nemit: {interval: 1s}\n"
        )
        program, *rest = self.processor_command
        assert program == "otel-ml"
        command = [str(stack._PROGRAMS / program), *rest, "--config", str(config)]
        url = f"http://{self.at.processor_page}/readyz"
        return running(command, ready=lambda: answers(url), log=self.folder / "processor.log")

    def send(self, spans: list[Span]) -> None:
        """Send *spans* to the collector, 50 at a time."""
        with grpc.insecure_channel(self.at.collector) as channel:
            export = channel.unary_unary(EXPORT)
            for request in requests_with(spans, 50, "shop"):
                export(request, timeout=60)

    def stored(self) -> list[str]:
        """Return the ids of the spans in the store, once for each time it has them."""
        return in_jaeger(self.at.jaeger_query)

    def tags(self) -> dict[str, dict[str, Any]]:
        """Return what the store knows of each span, by id."""
        asked = {"service": "shop", "limit": 5000, "lookback": "1h"}
        url = f"http://{self.at.jaeger_query}/api/traces"
        traces = httpx.get(url, params=asked, timeout=60).json()["data"] or []
        return {
            span["spanID"]: {tag["key"]: tag["value"] for tag in span["tags"]}
            for trace in traces
            for span in trace["spans"]
        }

    def samples(self) -> float:
        """Return how many inferences the processor has counted."""
        return counted(self.at.processor_page, "ml_prediction_samples_total")


def inferences(numbers: range, odd: set[int], failed: set[int]) -> list[Span]:
    """Return the spans of *numbers*: *odd* ones have an input that nobody has seen, *failed* ones an error; all a card number."""
    now = time.time_ns()
    spans = [
        inference(
            i,
            end_ns=now,
            features={"amount": 1e6 if i in odd else 0.01 * (i % 100)},
            prediction_label="ok",
            prediction_confidence=0.9,
            note=CARD,
        )
        for i in numbers
    ]
    for i, span in zip(numbers, spans, strict=True):
        if i in failed:
            span.status.code = Status.STATUS_CODE_ERROR
    return spans


def ids(numbers: range | set[int]) -> list[str]:
    """Return the ids of the spans of *numbers*, in order."""
    return sorted(f"{i + 1:016x}" for i in numbers)


def case_named(name: str) -> Case:
    """Return the one that is called *name*."""
    (found,) = [case for case in CASES if case.name == name]
    return found


def test_beside_a_collector_every_span_is_stored_once_and_counted_once(tmp_path: Path) -> None:
    """
    Mode tee: 300 spans come while the processor is away, 300 when it is there; all take the way they had.

    The first are taken and stored at once, and counted later; the processor counts 600, and the odd ones get verdicts as child spans.
    """
    path = Spliced(tmp_path, case_named("environment").files, "tee")
    odd = {307, 377, 477}
    with path.started, path.collector():
        path.started.start(path.jaeger)
        path.send(inferences(range(300), set(), set()))
        first = ids(range(300))
        assert eventually(path.stored, lambda found: found == first, 60) == first
        with path.processor():
            path.send(inferences(range(300, 600), odd, set()))
            assert eventually(path.samples, lambda n: n == 600, 60) == 600
            whole = 600 + len(odd)
            assert len(eventually(path.stored, lambda found: len(found) == whole, 60)) == whole
            every = ids(range(600))
            assert [one for one in path.stored() if one in set(every)] == every


def test_in_line_all_is_counted_before_sampling_and_what_is_flagged_can_be_kept(
    tmp_path: Path,
) -> None:
    """
    Mode inline in front of tail sampling: the processor counts all 400 spans, without the card numbers.

    Stored is what the policies keep: five errors, and with the policy that the overlay's comment names the three flagged ones.
    """
    policies = tmp_path / "policies.yaml"
    policies.write_text(
        """
        processors:
          tail_sampling:
            policies:
              - {name: errors, type: status_code, status_code: {status_codes: [ERROR]}}
              - name: flagged
                type: ottl_condition
                ottl_condition: {error_mode: ignore, span: ['attributes["ml.verdict.flags"] != nil']}
        """
    )
    path = Spliced(tmp_path, [*case_named("tail_sampling").files, policies], "inline")
    assert 'attributes["ml.verdict.flags"] != nil' in path.overlay.read_text()
    odd, failed = {7, 77, 177}, {10, 20, 30, 40, 50}
    with path.started, path.collector(), path.processor():
        path.started.start(path.jaeger)
        path.send(inferences(range(400), odd, failed))
        kept = ids(odd | failed)
        assert eventually(path.stored, lambda found: found == kept, 60) == kept
        assert eventually(path.samples, lambda n: n == 400, 60) == 400
        tags = path.tags()
        assert all(CARD not in str(one) for one in tags.values())
        flagged = {one for one, said in tags.items() if "ml.verdict.flags" in said}
        assert flagged == set(ids(odd))


def test_failing_over_every_span_is_stored_once_with_and_without_the_processor(
    tmp_path: Path,
) -> None:
    """Mode failover: 300 spans go directly while the processor is away; once it is there, further ones come with its counting."""
    path = Spliced(tmp_path, case_named("environment").files, "failover")
    with path.started, path.collector():
        path.started.start(path.jaeger)
        path.send(inferences(range(300), set(), set()))
        first = ids(range(300))
        assert eventually(path.stored, lambda found: found == first, 60) == first
        with path.processor():
            sent = 300

            def counts() -> float:
                nonlocal sent
                path.send(inferences(range(sent, sent + 50), set(), set()))
                sent += 50
                return path.samples()

            assert eventually(counts, bool, 60) > 0
            every = ids(range(sent))
            assert eventually(path.stored, lambda found: found == every, 60) == every

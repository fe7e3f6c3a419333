"""What the pages tell a reader to type works, and prints what stands there."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import pyarrow.parquet as pq
import pytest
from google.protobuf.json_format import MessageToJson
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ResourceLogs, ScopeLogs

from otel_ml_processor.config import Config
from otel_ml_processor.profile_file import write_profile
from tests.data.state_house import House, profile, request
from tests.unit.processor.otlp_requests import attribute, inference, request_of

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT: Final = Path(__file__).parents[2]
DOCS: Final = ROOT / "docs"
FENCE: Final = re.compile(r"^ *```(\w*)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
START_NS: Final = 1_760_000_000_000_000_000
ROWS: Final = 600

PLAYED: Final = {
    "how-to/build-a-profile.md",
    "how-to/compare-tables.md",
    "how-to/follow-performance.md",
    "how-to/keep-the-state.md",
    "how-to/retrain-on-drift.md",
    "how-to/serve-several-tenants.md",
    "concepts/windows.md",
}
"""Pages whose blocks are typed here, from the first to the last, in a folder that holds the files they name."""

TESTED_IN: Final = {
    "../README.md": "integration/test_demo.py",
    "concepts/promises.md": "oracle/test_drift_promise.py",
    "how-to/add-a-framework.md": "unit/examples/test_add_a_framework.py",
    "how-to/alert-with-prometheus.md": "integration/test_alertmanager.py",
    "how-to/check-conformance.md": "unit/otel_ml/test_conformance.py",
    "how-to/compare-environments.md": "integration/test_dashboards.py",
    "how-to/configure-the-instrumentation.md": "unit/otel_ml/test_configuration_page.py",
    "how-to/emit-from-another-language.md": "contract/test_other_languages.py",
    "how-to/find-out-why-nothing-arrives.md": "integration/test_doctor.py",
    "how-to/first-quarter-of-an-hour.md": "integration/test_first_quarter.py",
    "how-to/instrument.md": "unit/otel_ml/test_instrument_page.py",
    "how-to/measure-the-process.md": "unit/otel_ml/test_process_pages.py",
    "how-to/plug-into-a-collector.md": "unit/processor/test_splice_page.py",
    "how-to/record-by-hand.md": "unit/otel_ml/by_hand/test_by_hand_page.py",
    "how-to/run-on-kubernetes.md": "contract/test_kubernetes.py",
    "how-to/search-traces-in-jaeger.md": "integration/test_jaeger_searches.py",
    "how-to/validate-inputs.md": "unit/otel_ml/test_process_pages.py",
    "how-to/watch-data-quality.md": "integration/test_dashboards.py",
    "walkthrough/flights.md": "integration/test_flights_figures.py",
}
"""Pages whose blocks run elsewhere, mostly because they need real servers or frameworks."""

UNTYPED: Final = {
    "concepts/alarms.md",  # a drawing
    "how-to/read-the-dashboards.md",  # copies files to where a Grafana of the reader's has them
}

NOT_HERE: Final = {
    "otel-ml profile log": "needs MLflow: frameworks/test_mlflow_profiles.py",
    'profiles: ["models:': "needs MLflow: frameworks/test_mlflow_profiles.py",
    "pip install": "needs the network; what is installed is among the dependencies of the tests: integration/test_retraining.py",
    "max without (instance, job) (ml_evaluation_score{": "needs Prometheus: integration/test_dashboards.py",
    "state: 1275 inferences": "a line of the log: integration/test_state.py",
    '{"event_name"': "what a webhook sends: unit/processor/emit/test_webhook.py",
    "event time": "a drawing",
}
"""Blocks of played pages that are not typed, by how they begin."""


class Block(NamedTuple):
    """A block of a page: what it is written in, and what stands in it."""

    kind: str
    text: str


def blocks(page: str) -> list[Block]:
    """Return the blocks of *page* that are typed here."""
    found = [Block(*block) for block in FENCE.findall((DOCS / page).read_text())]
    return [block for block in found if not block.text.startswith(tuple(NOT_HERE))]


def pages() -> Iterator[str]:
    """Return the pages that somebody wrote and that have blocks, from the folder of the documents."""
    for page in [ROOT / "README.md", *DOCS.rglob("*.md")]:
        name = os.path.relpath(page, DOCS)
        is_generated = name.startswith(("reference/", "decisions/"))
        if not is_generated and FENCE.search(page.read_text()):
            yield name


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder in which the example has written its tables."""
    folder = tmp_path_factory.mktemp("tables")
    command = [sys.executable, str(ROOT / "examples" / "fraud" / "tables.py"), str(folder)]
    subprocess.run(command, check=True, capture_output=True, timeout=300)
    return folder


@pytest.fixture
def desk(tables: Path, tmp_path: Path) -> Path:
    """Return the folder of a reader who has what the pages speak of: tables, telemetry, profiles, states."""
    for table in tables.iterdir():
        (tmp_path / table.name).symlink_to(table)
    write_telemetry(tmp_path)
    fraud = tmp_path / "fraud.json"
    write_profile(profile(), fraud)
    for tenant in ("acme", "umbrella"):
        (tmp_path / "profiles" / tenant).mkdir(parents=True)
        shutil.copy(fraud, tmp_path / "profiles" / tenant)
    for name in ("state", "state-a", "state-b"):
        House(tmp_path / name, windows=Config().windows).take(traffic()).stop()
    return tmp_path


def traffic() -> bytes:
    """Return what a processor has counted: one prediction of it is the one that `otel-ml state forget` takes out on the page."""
    received = ExportTraceServiceRequest.FromString(request(range(1204)))
    span = received.resource_spans[0].scope_spans[0].spans[0]
    span.trace_id = bytes.fromhex("0af7651916cd43dd8448eb211c80319c")
    span.span_id = bytes.fromhex("b7ad6b7169203331")
    return received.SerializeToString()


def write_telemetry(folder: Path) -> None:
    """Write what a collector's file exporter would have: inferences, and what came true of them."""
    spans = [
        inference(
            number,
            end_ns=START_NS + number * 60_000_000_000,
            features={"amount": number * 7 % 101},
            prediction_label="fraud" if number % 4 else "ok",
        )
        for number in range(ROWS)
    ]
    (folder / "traces.jsonl").write_text(MessageToJson(request_of(spans), indent=None) + "\n")
    labels = [
        LogRecord(
            event_name="ml.feedback",
            time_unix_nano=span.end_time_unix_nano,
            trace_id=span.trace_id,
            span_id=span.span_id,
            attributes=[attribute("ml.feedback.label", "fraud")],
        )
        for span in spans
    ]
    logs = ExportLogsServiceRequest(
        resource_logs=[ResourceLogs(scope_logs=[ScopeLogs(log_records=labels)])]
    )
    (folder / "logs.jsonl").write_text(MessageToJson(logs, indent=None) + "\n")


def typed(command: str, folder: Path) -> str:
    """Return what a shell prints that is told *command* in *folder*; fail where it does not end with 0."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("OTEL_")}
    environment["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), environment["PATH"]])
    environment["COLUMNS"] = "140"
    environment["OTEL_ML_WEBHOOK_SECRET"] = "whsec_" + "A" * 43 + "="
    done = subprocess.run(
        ["bash", "-e", "-c", command],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout


class Reader:
    """Who goes through a page and does what each block says, in a folder of theirs."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._names: dict[str, Any] = self._known()

    def _known(self) -> dict[str, Any]:
        rows = pq.read_table(self._folder / "train.parquet").to_pandas()
        held_out = pq.read_table(self._folder / "valid.parquet").to_pandas()
        outputs = ["when", "region", "probability"]
        return {
            "Path": self._folder.joinpath,
            "frame": rows.drop(columns=outputs),
            "held_out": held_out.drop(columns=outputs),
            "when": datetime.fromtimestamp(START_NS / 1e9, tz=timezone.utc),
        }

    def do(self, block: Block) -> None:
        """Type it, run it or configure a processor with it, by what it is written in."""
        {
            "sh": self._type,
            "console": self._look,
            "python": self._run,
            "yaml": self._configure,
        }[block.kind](block.text)

    def _type(self, text: str) -> None:
        typed(text, self._folder)

    def _run(self, text: str) -> None:
        exec(text, self._names)

    def _configure(self, text: str) -> None:
        local = text.replace("/var/lib/otel-ml", "state")
        if "profiles:" not in local:
            local += "profiles: [fraud.json]\n"
        (self._folder / "processor.yaml").write_text(local)
        typed("otel-ml processor validate --config processor.yaml", self._folder)

    def _look(self, text: str) -> None:
        for command, shown in re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", text, re.MULTILINE):
            assert_shows(typed(command, self._folder), shown)


def assert_shows(said: str, shown: str) -> None:
    """Fail where *said* does not have the lines of *shown* one after the other; a line of three dots stands for any."""
    lines = "\n".join(line.rstrip() for line in said.splitlines())
    place = 0
    for part in re.split(r"^\.\.\.\n", shown, flags=re.MULTILINE):
        found = lines.find(part.strip("\n"), place)
        assert found >= 0, f"shown:\n{part}\nsaid:\n{lines}"
        place = found + len(part.strip("\n"))


@pytest.mark.parametrize("page", sorted(PLAYED))
def test_a_reader_who_does_what_a_page_says_sees_what_it_shows(
    page: str, desk: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Every block, in the order of the page: commands end with 0, configurations are valid, programs run, outputs are these."""
    reader = Reader(desk)
    for block in blocks(page):
        reader.do(block)
    assert "failed" not in caplog.text


def test_no_block_of_any_page_is_left_to_belief() -> None:
    """A new page with a command or a program says here who runs it, and that is there."""
    assert set(pages()) - PLAYED - TESTED_IN.keys() == UNTYPED
    missing = {test for test in TESTED_IN.values() if not (ROOT / "tests" / test).exists()}
    assert missing == set()

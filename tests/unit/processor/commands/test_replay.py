"""What the processor would have said of telemetry in files: the numbers that it gives a live stream."""

from __future__ import annotations

import json
import os
import threading
from base64 import b64decode
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.json_format import MessageToJson
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ResourceLogs, ScopeLogs
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from conventions.scenarios.models import VISITS, churn_profile
from otel_ml_processor.commands.reading_progress import reading_progress
from otel_ml_processor.commands.replay import main
from tests.data.export_requests import RESOURCE, attributes, export_request, inference_span

SECOND_NS = 1_000_000_000
BEGIN_NS = 1_700_000_000 * SECOND_NS
MODEL = {"ml.model.name": "churn", "ml.model.version": "3"}


def requests(ages: list[int]) -> list[bytes]:
    """Return one sample a second, fifty to a request, with these ages, and visits in the proportions of the reference."""
    spans = [
        inference_span(
            {
                **MODEL,
                "ml.prediction.confidence": 3.0**age / (1 + 3.0**age),
                "ml.input.features": json.dumps(
                    {"age": age, "visits": VISITS[number // 25 % len(VISITS)]}
                ),
            },
            span_id=number + 1,
            end_ns=BEGIN_NS + number * SECOND_NS,
        )
        for number, age in enumerate(ages)
    ]
    return [export_request(spans[begin : begin + 50]) for begin in range(0, len(spans), 50)]


def as_lines(requests: list[bytes], path: Path) -> Path:
    """Write *requests* as the collector's file exporter does: a JSON object a line, ids in hexadecimal."""
    lines = []
    for request in requests:
        document = json.loads(
            MessageToJson(ExportTraceServiceRequest.FromString(request), indent=None)
        )
        for group in document["resourceSpans"]:
            for scoped in group["scopeSpans"]:
                for span in scoped["spans"]:
                    for key in ("traceId", "spanId"):
                        span[key] = b64decode(span[key]).hex()
        lines.append(json.dumps(document))
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture(name="folder")
def _folder(tmp_path: Path) -> Path:
    """A folder with a profile of ages 1 to 10 in equal parts, and a configuration of windows of 250 rows."""
    profile = churn_profile(tmp_path)
    config = {
        "profiles": [profile],
        "windows": [{"name": "quarter", "rows": 250}],
        "drift": {"scores": ["kolmogorov_smirnov", "jensen_shannon"]},
    }
    (tmp_path / "processor.yaml").write_text(json.dumps(config))
    return tmp_path


def readings(capsys: pytest.CaptureFixture[str], *arguments: object) -> list[dict[str, object]]:
    """Return what `otel-ml replay --json` prints."""
    assert main(["--json", *map(str, arguments)]) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_numbers_are_those_of_the_formulas(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A window in which everybody is ten: .9 by Kolmogorov-Smirnov, and the Jensen-Shannon distance of its cells."""
    usual = [1 + number % 10 for number in range(250)]
    path = as_lines(requests([*usual, *[10] * 250]), folder / "traces.jsonl")

    first, second = readings(capsys, path, "--config", folder / "processor.yaml")

    ages = [next(t for t in r["targets"] if t["name"] == "age") for r in (first, second)]  # type: ignore[attr-defined]  # JSON
    assert [(r["state"], r["rows"]) for r in (first, second)] == [
        ("steady", 250),
        ("drifting", 250),
    ]
    assert ages[0]["scores"]["kolmogorov_smirnov"] == pytest.approx(0, abs=1e-12)
    assert ages[1]["scores"]["kolmogorov_smirnov"] == pytest.approx(0.9)
    assert ages[1]["scores"]["jensen_shannon"] == pytest.approx(0.8707908228691708)


def test_files_of_both_kinds_say_the_same(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """JSON lines and a single protobuf request give the same windows, also when a file is cut into two."""
    made = requests([5] * 300)
    (folder / "traces.bin").write_bytes(b"".join(made))
    config = ["--config", folder / "processor.yaml"]

    whole = readings(capsys, folder / "traces.bin", *config)
    lines = readings(capsys, as_lines(made, folder / "traces.jsonl"), *config)
    halves = [as_lines(made[:3], folder / "a.jsonl"), as_lines(made[3:], folder / "b.jsonl")]

    assert whole == lines == readings(capsys, *halves, *config)
    assert [reading["rows"] for reading in whole] == [250, 50]


def test_spans_that_come_again_are_counted_once(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """In other requests than before, as a sender that batched anew leaves them in a file; they are known by their ids, in hexadecimal too."""
    spans = requests([1 + n % 10 for n in range(250)])
    whole = ExportTraceServiceRequest()
    whole.MergeFromString(b"".join(spans))
    file = as_lines([*spans, whole.SerializeToString()], folder / "traces.jsonl")

    found = readings(capsys, file, "--config", folder / "processor.yaml")

    assert [reading["rows"] for reading in found] == [250]


def test_a_request_of_too_many_spans_is_one_line(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The limit is that of the processor; what is said names the file and where in it the request stands."""
    spans = b"".join(requests([1] * 50)) * 1311
    file = folder / "traces.binpb"
    file.write_bytes(spans)

    assert main([str(file)]) == 2

    said = capsys.readouterr().err
    assert said.startswith(f"otel-ml replay: {file}:request 1: ")
    assert "more than 65536 spans" in said
    assert said.count("\n") == 1


def test_old_telemetry_falls_into_the_windows_of_its_own_time(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two hours and a half of 2023, whatever the clock says now: three hourly windows."""
    path = as_lines(requests([5] * 9_000), folder / "traces.jsonl")
    found = readings(capsys, path, "--set", "windows=[{name: 1h, length: 1h}]")
    assert [(reading["start"], reading["rows"]) for reading in found] == [
        ("2023-11-14T22:00:00Z", 2800),
        ("2023-11-14T23:00:00Z", 3600),
        ("2023-11-15T00:00:00Z", 2600),
    ]


def test_people_get_a_table_and_the_alarms_in_words(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Windows, what moved, why it is an alarm, and what could not be used."""
    broken = export_request([inference_span({"ml.prediction.confidence": 7.5})])
    path = as_lines([*requests([10] * 250), broken], folder / "traces.jsonl")

    assert main([str(path), "--config", str(folder / "processor.yaml")]) == 0

    said = " ".join(capsys.readouterr().out.split())
    assert "what moved" in said
    assert "drifting" in said
    assert "age (PSI" in said or "age (debiased PSI" in said
    assert "ml.processor.undecoded out_of_range: 1" in said


def test_an_inline_configuration_is_replayed_without_forwarding(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The file that the processor runs with is the one to use; nothing is sent anywhere."""
    config = folder / "inline.yaml"
    config.write_text(
        "mode: inline\nforward: {endpoint: '127.0.0.1:1'}\nwindows: [{name: r, rows: 250}]"
    )
    path = as_lines(requests([5] * 250), folder / "traces.jsonl")
    assert [r["rows"] for r in readings(capsys, path, "--config", config)] == [250]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "cannot be read"),
        ("", "the file is empty"),
        ("not otlp", "expected OTLP as JSON or protobuf"),
        ('{"resourceSpans":[]}\n{"resourceSpans":', ":2"),
        ('{"resourceSpans":[]}', "expected inferences"),
        ('{"resourceMetrics":[]}', "expected inferences"),
    ],
)
def test_what_cannot_be_replayed_is_one_line_and_status_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str | None, said: str
) -> None:
    """The file, the place, and what was expected."""
    path = tmp_path / "traces.jsonl"
    if content is not None:
        path.write_text(content)
    assert main([str(path)]) == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert said in output.err
    assert str(path) in output.err
    assert output.err.count("\n") == 1


def test_progress_is_shown_where_it_is_asked_for(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """On stderr, so that the output can be piped."""
    path = as_lines(requests([5] * 250), folder / "traces.jsonl")
    readings(capsys, path)
    assert main(["--json", "--progress", str(path)]) == 0
    assert "traces.jsonl" in capsys.readouterr().err


def explanations(n: int) -> list[dict[str, Any]]:
    """Return, fifty to a request, logs that explain so many samples, each at the time of its span."""
    records = [
        LogRecord(
            event_name="ml.explanation",
            time_unix_nano=BEGIN_NS + number * SECOND_NS,
            attributes=attributes(
                {**MODEL, "ml.explanation.attributions": {"age": 1.0 + number % 7}}
            ),
        )
        for number in range(n)
    ]
    requests = [
        ExportLogsServiceRequest(
            resource_logs=[
                ResourceLogs(
                    resource=Resource(attributes=attributes(RESOURCE)),
                    scope_logs=[ScopeLogs(log_records=records[begin : begin + 50])],
                )
            ]
        )
        for begin in range(0, n, 50)
    ]
    return [json.loads(MessageToJson(request, indent=None)) for request in requests]


def test_explanations_fall_into_the_windows_of_their_time(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """In a file of their own, named after that of the traces: the first 500 say what is usual, the third window has the rest."""
    traces = as_lines(requests([1 + n % 10 for n in range(750)]), folder / "traces.jsonl")
    logs = folder / "logs.jsonl"
    logs.write_text("".join(json.dumps(document) + "\n" for document in explanations(750)))

    found = readings(capsys, traces, logs, "--config", folder / "processor.yaml")

    told = [reading["explanations"] for reading in found]
    assert told[:2] == [None, None]
    assert told[2]["explained"] == 250  # type: ignore[index]  # JSON


def test_logs_alone_are_no_inferences(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Explanations without the predictions that they are of cannot be replayed, which is said."""
    logs = folder / "logs.jsonl"
    logs.write_text(json.dumps(explanations(50)[0]))
    assert main([str(logs)]) == 2
    assert "expected inferences" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["income[eur]", "a[/b]", ":smile:"])
def test_names_are_printed_as_they_are(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    """Brackets and colons of a model, and of a window, are no markup of the table's."""
    spans = [inference_span({**MODEL, "ml.model.name": name}, span_id=1, end_ns=BEGIN_NS)]
    (tmp_path / "traces.bin").write_bytes(export_request(spans))
    window = f"windows=[{{name: '{name}', length: 1h}}]"

    assert main([str(tmp_path / "traces.bin"), "--set", window]) == 0

    title, _, row = capsys.readouterr().out.splitlines()[:3]
    assert title.strip() == f"{name} 3 of shop in prod"
    assert row.split()[:2] == [name, "2023-11-14"]


def test_progress_names_the_file_as_it_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Brackets in the name of a file are no markup either."""
    file = tmp_path / "part[a].bin"
    file.write_bytes(b"".join(requests([1])))

    with reading_progress([file], is_shown=True) as report:
        report(file, 1)

    assert "part[a].bin" in capsys.readouterr().err


def test_tenants_by_a_header_are_not_told_apart_in_files(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """No file has headers: rows are compared with the profile for all, and are not counted as nobody's, which is said; an attribute of the resource is there."""
    path = as_lines(requests([1 + n % 10 for n in range(250)]), folder / "traces.jsonl")
    arguments = [str(path), "--config", str(folder / "processor.yaml"), "--json", "--set"]

    assert main([*arguments, "tenants={header: x-tenant}"]) == 0
    by_header = capsys.readouterr()
    assert main([*arguments, "tenants={attribute: service.name}"]) == 0
    by_attribute = capsys.readouterr()

    (reading,) = map(json.loads, by_header.out.splitlines())
    assert (reading["state"], reading["rows"]) == ("steady", 250)
    assert by_header.err.startswith("otel-ml replay: files have no header x-tenant, so")
    (reading,) = map(json.loads, by_attribute.out.splitlines())
    assert (reading["state"], reading["rows"], reading["tenant"]) == ("steady", 250, "shop")
    assert by_attribute.err == ""


@pytest.mark.parametrize("n_files", [1, 2])
def test_a_pipe_is_read_once(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], n_files: int
) -> None:
    """`otel-ml replay <(zcat traces.gz)`: nothing of it is lost by looking at how it begins, be it alone or beside others."""
    sent = requests([1 + n % 10 for n in range(250)])
    content = as_lines(sent, folder / "traces.jsonl").read_bytes()
    (folder / "metrics.jsonl").write_text('{"resourceMetrics": []}\n' * (n_files - 1) or "{}")
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(content,))
    writer.start()
    others = [folder / "metrics.jsonl"] * (n_files - 1)
    (reading,) = readings(capsys, pipe, *others, "--config", folder / "processor.yaml")
    writer.join(60)
    assert reading["rows"] == 250

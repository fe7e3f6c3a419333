"""`otel-ml conventions check`: from files to findings, coverage and an exit code."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from google.protobuf.json_format import MessageToJson

from otel_ml_conventions.conformance import Finding, Judgement, Registry, Rule
from otel_ml_conventions.tally import Tally
from otel_ml_processor.commands.conformance_text import conformance_text
from otel_ml_processor.commands.conventions import main
from tests.data.telemetry import logs, metrics, traces


def lines(path: Path, *requests: object) -> str:
    """Write *requests* as lines of JSON and return the path."""
    path.write_text("".join(f"{MessageToJson(request, indent=None)}\n" for request in requests))
    return str(path)


def test_files_that_keep_to_the_conventions_are_0(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Traces, metrics and logs, JSON and protobuf; what was seen is told."""
    dump = tmp_path / "b.binpb"
    dump.write_bytes(logs().SerializeToString())

    status = main(["check", lines(tmp_path / "a.jsonl", traces(), metrics()), str(dump)])

    output = capsys.readouterr()
    assert (status, output.err) == (0, "")
    report = output.out.splitlines()
    assert report[0].startswith("coverage: 3 of ")
    assert report[-1] == "0 violations, 0 pieces of advice"
    assert any(line.startswith("  span ml.inference: 1 x, 3 of ") for line in report)
    assert "    seen: ml.operation.name, ml.model.name, ml.framework.name" in report


def test_violations_are_1_and_one_line_each(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The file and line where it was first, and how often."""
    bad = traces(batch_size=1.5)
    path = lines(tmp_path / "a.jsonl", traces(), bad, bad, metrics(unit="1"), logs(severity=9))

    status = main(["check", path])

    report = capsys.readouterr().out.splitlines()
    assert status == 1
    found = [
        ("event ml.drift.detected: wrong_severity: expected WARN, found INFO (9)", 1, 5),
        ("metric ml.drift.score: wrong_unit: expected '{score}', found '1'", 1, 4),
        ("span ml.inference, ml.batch.size: wrong_type: expected int, found double", 2, 2),
    ]
    assert report[:3] == [
        f"violation: {said} ({times} x, first in {path}:{line})" for said, times, line in found
    ]
    assert report[-1] == "4 violations, 0 pieces of advice"


def test_advice_alone_is_0(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What is allowed breaks no build."""
    request = traces()
    request.resource_spans[0].scope_spans[0].schema_url = ""

    status = main(["check", lines(tmp_path / "a", request)])

    out = capsys.readouterr().out
    assert status == 0
    assert out.startswith("advice: span ml.inference: missing_schema_url: ")
    assert out.endswith("0 violations, 1 piece of advice\n")


def test_a_file_without_anything_of_ours_says_that_it_shows_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Silence is no success: somebody may have given the wrong file."""
    path = tmp_path / "a.json"
    path.write_text('{"resourceSpans": []}')

    status = main(["check", str(path)])

    out = capsys.readouterr().out
    assert status == 0
    assert out.splitlines()[-1].startswith("nothing of the registry was seen")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (None, "cannot be read: No such file or directory"),
        ("", ": expected OTLP, the file is empty"),
        ('{"resourceSpans": [', ":1: expected JSON, found a mistake"),
    ],
)
def test_a_file_that_cannot_be_judged_is_2_and_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str | None, expected: str
) -> None:
    """Half a judgement is none: nothing is printed of the files before it."""
    path = tmp_path / "a.json"
    if content is not None:
        path.write_text(content)

    status = main(["check", lines(tmp_path / "good.json", traces()), str(path)])

    output = capsys.readouterr()
    assert (status, output.out) == (2, "")
    assert output.err.startswith(f"otel-ml conventions: {path}")
    assert expected in output.err
    assert output.err.count("\n") == 1


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["check"],
        ["guess"],
        ["live-check", "--seconds", "0"],
        ["live-check", "--seconds", "nan"],
        ["live-check", "--seconds", "soon"],
        ["live-check", "--grpc", "127.0.0.1"],
        ["live-check", "--http", "0.0.0.0:0"],
    ],
)
def test_misuse_is_2_and_one_line(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """What is wrong with the options, and where to read on."""
    status = main(arguments)

    output = capsys.readouterr()
    assert (status, output.out, output.err.count("\n")) == (2, "", 1)
    assert output.err.startswith("otel-ml conventions: ")


def test_progress_is_told_where_it_is_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """On stderr, so that the findings can be piped."""
    status = main(["check", lines(tmp_path / "large.jsonl", *[traces()] * 50), "--progress"])

    output = capsys.readouterr()
    assert status == 0
    assert "100%" in output.err
    assert "100%" not in output.out


def test_the_command_is_a_subcommand_of_otel_ml(tmp_path: Path) -> None:
    """As it is installed."""
    path = lines(tmp_path / "a.jsonl", traces(task_type="guessing"))
    command = [sys.executable, "-m", "otel_ml", "conventions", "check", path]

    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)

    assert (done.returncode, done.stderr) == (1, "")
    assert "unknown_value" in done.stdout


def test_on_a_terminal_findings_are_a_table_without_markup_of_others() -> None:
    """Text in brackets is shown as it is, and its colours are ours alone."""
    tally = Tally(Registry())
    hostile = Finding("span x", "ml.[red]x", Rule.UNKNOWN_ATTRIBUTE, "a name", "'ml.[red]x'")
    tally.add([Judgement("span", frozenset(), (hostile,))], "a.json:1")

    text = conformance_text(tally, is_terminal=True, width=160)

    assert "ml.[red]x" in text
    assert "violation" in text
    assert "\x1b[" in text
    assert "\x1b[" not in conformance_text(tally)

"""`otel-ml profile build --from-otlp`: from what a collector wrote into files to a profile."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
from google.protobuf.json_format import MessageToJson
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ResourceLogs, ScopeLogs
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from otel_ml_processor.commands.profile import build_profile_from_table, main
from otel_ml_processor.profile import Profile
from otel_ml_processor.profile_file import read_profile
from tests.unit.processor.otlp_requests import attribute, inference, request_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from google.protobuf.message import Message
    from opentelemetry.proto.trace.v1.trace_pb2 import Span

START_NS = 1_760_000_000_000_000_000
ROWS = 600


def inferences() -> pd.DataFrame:
    """Return what a model was asked and said, and what came true of most of it."""
    random = np.random.default_rng(11)
    sure = random.uniform(0.5, 1, ROWS).round(3)
    said = random.choice(["fraud", "fine"], ROWS, p=[0.3, 0.7])
    right = random.random(ROWS) < sure
    true = np.where(right, said, np.where(said == "fraud", "fine", "fraud"))
    return pd.DataFrame(
        {
            "amount": random.normal(50, 9, ROWS).round(2),
            "city": random.choice(np.array(["Oslo", "Bergen", None]), ROWS, p=[0.6, 0.3, 0.1]),
            "is_new": random.random(ROWS) < 0.5,
            "said": said,
            "sure": sure,
            "true": pd.Series(true).mask(np.arange(ROWS) % 5 == 0, None),
        }
    )


def spans(model: str = "payments", version: str = "3") -> list[Span]:
    """Return those inferences as spans, a minute apart."""
    return [
        inference(
            number,
            end_ns=START_NS + number * 60_000_000_000,
            model=model,
            version=version,
            features={"amount": row.amount, "city": row.city, "is_new": bool(row.is_new)},
            prediction_label=row.said,
            prediction_confidence=float(row.sure),
        )
        for number, row in enumerate(inferences().itertuples())
    ]


def labels() -> list[LogRecord]:
    """Return the feedback for them, an hour later, by the span that each is of."""
    return [
        LogRecord(
            time_unix_nano=START_NS + 3_600_000_000_000,
            event_name="ml.feedback",
            trace_id=(number + 1).to_bytes(16, "big"),
            span_id=(number + 1).to_bytes(8, "big"),
            attributes=[attribute("ml.feedback.label", truth)],
        )
        for number, truth in enumerate(inferences()["true"])
        if truth is not None
    ]


def logs(records: Sequence[LogRecord]) -> ExportLogsServiceRequest:
    """Return a request with *records*."""
    named = Resource(attributes=[attribute("service.name", "shop")])
    scoped = ScopeLogs(log_records=records)
    return ExportLogsServiceRequest(
        resource_logs=[ResourceLogs(resource=named, scope_logs=[scoped])]
    )


def written(path: Path, requests: Sequence[Message], *, as_json: bool) -> Path:
    """Write *requests* as the collector's file exporter does: a line each, or each behind its length."""
    if as_json:
        path.write_text("".join(MessageToJson(r, indent=None) + "\n" for r in requests))
    else:
        bodies = [request.SerializeToString() for request in requests]
        path.write_bytes(b"".join(len(body).to_bytes(4, "big") + body for body in bodies))
    return path


def built(folder: Path, files: Sequence[Path], *arguments: str) -> Profile:
    """Build the profile of *files* and return it."""
    output = str(folder / "p.json")
    assert main(["build", "--from-otlp", *map(str, files), "-o", output, *arguments]) == 0
    return read_profile(folder / "p.json")


@pytest.mark.parametrize("as_json", [True, False])
def test_telemetry_gives_the_profile_that_its_table_gives(tmp_path: Path, *, as_json: bool) -> None:
    """Features, predictions, confidence, labels from feedback, times: everything but where the rows came from is the same."""
    every, half = spans(), ROWS // 2
    traces = [request_of(every[:half]), request_of(every[half:])]
    files = [
        written(tmp_path / "traces", traces, as_json=as_json),
        written(tmp_path / "logs", [logs(labels())], as_json=as_json),
    ]
    frame = inferences()
    frame["when"] = pd.to_datetime(START_NS + np.arange(ROWS) * 60_000_000_000, utc=True)
    expected = build_profile_from_table(
        frame,
        model="payments",
        version="3",
        label="said",
        confidence="sure",
        target="true",
        time="when",
    )

    profile = built(tmp_path, files)

    assert (profile.model, profile.version) == ("payments", "3")
    assert profile.features == expected.features
    assert profile.prediction == expected.prediction
    assert profile.confidence == expected.confidence
    assert profile.calibration == expected.calibration
    assert profile.performance == pytest.approx(expected.performance)
    assert [test.order for test in profile.self_tests] == ["time", "random"]
    assert (profile.source.kind, profile.source.service) == ("OTLP", "shop")


def test_feedback_before_its_prediction_and_beside_it_counts_too(tmp_path: Path) -> None:
    """Files in any order; of two labels for one prediction the first holds."""
    late = [LogRecord.FromString(record.SerializeToString()) for record in labels()]
    for record in late:
        record.attributes[0].value.string_value = "neither"
    first = written(tmp_path / "logs", [logs([*labels(), *late])], as_json=True)
    second = written(tmp_path / "traces", [request_of(spans())], as_json=True)

    profile = built(tmp_path, [first, second])

    right = inferences().query("true.notna()").eval("said == true").mean()
    assert profile.performance["accuracy"] == pytest.approx(right)


def test_options_for_columns_hold_for_features_of_spans(tmp_path: Path) -> None:
    """Some left out, some treated as categories."""
    file = written(tmp_path / "traces", [request_of(spans())], as_json=False)

    profile = built(tmp_path, [file], "--ignore", "city", "--categorical", "amount")

    assert [(f.name, f.type) for f in profile.features] == [
        ("amount", "categorical"),
        ("is_new", "categorical"),
    ]


def test_probabilities_of_all_classes_and_the_schema_are_learned_from_spans(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As from a table with a column per class; how the inputs are typed is in the profile and in what is shown of it."""
    sent, table = spans(), inferences()
    for number, (span, row) in enumerate(zip(sent, table.itertuples(), strict=True)):
        other = "fine" if row.said == "fraud" else "fraud"
        odds = f'{{"{row.said}":{row.sure},"{other}":{round(1 - row.sure, 3)}}}'
        schema = "00000000000000aa" if number % 3 else "00000000000000bb"
        span.attributes.append(attribute("ml.prediction.probabilities", odds))
        span.attributes.append(attribute("ml.input.schema.hash", schema))
    parts = [request_of(sent), logs(labels())]
    found = built(tmp_path, [written(tmp_path / "all.jsonl", parts, as_json=True)])
    assert found.schemas == ["00000000000000aa", "00000000000000bb"]
    assert {feature.name for feature in found.features} == {"amount", "city", "is_new"}
    for name in ("fraud", "fine"):
        table[name] = table["sure"].where(table["said"] == name, (1 - table["sure"]).round(3))
    expected = build_profile_from_table(
        table,
        model="payments",
        label="said",
        target="true",
        features=["amount"],
        probabilities={"fraud": "fraud", "fine": "fine"},
    )
    of_class = {of.positive: of for of in found.class_calibrations}
    assert of_class == {of.positive: of for of in expected.class_calibrations}
    assert "schema      00000000000000aa, 00000000000000bb" in capsys.readouterr().out


def test_probabilities_without_labels_or_out_of_range_are_no_columns(tmp_path: Path) -> None:
    """Without a truth they mean nothing; a number that is no probability is as if it were not said. Neither becomes a feature."""
    sent = spans()
    for span in sent:
        odds = '{"fraud":1.5,"fine":0.5}'
        span.attributes.append(attribute("ml.prediction.probabilities", odds))
    for parts in ([request_of(sent)], [request_of(sent), logs(labels())]):
        found = built(tmp_path, [written(tmp_path / "all.jsonl", parts, as_json=True)])
        assert {feature.name for feature in found.features} == {"amount", "city", "is_new"}
        assert found.class_calibrations == []


def test_predicted_numbers_stay_numbers(tmp_path: Path) -> None:
    """A regression whose answers are few and whole is compared by its numbers, as it will be counted."""
    stars = [
        inference(number, end_ns=START_NS + number, prediction_value=float(number % 5))
        for number in range(300)
    ]

    profile = built(tmp_path, [written(tmp_path / "stars", [request_of(stars)], as_json=True)])

    assert profile.prediction is not None
    assert profile.prediction.type == "numeric"
    assert profile.prediction.counts == [60] * 5


def test_without_captured_features_the_outputs_are_the_profile(tmp_path: Path) -> None:
    """Classes and confidence say something, too; rows without content are left out where others have some."""
    bare = [
        inference(number, end_ns=START_NS + number, prediction_label="a") for number in range(300)
    ]
    outputs = built(tmp_path, [written(tmp_path / "bare", [request_of(bare)], as_json=True)])
    assert outputs.features == []
    assert outputs.prediction is not None
    assert outputs.prediction.counts == [300, 0]

    for span in bare[:100]:
        span.attributes.append(attribute("ml.input.features", '{"amount": 1}'))
    some = built(tmp_path, [written(tmp_path / "some", [request_of(bare)], as_json=True)])
    assert some.source.rows == 100
    assert some.features[0].missing == 0


def test_of_several_models_one_has_to_be_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The message lists them; with the name it is that one's profile."""
    both = written(
        tmp_path / "traces", [request_of(spans()), request_of(spans("churn", "1"))], as_json=True
    )
    arguments = ["build", "--from-otlp", str(both), "-o", str(tmp_path / "p.json")]

    assert main(arguments) == 2
    said = capsys.readouterr().err
    assert "found those of churn 1 of shop; payments 3 of shop; choose with --model" in said
    assert said.count("\n") == 1
    assert main([*arguments, "--model", "nobody"]) == 2
    assert "expected the inferences of nobody of one service" in capsys.readouterr().err
    assert built(tmp_path, [both], "--model", "churn").model == "churn"


@pytest.mark.parametrize(
    ("content", "arguments", "said"),
    [
        (b"", [], "the file is empty"),
        (b"{}\n", [], "expected one of resourceSpans"),
        (b"hello", [], "expected OTLP as JSON or protobuf"),
        (b'{"resourceSpans": []}\n', [], "expected inferences"),
        (b'{"resourceSpans": []}\n', ["--label", "x"], "spans say themselves what was predicted"),
        (b'{"resourceSpans": []}\n', ["--validation", "v.csv"], "--validation is for tables"),
    ],
)
def test_files_that_hold_no_inferences_are_said(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    content: bytes,
    arguments: list[str],
    said: str,
) -> None:
    """One line with the file, exit code 2, and no profile."""
    (tmp_path / "t").write_bytes(content)
    output = str(tmp_path / "p.json")

    assert main(["build", "--from-otlp", str(tmp_path / "t"), "-o", output, *arguments]) == 2

    captured = capsys.readouterr()
    assert said in captured.err
    assert captured.err.count("\n") == 1
    assert not (tmp_path / "p.json").exists()


def test_a_pipe_is_said_to_be_none_that_can_be_used(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What a shell makes of `<(zcat t.gz)`: the names are read first, and then there would be nothing left."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    assert main(["build", "--from-otlp", str(pipe), "-o", str(tmp_path / "p.json")]) == 2
    assert f"{pipe}: expected a file, found a pipe" in capsys.readouterr().err


def test_tables_or_telemetry_are_needed_and_not_both(capsys: pytest.CaptureFixture[str]) -> None:
    """And of a table the name of its model."""
    for arguments, said in (
        ([], "expected tables, or --from-otlp"),
        (["a.csv", "--from-otlp", "b"], "expected tables, or --from-otlp"),
        (["a.csv"], "expected --model"),
    ):
        assert main(["build", *arguments]) == 2
        assert said in capsys.readouterr().err

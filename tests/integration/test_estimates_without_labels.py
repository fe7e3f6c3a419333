"""From a classifier's own calls to what is expected of them: captured by the SDK, learned from files, estimated by a processor, and what came true."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pytest
from google.protobuf.json_format import MessageToJson
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ResourceLogs, ScopeLogs
from sklearn import metrics
from sklearn.datasets import make_classification
from sklearn.linear_model import LogisticRegression

from otel_ml.settings import Settings
from otel_ml.testing import capture
from otel_ml_processor.commands.profile import main
from tests.integration.feedback_traffic import processor
from tests.unit.processor.otlp_requests import attribute, request_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from opentelemetry.proto.trace.v1.trace_pb2 import Span

    from otel_ml.settings import OutputMode

CLASSES = np.array(["cat", "dog", "owl"])
KNOWN, LIVE = slice(1_000, 3_000), slice(3_000, 5_000)
BATCH = 25
MACRO = ["macro_precision", "macro_recall", "macro_f1", "macro_roc_auc"]


class Traffic(NamedTuple):
    """Spans of calls, what the model said of their rows, and the truth."""

    spans: Sequence[Span]
    probabilities: np.ndarray
    true: np.ndarray

    @property
    def realised(self) -> dict[str, float]:
        """What scikit-learn says of the truth."""
        said, how = CLASSES[self.probabilities.argmax(axis=1)], {"average": "macro"}
        area = metrics.roc_auc_score(self.true, self.probabilities, multi_class="ovr")
        return {
            "accuracy": metrics.accuracy_score(self.true, said),
            "macro_precision": metrics.precision_score(self.true, said, **how),
            "macro_recall": metrics.recall_score(self.true, said, **how),
            "macro_f1": metrics.f1_score(self.true, said, **how),
            "macro_roc_auc": area,
        }


def traffic(rows: slice, outputs: OutputMode, *, size: int) -> Traffic:
    """Return the calls of a classifier of three classes on some rows, so many at once, as the SDK captures them."""
    inputs, number = make_classification(
        5_000, 8, n_informative=5, n_classes=3, class_sep=0.7, random_state=3
    )
    true = CLASSES[number]
    model = LogisticRegression().fit(inputs[:1_000], true[:1_000])
    asked = inputs[rows]
    with capture(Settings(capture_outputs=outputs)) as captured:
        said = [model.predict_proba(asked[i : i + size]) for i in range(0, len(asked), size)]
        encoded = encode_spans(captured.calls)
    return Traffic(encoded.resource_spans[0].scope_spans[0].spans, np.concatenate(said), true[rows])


def labels(of: Traffic) -> ExportLogsServiceRequest:
    """Return the truth of calls of one row each."""
    records = [
        LogRecord(
            event_name="ml.feedback",
            time_unix_nano=span.end_time_unix_nano + 1,
            trace_id=span.trace_id,
            span_id=span.span_id,
            attributes=[attribute("ml.feedback.label", str(truth))],
        )
        for span, truth in zip(of.spans, of.true, strict=True)
    ]
    logs = ResourceLogs(scope_logs=[ScopeLogs(log_records=records)])
    return ExportLogsServiceRequest(resource_logs=[logs])


@pytest.fixture(name="folder", scope="module")
def _folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the profile of two thousand captured calls of one row each, and their labels."""
    folder, known = tmp_path_factory.mktemp("classes"), traffic(KNOWN, "full", size=1)
    parts = [request_of(known.spans), labels(known)]
    file = folder / "calls.jsonl"
    file.write_text("".join(MessageToJson(part, indent=None) + "\n" for part in parts))
    assert main(["build", "--from-otlp", str(file), "-o", str(folder / "p.json")]) == 0
    return folder


def reading(folder: Path, live: Traffic) -> dict[str, Any]:
    """Return what a processor says of a window of *live* calls."""
    window = f"windows=[{{name: rows, rows: {len(live.true)}}}]"
    with processor(folder, window, "profiles=[p.json]") as running:
        running.traces(live.spans)
        running.tick()
        (found,) = running.stream()["readings"]
    assert found["rows"] == len(live.true)
    read: dict[str, Any] = found
    return read


@pytest.mark.parametrize("size", [1, BATCH])
def test_captured_probabilities_give_estimates_near_what_came_true(folder: Path, size: int) -> None:
    """Row by row or in batches: accuracy, and the means over classes, within .03 of the truth that nobody has told the processor."""
    live = traffic(LIVE, "full", size=size)
    found = reading(folder, live)
    assert found["estimated"] == pytest.approx(live.realised, abs=0.03)
    assert found["needs_probabilities"] == []


def test_without_them_only_accuracy_is_estimated_and_the_rest_is_named(folder: Path) -> None:
    """As the SDK captures outputs by default: the confidence tells the accuracy, and no number stands where nothing is known."""
    live = traffic(LIVE, "summary", size=BATCH)
    found = reading(folder, live)
    assert found["estimated"] == pytest.approx({"accuracy": live.realised["accuracy"]}, abs=0.03)
    assert found["needs_probabilities"] == MACRO

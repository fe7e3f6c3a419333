"""Feedback that still waits for its prediction when the processor ends."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from otel_ml_conventions.metrics import METRIC_ML_FEEDBACK_JOINED
from otel_ml_processor.config_file import load_config
from otel_ml_processor.service import Service
from otel_ml_processor.signals import Signal
from tests.data.export_requests import RESOURCE
from tests.data.labels import label_record, label_request

if TYPE_CHECKING:
    from pathlib import Path

SETTINGS = (
    "receive={endpoint: '127.0.0.1:0'}",
    "http={endpoint: '127.0.0.1:0'}",
    "emit.endpoint=127.0.0.1:1",
    "state={directory: state}",
)


def processor(folder: Path) -> Service:
    """Return a processor without doors that has brought back what is kept in *folder*."""
    service = Service(load_config(None, SETTINGS), folder)
    assert service._keeper is not None
    service._keeper.restore()
    service.tick()
    return service


def feedback_of(service: Service) -> float:
    """Return how much feedback is exported in all."""
    return sum(
        point.value
        for metric in service._book.collect()
        if metric.definition.name == METRIC_ML_FEEDBACK_JOINED
        for point in metric.points
    )


def test_what_finds_nothing_at_the_end_is_counted_before_the_state_is_written(
    tmp_path: Path,
) -> None:
    """It is told with the last push, and a counter that goes on after the restart must not be behind that."""
    first = processor(tmp_path)
    records = [label_record({"ml.feedback.label": "yes"}, n, time.time_ns()) for n in (1, 2, 3)]
    first._joining.inbox.hear(Signal.LOGS, label_request(records, RESOURCE))

    first.stop()

    assert feedback_of(first) == 3
    second = processor(tmp_path)
    assert feedback_of(second) == 3
    second.stop()

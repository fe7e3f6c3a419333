"""Recommendations: how well they were ordered, as somebody judges them, and what people did with them."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import otel_ml
from conventions.scenarios.shown import show

if TYPE_CHECKING:
    from conventions.scenarios.telemetry import Telemetry

LISTS = 200
OPTIONS = ("mode=tee", f"windows=[{{name: quarter, rows: {LISTS}}}]")


def run(telemetry: Telemetry) -> None:
    """Show two items two hundred times; each time the second is judged to be the right one, and every second time the first is clicked."""
    with (
        TemporaryDirectory() as folder,
        telemetry.processor(*OPTIONS, folder=Path(folder)) as processor,
        telemetry.sdk(traces_to=processor.endpoint, events_on_spans=True),
    ):
        shown = [_recommend() for _ in range(LISTS)]
        for number, prediction in enumerate(shown):
            otel_ml.record_feedback(prediction, score=1.0, index=1, source="human")
            if number % 2:
                otel_ml.record_feedback(prediction, correct=True, index=0, source="implicit")


def _recommend() -> str | None:
    items = [{"age": 31}, {"age": 57}]
    with otel_ml.inference("shop", version="3", task="recommendation", features=items):
        return otel_ml.current_prediction_id()


if __name__ == "__main__":
    show(run)

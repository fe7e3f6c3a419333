"""The page that tells how to record by hand tells the truth."""

import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import otel_ml
from otel_ml.testing import Capture

PAGE = Path(__file__).parents[4] / "docs" / "how-to" / "record-by-hand.md"


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    """Put back what the page configures."""
    make, handlers = logging.getLogRecordFactory(), list(logging.root.handlers)
    yield
    logging.setLogRecordFactory(make)
    logging.root.handlers[:] = handlers


def test_its_programs_run_as_one(seen: Capture) -> None:
    """Each block works, given the ones above it, and all say what the conventions allow."""
    names: dict[str, Any] = {}
    for block in re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL):
        exec(block, names)
    assert "predict sentiment" in {span.name for span in seen.spans}
    assert {event.event_name for event in seen.events} >= {"ml.feedback", "ml.training.epoch"}
    assert seen.metric("ml.sdk.errors") == []


def test_it_names_everything_that_is_public() -> None:
    """But what another page tells."""
    told = PAGE.read_text()
    elsewhere = {"Call", "ValidationError", "instrument", "register_model", "uninstrument"}
    elsewhere.add("watch_event_loop")
    assert [name for name in otel_ml.__all__ if name not in told and name not in elsewhere] == []

"""What a span says at its start and at its end waits as one, and nothing is lost between those who tell and those who look."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from opentelemetry.sdk.trace import TracerProvider

from otel_ml.describe.models import Model
from otel_ml.record.channel import Channel, Numbers
from otel_ml.record.told import Told
from otel_ml.record.unread import Reading, Unread

AT_START = {
    "ml.operation.name": "predict",
    "ml.model.name": "fraud",
    "ml.call.sequence": 7,
    "ml.call.stream": "s",
    "ml.batch.size": 1,
}


@pytest.fixture(name="span")
def _span() -> Any:
    """A span that records and has just begun."""
    return TracerProvider().get_tracer("t").start_span("s")


@pytest.fixture(name="told")
def _told() -> Told:
    """What is known of a call when it begins."""
    return Told(
        Channel(Model("fraud", None, "", "", None, None), "predict", None, Numbers()), 7, "s", 1
    )


def unread(describe: Callable[[Unread], dict[str, Any]] = lambda _call: {"end": True}) -> Unread:
    """Return what a call left, of which *describe* says what the span does."""
    return Unread(Reading(describe, None), {}, None, np.array([1.0]), 1, 1)


def test_the_start_and_the_end_are_said_together(span: Any, told: Told) -> None:
    """Whoever looks at the ended span finds both, in this order."""
    assert told.wait(span)
    told.leave(span, unread())
    span.end()
    assert list(span.attributes.items()) == [*AT_START.items(), ("end", True)]


def test_who_looks_during_the_call_finds_the_start_and_later_the_end(span: Any, told: Told) -> None:
    """What a user sets meanwhile stands between them."""
    told.wait(span)
    assert dict(span.attributes) == AT_START
    span.set_attribute("users", "own")
    told.leave(span, unread())
    assert list(span.attributes.items()) == [*AT_START.items(), ("users", "own"), ("end", True)]


def test_who_begins_to_look_as_the_call_ends_misses_nothing(span: Any, told: Told) -> None:
    """It has found the end, or is told it once more: here the end comes while somebody is being told the start."""
    told.wait(span)
    looks: list[dict[str, Any]] = []

    def describe(_call: Unread) -> dict[str, Any]:
        if not looks:  # the first to be told is somebody who looked before the second question
            looks.append({})
            told.leave(span, unread())
        return {"end": True}

    told.leave(span, unread(describe))
    assert dict(span.attributes) == {**AT_START, "end": True}
    assert looks == [{}]


def test_a_span_that_is_over_says_what_it_said(span: Any, told: Told) -> None:
    """A user may end the current span within the call; as the SDK has it, what comes late is not there."""
    told.wait(span)
    span.end()
    told.leave(span, unread())
    assert dict(span.attributes) == AT_START


def test_a_span_that_is_built_otherwise_is_told_at_once(told: Told) -> None:
    """By its public method."""

    class Other:
        """A span of another class."""

        def __init__(self) -> None:
            self.told: dict[str, Any] = {}

        def set_attributes(self, attributes: dict[str, Any]) -> None:
            """Keep *attributes*."""
            self.told.update(attributes)

    span = Other()
    assert not told.wait(span)
    assert span.told == AT_START

"""Feedback and explanations, which come as log records: where a collector takes them in, and what a copy of them passes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from otel_ml_conventions.events import EVENT_ML_EXPLANATION, EVENT_ML_FEEDBACK
from otel_ml_processor.commands.splice.collector import type_of
from otel_ml_processor.commands.splice.layers import resolved
from otel_ml_processor.commands.splice.placement import (
    check_redaction_comes_first,
    placed_for_copy,
    take_logs,
)
from otel_ml_processor.commands.splice.presence import exporter_to

if TYPE_CHECKING:
    from otel_ml_processor.commands.splice.collector import Collector, Pipeline
    from otel_ml_processor.commands.splice.wishes import Names, Wishes

__all__ = ["IS_READ", "FeedbackCopy", "copy_of_feedback", "pipeline_of_logs"]

IS_READ: Final = " or ".join(
    f'{name} == "{event}"'
    for name in ("event_name", 'attributes["event.name"]')  # the second, where a producer is older
    for event in (EVENT_ML_FEEDBACK, EVENT_ML_EXPLANATION)
)
"""The condition, as the collector's processor `filter` has it, that a log record is an event that the otel-ml processor reads."""


@dataclass(frozen=True, slots=True)
class FeedbackCopy:
    """The receivers of the copy, the processors that it passes, and the pipeline of logs that it is a copy of; None: there was none."""

    receivers: tuple[str, ...]
    processors: tuple[str, ...]
    like: str | None


def copy_of_feedback(
    collector: Collector, pipeline: Pipeline, wishes: Wishes, names: Names
) -> FeedbackCopy | None:
    """
    Return how feedback on inferences of *pipeline* comes to the processor; None where it cannot, does already, or is not wished.

    It passes what the logs pass that come in with the spans; where there are none, what the spans pass.

    Raises:
        RefusedError: If the place of a processor is not known, or redaction comes only later.
    """
    left_out = _left_out(collector, wishes, names)
    doors = [one for one in _doors(collector, pipeline) if one not in left_out]
    if not doors or not wishes.with_feedback:
        return None
    logs = pipeline_of_logs(collector, pipeline)
    if logs is None:
        passed = placed_for_copy(pipeline, wishes.said).before
        return FeedbackCopy(tuple(doors), tuple(take_logs(passed)), None)
    check_redaction_comes_first(collector, logs, wishes.said)
    return FeedbackCopy(tuple(doors), placed_for_copy(logs, wishes.said).before, logs.name)


def pipeline_of_logs(collector: Collector, pipeline: Pipeline) -> Pipeline | None:
    """Return the pipeline that takes in logs where the spans of *pipeline* come in: of several, the one called `logs`, else the first."""
    doors = set(_doors(collector, pipeline))
    found = [
        one
        for one in collector.of_signal("logs")
        if not doors.isdisjoint(each.name for each in one.receivers)
    ]
    return next((one for one in found if one.name == "logs"), found[0] if found else None)


def _doors(collector: Collector, pipeline: Pipeline) -> list[str]:
    """Return the receivers of OTLP, which takes logs as well as spans, by which spans come to *pipeline*; each once."""
    before = [one for one in collector.of_signal("traces") if pipeline in collector.behind(one)]
    names = [each.name for one in (pipeline, *before) for each in one.receivers]
    return [name for name in dict.fromkeys(names) if type_of(name) == "otlp"]


def _left_out(collector: Collector, wishes: Wishes, names: Names) -> set[str]:
    """Return the receivers whose logs go to the processor already, or come from it."""
    back = resolved(wishes.hop.back)
    returns = {at.owner.name for at in collector.listeners() if f"{at.host}:{at.port}" == back}
    handed_over = [
        one
        for one in collector.of_signal("logs")
        if exporter_to(collector, one, wishes.hop, names) is not None
    ]
    return returns | {each.name for one in handed_over for each in one.receivers}

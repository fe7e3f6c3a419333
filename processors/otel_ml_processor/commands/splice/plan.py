"""Everything that is decided before the overlay is written: which pipeline, which places, which names, where results go."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from otel_ml_processor.commands.splice.collector import type_of
from otel_ml_processor.commands.splice.conflicts import (
    check_addresses,
    check_lists_are_replaced,
    check_no_loop,
    check_parts_exist,
    check_receivers_can_be_shared,
)
from otel_ml_processor.commands.splice.feedback import copy_of_feedback, pipeline_of_logs
from otel_ml_processor.commands.splice.placement import (
    check_redaction_comes_first,
    placed_for_copy,
    placed_in_line,
)
from otel_ml_processor.commands.splice.presence import exporter_in_use, is_spliced
from otel_ml_processor.commands.splice.refusal import RefusedError
from otel_ml_processor.commands.splice.wishes import Names
from otel_ml_processor.errors import ConfigError

if TYPE_CHECKING:
    from otel_ml_processor.commands.splice.collector import Collector, Pipeline
    from otel_ml_processor.commands.splice.feedback import FeedbackCopy
    from otel_ml_processor.commands.splice.placement import Placement
    from otel_ml_processor.commands.splice.wishes import Hop, Mode, Wishes

__all__ = ["Plan", "plan"]


@dataclass(frozen=True, slots=True)
class Plan:
    """What the overlay has to say."""

    mode: Mode
    pipeline: Pipeline
    placement: Placement
    names: Names
    hop: Hop
    metrics: Pipeline | None
    """Whose exporters get the processor's metrics; None: nobody's, they go into the log."""
    logs: Pipeline | None
    """Whose exporters get its events."""
    stores: tuple[str, ...]
    """The exporters of the pipeline that are no connectors, else all: where verdict spans go."""
    exporter: str | None
    """The exporter to the processor that is there already, with the way back: another pipeline has a copy, too. None: it is to be added."""
    only_inferences: bool
    """Whether all other spans are left out of the copy."""
    feedback: FeedbackCopy | None
    """How feedback comes to the processor that services send as log records; None: not at all."""


def plan(collector: Collector, wishes: Wishes) -> Plan | None:
    """
    Return the plan for *collector*, or None where the processor is where the *wishes* want it already.

    Raises:
        ConfigError: If the wishes name no pipeline where there are several, or something that is not there.
        RefusedError: If the overlay would break something.
    """
    names = Names(wishes.word, _otlp_type(collector))
    pipeline = _chosen(collector, wishes, names)
    check_parts_exist(collector, pipeline)
    check_no_loop(collector, pipeline, wishes.hop)
    if is_spliced(collector, pipeline, wishes, names):
        return None
    check_lists_are_replaced(wishes, pipeline)
    exporter = exporter_in_use(collector, wishes.hop, names)
    if exporter is None:
        check_addresses(collector, wishes)
    wishes.said.check(pipeline, _around(collector, pipeline, wishes))
    check_redaction_comes_first(collector, pipeline, wishes.said)
    if wishes.mode == "tee":
        check_receivers_can_be_shared(collector, pipeline)
        placement = placed_for_copy(pipeline, wishes.said)
    else:
        placement = placed_in_line(pipeline, wishes.said)
    exporters = [one.name for one in pipeline.exporters]
    stores = [name for name in exporters if not collector.is_connector(name)]
    return Plan(
        wishes.mode,
        pipeline,
        placement,
        names,
        wishes.hop,
        _results_of(collector, "metrics"),
        _results_of(collector, "logs"),
        tuple(stores or exporters),
        exporter,
        wishes.only_inferences,
        copy_of_feedback(collector, pipeline, wishes, names),
    )


def _around(collector: Collector, pipeline: Pipeline, wishes: Wishes) -> list[Pipeline]:
    """Return the pipelines of whose processors one may be asked, too: that of the logs beside *pipeline*, and those behind either."""
    logs = pipeline_of_logs(collector, pipeline) if wishes.with_feedback else None
    beside = [] if logs is None else [logs, *collector.behind(logs)]
    return [*collector.behind(pipeline), *beside]


def _otlp_type(collector: Collector) -> str:
    """Return `otlp_grpc` where the files show a collector that knows that name; older ones know only `otlp`."""
    known = {type_of(name) for name in collector.parts("exporters")}
    return "otlp_grpc" if known & {"otlp_grpc", "otlp_http"} else "otlp"


def _chosen(collector: Collector, wishes: Wishes, names: Names) -> Pipeline:
    every = {one.name: one for one in collector.of_signal("traces")}
    if not every:
        raise _no_traces(collector)
    if wishes.pipeline is not None:
        if wishes.pipeline not in every:
            raise ConfigError(
                f"--pipeline {wishes.pipeline}: expected a pipeline of traces, there are: {', '.join(every)}"
            )
        return every[wishes.pipeline]
    ours = {names.to_hop, names.onward, names.verdicts}
    theirs = [one for one in every.values() if one.name not in ours] or list(every.values())
    entries = [one for one in theirs if _takes_in(collector, one)]
    if len(entries) == 1:
        return entries[0]
    listed = "".join(f"\n  --pipeline {one.name}  ({one.place})" for one in entries or theirs)
    raise ConfigError(f"--pipeline is needed: the processor can go into any of these:{listed}")


def _takes_in(collector: Collector, pipeline: Pipeline) -> bool:
    """Return whether spans from outside enter here, instead of coming from another pipeline alone."""
    return not pipeline.receivers or any(
        not collector.is_connector(one.name) for one in pipeline.receivers
    )


def _no_traces(collector: Collector) -> RefusedError:
    has = ", ".join(one.name for one in collector.pipelines)
    if not has:
        way_out = "give the collector's own configuration; of Helm values or a Kubernetes resource that is what stands under `config`."
    else:
        way_out = "splice the collector that your services send spans to, or add a pipeline of traces with a receiver and an exporter first."
    return RefusedError(
        collector.place,
        f"no pipeline of traces; the pipelines are: {has or 'none at all'}",
        why="the processor reads spans, and this collector has none to give.",
        way_out=way_out,
    )


def _results_of(collector: Collector, signal: str) -> Pipeline | None:
    """Return the pipeline called *signal*, else the only one of it that goes out of the collector."""
    found = [one for one in collector.of_signal(signal) if one.exporters]
    named = [one for one in found if one.name == signal]
    outward = [
        one for one in found if any(not collector.is_connector(part.name) for part in one.exporters)
    ]
    if named:
        return named[0]
    return outward[0] if len(outward) == 1 else None

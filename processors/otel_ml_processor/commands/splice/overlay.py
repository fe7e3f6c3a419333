"""The overlay of each mode: the parts that are added, and what is to be said of each."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from otel_ml_conventions.attributes import (
    ML_FEEDBACK_CORRECT,
    ML_FEEDBACK_LABEL,
    ML_FEEDBACK_SCORE,
    ML_FEEDBACK_VALUE,
    ML_MODEL_NAME,
)
from otel_ml_processor.commands.splice.collector import type_of
from otel_ml_processor.commands.splice.feedback import IS_READ
from otel_ml_processor.commands.splice.placement import around_wall, batches, samplers

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from otel_ml_processor.commands.splice.collector import Pipeline
    from otel_ml_processor.commands.splice.feedback import FeedbackCopy
    from otel_ml_processor.commands.splice.plan import Plan
    from otel_ml_processor.commands.splice.wishes import Hop

__all__ = ["Overlay", "Part", "overlay"]

Settings: TypeAlias = "Mapping[str, Any]"

_QUEUE: Final = {"sizer": "bytes", "queue_size": 128 << 20}
_RETRY: Final = {"initial_interval": "500ms", "max_interval": "5s"}
_BATCH: Final = {"timeout": "200ms", "send_batch_size": 2048, "send_batch_max_size": 4096}


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a collector: its name, its settings, and what it does here."""

    name: str
    settings: Settings
    comment: str


@dataclass(frozen=True, slots=True)
class Overlay:
    """What is added to a collector: what it is, parts by kind, pipelines."""

    title: str
    sections: Mapping[str, tuple[Part, ...]]
    """Parts by kind (`processors`, `exporters`, ...), in the order in which spans meet them."""
    pipelines: tuple[Part, ...]
    changed: str | None
    """The one pipeline that exists already, of which lists are replaced."""

    def added(self) -> Iterator[tuple[str, str]]:
        """Give kind and name of every part that must not exist yet."""
        for kind, parts in self.sections.items():
            yield from ((kind, part.name) for part in parts)
        yield from (
            ("pipelines", part.name) for part in self.pipelines if part.name != self.changed
        )


def overlay(plan: Plan) -> Overlay:
    """Return the overlay that *plan* describes."""
    made = {"tee": _tee, "inline": _in_line, "failover": _failover}[plan.mode](plan)
    if plan.feedback or plan.exporter:
        return made
    return replace(made, title=f"{made.title} {_NO_FEEDBACK}")


_NO_FEEDBACK: Final = "Feedback that services send as log records does not come to it."


def _tee(plan: Plan) -> Overlay:
    names, pipeline = plan.names, plan.pipeline
    filters, wall = _only_inferences(plan), Part(names.batch, _BATCH, _WALL)
    added = (*filters, wall)
    before_wall, behind_wall = around_wall(plan.placement.before)
    processors = (*filters, *_feedback_filter(plan), wall)
    copy = Part(
        names.to_hop,
        {
            "receivers": [one.name for one in pipeline.receivers],
            "processors": [*before_wall, *(part.name for part in added), *behind_wall],
            "exporters": [plan.exporter or names.exporter],
        },
        f"A copy of what `{pipeline.name}` receives. {_told_of_copy(plan)}",
    )
    title = (
        f"Gives the otel-ml processor a copy of what pipeline `{pipeline.name}` receives (mode tee). Your own pipelines stay as they are: "
        "whatever happens to the processor, they do not notice."
    )
    if plan.exporter is not None:
        shared = f" It goes by `{plan.exporter}`, as what is copied already; the results have their way back."
        return Overlay(
            title + shared,
            {"processors": processors},
            (copy, *_feedback(plan, plan.exporter)),
            None,
        )
    verdicts = Part(
        names.verdicts,
        {"receivers": [names.receiver], "exporters": list(plan.stores)},
        f"Verdicts on flagged inferences: child spans, sent to where `{pipeline.name}` sends its spans.{_past(plan)}",
    )
    return Overlay(
        title,
        {
            "receivers": (_return_receiver(plan, "metrics, drift events, and verdicts as spans"),),
            "processors": processors,
            "exporters": (
                _queued_exporter(plan, names.exporter, "60s", _TEE_EXPORTER),
                *_log(plan),
            ),
        },
        (copy, *_feedback(plan, names.exporter), *_results(plan), verdicts),
        None,
    )


_WALL: Final = (
    "The wall between the copy and your own path: without it, a slow or full hop would be reported to the senders, who would send "
    "everything again."
)
_TEE_EXPORTER: Final = (
    "To the processor. While it is away, up to 128 MiB of spans wait here, each up to a minute; what is dropped then is missing in the copy "
    "alone."
)
_LINE_EXPORTER: Final = "To the processor, which acknowledges a span when the way back has taken it. While the processor is away, up to 128 MiB wait here."


def _only_inferences(plan: Plan) -> tuple[Part, ...]:
    if not plan.only_inferences:
        return ()
    settings = {
        "error_mode": "ignore",
        "traces": {"span": [" and ".join(f'attributes["{key}"] == nil' for key in _MARKS)]},
    }
    told = "Leaves inferences, and feedback on them: the processor reads no other span."
    return (Part(plan.names.filter, settings, told),)


_MARKS: Final = (
    ML_MODEL_NAME,
    ML_FEEDBACK_LABEL,
    ML_FEEDBACK_VALUE,
    ML_FEEDBACK_SCORE,
    ML_FEEDBACK_CORRECT,
)
"""One of these has every span that the processor reads; feedback need not know its model."""


def _feedback(plan: Plan, exporter: str) -> tuple[Part, ...]:
    """Return the pipeline that hands feedback to the processor by *exporter*, where there is one."""
    copied = plan.feedback
    if copied is None:
        return ()
    before_wall, behind_wall = around_wall(copied.processors)
    # The filter comes first: it cannot fail, and what it takes out costs nothing behind it.
    processors = [plan.names.feedback_filter, *before_wall, plan.names.batch, *behind_wall]
    settings = {
        "receivers": list(copied.receivers),
        "processors": processors,
        "exporters": [exporter],
    }
    return (Part(plan.names.feedback, settings, _told_of_feedback(copied)),)


def _told_of_feedback(copied: FeedbackCopy) -> str:
    if copied.like is None:
        told = (
            "Your collector refused logs so far, for want of a pipeline; now it takes them in, and drops all others. "
            "With a pipeline of your own they go where that sends them."
        )
    else:
        told = f"What `{copied.like}` does with them stays as it is."
    passed = f" The copy passes {_listed(copied.processors)}." if copied.processors else ""
    return f"Feedback and explanations that services send as log records, beside the spans. {told}{passed}"


def _feedback_filter(plan: Plan) -> tuple[Part, ...]:
    if plan.feedback is None:
        return ()
    settings = {"error_mode": "ignore", "logs": {"log_record": [f"not ({IS_READ})"]}}
    told = "Leaves feedback and explanations: the processor reads no other logs."
    return (Part(plan.names.feedback_filter, settings, told),)


def _returned_filter(plan: Plan) -> tuple[Part, ...]:
    if plan.feedback is None:
        return ()
    settings = {"error_mode": "ignore", "logs": {"log_record": [IS_READ]}}
    told = "The processor passes on what it gets. This takes the copies of feedback out again: they end here."
    return (Part(plan.names.returned_filter, settings, told),)


def _told_of_copy(plan: Plan) -> str:
    before, skipped = plan.placement.before, samplers(plan.placement.behind)
    told = (
        f"It passes {_listed(before)} as there, so the processor sees no more than your back end. "
        if before
        else ""
    )
    if skipped:
        told += f"It does not pass {_listed(skipped)}: every inference is counted, not only those that are kept."
    return told.strip()


def _past(plan: Plan) -> str:
    skipped = samplers(plan.placement.behind)
    if not skipped:
        return ""
    return f" They do not pass {_listed(skipped)}, so one may stand alone where its trace was not kept."


def _in_line(plan: Plan) -> Overlay:
    names = plan.names
    return Overlay(
        f"Leads the spans of pipeline `{plan.pipeline.name}` through the otel-ml processor and back (mode inline): "
        "each inference span then carries its verdict.",
        {
            "receivers": (
                _return_receiver(plan, "the spans with verdicts, metrics, drift events"),
            ),
            "processors": _processors_in_line(plan),
            "exporters": (
                _queued_exporter(plan, names.exporter, "0s", _LINE_EXPORTER),
                *_log(plan),
            ),
        },
        (
            _shortened(plan, names.exporter, "now end at the processor"),
            Part(
                names.onward,
                _onward(plan, [names.receiver]),
                f"What comes back goes on to where `{plan.pipeline.name}` sent it before. {_told_of_behind(plan)}",
            ),
            *_feedback(plan, names.exporter),
            *_results(plan),
        ),
        plan.pipeline.name,
    )


def _failover(plan: Plan) -> Overlay:
    names = plan.names
    choice = Part(
        names.failover,
        {"priority_levels": [[names.to_hop], [names.onward]], "retry_interval": "5s"},
        "First by the processor; where that fails, directly; and every five seconds it is tried again whether the processor is back.",
    )
    exporter = Part(
        names.exporter,
        {
            **_spoken_to(plan.hop),
            "timeout": "5s",
            "sending_queue": {"enabled": False},
            "retry_on_failure": {"enabled": False},
        },
        f"To the processor. Without a queue and without retries, because `{names.failover}` acts on the errors that it sees.",
    )
    return Overlay(
        f"Leads the spans of pipeline `{plan.pipeline.name}` through the otel-ml processor while it lives, and past it while it does not "
        "(mode failover). The connector `failover` is in the distributions contrib and k8s.",
        {
            "receivers": (
                _return_receiver(plan, "the spans with verdicts, metrics, drift events"),
            ),
            "processors": _processors_in_line(plan),
            "connectors": (choice,),
            "exporters": (exporter, *_feedback_exporter(plan), *_log(plan)),
        },
        (
            _shortened(plan, names.failover, "now end where the way is chosen"),
            Part(
                names.to_hop,
                {"receivers": [names.failover], "exporters": [names.exporter]},
                "The way by the processor. No batching here: it would hide the errors.",
            ),
            Part(
                names.onward,
                _onward(plan, [names.receiver, names.failover]),
                "Both ways end here: what comes back from the processor, and what went past it, to where "
                f"`{plan.pipeline.name}` sent it before. {_told_of_behind(plan)}",
            ),
            *_feedback(plan, names.feedback_exporter),
            *_results(plan),
        ),
        plan.pipeline.name,
    )


def _feedback_exporter(plan: Plan) -> tuple[Part, ...]:
    """Return an exporter with a queue: no other way leads past the processor for feedback, so it waits."""
    if plan.feedback is None:
        return ()
    told = "Feedback has no other way, so while the processor is away it waits here, for up to a minute."
    return (_queued_exporter(plan, plan.names.feedback_exporter, "60s", told),)


def _shortened(plan: Plan, end: str, told: str) -> Part:
    """Return the user's pipeline with another end, and without what has moved behind the hop."""
    before = [*plan.placement.before, *(part.name for part in _own_batch(plan))]
    settings: dict[str, Any] = {"exporters": [end]}
    if before != [one.name for one in plan.pipeline.processors]:
        settings = {"processors": before, **settings}
    return Part(
        plan.pipeline.name,
        settings,
        f"Yours; its exporters {told}. This replaces your list{'s' if len(settings) > 1 else ''}; receivers stay.",
    )


def _onward(plan: Plan, receivers: list[str]) -> Settings:
    exporters = [one.name for one in plan.pipeline.exporters]
    behind = {"processors": list(plan.placement.behind)} if plan.placement.behind else {}
    return {"receivers": receivers, **behind, "exporters": exporters}


def _told_of_behind(plan: Plan) -> str:
    behind = plan.placement.behind
    if not behind:
        return ""
    told = f"{_listed(behind)} moved here, behind the processor."
    if any(type_of(name) == "tail_sampling" for name in behind):
        told += ' A policy ottl_condition with attributes["ml.verdict.flags"] != nil keeps what was flagged.'
    return told


def _processors_in_line(plan: Plan) -> tuple[Part, ...]:
    batch = _own_batch(plan)
    if plan.feedback is None:
        return batch
    wall = batch or (Part(plan.names.batch, _BATCH, _WALL),)
    return (*_feedback_filter(plan), *wall, *_returned_filter(plan))


def _own_batch(plan: Plan) -> tuple[Part, ...]:
    if batches(plan.placement.before):
        return ()
    return (
        Part(
            plan.names.batch, _BATCH, "One request per span would cost the hop more than the spans."
        ),
    )


def _return_receiver(plan: Plan, what: str) -> Part:
    served = {"endpoint": plan.hop.back, "max_recv_msg_size_mib": 64}
    return Part(
        plan.names.receiver, {"protocols": {"grpc": served}}, f"Back from the processor: {what}."
    )


def _queued_exporter(plan: Plan, name: str, gives_up: str, comment: str) -> Part:
    settings = {
        **_spoken_to(plan.hop),
        "timeout": "5s" if plan.mode == "tee" else "10s",
        "sending_queue": _QUEUE,
        "retry_on_failure": {**_RETRY, "max_elapsed_time": gives_up},
    }
    return Part(name, settings, comment)


def _spoken_to(hop: Hop) -> dict[str, Any]:
    """Return endpoint, no compression, and TLS: none within this machine or a closed network, else verified by the system's certificates."""
    tls = {"tls": {"insecure": True}} if hop.is_here or hop.is_insecure else {}
    return {"endpoint": hop.to, **tls, "compression": "none"}


def _log(plan: Plan) -> tuple[Part, ...]:
    if plan.metrics and plan.logs:
        return ()
    return (
        Part(
            plan.names.log, {}, "Results that have no other place yet: a line per batch in the log."
        ),
    )


def _results(plan: Plan) -> tuple[Part, Part]:
    passed = () if plan.mode == "tee" else _returned_filter(plan)
    return (
        _result(plan, "metrics", "Drift, confidence, predicted classes", plan.metrics),
        _result(plan, "logs", "Drift events", plan.logs, passed),
    )


def _result(
    plan: Plan, signal: str, what: str, like: Pipeline | None, passed: tuple[Part, ...] = ()
) -> Part:
    exporters = [one.name for one in like.exporters] if like else [plan.names.log]
    where = (
        f"to where `{like.name}` goes"
        if like
        else f"into the log; put your exporter of {signal} here"
    )
    processors = {"processors": [part.name for part in passed]} if passed else {}
    return Part(
        f"{signal}/{plan.names.word}",
        {"receivers": [plan.names.receiver], **processors, "exporters": exporters},
        f"{what}: {where}.",
    )


def _listed(names: Sequence[str]) -> str:
    """Return *names* as one says them: `a`, `b` and `c`."""
    quoted = [f"`{name}`" for name in names]
    return " and ".join([", ".join(quoted[:-1]), quoted[-1]] if len(quoted) > 1 else quoted)

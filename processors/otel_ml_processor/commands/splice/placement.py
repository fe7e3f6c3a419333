"""Which processors of a pipeline stand before the hop, and which behind it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from otel_ml_processor.commands.splice.collector import type_of
from otel_ml_processor.commands.splice.refusal import RefusedError
from otel_ml_processor.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from otel_ml_processor.commands.splice.collector import Collector, Named, Pipeline

__all__ = [
    "Placement",
    "Said",
    "around_wall",
    "batches",
    "check_redaction_comes_first",
    "placed_for_copy",
    "placed_in_line",
    "samplers",
    "take_logs",
]

# Contrib 0.14x has renamed some; the former names are read as well.
_CONTENT: Final = {"redaction", "transform", "attributes", "resource", "span"}
"""May take content off, so it is asked for where it would come too late for the hop."""
_SAMPLERS: Final = {"tail_sampling", "probabilistic_sampler", "groupbytrace"}
"""Keep a share, or wait for whole traces: the hop counts all of them, at once."""
_IN_ORDER: Final = {
    "memory_limiter",
    "filter",
    "groupbyattrs",
    "k8sattributes",
    "k8s_attributes",
    "resourcedetection",
    "resource_detection",
    "geoip",
}
"""Stay where they are among the others."""
_BATCH: Final = "batch"
_NOT_COPIED: Final = _SAMPLERS | {_BATCH, "memory_limiter"}
"""A copy counts everything, has a batch of its own, and must not refuse what the original has taken: the sender would send it again."""
_READ_THE_CONNECTION: Final = {"k8sattributes", "k8s_attributes", "attributes", "resource"}
"""Know who sent the spans, which behind a batch nobody does."""
_KNOWN: Final = _CONTENT | _SAMPLERS | _IN_ORDER | {_BATCH}

_ALSO_OF_LOGS: Final = (_CONTENT | _IN_ORDER) - {"span"}


@dataclass(frozen=True, slots=True)
class Said:
    """What the operator says of single processors, which beats what their types say."""

    before: Collection[str] = ()
    behind: Collection[str] = ()

    def check(self, pipeline: Pipeline, also: Collection[Pipeline]) -> None:
        """Raise ConfigError where a name is in neither *pipeline* nor those around it, *also*, or is said to stand on both sides."""
        known = {one.name for pipe in (pipeline, *also) for one in pipe.processors}
        for option, names in (("--before", self.before), ("--behind", self.behind)):
            for name in names:
                if name not in known:
                    has = ", ".join(sorted(known)) or "none"
                    raise ConfigError(
                        f"{option} {name}: expected a processor of pipeline `{pipeline.name}`, which has: {has}"
                    )
        both = set(self.before) & set(self.behind)
        if both:
            raise ConfigError(f"--before and --behind: {min(both)} cannot stand on both sides")


@dataclass(frozen=True, slots=True)
class Placement:
    """The names before the hop and behind it, each in the order of the pipeline."""

    before: tuple[str, ...]
    behind: tuple[str, ...]


def placed_for_copy(pipeline: Pipeline, said: Said) -> Placement:
    """
    Return what the copy of *pipeline* passes on its way to the hop, and what only the original does.

    Left to the original are samplers (every inference is counted), batching (the copy has a wall of its own) and the memory limiter (what it
    refused in the copy alone would be sent again).

    Raises:
        RefusedError: If the place of a processor is not known.
    """
    _check_known(pipeline, said)
    before = [
        one.name
        for one in pipeline.processors
        if one.name in said.before
        or (one.name not in said.behind and type_of(one.name) not in _NOT_COPIED)
    ]
    behind = [one.name for one in pipeline.processors if one.name not in before]
    return Placement(tuple(before), tuple(behind))


def placed_in_line(pipeline: Pipeline, said: Said) -> Placement:
    """
    Return *pipeline* cut in two: the first sampler and all that follows it stand behind the hop.

    So the order is kept, except where *said* moves something.

    Raises:
        RefusedError: If the place of a processor is not known, or one that may take content off would come only after the hop.
    """
    _check_known(pipeline, said)
    before: list[str] = []
    behind: list[str] = []
    sampler = ""
    for one in pipeline.processors:
        kind = type_of(one.name)
        if one.name in said.before:
            before.append(one.name)
            continue
        if not sampler and kind in _SAMPLERS:
            sampler = one.name
        if sampler and kind in _CONTENT and one.name not in said.behind:
            raise _too_late(one, f"it stands behind `{sampler}` in pipeline `{pipeline.name}`")
        (behind if sampler or one.name in said.behind else before).append(one.name)
    return Placement(tuple(before), tuple(behind))


def check_redaction_comes_first(collector: Collector, pipeline: Pipeline, said: Said) -> None:
    """Raise RefusedError where the content of *pipeline*, of traces or logs, is redacted only in a pipeline further on."""
    is_traces = type_of(pipeline.name) == "traces"
    what = "the spans" if is_traces else "feedback and explanations"
    for further in collector.behind(pipeline):
        elsewhere = f"--pipeline {further.name}" if is_traces else "--without-feedback"
        for one in further.processors:
            if type_of(one.name) == "redaction" and one.name not in said.behind:
                raise RefusedError(
                    one.place,
                    f"`{one.name}` redacts in pipeline `{further.name}`, which comes after pipeline `{pipeline.name}`",
                    why=f"the processor would see {what} before they are redacted.",
                    way_out=f"{elsewhere}, or --behind {one.name} if the processor may see them so.",
                )


def around_wall(names: Sequence[str]) -> tuple[Sequence[str], Sequence[str]]:
    """
    Return which of the processors *names* of a copy stand before its wall, and which behind.

    As many as can be stand behind it, because a failure there does not reach the senders.
    """
    places = [i for i, name in enumerate(names, 1) if type_of(name) in _READ_THE_CONNECTION]
    cut = max(places, default=0)
    return names[:cut], names[cut:]


def take_logs(names: Sequence[str]) -> list[str]:
    """Return those of the processors *names* of a pipeline of traces that are known to do the same in one of logs."""
    return [name for name in names if type_of(name) in _ALSO_OF_LOGS]


def samplers(names: Sequence[str]) -> list[str]:
    """Return those of the processors *names* that keep a share, or wait for whole traces."""
    return [name for name in names if type_of(name) in _SAMPLERS]


def batches(names: Collection[str]) -> bool:
    """Return whether one of the processors *names* makes larger requests of small ones."""
    return any(type_of(name) == _BATCH for name in names)


def _check_known(pipeline: Pipeline, said: Said) -> None:
    told = {*said.before, *said.behind}
    unknown = [
        one
        for one in pipeline.processors
        if one.name not in told and type_of(one.name) not in _KNOWN
    ]
    if not unknown:
        return
    first = unknown[0]
    others = "".join(f", `{one.name}` (line {one.place.line})" for one in unknown[1:])
    raise RefusedError(
        first.place,
        f"`{first.name}`{others} in pipeline `{pipeline.name}`: not known whether it belongs before the hop",
        why="before it, it changes what the processor sees; behind it, only what is stored.",
        way_out=f"say it, for each: --before {first.name}, or --behind {first.name}.",
    )


def _too_late(one: Named, where: str) -> RefusedError:
    return RefusedError(
        one.place,
        f"`{one.name}` may take content off spans, but {where}",
        why="the sampler goes behind the hop, so the processor would see the spans before that.",
        way_out=f"--before {one.name} moves it (the sampler then sees what it leaves), --behind {one.name} keeps the order.",
    )

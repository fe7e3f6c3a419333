"""What would break, looked for before anything is written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from otel_ml_processor.commands.splice.collector import type_of
from otel_ml_processor.commands.splice.layers import resolved
from otel_ml_processor.commands.splice.refusal import RefusedError
from otel_ml_processor.commands.splice.wishes import THIS_MACHINE

if TYPE_CHECKING:
    from collections.abc import Iterable

    from otel_ml_processor.commands.splice.collector import Collector, Named, Pipeline
    from otel_ml_processor.commands.splice.wishes import Hop, Wishes

__all__ = [
    "check_addresses",
    "check_lists_are_replaced",
    "check_names_are_free",
    "check_no_loop",
    "check_parts_exist",
    "check_receivers_can_be_shared",
]

_EVERYWHERE: Final = frozenset({"0.0.0.0", "::", ""})  # noqa: S104 - compared with, not listened on


def check_lists_are_replaced(wishes: Wishes, pipeline: Pipeline) -> None:
    """Raise RefusedError where the overlay has to replace a list of exporters and the collector would append to it."""
    if wishes.mode != "tee" and wishes.appends:
        raise RefusedError(
            pipeline.place,
            f"with confmap.enableMergeAppendOption the exporters of pipeline `{pipeline.name}` cannot be replaced by a later file",
            why="spans would go to the processor and directly, and be stored twice.",
            way_out="--mode tee, which replaces nothing; or run the collector without that gate.",
        )


def check_parts_exist(collector: Collector, pipeline: Pipeline) -> None:
    """Raise RefusedError where *pipeline* is incomplete or names a part that no file has: no collector would start with it."""
    sides = (
        ("receiver", pipeline.receivers, {**collector.parts("receivers"), **_joints(collector)}),
        ("processor", pipeline.processors, collector.parts("processors")),
        ("exporter", pipeline.exporters, {**collector.parts("exporters"), **_joints(collector)}),
    )
    for kind, named, known in sides:
        if not named and kind != "processor":
            raise _incomplete(pipeline, kind)
        for one in named:
            if "${" not in one.name and one.name not in known:
                raise _unknown(one, pipeline, kind, known)


def _joints(collector: Collector) -> dict[str, object]:
    return dict(collector.parts("connectors"))


def _incomplete(pipeline: Pipeline, kind: str) -> RefusedError:
    return RefusedError(
        pipeline.place,
        f"pipeline `{pipeline.name}` has no {kind}",
        why="the collector does not start with such a pipeline.",
        way_out=f"give it one, or look whether a later file takes its {kind}s away.",
    )


def _unknown(one: Named, pipeline: Pipeline, kind: str, known: Iterable[str]) -> RefusedError:
    return RefusedError(
        one.place,
        f"pipeline `{pipeline.name}` names the {kind} `{one.name}`, which no file has",
        why="the collector does not start with it.",
        way_out=f"mend the name (there are: {', '.join(sorted(known)) or 'none'}), or add the file that has it.",
    )


def check_receivers_can_be_shared(collector: Collector, pipeline: Pipeline) -> None:
    """Raise RefusedError where a second pipeline on the receivers of *pipeline* would not get a copy of everything."""
    for one in pipeline.receivers:
        if collector.is_connector(one.name) and type_of(one.name) != "forward":
            raise RefusedError(
                one.place,
                f"pipeline `{pipeline.name}` is fed by the connector `{one.name}`, which chooses its pipelines itself",
                why="a copy beside it would get nothing, or take spans away from it.",
                way_out="--pipeline with the one before the connector, or --mode inline.",
            )


def check_addresses(collector: Collector, wishes: Wishes) -> None:
    """Raise RefusedError where the processor's address or the way back cannot be what they are said to be."""
    hop = wishes.hop
    _check_reach(hop)
    ours = (("the processor", "--processor", hop.to), ("the way back", "--return", hop.back))
    for what, option, endpoint in ours:
        for listener in collector.listeners():
            if _are_one(listener.host, listener.port, endpoint):
                raise RefusedError(
                    listener.owner.place,
                    f"`{listener.owner.name}` listens on port {listener.port}, where {what} is to be ({resolved(endpoint)})",
                    why="the collector would send to itself."
                    if option == "--processor"
                    else "the collector could not open the port a second time.",
                    way_out=f"{option} with another address; the processor has to be told the same one.",
                )


def check_no_loop(collector: Collector, pipeline: Pipeline, hop: Hop) -> None:
    """Raise RefusedError where *pipeline* takes in what comes back from the processor."""
    inputs = {one.name: one for one in pipeline.receivers}
    for listener in collector.listeners():
        if listener.owner.name in inputs and _are_one(listener.host, listener.port, hop.back):
            raise RefusedError(
                inputs[listener.owner.name].place,
                f"pipeline `{pipeline.name}` takes in what comes back from the processor (`{listener.owner.name}`)",
                why="spans would go round for ever.",
                way_out="--pipeline with one that your services send to; or --return, if that receiver is yours.",
            )


def _check_reach(hop: Hop) -> None:
    if resolved(hop.to) == resolved(hop.back):
        raise RefusedError(
            None,
            f"--processor and --return are the same address: {resolved(hop.to)}",
            why="the collector would send to itself.",
            way_out="two addresses: where the processor listens, and where it sends to.",
        )
    if hop.returns_here and not hop.is_here and "${" not in resolved(hop.to):
        raise RefusedError(
            None,
            f"the processor is at {resolved(hop.to)}, but what comes back is taken in at {resolved(hop.back)}",
            why="another machine cannot send to that address.",
            way_out="--return with an address of this machine that the processor reaches, such as 0.0.0.0:14319.",
        )
    if not hop.returns_here and not hop.is_insecure:
        raise RefusedError(
            None,
            f"--return {hop.back} listens beyond this machine",
            why="anybody who reaches it could send spans, and read along: it has no TLS.",
            way_out="keep the processor beside the collector (127.0.0.1), or say --insecure where the network itself is closed.",
        )


def _are_one(host: str, port: int, endpoint: str) -> bool:
    other, _, number = resolved(endpoint).rpartition(":")
    if number != str(port):
        return False
    one, other = host.strip("[]"), other.strip("[]")
    unsure = "${" in one or "${" in other
    return (
        unsure or one == other or bool({one, other} & _EVERYWHERE) or {one, other} <= THIS_MACHINE
    )


def check_names_are_free(collector: Collector, added: Iterable[tuple[str, str]]) -> None:
    """Raise RefusedError where a part that is to be *added*, given by kind and name, exists already and is something else."""
    pipelines = {one.name: one.place for one in collector.pipelines}
    for kind, name in added:
        parts = {key: setting.place for key, setting in collector.parts(kind).items()}
        place = (pipelines if kind == "pipelines" else parts).get(name)
        if place is not None:
            raise RefusedError(
                place,
                f"`{name}` exists already among the {kind}",
                why="the overlay would be merged into it, and both would be something else.",
                way_out="--name WORD: the added parts are then called otlp/WORD, batch/WORD, ...",
            )

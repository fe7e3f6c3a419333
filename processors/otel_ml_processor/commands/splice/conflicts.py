"""What would break, looked for before anything is written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from otel_ml_processor.commands.splice.collector import type_of
from otel_ml_processor.commands.splice.layers import resolved
from otel_ml_processor.commands.splice.refusal import RefusedError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from otel_ml_processor.commands.splice.collector import Collector, Named, Pipeline
    from otel_ml_processor.commands.splice.wishes import Hop, Mode, Names, Wishes

__all__ = [
    "check_addresses",
    "check_lists_are_replaced",
    "check_names_are_free",
    "check_parts_exist",
    "check_receivers_can_be_shared",
    "exporter_in_use",
    "is_spliced",
]

_EVERYWHERE: Final = frozenset({"0.0.0.0", "::", ""})  # noqa: S104 - compared with, not listened on
_HERE: Final = frozenset({"127.0.0.1", "localhost", "::1"})


def is_spliced(collector: Collector, pipeline: Pipeline, wishes: Wishes, names: Names) -> bool:
    """
    Return whether *pipeline* has the way to the processor that *wishes* ask for.

    Raises:
        RefusedError: If it has another one: every span would reach the processor twice.
    """
    near = (pipeline, *collector.behind(pipeline))
    inputs = {one.name for one in pipeline.receivers}
    for other in collector.of_signal("traces"):
        exporter = _exporter_to(collector, other, wishes.hop, names)
        if exporter is None:
            continue
        mode = _mode_of(collector, other, names)
        is_ours = other in near or not inputs.isdisjoint(one.name for one in other.receivers)
        if is_ours and mode == wishes.mode:
            return True
        if is_ours or not mode == wishes.mode == "tee":
            raise _twice(exporter, other, mode)
    return False


def exporter_in_use(collector: Collector, hop: Hop, names: Names) -> str | None:
    """Return the exporter by which some pipeline of traces goes to the processor already; None where none does."""
    found = (_exporter_to(collector, one, hop, names) for one in collector.of_signal("traces"))
    return next((exporter.name for exporter in found if exporter is not None), None)


def _exporter_to(collector: Collector, pipeline: Pipeline, hop: Hop, names: Names) -> Named | None:
    for one in pipeline.exporters:
        if one.name == names.exporter or collector.endpoint(one.name) == resolved(hop.to):
            return one
    return None


def _mode_of(collector: Collector, pipeline: Pipeline, names: Names) -> Mode:
    """Return the mode in which *pipeline* ends at the processor, by what stands around it."""
    if any(type_of(one.name) == "failover" for one in pipeline.receivers):
        return "failover"
    others = [one for one in collector.of_signal("traces") if one != pipeline]
    inputs = {one.name for other in others for one in other.receivers}
    is_beside = not inputs.isdisjoint(one.name for one in pipeline.receivers)
    comes_back = any(one.name == names.onward for one in others)
    return "tee" if is_beside and not comes_back else "inline"


def _twice(exporter: Named, pipeline: Pipeline, mode: Mode) -> RefusedError:
    return RefusedError(
        exporter.place,
        f"pipeline `{pipeline.name}` goes to the processor already (`{exporter.name}`, mode {mode})",
        why="every span would reach the processor twice, and be counted or stored twice.",
        way_out=f"leave {exporter.place.file} out of the files to change the mode, or name another processor: --processor, --return and --name.",
    )


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
    return unsure or one == other or bool({one, other} & _EVERYWHERE) or {one, other} <= _HERE


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

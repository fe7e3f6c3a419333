"""Whether the processor stands in a collector's path already, and in which mode."""

from __future__ import annotations

from typing import TYPE_CHECKING

from otel_ml_processor.commands.splice.collector import type_of
from otel_ml_processor.commands.splice.layers import resolved
from otel_ml_processor.commands.splice.refusal import RefusedError

if TYPE_CHECKING:
    from otel_ml_processor.commands.splice.collector import Collector, Named, Pipeline
    from otel_ml_processor.commands.splice.wishes import Hop, Mode, Names, Wishes

__all__ = ["exporter_in_use", "exporter_to", "is_spliced"]


def is_spliced(collector: Collector, pipeline: Pipeline, wishes: Wishes, names: Names) -> bool:
    """
    Return whether *pipeline* has the way to the processor that *wishes* ask for.

    Raises:
        RefusedError: If it has another one: every span would reach the processor twice.
    """
    near = (pipeline, *collector.behind(pipeline))
    inputs = {one.name for one in pipeline.receivers}
    for other in collector.of_signal("traces"):
        exporter = exporter_to(collector, other, wishes.hop, names)
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
    found = (exporter_to(collector, one, hop, names) for one in collector.of_signal("traces"))
    return next((exporter.name for exporter in found if exporter is not None), None)


def exporter_to(collector: Collector, pipeline: Pipeline, hop: Hop, names: Names) -> Named | None:
    """Return the exporter by which *pipeline* goes to the processor; None where it does not."""
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

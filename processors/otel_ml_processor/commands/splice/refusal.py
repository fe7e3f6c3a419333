"""What would break: where it stands, why it would, and the way out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from otel_ml_processor.errors import OtelMlError

if TYPE_CHECKING:
    from otel_ml_processor.commands.splice.layers import Place

__all__ = ["RefusedError"]


class RefusedError(OtelMlError):
    """An overlay that is not written because it would break something."""

    def __init__(self, place: Place | None, found: str, *, why: str, way_out: str) -> None:
        """Say at *place* (a file and a line; None where it is about no single one) what was *found*, *why* that would break and the *way_out*."""
        where = f"{place}: " if place else ""
        super().__init__(f"{where}{found}\n  why: {why}\n  do:  {way_out}")

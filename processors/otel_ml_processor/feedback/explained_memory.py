"""What survives a restart of the explanations of a stream: counts, names of features, hashes of predictions; never a feature's value."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from otel_ml_processor.assess.explanations import Attributions, ExplainedMemory
    from otel_ml_processor.columns import IntArray, StreamKey
    from otel_ml_processor.feedback.keys import Keys
    from otel_ml_processor.profile import CellReference

__all__ = ["ExplainingMemory"]


class ExplainingMemory(NamedTuple):
    """
    What `Explaining` remembers of one stream.

    The inputs of the predictions with `keys`, shape (n,), the oldest first, lie in `cells` of the reference, shape (n, k), by which near ones are told.
    `alike` says what counted most for the last input in such cells.
    """

    stream: StreamKey
    usual: tuple[CellReference, ...]
    """What the first explanations say is usual; nothing where the profile says it, or while the `first` ones gather."""
    first: tuple[Attributions, ...]
    windows: dict[str, ExplainedMemory]
    keys: Keys
    cells: IntArray
    alike: tuple[tuple[tuple[int, ...], tuple[str, ...]], ...]

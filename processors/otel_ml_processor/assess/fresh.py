"""Fresh numbers between two decisions: what a sliding window measures, beside what was last decided."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from otel_ml_conventions.attributes import MlDriftStateValues, MlDriftTargetValues

if TYPE_CHECKING:
    from otel_ml_processor.assess.reading import Reading, TargetReading

__all__ = ["refreshed"]


_NOT_SLIDING: Final = frozenset({MlDriftTargetValues.EXPLANATION, MlDriftTargetValues.DATA_QUALITY})
"""What is gathered from one decision to the next, and told with it."""


def refreshed(decided: Reading | None, slid: Reading) -> Reading:
    """
    Return the numbers of *slid*, a window that slides, with what was *decided* of the last closed one of the same name.

    Rows, shares, scores, confidence, classes and estimates are those of *slid*. States, p-values, effects and evidence belong to a test, and each row is
    tested once: they stay. Before the first decision, and of a target that it did not know, the state is `insufficient`.
    """
    known = {(t.target, t.name): t for t in decided.targets} if decided is not None else {}
    of_slid = tuple(_undecided(t, known.get((t.target, t.name))) for t in slid.targets)
    if decided is None:
        state = MlDriftStateValues.INSUFFICIENT if of_slid else slid.state
        return replace(slid, state=state, targets=of_slid, segments=())
    return replace(
        decided,
        window=slid.window,
        rows=slid.rows,
        targets=of_slid + tuple(t for t in decided.targets if t.target in _NOT_SLIDING),
        confidence=slid.confidence,
        by_class=slid.by_class,
        labels=slid.labels,
        estimated=slid.estimated,
        received=slid.received,
        is_biased=slid.is_biased,
        quality=slid.quality,
    )


def _undecided(slid: TargetReading, decided: TargetReading | None) -> TargetReading:
    if decided is None:
        insufficient = MlDriftStateValues.INSUFFICIENT
        return replace(slid, p_value=1.0, effect=0.0, state=insufficient, driver="", evidence=None)
    return replace(
        decided,
        rows=slid.rows,
        scores=slid.scores,
        missing=slid.missing,
        unseen=slid.unseen,
        non_finite=slid.non_finite,
        type_error=slid.type_error,
        out_of_range=slid.out_of_range,
        ood=slid.ood,
    )

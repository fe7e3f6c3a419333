"""What each inference of a request is told on its own: look-ups in the reference, and the stream's last reading."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import numpy as np

from otel_ml_conventions.attributes import MlDriftTargetValues, MlVerdictConfidenceValues
from otel_ml_processor.assess.verdict import OOD, Verdict, Verdicts
from otel_ml_processor.sketches.moments import in_unit
from otel_ml_processor.sketches.slots import Slot
from otel_ml_processor.windows.summary import DEFAULT_LOW_CONFIDENCE

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import TypeAlias

    from otel_ml_conventions.attributes import MlDriftStateValues
    from otel_ml_processor.columns import FloatArray, IntArray
    from otel_ml_processor.windows.placed import PlacedRows
    from otel_ml_processor.windows.reference import Reference, TargetReference

    _Told: TypeAlias = tuple[str | None, tuple[str, ...]]
    """Confidence and flags."""

__all__ = ["MAX_FLAGS", "ConfidenceBands", "judge"]

MAX_FLAGS: Final = 16
"""Flags per inference; a row in which everything is odd says so with the first of them, in the profile's order."""

_NO_ROWS: Final[IntArray] = np.zeros(0, dtype=np.int64)
_INVALID: Final = 1  # the first flag of every reference; 0 is none
_LOW: Final = 1  # the band
_BANDS: Final = (
    None,
    MlVerdictConfidenceValues.LOW.value,
    MlVerdictConfidenceValues.MEDIUM.value,
    MlVerdictConfidenceValues.HIGH.value,
)


@dataclass(frozen=True, slots=True)
class ConfidenceBands:
    """Below `low` a confidence is low; below `medium` it is medium; otherwise high. Without a median there is no medium."""

    low: float
    medium: float

    @classmethod
    def of(cls, reference: Reference | None, low: float | None) -> ConfidenceBands:
        """Return the operator's *low*, else the reference's 5 % quantile, else .7; and the reference's median."""
        if low is None and reference is not None:
            low = reference.low_confidence
        low = DEFAULT_LOW_CONFIDENCE if low is None else low
        median = reference.median_confidence if reference is not None else None
        return cls(low, low if median is None else max(low, median))


def judge(placed: PlacedRows, drift: MlDriftStateValues | None, bands: ConfidenceBands) -> Verdicts:
    """
    Return what the spans of *placed* are told.

    Of a batch, the lowest confidence and the flags of all rows. Flags are `low_confidence`, `invalid_output` (a confidence or value
    that no model should give), `ood` (the features together lie off the reference), and per feature `missing:` and `unseen:` (only where the reference had none) and
    `out_of_range:`; at most 16. While the reference is provisional nothing is told of features, and it is named only where something else is told. *drift* is the stream's last reading, None before the first.
    """
    confidences = in_unit(placed.rows.confidences)
    spans, lowest = _lowest_by_span(placed.rows.spans, confidences)
    codes = _bands(lowest, bands)
    said = drift.value if drift is not None else None
    told = dict(_UNFLAGGED)
    flags_of = _flags_by_span(placed, confidences)
    if not flags_of:
        return Verdicts(spans, codes, _unflagged(said, placed.reference))
    for at, span in zip(np.searchsorted(spans, list(flags_of)).tolist(), flags_of, strict=True):
        codes[at] = told.setdefault(_said(int(codes[at]), flags_of[span]), len(told))
    return Verdicts(spans, codes, _verdicts(told, said, placed.reference))


def _verdicts(
    told: Iterable[_Told], drift: str | None, reference: Reference | None
) -> tuple[Verdict, ...]:
    """Return what is *told* as verdicts; a reference that is provisional is named only where something else is said."""
    name = reference.id if reference is not None else ""
    is_provisional = reference is not None and reference.is_provisional
    silent = Verdict() if is_provisional else Verdict(reference=name)
    return tuple(
        Verdict(confidence, drift, flags, name) if confidence or drift or flags else silent
        for confidence, flags in told
    )


@lru_cache(maxsize=1024)
def _unflagged(drift: str | None, reference: Reference | None) -> tuple[Verdict, ...]:
    """Return the verdicts of the spans without flags, by their band: the same for most requests."""
    return _verdicts(_UNFLAGGED, drift, reference)


def _lowest_by_span(spans: IntArray, confidences: FloatArray) -> tuple[IntArray, FloatArray]:
    """Return each of *spans*, whose rows are neighbours, once, and the lowest confidence of its rows."""
    begins = np.ones(len(spans), dtype=bool)
    np.not_equal(spans[1:], spans[:-1], out=begins[1:])
    if begins.all():
        return spans, confidences
    first_rows = np.flatnonzero(begins)
    return spans[first_rows], np.fmin.reduceat(confidences, first_rows)


def _said(band: int, flags: tuple[str, ...]) -> _Told:
    """Return the confidence and the flags that a span is told; low confidence is the first of them."""
    low = ("low_confidence",) if band == _LOW else ()
    return _BANDS[band], (*low, *flags)[:MAX_FLAGS]


_UNFLAGGED: Final = {_said(band, ()): band for band in range(len(_BANDS))}


def _bands(lowest: FloatArray, bands: ConfidenceBands) -> IntArray:
    """Return the index in `_BANDS` of each confidence, 0 for NaN."""
    codes: IntArray = (lowest >= bands.low).astype(np.int64)
    codes += lowest >= bands.medium
    codes += lowest == lowest  # noqa: PLR0124 - what is not NaN
    return codes


def _flags_by_span(placed: PlacedRows, confidences: FloatArray) -> dict[int, tuple[str, ...]]:
    """Return the flags, but low confidence, of the spans that have any."""
    names, flag_at = _flags_of_reference(placed.reference)
    rows, flags = _flagged_rows(placed, confidences, flag_at)
    if not len(rows):
        return {}
    # Sorted by span, then by flag; a flag that several rows of a batch have is said once.
    found = np.unique(placed.rows.spans[rows] * len(names) + flags)
    by_span: dict[int, list[str]] = {}
    for span, flag in zip(
        (found // len(names)).tolist(), (found % len(names)).tolist(), strict=True
    ):
        by_span.setdefault(span, []).append(names[flag])
    return {span: tuple(said) for span, said in by_span.items()}


def _flagged_rows(
    placed: PlacedRows, confidences: FloatArray, flag_at: IntArray
) -> tuple[IntArray, IntArray]:
    """Return pairs of a row and a flag, but low confidence, that it has; a pair may come twice."""
    invalid = np.isinf(placed.rows.values)
    if confidences is not placed.rows.confidences:  # some lie outside of [0, 1]
        invalid |= np.isnan(confidences) & ~np.isnan(placed.rows.confidences)
    if placed.rows.flaws is not None:  # it said what the decoder found to be none
        invalid |= placed.rows.flaws > 0
    of_places = flag_at[placed.places]
    outside = flag_at[placed.outside_places]
    if not (invalid.any() or of_places.any() or len(outside)):
        return _NO_ROWS, _NO_ROWS  # the common case
    is_invalid = np.flatnonzero(invalid)
    targets, rows = np.nonzero(of_places)
    return (
        np.concatenate([is_invalid, rows, placed.outside_rows[outside > 0]]),
        np.concatenate(
            [
                np.full(len(is_invalid), _INVALID),
                of_places[targets, rows],
                outside[outside > 0],
            ]
        ),
    )


@lru_cache(maxsize=1024)
def _flags_of_reference(reference: Reference | None) -> tuple[tuple[str, ...], IntArray]:
    """Return the names of all flags, in the order in which they are told, and which of them each position of the counts means (0: none)."""
    names = ["", "invalid_output", OOD]
    if reference is None:
        return tuple(names), np.zeros(1, dtype=np.int64)
    flag_at = np.zeros(reference.n_counts + 1, dtype=np.int64)
    # Of a reference that still grows nobody knows yet what is odd.
    targets = () if reference.is_provisional else reference.targets
    for target, block in zip(targets, reference.places, strict=False):
        if target.target is MlDriftTargetValues.MULTIVARIATE:
            flag_at[block.start + target.cells.n_cells - 1] = names.index(OOD)
        if target.target is MlDriftTargetValues.FEATURE:
            for name, slots in _flags_of_feature(target):
                flag_at[[block.start + target.cells.n_cells + slot for slot in slots]] = len(names)
                names.append(f"{name}:{target.name}")
    return tuple(names), flag_at


def _flags_of_feature(feature: TargetReference) -> list[tuple[str, tuple[Slot, ...]]]:
    flags: list[tuple[str, tuple[Slot, ...]]] = [
        ("out_of_range", (Slot.BELOW_RANGE, Slot.ABOVE_RANGE))
    ]
    if not feature.counts[feature.cells.n_cells + Slot.UNSEEN]:
        flags.insert(0, ("unseen", (Slot.UNSEEN,)))
    if not feature.counts[feature.cells.n_cells + Slot.MISSING]:
        flags.insert(0, ("missing", (Slot.MISSING,)))
    return flags

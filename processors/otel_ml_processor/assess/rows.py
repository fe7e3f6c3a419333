"""What each inference of a request is told on its own: look-ups in the reference, and the stream's last reading."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from otel_ml_conventions.attributes import MlDriftTargetValues, MlVerdictConfidenceValues
from otel_ml_processor.assess.fast_rows import tell_bands
from otel_ml_processor.assess.verdict import OOD, Verdict
from otel_ml_processor.compiled import IS_COMPILED, plain
from otel_ml_processor.sketches.moments import in_unit
from otel_ml_processor.sketches.slots import Slot
from otel_ml_processor.windows.summary import DEFAULT_LOW_CONFIDENCE

if TYPE_CHECKING:
    from otel_ml_conventions.attributes import MlDriftStateValues
    from otel_ml_processor.assess.verdict import Verdicts
    from otel_ml_processor.columns import FloatArray, InferenceColumns, IntArray
    from otel_ml_processor.windows.placed import PlacedRows
    from otel_ml_processor.windows.reference import Reference, TargetReference

__all__ = ["MAX_FLAGS", "ConfidenceBands", "judge", "warm_judging"]

MAX_FLAGS: Final = 16
"""Flags per inference; a row in which everything is odd says so with the first of them, in the profile's order."""

_INVALID: Final = 1  # the first flag of every reference; 0 is none
_BANDS: Final = (
    None,
    MlVerdictConfidenceValues.LOW.value,
    MlVerdictConfidenceValues.MEDIUM.value,
    MlVerdictConfidenceValues.HIGH.value,
)
_LOW_FLAG: Final = ((), ("low_confidence",), (), ())
"""By band; it is the first of all flags."""


class ConfidenceBands(NamedTuple):
    """Below `low` a confidence is low; below `medium` it is medium; otherwise high. Without a median there is no medium."""

    low: float
    medium: float

    @classmethod
    @lru_cache(maxsize=1024)
    def of(cls, reference: Reference | None, low: float | None) -> ConfidenceBands:
        """Return the operator's *low*, else the reference's 5 % quantile, else .7; and the reference's median."""
        if low is None and reference is not None:
            low = reference.low_confidence
        low = DEFAULT_LOW_CONFIDENCE if low is None else low
        median = reference.median_confidence if reference is not None else None
        return cls(float(low), float(low if median is None else max(low, median)))


def warm_judging() -> None:
    """Have it compiled, or read from where it was kept."""
    none = np.zeros(0)
    tell_bands(np.zeros(0, np.int64), none, none, 0.0, 0.0, 0, np.zeros(0, np.int64))


def judge(
    placed: PlacedRows,
    drift: MlDriftStateValues | None,
    bands: ConfidenceBands,
    verdicts: Verdicts,
) -> None:
    """
    Have *verdicts* hold what the spans of *placed* are told.

    Of a batch, the lowest confidence and the flags of all rows. Flags are `low_confidence`, `invalid_output` (a confidence or value
    that no model should give), `ood` (the features together lie off the reference), and per feature `missing:` and `unseen:` (only where the reference had none) and
    `out_of_range:`; at most 16. While the reference is provisional nothing is told of features, and it is named only where something else is told. *drift* is the stream's last reading, None before the first.
    """
    said = drift.value if drift is not None else None
    first = verdicts.number(_unflagged(said, placed.reference))
    is_invalid = _tell_bands(placed.rows, bands, first, verdicts.codes)
    if not (is_invalid or placed.unusual or placed.unusual is None or len(placed.outside_rows)):
        return  # the common case
    name = placed.reference.id if placed.reference is not None else ""
    for span, flags in _flags_by_span(placed).items():
        band = int(verdicts.codes[span]) - first
        verdict = Verdict(_BANDS[band], said, (*_LOW_FLAG[band], *flags)[:MAX_FLAGS], name)
        verdicts.codes[span] = verdicts.number((verdict,))


@lru_cache(maxsize=1024)
def _unflagged(drift: str | None, reference: Reference | None) -> tuple[Verdict, ...]:
    """Return the verdicts of the spans without flags but low confidence, by their band: the same for most requests."""
    name = reference.id if reference is not None else ""
    # One that is provisional is named only where something else is said.
    silent = "" if reference is not None and reference.is_provisional else name
    return tuple(
        Verdict(band, drift, flags, name if band or drift else silent)
        for band, flags in zip(_BANDS, _LOW_FLAG, strict=True)
    )


def _tell_bands(
    rows: InferenceColumns, bands: ConfidenceBands, first: int, codes: IntArray
) -> bool:
    """Write the band of each span, behind *first*, into *codes*; return whether an output may be invalid."""
    if IS_COMPILED:
        columns = plain(rows.spans), plain(rows.confidences), plain(rows.values)
        n_invalid = tell_bands(*columns, bands.low, bands.medium, first, codes)
        return n_invalid > 0 or rows.flaws is not None
    spans, lowest = _lowest_by_span(rows.spans, in_unit(rows.confidences))
    codes[spans] = _bands(lowest, bands) + first
    return True


def _lowest_by_span(spans: IntArray, confidences: FloatArray) -> tuple[IntArray, FloatArray]:
    """Return each of *spans*, whose rows are neighbours, once, and the lowest confidence of its rows."""
    if not len(spans):
        return spans, confidences
    first_rows = np.flatnonzero(np.diff(spans, prepend=-1))
    return spans[first_rows], np.fmin.reduceat(confidences, first_rows)


def _bands(lowest: FloatArray, bands: ConfidenceBands) -> IntArray:
    """Return the index in `_BANDS` of each confidence, 0 for NaN."""
    codes: IntArray = (lowest >= bands.low).astype(np.int64)
    codes += lowest >= bands.medium
    codes += lowest == lowest  # noqa: PLR0124 - what is not NaN
    return codes


def _flags_by_span(placed: PlacedRows) -> dict[int, tuple[str, ...]]:
    """Return the flags, but low confidence, of the spans that have any."""
    names, flag_at = _flags_of_reference(placed.reference)
    rows, flags = _flagged_rows(placed, flag_at)
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


def _flagged_rows(placed: PlacedRows, flag_at: IntArray) -> tuple[IntArray, IntArray]:
    """Return pairs of a row and a flag, but low confidence, that it has; a pair may come twice."""
    rows = placed.rows
    invalid = np.isinf(rows.values) | (
        np.isnan(in_unit(rows.confidences)) & ~np.isnan(rows.confidences)
    )
    if rows.flaws is not None:  # it said what the decoder found to be none
        invalid |= rows.flaws > 0
    is_invalid = np.flatnonzero(invalid)
    lines = placed.places if placed.unusual is None else placed.places[placed.unusual]
    of_places, outside = flag_at[lines], flag_at[placed.outside_places]
    targets, at = np.nonzero(of_places)
    return (
        np.concatenate([is_invalid, at, placed.outside_rows[outside > 0]]),
        np.concatenate(
            [
                np.full(len(is_invalid), _INVALID),
                of_places[targets, at],
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

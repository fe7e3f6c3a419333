"""Two profiles of the same cells as one, as if it had been built from the rows of both."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING

import msgspec

from otel_ml_processor.errors import ProfileError
from otel_ml_processor.profile import CellReference, HourlyCounts, Profile, Source, cells_id, sealed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

__all__ = ["merged"]

_COUNTS = ("missing", "non_finite", "unseen", "type_error")


def merged(first: Profile, second: Profile, created: str) -> Profile:
    """
    Return the sealed sum of two profiles of the same model and cells.

    Counts add up, hour by hour where both have the same season, and ranges widen. What only the rows themselves could tell is left out: the
    self-tests, the windows of the reference, the standard deviations, and how good the predictions were; confidence thresholds are those of the larger
    profile.

    Raises:
        ProfileError: If their models, columns, edges or categories differ; the message names the first that does.
    """
    if cells_id(first) != cells_id(second):
        raise ProfileError(f"expected profiles of the same cells; {_difference(first, second)}")
    larger = max(first, second, key=lambda profile: profile.source.rows)
    rows = first.source.rows + second.source.rows
    source = Source(kind="merged", uri=f"{first.id}, {second.id}", rows=rows)
    return sealed(
        Profile(
            model=first.model,
            version=first.version,
            created=created,
            source=source,
            provisional=first.provisional or second.provisional,
            schemas=sorted({*first.schemas, *second.schemas}),
            features=list(map(_sum, first.features, second.features)),
            prediction=_optional_sum(first.prediction, second.prediction),
            confidence=_optional_sum(first.confidence, second.confidence),
            low_confidence=larger.low_confidence,
            median_confidence=larger.median_confidence,
            slots=_summed_hours(first.slots, second.slots),
        )
    )


def _optional_sum(
    first: CellReference | None, second: CellReference | None
) -> CellReference | None:
    return _sum(first, second) if first is not None and second is not None else None


def _sum(first: CellReference, second: CellReference) -> CellReference:
    added = {name: getattr(first, name) + getattr(second, name) for name in _COUNTS}
    return msgspec.structs.replace(
        first,
        counts=[a + b for a, b in zip(first.counts, second.counts, strict=True)],
        bin_means=_bin_means(first, second),
        min=_widest(min, first.min, second.min),
        max=_widest(max, first.max, second.max),
        mean=_mean(first, second),
        std=None,
        **added,
    )


def _summed_hours(first: HourlyCounts | None, second: HourlyCounts | None) -> HourlyCounts | None:
    if first is None or second is None or first.season != second.season:
        return None
    both = zip(first.counts, second.counts, strict=True)
    return msgspec.structs.replace(
        first,
        counts=[
            [list(map(operator.add, a, b)) for a, b in zip(*of_column, strict=True)]
            for of_column in both
        ],
    )


def _bin_means(first: CellReference, second: CellReference) -> list[float]:
    if not first.bin_means or not second.bin_means:
        return []
    both = zip(first.bin_means, first.counts, second.bin_means, second.counts, strict=True)
    return [(a * n + b * m) / (n + m) if n + m else a for a, n, b, m in both]


def _widest(
    choose: Callable[[float, float], float], first: float | None, second: float | None
) -> float | None:
    return None if first is None or second is None else choose(first, second)


def _mean(first: CellReference, second: CellReference) -> float | None:
    n, m = sum(first.counts), sum(second.counts)
    if first.mean is None or second.mean is None or not n + m:
        return None
    return (first.mean * n + second.mean * m) / (n + m)


def _difference(first: Profile, second: Profile) -> str:
    of = [(f"{p.model} {p.version}".strip(), _columns(p)) for p in (first, second)]
    if of[0][0] != of[1][0]:
        return f"one is of {of[0][0]}, the other of {of[1][0]}"
    if list(of[0][1]) != list(of[1][1]):
        apart = sorted(set(of[0][1]) ^ set(of[1][1]))
        return f"they differ in the columns {', '.join(apart) or 'and their order'}"
    names = [name for name, cells in of[0][1].items() if cells != of[1][1][name]]
    which = f"column {names[0]!r} has" if names else "their scores have"
    return f"{which} other edges or categories: build both in the cells of one, or one of all rows"


def _columns(profile: Profile) -> Mapping[str, Sequence[object]]:
    outputs = {"(prediction)": profile.prediction, "(confidence)": profile.confidence}
    columns = {feature.name: feature for feature in profile.features}
    columns |= {name: column for name, column in outputs.items() if column is not None}
    return {name: (c.type, c.edges, c.categories, c.other_known) for name, c in columns.items()}

"""What a profile has beyond its columns, as text: features together, pairs, hours, segments, attributions, what scores meant."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from otel_ml_processor.assess.explanations import ExplanationReference
from otel_ml_processor.commands.bars import bars
from otel_ml_processor.statistics.correlation import PairSums

if TYPE_CHECKING:
    from otel_ml_processor.profile import (
        Calibration,
        CellReference,
        CorrelationReference,
        HourlyCounts,
        PrincipalComponents,
        Profile,
        SegmentsReference,
    )

__all__ = ["parts_text"]

_SHOWN: Final = 5
"""Pairs, values and features that are named; the rest are counted."""
_POINTS: Final = 20
"""Scores at which it is shown how many of those came true, at equal distances."""
_HOURS_OF_A_DAY: Final = 24
_WEEKDAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_COLUMN: Final = 12


def parts_text(profile: Profile) -> list[str]:
    """Return a line per part that *profile* has, of segments one per attribute; a part that it has not is left out."""
    names = [feature.name for feature in profile.features]
    said: list[tuple[str, str]] = []
    if profile.pca is not None:
        said.append(("together", _together(profile.pca)))
    if profile.correlation is not None:
        said.append(("correlated", _correlated(profile.correlation, names)))
    if profile.slots is not None:
        said.append(("slots", _hours(profile.slots)))
    said += [("segments", _segments(part)) for part in profile.segments]
    if profile.explanations:
        said.append(("explained", _explained(profile.explanations)))
    if profile.calibration is not None:
        said.append(("calibrated", _calibrated(profile.calibration)))
    said += [("", _calibrated(of_class)) for of_class in profile.class_calibrations]
    return [label.ljust(_COLUMN) + text for label, text in said]


def _together(pca: PrincipalComponents) -> str:
    taking_part = sum(std > 0 for std in pca.std)
    edge = pca.errors.edges[-1] if pca.errors.edges else float("nan")
    return (
        f"{len(pca.components)} components of {taking_part} features, errors {bars(pca.errors.counts)}, "
        f"out of distribution above {edge:.4g}"
    )


def _correlated(reference: CorrelationReference, names: list[str]) -> str:
    features = [names[position] for position in reference.features]
    first, second = np.array(reference.pairs, dtype=np.int64).T
    sums = PairSums(len(features), first, second)
    found = np.nan_to_num(sums.correlations(np.array(reference.sums, dtype=np.int64)))
    strongest = np.argsort(-np.abs(found), kind="stable")[:_SHOWN].tolist()
    shown = [f"{features[first[k]]} and {features[second[k]]} {found[k]:.2f}" for k in strongest]
    return f"{bars(np.sort(np.abs(found))[::-1][:_POINTS].tolist(), 1.0)} {_listed(shown, len(found), 'pairs')}"


def _hours(hours: HourlyCounts) -> str:
    rows = [max(map(sum, of_hour)) for of_hour in zip(*hours.counts, strict=True)]
    fewest = min(rows)
    days = [
        bars(rows[begin : begin + _HOURS_OF_A_DAY], max(rows))
        for begin in range(0, len(rows), _HOURS_OF_A_DAY)
    ]
    names = _WEEKDAYS if len(days) > 1 else ("",)
    drawn = [f"{day} {name}".rstrip() for day, name in zip(days, names, strict=True)]
    told = f"{hours.season}: each hour against its own {fewest:,} to {max(rows):,} rows"
    if not fewest:
        told += f"; {rows.count(0)} hours have none and are taken to be as all together"
    return f"\n{' ' * _COLUMN}".join([told, *drawn])


def _segments(part: SegmentsReference) -> str:
    rows = [value.rows for value in part.values]
    shown = [
        f"{value.value or 'all others'} {_percent(value.rows / max(1, sum(rows)))}"
        for value in part.values[:_SHOWN]
    ]
    return f"{part.name} {bars(rows)} {_listed(shown, len(rows), 'values')}"


def _explained(columns: list[CellReference]) -> str:
    reference = ExplanationReference.of(columns)
    ranked = [(name, reference.importance[name]) for name in reference.top]
    shown = [f"{name} {mean:.3g}" for name, mean in ranked[:_SHOWN]]
    picture = bars([mean for _, mean in ranked[:_POINTS]])
    return f"{picture} mean |attribution| of {_listed(shown, len(ranked), 'features')}"


def _calibrated(calibration: Calibration) -> str:
    edges = np.array(calibration.edges)
    scores = np.linspace(edges[0], edges[-1], _POINTS) if len(edges) else np.array([0.5])
    # Bins are closed on the right.
    cells = np.searchsorted(edges, scores, side="left").tolist()
    true = [calibration.probabilities[cell] for cell in cells]
    of = f"scores of {calibration.positive}" if calibration.positive is not None else "confidences"
    share = sum(calibration.positives) / max(1, sum(calibration.rows))
    return (
        f"{bars(true, 1.0)} {of} of {scores[0]:.3g} come true in {_percent(true[0])}, "
        f"of {scores[-1]:.3g} in {_percent(true[-1])}; all {sum(calibration.rows):,} rows in {_percent(share)}"
    )


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"


def _listed(shown: list[str], n: int, of: str) -> str:
    rest = f", and {n - len(shown)} more {of}" if n > len(shown) else ""
    return ", ".join(shown) + rest

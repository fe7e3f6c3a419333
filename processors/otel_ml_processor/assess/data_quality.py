"""What a window says of the quality of its data: repeated inputs, unusable predictions, other schemas, features that no longer tell anything."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from otel_ml_conventions.attributes import MlDriftStateValues, MlDriftTargetValues
from otel_ml_processor.assess.drift import MISSING, TYPE_ERROR
from otel_ml_processor.assess.reading import TargetReading
from otel_ml_processor.sketches.categories import Categories
from otel_ml_processor.sketches.slots import N_SLOTS

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from otel_ml_processor.assess.reading import Reading
    from otel_ml_processor.windows.reference import Reference
    from otel_ml_processor.windows.summary import Summary

__all__ = [
    "LEAST_SHARE",
    "SCHEMA",
    "Alike",
    "QualityReading",
    "assess_quality",
    "describe_schemas",
    "with_schema",
]

SCHEMA: Final = "schema"
"""Driver of the target `data_quality`: a schema that was not there before."""
LEAST_SHARE: Final = 0.01
"""Share of the rows from which on another schema is an alarm; of fewer it is a warning."""
_NOTHING_SAID: Final = frozenset({MlDriftStateValues.STEADY, MlDriftStateValues.NO_REFERENCE})
_LEAST_CHANCE: Final = 1e-6
"""A feature is constant where that all rows fall into one cell has a smaller probability, rows being as in the reference."""
_ALIKE, _UNLIKE = 0.98, 0.9
"""Correlation by rank from which on two features say the same, and up to which they did not."""
_OF_SCHEMA: Final = {MISSING: "without", TYPE_ERROR: "of another type"}
_ROUNDING: Final = 1e-9
_MOST: Final = 10
"""Pairs that are told, and schemas that are named."""


@dataclass(frozen=True, slots=True)
class Alike:
    """Two features that say nearly the same, and did not: their correlation by rank, `before` in the reference and `after` in the window."""

    first: str
    second: str
    before: float
    after: float


@dataclass(frozen=True, slots=True)
class QualityReading:
    """
    The quality of a window's data; shares are in [0, 1].

    `duplicates` is the share of calls whose input came before, None where no call says the hash of its input; `inconsistent` the share of repeated
    inputs that were not always answered alike, None where none is known to be repeated. `invalid` counts predictions by the rule that they break, `schemas` rows by the hash of their
    schema, the most frequent first.
    """

    duplicates: float | None
    inconsistent: float | None
    invalid: Mapping[str, int]
    schemas: Mapping[str, int]
    constant: tuple[str, ...] = ()
    """Features whose values all lie in one cell, and had others; of numbers that is a bin."""
    alike: tuple[Alike, ...] = ()
    """Of the pairs whose correlation is watched, the most alike first."""


def assess_quality(summary: Summary, min_rows: int) -> QualityReading:
    """Return the quality of a window's data; features of fewer than *min_rows* values are not judged, and none without a reference."""
    quality, reference = summary.quality, summary.reference
    return QualityReading(
        duplicates=quality.repeated.repeated(),
        inconsistent=quality.repeated.inconsistent(),
        invalid=summary.invalid(),
        schemas=quality.schemas.counts(),
        constant=tuple(_constant(summary, reference, min_rows)) if reference else (),
        alike=_alike(summary, reference, min_rows) if reference else (),
    )


def with_schema(reading: Reading, known: Collection[str], *, was_told: bool) -> Reading:
    """
    Return *reading* with the target `data_quality`, which is about the schemas of the window beside those that are *known*.

    It is `drifting` where at least 1 % of the rows that say their schema have another one, `warning` where any has, else `steady`, which is told where
    something else *was told* before. Chance changes no schema: its p-value is 0 or 1, its effect the share of those rows. A reading that is `insufficient`, or
    whose rows say no schema, stays as it is.
    """
    schemas = reading.quality.schemas if reading.quality else {}
    rows = sum(schemas.values())
    if not rows or reading.state is MlDriftStateValues.INSUFFICIENT:
        return reading
    share = sum(n for schema, n in schemas.items() if schema not in known) / rows
    if not share and not was_told:
        return reading
    state = _state(share)
    target = TargetReading(
        target=MlDriftTargetValues.DATA_QUALITY,
        name="",
        rows=rows,
        scores={},
        p_value=0.0 if share else 1.0,
        effect=share,
        state=state,
        driver=SCHEMA if share else "",
    )
    is_worse = state is MlDriftStateValues.DRIFTING or (
        state is MlDriftStateValues.WARNING and reading.state in _NOTHING_SAID
    )
    targets = (*reading.targets, target)
    return replace(reading, targets=targets, state=state if is_worse else reading.state)


def describe_schemas(reading: Reading, share: float) -> str:
    """
    Return the schemas of a window in words, where *share* of its rows have one that was not there before.

    A hash names nothing; where the contents were captured, the features are named that are missing, or of a wrong type, in as many rows and were not.
    """
    schemas = list(reading.quality.schemas) if reading.quality else []
    said = f"{100 * share:.3g} % of rows with another schema, schemas now: {', '.join(schemas[:_MOST])}"
    return "; ".join([said, *_changed(reading, share)])


def _changed(reading: Reading, share: float) -> Iterator[str]:
    for driver, words in _OF_SCHEMA.items():
        names = [
            target.name
            for target in reading.targets
            if target.target is MlDriftTargetValues.FEATURE
            and target.driver == driver
            and target.state is MlDriftStateValues.DRIFTING
            and getattr(target, driver) >= (1 - _ROUNDING) * share
        ]
        if names:
            yield f"{words}: {', '.join(names[:_MOST])}"


def _state(share: float) -> MlDriftStateValues:
    if share >= LEAST_SHARE:
        return MlDriftStateValues.DRIFTING
    return MlDriftStateValues.WARNING if share else MlDriftStateValues.STEADY


def _constant(summary: Summary, reference: Reference, min_rows: int) -> Iterator[str]:
    """Yield the features that lie in one cell, though they would hardly do so if they were as in the reference."""
    for feature, place in zip(reference.features, reference.places, strict=False):
        before, now = feature.counts[:-N_SLOTS], summary.counts[place][:-N_SLOTS]
        cells, rows = np.flatnonzero(now), int(now.sum())
        if len(cells) != 1 or rows < max(min_rows, 1) or not before.any():
            continue
        cell = int(cells[0])
        if isinstance(feature.cells, Categories) and cell == len(feature.cells.names):
            continue  # the other known categories are many
        if (before[cell] / before.sum()) ** rows < _LEAST_CHANCE:
            yield feature.name


def _alike(summary: Summary, reference: Reference, min_rows: int) -> tuple[Alike, ...]:
    pairs = reference.pairs
    if pairs is None:
        return ()
    block = summary.counts[reference.pair_place]
    if block[0] < max(min_rows, 1):
        return ()
    before, after = (np.abs(pairs.sums.correlations(b)) for b in (pairs.counts, block))
    found = np.flatnonzero((before <= _UNLIKE) & (after >= _ALIKE))  # NaN is neither
    closest = found[np.argsort(-after[found], kind="stable")][:_MOST]
    return tuple(
        Alike(*pairs.named(pair), float(before[pair]), float(after[pair]))
        for pair in closest.tolist()
    )

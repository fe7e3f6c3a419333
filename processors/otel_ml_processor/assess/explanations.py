"""What predictions are attributed to: how much each feature counts in a window, beside the reference, and whether like inputs are explained alike."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from otel_ml_conventions.attributes import MlDriftTargetValues
from otel_ml_processor.assess.drift import assess_drift
from otel_ml_processor.columns import InferenceColumns, Kind, StreamKey, TextColumn, ValueColumn
from otel_ml_processor.profile import Profile, Source
from otel_ml_processor.windows.placed import place
from otel_ml_processor.windows.reference import Reference, build_profile
from otel_ml_processor.windows.summary import Summary

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from otel_ml_processor.assess.reading import TargetReading
    from otel_ml_processor.columns import FloatArray, IntArray
    from otel_ml_processor.profile import CellReference
    from otel_ml_processor.windows.summary import Comparison

__all__ = [
    "FEWEST",
    "MAX_FEATURES",
    "Attributions",
    "Explained",
    "ExplainedMemory",
    "ExplanationReading",
    "ExplanationReference",
    "assess_explanations",
]

Attributions = dict[str, float]
"""By feature, what it adds to one prediction; a feature that is not among them was not told, since others count for more."""

FEWEST: Final = 50
"""Explanations of a window that are tested; fewer wait for the next one."""
MAX_FEATURES: Final = 30
"""Those told most often; what is attributed to others is not looked at."""
_NOBODY: Final = StreamKey("", "", "", "")


@dataclass(frozen=True, slots=True, eq=False)
class ExplanationReference:
    """
    How attributions were: counts of them per feature, where one that was not told is missing.

    `limits` are the largest absolute values by feature, to which greater ones are cut, `importance` the mean absolute ones, of all
    explanations, with 0 where a feature was not told.
    """

    reference: Reference
    limits: Mapping[str, float]
    importance: Mapping[str, float]
    is_provisional: bool
    columns: tuple[CellReference, ...]
    """What it was made of."""

    @classmethod
    def of(
        cls, features: Sequence[CellReference], *, is_provisional: bool = False
    ) -> ExplanationReference:
        """Return the runtime form of *features*, one at least."""
        profile = Profile(
            model="", created="", source=Source(kind="", uri="", rows=0), features=list(features)
        )
        return cls(
            Reference.of(profile),
            {f.name: max(abs(f.min or 0.0), abs(f.max or 0.0)) for f in features},
            {f.name: _mean_absolute(f) for f in features},
            is_provisional,
            tuple(features),
        )

    @classmethod
    def first(cls, explanations: Sequence[Attributions]) -> ExplanationReference | None:
        """Return what the first *explanations* of a stream say, where nothing else says what is usual; None where they say nothing."""
        columns = columns_of(explanations, _most_told(explanations))
        if not columns:
            return None
        source = Source(kind="explanations", uri="", rows=len(explanations))
        profile = build_profile(columns, model="", source=source, created="")
        return cls.of(profile.features, is_provisional=True)

    @property
    def top(self) -> tuple[str, ...]:
        """The features, those that count most first."""
        return tuple(sorted(self.importance, key=lambda name: -self.importance[name]))


class ExplainedMemory(NamedTuple):
    """What is remembered of an `Explained`: its counts, shape (n_counts,), the sums by feature, and how often near inputs were explained alike."""

    rows: int
    counts: IntArray
    sums: dict[str, float]
    near: int
    agreement: float


class Explained:
    """Explanations of one window of one stream, as counts and sums of a size that their number does not change."""

    __slots__ = ("_agreement", "_near", "_reference", "_summary", "_sums")

    def __init__(self, reference: ExplanationReference) -> None:
        self._reference = reference
        self._summary = Summary(reference.reference)
        self._sums: dict[str, float] = dict.fromkeys(reference.importance, 0.0)
        self._near = 0
        self._agreement = 0.0

    def add(self, explanations: Sequence[Attributions]) -> None:
        """Count *explanations*."""
        n = len(explanations)
        columns = columns_of(explanations, self._reference.importance)
        self._summary.add(place(_rows(n, columns), self._reference.reference))
        for name, column in columns.items():
            limit = self._reference.limits[name]
            self._sums[name] += float(np.nansum(np.minimum(np.abs(column.numbers), limit)))

    def agree(self, share: float) -> None:
        """Note that *share* of the features that count most are those of an earlier explanation of a near input."""
        self._near += 1
        self._agreement += share

    def memory(self) -> ExplainedMemory:
        """Return all that is held, for `of_memory`."""
        summary = self._summary
        counts, sums = summary.counts.copy(), dict(self._sums)
        return ExplainedMemory(summary.rows, counts, sums, self._near, self._agreement)

    @classmethod
    def of_memory(cls, reference: ExplanationReference, said: ExplainedMemory) -> Explained:
        """
        Return what `memory` was taken of, counted against *reference*.

        Raises:
            ValueError: If it was counted against another one.
        """
        found = cls(reference)
        if (
            said.sums.keys() != found._sums.keys()
            or said.counts.shape != found._summary.counts.shape
        ):
            raise ValueError("explanations were counted of other features, or in other bins")
        found._summary.rows, found._summary.counts[:] = said.rows, said.counts
        found._sums, found._near, found._agreement = dict(said.sums), said.near, said.agreement
        return found

    @property
    def rows(self) -> int:
        """How many there are."""
        return self._summary.rows

    @property
    def reading(self) -> ExplanationReading:
        """What they say."""
        return ExplanationReading(
            rows=self.rows,
            importance={name: total / max(self.rows, 1) for name, total in self._sums.items()},
            before=self._reference.importance,
            consistency=self._agreement / self._near if self._near else None,
            is_provisional=self._reference.is_provisional,
        )

    def comparisons(self) -> list[Comparison]:
        """Return every feature with both counts."""
        target = MlDriftTargetValues.EXPLANATION
        return [replace(c, target=target) for c in self._summary.comparisons()]


@dataclass(frozen=True, slots=True)
class ExplanationReading:
    """
    What the explanations of a window say.

    `importance` is the mean absolute attribution by feature, `before` that of the reference, which is provisional where it is the first
    explanations themselves. `consistency` is the share, in [0, 1], of the features that count most for one input that also count
    most for a near one; None where no input was near another.
    """

    rows: int
    importance: Mapping[str, float]
    before: Mapping[str, float]
    consistency: float | None
    is_provisional: bool


def assess_explanations(
    explained: Explained, *, alpha: float, effect_floor: float, scores: Collection[str]
) -> tuple[TargetReading, ...]:
    """
    Return the reading of every feature's attributions, tested at a false-alarm rate of *alpha* for all of them.

    As features are, in mode `iid`: which predictions are explained is chosen by whoever explains, and the reference's own windows say
    nothing of it. A feature that is told less often than before is one that is missing more often.
    """
    return assess_drift(
        explained.comparisons(),
        alpha=alpha,
        effect_floor=effect_floor,
        scores=scores,
        min_rows=FEWEST,
    )


def columns_of(
    explanations: Sequence[Attributions], names: Collection[str]
) -> dict[str, ValueColumn]:
    """Return the attributions of each of *names*; missing where they were not told."""
    return {name: _column(np.array([e.get(name, np.nan) for e in explanations])) for name in names}


def _column(numbers: FloatArray) -> ValueColumn:
    kinds = np.where(np.isnan(numbers), Kind.MISSING, Kind.NUMBER).astype(np.uint8)
    return ValueColumn(kinds, numbers, np.full(len(numbers), -1))


def _most_told(explanations: Sequence[Attributions]) -> list[str]:
    told: dict[str, int] = {}
    for attributions in explanations:
        for name, value in attributions.items():
            told[name] = told.get(name, 0) + bool(np.isfinite(value))
    known = [name for name in told if told[name]]
    return sorted(known, key=lambda name: -told[name])[:MAX_FEATURES]


def _mean_absolute(feature: CellReference) -> float:
    """Return the mean absolute value, as the means of the bins tell it; rows without a value count as 0."""
    rows = sum(feature.counts) + feature.missing
    means = feature.bin_means or [0.0] * len(feature.counts)
    return float(np.abs(means) @ np.array(feature.counts)) / max(rows, 1)


def _rows(n: int, columns: Mapping[str, ValueColumn]) -> InferenceColumns:
    nothing = np.full(n, np.nan)
    return InferenceColumns(
        stream=_NOBODY,
        spans=np.arange(n),
        end_times_ns=np.zeros(n, dtype=np.int64),
        labels=TextColumn(np.full(n, -1), ()),
        confidences=nothing,
        entropies=nothing,
        margins=nothing,
        values=nothing,
        features=columns,
    )

"""The reference: built from a table into a profile, and read from a profile into what windows are counted and compared with."""

from __future__ import annotations

import math
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Final, Literal

import msgspec
import numpy as np

from otel_ml_conventions.attributes import MlDriftTargetValues
from otel_ml_processor.columns import Kind, TextColumn, ValueColumn
from otel_ml_processor.errors import TableError
from otel_ml_processor.profile import CellReference, Profile, Source, reference_id, sealed
from otel_ml_processor.sketches.bins import Bins
from otel_ml_processor.sketches.categories import MAX_OTHER_KNOWN, Categories, category_of
from otel_ml_processor.sketches.moments import in_unit
from otel_ml_processor.sketches.reference_edges import reference_edges
from otel_ml_processor.sketches.slots import N_EXCLUSIVE, N_SLOTS, Slot
from otel_ml_processor.windows.class_scores import ClassScores
from otel_ml_processor.windows.divided import OTHER_VALUES
from otel_ml_processor.windows.expected_errors import ErrorCells
from otel_ml_processor.windows.multivariate import Multivariate
from otel_ml_processor.windows.pairs import PairReference
from otel_ml_processor.windows.score_reference import ScoreReference
from otel_ml_processor.windows.seasons import SeasonalReference

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from otel_ml_processor.columns import FloatArray, InferenceColumns, IntArray
    from otel_ml_processor.profile import HourlyCounts, SegmentReference

__all__ = [
    "FEWEST_ROWS",
    "MAX_CATEGORY_LENGTH",
    "N_CATEGORIES",
    "ColumnType",
    "Reference",
    "TargetReference",
    "build_profile",
    "confidence_values",
    "prediction_values",
    "predictions_of",
    "rows_by_category",
    "with_range",
]

ColumnType = Literal["numeric", "categorical"]

N_CATEGORIES: Final = 32
"""The most frequent categories, each with a cell of its own."""
MAX_CATEGORY_LENGTH: Final = 320
"""Characters. Every number is shorter; a longer text is free text, not a category, and has no place in a profile."""


_OUTPUTS: Final = frozenset({MlDriftTargetValues.PREDICTION, MlDriftTargetValues.CONFIDENCE})
_OF_PLACES: Final = frozenset({MlDriftTargetValues.PERFORMANCE, MlDriftTargetValues.MULTIVARIATE})
FEWEST_ROWS: Final = 5
"""Of a category that a profile names, where it was learned from inferences: what fewer share may be one person's."""
_AT_ONCE: Final = 2
_DIGITS: Final = 2
"""Significant digits of a range that was learned from inferences."""


@dataclass(frozen=True, slots=True, eq=False)
class TargetReference:
    """How one feature, the prediction or the confidence is counted, and how the reference was: `counts`, shape (n_cells + N_SLOTS,)."""

    target: MlDriftTargetValues
    name: str
    """The feature's name; empty for all else."""
    cells: Bins | Categories
    counts: IntArray
    positions: FloatArray | None = None
    """Mean of the reference's values in each bin, shape (n_cells,); None for categories and where it is not known."""

    @property
    def ordered(self) -> bool:
        """Whether neighbouring cells hold neighbouring values."""
        return isinstance(self.cells, Bins)

    def column(self, rows: InferenceColumns) -> ValueColumn | None:
        """Return what *rows* say of this target; None where the feature was not decoded."""
        if self.target is MlDriftTargetValues.FEATURE:
            return rows.features.get(self.name)
        if self.target is MlDriftTargetValues.CONFIDENCE:
            return confidence_values(rows.confidences)
        if self.target in _OF_PLACES:
            return None  # told by where the other columns' values have been placed
        if self.ordered:
            return prediction_values(rows.values)
        return _texts(rows.labels)


@dataclass(frozen=True, eq=False)  # without slots: what follows from the fields is worked out once
class Reference:
    """
    A profile, ready to count with.

    `targets` are the features in the profile's order, then the prediction, the confidence and the reconstruction error of all features, as
    far as the profile has them. `places[i]` is where target i's counts lie in a flat block of `n_counts` integers; those of the `scores`, of
    the `class_scores` and the sums of the `pairs` lie behind them.
    """

    id: str
    model: str
    version: str
    rows: int
    targets: tuple[TargetReference, ...]
    places: tuple[slice, ...]
    low_confidence: float | None
    median_confidence: float | None
    scores: ScoreReference | None = None
    """What the model's scores meant; None where the truth of the reference is not known."""
    class_scores: ClassScores | None = None
    """What the probability of each class meant; None where the profile does not say."""
    expected: ErrorCells | None = None
    """How wrong a row is expected to be; None where the profile does not say."""
    season: SeasonalReference | None = None
    """How the reference was hour by hour; None where windows are compared with all of it."""
    multivariate: Multivariate | None = None
    """What the reconstruction error of a row is; None where the profile has no components."""
    pairs: PairReference | None = None
    """Whose correlations are watched; None where the profile has none."""
    explanations: tuple[CellReference, ...] = ()
    """How attributions were, by feature; none where the profile does not say."""
    performance: Mapping[str, float] = field(default_factory=dict)
    """By name of the score, how good the predictions of the reference were; empty where its truth is not known."""
    segments: Mapping[str, Mapping[str, SegmentReference]] = field(default_factory=dict)
    """By name of the attribute, then by value, the most frequent first: what the reference's rows with that value count."""
    schemas: tuple[str, ...] = ()
    """Hashes of the schemas of its inputs; none where it was not built from inferences that say theirs."""
    is_provisional: bool = False
    """Whether rows are still being added to it; its `id` is then that of its cells, which stay."""

    @classmethod
    def of(cls, profile: Profile) -> Reference:
        """Return the runtime form of *profile*, which `read_profile` has found consistent."""
        outputs = [
            (MlDriftTargetValues.PREDICTION, profile.prediction),
            (MlDriftTargetValues.CONFIDENCE, profile.confidence),
        ]
        named = [(MlDriftTargetValues.FEATURE, feature) for feature in profile.features]
        if profile.expected is not None:
            outputs.append((MlDriftTargetValues.PERFORMANCE, profile.expected.errors))
        if profile.pca is not None:
            outputs.append((MlDriftTargetValues.MULTIVARIATE, profile.pca.errors))
        named += [(target, column) for target, column in outputs if column is not None]
        targets = tuple(_target(target, column) for target, column in named)
        ends = np.cumsum([len(target.counts) for target in targets], dtype=np.int64).tolist()
        return cls(
            id=reference_id(profile),
            model=profile.model,
            version=profile.version,
            rows=profile.source.rows,
            targets=targets,
            places=tuple(slice(a, b) for a, b in zip([0, *ends], ends, strict=False)),
            low_confidence=profile.low_confidence,
            median_confidence=profile.median_confidence,
            scores=ScoreReference.of(profile.calibration) if profile.calibration else None,
            class_scores=ClassScores.of(profile.class_calibrations),
            expected=ErrorCells.of(profile),
            season=_season(profile.slots, targets) if profile.slots else None,
            explanations=tuple(profile.explanations),
            multivariate=(Multivariate.of(profile.pca, profile.features) if profile.pca else None),
            pairs=(
                PairReference.of(profile.correlation, profile.features)
                if profile.correlation
                else None
            ),
            performance=profile.performance,
            segments={segment.name: _parts(segment.values) for segment in profile.segments},
            schemas=tuple(profile.schemas),
            is_provisional=profile.provisional,
        )

    @cached_property
    def n_counts(self) -> int:
        """Integers that one window keeps."""
        n_counts: int = self.pair_place.stop
        return n_counts

    @cached_property
    def score_place(self) -> slice:
        """Where the counts of the scores lie; empty where there are none."""
        start = self.places[-1].stop if self.places else 0
        return slice(start, start + (self.scores.n_counts if self.scores else 0))

    @cached_property
    def class_place(self) -> slice:
        """Where the counts of the scores of all classes lie; empty where there are none."""
        start = self.score_place.stop
        return slice(start, start + (self.class_scores.n_counts if self.class_scores else 0))

    @cached_property
    def pair_place(self) -> slice:
        """Where the sums of the pairs lie; empty where there are none."""
        start = self.class_place.stop
        return slice(start, start + (self.pairs.sums.size if self.pairs else 0))

    @cached_property
    def expected_at(self) -> int | None:
        """The position among the targets of how wrong rows are expected to be; None where that is not known."""
        found = [t.target is MlDriftTargetValues.PERFORMANCE for t in self.targets]
        return found.index(True) if any(found) else None

    @cached_property
    def ood_at(self) -> int | None:
        """The position of the rows that are out of distribution; None where that is not known."""
        return None if self.multivariate is None else self.places[-1].stop - N_SLOTS - 1

    @cached_property
    def keys(self) -> list[tuple[MlDriftTargetValues, str]]:
        """Target and name of all that is compared: of `targets`, then of the `pairs`."""
        return [(t.target, t.name) for t in (*self.targets, self.pairs) if t is not None]

    @cached_property
    def outputs(self) -> slice:
        """Which of the targets are the prediction and the confidence: one behind the other, as far as there are such."""
        first = len(self.features)
        n_outputs = sum(target.target in _OUTPUTS for target in self.targets)
        return slice(first, first + n_outputs)

    @cached_property
    def output_place(self) -> slice:
        """Where the counts of the outputs lie; empty where there are none."""
        places = self.places[self.outputs]
        return slice(places[0].start, places[-1].stop) if places else slice(0, 0)

    @cached_property
    def features(self) -> tuple[TargetReference, ...]:
        """The features, in the profile's order."""
        return tuple(t for t in self.targets if t.target is MlDriftTargetValues.FEATURE)

    @cached_property
    def feature_names(self) -> tuple[str, ...]:
        """Names of the features, in the profile's order: what the decoder is asked for."""
        return tuple(feature.name for feature in self.features)

    @cached_property
    def classes(self) -> tuple[str, ...]:
        """The most frequent predicted classes; none for a regression."""
        predictions = [t for t in self.targets if t.target is MlDriftTargetValues.PREDICTION]
        return tuple(
            n for t in predictions if isinstance(t.cells, Categories) for n in t.cells.names
        )


def build_profile(
    features: Mapping[str, ValueColumn | FloatArray],
    *,
    model: str,
    source: Source,
    created: str,
    version: str = "",
    types: Mapping[str, ColumnType] | None = None,
    prediction: ValueColumn | FloatArray | None = None,
    prediction_type: ColumnType | None = None,
    confidence: FloatArray | None = None,
    is_learned: bool = False,
) -> Profile:
    """
    Return the sealed profile of whole columns; no row's values are in it.

    Numbers get 20 bins of equal mass (one per value where there are at most 32), everything else its 32 most frequent categories.

    Args:
        features: One column per feature; in an array NaN is missing.
        model: Name of the model, as its spans say it.
        source: Where the rows came from.
        created: When, in ISO 8601.
        version: Version of the model; empty where it has none.
        types: How to treat a feature, where the guess is wrong: numbers are numeric, texts and booleans categorical.
        prediction: The predicted classes, or the predicted numbers of a regression; missing ones are not counted.
        prediction_type: How to treat them, where the guess is wrong: classes where there is a confidence, or few and whole numbers.
        confidence: Probabilities of the predicted classes in [0, 1]; NaN is not counted.
        is_learned: Whether the rows are inferences as they came, not a table that somebody chose: then a category of fewer than
            `FEWEST_ROWS` rows has no name, ranges are rounded outwards to two digits, and a value of another type is counted.

    Raises:
        TableError: If a column has no value at all, does not suit its type, holds free text, or a confidence outside [0, 1].
    """
    wanted = types or {}
    profile = Profile(
        model=model,
        version=version,
        created=created,
        source=source,
        features=_features(features, wanted, is_learned=is_learned),
        prediction=_prediction(
            prediction,
            prediction_type,
            is_class=confidence is not None,
            is_learned=is_learned,
        ),
        confidence=_confidence(confidence, is_learned=is_learned),
        low_confidence=_quantile(confidence, 0.05),
        median_confidence=_quantile(confidence, 0.5),
    )
    return sealed(profile)


def prediction_values(values: ValueColumn | FloatArray) -> ValueColumn:
    """Return predictions as they are counted: one that is missing was not said, and is counted nowhere."""
    column = _as_column(values)
    kinds = np.where(column.kinds == Kind.MISSING, Kind.ABSENT, column.kinds).astype(np.uint8)
    return ValueColumn(kinds, column.numbers, column.texts, column.dictionary)


def predictions_of(rows: InferenceColumns) -> ValueColumn | None:
    """Return what was predicted: classes where there are any, else numbers; None where *rows* say neither."""
    if (rows.labels.codes >= 0).any():
        return _texts(rows.labels)
    return _as_column(rows.values) if np.isfinite(rows.values).any() else None


def confidence_values(confidences: FloatArray) -> ValueColumn:
    """Return confidences as they are counted: NaN was not said, and what no probability can be is a type error."""
    inside = in_unit(confidences)
    column = _numbers(np.where(np.isinf(confidences), confidences, inside), nan=Kind.OTHER)
    kinds = np.where(np.isnan(confidences), Kind.ABSENT, column.kinds).astype(np.uint8)
    return ValueColumn(kinds, column.numbers, column.texts)


def _features(
    columns: Mapping[str, ValueColumn | FloatArray],
    wanted: Mapping[str, ColumnType],
    *,
    is_learned: bool,
) -> list[CellReference]:
    def feature(name: str) -> CellReference:
        column, place = _as_column(columns[name]), f"feature {name!r}"
        of_type = wanted.get(name) or _guessed_type(column)
        return _cell_reference(name, column, of_type, place, is_learned=is_learned)

    # Sorting and searching let go of the lock, so two columns are counted in the time of one; more would only hold more memory.
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return list(pool.map(feature, columns))


def _guessed_type(column: ValueColumn) -> ColumnType:
    is_named = np.isin(column.kinds, (Kind.TEXT, Kind.BOOLEAN))
    return "categorical" if is_named.any() else "numeric"


def _prediction(
    values: ValueColumn | FloatArray | None,
    wanted: ColumnType | None,
    *,
    is_class: bool,
    is_learned: bool,
) -> CellReference | None:
    if values is None:
        return None
    column = prediction_values(values)
    of_type = wanted or _predicted_type(column, is_class)
    return _cell_reference("", column, of_type, "prediction", is_learned=is_learned)


def _predicted_type(column: ValueColumn, is_class: bool) -> ColumnType:
    # Class numbers and predicted numbers look alike; only classes have a confidence, and classes are few and whole.
    distinct = np.unique(_finite(column))
    are_classes = len(distinct) <= N_CATEGORIES and bool((distinct == np.rint(distinct)).all())
    return "categorical" if is_class or are_classes else _guessed_type(column)


def _confidence(confidences: FloatArray | None, *, is_learned: bool) -> CellReference | None:
    if confidences is None:
        return None
    column = confidence_values(confidences)
    wrong = np.flatnonzero((column.kinds == Kind.OTHER) | np.isinf(column.numbers))
    if len(wrong):
        row = int(wrong[0])
        raise TableError(
            f"confidence: expected probabilities in [0, 1], row {row + 1} has {confidences[row]}"
        )
    return _cell_reference("", column, "numeric", "confidence", is_learned=is_learned)


def _quantile(confidences: FloatArray | None, level: float) -> float | None:
    if confidences is None:
        return None
    said = in_unit(confidences[~np.isnan(confidences)])
    # A value that was seen, not one between two: "below the threshold" then has no doubtful rows.
    return float(np.quantile(said, level, method="inverted_cdf"))


def _cell_reference(
    name: str, column: ValueColumn, of_type: ColumnType, place: str, *, is_learned: bool
) -> CellReference:
    if not np.isin(column.kinds, (Kind.NUMBER, Kind.BOOLEAN, Kind.TEXT)).any():
        raise TableError(f"{place}: all {len(column)} rows are missing; leave the column out")
    if of_type == "numeric":
        return _numeric(name, column, place, is_learned=is_learned)
    return _categorical(name, column, place, is_learned=is_learned)


def _numeric(name: str, column: ValueColumn, place: str, *, is_learned: bool) -> CellReference:
    finite = _finite(column)
    if not len(finite):
        raise TableError(f"{place}: expected numbers, found no finite one; treat it as categorical")
    distinct, repeats = np.unique(finite, return_counts=True)
    bins = Bins(reference_edges(distinct, repeats), float(distinct[0]), float(distinct[-1]))
    counts = bins.count(column)
    if counts[bins.n_cells + Slot.TYPE_ERROR] and not is_learned:
        raise TableError(f"{place}: expected numbers, found {_first_text(column)!r}")
    with np.errstate(over="ignore", invalid="ignore"):  # 1e300 has a mean, but no finite square
        mean, std = float(finite.mean()), float(finite.std())
        means = _bin_means(distinct, repeats, bins)
    tells_means = np.isfinite(means).all() and not (is_learned and _is_bare(counts[: bins.n_cells]))
    return CellReference(
        name=name,
        type="numeric",
        counts=counts[: bins.n_cells].tolist(),
        edges=bins.edges.tolist(),
        bin_means=means.tolist() if tells_means else [],
        missing=int(counts[bins.n_cells + Slot.MISSING]),
        non_finite=int(counts[bins.n_cells + Slot.NON_FINITE]),
        type_error=int(counts[bins.n_cells + Slot.TYPE_ERROR]),
        min=_outwards(bins.minimum, math.floor) if is_learned else bins.minimum,
        max=_outwards(bins.maximum, math.ceil) if is_learned else bins.maximum,
        mean=mean if np.isfinite(mean) else None,
        std=std if np.isfinite(std) else None,
    )


def with_range(column: CellReference, low: float, high: float) -> CellReference:
    """Return a learned numeric *column* whose range holds *low* and *high* too, rounded outwards."""
    if column.min is None or column.max is None:
        return column
    return msgspec.structs.replace(
        column,
        min=min(column.min, _outwards(low, math.floor)),
        max=max(column.max, _outwards(high, math.ceil)),
    )


def _is_bare(counts: IntArray) -> bool:
    """Whether the mean of some bin would be that of very few rows, or of one."""
    return bool(((counts > 0) & (counts < FEWEST_ROWS)).any())


def _outwards(number: float, rounded: Callable[[float], int]) -> float:
    """Return *number* to two significant digits, away from the range that it ends."""
    if number == 0:
        return 0.0
    digits = _DIGITS - 1 - math.floor(math.log10(abs(number)))
    if abs(digits) > _LARGEST_EXPONENT:
        return number  # of a size that no step of ten reaches
    step = 10.0**-digits
    return (
        rounded(number / step) * step if digits <= 0 else rounded(number * 10**digits) / 10**digits
    )


_LARGEST_EXPONENT: Final = 300


def _bin_means(distinct: FloatArray, repeats: IntArray, bins: Bins) -> FloatArray:
    """Mean value of each bin; of an empty one, which only a fence has, the edge that it begins or ends with."""
    starts = np.concatenate([[0], distinct.searchsorted(bins.edges, side="right")])
    filled = np.diff(starts, append=len(distinct)) > 0
    means = np.concatenate([bins.edges[:1], bins.edges]) if len(bins.edges) else np.zeros(1)
    with np.errstate(over="ignore", invalid="ignore"):  # of numbers near the largest there is
        sums = np.add.reduceat(distinct * repeats, starts[filled])
        means[filled] = sums / np.add.reduceat(repeats, starts[filled])
    return means


def _categorical(name: str, column: ValueColumn, place: str, *, is_learned: bool) -> CellReference:
    rows_of = rows_by_category(column)
    fewest = FEWEST_ROWS if is_learned else 1
    named = (category for category, rows in rows_of.items() if rows >= fewest)
    names = sorted(named, key=lambda category: (-rows_of[category], category))
    longest = max(names, key=len, default="")
    if len(longest) > MAX_CATEGORY_LENGTH:
        raise TableError(
            f"{place}: expected categories of at most {MAX_CATEGORY_LENGTH} characters, found "
            f"{len(longest)}: free text is not a category; leave the column out"
        )
    others = names[N_CATEGORIES : N_CATEGORIES + MAX_OTHER_KNOWN]
    cells = Categories(tuple(names[:N_CATEGORIES]), frozenset(others))
    counts = cells.count(column)
    return CellReference(
        name=name,
        type="categorical",
        counts=counts[: cells.n_cells].tolist(),
        categories=list(cells.names),
        other_known=others,
        missing=int(counts[cells.n_cells + Slot.MISSING]),
        non_finite=int(counts[cells.n_cells + Slot.NON_FINITE]),
        unseen=int(counts[cells.n_cells + Slot.UNSEEN]),
        type_error=int(counts[cells.n_cells + Slot.TYPE_ERROR]) if is_learned else 0,
    )


def rows_by_category(column: ValueColumn) -> Counter[str]:
    """Return how many rows have which value, as categories are written."""
    rows_of: Counter[str] = Counter()
    numbers = column.numbers[(column.kinds == Kind.NUMBER) & np.isfinite(column.numbers)]
    for number, rows in zip(*np.unique(numbers, return_counts=True), strict=True):
        rows_of[category_of(float(number))] += int(rows)
    booleans = column.numbers[column.kinds == Kind.BOOLEAN]
    for number, rows in zip(*np.unique(booleans, return_counts=True), strict=True):
        rows_of[str(bool(number))] += int(rows)
    codes, repeats = np.unique(column.texts[column.kinds == Kind.TEXT], return_counts=True)
    for code, rows in zip(codes.tolist(), repeats.tolist(), strict=True):
        rows_of[column.dictionary[code]] += rows
    return rows_of


def _finite(column: ValueColumn) -> FloatArray:
    is_number = np.isin(column.kinds, (Kind.NUMBER, Kind.BOOLEAN))
    return column.numbers[is_number & np.isfinite(column.numbers)]


def _first_text(column: ValueColumn) -> str:
    texts = column.texts[column.kinds == Kind.TEXT]
    return column.dictionary[texts[0]] if len(texts) else "a list or a map"


def _parts(values: Sequence[SegmentReference]) -> dict[str, SegmentReference]:
    """Return by value what the reference's rows count, those of all other values under an empty one; as in windows, a value that is called as these are is among them."""
    parts: dict[str, SegmentReference] = {}
    for part in values:
        value = "" if part.value == OTHER_VALUES else part.value
        parts[value] = _sum(parts[value], part) if value in parts else part
    return parts


def _sum(first: SegmentReference, second: SegmentReference) -> SegmentReference:
    return msgspec.structs.replace(
        first,
        rows=first.rows + second.rows,
        outputs=[a + b for a, b in zip(first.outputs, second.outputs, strict=True)],
        confident=first.confident + second.confident,
        low=first.low + second.low,
        labelled=first.labelled + second.labelled,
        wrong=first.wrong + second.wrong,
    )


def _season(hours: HourlyCounts, targets: Sequence[TargetReference]) -> SeasonalReference:
    by_hour = [
        # No row of the reference lies outside its range.
        np.pad(np.array(counts, dtype=np.int64), ((0, 0), (0, N_SLOTS - N_EXCLUSIVE)))
        for counts in hours.counts
    ]
    return SeasonalReference.of(hours.season, by_hour, [target.counts for target in targets])


def _target(target: MlDriftTargetValues, column: CellReference) -> TargetReference:
    slots = np.zeros(N_SLOTS, dtype=np.int64)
    slots[Slot.MISSING], slots[Slot.NON_FINITE] = column.missing, column.non_finite
    slots[Slot.UNSEEN], slots[Slot.TYPE_ERROR] = column.unseen, column.type_error
    counts = np.concatenate([np.array(column.counts, dtype=np.int64), slots])
    positions = np.array(column.bin_means) if column.bin_means else None
    return TargetReference(target, column.name, _cells(column), counts, positions)


def _cells(column: CellReference) -> Bins | Categories:
    if column.type == "categorical":
        return Categories(tuple(column.categories), frozenset(column.other_known))
    minimum = -np.inf if column.min is None else column.min
    maximum = np.inf if column.max is None else column.max
    return Bins(np.array(column.edges, dtype=np.float64), minimum, maximum)


def _as_column(values: ValueColumn | FloatArray) -> ValueColumn:
    if isinstance(values, ValueColumn):
        return values
    return _numbers(values, nan=Kind.MISSING)


def _numbers(values: FloatArray, nan: Kind) -> ValueColumn:
    kinds = np.where(np.isnan(values), nan, Kind.NUMBER).astype(np.uint8)
    return ValueColumn(kinds, values, np.full(len(values), -1))


def _texts(labels: TextColumn) -> ValueColumn:
    kinds = np.where(labels.codes < 0, Kind.ABSENT, Kind.TEXT).astype(np.uint8)
    return ValueColumn(kinds, np.full(len(kinds), np.nan), labels.codes, labels.dictionary)

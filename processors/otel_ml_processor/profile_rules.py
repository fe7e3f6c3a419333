"""The rules between the parts of a profile: what its format alone cannot say of them."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from otel_ml_processor.errors import ProfileError
from otel_ml_processor.profile import columns_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from otel_ml_processor.profile import (
        Calibration,
        CellReference,
        CorrelationReference,
        ExpectedErrors,
        HourlyCounts,
        PrincipalComponents,
        Profile,
        RungReference,
        SegmentsReference,
    )

__all__ = ["validate"]

_SCHEMA: Final = re.compile(r"[0-9a-f]{16}")
_LARGEST_SUM: Final = (1 << 62) - 1
_MAX_LEAVES: Final = 32
_N_SLOTS: Final = 6
"""Of every counted column, behind its cells: see `sketches.slots`, which is on the same floor."""


def validate(profile: Profile, file: str) -> None:
    """Raise ProfileError naming *file* and path for the first parts of *profile* that contradict each other."""
    for place, column in columns_of(profile):
        _check_column(column, f"{file}: {place}")
    _check_schemas(profile.schemas, f"{file}: $.schemas")
    for i, test in enumerate(profile.self_tests):
        _check_windows(test.p_values, f"{file}: $.self_tests[{i}].p_values")
    for i, rung in enumerate(profile.own_windows):
        n_columns = len(columns_of(profile)) + (profile.correlation is not None)
        _check_rung(rung, n_columns, f"{file}: $.own_windows[{i}]")
    if profile.slots is not None:
        _check_hours(profile.slots, columns_of(profile), f"{file}: $.slots")
    if profile.pca is not None:
        _check_components(profile.pca, len(profile.features), f"{file}: $.pca")
    for i, attribution in enumerate(profile.explanations):
        _check_column(attribution, f"{file}: $.explanations[{i}]")
    if profile.correlation is not None:
        _check_pairs(profile.correlation, profile.features, f"{file}: $.correlation")
    for i, segments in enumerate(profile.segments):
        _check_segments(segments, profile, f"{file}: $.segments[{i}]")
    _check_truth(profile, file)


def _check_schemas(schemas: Sequence[str], place: str) -> None:
    for i, schema in enumerate(schemas):
        if not _SCHEMA.fullmatch(schema):
            raise ProfileError(f"{place}[{i}]: expected 16 hexadecimal digits, got {schema!r}")


def _check_windows(p_values: Mapping[str, Sequence[float]], place: str) -> None:
    lengths = {len(values) for values in p_values.values()}
    if len(lengths) != 1 or lengths == {0}:
        raise ProfileError(
            f"{place}: expected one per window of each family, got {sorted(lengths)}"
        )


def _check_rung(rung: RungReference, n_columns: int, place: str) -> None:
    if len(rung.columns) != n_columns:
        raise ProfileError(
            f"{place}.columns: expected {n_columns}, one per column, got {len(rung.columns)}"
        )
    for what in (rung.extremes, rung.alarms):
        lengths = {len(values) for values in what.values()}
        if len(lengths) != 1 or lengths == {0} or what.keys() != rung.extremes.keys():
            raise ProfileError(
                f"{place}: expected 'extremes' and 'alarms' of the same families, a number per window, got {sorted(lengths)}"
            )
    if any(values != sorted(values) for values in rung.extremes.values()):
        raise ProfileError(f"{place}.extremes: expected ascending numbers")
    inflations = [i for column in rung.columns for i in column.inflation.values()]
    sizes = [i.factor for i in inflations] + [i.shape for i in inflations]
    sizes += [column.scale for column in rung.columns]
    if min(sizes, default=1.0) <= 0:
        raise ProfileError(f"{place}.columns: expected numbers > 0, got {min(sizes)}")


def _check_column(column: CellReference, place: str) -> None:
    bounds = column.edges if column.type == "numeric" else column.categories
    if len(column.counts) != len(bounds) + 1:
        what = "edges" if column.type == "numeric" else "categories"
        message = f"{place}.counts: expected {len(bounds) + 1} counts for {len(bounds)} {what}, got {len(column.counts)}"
        raise ProfileError(message)
    if column.bin_means and len(column.bin_means) != len(column.counts):
        message = f"{place}.bin_means: expected {len(column.counts)} means, one per bin, got {len(column.bin_means)}"
        raise ProfileError(message)
    slots = {s: getattr(column, s) for s in ("missing", "non_finite", "unseen", "type_error")}
    for name, least in {"counts": min(column.counts, default=0), **slots}.items():
        if least < 0:
            raise ProfileError(f"{place}.{name}: expected counts >= 0, got {least}")
    if any(left >= right for left, right in zip(column.edges, column.edges[1:], strict=False)):
        raise ProfileError(f"{place}.edges: expected strictly ascending edges")


def _check_hours(
    hours: HourlyCounts, columns: Sequence[tuple[str, CellReference]], place: str
) -> None:
    n_hours = {"hour_of_day": 24, "hour_of_week": 168}[hours.season]
    expected = [(n_hours, len(column.counts) + 4) for _, column in columns]
    found = [
        (len(of_column), *sorted({len(counts) for counts in of_column}))
        for of_column in hours.counts
    ]
    if found != expected:
        raise ProfileError(
            f"{place}.counts: expected per column {n_hours} hours with its cells and four more, {expected}, got {found}"
        )
    smallest = min((min(c) for of_column in hours.counts for c in of_column), default=0)
    if smallest < 0:
        raise ProfileError(f"{place}.counts: expected counts >= 0, got {smallest}")


def _check_components(pca: PrincipalComponents, n_features: int, place: str) -> None:
    lengths = {len(pca.mean), len(pca.std), *map(len, pca.components)}
    if lengths != {n_features}:
        raise ProfileError(
            f"{place}: expected {n_features} numbers per row, one per feature, got {sorted(lengths)}"
        )
    if min(pca.std) < 0:
        raise ProfileError(f"{place}.std: expected numbers >= 0, got {min(pca.std)}")
    if pca.errors.type != "numeric" or not pca.errors.edges:
        raise ProfileError(f"{place}.errors: expected a numeric column with an edge at least")


def _check_pairs(
    correlation: CorrelationReference, features: Sequence[CellReference], place: str
) -> None:
    used = correlation.features
    if used != sorted(set(used)) or not all(0 <= i < len(features) for i in used):
        raise ProfileError(
            f"{place}.features: expected ascending positions of {len(features)} features"
        )
    if any(features[i].type != "numeric" for i in used):
        raise ProfileError(f"{place}.features: expected positions of numeric features")
    if not all(0 <= a < b < len(used) for a, b in correlation.pairs) or not correlation.pairs:
        raise ProfileError(
            f"{place}.pairs: expected pairs of ascending positions below {len(used)}, one at least"
        )
    expected = (1 + 2 * len(used) + len(correlation.pairs), len(correlation.pairs))
    found = len(correlation.sums), len(correlation.spreads)
    if found != expected:
        raise ProfileError(f"{place}: expected {expected} sums and spreads, got {found}")
    fits = min(correlation.sums) >= 0 and max(correlation.sums) <= _LARGEST_SUM
    if not fits or min(correlation.spreads) <= 0:
        raise ProfileError(f"{place}: expected sums >= 0, at most {_LARGEST_SUM}, and spreads > 0")


def _check_segments(segments: SegmentsReference, profile: Profile, place: str) -> None:
    columns = [column for column in (profile.prediction, profile.confidence) if column]
    n_outputs = sum(len(column.counts) + _N_SLOTS for column in columns)
    for i, part in enumerate(segments.values):
        where = f"{place}.values[{i}]"
        if len(part.outputs) != n_outputs:
            raise ProfileError(
                f"{where}.outputs: expected {n_outputs} counts, those of the outputs, got {len(part.outputs)}"
            )
        pairs = [(part.low, part.confident), (part.wrong, part.labelled)]
        within = all(0 <= some <= of <= part.rows for some, of in pairs)
        if not within or min(part.outputs, default=0) < 0:
            raise ProfileError(f"{where}: expected counts >= 0, parts not above their whole")
    if len({part.value for part in segments.values}) < len(segments.values):
        raise ProfileError(f"{place}.values: expected values that differ")


def _check_truth(profile: Profile, file: str) -> None:
    if profile.calibration is not None:
        _check_calibration(profile.calibration, f"{file}: $.calibration")
    _check_class_calibrations(profile.class_calibrations, f"{file}: $.class_calibrations")
    if profile.expected is not None:
        _check_expected(profile.expected, profile, f"{file}: $.expected")


def _check_expected(expected: ExpectedErrors, profile: Profile, place: str) -> None:
    if expected.errors.type != "numeric" or not expected.errors.edges:
        raise ProfileError(f"{place}.errors: expected a numeric column with an edge at least")
    if not expected.errors.bin_means:
        raise ProfileError(f"{place}.errors.bin_means: expected the mean of each bin")
    if not expected.splits:
        if profile.calibration is None:
            raise ProfileError(f"{place}.splits: expected a tree, or a $.calibration of classes")
        return
    if profile.prediction is None:
        raise ProfileError(f"{place}.splits: expected a $.prediction, which they may ask for")
    _check_splits(expected, [*profile.features, profile.prediction], f"{place}.splits")
    n_bins, n_leaves = len(expected.errors.counts), len(expected.splits) + 1
    found = len(expected.absolute), len(expected.squared)
    if found != (n_leaves, n_bins):
        raise ProfileError(
            f"{place}: expected {n_leaves} numbers 'absolute' and {n_bins} 'squared', got {found[0]} and {found[1]}"
        )
    if min(*expected.absolute, *expected.squared) < 0:
        raise ProfileError(f"{place}: expected errors >= 0")


def _check_splits(expected: ExpectedErrors, columns: Sequence[CellReference], place: str) -> None:
    """Check that every split but the first follows one before it, every leaf one split, and that the columns have the cells."""
    n_splits = len(expected.splits)
    if n_splits >= _MAX_LEAVES:
        raise ProfileError(f"{place}: expected fewer than {_MAX_LEAVES}, got {n_splits}")
    children = [child for split in expected.splits for child in split.children]
    if sorted(children) != [*range(-n_splits - 1, 0), *range(1, n_splits)]:
        raise ProfileError(
            f"{place}: expected every split and leaf to follow one other, got {children}"
        )
    for i, split in enumerate(expected.splits):
        if not 0 <= split.column < len(columns):
            raise ProfileError(
                f"{place}[{i}].column: expected one of {len(columns)} columns, got {split.column}"
            )
        width = len(columns[split.column].counts) + _N_SLOTS
        if any(not 0 <= cell < width for cell in split.inside):
            raise ProfileError(
                f"{place}[{i}].inside: expected cells below {width}, got {split.inside}"
            )
        if any(0 <= child <= i for child in split.children):
            raise ProfileError(
                f"{place}[{i}].children: expected later splits, got {split.children}"
            )


def _check_class_calibrations(calibrations: Sequence[Calibration], place: str) -> None:
    names = [calibration.positive for calibration in calibrations]
    if None in names or len(set(names)) < len(names):
        raise ProfileError(f"{place}: expected one per class, each named, got {names}")
    if len({sum(calibration.rows) for calibration in calibrations}) > 1:
        raise ProfileError(f"{place}: expected the same rows of every class")
    for i, calibration in enumerate(calibrations):
        _check_calibration(calibration, f"{place}[{i}]")


def _check_calibration(calibration: Calibration, place: str) -> None:
    edges, probabilities = calibration.edges, calibration.probabilities
    for name in ("rows", "positives", "probabilities"):
        found = len(getattr(calibration, name))
        if found != len(edges) + 1:
            raise ProfileError(
                f"{place}.{name}: expected {len(edges) + 1} numbers for {len(edges)} edges, got {found}"
            )
    if any(left >= right for left, right in pairwise(edges)):
        raise ProfileError(f"{place}.edges: expected strictly ascending edges")
    pairs = zip(calibration.positives, calibration.rows, strict=True)
    if not all(0 <= positives <= rows for positives, rows in pairs):
        raise ProfileError(f"{place}.positives: expected counts from 0 to those of 'rows'")
    if not all(0.0 <= probability <= 1.0 for probability in probabilities):
        raise ProfileError(f"{place}.probabilities: expected numbers in [0, 1]")

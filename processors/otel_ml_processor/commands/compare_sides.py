"""The two sides of a comparison, each a table or a profile, as counts in the same cells."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np

from otel_ml_conventions.attributes import (
    MlDriftMethodValues,
    MlDriftStateValues,
    MlDriftTargetValues,
)
from otel_ml_processor.assess.drift import assess_drift
from otel_ml_processor.commands.table_columns import FeatureColumns
from otel_ml_processor.commands.tables import read_tables
from otel_ml_processor.errors import TableError
from otel_ml_processor.profile import Profile, Source
from otel_ml_processor.profile_file import read_profile
from otel_ml_processor.sketches.bins import Bins
from otel_ml_processor.sketches.slots import N_SLOTS, Slot
from otel_ml_processor.windows.reference import (
    Reference,
    build_profile,
    confidence_values,
    prediction_values,
)
from otel_ml_processor.windows.summary import Comparison

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    import pyarrow as pa

    from otel_ml_processor.assess.reading import TargetReading
    from otel_ml_processor.columns import IntArray, ValueColumn
    from otel_ml_processor.commands.table_roles import Roles
    from otel_ml_processor.profile import CellReference
    from otel_ml_processor.windows.reference import TargetReference

__all__ = ["SCORES", "Compared", "ComparedColumn", "compare_files", "is_profile"]

SCORES: Final = tuple(
    method.value
    for method in (
        MlDriftMethodValues.PSI,
        MlDriftMethodValues.JENSEN_SHANNON,
        MlDriftMethodValues.KOLMOGOROV_SMIRNOV,
        MlDriftMethodValues.WASSERSTEIN,
        MlDriftMethodValues.WASSERSTEIN_IQR,
        MlDriftMethodValues.TOTAL_VARIATION,
    )
)
"""The scores that are computed of every column."""

_FEWEST_ROWS: Final = 1
_READERS: Final = 2  # columns are read and counted at once; numpy and Arrow let go of the lock

_Key = tuple[MlDriftTargetValues, str]


@dataclass(frozen=True, slots=True)
class ComparedColumn:
    """
    One column on both sides.

    `reference` and `current` are the rows in each of `cells`, which are named as people read them; `is_exact` is false where two
    profiles have different bins: then the counts of the second were spread evenly over the bins of the first, and nothing is tested.
    """

    reading: TargetReading
    cells: tuple[str, ...]
    reference: tuple[int, ...]
    current: tuple[int, ...]
    reference_missing: float
    is_exact: bool
    positions: tuple[float, ...] = ()
    """Where the rows of each cell lie, of a numeric column."""


@dataclass(frozen=True, slots=True)
class Compared:
    """Two files compared: columns that both have, and those that only one has."""

    reference: str
    current: str
    reference_rows: int
    current_rows: int
    alpha: float
    effect_floor: float
    columns: tuple[ComparedColumn, ...]
    only_reference: tuple[str, ...]
    only_current: tuple[str, ...]


def is_profile(path: Path) -> bool:
    """Whether *path* is named as a profile is: `.json` or `.json.gz`."""
    return path.name.lower().endswith((".json", ".json.gz"))


def compare_files(
    reference: Path,
    current: Path,
    roles: Roles,
    *,
    alpha: float,
    effect_floor: float,
    on_step: Callable[[str], None],
) -> Compared:
    """
    Return what differs between two files, tables or profiles, tested at a false-alarm rate of *alpha* for all columns together.

    Args:
        reference: What is compared with: it decides on the cells.
        current: What is compared.
        roles: Which columns of a table play which part; of tables alone.
        alpha: Probability of calling any column drifting where nothing differs, in (0, 1).
        effect_floor: Smallest debiased PSI that counts, >= 0.
        on_step: Told what is being read.

    Raises:
        OtelMlError: If a file cannot be read, or they have no column in common.
    """
    on_step(str(reference))
    base = _profile(reference, roles, on_step)
    # Column by column: rows are counted anew, and what they are together is not told by their columns.
    columns = msgspec.structs.replace(base, pca=None, correlation=None, expected=None)
    runtime = Reference.of(columns)
    on_step(str(current))
    other = _counted(current, runtime, roles, on_step)
    keys = [(target.target, target.name) for target in runtime.targets]
    if not any(key in other.counts for key in keys):
        raise TableError(
            f"{current}: expected at least one column of {reference}, found none of "
            f"{', '.join(sorted(name or target.value for target, name in keys))}"
        )
    shared = [
        target for target, key in zip(runtime.targets, keys, strict=True) if key in other.counts
    ]
    tested = _assessed(shared, other, alpha, effect_floor)
    return Compared(
        reference=str(reference),
        current=str(current),
        reference_rows=base.source.rows,
        current_rows=other.rows,
        alpha=alpha,
        effect_floor=effect_floor,
        columns=tuple(tested),
        only_reference=tuple(_label(key) for key in keys if key not in other.counts),
        only_current=other.only_here,
    )


@dataclass(frozen=True, slots=True)
class _Counted:
    """The second side, counted in the cells of the first."""

    rows: int
    counts: Mapping[_Key, IntArray]
    inexact: frozenset[_Key]
    only_here: tuple[str, ...]


def _profile(path: Path, roles: Roles, on_step: Callable[[str], None]) -> Profile:
    if is_profile(path):
        return read_profile(path)
    table = read_tables([path])
    try:
        roles.check(table)
        return build_profile(
            FeatureColumns(table, roles.feature_names(table), on_step),
            model="table",
            source=Source(kind="table", uri=str(path), rows=table.num_rows),
            created="",
            types=roles.types(table),
            prediction=roles.predictions(table),
            prediction_type=roles.types(table).get(roles.label or ""),
            confidence=roles.confidences(table),
        )
    except TableError as error:
        raise TableError(f"{path}: {error}") from None


def _counted(
    path: Path, reference: Reference, roles: Roles, on_step: Callable[[str], None]
) -> _Counted:
    if is_profile(path):
        return _of_profile(read_profile(path), reference)
    table = read_tables([path])
    try:
        return _of_table(table, reference, roles, on_step)
    except TableError as error:
        raise TableError(f"{path}: {error}") from None


def _of_table(
    table: pa.Table, reference: Reference, roles: Roles, on_step: Callable[[str], None]
) -> _Counted:
    if table.num_rows == 0:
        raise TableError("expected at least one row, found none")
    names = [name for name in table.column_names if name not in _roles_of_outputs(roles)]
    known = set(reference.feature_names)
    features = FeatureColumns(table, names, on_step)

    def count(target: TargetReference) -> IntArray | None:
        column = _column(target, table, features, roles)
        return None if column is None else target.cells.count(column)

    with ThreadPoolExecutor(_READERS) as pool:
        counted = zip(reference.targets, pool.map(count, reference.targets), strict=True)
        counts = {(t.target, t.name): found for t, found in counted if found is not None}
    only_here = tuple(n for n in names if n not in known and n not in roles.ignore)
    return _Counted(table.num_rows, counts, frozenset(), only_here)


def _roles_of_outputs(roles: Roles) -> set[str]:
    named = (roles.label, roles.score, roles.confidence, roles.target, roles.time)
    return {name for name in named if name is not None}


def _column(
    target: TargetReference, table: pa.Table, features: FeatureColumns, roles: Roles
) -> ValueColumn | None:
    if target.target is MlDriftTargetValues.FEATURE:
        return features[target.name] if target.name in set(features) else None
    if target.target is MlDriftTargetValues.PREDICTION:
        has_labels = roles.label is not None and roles.label in table.column_names
        predictions = roles.predictions(table) if has_labels else None
        return None if predictions is None else prediction_values(predictions)
    confidences = roles.confidences(table)
    return None if confidences is None else confidence_values(confidences)


def _of_profile(profile: Profile, reference: Reference) -> _Counted:
    columns: dict[_Key, CellReference] = {
        (MlDriftTargetValues.FEATURE, feature.name): feature for feature in profile.features
    }
    if profile.prediction is not None:
        columns[MlDriftTargetValues.PREDICTION, ""] = profile.prediction
    if profile.confidence is not None:
        columns[MlDriftTargetValues.CONFIDENCE, ""] = profile.confidence
    counts, inexact = {}, set()
    for target in reference.targets:
        key = target.target, target.name
        column = columns.pop(key, None)
        if column is not None and (column.type == "numeric") == target.ordered:
            counts[key], is_exact = _moved(column, target)
            inexact |= set() if is_exact else {key}
    return _Counted(profile.source.rows, counts, frozenset(inexact), tuple(map(_label, columns)))


def _moved(column: CellReference, target: TargetReference) -> tuple[IntArray, bool]:
    """Counts of *column* in the cells of *target*, and whether they are what counting its rows there would give."""
    slots = np.zeros(N_SLOTS, dtype=np.int64)
    slots[Slot.MISSING], slots[Slot.NON_FINITE] = column.missing, column.non_finite
    if isinstance(target.cells, Bins):
        is_exact = column.edges == target.cells.edges.tolist()
        values = np.array(column.counts) if is_exact else _spread(column, target.cells)
    else:
        values, unseen, is_exact = _by_name(column, target)
        slots[Slot.UNSEEN] = unseen
    return np.concatenate([values, slots]), is_exact


def _spread(column: CellReference, bins: Bins) -> IntArray:
    """Counts of *column*, spread evenly over each of its bins, in *bins*; rounded so that their sum stays what it was."""
    lowest = column.edges[0] if column.min is None else column.min
    highest = column.edges[-1] if column.max is None else column.max
    knots = np.maximum.accumulate([lowest, *column.edges, highest])
    below = np.interp(bins.edges, knots, np.concatenate([[0], np.cumsum(column.counts)]))
    total = sum(column.counts)
    return np.diff(np.concatenate([[0], np.rint(below), [total]])).astype(np.int64)


def _by_name(column: CellReference, target: TargetReference) -> tuple[IntArray, int, bool]:
    cells = target.cells
    values = np.zeros(cells.n_cells, dtype=np.int64)
    names = {} if isinstance(cells, Bins) else {name: i for i, name in enumerate(cells.names)}
    others = frozenset() if isinstance(cells, Bins) else cells.other_known
    unseen = 0
    for name, rows in zip(column.categories, column.counts, strict=False):
        if name in names:
            values[names[name]] += rows
        elif name in others:
            values[-1] += rows
        else:
            unseen += rows
    values[-1] += column.counts[-1]
    # Rare names of the second side are one count: which of them the first side knows by name cannot be told.
    return values, unseen, column.counts[-1] == 0


def _assessed(
    targets: Sequence[TargetReference], other: _Counted, alpha: float, effect_floor: float
) -> list[ComparedColumn]:
    comparisons = [
        Comparison(
            t.target, t.name, t.ordered, t.counts, other.counts[t.target, t.name], t.positions
        )
        for t in targets
    ]
    found = []
    exact = [c for c in comparisons if (c.target, c.name) not in other.inexact]
    inexact = [c for c in comparisons if (c.target, c.name) in other.inexact]
    assess = partial(
        assess_drift,
        alpha=alpha,
        effect_floor=effect_floor,
        scores=SCORES,
        min_rows=_FEWEST_ROWS,
    )
    tested = assess(exact)
    # Counts that were spread keep no promise: what a test would say of them is not said.
    untested = [
        replace(reading, state=MlDriftStateValues.INSUFFICIENT, p_value=1.0, driver="")
        for reading in assess(inexact)
    ]
    readings = {(r.target, r.name): r for r in (*tested, *untested)}
    for target, comparison in zip(targets, comparisons, strict=True):
        key = target.target, target.name
        found.append(
            _compared(target, comparison, readings[key], is_exact=key not in other.inexact)
        )
    return found


def _compared(
    target: TargetReference, comparison: Comparison, reading: TargetReading, *, is_exact: bool
) -> ComparedColumn:
    rows = int(comparison.reference[: Slot.BELOW_RANGE - N_SLOTS].sum())
    missing = int(comparison.reference[Slot.MISSING - N_SLOTS])
    return ComparedColumn(
        reading=reading,
        cells=_cell_names(target),
        reference=tuple(comparison.reference[:-N_SLOTS].tolist()),
        current=tuple(comparison.current[:-N_SLOTS].tolist()),
        reference_missing=missing / rows if rows else 0.0,
        is_exact=is_exact,
        positions=() if target.positions is None else tuple(target.positions.tolist()),
    )


def _cell_names(target: TargetReference) -> tuple[str, ...]:
    if not isinstance(target.cells, Bins):
        return (*target.cells.names, "(other known)")
    edges = [f"{edge:.6g}" for edge in target.cells.edges]
    if not edges:
        return ("all",)
    between = (f"{low} to {high}" for low, high in pairwise(edges))
    return (f"up to {edges[0]}", *between, f"above {edges[-1]}")


def _label(key: _Key) -> str:
    target, name = key
    return name if target is MlDriftTargetValues.FEATURE else f"({target.value})"

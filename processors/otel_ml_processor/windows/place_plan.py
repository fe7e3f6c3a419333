"""How rows are placed against a reference, as far as that does not depend on them: worked out once."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from otel_ml_conventions.attributes import MlDriftTargetValues
from otel_ml_processor.columns import Kind, ValueColumn
from otel_ml_processor.sketches.bins import Bins
from otel_ml_processor.sketches.categories import Categories
from otel_ml_processor.windows.fast_places import EDGES_AT_ONCE, Found

if TYPE_CHECKING:
    from collections.abc import Sequence

    from otel_ml_processor.columns import ByteArray, FloatArray, IntArray
    from otel_ml_processor.windows.reference import Reference, TargetReference

__all__ = ["Plan", "plan_of", "text_places"]

_LEAST, _MOST = np.finfo(np.float64).min, np.finfo(np.float64).max
_FEW_TEXTS: Final = 64
"""Of more of them most are new with every request, and nothing is gained by keeping where they are counted."""
_FEW_CHARACTERS: Final = 4096
"""Of all of them together: texts may be of any length, and what is kept is bounded."""
_FOLLOWING: Final = frozenset({MlDriftTargetValues.PERFORMANCE, MlDriftTargetValues.MULTIVARIATE})
_FEATURE, _PREDICTION = MlDriftTargetValues.FEATURE, MlDriftTargetValues.PREDICTION
_CONFIDENCE = MlDriftTargetValues.CONFIDENCE


class Where(NamedTuple):
    """The bins of columns of numbers, and where these are counted, as `place_numbers` takes them."""

    probability: int
    ranges: FloatArray
    edges: FloatArray
    bounds: IntArray
    starts: IntArray
    slots: IntArray
    lines: IntArray
    nowhere: int


class Plan(NamedTuple):
    """
    What there is to place: columns with bins, the `features` among them by name, then the predicted numbers and the confidences as far as they have bins.

    `found` is `Found` of each line before any row is looked at. `label_line` is that of predicted classes, `by_score` the place of a row by that of its
    score on the line of its expected error; None where there is no such line.
    """

    found: ByteArray
    features: tuple[str, ...]
    has_values: bool
    has_confidences: bool
    where: Where
    label_line: int | None
    by_score: IntArray | None


@lru_cache(maxsize=1024)
def plan_of(reference: Reference) -> Plan:
    """Return what there is to place of rows that are compared with *reference*."""
    targets = reference.targets
    lines = [line for line, target in enumerate(targets) if isinstance(target.cells, Bins)]
    lines = [line for line in lines if targets[line].target not in _FOLLOWING]
    kinds = [targets[line].target for line in lines]
    labels = [line for line, target in enumerate(targets) if _is_label(target)]
    return Plan(
        found=_found(reference, labels),
        features=tuple(targets[line].name for line in lines if targets[line].target is _FEATURE),
        has_values=_PREDICTION in kinds,
        has_confidences=_CONFIDENCE in kinds,
        where=_where(reference, lines, kinds.index(_CONFIDENCE) if _CONFIDENCE in kinds else -1),
        label_line=labels[0] if labels else None,
        by_score=_by_score(reference),
    )


def _is_label(target: TargetReference) -> bool:
    return target.target is _PREDICTION and isinstance(target.cells, Categories)


def _found(reference: Reference, labels: Sequence[int]) -> ByteArray:
    """Return what is known of each line: all but the columns' own ones are written in a way of their own, and only the multivariate one has slots of which something is told."""
    classes = reference.class_scores.of_class if reference.class_scores else ()
    n_lines = len(reference.targets) + (reference.scores is not None) + len(classes)
    found = np.full(n_lines, Found.CELLS, dtype=np.uint8)
    for line, target in enumerate(reference.targets):
        if target.target is MlDriftTargetValues.MULTIVARIATE:
            found[line] = Found.SLOTS
        elif target.target not in _FOLLOWING and line not in labels:
            found[line] = Found.NOTHING
    return found


def _where(reference: Reference, lines: Sequence[int], probability: int) -> Where:
    bins = [cells for line in lines if isinstance(cells := reference.targets[line].cells, Bins)]
    edges = [_filled_up(cells.edges) for cells in bins]
    starts = np.array([reference.places[line].start for line in lines], dtype=np.int64)
    # An infinity is never within a range, and neither is what is no probability.
    ranges = np.array([[b.minimum for b in bins], [b.maximum for b in bins]], dtype=np.float64)
    ranges = ranges.clip(_LEAST, _MOST)
    if probability >= 0:
        ranges[0, probability] = max(ranges[0, probability], 0.0)
        ranges[1, probability] = min(ranges[1, probability], 1.0)
    return Where(
        probability=probability,
        ranges=ranges,
        edges=np.concatenate([np.zeros(0), *edges]),
        bounds=np.cumsum([0, *map(len, edges)], dtype=np.int64),
        starts=starts,
        slots=starts + np.array([cells.n_cells for cells in bins], dtype=np.int64),
        lines=np.array(lines, dtype=np.int64),
        nowhere=reference.n_counts,
    )


def _filled_up(edges: FloatArray) -> FloatArray:
    return np.pad(edges, (0, -len(edges) % EDGES_AT_ONCE), constant_values=np.inf)


def _by_score(reference: Reference) -> IntArray | None:
    """Return by the place of a score where its expected error is counted; None where that follows from something else."""
    expected, at = reference.expected, reference.expected_at
    if expected is None or at is None or expected.are_of_numbers or reference.scores is None:
        return None
    places = np.full(reference.n_counts + 1, reference.n_counts, dtype=np.int64)
    places[reference.score_place] = reference.places[at].start + expected.bin_of
    return places


def text_places(reference: Reference, line: int, dictionary: tuple[str, ...]) -> IntArray:
    """Return where on *line*, of a target that has categories, each text is counted, and last that of none; read-only."""
    is_small = len(dictionary) <= _FEW_TEXTS and sum(map(len, dictionary)) <= _FEW_CHARACTERS
    find = _kept_text_places if is_small else _text_places
    return find(reference, line, dictionary)


def _text_places(reference: Reference, line: int, dictionary: tuple[str, ...]) -> IntArray:
    n = len(dictionary)
    kinds = np.full(n, Kind.TEXT, dtype=np.uint8)
    column = ValueColumn(kinds, np.full(n, np.nan), np.arange(n), dictionary)
    cells = reference.targets[line].cells.assign(column)
    places = np.append(cells + reference.places[line].start, reference.n_counts)
    places.flags.writeable = False
    return places


_kept_text_places: Final = lru_cache(maxsize=1024)(_text_places)

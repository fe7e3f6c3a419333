"""References of features that depend on each other, and windows of them, built without a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np
from numpy.typing import NDArray

from otel_ml_processor.columns import Kind, ValueColumn
from otel_ml_processor.profile import Source
from otel_ml_processor.sketches.slots import N_SLOTS
from otel_ml_processor.windows.multivariate import fitted_components
from otel_ml_processor.windows.pairs import correlation_of, scored_features
from otel_ml_processor.windows.reference import Reference, build_profile
from otel_ml_processor.windows.summary import Comparison

if TYPE_CHECKING:
    from otel_ml_processor.profile import Profile

__all__ = ["compared_together", "equally_correlated", "normal_rows", "profile_of"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


def equally_correlated(width: int, correlation: float) -> FloatArray:
    """Return the matrix in which every two features have the same correlation."""
    return np.asarray(np.full((width, width), correlation) + (1 - correlation) * np.eye(width))


def normal_rows(rng: np.random.Generator, n: int, correlations: FloatArray) -> FloatArray:
    """Return rows of standard normal features, shape (n, width)."""
    return np.asarray(rng.normal(size=(n, len(correlations))) @ np.linalg.cholesky(correlations).T)


def profile_of(rows: FloatArray) -> Profile:
    """Return the profile of numeric features `f0`, `f1` ..., with components and correlations."""
    profile = build_profile(
        {f"f{i}": rows[:, i] for i in range(rows.shape[1])},
        model="m",
        created="2026-01-01",
        source=Source(kind="array", uri="", rows=len(rows)),
    )
    fitted = fitted_components(
        profile.features, len(rows), lambda to, part: to.points(lambda i: rows[part, i], _none)
    )
    cells = _cells(Reference.of(profile), rows)
    scored = [cells[i] for i in scored_features(profile.features)]
    pca = None if fitted is None else fitted[0]
    correlation = correlation_of(profile.features, scored)
    return msgspec.structs.replace(profile, pca=pca, correlation=correlation)


def compared_together(reference: Reference, rows: FloatArray) -> tuple[Comparison, Comparison]:
    """Return a window of *rows* beside *reference*: its reconstruction errors, and its pairs."""
    assert reference.multivariate is not None
    assert reference.pairs is not None
    points = reference.multivariate.points(lambda i: rows[:, i], _none)
    bins = reference.multivariate.cells(reference.multivariate.errors(points))
    target = reference.targets[-1]
    counts = np.bincount(bins, minlength=target.cells.n_cells + N_SLOTS)
    errors = Comparison(
        target.target,
        "",
        ordered=True,
        reference=target.counts,
        current=counts,
        positions=target.positions,
    )
    cells = _cells(reference, rows)
    block = reference.pairs.block([cells[i] for i in reference.pairs.features])
    return errors, reference.pairs.compared(block)


def _cells(reference: Reference, rows: FloatArray) -> list[IntArray]:
    features = zip(reference.features, rows.T, strict=True)
    return [feature.cells.assign(_numbers(values)) for feature, values in features]


def _numbers(values: FloatArray) -> ValueColumn:
    kinds = np.where(np.isnan(values), Kind.MISSING, Kind.NUMBER).astype(np.uint8)
    return ValueColumn(kinds, values, np.full(len(values), -1))


def _none(_feature: int) -> IntArray:
    raise AssertionError("there are no categories")

"""Principal components, and how far rows lie off them."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.decomposition import PCA

from otel_ml_processor.statistics.pca import SecondMoments, reconstruction_errors

FloatArray = NDArray[np.float64]


def standardised(rows: FloatArray) -> FloatArray:
    """Return *rows* less their mean, in standard deviations."""
    return np.asarray((rows - rows.mean(axis=0)) / rows.std(axis=0))


def correlated_rows(n: int = 2000, width: int = 6) -> FloatArray:
    """Return standardised rows of features that depend on each other, each in another way."""
    rng = np.random.default_rng(5)
    return standardised(rng.normal(size=(n, width)) @ rng.normal(size=(width, width)))


def moments_of(*parts: FloatArray) -> SecondMoments:
    """Return the moments of rows added part by part."""
    moments = SecondMoments(parts[0].shape[1])
    for part in parts:
        moments.add(part)
    return moments


def test_the_components_are_those_of_scikit_learn() -> None:
    """As many as explain 65 % of the variance, the same directions, and the same distance of every row from its projection."""
    rows = correlated_rows()
    oracle = PCA(n_components=0.65).fit(rows)
    moments = moments_of(*np.array_split(rows, 7))

    components = moments.components(moments.n_components())

    assert len(components) == oracle.n_components_
    assert np.abs((components * oracle.components_).sum(axis=1)) == pytest.approx(1.0)
    rebuilt = oracle.inverse_transform(oracle.transform(rows))
    expected = np.linalg.norm(rows - rebuilt, axis=1)
    assert reconstruction_errors(rows, components) == pytest.approx(expected)


def test_the_errors_are_what_singular_values_leave() -> None:
    """The squares of all errors add up to the squares of the singular values that were left out."""
    rows = correlated_rows()
    values = np.linalg.svd(rows, compute_uv=False)

    errors = reconstruction_errors(rows, moments_of(rows).components(2))

    assert float((errors**2).sum()) == pytest.approx(float((values[2:] ** 2).sum()))


def test_a_point_on_a_component_has_no_error() -> None:
    """Two features that are always equal: what lies on the diagonal is rebuilt, what lies beside it is off by its distance from it."""
    rows = np.array([[1.0, 1.0], [-1.0, -1.0]])
    components = moments_of(rows).components(1)

    errors = reconstruction_errors(np.array([[3.0, 3.0], [1.0, -1.0]]), components)

    assert errors == pytest.approx([0.0, np.sqrt(2.0)])


def test_moments_without_a_part_are_those_of_the_rest() -> None:
    """What a tenth of the rows is compared with has no part in that tenth."""
    rows = correlated_rows()
    parts = [moments_of(rows[:500]), moments_of(rows[500:])]

    rest = SecondMoments.joined(parts).without(parts[0])

    assert rest.products == pytest.approx(rows[500:].T @ rows[500:])


def test_rows_without_variance_have_no_component() -> None:
    """Nothing varies in nothing."""
    moments = moments_of(np.zeros((10, 3)))

    assert moments.n_components() == 0
    assert moments.components(0).shape == (0, 3)


def test_of_no_rows_there_are_no_errors() -> None:
    """An empty request costs nothing and says nothing."""
    assert reconstruction_errors(np.zeros((0, 3)), np.eye(3)[:1]).shape == (0,)

"""Named distributions with exact quantiles and exact shares per cell: what simulated columns are drawn from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy import stats

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "ARCSINE",
    "BERNOULLI_RARE",
    "CATEGORIES",
    "CAUCHY",
    "CONSTANT",
    "CONTINUOUS",
    "DISCRETE",
    "EXPONENTIAL",
    "GEOMETRIC",
    "GEOMETRIC_CATEGORIES",
    "LOG_NORMAL",
    "NORMAL",
    "POISSON",
    "UNIFORM",
    "ZIPF_CATEGORIES",
    "Distribution",
    "quantile_edges",
]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


@dataclass(frozen=True)
class Distribution:
    """A distribution on the real line: `quantile(level)` is the smallest value that `cdf` puts at *level* or above."""

    name: str
    quantile: Callable[[FloatArray], FloatArray]
    cdf: Callable[[FloatArray], FloatArray]

    def __str__(self) -> str:
        """Return the name, which is what a test's id shows."""
        return self.name

    def shifted(self, by: float) -> Distribution:
        """Return the distribution of x + *by*."""
        return Distribution(
            f"{self.name} shifted by {by}",
            lambda level: self.quantile(level) + by,
            lambda value: self.cdf(value - by),
        )

    def stretched(self, factor: float) -> Distribution:
        """Return the distribution of x times *factor*, which is > 0."""
        return Distribution(
            f"{self.name} stretched by {factor}",
            lambda level: self.quantile(level) * factor,
            lambda value: self.cdf(value / factor),
        )

    def cell_shares(self, edges: FloatArray) -> FloatArray:
        """Return the exact share of every cell, shape (len(edges) + 1,); cells are closed on the right."""
        return np.diff(np.concatenate([[0.0], self.cdf(edges), [1.0]]))

    def sample(self, rng: np.random.Generator, rows: int) -> FloatArray:
        """Return *rows* independent values, by inversion."""
        return self.quantile(rng.uniform(size=rows))


def quantile_edges(distribution: Distribution, n_cells: int) -> FloatArray:
    """Return the distinct inner quantiles that cut *distribution* into *n_cells* cells of equal share, or as many as ties leave."""
    edges = np.unique(distribution.quantile(np.arange(1, n_cells) / n_cells))
    return edges[distribution.cdf(edges) < 1.0]


def _of(name: str, known: stats.rv_continuous | stats.rv_discrete) -> Distribution:
    """Return what scipy knows exactly under a name of ours."""
    return Distribution(name, known.ppf, known.cdf)


NORMAL = _of("normal", stats.norm())
UNIFORM = _of("uniform", stats.uniform())
EXPONENTIAL = _of("exponential", stats.expon())
LOG_NORMAL = _of("log-normal", stats.lognorm(1.0))
CAUCHY = _of("Cauchy", stats.cauchy())
ARCSINE = _of("arcsine", stats.arcsine())
CONTINUOUS = (NORMAL, UNIFORM, EXPONENTIAL, LOG_NORMAL, CAUCHY, ARCSINE)

GEOMETRIC = _of("geometric", stats.geom(0.3))
POISSON = _of("Poisson", stats.poisson(2.0))
BERNOULLI_RARE = _of("one in a thousand", stats.bernoulli(0.001))
CONSTANT = _of("constant", stats.randint(7, 8))
DISCRETE = (GEOMETRIC, POISSON, BERNOULLI_RARE, CONSTANT)

GEOMETRIC_CATEGORIES: FloatArray = 0.5 ** np.minimum(np.arange(1, 21), 19)
"""Shares of 20 categories, each half as frequent as the one before (the last two alike)."""

ZIPF_CATEGORIES: FloatArray = (1 / np.arange(1, 31)) / (1 / np.arange(1, 31)).sum()
"""Shares of 30 categories that fall as one over the rank."""

CATEGORIES = {"geometric": GEOMETRIC_CATEGORIES, "Zipf": ZIPF_CATEGORIES}

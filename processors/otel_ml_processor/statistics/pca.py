"""How far a row lies off the directions in which the rows of the reference vary: the error of its reconstruction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from otel_ml_processor.statistics.counts import FloatArray

__all__ = ["EXPLAINED", "SecondMoments", "reconstruction_errors"]

EXPLAINED: Final = 0.65
"""Share of the variance that the kept components explain."""


class SecondMoments:
    """
    X'X of standardised rows, added up part by part: what principal components are made of, in width**2 numbers for any number of rows.

    References:
        Pearson, K. (1901). On lines and planes of closest fit to systems of points in space. Phil. Mag. 2.
    """

    __slots__ = ("products",)

    def __init__(self, width: int) -> None:
        self.products: FloatArray = np.zeros((width, width))

    def add(self, rows: FloatArray) -> None:
        """Add standardised *rows*, shape (n_rows, width), finite."""
        self.products += rows.T @ rows

    @classmethod
    def joined(cls, parts: Sequence[SecondMoments]) -> SecondMoments:
        """Return those of all rows of *parts*, one at least."""
        whole = cls(len(parts[0].products))
        for part in parts:
            whole.products += part.products
        return whole

    def without(self, part: SecondMoments) -> SecondMoments:
        """Return those of the rows that are not in *part*, whose rows are among these."""
        rest = SecondMoments(len(self.products))
        rest.products = self.products - part.products
        return rest

    def n_components(self) -> int:
        """Return how many components it takes to explain more than a share `EXPLAINED` of the variance; 0 where there is none."""
        variances = np.maximum(np.linalg.eigvalsh(self.products)[::-1], 0.0)
        if not variances.sum() > 0:
            return 0
        shares = np.cumsum(variances) / variances.sum()
        return int(np.searchsorted(shares, EXPLAINED, side="right")) + 1

    def components(self, n: int) -> FloatArray:
        """
        Return the *n* orthonormal directions of most variance, shape (n, width), the one of most first.

        Of the two ways to write a direction, that in which its largest number is positive.
        """
        _, vectors = np.linalg.eigh(self.products)
        kept = vectors.T[::-1][:n]
        largest = np.abs(kept).argmax(axis=1)
        signs = np.sign(kept[np.arange(n), largest])
        return np.asarray(kept * signs[:, np.newaxis])


def reconstruction_errors(rows: FloatArray, components: FloatArray) -> FloatArray:
    """
    Return the distance of each row from its projection onto *components*, shape (n_rows,), >= 0; none of no rows.

    Args:
        rows: Standardised rows, shape (n_rows, width), finite.
        components: Orthonormal directions, shape (n, width).
    """
    rest = rows - (rows @ components.T) @ components
    return np.asarray(np.sqrt(np.einsum("ij,ij->i", rest, rest)))

"""The forms that gradient boosters bring inputs into: XGBoost's matrices, CatBoost's pools."""

import math
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from otel_ml.describe.arrays import Table

__all__ = ["XgboostMatrix", "pool_table"]


class XgboostMatrix(Table):
    """
    A `DMatrix`, or one of those that hold bins instead of values and tell only of their shape.

    Missing is what XGBoost takes for missing: of a sparse input also what it does not store.
    """

    __slots__ = ("_matrix",)

    def __init__(self, matrix: Any) -> None:
        super().__init__((int(matrix.num_row()), int(matrix.num_col())))
        self._matrix = matrix

    def names(self) -> tuple[str, ...] | None:
        """Return the names of the columns, None where the matrix has none."""
        names = self._matrix.feature_names
        return None if names is None else tuple(names)

    def types(self) -> tuple[str, ...]:
        """Return single precision, in which every value is kept."""
        return ("float32",)

    def missing(self) -> int | None:
        """Return the number of cells without a value."""
        cells = (self.rows or 0) * (self.columns or 0)
        return cells - int(self._matrix.num_nonmissing())

    def is_sound(self) -> bool | None:
        """Return whether each cell has a value."""
        return self.missing() == 0  # an infinity is refused, or taken for missing

    def take(self, rows: Sequence[int], width: int) -> list[list[Any]] | None:
        """Return values of *rows* by copying these rows alone; None where only bins are kept."""
        if type(self._matrix).__name__ != "DMatrix":
            return None
        stored = self._matrix.slice(list(rows), allow_groups=True).get_data()
        return [_dense(stored.getrow(row), width) for row in range(len(rows))]


def _dense(row: Any, width: int) -> list[float]:
    values = [math.nan] * width
    for column, value in zip(row.indices.tolist(), row.data.tolist(), strict=True):
        if column < width:
            values[column] = value
    return values


def pool_table(data: Any) -> Table:
    """Return *data*, a `Pool` or a `FeaturesData`, as a table; of the latter only the shape is told."""
    if hasattr(data, "num_row"):
        return _Pool(data)
    return Table((int(data.get_object_count()), int(data.get_feature_count())))


class _Pool(Table):
    """A `Pool`: numbers in single precision, beside categories, texts and embeddings."""

    __slots__ = ("_pool",)

    def __init__(self, pool: Any) -> None:
        super().__init__((int(pool.num_row()), int(pool.num_col())))
        self._pool = pool

    def names(self) -> tuple[str, ...] | None:
        names = tuple(self._pool.get_feature_names())
        return names if all(names) else None  # those of unnamed columns are empty

    def types(self) -> tuple[str, ...]:
        kinds = dict.fromkeys(range(self.columns or 0), "float32")
        kinds.update(dict.fromkeys(self._pool.get_cat_feature_indices(), "category"))
        kinds.update(dict.fromkeys(self._pool.get_text_feature_indices(), "text"))
        kinds.update(dict.fromkeys(self._pool.get_embedding_feature_indices(), "embedding"))
        alike = set(kinds.values())
        return tuple(alike) if len(alike) == 1 else tuple(kinds.values())

    def take(self, rows: Sequence[int], width: int) -> list[list[Any]] | None:
        if self.types() != ("float32",) or self._pool.is_quantized():
            return None
        with suppress(Exception):  # groups, say, that cannot be divided
            values: list[list[Any]] = self._pool.slice(list(rows)).get_features().tolist()
            return [row[:width] for row in values]
        return None

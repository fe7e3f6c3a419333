"""Rows that a model was not trained on, beside those that it was trained on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa

from otel_ml_processor.errors import TableError

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["VALIDATION", "with_validation"]

VALIDATION: Final = "(validation)"
"""Column that says of each row whether it is one for validation."""


def with_validation(table: pa.Table, validation: pa.Table) -> pa.Table:
    """
    Return the rows of both, with the column `(validation)`; columns that only *validation* has are null in the others.

    Raises:
        TableError: If *validation* has no rows, lacks a column of *table*, or has one of another type.
    """
    if not validation.num_rows:
        raise TableError("validation: expected at least one row, found none")
    if lacking := sorted(set(table.column_names) - set(validation.column_names)):
        raise TableError(f"validation: expected the columns of the table, lacks {_list(lacking)}")
    is_validation = np.repeat([False, True], [table.num_rows, validation.num_rows])
    try:
        both = pa.concat_tables([table, validation], promote_options="permissive")
    except pa.ArrowException as error:
        raise TableError(f"validation: {str(error).splitlines()[0]}") from None
    return both.append_column(VALIDATION, pa.array(is_validation))


def _list(names: Iterable[str]) -> str:
    return ", ".join(map(repr, names))

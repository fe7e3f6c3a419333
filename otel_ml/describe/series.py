"""Series of pandas' and polars': whether one is a sample or a column of them."""

from typing import Any

__all__ = ["is_row", "is_series", "one_sample"]


def is_series(data: Any) -> bool:
    """Whether *data* is a series of pandas' or polars'."""
    return hasattr(data, "to_list") and len(getattr(data, "shape", ())) == 1


def is_row(data: Any) -> bool:
    """
    Whether *data* is a series that is a row of a data frame by all that it says, as `frame.iloc[0]` is.

    Its index then holds the names of columns. Not where it is called by a text, or its index is: it may
    be a column, and what it is of, identifiers of orders say, are no names.
    """
    index = getattr(data, "index", None) if is_series(data) else None
    if index is None or isinstance(data.name, str) or getattr(index, "name", "") is not None:
        return False
    return len(index) > 0 and _are_names(list(index))


def one_sample(series: Any) -> list[Any]:
    """Return a *series*, taken for one sample, as a list of that: a mapping where its index names the features."""
    values, names = series.to_list(), list(getattr(series, "index", ()))
    if len(names) == len(values) and _are_names(names):
        return [dict(zip(names, values, strict=True))]
    return [values]


def _are_names(labels: list[Any]) -> bool:
    return all(isinstance(label, str) for label in labels) and len(set(labels)) == len(labels)

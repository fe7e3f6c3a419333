"""What is told of the form of an input, whatever its values."""

from typing import Any

from otel_ml.describe.arrays import Table, schema_hash
from otel_ml.describe.samples import names_in_force
from otel_ml_conventions import attributes as keys

__all__ = ["describe_form"]


def describe_form(
    table: Table, names: tuple[str, ...] | None, missing_count: int | None
) -> dict[str, Any]:
    """
    Return number of features, missing values, schema, and of a tensor shape and type.

    Args:
        table: The input.
        names: The model's names of the columns, for inputs that carry none.
        missing_count: Null and NaN cells, None where they were not counted.
    """
    facts: dict[str, Any] = {}
    if table.columns is not None:
        facts[keys.ML_INPUT_FEATURE_COUNT] = table.columns
    if missing_count is not None:
        facts[keys.ML_INPUT_MISSING_COUNT] = missing_count
    schema = schema_hash(table, names_in_force(table, names))
    if schema is not None:
        facts[keys.ML_INPUT_SCHEMA_HASH] = schema
    if table.tensor_shape is not None:
        facts[keys.ML_INPUT_SHAPE] = table.tensor_shape
        types = table.types()
        if types is not None:
            facts[keys.ML_INPUT_DTYPE] = types[0]
    return facts

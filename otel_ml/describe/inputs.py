"""What is told of the form of an input, whatever its values."""

from functools import lru_cache
from hashlib import blake2b
from typing import Any, Final, NamedTuple

from otel_ml.describe.arrays import Table
from otel_ml.describe.samples import names_in_force
from otel_ml.describe.validation import Expectation, has_expected_form
from otel_ml.describe.values import Facts
from otel_ml_conventions import attributes as keys

__all__ = ["Form", "Forms", "describe_form", "schema_hash"]

_MAX_FORMS: Final = 64


class Form(NamedTuple):
    """
    What inputs that differ in nothing but their rows and values have in common.

    Attributes:
        facts: What `describe_form` tells of them, but missing values.
        is_expected: Whether it is the form that the model takes.
    """

    facts: Facts
    is_expected: bool


class Forms:
    """
    The forms of the inputs of one model, each looked at once.

    Args:
        names: The model's names of the columns, for inputs that carry none.
        expectation: What the model says of its inputs.
    """

    def __init__(self, names: tuple[str, ...] | None, expectation: Expectation) -> None:
        self._names = names
        self._expectation = expectation
        self._forms: dict[object, Form] = {}

    def of(self, table: Table) -> Form | None:
        """Return the form of *table*; None where looking at it is as quick as knowing it again."""
        layout = table.layout()
        form = self._forms.get(layout)
        if form is None and layout is not None:
            form = self._look_at(table)
            if len(self._forms) < _MAX_FORMS:
                self._forms[layout] = form
        return form

    def _look_at(self, table: Table) -> Form:
        return Form(
            describe_form(table, self._names, None), has_expected_form(table, self._expectation)
        )


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


def schema_hash(table: Table, names: tuple[str, ...] | None) -> str | None:
    """
    Return 64 bits in hexadecimal that change with the name, type or position of any column.

    None where the types are unknown. *names* are the ones in force: the table's own or the model's.
    """
    types = table.types()
    return None if types is None or table.columns is None else _digest(names, types, table.columns)


@lru_cache(maxsize=64)
def _digest(names: tuple[str, ...] | None, types: tuple[str, ...], columns: int) -> str:
    each_type = types * columns if len(types) == 1 else types
    named_types = zip(names or ("",) * columns, each_type, strict=True)
    text = "\n".join(f"{name}\0{kind}" for name, kind in named_types)
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()

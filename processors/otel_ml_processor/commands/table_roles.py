"""Which column of a table plays which part."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from otel_ml_processor.columns import Kind, ValueColumn
from otel_ml_processor.commands.profile_text import PREDICTION
from otel_ml_processor.commands.table_columns import is_coded, value_column
from otel_ml_processor.commands.tables import check_columns
from otel_ml_processor.errors import TableError
from otel_ml_processor.sketches.categories import Categories, category_of
from otel_ml_processor.sketches.moments import in_unit

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pyarrow as pa

    from otel_ml_processor.columns import BoolArray, FloatArray
    from otel_ml_processor.windows.reference import ColumnType

__all__ = ["Roles"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Roles:
    """
    What the caller said of the columns.

    `label` holds predicted classes (or a regression's predicted numbers), `score` the probability of the class `positive`,
    `confidence` the probability of the predicted class, `probabilities` by class the column of its own, `target` what was true, `time` when. All other columns are features, unless `features` names them
    or `ignore` leaves some out. `categorical` and `ordered` overrule the guess of a column's type.
    """

    label: str | None = None
    score: str | None = None
    positive: str | None = None
    confidence: str | None = None
    probabilities: Mapping[str, str] = field(default_factory=dict)
    target: str | None = None
    time: str | None = None
    features: Sequence[str] | None = None
    ignore: Sequence[str] = ()
    categorical: Sequence[str] = ()
    ordered: Sequence[str] = ()
    segments: Sequence[str] = ()
    """Columns that divide the rows into segments; they are features only where `features` names them."""
    validation: str | None = None
    """Column of booleans: of which rows the predictions, confidences and truths are taken; by default of all."""

    def check(self, table: pa.Table) -> None:
        """
        Check that the roles fit each other and *table*.

        Raises:
            TableError: If a column is not there or plays two parts, or a role lacks the one that it needs.
        """
        said = [
            *self._named,
            *(self.features or ()),
            *self.ignore,
            *self.segments,
            *self.categorical,
            *self.ordered,
        ]
        check_columns(table, [*said, *table.column_names])
        self._check_pairs()
        self._check_parts(table)

    @property
    def _named(self) -> list[str]:
        others = (*self.outputs, *self.probabilities.values(), self.validation)
        return [name for name in others if name is not None]

    @property
    def outputs(self) -> tuple[str | None, ...]:
        """The columns of what a model said and what came of it, and when: label, score, confidence, target, time."""
        return (self.label, self.score, self.confidence, self.target, self.time)

    def _check_parts(self, table: pa.Table) -> None:
        if twice := sorted(set(self.features or ()) & set(self._named)):
            raise TableError(f"column {twice[0]!r}: expected one role, is a feature and another")
        if both := sorted(set(self.categorical) & set(self.ordered)):
            raise TableError(f"column {both[0]!r}: expected --categorical or --ordered, got both")
        typed = {*self.feature_names(table), self.label}
        if stray := [name for name in (*self.categorical, *self.ordered) if name not in typed]:
            raise TableError(
                f"column {stray[0]!r}: has a type but is neither a feature nor the label"
            )

    def _check_pairs(self) -> None:
        if self.score is not None and self.confidence is not None:
            raise TableError("expected --score or --confidence, got both")
        if self.score is not None and (self.label is None or self.positive is None):
            raise TableError(
                "--score needs --label and --positive: confidence is the score of the predicted class"
            )
        if self.probabilities and (self.label is None or self.score is not None):
            raise TableError(
                "--probabilities needs --label, and no --score: they say how probable each class was, the label which one was predicted"
            )
        if self.positive is not None and self.score is None:
            raise TableError("--positive needs --score: it says which class the score belongs to")
        if self.target is not None and self.label is None:
            raise TableError(
                "--target needs --label: what was true is compared with what was predicted"
            )
        if self.features is not None and self.ignore:
            raise TableError("expected --features or --ignore, got both")

    def feature_names(self, table: pa.Table) -> list[str]:
        """Return the features, in the order in which they were named, else in the table's."""
        if self.features is not None:
            return list(dict.fromkeys(self.features))
        taken = {*self._named, *self.segments, *self.ignore}
        return [name for name in table.column_names if name not in taken]

    def types(self, table: pa.Table) -> dict[str, ColumnType]:
        """Return the types that were said, by this or by the table: a dictionary-coded column is categorical."""
        types: dict[str, ColumnType] = {
            name: "categorical" for name in table.column_names if is_coded(table, name)
        }
        types |= dict.fromkeys(self.ordered, "numeric")
        return types | dict.fromkeys(self.categorical, "categorical")

    def reasons(self, table: pa.Table) -> dict[str, str]:
        """Return by column why it has its type: it was said, or guessed from the table's; the label is the prediction."""
        said = {*self.categorical, *self.ordered}
        reasons = {
            name: "as said" if name in said else f"guessed from {table.schema.field(name).type}"
            for name in self.feature_names(table)
        }
        if self.label is not None:
            kind = table.schema.field(self.label).type
            reasons[PREDICTION] = "as said" if self.label in said else f"guessed from {kind}"
        return reasons

    def predictions(self, table: pa.Table) -> ValueColumn | None:
        """Return the predicted classes or numbers; None where no column has them."""
        return None if self.label is None else self._of_validation(table, self.label)

    def truths(self, table: pa.Table) -> ValueColumn | None:
        """Return the true classes or numbers; None where no column has them."""
        return None if self.target is None else self._of_validation(table, self.target)

    def _of_validation(self, table: pa.Table, name: str) -> ValueColumn:
        """Return a column in which all rows but those for validation are missing."""
        column = value_column(table, name)
        if self.validation is None:
            return column
        kinds = np.where(self._is_validation(table), column.kinds, Kind.MISSING).astype(np.uint8)
        numbers = np.where(kinds == Kind.MISSING, np.nan, column.numbers)
        texts = np.where(kinds == Kind.TEXT, column.texts, -1)
        return ValueColumn(kinds, numbers, texts, column.dictionary)

    def _is_validation(self, table: pa.Table) -> BoolArray:
        is_validation: BoolArray = table[self.validation].to_numpy()
        return is_validation

    def confidences(self, table: pa.Table) -> FloatArray | None:
        """
        Return the probability of the predicted class, NaN where it is missing; None where no column says it.

        Of a score p it is p where the label is the positive class, else 1 - p; of the probabilities of all classes that of the label.

        Raises:
            TableError: If a score is no probability, or no label is the positive class.
        """
        said = self._said_confidences(table)
        if said is None or self.validation is None:
            return said
        return np.where(self._is_validation(table), said, np.nan)

    def class_probabilities(self, table: pa.Table) -> dict[str, FloatArray]:
        """
        Return by class its probabilities, NaN where they are missing; nothing where no columns say them.

        Raises:
            TableError: If a column holds something that is no probability.
        """
        said = self._said_of_classes(table)
        if self.validation is None:
            return said
        is_validation = self._is_validation(table)
        return {name: np.where(is_validation, column, np.nan) for name, column in said.items()}

    def _said_of_classes(self, table: pa.Table) -> dict[str, FloatArray]:
        return {name: _probabilities(table, column) for name, column in self.probabilities.items()}

    def _said_confidences(self, table: pa.Table) -> FloatArray | None:
        if self.confidence is not None:
            return _probabilities(table, self.confidence)
        if self.probabilities and self.label is not None:
            return _of_predicted(value_column(table, self.label), self._said_of_classes(table))
        if self.score is None or self.label is None or self.positive is None:
            return None
        score = _probabilities(table, self.score)
        labels = value_column(table, self.label)
        is_positive = Categories((self.positive,), frozenset()).assign(labels) == 0
        if not is_positive.any():
            raise TableError(
                f"column {self.label!r}: expected rows of the positive class {self.positive!r}, "
                f"found only {', '.join(_some_classes(labels)) or 'missing labels'}"
            )
        confidences = np.where(is_positive, score, 1.0 - score)
        return np.where(labels.kinds == Kind.MISSING, np.nan, confidences)


def _probabilities(table: pa.Table, name: str) -> FloatArray:
    column = value_column(table, name)
    if (column.kinds == Kind.TEXT).any() or (column.kinds == Kind.BOOLEAN).any():
        kind = table.schema.field(name).type
        raise TableError(f"column {name!r}: expected probabilities in [0, 1], found {kind}")
    inside = in_unit(column.numbers)
    wrong = np.flatnonzero(np.isnan(inside) & ~np.isnan(column.numbers))
    if len(wrong):
        row = int(wrong[0])
        raise TableError(
            f"column {name!r}: expected probabilities in [0, 1], row {row + 1} has {column.numbers[row]}"
        )
    return inside


def _of_predicted(labels: ValueColumn, probabilities: Mapping[str, FloatArray]) -> FloatArray:
    """Return by row the probability of its label; NaN where the label is none of the classes."""
    found = np.full(len(labels), np.nan)
    for name, column in probabilities.items():
        is_said = Categories((name,), frozenset()).assign(labels) == 0
        found = np.where(is_said, column, found)
    if len(found) and np.isnan(found).all():
        known, classes = ", ".join(probabilities), ", ".join(_some_classes(labels))
        raise TableError(
            f"--probabilities: expected labels among the classes {known}, found {classes}; name each class's column CLASS=COLUMN"
        )
    return found


def _some_classes(labels: ValueColumn, most: int = 5) -> list[str]:
    numbers = np.unique(labels.numbers[labels.kinds == Kind.NUMBER])[:most]
    booleans = np.unique(labels.numbers[labels.kinds == Kind.BOOLEAN])
    names = [category_of(float(number)) for number in numbers if np.isfinite(number)]
    return [*names, *(str(bool(b)) for b in booleans), *labels.dictionary[:most]]

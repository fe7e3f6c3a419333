"""A window's rows apart: by what the model predicted, and by the attributes that the operator listed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from otel_ml_conventions.attributes import ML_PREDICTION_LABEL
from otel_ml_processor.columns import Kind, TextColumn
from otel_ml_processor.sketches.by_value import ByValue

if TYPE_CHECKING:
    from otel_ml_processor.columns import InferenceColumns, ValueColumn
    from otel_ml_processor.config import Config
    from otel_ml_processor.windows.placed import PlacedRows
    from otel_ml_processor.windows.reference import Reference

__all__ = [
    "BY_CLASS",
    "MAX_VALUES",
    "OTHER_VALUES",
    "UNDIVIDED",
    "Divided",
    "Divisions",
    "segment_column",
]

BY_CLASS: Final = ML_PREDICTION_LABEL
"""Name of the division by predicted class."""
OTHER_VALUES: Final = "other"
"""What the values of a segment that are not told apart are called together; one that is called so itself is among them."""


class Divisions(NamedTuple):
    """By what rows are told apart: predicted classes, at most so many (None: not at all), and segments, at most `max_values` of each name."""

    classes: int | None = None
    segments: tuple[str, ...] = ()
    max_values: int = 16

    @classmethod
    def of(cls, config: Config) -> Divisions:
        """Return what *config* says."""
        segments = config.segments
        return cls(config.confidence.classes, segments.attributes, segments.max_values)


UNDIVIDED: Final = Divisions()
MAX_VALUES: Final = 64
"""Of a segment that any configuration tells apart."""


class Divided:
    """
    Counts of one window by division and value; see `ByValue`.

    Of segments the rows are counted at the places of the reference's outputs too: they are what segments are compared by.
    """

    __slots__ = ("by_name",)

    def __init__(self, divisions: Divisions, reference: Reference | None, threshold: float) -> None:
        self.by_name: dict[str, ByValue] = {}
        """By name of the attribute, `BY_CLASS` for predicted classes."""
        if divisions.classes is not None:
            self.by_name[BY_CLASS] = ByValue(threshold, divisions.classes)
        place = reference.output_place if reference else slice(0, 0)
        n_outputs = place.stop - place.start
        for name in divisions.segments:
            known = reference.segments.get(name, {}) if reference else {}
            self.by_name[name] = ByValue(
                threshold, divisions.max_values, n_outputs, known.keys(), OTHER_VALUES
            )

    def add(self, placed: PlacedRows) -> None:
        """Count *placed*; a row that does not say a division's text is not counted there."""
        rows = placed.rows
        scores = (rows.confidences, rows.entropies, rows.margins)
        outputs = placed.outputs if len(self.by_name) > (BY_CLASS in self.by_name) else None
        for name, counts in self.by_name.items():
            if name == BY_CLASS:
                counts.add(rows.labels, scores)
            else:
                counts.add(segment_column(rows, name), scores, outputs)

    def merge(self, other: Divided) -> None:
        """Add what *other* counted of the divisions of this one; ValueError as `ByValue.merge`."""
        for name, counts in self.by_name.items():
            if name in other.by_name:
                counts.merge(other.by_name[name])


def segment_column(rows: InferenceColumns, name: str) -> TextColumn:
    """Return what *rows* say under *name*: the attribute, or, where none of them has it, the feature of that name as text; an empty text says nothing."""
    said = rows.segments.get(name)
    if said is not None and len(said.dictionary):
        return _without_empty(said)
    feature = rows.features.get(name)
    if feature is None:
        return TextColumn(np.full(len(rows), -1, dtype=np.int64), ())
    return _texts(feature)


def _texts(column: ValueColumn) -> TextColumn:
    """Return the rows of *column* that are texts; a number has no few values."""
    texts = np.where(column.kinds == Kind.TEXT, column.texts, -1)
    return _without_empty(TextColumn(texts, column.dictionary))


def _without_empty(texts: TextColumn) -> TextColumn:
    if "" not in texts.dictionary:
        return texts
    empty = [code for code, text in enumerate(texts.dictionary) if not text]
    codes = np.where(np.isin(texts.codes, empty), -1, texts.codes)
    return TextColumn(codes, texts.dictionary)

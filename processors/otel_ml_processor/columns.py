"""
The currency of the processor: inferences as a struct of arrays, one row per sample.

Bytes exist only at the two ends (receive, forward); everything in between is handed `InferenceColumns`. Nobody changes one that is made; it is not frozen, for that
makes it four times as slow to make, and some are made for every request.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum, IntFlag
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "BoolArray",
    "ByteArray",
    "Flaw",
    "FloatArray",
    "InferenceColumns",
    "IntArray",
    "Kind",
    "StreamKey",
    "TextColumn",
    "ValueColumn",
]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
ByteArray = NDArray[np.uint8]
BoolArray = NDArray[np.bool_]


class Kind(IntEnum):
    """What was found where a feature's value was expected."""

    ABSENT = 0
    """Not captured: content is off, or it was cut. Says nothing about the value; counted nowhere."""
    MISSING = 1
    """`null`, NaN, or a key that a complete capture does not have."""
    NUMBER = 2
    BOOLEAN = 3
    """`numbers` holds 0 or 1; as a category it reads `True` or `False`."""
    TEXT = 4
    OTHER = 5
    """A list, a map, bytes: a type error for every feature."""


class Flaw(IntFlag):
    """What a prediction said that is no answer: the columns have nothing in its place."""

    NOT_A_NUMBER = 1
    """A predicted number that is NaN."""
    NO_PROBABILITY = 2
    """A confidence outside [0, 1], or NaN."""


@dataclass(frozen=True, slots=True)
class StreamKey:
    """Whose inferences are compared with whose: two streams never mix."""

    service: str
    environment: str
    model: str
    version: str
    tenant: str = ""
    """Empty where tenants are not told apart. It comes first wherever a stream is told, and last here because most streams have none."""

    @property
    def texts(self) -> tuple[str, ...]:
        """What the stream is written as, `StreamKey(*texts)`; the tenant is left out where there is none."""
        named = (self.service, self.environment, self.model, self.version)
        return (*named, self.tenant) if self.tenant else named

    def __str__(self) -> str:
        tenant = f"{self.tenant}: " if self.tenant else ""
        version = f" {self.version}" if self.version else ""
        place = f" in {self.environment}" if self.environment else ""
        text = f"{tenant}{self.model}{version} of {self.service}{place}"
        # Names come from outside, and go to logs and terminals.
        return text if text.isprintable() else repr(text)


@dataclass(slots=True, eq=False)
class TextColumn:
    """Texts by code: row i reads `dictionary[codes[i]]`, or nothing where `codes[i]` is -1."""

    codes: IntArray
    dictionary: tuple[str, ...]


@dataclass(slots=True, eq=False)
class ValueColumn:
    """
    The values of one feature, of whatever type the producer sent.

    All arrays have shape (n_rows,). `kinds` holds `Kind`; `numbers` is NaN unless the kind is NUMBER or BOOLEAN (an infinity is
    a NUMBER); `texts` is -1 unless the kind is TEXT, otherwise an index into `dictionary`.
    """

    kinds: ByteArray
    numbers: FloatArray
    texts: IntArray
    dictionary: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.kinds)

    def __getitem__(self, rows: slice | BoolArray | IntArray) -> ValueColumn:
        return ValueColumn(self.kinds[rows], self.numbers[rows], self.texts[rows], self.dictionary)


@dataclass(slots=True, eq=False)
class InferenceColumns:
    """
    Samples of one stream out of one request, in the order of arrival.

    Arrays have shape (n_rows,). `spans` is the index of the row's span among the inference spans of the request (several rows of
    a batch share one). NaN in `confidences`, `entropies`, `margins` and `values` means "not said". `features` holds only names that
    the caller of the decoder asked for, each column as long as the others; `segments` likewise, of the attributes that divide a stream.
    """

    stream: StreamKey
    spans: IntArray
    end_times_ns: IntArray
    labels: TextColumn
    confidences: FloatArray
    entropies: FloatArray
    margins: FloatArray
    values: FloatArray
    features: Mapping[str, ValueColumn]
    segments: Mapping[str, TextColumn] = field(default_factory=dict)
    is_failed: BoolArray | None = None
    """Which rows are of calls that failed; None where none of them did."""
    calls: IntArray | None = None
    """Which process made the row's call (64 random bits), and its number among those of the model there, shape (n_rows, 2); 0 and -1 where that
    is not said, None where no row says it."""
    hashes: IntArray | None = None
    """Hashes of the input of the row's call, all its samples together, and of the input's schema, shape (n_rows, 2): 64 bits as a signed number,
    0 where that is not said, None where no row says either."""
    flaws: ByteArray | None = None
    """`Flaw` of each row; None where none has any."""
    probabilities: Mapping[str, FloatArray] = field(default_factory=dict)
    """By class that the caller of the decoder asked for, how probable it was said to be; NaN where that was not said."""
    thresholds: IntArray | None = None
    """Of the consistent sampler that let the row's span through, 0 to 2**56 - 1: the row stands for 2**56 / (2**56 - threshold); -1 where that is not
    said, None where no row says it."""

    def __len__(self) -> int:
        return len(self.spans)

    def __getitem__(self, rows: slice | BoolArray | IntArray) -> InferenceColumns:
        return InferenceColumns(
            stream=self.stream,
            spans=self.spans[rows],
            end_times_ns=self.end_times_ns[rows],
            labels=TextColumn(self.labels.codes[rows], self.labels.dictionary),
            confidences=self.confidences[rows],
            entropies=self.entropies[rows],
            margins=self.margins[rows],
            values=self.values[rows],
            features={name: column[rows] for name, column in self.features.items()},
            segments={
                name: TextColumn(column.codes[rows], column.dictionary)
                for name, column in self.segments.items()
            },
            is_failed=None if self.is_failed is None else self.is_failed[rows],
            calls=None if self.calls is None else self.calls[rows],
            hashes=None if self.hashes is None else self.hashes[rows],
            flaws=None if self.flaws is None else self.flaws[rows],
            probabilities={name: column[rows] for name, column in self.probabilities.items()},
            thresholds=None if self.thresholds is None else self.thresholds[rows],
        )

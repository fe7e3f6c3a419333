"""What a decoder gives: the inferences of one request as columns, where their spans lie, and what could not be read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Protocol, TypeAlias

from otel_ml_processor.columns import InferenceColumns, StreamKey

if TYPE_CHECKING:
    from otel_ml_processor.decode.inference_spans import InferenceSpans

__all__ = ["Cause", "ClassesOf", "Decoded", "Decoder", "FeaturesOf", "no_classes"]

FeaturesOf: TypeAlias = Callable[[StreamKey], "Sequence[str] | None"]
"""The features of a stream's reference, in the order that unnamed values have; None where there is no reference."""
ClassesOf: TypeAlias = Callable[[StreamKey], "Sequence[str]"]
"""The classes of a stream whose probabilities its reference knows the meaning of; none where it does not."""


def no_classes(_: StreamKey) -> tuple[str, ...]:
    """Return that the probability of no class is wanted."""
    return ()


class Cause(str, Enum):
    """
    Why something of a span was not read, as `ml.processor.cause` says it.

    What is wrong with the span as a whole, its resource, or the names in its identity costs the inference; what is wrong with any
    other attribute costs that attribute.
    """

    MALFORMED_SPAN = "malformed_span"
    """A parser refuses the span or its resource: a wrong length, text that is not UTF-8, nesting that is too deep."""
    OVERSIZED = "oversized"
    """Beyond a limit: bytes or attributes of the span, length of a name, a label or a JSON text, rows of a batch."""
    WRONG_TYPE = "wrong_type"
    """An attribute whose value has a type that the conventions do not give it."""
    OUT_OF_RANGE = "out_of_range"
    """A confidence, entropy or margin outside [0, 1]; a NaN where a number is said."""
    MALFORMED_JSON = "malformed_json"
    """Content that should be JSON and is not."""
    MISMATCHED_LENGTHS = "mismatched_lengths"
    """Arrays of one batch that differ in length, or unnamed values that are not as many as the features."""


@dataclass(slots=True, eq=False)
class Decoded:
    """
    One request, read.

    `columns` has one entry per stream that has rows, and `InferenceColumns.spans` are positions in `spans`. `n_spans` counts all spans
    of the request, inferences or not. `undecoded` says for each cause (a value of `Cause`) how many spans had something that could
    not be read; a cause that did not occur is not in it.
    """

    spans: InferenceSpans
    columns: tuple[InferenceColumns, ...]
    n_spans: int
    undecoded: Mapping[str, int]


class Decoder(Protocol):
    """Reads requests; safe to use from any thread."""

    def decode(self, request: bytes, caller: str = "", size: int | None = None) -> Decoded:
        """
        Return what *request* says of inferences, whose tenant is *caller* where a header says that.

        Where *size* is given, only so many bytes are the request, and zeros follow: a compiled decoder reads in blocks, and needs no copy then.

        Raises:
            MalformedRequest: If the framing around the spans is broken. A span that is broken inside is counted, never raised.
        """
        ...

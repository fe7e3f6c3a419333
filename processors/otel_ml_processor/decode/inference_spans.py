"""The inference spans of a request as a struct of arrays: where they lie, whose they are. One is parsed only when it is looked at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache, reduce
from itertools import accumulate
from operator import or_
from typing import TYPE_CHECKING, Final, overload

import numpy as np
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from otel_ml_processor.columns import StreamKey
from otel_ml_processor.compiled import IS_COMPILED
from otel_ml_processor.decode.fast_splice import spliced
from otel_ml_processor.decode.said import ANYTHING, NOTHING
from otel_ml_processor.decode.wire import Place, splice

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from otel_ml_processor.columns import IntArray

__all__ = ["NO_SPANS", "InferenceSpan", "InferenceSpans"]


@dataclass(frozen=True, slots=True)
class InferenceSpan:
    """
    One span that is an inference.

    *trace_id*, *span_id* and *resource* are the bytes received, *end_time_ns* is what the span said (0 to 2**64 - 1).
    """

    place: Place
    trace_id: bytes
    span_id: bytes
    end_time_ns: int
    resource: bytes
    stream: StreamKey
    has_verdict: bool
    """Whether it already carries an `ml.verdict.*` attribute."""


@dataclass(slots=True, eq=False)
class InferenceSpans(Sequence[InferenceSpan]):
    """
    The inference spans of a request, in their order: of the first *size* bytes of *content*, behind which others may follow.

    `places` (n, 4) says where each lies: length_at, start, end, and which of the `messages` is around it. `messages` (k, 4), the `resource_spans`
    and `scope_spans` in their order, says the same of them, -1 where around it is the request. `resources[resource_of[i]]` and `streams[stream_of[i]]` are those
    of span i. `ids` (n, 3) are its trace id, as two numbers, and its span id, read as little-endian; an id that has not the length that OTLP gives it is 0.
    `said` is what their bytes may say beyond the columns, the sum of some `Said`.
    """

    content: bytes
    size: int
    places: IntArray
    messages: IntArray
    resources: Sequence[bytes]
    resource_of: IntArray
    streams: Sequence[StreamKey]
    stream_of: IntArray
    has_verdict: NDArray[np.bool_]
    ids: NDArray[np.uint64]
    said: int = ANYTHING

    @property
    def request(self) -> bytes:
        """The bytes of the request, and no others; a copy where others follow them."""
        return self.content[: self.size]

    @classmethod
    def joined(cls, parts: Sequence[InferenceSpans]) -> InferenceSpans:
        """Return the spans of several requests as those of one: the bytes of all behind one another, which are a request too."""
        if len(parts) == 1:
            return parts[0]
        if not any(part.size for part in parts):
            return _bare(np.concatenate([part.ids for part in parts]))
        begins = _begins([part.size for part in parts])
        first_messages = _begins([len(part.messages) for part in parts])
        first_resources = _begins([len(part.resources) for part in parts])
        numbers: dict[StreamKey, int] = {}
        stream_of = [
            np.array([numbers.setdefault(s, len(numbers)) for s in part.streams], dtype=np.int64)[
                part.stream_of
            ]
            for part in parts
        ]
        return cls(
            content=b"".join([part.request for part in parts]),
            size=sum(part.size for part in parts),
            places=_shifted([part.places for part in parts], begins, first_messages),
            messages=_shifted([part.messages for part in parts], begins, first_messages),
            resources=tuple(resource for part in parts for resource in part.resources),
            resource_of=np.concatenate(
                [part.resource_of + n for part, n in zip(parts, first_resources, strict=True)]
            ),
            streams=tuple(numbers),
            stream_of=np.concatenate(stream_of),
            has_verdict=np.concatenate([part.has_verdict for part in parts]),
            ids=np.concatenate([part.ids for part in parts]),
            said=reduce(or_, [part.said for part in parts]),
        )

    def bare(self) -> InferenceSpans:
        """Return what is left of the same where nobody reads their bytes again: the ids; each span is empty, and of no stream."""
        return _bare(self.ids)

    def __len__(self) -> int:
        return len(self.places)

    @overload
    def __getitem__(self, index: int) -> InferenceSpan: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[InferenceSpan]: ...

    def __getitem__(self, index: int | slice) -> InferenceSpan | Sequence[InferenceSpan]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        place = self._place(self.places[index].tolist())
        span = Span.FromString(self.content[place.start : place.end])
        return InferenceSpan(
            place=place,
            trace_id=span.trace_id,
            span_id=span.span_id,
            end_time_ns=span.end_time_unix_nano,
            resource=self.resources[self.resource_of[index]],
            stream=self.streams[self.stream_of[index]],
            has_verdict=bool(self.has_verdict[index]),
        )

    def _place(self, numbers: Sequence[int]) -> Place:
        length_at, start, end, parent = numbers
        around = None if parent < 0 else self._place(self.messages[parent].tolist())
        return Place(length_at, start, end, around)

    def with_additions(self, codes: IntArray, additions: Sequence[bytes]) -> bytes:
        """
        Return the request with `additions[codes[i]]` appended to span i, and with the lengths around it corrected; nothing where the code is -1.

        Every other byte stays as it is.
        """
        if IS_COMPILED:
            return spliced(self.content, self.size, self.places, self.messages, codes, additions)
        return splice(
            self.request,
            [
                (self._place(self.places[index].tolist()), additions[codes[index]])
                for index in np.flatnonzero(codes >= 0).tolist()
            ],
        )


def _bare(ids: NDArray[np.uint64]) -> InferenceSpans:
    places, nothing, has_verdict = _nowhere(len(ids))
    return InferenceSpans(
        content=b"",
        size=0,
        places=places,
        messages=_NO_MESSAGES,
        resources=(b"",),
        resource_of=nothing,
        streams=(_NOBODY,),
        stream_of=nothing,
        has_verdict=has_verdict,
        ids=ids,
        said=NOTHING,
    )


@lru_cache(maxsize=4)  # most requests have as many spans as the one before
def _nowhere(n: int) -> tuple[IntArray, IntArray, NDArray[np.bool_]]:
    """Return where *n* spans without bytes lie, zeros, and that none of them has a verdict; not to be changed."""
    places = np.zeros((n, 4), dtype=np.int64)
    places[:, 3] = -1
    return places, np.zeros(n, dtype=np.int64), np.zeros(n, dtype=bool)


def _begins(lengths: Sequence[int]) -> list[int]:
    """Return where each of so many begins that lie behind one another."""
    return [0, *accumulate(lengths[:-1])]


def _shifted(
    parts: Sequence[IntArray], begins: Sequence[int], first_messages: Sequence[int]
) -> IntArray:
    """Return *parts*, each as `InferenceSpans.places`, as they are in all requests behind one another."""
    whole: IntArray = np.concatenate(parts)
    lengths = [len(part) for part in parts]
    whole[:, :3] += np.repeat(begins, lengths)[:, None]
    whole[:, 3] += np.where(whole[:, 3] < 0, 0, np.repeat(first_messages, lengths))
    return whole


_NOBODY: Final = StreamKey(service="", environment="", model="", version="")
_NOTHING: Final = np.zeros(0, dtype=np.int64)
_NO_MESSAGES: Final = _NOTHING.reshape(0, 4)
NO_SPANS: Final = InferenceSpans(
    content=b"",
    size=0,
    places=_NO_MESSAGES,
    messages=_NO_MESSAGES,
    resources=(),
    resource_of=_NOTHING,
    streams=(),
    stream_of=_NOTHING,
    has_verdict=np.zeros(0, dtype=bool),
    ids=np.zeros((0, 3), dtype=np.uint64),
    said=NOTHING,
)
"""Of a request without inferences."""

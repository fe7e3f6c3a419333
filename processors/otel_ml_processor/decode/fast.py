"""
The fast decoder: compiled code reads what is plain, the plain decoder the rest, and nobody can tell which of them has read a span.

On a machine without numba it would be slower than the plain decoder, which then takes its place.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span

from otel_ml_conventions.attributes import ML_INPUT_FEATURES, ML_MODEL_NAME, ML_OPERATION_NAME
from otel_ml_processor.columns import InferenceColumns, Kind, StreamKey, TextColumn, ValueColumn
from otel_ml_processor.decode.attributes import MAX_ROWS
from otel_ml_processor.decode.decoder import Cause, Decoded
from otel_ml_processor.decode.fast_calls import scan_calls
from otel_ml_processor.decode.fast_json import read_objects
from otel_ml_processor.decode.fast_scan import TAIL, State, scan_framing, scan_spans
from otel_ml_processor.decode.fast_segments import scan_failures, scan_segments
from otel_ml_processor.decode.fast_words import padded
from otel_ml_processor.decode.inference_spans import InferenceSpans
from otel_ml_processor.decode.joined import joined
from otel_ml_processor.decode.spans import (
    PlainDecoder,
    Reading,
    read_origin,
    read_segments,
)
from otel_ml_processor.decode.wire import MAX_FIELDS, MAX_SPANS, Place

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from otel_ml_processor.columns import FloatArray, IntArray
    from otel_ml_processor.decode.decoder import FeaturesOf

__all__ = ["FastDecoder", "warm"]
_MAX_MESSAGES: Final = 1 << 16
_MAX_TEXTS: Final = 1 << 12
_LATEST_NS: Final = np.uint64((1 << 63) - 1)
_ROUNDING: Final = 1e-6
_UNSAID: Final = -2
"""Instead of the number of a text where a span does not have the attribute."""


class _Names(NamedTuple):
    """Texts one after the other, and where each begins and ends: text k is `data[ends[k]:ends[k + 1]]`."""

    data: np.ndarray
    ends: IntArray

    @classmethod
    def of(cls, names: Sequence[str]) -> _Names:
        encoded = [name.encode() for name in names]
        ends = np.cumsum([0, *map(len, encoded)], dtype=np.int64)
        return cls(padded(b"".join(encoded)), ends)


_names_of: Final = lru_cache(maxsize=1024)(_Names.of)


class _Scanned(NamedTuple):
    """What `scan_spans` has written, a row per span."""

    states: np.ndarray
    end_times: np.ndarray
    identities: IntArray
    labels: IntArray
    numbers: IntArray
    features: IntArray
    has_verdict: np.ndarray
    is_cut: np.ndarray
    ids: np.ndarray
    texts: IntArray

    @classmethod
    def of(cls, data: np.ndarray, spans: IntArray) -> _Scanned:
        """Return what *spans* say."""
        n = len(spans)
        texts = np.empty((_MAX_TEXTS, 2), np.int64)
        scanned = cls(
            states=np.empty(n, np.uint8),
            end_times=np.empty(n, np.uint64),
            identities=np.empty((n, 2), np.int64),
            labels=np.empty(n, np.int64),
            numbers=np.empty((n, 4), np.int64),
            features=np.empty((n, 2), np.int64),
            has_verdict=np.empty(n, np.bool_),
            is_cut=np.empty(n, np.bool_),
            ids=np.empty((n, 3), np.uint64),
            texts=texts,
        )
        table = np.full(2 * _MAX_TEXTS, -1, np.int64)
        scan_spans(data, spans, table, texts, *scanned[:-1])
        return scanned


class FastDecoder:
    """A `Decoder` that says of every request what `PlainDecoder` says; *features_of* and *segments* are as there."""

    __slots__ = ("_features_of", "_plain", "_segments")

    def __init__(self, features_of: FeaturesOf, segments: Sequence[str] = ()) -> None:
        self._features_of = features_of
        self._segments = tuple(segments)
        self._plain = PlainDecoder(features_of, segments)

    def decode(self, request: bytes) -> Decoded:
        """
        Return what *request* says of inferences; see `Decoder`.

        Raises:
            MalformedRequest: If the framing around the spans is broken.
        """
        data = np.empty(len(request) + TAIL, np.uint8)
        data[: len(request)] = np.frombuffer(request, np.uint8)
        data[len(request) :] = 0
        messages = np.empty((min(_MAX_MESSAGES, len(request) // 2 + 1), 6), np.int64)
        spans = np.empty((min(MAX_SPANS, len(request) // 2 + 1), 4), np.int64)
        n_messages, n_spans = scan_framing(data, len(request), messages, spans, MAX_FIELDS)
        if n_messages >= 0:
            read = _Request.of(request, data, messages[:n_messages], spans[:n_spans])
            decoded = _decoded(read, self._features_of, self._segments)
            if decoded is not None:
                return decoded
        return self._plain.decode(request)


def warm() -> None:
    """
    Have everything compiled, or read from where it was kept: some ten seconds the first time, half a second from then on.

    Nothing is compiled while a request waits.
    """
    identity = {ML_OPERATION_NAME: "predict", ML_MODEL_NAME: "warm"}
    spans = [
        Span(
            attributes=[
                KeyValue(key=key, value=AnyValue(string_value=text))
                for key, text in {**identity, ML_INPUT_FEATURES: '{"a":1.5,"b":"c"}'}.items()
            ]
        )
    ]
    request = ExportTraceServiceRequest(
        resource_spans=[ResourceSpans(scope_spans=[ScopeSpans(spans=spans)])]
    )
    decoder = FastDecoder(lambda _: ("a", "b"), ["warm"])
    decoded = decoder.decode(request.SerializeToString())
    decoded.spans.with_additions(np.zeros(len(decoded.spans), dtype=np.int64), [b""])


class _Request(NamedTuple):
    """A request whose framing is plain, and what its spans say."""

    content: bytes
    data: np.ndarray
    messages: IntArray
    spans: IntArray
    scanned: _Scanned
    groups: IntArray
    """Which messages are a `resource_spans` that has spans."""
    group_of: IntArray
    """Shape (n_spans,), positions in `groups`."""
    is_failed: NDArray[np.bool_]
    calls: IntArray

    @classmethod
    def of(cls, content: bytes, data: np.ndarray, messages: IntArray, spans: IntArray) -> _Request:
        """Return *content* with what its spans say."""
        scanned = _Scanned.of(data, spans)
        proportions = scanned.numbers.view(np.float64)[:, :3]
        is_odd = ((proportions < -_ROUNDING) | (proportions > 1 + _ROUNDING)).any(axis=1)
        scanned.states[is_odd & (scanned.states == State.PLAIN)] = State.ODD
        groups, group_of = np.unique(messages[spans[:, 3], 3], return_inverse=True)
        is_failed = np.empty(len(spans), np.bool_)
        scan_failures(data, spans, scanned.states, is_failed)
        calls = np.empty((len(spans), 2), np.int64)
        scan_calls(data, spans, scanned.states, calls)
        return cls(content, data, messages, spans, scanned, groups, group_of, is_failed, calls)

    def resources(self) -> tuple[bytes, ...]:
        """Return the resource of each group."""
        return tuple(self.content[a:b] for a, b in self.messages[self.groups, 4:6].tolist())

    def text(self, number: int) -> str:
        """Return the text of that number."""
        start, end = self.scanned.texts[number].tolist() if number >= 0 else (0, 0)
        return self.content[start:end].decode()


@lru_cache(maxsize=1024)
def _origin(resource: bytes) -> tuple[str, str] | None:
    """Return service and environment; None where the plain decoder has to say what is wrong with them."""
    origin = read_origin(resource, set())
    return None if origin is None else (origin.service, origin.environment)


class _Segments(NamedTuple):
    """What spans say under the *names* that divide a stream: numbers of texts, shape (n_names, n_spans), and what each group inherits."""

    names: tuple[str, ...]
    numbers: IntArray
    ranges: IntArray
    inherited: Sequence[tuple[str | None, ...]]


@lru_cache(maxsize=1024)
def _inherited(resource: bytes, names: tuple[str, ...]) -> tuple[str | None, ...] | None:
    """Return what *resource*, which `_origin` could read, says under each of *names*; None where something is wrong with that."""
    causes: set[Cause] = set()
    said = read_segments(resource, names, causes)
    return None if causes else tuple(said[name] for name in names)


def _segments(
    request: _Request, resources: Sequence[bytes], names: tuple[str, ...]
) -> _Segments | None:
    """Return what divides the rows of *request*; None where only the plain decoder can tell. A span that does not say a text becomes an odd one."""
    inherited = [_inherited(resource, names) for resource in resources]
    told = [said for said in inherited if said is not None]
    if len(told) < len(inherited):
        return None
    numbers = np.full((len(names), len(request.spans)), _UNSAID, dtype=np.int64)
    ranges = np.empty((_MAX_TEXTS if names else 0, 2), np.int64)
    if names:
        table = np.full(2 * _MAX_TEXTS, -1, np.int64)
        states = request.scanned.states
        packed = _names_of(names)
        scan_segments(request.data, request.spans, states, *packed, table, ranges, numbers)
    return _Segments(names, numbers, ranges, told)


def _decoded(request: _Request, features_of: FeaturesOf, names: tuple[str, ...]) -> Decoded | None:
    """Return what *request* says; None where only the plain decoder can tell."""
    resources = request.resources()
    origins = [_origin(resource) for resource in resources]
    if None in origins:
        return None
    segments = _segments(request, resources, names)
    if segments is None:
        return None
    streams, stream_of = _streams(request, origins)
    contents = _contents(request, streams, stream_of, features_of)
    odd = _odd(request, resources, features_of, names)
    n_fast = int(np.count_nonzero(request.scanned.states == State.PLAIN))
    if odd.rows_left < n_fast + MAX_ROWS:
        return None  # so many rows that the budget must be spent in their order
    return _assembled(request, resources, streams, stream_of, contents, segments, odd)


def _streams(
    request: _Request, origins: Sequence[tuple[str, str] | None]
) -> tuple[list[StreamKey], IntArray]:
    """Return the streams of the plain spans, and the number of each span's; -1 for all others."""
    rows = np.flatnonzero(request.scanned.states == State.PLAIN)
    model, version = request.scanned.identities[rows].T
    identity = (request.group_of[rows] * _MAX_TEXTS + model) * (_MAX_TEXTS + 1) + version + 1
    _, first, inverse = np.unique(identity, return_index=True, return_inverse=True)
    streams = []
    for row in rows[first].tolist():
        service, environment = origins[request.group_of[row]] or ("", "")
        named = map(request.text, request.scanned.identities[row].tolist())
        streams.append(StreamKey(service, environment, *named))
    stream_of = np.full(len(request.spans), -1, dtype=np.int64)
    stream_of[rows] = inverse
    return streams, stream_of


class _Content(NamedTuple):
    """The features of the plain spans of one stream: arrays of shape (n_names, n_rows), a row for each of `rows`."""

    names: Sequence[str]
    rows: IntArray
    kinds: np.ndarray
    numbers: FloatArray
    texts: IntArray
    ranges: IntArray


def _contents(
    request: _Request, streams: Sequence[StreamKey], stream_of: IntArray, features_of: FeaturesOf
) -> list[_Content]:
    """Return the features of each stream; a span whose content is not plain becomes an odd one."""
    contents = []
    for number, stream in enumerate(streams):
        rows = np.flatnonzero(stream_of == number)
        content, is_read = _content(request, rows, tuple(features_of(stream) or ()))
        request.scanned.states[rows[~is_read]] = State.ODD
        stream_of[rows[~is_read]] = -1
        contents.append(content)
    return contents


def _content(
    request: _Request, rows: IntArray, names: tuple[str, ...]
) -> tuple[_Content, np.ndarray]:
    """Return the features of *rows*, and which of them were read."""
    shape = (len(names), len(rows))
    ranges = request.scanned.features[rows]
    is_complete = (ranges[:, 0] >= 0) & ~request.scanned.is_cut[rows]
    kinds = np.empty(shape, np.uint8)
    kinds[:] = np.where(is_complete, Kind.MISSING, Kind.ABSENT)
    numbers = np.full(shape, np.nan)
    texts = np.full(shape, -1, dtype=np.int64)
    seen = np.empty((_MAX_TEXTS, 2), np.int64)
    is_read = np.ones(len(rows), np.bool_)
    if names and len(rows):
        table = np.full(2 * _MAX_TEXTS, -1, np.int64)
        read_objects(
            request.data, ranges, *_names_of(names), kinds, numbers, texts, table, seen, is_read
        )
    content = _Content(
        names, rows[is_read], kinds[:, is_read], numbers[:, is_read], texts[:, is_read], seen
    )
    return content, is_read


def _odd(
    request: _Request,
    resources: Sequence[bytes],
    features_of: FeaturesOf,
    names: tuple[str, ...],
) -> Reading:
    """Return what the plain decoder reads of the odd spans."""
    reading = Reading(request.content, features_of, names)
    odd = np.flatnonzero(request.scanned.states == State.ODD)
    for group, resource in enumerate(resources):
        rows = odd[request.group_of[odd] == group]
        places = [
            Place(at, start, end, None) for at, start, end in request.spans[rows, :3].tolist()
        ]
        reading.read_group(resource, places)
    return reading


def _assembled(
    request: _Request,
    resources: tuple[bytes, ...],
    streams: list[StreamKey],
    stream_of: IntArray,
    contents: Sequence[_Content],
    segments: _Segments,
    odd: Reading,
) -> Decoded:
    """Return the plain and the odd spans as one request."""
    starts = np.array([span.place.start for span in odd.found], dtype=np.int64)
    odd_rows = np.searchsorted(request.spans[:, 1], starts)
    has_verdict, ids = request.scanned.has_verdict, request.scanned.ids
    for row, span in zip(odd_rows.tolist(), odd.found, strict=True):
        has_verdict[row] = span.has_verdict
        ids[row] = span.ids
        if span.stream not in streams:
            streams.append(span.stream)
        stream_of[row] = streams.index(span.stream)
    rows = np.flatnonzero(stream_of >= 0)
    ordinals = np.cumsum(stream_of >= 0) - 1
    columns = [
        _columns(request, stream, content, segments, ordinals)
        for stream, content in zip(streams, contents, strict=False)
    ]
    for stream_rows in odd.streams.values():
        if stream_rows.samples:
            read = stream_rows.columns()
            columns.append(replace(read, spans=ordinals[odd_rows[read.spans]]))
    return Decoded(
        spans=InferenceSpans(
            request=request.content,
            places=request.spans[rows],
            messages=request.messages[:, :4],
            resources=resources,
            resource_of=request.group_of[rows],
            streams=streams,
            stream_of=stream_of[rows],
            has_verdict=has_verdict[rows],
            ids=ids[rows],
        ),
        columns=_by_stream(columns),
        n_spans=len(request.spans),
        undecoded=dict(odd.undecoded),
    )


def _by_stream(columns: Sequence[InferenceColumns]) -> tuple[InferenceColumns, ...]:
    """Return *columns* with those of one stream joined, in the order of their first spans."""
    parts: dict[StreamKey, list[InferenceColumns]] = {}
    for part in columns:
        if len(part):
            parts.setdefault(part.stream, []).append(part)
    whole = [joined(of_stream) for of_stream in parts.values()]
    return tuple(sorted(whole, key=lambda rows: int(rows.spans[0])))


def _columns(
    request: _Request,
    stream: StreamKey,
    content: _Content,
    segments: _Segments,
    ordinals: IntArray,
) -> InferenceColumns:
    scanned, rows = request.scanned, content.rows
    is_failed, calls = request.is_failed[rows], request.calls[rows]
    confidences, entropies, margins, values = scanned.numbers[rows].view(np.float64).T
    return InferenceColumns(
        stream=stream,
        spans=ordinals[rows],
        end_times_ns=np.minimum(scanned.end_times[rows], _LATEST_NS).astype(np.int64),
        labels=_text_column(request.content, scanned.labels[rows], scanned.texts),
        confidences=np.clip(confidences, 0.0, 1.0),
        entropies=np.clip(entropies, 0.0, 1.0),
        margins=np.clip(margins, 0.0, 1.0),
        values=values.copy(),
        features={
            name: _value_column(request.content, content, feature)
            for feature, name in enumerate(content.names)
        },
        segments={
            name: _segment_column(request, segments, index, rows)
            for index, name in enumerate(segments.names)
        },
        is_failed=is_failed if is_failed.any() else None,
        calls=calls if (calls[:, 1] >= 0).any() else None,
    )


def _segment_column(
    request: _Request, segments: _Segments, index: int, rows: IntArray
) -> TextColumn:
    """Return what *rows* say under a name, or their resources where they say nothing there."""
    numbers = segments.numbers[index, rows]
    said = _text_column(request.content, np.maximum(numbers, -1), segments.ranges)
    texts = {text: code for code, text in enumerate(said.dictionary)}
    codes = said.codes.copy()
    for group, inherited in enumerate(segments.inherited):
        text = inherited[index]
        if text is not None:
            is_unsaid = (numbers == _UNSAID) & (request.group_of[rows] == group)
            codes[is_unsaid] = texts.setdefault(text, len(texts)) if is_unsaid.any() else -1
    return TextColumn(codes, tuple(texts))


def _value_column(request: bytes, content: _Content, feature: int) -> ValueColumn:
    texts = _text_column(request, content.texts[feature], content.ranges)
    return ValueColumn(
        content.kinds[feature], content.numbers[feature], texts.codes, texts.dictionary
    )


def _text_column(request: bytes, numbers: IntArray, ranges: IntArray) -> TextColumn:
    """Return the texts of those *numbers* with a dictionary of their own; -1 stays -1."""
    if not len(numbers) or numbers.max() < 0:
        return TextColumn(numbers, ())
    used, codes = np.unique(numbers, return_inverse=True)
    said = used[used >= 0]
    texts = tuple(request[start:end].decode() for start, end in ranges[said].tolist())
    return TextColumn(codes - (len(used) - len(said)), texts)

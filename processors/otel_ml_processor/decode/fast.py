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
from otel_ml_processor.decode.class_probabilities import said_numbers
from otel_ml_processor.decode.decoder import Cause, Decoded, no_classes
from otel_ml_processor.decode.fast_json import read_objects
from otel_ml_processor.decode.fast_scan import (
    N_FACTS,
    N_FLAGS,
    TAIL,
    Fact,
    Flag,
    State,
    scan_framing,
    scan_spans,
)
from otel_ml_processor.decode.fast_search import occurs
from otel_ml_processor.decode.fast_segments import scan_segments
from otel_ml_processor.decode.fast_streams import number_streams, number_texts
from otel_ml_processor.decode.fast_words import padded
from otel_ml_processor.decode.inference_spans import InferenceSpans
from otel_ml_processor.decode.joined import joined
from otel_ml_processor.decode.spans import (
    PlainDecoder,
    Reading,
    read_origin,
    read_segments,
)
from otel_ml_processor.decode.whose import Whose
from otel_ml_processor.decode.wire import MAX_FIELDS, MAX_SPANS, Place

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from otel_ml_processor.columns import BoolArray, ByteArray, FloatArray, IntArray
    from otel_ml_processor.decode.decoder import ClassesOf, FeaturesOf

__all__ = ["FastDecoder", "warm"]
_MAX_MESSAGES: Final = 1 << 16
_MAX_TEXTS: Final = 1 << 12
_MAX_TEXTS_FOR_NUMBERS: Final = 16
"""Texts where numbers are expected; a span with further ones is read by the plain decoder."""
_TEXTS_OF_SPAN: Final = 3
"""Model, version and label."""
_USUAL_BYTES: Final = 64
_LEAST_BYTES: Final = 2
_MISSING, _ABSENT = int(Kind.MISSING), int(Kind.ABSENT)
_ODD = int(State.ODD)
_NO_BYTES: Final[ByteArray] = np.zeros((0, 0), np.uint8)
_NO_FLOATS: Final[FloatArray] = np.zeros((0, 0))
_NO_INTEGERS: Final[IntArray] = np.zeros((0, 0), np.int64)
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
    """What `scan_spans` has written of each span."""

    states: ByteArray
    facts: IntArray
    flags: NDArray[np.bool_]
    texts: IntArray

    @classmethod
    def of(cls, data: ByteArray, spans: IntArray) -> _Scanned:
        """Return what *spans* say."""
        n = len(spans)
        texts = np.empty((min(_MAX_TEXTS, _TEXTS_OF_SPAN * n), 2), np.int64)
        states = np.empty(n, np.uint8)
        facts, flags = np.empty((N_FACTS, n), np.int64), np.empty((N_FLAGS, n), np.bool_)
        n_texts = scan_spans(data, spans, _table(len(texts)), texts, states, facts, flags)
        return cls(states, facts, flags, texts[:n_texts])

    @property
    def ids(self) -> NDArray[np.uint64]:
        """The ids as `InferenceSpans.ids` has them."""
        ids: NDArray[np.uint64] = self.facts[Fact.IDS : Fact.IDS + 3].view(np.uint64).T
        return ids


def _table(n_entries: int) -> IntArray:
    """Return an empty table for so many entries: of a power of two of places, at least half of which stay empty."""
    return np.full(2 << n_entries.bit_length(), -1, np.int64)


class FastDecoder:
    """A `Decoder` that says of every request what `PlainDecoder` says; it is made as that is."""

    __slots__ = ("_classes_of", "_features_of", "_plain", "_segments", "_tenants")

    def __init__(
        self,
        features_of: FeaturesOf,
        segments: Sequence[str] = (),
        tenants: str = "",
        classes_of: ClassesOf = no_classes,
    ) -> None:
        self._features_of = features_of
        self._classes_of = classes_of
        self._segments = tuple(segments)
        self._tenants = tenants
        self._plain = PlainDecoder(features_of, segments, tenants, classes_of)

    def decode(self, request: bytes, caller: str = "") -> Decoded:
        """
        Return what *request* says of inferences; see `Decoder`.

        Raises:
            MalformedRequest: If the framing around the spans is broken.
        """
        data = np.empty(len(request) + TAIL, np.uint8)
        data[: len(request)] = np.frombuffer(request, np.uint8)
        data[len(request) :] = 0
        framing = _framing(data, len(request))
        if framing is not None:
            read = _Request.of(request, data, *framing, self._segments)
            whose = Whose(caller, self._tenants)
            decoded = _decoded(read, self._features_of, self._classes_of, whose)
            if decoded is not None:
                return decoded
        return self._plain.decode(request, caller)


def _framing(data: ByteArray, size: int) -> tuple[IntArray, IntArray] | None:
    """Return where messages and spans lie in a request of *size* bytes; None where its framing is not plain."""
    # Most spans are longer than that. Room for as many as there can be would be fifty times the request.
    for least_bytes in (_USUAL_BYTES, _LEAST_BYTES):
        messages = np.empty((min(_MAX_MESSAGES, size // least_bytes + 1), 6), np.int64)
        spans = np.empty((min(MAX_SPANS, size // least_bytes + 1), 4), np.int64)
        n_messages, n_spans = scan_framing(data, size, messages, spans, MAX_FIELDS)
        if n_messages >= 0:
            return messages[:n_messages], spans[:n_spans]
    return None


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
    occurs(b"warm", decoded.spans.request)
    decoded.spans.with_additions(np.zeros(len(decoded.spans), dtype=np.int64), [b""])


class _Request(NamedTuple):
    """A request whose framing is plain, and what its spans say."""

    content: bytes
    data: ByteArray
    messages: IntArray
    spans: IntArray
    scanned: _Scanned
    segments: _Segments
    groups: IntArray
    """Which messages are a `resource_spans` that has spans."""
    group_of: IntArray
    """Shape (n_spans,), positions in `groups`."""
    stream_of: IntArray
    """Shape (n_spans,), positions in `keys`; -1 of what is not plain."""
    keys: IntArray
    """Group, model and version of each stream, the latter as numbers of texts."""

    @classmethod
    def of(
        cls,
        content: bytes,
        data: ByteArray,
        messages: IntArray,
        spans: IntArray,
        names: tuple[str, ...],
    ) -> _Request:
        """Return *content* with what its spans say, also under *names*."""
        scanned = _Scanned.of(data, spans)
        segments = _Segments.of(data, spans, scanned.states, names)
        n = len(spans)
        groups, group_of, stream_of = np.empty((3, n), np.int64)
        keys, table = np.empty((n, 3), np.int64), _table(n)
        states, facts = scanned.states, scanned.facts
        n_groups, n_streams = number_streams(
            messages, spans, states, facts, groups, group_of, stream_of, keys, table
        )
        groups, keys = groups[:n_groups], keys[:n_streams]
        return cls(
            content, data, messages, spans, scanned, segments, groups, group_of, stream_of, keys
        )

    def resources(self) -> tuple[bytes, ...]:
        """Return the resource of each group."""
        return tuple(self.content[a:b] for a, b in self.messages[self.groups, 4:6].tolist())

    def text(self, number: int) -> str:
        """Return the text of that number."""
        start, end = self.scanned.texts[number].tolist() if number >= 0 else (0, 0)
        return self.content[start:end].decode()

    def streams(self, origins: Sequence[tuple[str, str, str]]) -> tuple[list[StreamKey], IntArray]:
        """Return the streams of the plain spans, and the number of each span's, -1 for all others; *origins* are those of the groups."""
        numbers: dict[StreamKey, int] = {}
        number_of = []
        for group, model, version in self.keys.tolist():
            service, environment, tenant = origins[group]
            named = self.text(model), self.text(version)
            stream = StreamKey(service, environment, *named, tenant=tenant)
            number_of.append(numbers.setdefault(stream, len(numbers)))
        stream_of = self.stream_of
        if len(numbers) < len(number_of):  # several groups are of one origin
            stream_of = np.array([*number_of, -1], dtype=np.int64)[stream_of]
        return list(numbers), stream_of


@lru_cache(maxsize=1024)
def _origin(resource: bytes, whose: Whose) -> tuple[str, str, str] | None:
    """Return service, environment and tenant; None where the plain decoder has to say what is wrong with them."""
    origin = read_origin(resource, set(), whose)
    return None if origin is None else (origin.service, origin.environment, origin.tenant)


class _Segments(NamedTuple):
    """What spans say under the *names* that divide a stream: numbers of texts, shape (n_names, n_spans), and where these lie."""

    names: tuple[str, ...]
    numbers: IntArray
    ranges: IntArray

    @classmethod
    def of(
        cls, data: ByteArray, spans: IntArray, states: ByteArray, names: tuple[str, ...]
    ) -> _Segments:
        """Return what the plain ones of *spans* say; one that does not say a text becomes an odd one in *states*."""
        numbers = np.full((len(names), len(spans)), _UNSAID, dtype=np.int64)
        ranges = np.empty((min(_MAX_TEXTS, numbers.size), 2), np.int64)
        if numbers.size:
            packed, table = _names_of(names), _table(len(ranges))
            scan_segments(data, spans, states, *packed, table, ranges, numbers)
        return cls(names, numbers, ranges)


@lru_cache(maxsize=1024)
def _inherited(resource: bytes, names: tuple[str, ...]) -> tuple[str | None, ...] | None:
    """Return what *resource*, which `_origin` could read, says under each of *names*; None where something is wrong with that."""
    causes: set[Cause] = set()
    said = read_segments(resource, names, causes)
    return None if causes else tuple(said[name] for name in names)


def _decoded(
    request: _Request, features_of: FeaturesOf, classes_of: ClassesOf, whose: Whose
) -> Decoded | None:
    """Return what *request* says; None where only the plain decoder can tell."""
    names = request.segments.names
    resources = request.resources()
    origins = [o for each in resources if (o := _origin(each, whose)) is not None]
    if len(origins) < len(resources):
        return None
    inherited = [said for each in resources if (said := _inherited(each, names)) is not None]
    if len(inherited) < len(resources):
        return None
    streams, stream_of = request.streams(origins)
    contents = [
        _with_probabilities(request, content, tuple(classes_of(stream)), stream_of)
        for stream, content in zip(
            streams, _contents(request, streams, stream_of, features_of), strict=True
        )
    ]
    odd = _odd(request, resources, features_of, classes_of, whose)
    n_fast = int(np.count_nonzero(stream_of >= 0))
    if odd.rows_left < n_fast + MAX_ROWS:
        return None  # so many rows that the budget must be spent in their order
    return _assembled(request, resources, streams, stream_of, contents, inherited, odd)


class _Content(NamedTuple):
    """The features of the plain spans of one stream: arrays of shape (n_names, n_rows), a row for each of `rows`."""

    rows: IntArray | slice
    names: Sequence[str] = ()
    kinds: ByteArray = _NO_BYTES
    numbers: FloatArray = _NO_FLOATS
    texts: IntArray = _NO_INTEGERS
    ranges: IntArray = _NO_INTEGERS
    """Where the texts lie; none where no row has one."""
    classes: Sequence[str] = ()
    probabilities: FloatArray = _NO_FLOATS
    """Shape (n_classes, n_rows)."""

    def without(self, stays: BoolArray, rows: IntArray) -> _Content:
        """Return the rows for which *stays* holds, whose positions are *rows*."""
        if not self.names:
            return _Content(rows)
        kinds, numbers, texts = self.kinds[:, stays], self.numbers[:, stays], self.texts[:, stays]
        return self._replace(rows=rows, kinds=kinds, numbers=numbers, texts=texts)


def _contents(
    request: _Request, streams: Sequence[StreamKey], stream_of: IntArray, features_of: FeaturesOf
) -> list[_Content]:
    """Return the features of each stream; a span whose content is not plain becomes an odd one, and of no stream."""
    contents = []
    for number, stream in enumerate(streams):
        is_own = stream_of == number
        # All of them: then columns are cut out of what was read, and not copied.
        rows = slice(0, len(is_own)) if is_own.all() else np.flatnonzero(is_own)
        names = tuple(features_of(stream) or ())
        content = _content(request, rows, names, stream_of) if names else _Content(rows)
        contents.append(content)
    return contents


def _content(
    request: _Request, rows: IntArray | slice, names: tuple[str, ...], stream_of: IntArray
) -> _Content:
    """Return the features of *rows*; of those that could not be read, *stream_of* becomes -1."""
    scanned = request.scanned
    ranges = np.ascontiguousarray(scanned.facts[Fact.FEATURES : Fact.FEATURES + 2, rows].T)
    is_complete = (ranges[:, 0] >= 0) & ~scanned.flags[Flag.IS_CUT, rows]
    shape = (len(names), len(ranges))
    kinds = np.empty(shape, np.uint8)
    kinds[:] = np.where(is_complete, _MISSING, _ABSENT)
    numbers = np.full(shape, np.nan)
    texts = np.full(shape, -1, dtype=np.int64)
    seen = np.empty((min(_MAX_TEXTS, texts.size), 2), np.int64)
    is_read = np.ones(len(ranges), np.bool_)
    packed, table = _names_of(names), _table(len(seen))
    n_texts = read_objects(
        request.data, ranges, *packed, kinds, numbers, texts, table, seen, is_read
    )
    if is_read.all():
        return _Content(rows, names, kinds, numbers, texts, seen[:n_texts])
    content = _Content(rows, names, kinds, numbers, texts, seen[:n_texts])
    return _without_odd(request, content, is_read, stream_of)


def _with_probabilities(
    request: _Request, content: _Content, classes: tuple[str, ...], stream_of: IntArray
) -> _Content:
    """Return *content* with the probabilities of *classes*; of rows whose ones could not be read, *stream_of* becomes -1."""
    if not classes:
        return content
    first = int(Fact.PROBABILITIES)
    ranges = np.ascontiguousarray(request.scanned.facts[first : first + 2, content.rows].T)
    shape = (len(classes), len(ranges))
    kinds = np.full(shape, _MISSING, np.uint8)
    numbers, texts = np.full(shape, np.nan), np.full(shape, -1, dtype=np.int64)
    seen = np.empty((_MAX_TEXTS_FOR_NUMBERS, 2), np.int64)
    is_read = np.ones(len(ranges), np.bool_)
    packed, table = _names_of(classes), _table(len(seen))
    read_objects(request.data, ranges, *packed, kinds, numbers, texts, table, seen, is_read)
    probabilities = said_numbers(kinds, numbers)
    if not is_read.all():
        content = _without_odd(request, content, is_read, stream_of)
        probabilities = probabilities[:, is_read]
    return content._replace(classes=classes, probabilities=probabilities)


def _without_odd(
    request: _Request, content: _Content, is_read: BoolArray, stream_of: IntArray
) -> _Content:
    """Return *content* without the rows that could not be read, which become odd, and of no stream."""
    at = np.arange(len(stream_of))[content.rows]
    request.scanned.states[at[~is_read]] = State.ODD
    stream_of[at[~is_read]] = -1
    return content.without(is_read, at[is_read])


def _odd(
    request: _Request,
    resources: Sequence[bytes],
    features_of: FeaturesOf,
    classes_of: ClassesOf,
    whose: Whose,
) -> Reading:
    """Return what the plain decoder reads of the odd spans."""
    reading = Reading(request.content, features_of, request.segments.names, whose, classes_of)
    odd = np.flatnonzero(request.scanned.states == _ODD)
    if not len(odd):
        return reading
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
    inherited: Sequence[tuple[str | None, ...]],
    odd: Reading,
) -> Decoded:
    """Return the plain and the odd spans as one request."""
    has_verdict, ids = request.scanned.flags[Flag.HAS_VERDICT], request.scanned.ids
    starts = np.array([span.place.start for span in odd.found], dtype=np.int64)
    odd_rows = np.searchsorted(request.spans[:, 1], starts) if len(starts) else starts
    for row, span in zip(odd_rows.tolist(), odd.found, strict=True):
        has_verdict[row] = span.has_verdict
        ids[row] = span.ids
        if span.stream not in streams:
            streams.append(span.stream)
        stream_of[row] = streams.index(span.stream)
    is_found = stream_of >= 0
    rows = slice(None) if is_found.all() else np.flatnonzero(is_found)
    ordinals = np.cumsum(is_found) - 1
    columns = [
        _columns(request, stream, content, inherited, ordinals)
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
    if len(columns) == 1 and len(columns[0]):
        return (columns[0],)
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
    inherited: Sequence[tuple[str | None, ...]],
    ordinals: IntArray,
) -> InferenceColumns:
    (facts, flags), rows = request.scanned[1:3], content.rows
    is_failed, calls = flags[Flag.IS_FAILED, rows], facts[Fact.CALL : Fact.CALL + 2, rows].T
    hashes, thresholds = facts[Fact.HASHES : Fact.HASHES + 2, rows].T, facts[Fact.THRESHOLD, rows]
    numbers = facts[Fact.CONFIDENCE : Fact.CONFIDENCE + 4, rows]
    confidences, entropies, margins, values = numbers.view(np.float64)
    return InferenceColumns(
        stream=stream,
        spans=ordinals[rows],
        end_times_ns=facts[Fact.END_TIME, rows],
        labels=_text_column(request.content, facts[Fact.LABEL, rows], request.scanned.texts),
        confidences=confidences,
        entropies=entropies,
        margins=margins,
        values=values,
        features={
            name: _value_column(request.content, content, feature)
            for feature, name in enumerate(content.names)
        },
        segments={
            name: _segment_column(request, inherited, index, rows)
            for index, name in enumerate(request.segments.names)
        },
        is_failed=is_failed if is_failed.any() else None,
        calls=calls if (calls[:, 1] >= 0).any() else None,
        hashes=hashes if hashes.any() else None,
        thresholds=thresholds if (thresholds >= 0).any() else None,
        probabilities=dict(zip(content.classes, content.probabilities, strict=True)),
    )


def _segment_column(
    request: _Request,
    inherited: Sequence[tuple[str | None, ...]],
    index: int,
    rows: IntArray | slice,
) -> TextColumn:
    """Return what *rows* say under a name, or their resources where they say nothing there."""
    numbers = request.segments.numbers[index, rows]
    said = _text_column(request.content, numbers, request.segments.ranges)
    texts = {text: code for code, text in enumerate(said.dictionary)}
    for group, of_group in enumerate(inherited):
        text = of_group[index]
        if text is not None:
            is_unsaid = (numbers == _UNSAID) & (request.group_of[rows] == group)
            said.codes[is_unsaid] = texts.setdefault(text, len(texts)) if is_unsaid.any() else -1
    return TextColumn(said.codes, tuple(texts))


def _value_column(request: bytes, content: _Content, feature: int) -> ValueColumn:
    kinds, numbers, texts = content.kinds[feature], content.numbers[feature], content.texts[feature]
    if not len(content.ranges):
        return ValueColumn(kinds, numbers, texts)
    said = _text_column(request, texts, content.ranges)
    return ValueColumn(kinds, numbers, said.codes, said.dictionary)


def _text_column(request: bytes, numbers: IntArray, ranges: IntArray) -> TextColumn:
    """Return the texts of those *numbers* with a dictionary of their own; what is negative becomes -1."""
    codes, used = np.empty((2, len(numbers)), np.int64)
    n_used = number_texts(numbers, len(ranges), codes, used)
    said = ranges[used[:n_used]].tolist()
    return TextColumn(codes, tuple(request[start:end].decode() for start, end in said))

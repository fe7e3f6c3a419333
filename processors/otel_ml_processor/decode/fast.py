"""
The fast decoder: compiled code reads what is plain, the plain decoder the rest, and nobody can tell which of them has read a span.

On a machine without numba it would be slower than the plain decoder, which then takes its place.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar

import numpy as np
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span

from otel_ml_conventions.attributes import ML_INPUT_FEATURES, ML_MODEL_NAME, ML_OPERATION_NAME
from otel_ml_processor.columns import InferenceColumns, Kind, StreamKey, TextColumn, ValueColumn
from otel_ml_processor.decode.attributes import MAX_ROWS
from otel_ml_processor.decode.class_probabilities import said_numbers
from otel_ml_processor.decode.decoder import Cause, Decoded, no_classes
from otel_ml_processor.decode.fast_framing import scan_framing
from otel_ml_processor.decode.fast_lines import N_FACTS, N_FLAGS, Fact, Flag, State
from otel_ml_processor.decode.fast_objects import Objects
from otel_ml_processor.decode.fast_scan import N_SCRATCH, scan_spans
from otel_ml_processor.decode.fast_search import occurs
from otel_ml_processor.decode.fast_segments import scan_segments
from otel_ml_processor.decode.fast_streams import (
    N_LINES,
    N_SUMS,
    Line,
    Sum,
    number_streams,
    number_texts,
    sort_rows,
)
from otel_ml_processor.decode.fast_words import in_blocks
from otel_ml_processor.decode.inference_spans import InferenceSpans
from otel_ml_processor.decode.joined import joined
from otel_ml_processor.decode.packed import TextRoom, joined_texts
from otel_ml_processor.decode.said import said_in
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
_MAX_KEPT_BYTES: Final = 4096
"""What a larger resource says is not kept for the next request: a thousand of any size would be a room without walls."""
_LEAST_BYTES: Final = 2
_Scalar = TypeVar("_Scalar", bound=np.generic)
_MISSING, _ABSENT = int(Kind.MISSING), int(Kind.ABSENT)
_NO_BYTES: Final[ByteArray] = np.zeros((0, 0), np.uint8)
_NO_FLOATS: Final[FloatArray] = np.zeros((0, 0))
_NO_INTEGERS: Final[IntArray] = np.zeros((0, 0), np.int64)
# Plain numbers: a member of an enumeration takes twice as long to look up with.
_END_TIME, _GROUP, _STREAM, _THRESHOLD = (
    int(Fact.END_TIME),
    int(Fact.GROUP),
    int(Fact.STREAM),
    int(Fact.THRESHOLD),
)
_NUMBERS, _IDS = (
    slice(int(Fact.CONFIDENCE), Fact.CONFIDENCE + 4),
    slice(int(Fact.IDS), Fact.IDS + 3),
)
_CALLS, _HASHES = slice(int(Fact.CALL), Fact.CALL + 2), slice(int(Fact.HASHES), Fact.HASHES + 2)
_FEATURES = slice(int(Fact.FEATURES), Fact.FEATURES + 2)
_PROBABILITIES = slice(int(Fact.PROBABILITIES), Fact.PROBABILITIES + 2)
_IS_CUT, _IS_FAILED, _HAS_VERDICT = int(Flag.IS_CUT), int(Flag.IS_FAILED), int(Flag.HAS_VERDICT)
_ROW, _SPAN, _LABEL, _USED = int(Line.ROW), int(Line.SPAN), int(Line.LABEL), int(Line.USED)
_END, _LABELS_END, _N_FAILED = int(Sum.END), int(Sum.LABELS_END), int(Sum.FAILED)
_N_CALLS, _N_HASHES, _N_THRESHOLDS = int(Sum.CALLS), int(Sum.HASHES), int(Sum.THRESHOLDS)
_NO_ROWS: Final[IntArray] = np.zeros(0, np.int64)
_UNSAID: Final = -2
"""Instead of the number of a text where a span does not have the attribute."""


class _Scanned(NamedTuple):
    """What `scan_spans` has written of each span."""

    states: ByteArray
    facts: IntArray
    flags: NDArray[np.bool_]
    texts: IntArray
    said: int

    @property
    def ids(self) -> NDArray[np.uint64]:
        """The ids as `InferenceSpans.ids` has them."""
        ids: NDArray[np.uint64] = self.facts[_IDS].view(np.uint64).T
        return ids

    @classmethod
    def of(cls, data: ByteArray, spans: IntArray) -> _Scanned:
        """Return what *spans* say."""
        n = len(spans)
        table, texts = TextRoom.of(min(_MAX_TEXTS, _TEXTS_OF_SPAN * n))
        scratch = np.empty((N_SCRATCH, 5), np.int64)
        states = np.empty(n, np.uint8)
        facts, flags = np.empty((N_FACTS, n), np.int64), np.empty((N_FLAGS, n), np.bool_)
        n_texts, said = scan_spans(data, spans, table, texts, scratch, states, facts, flags)
        return cls(states, facts, flags, texts[:n_texts], said)


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

    def decode(self, request: bytes, caller: str = "", size: int | None = None) -> Decoded:
        """
        Return what *request* says of inferences; see `Decoder`.

        Raises:
            MalformedRequest: If the framing around the spans is broken.
        """
        size = len(request) if size is None else size
        data = in_blocks(request, size)
        framing = _framing(data, size)
        if framing is not None:
            read = _Request.of(request, size, data, *framing, self._segments)
            whose = Whose(caller, self._tenants)
            decoded = _decoded(read, self._features_of, self._classes_of, whose)
            if decoded is not None:
                return decoded
        return self._plain.decode(request, caller, size)


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
    size: int
    """How many bytes of the content are the request's."""
    data: ByteArray
    messages: IntArray
    spans: IntArray
    scanned: _Scanned
    segments: _Segments
    resources: tuple[bytes, ...]
    """Of each group: each `resource_spans` that has spans."""
    keys: list[list[int]]
    """Group, model and version of each stream, the latter as numbers of texts."""
    n_plain: int
    n_odd: int

    @classmethod
    def of(
        cls,
        content: bytes,
        size: int,
        data: ByteArray,
        messages: IntArray,
        spans: IntArray,
        names: tuple[str, ...],
    ) -> _Request:
        """Return *content* with what its spans say, also under *names*."""
        scanned = _Scanned.of(data, spans)
        states, facts = scanned.states, scanned.facts
        segments = _Segments.of(data, spans, states, names)
        groups = np.empty(len(messages), np.int64)
        table = np.empty(2 << len(spans).bit_length(), np.int64)
        keys = np.empty((len(spans), 4), np.int64)
        n_groups, n_streams, n_plain, n_odd = number_streams(
            messages, spans, states, facts, groups, keys, table
        )
        places = messages[groups[:n_groups], 4:6].tolist()
        resources = tuple([content[start:end] for start, end in places])
        streams = keys[:n_streams, :3].tolist()
        counts = n_plain, n_odd
        return cls(
            content, size, data, messages, spans, scanned, segments, resources, streams, *counts
        )

    @property
    def stream_of(self) -> IntArray:
        """Which stream each span is of; -1 of all but inferences."""
        stream_of: IntArray = self.scanned.facts[_STREAM]
        return stream_of

    def text(self, number: int) -> str:
        """Return the text of that number."""
        start, end, _ = self.scanned.texts[number].tolist() if number >= 0 else (0, 0, 0)
        return self.content[start:end].decode()

    def streams(self, origins: Sequence[_Origin]) -> list[StreamKey]:
        """Return the streams of the plain spans, whose numbers become `stream_of`; *origins* are those of the groups."""
        numbers: dict[StreamKey, int] = {}
        number_of = []
        for group, model, version in self.keys:
            stream = _stream(origins[group], self.text(model), self.text(version))
            number_of.append(numbers.setdefault(stream, len(numbers)))
        if len(numbers) < len(number_of):  # several groups are of one origin
            self.stream_of[:] = np.array([*number_of, -1], dtype=np.int64)[self.stream_of]
        return list(numbers)


class _Sorted(NamedTuple):
    """The plain spans of a request, those of one stream behind one another: of a stream they are a slice of each array."""

    facts: IntArray
    flags: NDArray[np.bool_]
    lines: IntArray
    sums: list[list[int]]

    @classmethod
    def of(cls, request: _Request, n_streams: int) -> _Sorted:
        """Return the spans of *request*, of so many streams."""
        states, facts, flags, texts, _ = request.scanned
        lines = np.empty((N_LINES, len(states)), np.int64)
        sums = np.zeros((n_streams, N_SUMS), np.int64)
        sort_rows(states, facts, flags, np.empty(len(texts), np.int64), lines, sums)
        counts = sums.tolist()
        n = counts[-1][_END] if counts else 0
        if n_streams > 1 or n < len(states):
            rows = lines[_ROW, :n]
            facts, flags = np.take(facts, rows, axis=1), np.take(flags, rows, axis=1)
        return cls(facts, flags, lines, counts)

    def rows(self, stream: int) -> slice:
        """Return which rows are those of the stream of that number."""
        return slice(self.sums[stream - 1][_END] if stream else 0, self.sums[stream][_END])

    def labels(self, request: _Request, stream: int) -> TextColumn:
        """Return the labels of that stream."""
        first = self.sums[stream - 1][_LABELS_END] if stream else 0
        used = self.lines[_USED, first : self.sums[stream][_LABELS_END]].tolist()
        codes = self.lines[_LABEL, self.rows(stream)]
        return TextColumn(codes, tuple([request.text(number) for number in used]))


class _Origin(NamedTuple):
    """What the spans of one resource have in common: whose they are, and what it says under each name that divides a stream."""

    service: str
    environment: str
    tenant: str
    inherited: tuple[str | None, ...]


def _origin(resource: bytes, whose: Whose, names: tuple[str, ...]) -> _Origin | None:
    """Return what *resource* says; None where the plain decoder has to say what is wrong with it."""
    find = _kept_origin if len(resource) <= _MAX_KEPT_BYTES else _read_origin
    return find(resource, whose, names)


def _read_origin(resource: bytes, whose: Whose, names: tuple[str, ...]) -> _Origin | None:
    causes: set[Cause] = set()
    origin = read_origin(resource, causes, whose)
    said = {} if origin is None else read_segments(resource, names, causes)
    if origin is None or causes:
        return None
    inherited = tuple(said[name] for name in names)
    return _Origin(origin.service, origin.environment, origin.tenant, inherited)


_kept_origin: Final = lru_cache(maxsize=1024)(_read_origin)


@lru_cache(maxsize=1024)
def _stream(origin: _Origin, model: str, version: str) -> StreamKey:
    return StreamKey(origin.service, origin.environment, model, version, tenant=origin.tenant)


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
        if not names or not len(spans):
            return cls(names, _NO_INTEGERS, _NO_INTEGERS)
        numbers = np.full((len(names), len(spans)), _UNSAID, dtype=np.int64)
        table, ranges = TextRoom.of(min(_MAX_TEXTS, numbers.size))
        scan_segments(data, spans, states, *joined_texts(names), table, ranges, numbers)
        return cls(names, numbers, ranges)


def _decoded(
    request: _Request, features_of: FeaturesOf, classes_of: ClassesOf, whose: Whose
) -> Decoded | None:
    """Return what *request* says; None where only the plain decoder can tell."""
    names = request.segments.names
    origins = [o for r in request.resources if (o := _origin(r, whose, names)) is not None]
    if len(origins) < len(request.resources):
        return None
    streams = request.streams(origins)
    rows = _Sorted.of(request, len(streams))
    contents = [
        _content(request, rows, number, features_of(stream), classes_of(stream))
        for number, stream in enumerate(streams)
    ]
    if not request.n_odd and all(content.is_whole for content in contents):
        return _assembled(request, rows, streams, contents, origins)
    odd = _odd(request, features_of, classes_of, whose)
    if odd.rows_left < request.n_plain + MAX_ROWS:
        return None  # so many rows that the budget must be spent in their order
    odd_rows = _note(odd, request, streams)
    rows = _Sorted.of(request, len(streams))
    return _assembled(request, rows, streams, contents, origins, odd, odd_rows)


class _Content(NamedTuple):
    """The features of the plain spans of one stream: arrays of shape (n_names, n_rows)."""

    names: Sequence[str] = ()
    kinds: ByteArray = _NO_BYTES
    numbers: FloatArray = _NO_FLOATS
    texts: IntArray = _NO_INTEGERS
    ranges: IntArray = _NO_INTEGERS
    """Where the texts lie; none where no row has one."""
    classes: Sequence[str] = ()
    probabilities: FloatArray = _NO_FLOATS
    """Shape (n_classes, n_rows)."""
    is_whole: bool = True
    """Whether all rows that there were could be read; the others are not in here."""

    def without_odd(self, is_read: BoolArray) -> _Content:
        """Return the rows for which *is_read* holds."""
        return self._replace(
            kinds=_compressed(self.kinds, is_read),
            numbers=_compressed(self.numbers, is_read),
            texts=_compressed(self.texts, is_read),
            probabilities=_compressed(self.probabilities, is_read),
            is_whole=False,
        )


def _compressed(columns: NDArray[_Scalar], is_read: BoolArray) -> NDArray[_Scalar]:
    return np.compress(is_read, columns, axis=1) if len(columns) else columns


_NO_CONTENT: Final = _Content()


def _content(
    request: _Request,
    rows: _Sorted,
    stream: int,
    names: Sequence[str] | None,
    classes: Sequence[str],
) -> _Content:
    """Return the features and the probabilities of the rows of a stream; a span that has some that could not be read becomes an odd one, and of no stream."""
    if not names and not classes:
        return _NO_CONTENT
    of = rows.rows(stream)
    content, is_read = _NO_CONTENT, np.ones(of.stop - of.start, np.bool_)
    if names:
        places = rows.facts[_FEATURES, of]
        is_complete = (places[0] >= 0) & ~rows.flags[_IS_CUT, of]
        unsaid = np.where(is_complete, _MISSING, _ABSENT)
        read = Objects.of(request.data, places, names, unsaid, _MAX_TEXTS)
        content = _Content(names, *read[:4])
        is_read &= read.is_read
    if classes:
        places = rows.facts[_PROBABILITIES, of]
        unsaid = np.full(len(is_read), _MISSING)
        read = Objects.of(request.data, places, classes, unsaid, _MAX_TEXTS_FOR_NUMBERS)
        probabilities = said_numbers(read.kinds, read.numbers)
        content = content._replace(classes=classes, probabilities=probabilities)
        is_read &= read.is_read
    if is_read.all():
        return content
    odd = rows.lines[_ROW, of][~is_read]
    request.scanned.states[odd] = State.ODD
    request.stream_of[odd] = -1
    return content.without_odd(is_read)


def _odd(
    request: _Request, features_of: FeaturesOf, classes_of: ClassesOf, whose: Whose
) -> Reading:
    """Return what the plain decoder reads of the odd spans."""
    reading = Reading(request.content, features_of, request.segments.names, whose, classes_of)
    odd = np.flatnonzero(request.scanned.states == State.ODD)
    group_of = request.scanned.facts[_GROUP, odd]
    for group, resource in enumerate(request.resources):
        rows = odd[group_of == group]
        places = [
            Place(at, start, end, None) for at, start, end in request.spans[rows, :3].tolist()
        ]
        reading.read_group(resource, places)
    return reading


def _note(odd: Reading, request: _Request, streams: list[StreamKey]) -> IntArray:
    """Add to *streams*, and to what is said of the spans of *request*, what the plain decoder has read; return which spans these are."""
    starts = np.array([span.place.start for span in odd.found], dtype=np.int64)
    rows: IntArray = np.searchsorted(request.spans[:, 1], starts)
    has_verdict, ids = request.scanned.flags[_HAS_VERDICT], request.scanned.ids
    for row, span in zip(rows.tolist(), odd.found, strict=True):
        has_verdict[row] = span.has_verdict
        ids[row] = span.ids
        if span.stream not in streams:
            streams.append(span.stream)
        request.stream_of[row] = streams.index(span.stream)
    return rows


def _assembled(
    request: _Request,
    rows: _Sorted,
    streams: list[StreamKey],
    contents: Sequence[_Content],
    origins: Sequence[_Origin],
    odd: Reading | None = None,
    odd_rows: IntArray = _NO_ROWS,
) -> Decoded:
    """Return the plain and the odd spans, which are at *odd_rows*, as one request."""
    _, facts, flags, _, said = request.scanned
    columns = [
        _columns(request, rows, number, streams[number], content, origins)
        for number, content in enumerate(contents)
    ]
    stream_of = request.stream_of
    found: IntArray | slice = slice(None)
    if request.n_plain < len(stream_of) or odd is not None:
        found = np.flatnonzero(stream_of >= 0)
    if odd is not None:
        spans = np.searchsorted(np.flatnonzero(stream_of >= 0), odd_rows)
        for of_stream in odd.streams.values():
            if of_stream.samples:
                read = of_stream.columns()
                columns.append(replace(read, spans=spans[read.spans]))
    if said < 0:
        said = said_in(request.content)
    return Decoded(
        spans=InferenceSpans(
            content=request.content,
            size=request.size,
            places=request.spans[found],
            messages=request.messages[:, :4],
            resources=request.resources,
            resource_of=facts[_GROUP, found],
            streams=streams,
            stream_of=stream_of[found],
            has_verdict=flags[_HAS_VERDICT, found],
            ids=request.scanned.ids[found],
            said=said if odd is None else said | odd.said,
        ),
        columns=_by_stream(columns),
        n_spans=len(request.spans),
        undecoded={} if odd is None else dict(odd.undecoded),
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
    rows: _Sorted,
    number: int,
    stream: StreamKey,
    content: _Content,
    origins: Sequence[_Origin],
) -> InferenceColumns:
    """Return the rows of the stream of that *number*."""
    facts, of, sums = rows.facts, rows.rows(number), rows.sums[number]
    confidences, entropies, margins, values = facts[_NUMBERS, of].view(np.float64)
    return InferenceColumns(
        stream=stream,
        spans=rows.lines[_SPAN, of],
        end_times_ns=facts[_END_TIME, of],
        labels=rows.labels(request, number),
        confidences=confidences,
        entropies=entropies,
        margins=margins,
        values=values,
        features={
            name: _value_column(request.content, content, feature)
            for feature, name in enumerate(content.names)
        },
        segments={
            name: _segment_column(request, rows, of, origins, index)
            for index, name in enumerate(request.segments.names)
        },
        is_failed=rows.flags[_IS_FAILED, of] if sums[_N_FAILED] else None,
        calls=facts[_CALLS, of].T if sums[_N_CALLS] else None,
        hashes=facts[_HASHES, of].T if sums[_N_HASHES] else None,
        thresholds=facts[_THRESHOLD, of] if sums[_N_THRESHOLDS] else None,
        probabilities=dict(zip(content.classes, content.probabilities, strict=True)),
    )


def _segment_column(
    request: _Request, rows: _Sorted, of: slice, origins: Sequence[_Origin], index: int
) -> TextColumn:
    """Return what rows say under a name, or their resources where they say nothing there."""
    numbers = request.segments.numbers[index, rows.lines[_ROW, of]]
    said = _text_column(request.content, numbers, request.segments.ranges)
    texts = {text: code for code, text in enumerate(said.dictionary)}
    for group, origin in enumerate(origins):
        text = origin.inherited[index]
        if text is not None:
            is_unsaid = (numbers == _UNSAID) & (rows.facts[_GROUP, of] == group)
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
    n_used = number_texts(numbers, np.empty(len(ranges), np.int64), codes, used)
    said = ranges[used[:n_used], :2].tolist()
    return TextColumn(codes, tuple([request[start:end].decode() for start, end in said]))

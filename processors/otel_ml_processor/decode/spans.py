"""
The plain decoder: every span parsed by protobuf on its own, so that one that cannot be read costs no other.

It says what a faster decoder must say too, and takes over for spans that one does not understand.
"""

from __future__ import annotations

import struct
from collections import Counter
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from google.protobuf.message import DecodeError
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from otel_ml_conventions.attributes import (
    DEPLOYMENT_ENVIRONMENT_NAME,
    ML_MODEL_NAME,
    ML_MODEL_VERSION,
    ML_OPERATION_NAME,
    SERVICE_NAME,
    MlOperationNameValues,
)
from otel_ml_processor.columns import InferenceColumns, StreamKey
from otel_ml_processor.decode.attributes import text
from otel_ml_processor.decode.calls import CALL_KEYS, NO_CALL, call_of
from otel_ml_processor.decode.class_probabilities import (
    Probabilities,
    probabilities_of,
    probability_columns,
)
from otel_ml_processor.decode.decoder import Cause, Decoded, no_classes
from otel_ml_processor.decode.hashes import HASH_KEYS, NO_HASHES, hashes_of
from otel_ml_processor.decode.inference_spans import InferenceSpans
from otel_ml_processor.decode.said import Said, said_in
from otel_ml_processor.decode.samples import SAMPLE_KEYS, Sample, read_samples
from otel_ml_processor.decode.trace_state import NO_THRESHOLD, threshold_of
from otel_ml_processor.decode.value_column import text_column, value_column
from otel_ml_processor.decode.whose import ONE_TENANT, Whose
from otel_ml_processor.decode.wire import Place, scan

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

    from otel_ml_processor.columns import IntArray
    from otel_ml_processor.decode.decoder import ClassesOf, FeaturesOf

__all__ = [
    "INFERENCES",
    "MAX_ATTRIBUTES",
    "MAX_REQUEST_ROWS",
    "MAX_SPAN_BYTES",
    "VERDICT_PREFIX",
    "PlainDecoder",
    "Reading",
    "read_origin",
    "read_segments",
]

MAX_SPAN_BYTES: Final = 2 << 20
"""A longer inference span is not read: parsed, it would take twenty times as much memory."""
MAX_ATTRIBUTES: Final = 1024
"""An inference span with more is not read."""
MAX_REQUEST_ROWS: Final = 1 << 18
"""Rows of all batches of one request; a span that would exceed it gives none."""

INFERENCES: Final = frozenset(
    operation.value
    for operation in (
        MlOperationNameValues.PREDICT,
        MlOperationNameValues.TRANSFORM,
        MlOperationNameValues.EMBED,
        MlOperationNameValues.GENERATE,
    )
)
_MODEL_NAME: Final = ML_MODEL_NAME.encode()
VERDICT_PREFIX: Final = "ml.verdict."
_IDENTITY: Final = frozenset({ML_MODEL_NAME, ML_MODEL_VERSION, ML_OPERATION_NAME})
_READ: Final = SAMPLE_KEYS | CALL_KEYS | HASH_KEYS | _IDENTITY
_ORIGIN: Final = frozenset({SERVICE_NAME, DEPLOYMENT_ENVIRONMENT_NAME})
_LATEST_NS: Final = (1 << 63) - 1
_TRACE_ID_BYTES: Final = 16
_SPAN_ID_BYTES: Final = 8


class PlainDecoder:
    """
    A `Decoder`; *features_of* gives the names of the features to keep of a stream, None to keep none.

    *segments* are names of attributes, of spans or of their resource, whose texts are kept; a span's own value comes before its resource's.
    *tenants* is the name of the attribute of a resource that says its tenant, empty where none does. *classes_of* gives the classes
    whose probabilities to keep of a stream.
    """

    __slots__ = ("_classes_of", "_features_of", "_segments", "_tenants")

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

    def decode(self, request: bytes, caller: str = "", size: int | None = None) -> Decoded:
        """
        Return what *request* says of inferences; see `Decoder`.

        Raises:
            MalformedRequest: If the framing around the spans is broken.
        """
        request = request[:size]
        whose = Whose(caller, self._tenants)
        reading = Reading(request, self._features_of, self._segments, whose, self._classes_of)
        groups = scan(request)
        for group in groups:
            reading.read_group(group.resource, group.spans)
        return Decoded(
            spans=_inference_spans(request, reading.found, said_in(request) | reading.said),
            columns=tuple(rows.columns() for rows in reading.streams.values() if rows.samples),
            n_spans=sum(len(group.spans) for group in groups),
            undecoded=dict(reading.undecoded),
        )


class Origin(NamedTuple):
    """What the spans of one resource have in common."""

    resource: bytes
    service: str
    environment: str
    tenant: str = ""


class FoundSpan(NamedTuple):
    """An inference span that was read."""

    place: Place
    resource: bytes
    stream: StreamKey
    has_verdict: bool
    ids: tuple[int, int, int]


class StreamRows:
    """The rows of one stream, as they arrive."""

    __slots__ = (
        "calls",
        "classes",
        "end_times_ns",
        "hashes",
        "is_failed",
        "names",
        "probabilities",
        "samples",
        "segments",
        "spans",
        "stream",
        "thresholds",
    )

    def __init__(
        self,
        stream: StreamKey,
        names: Sequence[str],
        segments: Sequence[str],
        classes: Sequence[str],
    ) -> None:
        self.stream = stream
        self.names = names
        self.classes = classes
        self.probabilities: list[Probabilities] = []
        self.segments: dict[str, list[str | None]] = {name: [] for name in segments}
        self.is_failed: list[bool] = []
        self.calls: list[tuple[int, int]] = []
        self.hashes: list[tuple[int, int]] = []
        self.thresholds: list[int] = []
        self.spans: list[int] = []
        self.end_times_ns: list[int] = []
        self.samples: list[Sample] = []

    def add(
        self,
        span: int,
        end_time_ns: int,
        samples: Sequence[Sample],
        segments: Mapping[str, str | None],
        is_failed: bool,
        call: tuple[int, int],
        hashes: tuple[int, int],
        probabilities: Sequence[Probabilities],
        threshold: int,
    ) -> None:
        self.probabilities += probabilities
        self.thresholds += [threshold] * len(samples)
        for name, column in self.segments.items():
            column.extend([segments[name]] * len(samples))
        self.is_failed += [is_failed] * len(samples)
        self.calls += [call] * len(samples)
        self.hashes += [hashes] * len(samples)
        self.spans += [span] * len(samples)
        self.end_times_ns += [min(end_time_ns, _LATEST_NS)] * len(samples)
        self.samples += samples

    def columns(self) -> InferenceColumns:
        columns = zip(*self.samples, strict=True)
        labels, confidences, entropies, margins, values, contents, flaws = columns
        return InferenceColumns(
            stream=self.stream,
            spans=np.array(self.spans, dtype=np.int64),
            end_times_ns=np.array(self.end_times_ns, dtype=np.int64),
            labels=text_column(labels),
            confidences=np.array(confidences, dtype=np.float64),
            entropies=np.array(entropies, dtype=np.float64),
            margins=np.array(margins, dtype=np.float64),
            values=np.array(values, dtype=np.float64),
            features={
                name: value_column([row.values.get(name, row.default) for row in contents])
                for name in self.names
            },
            segments={name: text_column(column) for name, column in self.segments.items()},
            is_failed=np.array(self.is_failed, dtype=bool) if any(self.is_failed) else None,
            calls=None if set(self.calls) == {NO_CALL} else np.array(self.calls, dtype=np.int64),
            hashes=None if set(self.hashes) == {NO_HASHES} else np.array(self.hashes, np.int64),
            flaws=np.array(flaws, dtype=np.uint8) if any(flaws) else None,
            probabilities=probability_columns(self.probabilities, self.classes),
            thresholds=None
            if set(self.thresholds) == {NO_THRESHOLD}
            else np.array(self.thresholds, dtype=np.int64),
        )


class Reading:
    """What has been read of one request so far."""

    __slots__ = (
        "_classes_of",
        "_features_of",
        "_read",
        "_request",
        "_segments",
        "_whose",
        "found",
        "rows_left",
        "said",
        "streams",
        "undecoded",
    )

    def __init__(
        self,
        request: bytes,
        features_of: FeaturesOf,
        segments: Sequence[str] = (),
        whose: Whose = ONE_TENANT,
        classes_of: ClassesOf = no_classes,
    ) -> None:
        self._request = request
        self._classes_of = classes_of
        self._whose = whose
        self._features_of = features_of
        self._segments = segments
        self._read = _READ | set(segments)
        self.rows_left = MAX_REQUEST_ROWS
        self.said = 0
        self.found: list[FoundSpan] = []
        self.streams: dict[StreamKey, StreamRows] = {}
        self.undecoded: Counter[str] = Counter()

    def read_group(self, resource: bytes, places: Iterable[Place]) -> None:
        """Read the inference spans among those at *places*, all of one *resource*; the resource itself only if there is one."""
        # Most spans are no inferences, and one that does not contain the key need not be parsed to know.
        find = self._request.find
        candidates = [p for p in places if find(_MODEL_NAME, p.start, p.end) >= 0]
        if not candidates:
            return
        common: set[Cause] = set()
        origin = read_origin(resource, common, self._whose)
        odd: set[Cause] = set()
        inherited = read_segments(resource, self._segments, odd) if origin is not None else {}
        for place in candidates:
            causes = set(common)
            if origin is not None and self._read_span(place, origin, inherited, causes):
                causes |= odd
            if causes:
                self.undecoded.update(cause.value for cause in causes)

    def _read_span(
        self,
        place: Place,
        origin: Origin,
        inherited: Mapping[str, str | None],
        causes: set[Cause],
    ) -> bool:
        """Read the span at *place*; return whether it is an inference that could be read."""
        span = _parsed_span(self._request, place, causes)
        if span is None:
            return False
        attributes = _by_key(span.attributes, self._read)
        stream = _stream(attributes, origin, causes)
        if stream is None:
            return False
        rows = self._rows_of(stream)
        samples = read_samples(attributes, rows.names, causes)
        if len(samples) > self.rows_left:
            causes.add(Cause.OVERSIZED)
            samples = []
        self.rows_left -= len(samples)
        if len(samples) > 1:
            self.said = int(Said.BATCHES)
        wants = bool(rows.classes and samples)
        probabilities = probabilities_of(attributes, len(samples), causes) if wants else ()
        segments = {
            name: text(attributes[name], causes) if name in attributes else inherited[name]
            for name in self._segments
        }
        is_failed = span.status.code == Status.STATUS_CODE_ERROR
        said = (
            call_of(attributes),
            hashes_of(attributes),
            probabilities,
            threshold_of(span.trace_state),
        )
        rows.add(len(self.found), span.end_time_unix_nano, samples, segments, is_failed, *said)
        has_verdict = self._has_verdict(span, place)
        self.found.append(FoundSpan(place, origin.resource, stream, has_verdict, _ids(span)))
        return True

    def _has_verdict(self, span: Span, place: Place) -> bool:
        if self._request.find(VERDICT_PREFIX.encode(), place.start, place.end) < 0:
            return False
        return any(attribute.key.startswith(VERDICT_PREFIX) for attribute in span.attributes)

    def _rows_of(self, stream: StreamKey) -> StreamRows:
        rows = self.streams.get(stream)
        if rows is None:
            names, classes = self._features_of(stream) or (), self._classes_of(stream)
            rows = StreamRows(stream, names, self._segments, classes)
            self.streams[stream] = rows
        return rows


def _inference_spans(request: bytes, found: Sequence[FoundSpan], said: int) -> InferenceSpans:
    messages: dict[Place, int] = {}
    for span in found:
        _add_around(span.place, messages)
    resources = {span.resource: None for span in found}
    streams = {span.stream: None for span in found}
    return InferenceSpans(
        content=request,
        size=len(request),
        places=_table([span.place for span in found], messages),
        messages=_table(list(messages), messages),
        resources=tuple(resources),
        resource_of=_positions([span.resource for span in found], tuple(resources)),
        streams=tuple(streams),
        stream_of=_positions([span.stream for span in found], tuple(streams)),
        has_verdict=np.array([span.has_verdict for span in found], dtype=bool),
        ids=np.array([span.ids for span in found], dtype=np.uint64).reshape(-1, 3),
        said=said,
    )


def _ids(span: Span) -> tuple[int, int, int]:
    """Return trace id and span id as `InferenceSpans.ids` has them."""
    trace_id = span.trace_id if len(span.trace_id) == _TRACE_ID_BYTES else bytes(_TRACE_ID_BYTES)
    span_id = span.span_id if len(span.span_id) == _SPAN_ID_BYTES else bytes(_SPAN_ID_BYTES)
    first, second, third = struct.unpack("<QQQ", trace_id + span_id)
    return first, second, third


def _add_around(place: Place, messages: dict[Place, int]) -> None:
    """Give a number to each message around *place*, the outer ones first."""
    if place.parent is not None and place.parent not in messages:
        _add_around(place.parent, messages)
        messages[place.parent] = len(messages)


def _table(places: Sequence[Place], messages: Mapping[Place, int]) -> IntArray:
    rows = [
        (
            place.length_at,
            place.start,
            place.end,
            -1 if place.parent is None else messages[place.parent],
        )
        for place in places
    ]
    return np.array(rows, dtype=np.int64).reshape(-1, 4)


def _positions(items: Sequence[object], among: Sequence[object]) -> IntArray:
    numbers = {item: number for number, item in enumerate(among)}
    return np.array([numbers[item] for item in items], dtype=np.int64)


def _parsed_span(request: bytes, place: Place, causes: set[Cause]) -> Span | None:
    if place.end - place.start > MAX_SPAN_BYTES:
        causes.add(Cause.OVERSIZED)
        return None
    try:
        span = Span.FromString(request[place.start : place.end])
    except DecodeError:
        causes.add(Cause.MALFORMED_SPAN)
        return None
    if len(span.attributes) > MAX_ATTRIBUTES:
        causes.add(Cause.OVERSIZED)
        return None
    return span


def read_origin(resource: bytes, causes: set[Cause], whose: Whose = ONE_TENANT) -> Origin | None:
    """Return whose spans those of *resource* are; None, with the reason added to *causes*, where that cannot be read."""
    if len(resource) > MAX_SPAN_BYTES:
        causes.add(Cause.OVERSIZED)
        return None
    try:
        attributes = _by_key(Resource.FromString(resource).attributes, _ORIGIN | {whose.attribute})
    except DecodeError:
        causes.add(Cause.MALFORMED_SPAN)
        return None
    service = text(attributes.get(SERVICE_NAME), causes)
    environment = text(attributes.get(DEPLOYMENT_ENVIRONMENT_NAME), causes)
    said = text(attributes.get(whose.attribute), causes) if whose.attribute else whose.caller
    # Whose inferences these are must be certain: two services never share a stream.
    return None if causes else Origin(resource, service or "", environment or "", said or "")


def read_segments(
    resource: bytes, names: Sequence[str], causes: set[Cause]
) -> dict[str, str | None]:
    """Return what *resource*, which `read_origin` could read, says under each of *names*; None where it says nothing that can be read."""
    if not names:
        return {}
    attributes = _by_key(Resource.FromString(resource).attributes, frozenset(names))
    return {name: text(attributes.get(name), causes) for name in names}


def _by_key(attributes: Iterable[KeyValue], keys: frozenset[str]) -> dict[str, AnyValue]:
    """Return the values of *keys*; of one that is written twice, against the rules, the last."""
    # A value that nobody asks for costs as much to touch as the whole span costs to parse.
    return {key: attribute.value for attribute in attributes if (key := attribute.key) in keys}


def _stream(
    attributes: Mapping[str, AnyValue], origin: Origin, causes: set[Cause]
) -> StreamKey | None:
    """Return whose inference this is; None if it is none, or if that cannot be read."""
    if _said(attributes, ML_OPERATION_NAME, causes) not in INFERENCES:
        return None
    model = _said(attributes, ML_MODEL_NAME, causes)
    version = text(attributes.get(ML_MODEL_VERSION), causes)
    if causes or not model:
        return None
    return StreamKey(origin.service, origin.environment, model, version or "", origin.tenant)


def _said(attributes: Mapping[str, AnyValue], key: str, causes: set[Cause]) -> str | None:
    """Return the text under *key*; here a number is none."""
    value = attributes.get(key)
    if value is not None and value.WhichOneof("value") not in {"string_value", None}:
        causes.add(Cause.WRONG_TYPE)
        return None
    return text(value, causes)

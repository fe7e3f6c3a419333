"""Content is taken off what is forwarded, and nothing else: the bytes against a naive twin that parses and writes anew."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ResourceLogs, ScopeLogs
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric, ResourceMetrics, ScopeMetrics
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span

from otel_ml_processor.decode import fast_strip, strip
from otel_ml_processor.decode.strip import content_keys, stripped
from otel_ml_processor.decode.wire import MalformedRequest
from otel_ml_processor.signals import Signal

KEYS = frozenset({"ml.input.features", "exception.message", "k"})
UNKNOWN = bytes.fromhex("a206056e6577657aaa0600")
"""Fields 100 and 101, which nobody knows: a text and an empty one."""


@pytest.fixture(name="_way", params=["compiled", "plain"], autouse=True)
def way(request: pytest.FixtureRequest) -> object:
    """Run every test over both ways of the same functions."""
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "plain":
            patch.setattr(strip, "IS_COMPILED", False)
            for name in ("find", "cut_out"):
                patch.setattr(strip, name, plain(getattr(fast_strip, name)))
            for name in ("_varint", "_skip", "_has_key", "_is_key", "length_size", "write_length", "_copy"):  # fmt: skip
                patch.setattr(fast_strip, name, plain(getattr(fast_strip, name)))
        strip._encoded.cache_clear()
        yield
    strip._encoded.cache_clear()


def plain(function: object) -> object:
    """Return what was written before it was compiled."""
    return getattr(function, "py_func", function)


def values(depth: int = 2) -> st.SearchStrategy[AnyValue]:
    """Return values of every kind, also of those that lie within others."""
    simple = st.one_of(
        st.builds(AnyValue, string_value=st.text(max_size=200)),
        st.builds(AnyValue, int_value=st.integers(-(2**63), 2**63 - 1)),
        st.builds(AnyValue, bytes_value=st.binary(max_size=20)),
        st.just(AnyValue()),
    )
    if not depth:
        return simple
    kept = st.builds(KeyValue, key=st.sampled_from(sorted(KEYS)), value=values(depth - 1))
    nested = st.lists(kept, max_size=2).map(
        lambda pairs: AnyValue(kvlist_value={"values": pairs})  # type: ignore[arg-type]  # protobuf takes it
    )
    return simple | nested


ATTRIBUTES = st.lists(
    st.builds(
        KeyValue,
        key=st.sampled_from(
            [*sorted(KEYS), "ml.input.feature", "ml.model.name", "exception.messages"]
        ),
        value=values(),
    ),
    max_size=4,
)
SPANS = st.builds(
    Span,
    trace_id=st.binary(min_size=16, max_size=16),
    name=st.text(max_size=5),
    attributes=ATTRIBUTES,
    events=st.lists(
        st.builds(Span.Event, name=st.text(max_size=3), attributes=ATTRIBUTES), max_size=2
    ),
    links=st.lists(st.builds(Span.Link, attributes=ATTRIBUTES), max_size=2),
    end_time_unix_nano=st.integers(0, 2**64 - 1),
)
TRACES = st.builds(
    ExportTraceServiceRequest,
    resource_spans=st.lists(
        st.builds(
            ResourceSpans,
            resource=st.builds(Resource, attributes=ATTRIBUTES),
            scope_spans=st.lists(
                st.builds(ScopeSpans, spans=st.lists(SPANS, max_size=3)), max_size=2
            ),
        ),
        max_size=2,
    ),
)
LOGS = st.builds(
    ExportLogsServiceRequest,
    resource_logs=st.lists(
        st.builds(
            ResourceLogs,
            scope_logs=st.lists(
                st.builds(
                    ScopeLogs,
                    log_records=st.lists(st.builds(LogRecord, attributes=ATTRIBUTES), max_size=3),
                ),
                max_size=2,
            ),
        ),
        max_size=2,
    ),
)


def without_content(attributes: object) -> int:
    """Take those with one of the keys off, and return how many there were."""
    kept = [a for a in attributes if a.key not in KEYS]  # type: ignore[attr-defined]  # a repeated field
    n = len(attributes) - len(kept)  # type: ignore[arg-type]  # the same
    del attributes[:]  # type: ignore[attr-defined]  # the same
    attributes.extend(kept)  # type: ignore[attr-defined]  # the same
    return n


@settings(max_examples=60, deadline=None)
@given(TRACES)
def test_of_traces_exactly_the_content_goes(request: ExportTraceServiceRequest) -> None:
    """Of spans, their events and links, not of resources, nor of values that look alike inside; the rest byte for byte."""
    written = request.SerializeToString()
    n = 0
    for group in request.resource_spans:
        for scoped in group.scope_spans:
            for span in scoped.spans:
                n += without_content(span.attributes)
                n += sum(without_content(event.attributes) for event in span.events)
                n += sum(without_content(link.attributes) for link in span.links)
    assert stripped(written, Signal.TRACES, KEYS) == (request.SerializeToString(), n)


@settings(max_examples=40, deadline=None)
@given(LOGS)
def test_of_logs_exactly_the_content_goes(request: ExportLogsServiceRequest) -> None:
    """Of records."""
    written = request.SerializeToString()
    records = [
        record
        for group in request.resource_logs
        for scoped in group.scope_logs
        for record in scoped.log_records
    ]
    n = sum(without_content(record.attributes) for record in records)
    assert stripped(written, Signal.LOGS, KEYS) == (request.SerializeToString(), n)


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=300), st.sampled_from([Signal.TRACES, Signal.LOGS]))
def test_any_bytes_are_stripped_or_refused(data: bytes, signal: Signal) -> None:
    """Nothing else happens, whatever they say."""
    refusal = None
    result = b""
    try:
        result, _ = stripped(data, signal, KEYS)
    except MalformedRequest as error:
        refusal = error
    assert len(result) <= len(data)
    assert refusal is None or signal.request.__name__ in refusal.message


@settings(max_examples=60, deadline=None)
@given(TRACES, st.data())
def test_a_damaged_request_lets_no_content_through(
    request: ExportTraceServiceRequest, data: st.DataObject
) -> None:
    """One byte is changed: where a parser still finds spans in it, it finds none with content."""
    written = bytearray(request.SerializeToString())
    if written:
        at = data.draw(st.integers(0, len(written) - 1))
        written[at] ^= data.draw(st.integers(1, 255))
    try:
        result, _ = stripped(bytes(written), Signal.TRACES, KEYS)
        parsed = ExportTraceServiceRequest.FromString(result)
    except Exception:  # noqa: BLE001 - refused by us, or by every parser
        return
    spans = [s for r in parsed.resource_spans for c in r.scope_spans for s in c.spans]
    attributes = [
        *(attribute for span in spans for attribute in span.attributes),
        *(attribute for span in spans for event in span.events for attribute in event.attributes),
        *(attribute for span in spans for link in span.links for attribute in link.attributes),
    ]
    assert not {attribute.key for attribute in attributes} & KEYS


def test_what_nobody_knows_stays_where_it_is() -> None:
    """Unknown fields at every level, and lengths that are written longer than needed, where nothing is taken out of them."""
    attribute = KeyValue(key="ml.input.features", value=AnyValue(string_value="x" * 300))
    name = Span(name="n").SerializeToString() + UNKNOWN
    body = attribute.SerializeToString()
    content = b"\x4a" + bytes([len(body) & 0x7F | 0x80, len(body) >> 7]) + body
    long_empty = b"\x4a\x80\x80\x00"
    with_content = wrapped(name + content + long_empty)
    assert stripped(with_content, Signal.TRACES, KEYS) == (wrapped(name + long_empty), 1)


def wrapped(span: bytes) -> bytes:
    """Return a request of one span, with unknown fields around everything."""
    body = span
    for tag in (b"\x12", b"\x12", b"\x0a"):
        length = bytearray()
        size = len(body)
        while size >= 0x80:
            length.append(size & 0x7F | 0x80)
            size >>= 7
        length.append(size)
        body = UNKNOWN + tag + bytes(length) + body + UNKNOWN
    return body


def test_a_request_without_content_is_returned_itself() -> None:
    """Not even a copy is made."""
    request = wrapped(Span(name="n").SerializeToString())
    result, n = stripped(request, Signal.TRACES, KEYS)
    assert result is request
    assert n == 0


def test_more_places_than_there_was_room_for() -> None:
    """Ten thousand spans with content each."""
    attribute = KeyValue(key="exception.message", value=AnyValue(int_value=1))
    kept = KeyValue(key="a", value=AnyValue(int_value=1))
    span = Span(attributes=[attribute, kept], events=[Span.Event(attributes=[attribute])])

    def request_of(spans: list[Span]) -> bytes:
        scoped = ScopeSpans(spans=spans)
        group = ResourceSpans(scope_spans=[scoped])
        written: bytes = ExportTraceServiceRequest(resource_spans=[group]).SerializeToString()
        return written

    expected = request_of([Span(attributes=[kept], events=[Span.Event()])] * 3000)
    assert stripped(request_of([span] * 3000), Signal.TRACES, KEYS) == (expected, 6000)


def test_metrics_hold_no_content() -> None:
    """They are returned as they are, also where they are no metrics."""
    metric = Metric(name="m")
    group = ResourceMetrics(scope_metrics=[ScopeMetrics(metrics=[metric])])
    request = ExportMetricsServiceRequest(resource_metrics=[group]).SerializeToString()
    assert stripped(request, Signal.METRICS, KEYS) == (request, 0)


def test_content_is_what_the_conventions_call_so() -> None:
    """Inputs, predicted numbers and messages of exceptions; not names, labels or confidence."""
    assert {
        "ml.input.features",
        "ml.input.rows",
        "ml.input.values",
        "ml.prediction.value",
        "ml.prediction.probabilities",
        "ml.feedback.value",
        "exception.message",
        "exception.stacktrace",
    } <= content_keys()
    assert not content_keys() & {
        "ml.model.name",
        "ml.prediction.label",
        "ml.prediction.confidence",
        "ml.batch.size",
        "exception.type",
    }

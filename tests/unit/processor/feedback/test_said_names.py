"""Prediction ids and sizes of batches, read out of the bytes of spans as protobuf reads them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from google.protobuf.message import DecodeError
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from otel_ml_processor.compiled import IS_COMPILED
from otel_ml_processor.decode.inference_spans import NO_SPANS, InferenceSpans
from otel_ml_processor.feedback import said_names as module
from otel_ml_processor.feedback.said_names import said_names
from tests.data.export_requests import any_value

NAME, SIZE = "ml.prediction.id", "ml.batch.size"
Said = list[tuple[str, int]]


def spans_of(contents: list[bytes]) -> InferenceSpans:
    """Return spans with those bytes, one behind the other with something between them."""
    request, places = b"", []
    for content in contents:
        request += b"\xff\xff"
        places.append((len(request) - 1, len(request), len(request) + len(content), -1))
        request += content
    return replace(
        NO_SPANS,
        content=request,
        size=len(request),
        places=np.array(places, dtype=np.int64).reshape(-1, 4),
        ids=np.zeros((len(places), 3), dtype=np.uint64),
    )


def said_of(contents: list[bytes]) -> Said:
    """Return id and size of each span."""
    names, sizes = said_names(spans_of(contents))
    return list(zip(names, sizes.tolist(), strict=True))


def by_protobuf(content: bytes) -> tuple[str, int]:
    """Return id and size as protobuf has them: of one key the last, ids that are numbers as text."""
    try:
        said = {a.key: a.value for a in Span.FromString(content).attributes}
    except DecodeError:
        return "", 0
    name = said.get(NAME, AnyValue())
    kind = name.WhichOneof("value")
    text = str(getattr(name, kind)) if kind in {"string_value", "int_value", "bool_value"} else ""
    size = said.get(SIZE, AnyValue()).int_value
    return text if len(text) <= 256 else "", max(0, size)


@pytest.fixture(params=["compiled", "plain"], autouse=True)
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Read both ways: as compiled code does, and as it is done where there is no compiler."""
    if request.param == "plain":
        monkeypatch.setattr(module, "IS_COMPILED", False)
    elif not IS_COMPILED:
        pytest.skip("numba is not installed")


def message(*attributes: tuple[str, object], name: str = "predict") -> bytes:
    """Return a span with *attributes*, in their order, equal keys as well."""
    said = [KeyValue(key=key, value=any_value(value)) for key, value in attributes]
    span: bytes = Span(name=name, trace_id=bytes(16), attributes=said).SerializeToString()
    return span


def test_ids_and_sizes_are_found_among_all_else() -> None:
    """Whatever else a span says, before it or behind it; one that says neither says nothing."""
    contents = [
        message(("ml.model.name", "m"), (NAME, "order-1"), ("x", [1, {"y": 2}]), (SIZE, 3)),
        message((SIZE, 70_000), (NAME, "é" * 100)),
        message(("ml.prediction.ie", "not it"), ("ml.batch.sizes", 5)),
        b"",
    ]
    assert said_of(contents) == [("order-1", 3), ("é" * 100, 70_000), ("", 0), ("", 0)]


def test_of_an_attribute_that_comes_twice_the_last_holds() -> None:
    """As a map would have it, even where the last one says nothing."""
    contents = [
        message((NAME, "a"), (SIZE, 2), (NAME, "b"), (SIZE, 1)),
        message((NAME, "a"), (NAME, "")),
    ]
    assert said_of(contents) == [("b", 1), ("", 0)]


@pytest.mark.parametrize("value", [7, True, 1 << 62, -3])
def test_an_id_may_be_a_number(value: object) -> None:
    """It is read as it would be written."""
    assert said_of([message((NAME, value))]) == [(str(value), 0)]


@pytest.mark.parametrize("value", [[1], {"a": 1}, b"x", None, "x" * 257])
def test_what_is_no_id_is_none(value: object) -> None:
    """A list, a map, bytes, nothing, and a text that is too long."""
    assert said_of([message((NAME, value), (SIZE, 2))]) == [("", 2)]


@pytest.mark.parametrize("value", ["3", 2.0, None, -5])
def test_what_is_no_size_is_none(value: object) -> None:
    """A size that is no whole number, or below 0, is not said."""
    assert said_of([message((SIZE, value), (NAME, "a"))]) == [("a", 0)]


def test_unusual_encodings_say_the_same() -> None:
    """An attribute with its value before its key, with two keys, with fields that nobody knows, or a length in more bytes than it needs."""
    key, other = b"\x0a\x10ml.prediction.id", b"\x0a\x01x"
    value = b"\x12\x03\x0a\x01v"
    bodies = [
        value + key,
        other + key + value,
        key + other + value,
        key + value + b"\x7a\x00",
        b"\x0a\x90\x80\x00ml.prediction.id" + value,
        key + b"\x12\x03\x0a\x01u" + value,
    ]
    contents = [b"\x4a" + bytes([len(body)]) + body for body in bodies]
    assert [by_protobuf(c)[0] for c in contents] == ["v", "v", "", "v", "v", "v"]
    assert said_of(contents) == [by_protobuf(content) for content in contents]


def test_bytes_that_are_no_text_are_no_id() -> None:
    """One span that cannot be read takes nothing away from its neighbours."""
    wrong = message((NAME, "abcd")).replace(b"abcd", b"ab\xff\xfe")
    assert said_of([message((NAME, "a")), wrong, message((NAME, "b"))]) == [
        ("a", 0),
        ("", 0),
        ("b", 0),
    ]


def test_a_span_that_was_cut_off_says_nothing() -> None:
    """Wherever it is cut, what is read is what protobuf reads; nothing beyond its end is looked at."""
    whole = message(("a", 1), (NAME, "order-1"), (SIZE, 3))
    contents = [whole[:end] for end in range(len(whole))]
    for content, said in zip(contents, said_of(contents), strict=True):
        try:
            Span.FromString(content)
        except DecodeError:
            continue
        assert said == by_protobuf(content)


def test_spans_whose_bytes_were_not_kept_say_nothing() -> None:
    """They are counted like all others."""
    bare = replace(spans_of([message((NAME, "a"))] * 3)).bare()
    assert said_names(bare).names == [""] * 3
    assert said_names(NO_SPANS).names == []


VALUES = st.one_of(
    st.text(max_size=300),
    st.integers(-(1 << 63), (1 << 63) - 1),
    st.booleans(),
    st.just([1]),
    st.none(),
)
KEYS = st.sampled_from([NAME, SIZE, "ml.model.name", "ml.prediction.", ""])


@settings(deadline=None, max_examples=100)
@given(st.lists(st.lists(st.tuples(KEYS, VALUES), max_size=6), max_size=4))
def test_what_is_found_is_what_protobuf_reads(spans: list[list[tuple[str, object]]]) -> None:
    """Of any spans: keys in any order and number, values of any type."""
    contents = [message(*attributes) for attributes in spans]
    assert said_of(contents) == [by_protobuf(content) for content in contents]

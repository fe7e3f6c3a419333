"""The fast decoder says what the plain decoder says, of every request, valid or not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from itertools import cycle
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from otel_ml_processor.columns import StreamKey
from otel_ml_processor.compiled import IS_COMPILED
from otel_ml_processor.decode.fast import FastDecoder
from otel_ml_processor.decode.fast_number import read_number, read_plain_number
from otel_ml_processor.decode.fast_splice import spliced
from otel_ml_processor.decode.fast_text import find_text, is_ascii, is_utf8, same_text
from otel_ml_processor.decode.fast_words import padded, with_tail
from otel_ml_processor.decode.spans import PlainDecoder
from otel_ml_processor.decode.wire import splice
from tests.data.decodings import outcome
from tests.data.export_requests import export_request, inference_span
from tests.properties.test_wire import damaged, encode, requests, values

NAMES = ("age", "city", "größe", "a")
SEGMENTS = ("region", "größe", "ml.model.version", "service.name")
CLASSES = ("größe", "a")


def _features(stream: StreamKey) -> tuple[str, ...] | None:
    """Ask for features of all models but one."""
    return NAMES if stream.model != "bare" else None


def _classes(stream: StreamKey) -> tuple[str, ...]:
    """Ask for the probabilities of classes of all versions but one."""
    return CLASSES if stream.version != "1" else ()


PLAIN = PlainDecoder(_features, SEGMENTS, classes_of=_classes)
FAST = FastDecoder(_features, SEGMENTS, classes_of=_classes)
ROOT = Path(__file__).parents[2]


def numbers() -> st.SearchStrategy[object]:
    """Draw what may stand where a number is expected."""
    return st.floats() | st.floats(0, 1) | st.integers(-(2**63), 2**63 - 1) | values()


def json_texts() -> st.SearchStrategy[str]:
    """Draw JSON, most of it a flat object, and texts that merely look like it."""
    scalars = (
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats()
        | st.text(max_size=4)
        | st.sampled_from(["Rome", "Oslo", "Zürich", "Infinity", "-Infinity", '"', "\\", "\n"])
    )
    flat = st.dictionaries(st.sampled_from([*NAMES, "other", ""]), scalars, max_size=5)
    nested = st.dictionaries(st.sampled_from(NAMES), scalars | flat | st.lists(scalars), max_size=3)
    written = st.builds(
        lambda value, separators, ascii_only: json.dumps(
            value, separators=separators, ensure_ascii=ascii_only
        ),
        flat | nested,
        st.sampled_from([(",", ":"), (" ,\t", " : ")]),
        st.booleans(),
    )
    numerals = st.from_regex(r"-?[0-9]{1,25}(\.[0-9]{0,25})?([eE][+-]?[0-9]{0,4})?", fullmatch=True)
    odd = st.sampled_from(
        [
            "",
            "{",
            "{}",
            " {} ",
            "{} x",
            "[]",
            "null",
            '{"a":1,}',
            '{"a" 1}',
            '{"a":01}',
            '{"a":1,"a":2}',
            '{"a":nul}',
            '{"a":+1}',
            '{"a":.5}',
            '{"a":-}',
        ]
    )
    return written | odd | st.builds('{{"a":{}}}'.format, numerals) | st.text(max_size=8)


@st.composite
def inference_values(draw: st.DrawFn) -> dict[str, object]:
    """Draw the attributes of an inference: some, each of the right type or of any other."""
    choices: dict[str, st.SearchStrategy[object]] = {
        "ml.operation.name": st.sampled_from(
            ["predict", "embed", "fit", "", "x" * 300, 7, None, b"p"]
        ),
        "ml.model.name": st.sampled_from(["fraud", "bare", "", "m" * 300, "größe", 3, None]),
        "ml.model.version": st.sampled_from(["1", "", 2, 2.5, True, "v" * 300, ["1"], None]),
        "ml.prediction.label": st.sampled_from(
            ["late", "on time", "", 1, 1.0, False, "l" * 300, {}]
        ),
        "ml.prediction.confidence": numbers(),
        "ml.prediction.entropy": st.floats(0, 1) | st.sampled_from([1 + 1e-7, 1.01, -1e-7]),
        "ml.prediction.margin": numbers(),
        "ml.prediction.probabilities": json_texts() | values(),
        "ml.prediction.value": numbers(),
        "ml.input.features": json_texts() | values(),
        "ml.input.values": st.lists(st.floats(), min_size=3, max_size=5) | values(),
        "ml.content.truncated": st.booleans() | st.sampled_from([0, "true", None]),
        "ml.input.rows": st.lists(json_texts(), max_size=2) | json_texts(),
        "ml.prediction.labels": st.lists(st.sampled_from(["late", 1]), max_size=3) | values(),
        "ml.prediction.confidences": st.lists(st.floats(0, 1), max_size=3) | values(),
        "ml.prediction.values": st.lists(st.floats(), max_size=3) | values(),
        "ml.verdict.drift": st.just("steady"),
        "ml.verdict": st.just("no verdict"),
        "ml.call.sequence": st.integers(-(2**63), 2**63 - 1) | st.integers(0, 9) | values(),
        "ml.call.stream": st.from_regex(r"[0-9a-fA-F]{16}", fullmatch=True)
        | st.from_regex(r"[0-9a-g ]{15,17}", fullmatch=True)
        | values(),
        "ml.input.hash": st.from_regex(r"[a-z0-9:]{0,3}:[0-9a-fA-F]{15,17}", fullmatch=True)
        | st.just("größe:41c0d7e19a3358f2")
        | values(),
        "ml.input.schema.hash": st.from_regex(r"[0-9a-g]{16}", fullmatch=True) | values(),
        "other.key": values(),
        "region": st.sampled_from(["emea", "", "r" * 300, 7, None, ["emea"], "größe"]),
        "größe": st.sampled_from(["emea", "klein"]) | values(),
    }
    chosen = draw(st.lists(st.sampled_from(sorted(choices)), unique=True, max_size=6))
    return {key: draw(choices[key]) for key in chosen}


@st.composite
def inference_requests(draw: st.DrawFn) -> bytes:
    """Draw requests of inferences of several resources, among spans of all other kinds."""
    parts = [encode(draw(requests()))] if draw(st.booleans()) else []
    for _ in range(draw(st.integers(1, 2))):
        spans = []
        for number, said in enumerate(draw(st.lists(inference_values(), max_size=4))):
            span = inference_span(said, span_id=number + 1, end_ns=draw(st.integers(0, 2**64 - 1)))
            if draw(st.booleans()):
                span.attributes.append(
                    span.attributes[draw(st.integers(0, len(span.attributes) - 1))]
                )
            if draw(st.integers(0, 9)) == 0:
                span.events.add(name="exception")
            if draw(st.booleans()):
                span.status.code = draw(st.sampled_from([0, 1, 2]))
                span.status.message = draw(st.sampled_from(["", "größe"]))
            spans.append(span)
        origin = draw(
            st.sampled_from(
                [
                    {"service.name": "shop"},
                    {"service.name": 7},
                    {"service.name": []},
                    {},
                    {"region": "apac", "größe": "klein"},
                    {"region": ["apac"], "größe": ""},
                ]
            )
        )
        parts.append(export_request(spans, origin))
    return b"".join(draw(st.permutations(parts)))


@settings(deadline=None, max_examples=400)
@given(inference_requests())
def test_both_decoders_say_the_same_of_what_producers_send(request: bytes) -> None:
    """Whatever the types of the values, in whatever order, how often, and among whatever else."""
    assert outcome(FAST, request) == outcome(PLAIN, request)


@settings(deadline=None, max_examples=400)
@given(st.binary(max_size=200) | damaged(), st.data())
def test_both_decoders_say_the_same_of_what_was_damaged(
    request: bytes, data: st.DataObject
) -> None:
    """Cut off, overwritten, with bytes put in: the same rows, the same counts or the same refusal."""
    cut = request[: data.draw(st.integers(0, len(request)))]
    assert outcome(FAST, request) == outcome(PLAIN, request)
    assert outcome(FAST, cut) == outcome(PLAIN, cut)


@settings(deadline=None)
@given(st.lists(inference_requests() | st.binary(max_size=40), max_size=3))
def test_bytes_behind_a_request_are_no_part_of_it(parts: list[bytes]) -> None:
    """Requests behind one another are read as one, whatever follows, and its spans get back no byte more."""
    request, content = b"".join(parts), with_tail(parts)
    for decoder in (FAST, PLAIN):
        assert outcome(decoder, content, len(request)) == outcome(PLAIN, request)


@settings(deadline=None, max_examples=400)
@given(
    inference_values(), st.integers(0, 3), st.floats(0, 1, exclude_max=True), st.integers(0, 255)
)
def test_spans_alike_but_for_one_byte_are_read_one_by_one(
    said: dict[str, object], n_more: int, where: float, byte: int
) -> None:
    """What is known from the span before is never taken for granted: whichever byte differs, of a key, a length, a type or a value."""
    request = bytearray(export_request([inference_span(said, span_id=7)] * (2 + n_more)))
    request[int(where * len(request))] = byte
    assert outcome(FAST, bytes(request)) == outcome(PLAIN, bytes(request))


def test_a_request_of_many_kinds_of_spans_keeps_their_order() -> None:
    """Spans of one sample, of a batch and of others take turns; each row still belongs to its own span."""
    kinds: list[dict[str, object]] = [
        {"ml.prediction.confidence": 0.25, "ml.prediction.label": "a"},
        {"ml.prediction.confidences": [0.5, 0.75], "ml.prediction.labels": ["b", "a"]},
        {"ml.operation.name": "fit"},
        {"ml.prediction.label": 1, "ml.input.features": '{"age": 3}'},
    ]
    spans = [inference_span(said, span_id=n) for n, said in zip(range(1, 13), cycle(kinds))]
    request = export_request(spans)

    decoded = FAST.decode(request)

    assert outcome(FAST, request) == outcome(PLAIN, request)
    assert decoded.columns[0].spans.tolist() == [0, 1, 1, 2, 3, 4, 4, 5, 6, 7, 7, 8]


def test_more_different_texts_than_are_remembered_are_read_all_the_same() -> None:
    """A producer that sends an id for a label costs time, not rows."""
    request = export_request(
        [inference_span({"ml.prediction.label": f"id {n}"}) for n in range(5000)]
    )
    assert outcome(FAST, request) == outcome(PLAIN, request)


@settings(deadline=None, max_examples=2000)
@given(
    st.floats(allow_nan=False, allow_infinity=False).map(repr)
    | st.integers(-(10**19) + 1, 10**19 - 1).map(str)
    | st.from_regex(r"-?(0|[1-9][0-9]{0,17})(\.[0-9]{1,18})?([eE][+-]?[0-9]{1,3})?", fullmatch=True)
)
def test_a_number_is_read_as_python_reads_it(text: str) -> None:
    """The nearest float, bit for bit, or it is left to others; what stands behind it is not touched."""
    data = np.frombuffer(text.encode() + b",1" + bytes(32), np.uint8)
    expected = float(text) if any(mark in text for mark in ".eE") else float(int(text))
    for read in (read_number, read_plain_number):
        value, end = read(data, 0, len(text))
        if end:
            assert (end, float(value).hex()) == (len(text), expected.hex())


@pytest.mark.parametrize(
    "text",
    [
        "1",
        "0",
        "-3",
        "0.1",
        "1e5",
        "123456789.123456789",
        "-2.5E-3",
        "90071992547409931",
        "1.7976931348623157e240",
    ],
)
def test_ordinary_numbers_are_read_here(text: str) -> None:
    """They are not left to others."""
    data = np.frombuffer(text.encode() + bytes(16), np.uint8)
    value, end = read_number(data, 0, len(text))
    assert (float(value), end) == (float(text), len(text))


@pytest.mark.parametrize("digits", range(1, 20))
@pytest.mark.parametrize("form", ["{}", "-{}", "0.{}", "-7.{}", "{}.0"])
def test_numbers_as_they_are_usually_written_are_read_at_once(form: str, digits: int) -> None:
    """Integers and decimals of any length, whatever follows."""
    text = form.format("1234567890123456789"[:digits])
    is_certain = sum(map(str.isdigit, text)) <= 16  # beyond it some lie halfway between two floats
    for behind in (b",", b"}", b" ", "é".encode(), b""):
        data = np.frombuffer(text.encode() + behind + bytes(32), np.uint8)
        value, end = read_plain_number(data, 0, len(text))
        assert (float(value), end) == (float(text), len(text)) or (end == 0 and not is_certain)


@pytest.mark.parametrize("text", ["1", "12345678", "0.5", "1.12345678", "-3.25"])
def test_a_number_that_goes_on_behind_the_end_is_none(text: str) -> None:
    """What stands behind the end of a text is another attribute, even where it reads like digits."""
    for cut in range(1, len(text)):
        data = np.frombuffer(text.encode() + bytes(32), np.uint8)
        assert read_plain_number(data, 0, cut)[1] <= cut


@pytest.mark.parametrize("name", ['a"b', "a\\b", "a\nb", 'a":1,"c', "", "größe", "x" * 100])
def test_features_of_any_name_are_found(name: str) -> None:
    """Also those that JSON writes otherwise than they are: quotes, backslashes, control characters."""
    decoders = [decoder(lambda _: ("c", name, "z")) for decoder in (PlainDecoder, FastDecoder)]
    for text in (
        json.dumps({"c": 1, name: 2.5, "z": "w"}),
        json.dumps({name: None, "c": True}, separators=(",", ":")),
        '{"c":1,"' + name + '":2}',
    ):
        span = inference_span()
        span.attributes.add(key="ml.input.features").value.string_value = text
        request = export_request([span])
        plain, fast = (outcome(decoder, request) for decoder in decoders)
        assert fast == plain


@pytest.mark.parametrize(
    "text",
    ["", "-", ".5", "5.", "01", "-01", "+1", "1e", "1e+", "e5", "NaN", "x", "00", "-.5", "1.e5"],
)
def test_what_json_calls_no_number_is_none(text: str) -> None:
    """The grammar of RFC 8259, not that of Python."""
    data = np.frombuffer(text.encode() + bytes(32), np.uint8)
    assert read_number(data, 0, len(text))[1] == 0
    assert read_plain_number(data, 0, len(text))[1] == 0


@settings(deadline=None, max_examples=1000)
@given(
    st.binary(max_size=70)
    | st.text(max_size=40).map(lambda text: text.encode("utf-8", "surrogatepass"))
)
def test_text_is_what_python_takes_for_utf_8(content: bytes) -> None:
    """Surrogates, overlong forms and values beyond Unicode are no text."""
    try:
        content.decode()
        is_utf_8 = True
    except UnicodeDecodeError:
        is_utf_8 = False
    data = padded(content)
    assert bool(is_utf8(data, 0, len(content))) is is_utf_8
    assert bool(is_ascii(data, 0, len(content))) is content.isascii()


@settings(deadline=None)
@given(st.binary(max_size=100), st.binary(max_size=3), st.integers(0, 99), st.integers(0, 255))
def test_texts_are_the_same_where_every_byte_is(
    text: bytes, before: bytes, at: int, byte: int
) -> None:
    """Of any length, wherever they lie, and whatever comes behind them."""
    changed = bytearray(text)
    changed[at : at + 1] = bytes([byte]) if at < len(text) else b""
    data = padded(before + text + b"behind" + changed + b"and behind")
    start = len(before) + len(text) + len(b"behind")
    found = same_text(data, len(before), len(before) + len(text), data, start, start + len(changed))
    assert bool(found) is (changed == text)


@settings(deadline=None)
@given(st.lists(st.sampled_from([b"", b"a", b"b", b"ab", b"ba", b"aaaa"]), max_size=30))
def test_equal_texts_have_equal_numbers(texts: list[bytes]) -> None:
    """Numbered as they first come; when the table is full a new one has none, and known ones keep theirs."""
    data = padded(b"".join(texts))
    table, seen, n_seen = np.full(8, 3), np.empty((4, 3), np.int64), 0
    known: dict[bytes, int] = {}
    start = 0
    for text in texts:
        number, n_seen = find_text(data, start, start + len(text), table, seen, n_seen)
        if text in known or len(known) < 4:
            assert number == known.setdefault(text, len(known))
        else:
            assert number == -1
        start += len(text)


@settings(deadline=None)
@given(inference_requests(), st.data())
def test_both_ways_to_splice_give_the_same_bytes(request: bytes, data: st.DataObject) -> None:
    """Additions of any length, on any of the spans."""
    if outcome(PLAIN, request)[0] == "refused":  # type: ignore[index]  # an outcome begins with what it is
        return
    spans = PLAIN.decode(request).spans
    additions = [b"", b"x" * 3, b"y" * 130, b"z" * 20_000]
    codes = np.array([data.draw(st.integers(-1, 3)) for _ in spans], dtype=np.int64)
    chosen = [
        (span.place, additions[code]) for span, code in zip(spans, codes, strict=True) if code >= 0
    ]

    found = spliced(request, len(request), spans.places, spans.messages, codes, additions)

    assert found == splice(request, chosen)


def test_a_span_without_end_is_read() -> None:
    """A span of nothing but the attributes that make it an inference."""
    request = export_request([Span(attributes=inference_span().attributes)])
    assert outcome(FAST, request) == outcome(PLAIN, request)
    assert len(FAST.decode(request).columns) == 1


CHECKED = """
import random, sys
from pathlib import Path
from tests.fuzz.damage import damaged, request
from tests.fuzz.targets import TARGETS
look, chance = TARGETS["decoders"].begin(Path(sys.argv[1])), random.Random(1)
for _ in range(1000):
    look(damaged(request(chance), chance))
print("1000 inputs")
"""


@pytest.mark.skipif(not IS_COMPILED, reason="needs numba")
def test_no_access_lies_outside_of_an_array(tmp_path: Path) -> None:
    """The same functions with every access checked, on generated, mutated and cut requests; compiling them takes most of the time."""
    environment = {
        **os.environ,
        "NUMBA_BOUNDSCHECK": "1",
        "NUMBA_CACHE_DIR": str(tmp_path),  # what is kept elsewhere was compiled without checks
        "PYTHONPATH": str(ROOT),
    }
    command = [sys.executable, "-c", CHECKED, str(tmp_path)]
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, check=False, timeout=1700
    )
    assert done.returncode == 0, done.stderr
    assert "1000 inputs" in done.stdout

"""The plain decoder: which spans are inferences, what is read of them, and what nonsense costs."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING

import numpy as np
import pytest
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from otel_ml_processor.columns import Kind, StreamKey
from otel_ml_processor.decode.attributes import MAX_ROWS, MAX_TEXT
from otel_ml_processor.decode.content import MAX_JSON
from otel_ml_processor.decode.spans import (
    MAX_ATTRIBUTES,
    MAX_REQUEST_ROWS,
    MAX_SPAN_BYTES,
    PlainDecoder,
)
from otel_ml_processor.decode.wire import length_delimited
from tests.data.export_requests import (
    RESOURCE,
    TRACE_ID,
    attributes,
    export_request,
    inference_span,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from otel_ml_processor.columns import InferenceColumns
    from otel_ml_processor.decode.decoder import Decoded

FRAUD = StreamKey("shop", "prod", "fraud", "3")
NAN = math.nan


def decode(request: bytes, names: Sequence[str] | None = None) -> Decoded:
    """Return what the plain decoder reads of *request*, keeping the features *names*."""
    return PlainDecoder(lambda _: names).decode(request)


def read(values: dict[str, object], names: Sequence[str] | None = None) -> Decoded:
    """Return what is read of one inference span with *values*."""
    return decode(export_request([inference_span(values)]), names)


def rows_of(values: dict[str, object], names: Sequence[str] | None = None) -> InferenceColumns:
    """Return the rows of one inference span with *values* in which nothing was wrong."""
    decoded = read(values, names)
    assert decoded.undecoded == {}
    return decoded.columns[0]


def labels_of(rows: InferenceColumns) -> list[str | None]:
    """Return the labels as texts."""
    return [rows.labels.dictionary[code] if code >= 0 else None for code in rows.labels.codes]


def test_an_inference_is_told_from_its_bytes() -> None:
    """Trace, span, end, resource as received, stream and the place of its bytes: what later steps need, without the span."""
    request = export_request([inference_span(span_id=7, end_ns=42)])

    span = decode(request).spans[0]

    assert (span.trace_id, span.span_id, span.end_time_ns) == (TRACE_ID, (7).to_bytes(8, "big"), 42)
    assert span.stream == FRAUD
    assert not span.has_verdict
    received = Span.FromString(request[span.place.start : span.place.end])
    assert received == inference_span(span_id=7, end_ns=42)
    assert span.resource == Resource(attributes=attributes(RESOURCE)).SerializeToString()


@pytest.mark.parametrize("operation", ["predict", "transform", "embed", "generate"])
def test_these_operations_are_inferences(operation: str) -> None:
    """A model answered for samples, whatever the answer is called."""
    assert len(read({"ml.operation.name": operation}).spans) == 1


@pytest.mark.parametrize(
    "values",
    [
        {"ml.operation.name": "fit"},
        {"ml.operation.name": "load"},
        {"ml.operation.name": None},
        {"ml.model.name": ""},
        {"ml.model.name": None},
    ],
)
def test_other_spans_are_counted_as_spans_and_no_more(values: dict[str, object]) -> None:
    """Training, loading, or a span that merely mentions a model: passed by, and nothing was wrong with it."""
    decoded = read(values)

    assert (list(decoded.spans), decoded.columns, decoded.undecoded) == ([], (), {})
    assert decoded.n_spans == 1


def test_a_span_without_a_model_is_not_even_parsed() -> None:
    """A broken span of somebody else's is not our finding: it does not mention a model."""
    broken = length_delimited(1, length_delimited(2, length_delimited(2, b"\x2a\x02\xff\xfe")))

    decoded = decode(broken)

    assert (decoded.n_spans, decoded.undecoded) == (1, {})


def test_streams_never_mix() -> None:
    """Two services, two versions: three streams, each with its own rows in order of arrival, all spans in one list."""
    here = export_request(
        [
            inference_span(span_id=1, end_ns=10),
            inference_span({"ml.model.version": "4"}, span_id=2, end_ns=20),
            inference_span(span_id=3, end_ns=30),
        ]
    )
    there = export_request([inference_span(span_id=4, end_ns=40)], {"service.name": "bank"})

    decoded = decode(here + there)

    assert [
        (rows.stream, rows.spans.tolist(), rows.end_times_ns.tolist()) for rows in decoded.columns
    ] == [
        (FRAUD, [0, 2], [10, 30]),
        (StreamKey("shop", "prod", "fraud", "4"), [1], [20]),
        (StreamKey("bank", "", "fraud", "3"), [3], [40]),
    ]
    assert [span.span_id[-1] for span in decoded.spans] == [1, 2, 3, 4]
    assert decoded.n_spans == 4


def test_a_version_may_be_a_number() -> None:
    """Registries count versions; 3 and "3" are the same stream."""
    assert read({"ml.model.version": 3}).spans[0].stream == FRAUD


def test_the_features_to_keep_are_asked_for_each_stream_once() -> None:
    """The decoder asks what the reference of a stream has, and keeps nothing else."""
    asked: list[StreamKey] = []

    def features_of(stream: StreamKey) -> list[str]:
        asked.append(stream)
        return ["age"]

    spans = [inference_span({"ml.input.features": '{"age": 1, "secret": 2}'})] * 2
    decoded = PlainDecoder(features_of).decode(export_request(spans))

    assert asked == [FRAUD]
    assert list(decoded.columns[0].features) == ["age"]


def test_without_a_reference_no_features_are_kept() -> None:
    """Outputs are read all the same."""
    rows = rows_of({"ml.input.features": '{"age": 1}', "ml.prediction.label": "ok"}, None)

    assert rows.features == {}
    assert labels_of(rows) == ["ok"]


def test_the_outputs_of_one_sample_are_read() -> None:
    """Label, confidence, entropy, margin and value, each where the conventions put it."""
    rows = rows_of(
        {
            "ml.prediction.label": "fraud",
            "ml.prediction.confidence": 0.9,
            "ml.prediction.entropy": 0.4,
            "ml.prediction.margin": 0.8,
            "ml.prediction.value": -13.5,
        }
    )

    assert labels_of(rows) == ["fraud"]
    assert [rows.confidences[0], rows.entropies[0], rows.margins[0], rows.values[0]] == [
        0.9,
        0.4,
        0.8,
        -13.5,
    ]


def test_outputs_that_are_not_said_are_not_invented() -> None:
    """A span without outputs is a row all the same; its label is none and its numbers are NaN."""
    rows = rows_of({})

    assert len(rows) == 1
    assert labels_of(rows) == [None]
    numbers = [rows.confidences[0], rows.entropies[0], rows.margins[0], rows.values[0]]
    np.testing.assert_array_equal(numbers, [NAN] * 4)


@pytest.mark.parametrize(
    ("label", "text"), [("1", "1"), (1, "1"), (1.0, "1"), (2.5, "2.5"), (True, "True"), ("", "")]
)
def test_a_class_is_text_whatever_type_it_was_sent_as(label: object, text: str) -> None:
    """Integral numbers have no fraction, so that the same class is the same text everywhere."""
    assert labels_of(rows_of({"ml.prediction.label": label})) == [text]


def test_a_proportion_may_miss_its_range_by_rounding() -> None:
    """A sum of 32-bit floats is 1.0000001 and means 1; an integer is a number too."""
    rows = rows_of({"ml.prediction.confidence": 1.0000001, "ml.prediction.margin": 1})

    assert (rows.confidences[0], rows.margins[0]) == (1.0, 1.0)


FEATURES = {"age": 42, "amount": 19.5, "city": "Oslo", "member": True, "gone": None}


@pytest.mark.parametrize("features", [json.dumps(FEATURES), FEATURES])
def test_features_are_read_from_json_and_from_a_map_alike(features: object) -> None:
    """Spans carry text and events maps: the columns are the same."""
    rows = rows_of({"ml.input.features": features}, [*FEATURES, "never"])

    kinds = {name: Kind(column.kinds[0]) for name, column in rows.features.items()}
    assert kinds == {
        "age": Kind.NUMBER,
        "amount": Kind.NUMBER,
        "city": Kind.TEXT,
        "member": Kind.BOOLEAN,
        "gone": Kind.MISSING,
        "never": Kind.MISSING,
    }
    assert rows.features["amount"].numbers[0] == 19.5
    assert rows.features["city"].dictionary == ("Oslo",)


def test_a_key_that_cut_content_does_not_have_is_absent() -> None:
    """Of content that was cut nobody knows whether the value was missing."""
    values = {"ml.input.features": '{"age": 42}', "ml.content.truncated": True}

    rows = rows_of(values, ["age", "city"])

    assert rows.features["age"].kinds.tolist() == [Kind.NUMBER]
    assert rows.features["city"].kinds.tolist() == [Kind.ABSENT]


def test_without_captured_content_every_feature_is_absent() -> None:
    """Content is off by default: that is no missing value."""
    rows = rows_of({}, ["age", "city"])

    assert [column.kinds.tolist() for column in rows.features.values()] == [[Kind.ABSENT]] * 2


@pytest.mark.parametrize(
    ("text", "kind", "number"),
    [
        ("1e400", Kind.NUMBER, math.inf),
        ("-1e400", Kind.NUMBER, -math.inf),
        ("9" * 400, Kind.NUMBER, math.inf),
        ("9" * 5000, Kind.NUMBER, math.inf),
        ("NaN", Kind.MISSING, NAN),
        ("Infinity", Kind.NUMBER, math.inf),
        ('"-Infinity"', Kind.NUMBER, -math.inf),
        ("18446744073709551616", Kind.NUMBER, 2.0**64),
        ("null", Kind.MISSING, NAN),
        ("[1]", Kind.OTHER, NAN),
        ('{"deep": {"er": 1}}', Kind.OTHER, NAN),
        ('"\\ud800"', Kind.TEXT, NAN),
    ],
)
def test_a_strange_json_value_is_one_value(text: str, kind: Kind, number: float) -> None:
    """Numbers beyond all floats are infinite, NaN is missing, a nested value is a type error of that feature alone."""
    rows = rows_of({"ml.input.features": f'{{"x": {text}, "y": 2}}'}, ["x", "y"])

    assert rows.features["x"].kinds.tolist() == [kind]
    np.testing.assert_array_equal(rows.features["x"].numbers, [number])
    assert rows.features["y"].numbers.tolist() == [2.0]


@pytest.mark.parametrize("name", ["x", "\\ud800"])
def test_half_a_surrogate_pair_ends_as_a_question_mark(name: str) -> None:
    """JSON can say it and nothing that is written or sent can: kept as it came, one value would stop every snapshot, and one name every decoding."""
    content = f'{{"{name}": "a\\udfff", "pair": "\\ud83d\\ude00", "escaped": "\\\\ud800"}}'

    known = "?" if name != "x" else name
    rows = rows_of({"ml.input.features": content}, [known, "pair", "escaped"])

    texts = [column.dictionary for column in rows.features.values()]
    assert texts == [("a?",), ("\N{GRINNING FACE}",), ("\\ud800",)]


def test_unnamed_values_have_the_order_of_the_reference() -> None:
    """The first value is the first feature; an empty one is missing."""
    rows = rows_of({"ml.input.values": [1.5, 2, None, NAN]}, ["a", "b", "c", "d"])

    kinds = [Kind(column.kinds[0]) for column in rows.features.values()]
    assert kinds == [Kind.NUMBER, Kind.NUMBER, Kind.MISSING, Kind.MISSING]
    assert [rows.features["a"].numbers[0], rows.features["b"].numbers[0]] == [1.5, 2.0]


def test_unnamed_values_that_were_cut_are_the_first_ones() -> None:
    """Those behind the cut are absent."""
    values = {"ml.input.values": [1.5], "ml.content.truncated": True}

    rows = rows_of(values, ["a", "b"])

    assert rows.features["a"].numbers.tolist() == [1.5]
    assert rows.features["b"].kinds.tolist() == [Kind.ABSENT]


ROWS = [{"age": 1}, {"age": 2, "city": "Oslo"}, {"age": None}]


@pytest.mark.parametrize("content", [json.dumps(ROWS), ROWS, [json.dumps(row) for row in ROWS]])
def test_the_rows_of_a_batch_are_samples_of_one_span(content: object) -> None:
    """Arrays of the same rows: each row gets its features, label, confidence and value, and the span's end."""
    rows = rows_of(
        {
            "ml.input.rows": content,
            "ml.prediction.labels": ["a", "b", "a"],
            "ml.prediction.confidences": [0.5, 0.75, 1.0],
            "ml.prediction.values": [1.0, 2.0, 3.0],
            "ml.prediction.entropy": 0.1,
        },
        ["age", "city"],
    )

    assert rows.spans.tolist() == [0, 0, 0]
    assert rows.end_times_ns.tolist() == [2_000] * 3
    assert labels_of(rows) == ["a", "b", "a"]
    assert rows.confidences.tolist() == [0.5, 0.75, 1.0]
    assert rows.values.tolist() == [1.0, 2.0, 3.0]
    assert np.isnan(rows.entropies).all()
    assert rows.features["age"].kinds.tolist() == [Kind.NUMBER, Kind.NUMBER, Kind.MISSING]
    assert rows.features["city"].kinds.tolist() == [Kind.MISSING, Kind.TEXT, Kind.MISSING]


def test_a_batch_without_content_has_rows_of_outputs() -> None:
    """Labels alone make rows; what was not captured is absent."""
    rows = rows_of({"ml.prediction.labels": ["a", "b"]}, ["age"])

    assert labels_of(rows) == ["a", "b"]
    assert rows.features["age"].kinds.tolist() == [Kind.ABSENT, Kind.ABSENT]


def test_a_batch_of_one_row_may_have_scalars() -> None:
    """What the arrays leave out, the scalars say: they can only mean that row."""
    rows = rows_of(
        {
            "ml.input.rows": '[{"age": 7}]',
            "ml.prediction.label": "a",
            "ml.prediction.confidence": 0.5,
            "ml.prediction.margin": 0.25,
        },
        ["age"],
    )

    assert labels_of(rows) == ["a"]
    assert (rows.confidences.tolist(), rows.margins.tolist()) == ([0.5], [0.25])
    assert rows.features["age"].numbers.tolist() == [7.0]


def test_an_empty_batch_is_an_inference_without_rows() -> None:
    """A call for no samples is a span like any other, and adds no row."""
    decoded = read({"ml.prediction.labels": []})

    assert len(decoded.spans) == 1
    assert decoded.columns == ()


def test_an_end_beyond_all_time_stays_what_it_was_on_the_span() -> None:
    """Columns hold signed nanoseconds, so the largest end is the latest that they know; the span keeps its own."""
    decoded = decode(export_request([inference_span(end_ns=2**64 - 1)]))

    assert decoded.columns[0].end_times_ns.tolist() == [2**63 - 1]
    assert decoded.spans[0].end_time_ns == 2**64 - 1


@pytest.mark.parametrize(
    ("key", "has_verdict"),
    [("ml.verdict.drift", True), ("ml.verdicts", False), ("note", False)],
)
def test_a_verdict_is_a_key_not_a_text(key: str, has_verdict: bool) -> None:
    """Only an attribute under `ml.verdict.` says that a span has been here; a value that mentions one does not."""
    assert read({key: "ml.verdict.drift"}).spans[0].has_verdict is has_verdict


@pytest.mark.parametrize(
    ("values", "cause"),
    [
        ({"ml.prediction.confidence": "abc"}, "wrong_type"),
        ({"ml.prediction.confidence": True}, "wrong_type"),
        ({"ml.prediction.confidence": 7.3}, "out_of_range"),
        ({"ml.prediction.confidence": -0.1}, "out_of_range"),
        ({"ml.prediction.confidence": NAN}, "out_of_range"),
        ({"ml.prediction.confidence": math.inf}, "out_of_range"),
        ({"ml.prediction.entropy": 1.5}, "out_of_range"),
        ({"ml.prediction.margin": [0.5]}, "wrong_type"),
        ({"ml.prediction.value": "13"}, "wrong_type"),
        ({"ml.prediction.value": NAN}, "out_of_range"),
        ({"ml.prediction.label": ["a"]}, "wrong_type"),
        ({"ml.prediction.label": {"a": 1}}, "wrong_type"),
        ({"ml.prediction.label": b"a"}, "wrong_type"),
        ({"ml.prediction.label": NAN}, "wrong_type"),
        ({"ml.prediction.label": "x" * (MAX_TEXT + 1)}, "oversized"),
        ({"ml.input.features": "not json"}, "malformed_json"),
        ({"ml.input.features": ""}, "malformed_json"),
        ({"ml.input.features": '{"age": 1'}, "malformed_json"),
        ({"ml.input.features": "[" * 100_000}, "malformed_json"),
        ({"ml.input.features": '{"a":' * 50_000}, "malformed_json"),
        ({"ml.input.features": '["age"]'}, "wrong_type"),
        ({"ml.input.features": "7"}, "wrong_type"),
        ({"ml.input.features": 7}, "wrong_type"),
        ({"ml.input.features": b"{}"}, "wrong_type"),
        ({"ml.input.features": '"' + "x" * MAX_JSON + '"'}, "oversized"),
        ({"ml.input.values": "[1, 2]"}, "wrong_type"),
        ({"ml.input.values": [1.0]}, "mismatched_lengths"),
        ({"ml.input.values": [1.0, 2.0, 3.0]}, "mismatched_lengths"),
        ({"ml.content.truncated": "yes", "ml.input.features": "{}"}, "wrong_type"),
    ],
)
def test_nonsense_costs_the_attribute_and_not_the_span(
    values: dict[str, object], cause: str
) -> None:
    """It is counted under its cause and reads as not said; everything else of the span is used."""
    sound: dict[str, object] = {"ml.prediction.label": "ok", "ml.prediction.confidence": 0.5}

    decoded = read({**sound, **values}, ["age", "city"])

    assert decoded.undecoded == {cause: 1}
    rows = decoded.columns[0]
    assert len(rows) == 1
    assert labels_of(rows) == [None if "ml.prediction.label" in values else "ok"]
    expected = NAN if "ml.prediction.confidence" in values else 0.5
    np.testing.assert_array_equal(rows.confidences, [expected])
    assert np.isnan(rows.values[0])
    assert [c.kinds.tolist() for c in rows.features.values()] == [[Kind.ABSENT]] * 2


@pytest.mark.parametrize(
    ("values", "cause", "n_rows"),
    [
        ({"ml.input.rows": "{}"}, "wrong_type", 2),
        ({"ml.input.rows": "{"}, "malformed_json", 2),
        ({"ml.input.rows": 3}, "wrong_type", 2),
        ({"ml.input.rows": '[{"age": 1}, 7]'}, "wrong_type", 2),
        ({"ml.input.rows": [{"age": 1}, 7]}, "wrong_type", 2),
        ({"ml.input.rows": '[{"age": 1}]'}, "mismatched_lengths", 1),
        ({"ml.input.rows": "[" + "{}," * MAX_ROWS + "{}]"}, "oversized", 2),
        ({"ml.input.rows": [{}] * (MAX_ROWS + 1)}, "oversized", 2),
        ({"ml.prediction.confidences": [0.5]}, "mismatched_lengths", 2),
        ({"ml.prediction.confidences": [0.5, 2.0]}, "out_of_range", 2),
        ({"ml.prediction.confidences": "0.5"}, "wrong_type", 2),
        ({"ml.prediction.values": [1.0, "x"]}, "wrong_type", 2),
    ],
)
def test_nonsense_in_a_batch_costs_what_it_stands_for(
    values: dict[str, object], cause: str, n_rows: int
) -> None:
    """The rows that the first sound array has stay; one that differs in length is not guessed at."""
    decoded = read({"ml.prediction.labels": ["a", "b"], **values}, ["age"])

    assert decoded.undecoded == {cause: 1}
    assert len(decoded.columns[0]) == n_rows


@pytest.mark.parametrize(
    "resource",
    [{"service.name": ["shop"]}, {"service.name": "x" * (MAX_TEXT + 1)}, {"service.name": b"s"}],
)
def test_a_span_of_nobody_in_particular_is_not_counted_for_somebody(
    resource: dict[str, object],
) -> None:
    """Where the service cannot be read the inference is left out: it may be another's."""
    decoded = decode(export_request([inference_span()], resource))

    assert len(decoded.spans) == 0
    assert sum(decoded.undecoded.values()) == 1


@pytest.mark.parametrize(
    ("values", "cause"),
    [
        ({"ml.model.name": 7}, "wrong_type"),
        ({"ml.model.name": "x" * (MAX_TEXT + 1)}, "oversized"),
        ({"ml.operation.name": 7}, "wrong_type"),
        ({"ml.model.version": ["3"]}, "wrong_type"),
        ({f"key{i}": i for i in range(MAX_ATTRIBUTES)}, "oversized"),
        ({"blob": b"x" * MAX_SPAN_BYTES}, "oversized"),
    ],
)
def test_an_inference_of_unknown_origin_or_absurd_size_is_left_out(
    values: dict[str, object], cause: str
) -> None:
    """Counted by cause; the next span is read as if nothing had been."""
    spans = [inference_span(values, span_id=1), inference_span(span_id=2)]

    decoded = decode(export_request(spans))

    assert [span.span_id[-1] for span in decoded.spans] == [2]
    assert decoded.columns[0].spans.tolist() == [0]
    assert (decoded.n_spans, decoded.undecoded) == (2, {cause: 1})


def nested(depth: int) -> bytes:
    """Return an attribute whose value is a list in a list, *depth* times."""
    value = b"\x0a\x01x"
    for _ in range(depth):
        value = length_delimited(5, length_delimited(1, value))
    return length_delimited(9, length_delimited(1, b"k") + length_delimited(2, value))


@pytest.mark.parametrize(
    "extra",
    [
        pytest.param(nested(200), id="nested 200 deep"),
        pytest.param(nested(10_000), id="nested 10 000 deep"),
        pytest.param(b"\x2a\x02\xff\xfe", id="a name that is not UTF-8"),
        pytest.param(b"\x2a\x7fx", id="a name longer than the span"),
    ],
)
def test_a_span_that_no_parser_takes_costs_no_other(extra: bytes) -> None:
    """It is counted and passed by; its neighbours are read."""
    spans = [inference_span().SerializeToString() + tail for tail in (b"", extra, b"")]
    scoped = b"".join(length_delimited(2, span) for span in spans)
    request = length_delimited(1, length_delimited(2, scoped))

    decoded = decode(request)

    assert (decoded.n_spans, len(decoded.spans)) == (3, 2)
    assert decoded.undecoded == {"malformed_span": 1}


def test_a_resource_that_no_parser_takes_costs_its_own_inferences() -> None:
    """Both spans of the broken resource are counted, the one of the sound resource is read."""
    spans = length_delimited(2, length_delimited(2, inference_span().SerializeToString()) * 2)
    broken = length_delimited(1, length_delimited(1, b"\xff") + spans)

    decoded = decode(broken + export_request([inference_span()]))

    assert len(decoded.spans) == 1
    assert decoded.undecoded == {"malformed_span": 2}


def test_a_flood_of_rows_ends_at_the_budget() -> None:
    """Rows cost more than the bytes they are written with: what goes beyond the budget is counted, not read."""
    batch = inference_span({"ml.prediction.values": [None] * MAX_ROWS})
    n_allowed = MAX_REQUEST_ROWS // MAX_ROWS

    decoded = decode(export_request([batch] * (n_allowed + 1)))

    assert len(decoded.columns[0]) == MAX_REQUEST_ROWS
    assert len(decoded.spans) == n_allowed + 1
    assert decoded.undecoded == {"oversized": 1}


def test_a_span_is_counted_once_per_cause() -> None:
    """Two wrong types on one span are one span with a wrong type."""
    decoded = read({"ml.prediction.confidence": "x", "ml.prediction.margin": "y"})

    assert decoded.undecoded == {"wrong_type": 1}


def test_of_a_key_that_is_written_twice_the_last_is_read() -> None:
    """Keys should be unique; where they are not, nothing breaks."""
    span = inference_span({"ml.prediction.label": "first"})
    span.attributes.extend(attributes({"ml.prediction.label": "last"}))

    decoded = decode(export_request([span]))

    assert labels_of(decoded.columns[0]) == ["last"]

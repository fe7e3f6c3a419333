"""Values of every kind, through a real model and the real SDK, as they are in the bytes that leave the process."""

from __future__ import annotations

import decimal
import json
import math
from collections.abc import Iterator, Mapping
from enum import Enum, IntEnum
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.tree import DecisionTreeClassifier

from otel_ml.settings import Settings
from otel_ml.testing import Capture, capture
from otel_ml_conventions.schema import SCHEMA_URL

EVERYTHING = Settings(capture_content="span_only", capture_outputs="full")


class Colour(Enum):
    """A plain enumeration."""

    RED = 1


class Grade(IntEnum):
    """An enumeration that is a number."""

    HIGH = 3


class Word(str, Enum):
    """An enumeration that is a text."""

    YES = "yes"


@pytest.fixture(scope="module", name="seen")
def _seen() -> Iterator[Capture]:
    with capture(EVERYTHING) as seen:
        yield seen
        assert [str(finding) for finding in seen.conformance.findings] == []


def request_of(seen: Capture) -> ExportTraceServiceRequest:
    """Return what an exporter would have sent of the spans so far, parsed from its bytes, and forget them."""
    request = encode_spans(seen.spans).SerializeToString()
    seen.clear()
    return ExportTraceServiceRequest.FromString(request)


def on_the_wire(seen: Capture) -> dict[str, tuple[str, Any]]:
    """Return kind and value of each attribute of the one span so far."""
    (resource,) = request_of(seen).resource_spans
    (scope,) = resource.scope_spans
    (span,) = scope.spans
    return attributes(span)


def attributes(span: Span) -> dict[str, tuple[str, Any]]:
    """Return kind and value of each attribute; of an array, the kinds and values of its items."""
    found: dict[str, tuple[str, Any]] = {}
    for pair in span.attributes:
        kind = str(pair.value.WhichOneof("value"))
        if kind == "array_value":
            array = pair.value.array_value
            items = [(str(v.WhichOneof("value")), v) for v in array.values]  # noqa: PD011 - no frame
            kinds = {of for of, _ in items}
            found[pair.key] = (f"[{'|'.join(kinds)}]", [getattr(v, of) for of, v in items])
        else:
            found[pair.key] = (kind, getattr(pair.value, kind))
    assert len(found) == len(span.attributes)
    return found


def regressor(prediction: Any = 0.5, columns: int = 1) -> DummyRegressor:
    """Return a model that takes any input and always says *prediction*."""
    return DummyRegressor(strategy="constant", constant=prediction).fit(
        np.zeros((1, columns)), [prediction]
    )


def written(seen: Capture, cells: Mapping[str, Any]) -> dict[str, Any]:
    """Return the features of one row of *cells* as any JSON parser reads them from the wire."""
    frame = pd.DataFrame({name: pd.Series([cell], dtype=object) for name, cell in cells.items()})
    regressor().predict(frame)
    kind, text = on_the_wire(seen)["ml.input.features"]
    assert kind == "string_value"
    read: dict[str, Any] = json.loads(text, parse_constant=pytest.fail)
    return read


FINITE = st.floats(allow_nan=False, allow_infinity=False)
INTEGERS = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
FLOATS = ("float16", "float32", "float64")


@settings(max_examples=60, deadline=None)
@given(data=st.data())
@pytest.mark.parametrize("dtype", INTEGERS)
def test_every_integer_is_exact(seen: Capture, dtype: str, data: st.DataObject) -> None:
    """A scalar of numpy is a number in the features, never its representation in quotes."""
    limits = np.iinfo(dtype)
    value = data.draw(st.integers(int(limits.min), int(limits.max)))

    assert written(seen, {"x": np.dtype(dtype).type(value)}) == {"x": value}


@settings(max_examples=60, deadline=None)
@given(data=st.data())
@pytest.mark.parametrize("dtype", FLOATS)
def test_every_float_comes_back_as_the_same_float(
    seen: Capture, dtype: str, data: st.DataObject
) -> None:
    """Missing is null, infinities are words, and all others are the same number of that type."""
    kind = np.dtype(dtype).type
    value = kind(data.draw(st.floats(width=np.dtype(dtype).itemsize * 8)))

    read = written(seen, {"x": value})["x"]

    if math.isnan(value):
        assert read is None
    elif math.isinf(value):
        assert read == ("Infinity" if value > 0 else "-Infinity")
    else:
        assert kind(read) == value


@settings(max_examples=100, deadline=None)
@given(value=st.text(max_size=50) | st.integers() | FINITE | st.booleans() | st.none())
def test_plain_values_come_back_as_they_are(seen: Capture, value: Any) -> None:
    """Texts with quotes and line breaks, and integers of any size."""
    read = written(seen, {"x": value})["x"]

    assert read == value
    assert type(read) is type(value)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (np.bool_(True), True),  # noqa: FBT003 - the value of a cell
        (float("nan"), None),
        (pd.NA, None),
        (pd.NaT, None),
        (np.str_("text"), "text"),
        (np.bytes_(b"raw"), "raw"),
        ("half a pair \ud800", "half a pair \ud800"),
        (b"\xffraw", "\N{REPLACEMENT CHARACTER}raw"),
        (Word.YES, "yes"),
        (Grade.HIGH, 3),
        (Colour.RED, "Colour.RED"),
        (decimal.Decimal("1.10"), 1.1),
        (decimal.Decimal("NaN"), None),
        (pd.Timestamp("2013-02-28T12:00"), "2013-02-28T12:00:00"),
    ],
    ids=repr,
)
def test_other_values_have_one_form(seen: Capture, value: Any, expected: Any) -> None:
    """Missing values of every library are null; what JSON has no word for is its text."""
    read = written(seen, {"x": value})["x"]

    assert (type(read), read) == (type(expected), expected)


@settings(max_examples=60, deadline=None)
@given(data=st.data())
@pytest.mark.parametrize("dtype", ["bool", *INTEGERS, *FLOATS])
def test_values_without_names_are_doubles(seen: Capture, dtype: str, data: st.DataObject) -> None:
    """Whatever the type of the array, NaN and infinities among them."""
    numbers = data.draw(st.lists(st.floats(-100, 100, width=16), min_size=1, max_size=5))
    sample = np.array([numbers]).astype("int64" if dtype[0] in "uib" else dtype).astype(dtype)
    if dtype in FLOATS:
        sample[0, data.draw(st.integers(0, len(numbers) - 1))] = data.draw(
            st.sampled_from([math.nan, math.inf, -math.inf])
        )

    regressor().predict(sample)

    kind, values = on_the_wire(seen)["ml.input.values"]
    assert kind == "[double_value]"
    np.testing.assert_array_equal(values, sample[0].astype("float64"))


@settings(max_examples=40, deadline=None)
@given(prediction=st.floats(width=16))
@pytest.mark.parametrize("dtype", [*FLOATS, "int64", "uint8", "bool"])
def test_a_predicted_number_is_a_double(seen: Capture, dtype: str, prediction: float) -> None:
    """Also where the model answers in integers or in half precision."""
    number = prediction if dtype in FLOATS else abs(int(np.nan_to_num(prediction))) % 2
    model = regressor()
    model.constant_ = np.array([[number]], dtype=dtype)

    model.predict([[1.0]])

    found = on_the_wire(seen)["ml.prediction.value"]
    assert found[0] == "double_value"
    np.testing.assert_array_equal(found[1], np.float64(np.dtype(dtype).type(number)))


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (np.array([0, 1], dtype="int8"), "1"),
        (np.array([0, 1], dtype="uint64"), "1"),
        (np.array([0.0, 1.0], dtype="float32"), "1"),
        (np.array([False, True]), "True"),
        (np.array(["no", "yes"]), "yes"),
        (np.array(["no", "yes"], dtype=object), "yes"),
        (np.array(["no", Word.YES], dtype=object), "yes"),
    ],
    ids=lambda value: f"{value.dtype}" if isinstance(value, np.ndarray) else value,
)
def test_a_class_is_text_whatever_its_type(seen: Capture, labels: Any, expected: str) -> None:
    """Integral numbers have no fraction, one sample is a text, several are an array of texts."""
    model = DecisionTreeClassifier().fit([[0], [1]], labels)
    seen.clear()

    model.predict([[1]])
    one = on_the_wire(seen)
    model.predict([[1], [1]])
    several = on_the_wire(seen)

    assert one["ml.prediction.label"] == ("string_value", expected)
    assert several["ml.prediction.labels"] == ("[string_value]", [expected, expected])


@settings(max_examples=30, deadline=None)
@given(length=st.integers(1, 20_000), count=st.integers(1, 400))
def test_oversized_content_is_cut_and_says_so(seen: Capture, length: int, count: int) -> None:
    """At most 8192 bytes of whole members, and what there is can be read."""
    cells = {f"feature_{number}": "x" * length for number in range(count)}
    frame = pd.DataFrame([cells])

    regressor().predict(frame)

    wire = on_the_wire(seen)
    text = wire["ml.input.features"][1]
    read = json.loads(text)
    assert len(text.encode()) <= 8192
    assert read.items() <= cells.items()
    assert ("ml.content.truncated" in wire) == (len(read) < count)
    assert wire["ml.input.feature.count"] == ("int_value", count)


@settings(max_examples=30, deadline=None)
@given(rows=st.integers(1, 5000), columns=st.integers(1, 3000))
@example(rows=1, columns=256)
@example(rows=1, columns=257)
@example(rows=1, columns=3000)
def test_oversized_arrays_are_sampled_or_cut(seen: Capture, rows: int, columns: int) -> None:
    """At most 32 rows, and of a row at most 256 values; how many there were is still told."""
    shape = (rows, min(columns, max(1, 100_000 // rows)))

    regressor().predict(np.ones(shape))

    wire = on_the_wire(seen)
    assert wire["ml.batch.size"] == ("int_value", rows)
    if rows == 1:
        values = wire["ml.input.values"][1]
        assert len(values) == min(shape[1], 256)
        assert ("ml.content.truncated" in wire) == (len(values) < shape[1])
    else:
        assert 1 <= len(json.loads(wire["ml.input.rows"][1])) <= 32
        kind, values = wire["ml.prediction.values"]
        assert (kind, set(values)) == ("[double_value]", {0.5})
        assert len(values) <= 32


@settings(max_examples=50, deadline=None)
@given(weights=st.lists(st.integers(1, 9), min_size=2, max_size=40), rows=st.integers(1, 3))
def test_probabilities_are_doubles_and_json(seen: Capture, weights: list[int], rows: int) -> None:
    """Confidence, entropy and margin are doubles; the probabilities of the 32 most probable are JSON."""
    labels = [number for number, weight in enumerate(weights) for _ in range(weight)]
    model = DummyClassifier(strategy="prior").fit(np.zeros((len(labels), 1)), labels)
    seen.clear()

    model.predict_proba(np.zeros((rows, 1)))

    wire = on_the_wire(seen)
    shares = [weight / sum(weights) for weight in weights]
    read = json.loads(wire["ml.prediction.probabilities"][1])
    of_first = read if rows == 1 else read[0]
    assert len(of_first) == min(32, len(weights))
    for label, share in of_first.items():
        assert share == pytest.approx(shares[int(label)])
    if rows == 1:
        assert wire["ml.prediction.confidence"] == ("double_value", pytest.approx(max(shares)))
        for key in ("ml.prediction.entropy", "ml.prediction.margin"):
            assert wire[key][0] == "double_value"
            assert 0 <= wire[key][1] <= 1 + 1e-12
    else:
        kind, confidences = wire["ml.prediction.confidences"]
        assert (kind, confidences) == ("[double_value]", [pytest.approx(max(shares))] * rows)


def test_the_schema_url_is_on_the_scopes_and_never_on_the_resource(seen: Capture) -> None:
    """Merging two resources with different schema URLs drops one of them, so ours stays off."""
    regressor().predict([[1.0]])

    request = request_of(seen)

    assert [resource.schema_url for resource in request.resource_spans] == [""]
    scopes = [scope for resource in request.resource_spans for scope in resource.scope_spans]
    assert [scope.schema_url for scope in scopes] == [SCHEMA_URL]

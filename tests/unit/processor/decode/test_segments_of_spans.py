"""What divides a stream, and which calls failed, as either decoder reads it from a request."""

import pytest

from otel_ml_processor.columns import InferenceColumns, TextColumn
from otel_ml_processor.decode.decoder import Decoder
from otel_ml_processor.decode.fast import FastDecoder
from otel_ml_processor.decode.spans import PlainDecoder
from tests.data.export_requests import export_request, inference_span

NAMES = ("region", "tier")
DECODERS = {
    "plain": PlainDecoder(lambda _: (), NAMES),
    "fast": FastDecoder(lambda _: (), NAMES),
}
PREDICT = {"ml.operation.name": "predict", "ml.model.name": "fraud"}


@pytest.fixture(params=DECODERS)
def decoder(request: pytest.FixtureRequest) -> Decoder:
    """Each of the two decoders."""
    return DECODERS[request.param]


def columns(
    decoder: Decoder, *said: dict[str, object], origin: dict[str, object] | None = None
) -> InferenceColumns:
    """Return the rows of a request of spans that say this, of one resource."""
    spans = [inference_span({**PREDICT, **s}, span_id=i + 1) for i, s in enumerate(said)]
    (rows,) = decoder.decode(export_request(spans, origin or {})).columns
    return rows


def texts(column: TextColumn) -> list[str | None]:
    """Return the text of each row."""
    return [column.dictionary[code] if code >= 0 else None for code in column.codes.tolist()]


def test_spans_come_before_their_resource(decoder: Decoder) -> None:
    """A span's own value, else its resource's, else none; numbers and booleans are read as text; an empty value is none."""
    rows = columns(
        decoder,
        {"region": "emea"},
        {"tier": 3},
        {"tier": True, "region": None},
        origin={"region": "apac", "service.name": "shop"},
    )
    assert texts(rows.segments["region"]) == ["emea", "apac", None]
    assert texts(rows.segments["tier"]) == [None, "3", "True"]


def test_only_names_that_were_listed_are_read(decoder: Decoder) -> None:
    """Nothing else of a span or its resource is kept."""
    rows = columns(decoder, {"user": "ann"}, origin={"customer": "acme"})
    assert set(rows.segments) == set(NAMES)
    assert texts(rows.segments["region"]) == [None]


@pytest.mark.parametrize(("value", "cause"), [(["emea"], "wrong_type"), ("r" * 300, "oversized")])
@pytest.mark.parametrize("is_of_span", [True, False])
def test_what_is_no_value_costs_only_itself(
    decoder: Decoder, value: object, cause: str, is_of_span: bool
) -> None:
    """A list, or a text that is too long: the row is counted, the cause is counted, the value is none."""
    span = inference_span({**PREDICT, **({"region": value} if is_of_span else {})}, span_id=1)
    decoded = decoder.decode(export_request([span], {} if is_of_span else {"region": value}))
    (rows,) = decoded.columns
    assert texts(rows.segments["region"]) == [None]
    assert decoded.undecoded == {cause: 1}


def test_calls_that_failed_are_known(decoder: Decoder) -> None:
    """The status `ERROR` and no other; where no call failed there is nothing to hold."""
    spans = [inference_span(PREDICT, span_id=i + 1) for i in range(3)]
    for code, span in enumerate(spans):
        span.status.code = code  # type: ignore[assignment]  # unset, ok, error
    (rows,) = decoder.decode(export_request(spans, {})).columns
    assert rows.is_failed is not None
    assert rows.is_failed.tolist() == [False, False, True]
    (none,) = decoder.decode(export_request(spans[:2], {})).columns
    assert none.is_failed is None


def test_rows_keep_what_divides_them_when_they_are_cut(decoder: Decoder) -> None:
    """A part of the rows has its part of the segments."""
    rows = columns(decoder, {"region": "a"}, {"region": "b"}, {"region": "c"})
    assert texts(rows[1:].segments["region"]) == ["b", "c"]

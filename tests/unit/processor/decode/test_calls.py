"""Which call of which process a span says it is."""

from __future__ import annotations

import pytest

from otel_ml_processor.decode.fast import FastDecoder
from otel_ml_processor.decode.spans import PlainDecoder
from tests.data.export_requests import export_request, inference_span

CALL = {"ml.call.stream": "9f2c1a7be0d4c355", "ml.call.sequence": 1742}
DECODERS = pytest.mark.parametrize("decoder", [PlainDecoder, FastDecoder])


@DECODERS
def test_a_call_has_a_process_and_a_number(decoder: type[PlainDecoder | FastDecoder]) -> None:
    """Sixteen hexadecimal digits, in whatever case, as a signed number of 64 bits; a span without them beside it says nothing."""
    upper = {**CALL, "ml.call.stream": "000000000000000F"}
    spans = [inference_span(said, span_id=n + 1) for n, said in enumerate((CALL, {}, upper))]
    (rows,) = decoder(lambda _: None).decode(export_request(spans)).columns
    assert rows.calls is not None
    process = 0x9F2C1A7BE0D4C355 - (1 << 64)
    assert rows.calls.tolist() == [[process, 1742], [0, -1], [15, 1742]]
    rest = rows[1:].calls
    assert rest is not None
    assert rest.tolist() == [[0, -1], [15, 1742]]


@DECODERS
@pytest.mark.parametrize(
    "said",
    [
        {"ml.call.stream": CALL["ml.call.stream"]},
        {"ml.call.sequence": 7},
        {**CALL, "ml.call.sequence": -1},
        {**CALL, "ml.call.sequence": 7.0},
        {**CALL, "ml.call.sequence": "7"},
        {**CALL, "ml.call.stream": "9f2c1a7be0d4c35"},
        {**CALL, "ml.call.stream": "9f2c1a7be0d4c3555"},
        {**CALL, "ml.call.stream": "9f2c1a7be0d4c35g"},
        {**CALL, "ml.call.stream": "0x2c1a7be0d4c355"},
        {**CALL, "ml.call.stream": "9f2c_a7be0d4c355"},
        {**CALL, "ml.call.stream": 7},
    ],
)
def test_what_is_no_call_is_passed_over(
    decoder: type[PlainDecoder | FastDecoder], said: dict[str, object]
) -> None:
    """One without the other, negative, of another type, or no sixteen digits: the row counts, its call does not, and nothing is wrong with the span."""
    decoded = decoder(lambda _: None).decode(export_request([inference_span(said)]))
    (rows,) = decoded.columns
    assert (len(rows), rows.calls, decoded.undecoded) == (1, None, {})

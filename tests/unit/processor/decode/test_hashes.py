"""The hashes of an input and of its schema, and answers that are none, as spans say them."""

from __future__ import annotations

import math

import pytest

from otel_ml_processor.columns import Flaw
from otel_ml_processor.decode.fast import FastDecoder
from otel_ml_processor.decode.spans import PlainDecoder
from tests.data.export_requests import export_request, inference_span

INPUT, SCHEMA = "ml.input.hash", "ml.input.schema.hash"
DECODERS = pytest.mark.parametrize("decoder", [PlainDecoder, FastDecoder])
AnyDecoder = type[PlainDecoder | FastDecoder]


@DECODERS
def test_hashes_are_words_of_64_bits(decoder: AnyDecoder) -> None:
    """Of any algorithm and in whatever case, as signed numbers; a span without them beside it says 0, and so does each for the other."""
    said: tuple[dict[str, object], ...] = (
        {INPUT: "b2:41c0d7e19a3358f2", SCHEMA: "9f2c1a7be0d4c355"},
        {},
        {INPUT: "größe:ü:00000000000000FF"},
        {SCHEMA: "000000000000000F"},
    )
    spans = [inference_span(each, span_id=n + 1) for n, each in enumerate(said)]
    (rows,) = decoder(lambda _: None).decode(export_request(spans)).columns
    assert rows.hashes is not None
    schema = 0x9F2C1A7BE0D4C355 - (1 << 64)
    assert rows.hashes.tolist() == [[0x41C0D7E19A3358F2, schema], [0, 0], [255, 0], [0, 15]]
    rest = rows[2:].hashes
    assert rest is not None
    assert rest.tolist() == [[255, 0], [0, 15]]


@DECODERS
@pytest.mark.parametrize(
    "said",
    [
        {INPUT: "41c0d7e19a3358f2"},
        {INPUT: ":41c0d7e19a3358f2"},
        {INPUT: "b2:41c0d7e19a3358f"},
        {INPUT: "b2:41c0d7e19a3358f22"},
        {INPUT: "b2-41c0d7e19a3358f2"},
        {INPUT: "b2:41c0d7e19a3358g2"},
        {INPUT: ""},
        {INPUT: 7},
        {INPUT: ["b2:41c0d7e19a3358f2"]},
        {INPUT: None, SCHEMA: None},
        {SCHEMA: "b2:41c0d7e19a3358f2"},
        {SCHEMA: "41c0d7e19a3358f"},
        {SCHEMA: "x1c0d7e19a3358f2"},
        {SCHEMA: 1.5},
    ],
)
def test_what_is_no_hash_is_passed_over(decoder: AnyDecoder, said: dict[str, object]) -> None:
    """Without its algorithm, cut, too long, of another type, no digits: the row counts, and nothing is wrong with the span."""
    decoded = decoder(lambda _: None).decode(export_request([inference_span(said)]))
    (rows,) = decoded.columns
    assert (len(rows), rows.hashes, rows.flaws, decoded.undecoded) == (1, None, None, {})


@DECODERS
def test_every_sample_of_a_batch_has_the_hash_of_its_call(decoder: AnyDecoder) -> None:
    """Two samples of one call, then a call of one: read in different ways, in one column."""
    batch = {INPUT: "b2:0000000000000001", "ml.prediction.labels": ["a", "b"]}
    spans = [inference_span(batch), inference_span({INPUT: "b2:0000000000000002"}, span_id=2)]
    (rows,) = decoder(lambda _: None).decode(export_request(spans)).columns
    assert rows.hashes is not None
    assert rows.hashes.tolist() == [[1, 0], [1, 0], [2, 0]]


@DECODERS
def test_answers_that_are_none_are_marked(decoder: AnyDecoder) -> None:
    """A predicted NaN; a confidence above 1, below 0, or NaN; an infinite number and one that was not said are not marked: the columns tell these."""
    said: tuple[dict[str, object], ...] = (
        {"ml.prediction.value": math.nan},
        {"ml.prediction.confidence": 1.5},
        {"ml.prediction.confidence": -0.25, "ml.prediction.value": math.nan},
        {"ml.prediction.confidence": math.nan},
        {"ml.prediction.value": math.inf, "ml.prediction.confidence": 1.0000001},
        {},
    )
    spans = [inference_span(each, span_id=n + 1) for n, each in enumerate(said)]
    (rows,) = decoder(lambda _: None).decode(export_request(spans)).columns
    assert rows.flaws is not None
    both = Flaw.NOT_A_NUMBER | Flaw.NO_PROBABILITY
    expected = [Flaw.NOT_A_NUMBER, Flaw.NO_PROBABILITY, both, Flaw.NO_PROBABILITY, 0, 0]
    assert rows.flaws.tolist() == expected


@DECODERS
def test_samples_of_a_batch_are_marked_one_by_one(decoder: AnyDecoder) -> None:
    """Of three samples the second predicts NaN and the third has a confidence of 2."""
    batch = {
        "ml.prediction.values": [1.0, math.nan, 3.0],
        "ml.prediction.confidences": [0.5, 0.5, 2.0],
    }
    (rows,) = decoder(lambda _: None).decode(export_request([inference_span(batch)])).columns
    assert rows.flaws is not None
    assert rows.flaws.tolist() == [0, Flaw.NOT_A_NUMBER, Flaw.NO_PROBABILITY]

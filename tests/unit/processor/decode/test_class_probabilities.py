"""The probability of each class, as either decoder reads it from a request."""

from __future__ import annotations

import numpy as np
import pytest

from otel_ml_processor.columns import InferenceColumns
from otel_ml_processor.decode.decoder import Decoded, Decoder
from otel_ml_processor.decode.fast import FastDecoder
from otel_ml_processor.decode.joined import joined
from otel_ml_processor.decode.spans import PlainDecoder
from tests.data.export_requests import export_request, inference_span

CLASSES = ("cat", "größe")
DECODERS = {
    "plain": PlainDecoder(lambda _: ("x",), classes_of=lambda _: CLASSES),
    "fast": FastDecoder(lambda _: ("x",), classes_of=lambda _: CLASSES),
}
PREDICT = {"ml.operation.name": "predict", "ml.model.name": "pets"}
KEY = "ml.prediction.probabilities"
NAN = float("nan")


@pytest.fixture(params=DECODERS)
def decoder(request: pytest.FixtureRequest) -> Decoder:
    """Each of the two decoders."""
    return DECODERS[request.param]


def decoded(decoder: Decoder, *said: dict[str, object]) -> Decoded:
    """Return what is read of a request of spans that say this."""
    spans = [inference_span({**PREDICT, **s}, span_id=i + 1) for i, s in enumerate(said)]
    return decoder.decode(export_request(spans, {}))


def rows_of(decoder: Decoder, *said: dict[str, object]) -> InferenceColumns:
    """Return the rows of a request of spans that say this."""
    (rows,) = decoded(decoder, *said).columns
    return rows


def test_each_row_has_the_probabilities_that_it_says(decoder: Decoder) -> None:
    """In any order, with classes that nobody asked for; of a class that is not said it is not known."""
    rows = rows_of(
        decoder,
        {KEY: '{"cat":0.25,"größe":0.75}', "ml.input.features": '{"x":1}'},
        {KEY: ' {"größe" : 1, "dog":0.5, "cat":0 } '},
        {KEY: '{"cat":0.5}'},
        {},
        {KEY: {"cat": 0.125, "größe": 0.875}},
    )
    assert tuple(rows.probabilities) == CLASSES
    np.testing.assert_array_equal(rows.probabilities["cat"], [0.25, 0, 0.5, NAN, 0.125])
    np.testing.assert_array_equal(rows.probabilities["größe"], [0.75, 1, NAN, NAN, 0.875])
    assert rows.features["x"].numbers[0] == 1


def test_a_batch_says_an_object_per_sample(decoder: Decoder) -> None:
    """In the order of its samples; one that is null says nothing."""
    said = '[{"cat":0.25,"größe":0.75},null,{"cat":1,"größe":0}]'
    rows = rows_of(decoder, {KEY: said, "ml.prediction.labels": ["cat", "cat", "cat"]}, {})
    np.testing.assert_array_equal(rows.probabilities["cat"], [0.25, NAN, 1, NAN])


@pytest.mark.parametrize(
    ("odd", "cause"),
    [
        ('{"cat":0.25', "malformed_json"),
        ("[" * 5000, "malformed_json"),
        ("7", "wrong_type"),
        ('"cat"', "wrong_type"),
        (0.25, "wrong_type"),
        (True, "wrong_type"),
        ('[{"cat":1},{"cat":1}]', "mismatched_lengths"),
        ("[]", "mismatched_lengths"),
        ('{"cat":' + "0" * (1 << 20) + "1}", "oversized"),
    ],
)
def test_what_cannot_be_read_is_counted_and_costs_nothing_else(
    decoder: Decoder, odd: object, cause: str
) -> None:
    """Cut off, of another type, of another number of samples, or huge: no probability, a cause, and all else of the span."""
    found = decoded(decoder, {KEY: odd, "ml.prediction.label": "cat"}, {KEY: '{"cat":1}'})
    (rows,) = found.columns
    np.testing.assert_array_equal(rows.probabilities["cat"], [NAN, 1])
    assert rows.labels.dictionary[rows.labels.codes[0]] == "cat"
    assert found.undecoded == {cause: 1}


@pytest.mark.parametrize("value", ['"0.5"', "true", "null", "[0.5]", '{"p":0.5}', "NaN"])
def test_what_is_no_number_is_no_probability(decoder: Decoder, value: str) -> None:
    """A text, a boolean, nothing, or a structure in its place: not known, and the other class is read."""
    rows = rows_of(decoder, {KEY: f'{{"cat":{value},"größe":0.5}}'})
    np.testing.assert_array_equal(rows.probabilities["cat"], [NAN])
    np.testing.assert_array_equal(rows.probabilities["größe"], [0.5])


def test_nobody_asked_and_nothing_is_read() -> None:
    """Where no reference knows what they mean there is no column, and what is odd of them is no flaw of the span."""
    for decoder in (PlainDecoder(lambda _: ()), FastDecoder(lambda _: ())):
        found = decoded(decoder, {KEY: "{"}, {KEY: 7})
        assert [dict(rows.probabilities) for rows in found.columns] == [{}]
        assert found.undecoded == {}


def test_rows_that_were_read_apart_are_joined_and_cut(decoder: Decoder) -> None:
    """With their own probabilities, in the order of their spans."""
    rows = rows_of(decoder, *({KEY: f'{{"cat":0.{i},"größe":0}}'} for i in range(6)))
    whole = joined([rows[np.arange(6) % 2 == 0], rows[np.arange(6) % 2 == 1]])
    np.testing.assert_array_equal(whole.probabilities["cat"], rows.probabilities["cat"])
    np.testing.assert_array_equal(whole[2:4].probabilities["cat"], [0.2, 0.3])

"""Requests that are counted together, because it takes as long for one as for many."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from otel_ml_conventions.metrics import METRIC_ML_PROCESSOR_FAILURES
from otel_ml_processor.decode.fast import FastDecoder
from otel_ml_processor.decode.inference_spans import InferenceSpans
from otel_ml_processor.decode.spans import PlainDecoder
from otel_ml_processor.state import ledger as ledger_module
from otel_ml_processor.state.gathered import Counted, gathered
from otel_ml_processor.windows.placed import place
from tests.data.state_house import NOW, House, request
from tests.unit.processor.otlp_requests import inference, request_of


def requests() -> list[bytes]:
    """Return requests of two models, some with spans that were in one before, one with rows of a batch, and one without inferences."""
    batch = inference(500, end_ns=NOW, model="other")
    labels = batch.attributes.add(key="ml.prediction.labels").value.array_value
    for label in ("a", "b", "a"):
        labels.values.add(string_value=label)
    plain = inference(501, end_ns=NOW)
    del plain.attributes[:]
    return [
        request(range(40)),
        request(range(30, 60)),
        request(range(100, 120), model="other"),
        request_of(
            [batch, inference(502, end_ns=NOW, prediction_label="late")]
        ).SerializeToString(),
        request_of([plain]).SerializeToString(),
        request(range(110, 150), model="other"),
    ]


def test_what_is_counted_together_is_what_is_counted_one_by_one() -> None:
    """To the last number, also of spans that came twice: whether anybody looks between two requests makes no difference."""
    together, apart = House(None), House(None)
    together.take(*requests())
    for one in requests():
        apart.take(one)
        apart.ledger.count()
    assert together.ledger.counted == apart.ledger.counted == 60 + 50 + 2
    of_both = (
        [msgspec.msgpack.decode(one) for one in house.content()] for house in (together, apart)
    )
    assert next(of_both) == next(of_both)


@pytest.mark.parametrize(
    "decoder", [FastDecoder(lambda _: ("amount",)), PlainDecoder(lambda _: ("amount",))]
)
def test_spans_of_several_requests_are_those_of_one(decoder: FastDecoder | PlainDecoder) -> None:
    """Each lies where it did in its own request, and each row still points at its span, as if all had come as one request."""
    decoded = [decoder.decode(one) for one in requests()]
    parts = [Counted(each.spans, [place(rows, None) for rows in each.columns]) for each in decoded]
    whole = decoder.decode(b"".join(requests()))
    counted = gathered(parts)
    assert [(s.trace_id, s.span_id, s.place.start, s.stream) for s in counted.spans] == [
        (s.trace_id, s.span_id, s.place.start, s.stream) for s in whole.spans
    ]
    assert counted.spans.request == whole.spans.request
    codes = np.arange(len(whole.spans)) % 2 - 1
    assert counted.spans.with_additions(codes, [b"\x80\x01\x01"]) == whole.spans.with_additions(
        codes, [b"\x80\x01\x01"]
    )
    rows_of = {placed.rows.stream: placed.rows for placed in counted.placed}
    assert len(rows_of) == len(counted.placed) == 2
    for expected in whole.columns:
        rows = rows_of[expected.stream]
        assert rows.spans.tolist() == expected.spans.tolist()
        np.testing.assert_array_equal(rows.confidences, expected.confidences)
        said = [rows.labels.dictionary[code] for code in rows.labels.codes]
        assert said == [expected.labels.dictionary[code] for code in expected.labels.codes]


def test_spans_without_their_bytes_are_still_told_apart() -> None:
    """Where nobody reads them again the bytes are let go of, and all that follows from them; ids stay, and each span is empty, also beside others."""
    spans = PlainDecoder(lambda _: ()).decode(request(range(3))).spans
    bare = spans.bare()
    assert bare.request == b""
    assert bare.ids.tolist() == spans.ids.tolist()
    assert [span.trace_id for span in bare] == [b"", b"", b""]
    together = [InferenceSpans.joined(parts) for parts in ([bare, bare], [bare, spans, bare])]
    assert [len(whole.request) for whole in together] == [0, len(spans.request)]
    ids = spans.ids.tolist()
    assert [whole.ids.tolist() for whole in together] == [ids * 2, ids * 3]
    read = [span.trace_id for span in spans]
    assert [span.trace_id for span in together[0]] == [b""] * 6
    assert [span.trace_id for span in together[1]] == [b""] * 3 + read + [b""] * 3
    assert [span.stream for span in together[1][3:6]] == [span.stream for span in spans]


def test_many_rows_are_counted_without_anybody_looking(monkeypatch: pytest.MonkeyPatch) -> None:
    """What waits is bounded: the request with which there are enough counts them all."""
    monkeypatch.setattr(ledger_module, "_ROWS_AT_ONCE", 25)
    house = House(None)
    house.take(request(range(20)))
    assert house.ledger._streams.copies() == []
    house.take(request(range(20, 30)))
    (copy,) = house.ledger._streams.copies()
    assert copy.labels.by_class() == {"class 0": 10, "class 1": 10, "class 2": 10}


def test_rows_of_many_streams_wait_for_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes as long to count a few rows of a stream as many: a request of two streams waits until there are twice as many rows."""
    monkeypatch.setattr(ledger_module, "_ROWS_AT_ONCE", 10)
    house = House(None)
    house.take(request(range(8), model="a") + request(range(8, 16), model="b"))
    assert house.ledger._streams.copies() == []
    house.take(request(range(16, 18), model="a") + request(range(18, 20), model="b"))
    assert [sum(each.labels.counts().values()) for each in house.ledger._streams.copies()] == [
        10,
        10,
    ]


def test_rows_wait_in_bounded_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """However few the rows of each of many models, what holds them, and the requests whose bytes are looked at again, take no more than so many bytes."""
    monkeypatch.setattr(ledger_module, "_BYTES_AT_ONCE", 64 << 10)
    house = House(None)
    house.take(request(range(5)))
    assert house.ledger._streams.copies() == []
    house.take(b"".join(request([number], model=f"model {number}") for number in range(5, 25)))
    copies = house.ledger._streams.copies()
    assert len(copies) == 21
    assert sum(sum(copy.labels.counts().values()) for copy in copies) == 25


def test_rows_that_cannot_be_counted_stop_nobody() -> None:
    """Whoever looks at the windows gets them; the failure is counted, and the next rows are counted as ever."""
    house = House(None)

    def broken(*_: object) -> list[object]:
        raise ZeroDivisionError

    add, house.ledger._streams.add = house.ledger._streams.add, broken  # type: ignore[method-assign,assignment] # a mistake of ours
    house.take(request(range(10)))
    house.tick()
    failures = {
        attributes.get("ml.processor.cause"): count
        for name, attributes, count in house.metrics.snapshot()
        if name == METRIC_ML_PROCESSOR_FAILURES
    }
    assert failures["count"] == 1
    house.ledger._streams.add = add  # type: ignore[method-assign] # repaired
    house.take(request(range(10, 20)))
    assert house.rows() == 10

"""The way of one request, and of time."""

from __future__ import annotations

import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import grpc
import numpy as np
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTracePartialSuccess,
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from otel_ml_conventions.attributes import MlDriftStateValues
from otel_ml_conventions.metrics import (
    METRIC_ML_PROCESSOR_DUPLICATES,
    METRIC_ML_PROCESSOR_FAILURES,
)
from otel_ml_processor.assess.promise import Promises
from otel_ml_processor.config import Config, ForwardConfig, WindowConfig
from otel_ml_processor.decode.spans import PlainDecoder
from otel_ml_processor.emit.annotations import annotate
from otel_ml_processor.pipeline import STEPS, Pipeline
from otel_ml_processor.profile import Profile, Source
from otel_ml_processor.receive import convoys
from otel_ml_processor.receive.repeats import Repeats
from otel_ml_processor.refusal import Refusal, RefusalCause
from otel_ml_processor.self_metrics import (
    ACCEPTED_SPANS,
    REFUSED_SPANS,
    SEND_FAILED_SPANS,
    SENT_SPANS,
    SelfMetrics,
)
from otel_ml_processor.state.ledger import Ledger
from otel_ml_processor.state.seen_spans import SeenSpans
from otel_ml_processor.windows.reference import build_profile
from otel_ml_processor.windows.references import References
from otel_ml_processor.windows.streams import Streams
from tests.unit.processor.otlp_requests import inference, request_of

if TYPE_CHECKING:
    from otel_ml_processor.assess.reading import Change, Reading
    from otel_ml_processor.assess.verdict import Verdicts
    from otel_ml_processor.columns import StreamKey
    from otel_ml_processor.decode.decoder import Decoded
    from otel_ml_processor.windows.streams import Totals

NOW = 1_700_000_000_000_000_000
ROWS = 400


def profile() -> Profile:
    """Return the profile of a model whose one input was standard normal, and whose confidence was between .5 and 1."""
    random = np.random.default_rng(7)
    return build_profile(
        {"amount": random.normal(size=20_000)},
        model="fraud",
        version="1",
        created="2026-01-01T00:00:00Z",
        source=Source(kind="array", uri="", rows=20_000),
        confidence=random.uniform(0.5, 1.0, size=20_000),
    )


@dataclass
class Next:
    """A next hop that remembers what it got, and answers as it is told."""

    answer: bytes = b""
    refusal: Refusal | None = None
    got: list[bytes] = field(default_factory=list)

    def __call__(self, request: bytes, remaining_s: float | None) -> bytes:
        """Take the request, or refuse it."""
        if self.refusal is not None:
            raise self.refusal
        self.got.append(request)
        return self.answer


@dataclass
class Out:
    """Where findings go, written down; the verb named in *broken* raises."""

    metrics: SelfMetrics
    broken: str = ""
    readings: list[tuple[Reading, Change | None]] = field(default_factory=list)
    beside: list[Verdicts] = field(default_factory=list)
    counted: list[Totals] = field(default_factory=list)

    def reading(self, reading: Reading, change: Change | None) -> None:
        """Write down a reading."""
        if self.broken == "reading":
            raise ZeroDivisionError
        self.readings.append((reading, change))

    def refresh(self, reading: Reading) -> None:
        """Forget what slides."""

    def totals(self, totals: Totals) -> None:
        """Write down totals."""
        self.counted.append(totals)

    def forget(self, stream: StreamKey) -> None:
        """Keep what was written down."""

    def lag(self, lag_s: float) -> None:
        """Forget the lag."""

    def dedupe_horizon(self, horizon_s: float) -> None:
        """Forget the horizon."""

    def annotated(self, decoded: Decoded, verdicts: Verdicts) -> bytes:
        """Splice the verdicts in, as the real outlet does."""
        if self.broken == "annotated":
            raise ZeroDivisionError
        return annotate(decoded.spans, verdicts, 1 << 22, self.metrics)

    def verdict_spans(self, decoded: Decoded, verdicts: Verdicts) -> None:
        """Write down verdicts of the tee."""
        if self.broken == "verdict_spans":
            raise ZeroDivisionError
        self.beside.append(verdicts)


class House:
    """A pipeline with real rooms, and a next hop and a way out that are looked at."""

    def __init__(self, *, inline: bool = True, broken: str = "") -> None:
        forward = ForwardConfig(endpoint="127.0.0.1:1") if inline else None
        self.config = Config(
            mode="inline" if inline else "tee",
            forward=forward,
            windows=(WindowConfig(name="rows", rows=ROWS),),
        )
        references = References.of([("fraud.json", profile())])
        self.metrics = SelfMetrics({METRIC_ML_PROCESSOR_FAILURES: STEPS})
        self.next = Next()
        self.out = Out(self.metrics, broken)
        self.streams = Streams(self.config.streams, self.config.windows, references.reference)
        self.pipeline = Pipeline(
            config=self.config,
            decoder=PlainDecoder(references.features),
            ledger=Ledger(
                streams=self.streams,
                spans=SeenSpans(600),
                repeats=Repeats(600),
                self_metrics=self.metrics,
                clock_ns=lambda: NOW,
            ),
            reference_of=references.reference,
            promises=Promises.of(self.config.drift, self.config.windows, []),
            forward=self.next if inline else None,
            emit=self.out,
            self_metrics=self.metrics,
        )

    def count(self, name: str, cause: str = "") -> int:
        """Return a counter of the processor's own."""
        return sum(
            value
            for counter, attributes, value in self.metrics.snapshot()
            if counter == name and (not cause or cause in attributes.values())
        )

    def rows(self) -> int:
        """Return how many rows the open windows hold; they are closed by it."""
        return sum(window.closed.summary.rows for window in self.pipeline.ledger.streams.finish())


def batch(n: int, shift: float = 0.0, seed: int = 1) -> bytes:
    """Return a request of *n* inferences whose input is normal around *shift*; those of another *seed* are others."""
    random = np.random.default_rng(seed)
    spans = [
        inference(
            10_000 * seed + i,
            end_ns=NOW,
            features={"amount": float(random.normal(shift))},
            prediction_label="ok",
            prediction_confidence=float(random.uniform(0.5, 1.0)),
        )
        for i in range(n)
    ]
    return request_of(spans).SerializeToString()


def attributes_of(request: bytes, index: int) -> dict[str, str]:
    """Return the text attributes of one span of *request*."""
    spans = ExportTraceServiceRequest.FromString(request).resource_spans[0].scope_spans[0].spans
    return {a.key: a.value.string_value for a in spans[index].attributes}


def test_a_request_is_forwarded_with_verdicts_and_then_counted() -> None:
    """In line, the next hop gets every span with what is known of it, and the windows get its rows."""
    house = House()
    assert house.pipeline.take(batch(10), None) == b""
    (forwarded,) = house.next.got
    assert attributes_of(forwarded, 3)["ml.verdict.confidence"] in {"low", "medium", "high"}
    assert attributes_of(forwarded, 3)["ml.verdict.reference"] == profile().id
    assert house.rows() == 10
    assert house.count(ACCEPTED_SPANS) == house.count(SENT_SPANS) == 10


def test_what_the_next_hop_refuses_is_not_counted() -> None:
    """The sender will send it again: counted now, it would be counted twice."""
    house = House()
    house.next.refusal = Refusal(
        grpc.StatusCode.UNAVAILABLE, "away", RefusalCause.NEXT_HOP, retry_after_s=1.0
    )
    with pytest.raises(Refusal) as raised:
        house.pipeline.take(batch(10), None)
    assert raised.value.code is grpc.StatusCode.UNAVAILABLE
    assert raised.value.retry_after_s == 1.0
    assert house.count(SEND_FAILED_SPANS) == house.count(REFUSED_SPANS) == 10
    house.next.refusal = None
    house.pipeline.take(batch(10), None)
    assert house.rows() == 10


def test_a_partial_success_reaches_the_sender_as_it_was_given() -> None:
    """What the next hop says of rejected spans is its answer to the sender, not ours to change."""
    house = House()
    partial = ExportTracePartialSuccess(rejected_spans=3, error_message="too old")
    house.next.answer = ExportTraceServiceResponse(partial_success=partial).SerializeToString()
    assert house.pipeline.take(batch(10), None) == house.next.answer
    assert house.count(SENT_SPANS) == 7
    assert house.count(SEND_FAILED_SPANS) == 3


def test_in_a_tee_nothing_is_forwarded_and_success_is_answered() -> None:
    """The traces have a way of their own; what is known of them goes beside."""
    house = House(inline=False)
    assert house.pipeline.take(batch(10), None) == b""
    assert house.next.got == []
    assert np.count_nonzero(house.out.beside[0].codes >= 0) == 10
    assert house.rows() == 10


def test_a_malformed_request_is_refused_and_not_forwarded() -> None:
    """Framing that is broken is the sender's mistake: INVALID_ARGUMENT, and no hop behind us sees it."""
    house = House()
    with pytest.raises(Refusal) as raised:
        house.pipeline.take(batch(3)[:-5], None)
    assert raised.value.code is grpc.StatusCode.INVALID_ARGUMENT
    assert house.next.got == []
    assert house.rows() == 0


def test_an_empty_request_is_a_success() -> None:
    """OTLP says so, and there is nothing to count."""
    house = House()
    assert house.pipeline.take(b"", None) == b""
    assert house.count(ACCEPTED_SPANS) == 0


def test_spans_that_are_no_inferences_pass_untouched() -> None:
    """The HTTP spans of the same request are forwarded byte for byte."""
    house = House()
    plain = inference(1, end_ns=NOW)
    del plain.attributes[:]
    request = request_of([plain]).SerializeToString()
    house.pipeline.take(request, None)
    assert house.next.got == [request]


def test_a_processor_that_cannot_think_lets_the_traces_through() -> None:
    """A mistake of ours is counted under its step; the spans go on as they came."""
    house = House(broken="annotated")
    request = batch(5)
    house.pipeline.take(request, None)
    assert house.next.got == [request]
    assert house.count(METRIC_ML_PROCESSOR_FAILURES, "annotate") == 1
    assert house.rows() == 5


def test_a_decoder_that_fails_lets_the_traces_through() -> None:
    """A mistake of ours in reading is no reason to make the sender repeat for ever what it will never get through."""

    class Broken:
        def decode(self, request: bytes, caller: str = "", size: int | None = None) -> Decoded:
            raise ZeroDivisionError

    house = House()
    house.pipeline._decoder = Broken()
    request = batch(5)
    assert house.pipeline.take(request, None) == b""
    assert house.next.got == [request]
    assert house.count(METRIC_ML_PROCESSOR_FAILURES, "decode") == 1


def test_a_verdict_beside_the_trace_that_fails_does_not_fail_the_request() -> None:
    """In a tee the copy is acknowledged whatever becomes of the verdicts."""
    house = House(inline=False, broken="verdict_spans")
    assert house.pipeline.take(batch(5), None) == b""
    assert house.count(METRIC_ML_PROCESSOR_FAILURES, "annotate") == 1
    assert house.rows() == 5


def test_a_reading_that_cannot_be_emitted_does_not_stop_the_next() -> None:
    """One window that fails is counted; time goes on."""
    house = House(broken="reading")
    house.pipeline.take(batch(2 * ROWS), None)
    house.pipeline.tick(NOW)
    assert house.count(METRIC_ML_PROCESSOR_FAILURES, "assess") == 2


def test_a_shifted_input_is_noticed_told_once_and_written_on_the_following_spans() -> None:
    """Steady windows say nothing; the first drifting one is one change; from then on spans carry the verdict."""
    house = House()
    for seed, shift in enumerate((0.0, 1.0, 1.0)):
        house.pipeline.take(batch(ROWS, shift, seed), None)
        house.pipeline.tick(NOW)
    states = [reading.state for reading, _ in house.out.readings]
    assert states == [
        MlDriftStateValues.STEADY,
        MlDriftStateValues.DRIFTING,
        MlDriftStateValues.DRIFTING,
    ]
    changes = [change for _, change in house.out.readings if change is not None]
    assert [[t.name for t in change.targets] for change in changes] == [["amount"]]
    house.pipeline.take(batch(1), None)
    said = [attributes_of(request, 0).get("ml.verdict.drift") for request in house.next.got]
    assert said == [None, "steady", "drifting", "drifting"]


def test_the_last_rows_are_assessed_at_the_end() -> None:
    """At shutdown a window that has rows enough still says what it saw."""
    house = House()
    house.pipeline.take(batch(300), None)
    house.pipeline.tick(NOW)
    assert house.out.readings == []
    house.pipeline.finish()
    ((reading, _),) = house.out.readings
    assert reading.rows == 300
    assert reading.state is MlDriftStateValues.STEADY
    assert house.out.counted[-1].labels == {"ok": 300}


@pytest.mark.parametrize("inline", [True, False])
def test_a_request_that_comes_again_is_neither_forwarded_nor_counted_again(*, inline: bool) -> None:
    """Its sender did not get the answer; it gets it now, and the spans are known as duplicates."""
    house = House(inline=inline)
    assert house.pipeline.take(batch(10), None) == house.pipeline.take(batch(10), None) == b""
    assert len(house.next.got) == inline
    assert house.count(ACCEPTED_SPANS) == 10
    assert house.count(METRIC_ML_PROCESSOR_DUPLICATES) == 10
    assert house.rows() == 10


class Gate(Next):
    """A next hop whose first request stays until it may go on."""

    def __init__(self, answer: bytes) -> None:
        super().__init__(answer)
        self.begun, self.may_go_on = threading.Event(), threading.Event()

    def __call__(self, request: bytes, remaining_s: float | None) -> bytes:
        """Take the request."""
        if not self.begun.is_set():
            self.begun.set()
            assert self.may_go_on.wait(60)
            return b""
        return super().__call__(request, remaining_s)


def together(
    house: House,
    requests: list[bytes],
    monkeypatch: pytest.MonkeyPatch,
    kind: type[Gate] = Gate,
) -> list[Future[bytes]]:
    """Send *requests* at once, behind one that is under way; return what came of them."""
    monkeypatch.setattr(convoys, "PATIENCE_S", 60.0)
    gate = house.next = kind(house.next.answer)
    house.pipeline._forward = gate
    with ThreadPoolExecutor(len(requests) + 1) as pool:
        pool.submit(house.pipeline.take, batch(1, seed=999), None)
        assert gate.begun.wait(60)
        sent = [pool.submit(house.pipeline.take, request, None) for request in requests]
        deadline = time.monotonic() + 60
        while house.pipeline._convoys.n_waiting < len(requests) and time.monotonic() < deadline:
            time.sleep(0.001)
        gate.may_go_on.set()
    return sent


def test_requests_that_go_together_arrive_once_and_count_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The next hop gets one request with all their spans; each of them is known when it comes again."""
    house = House()
    requests = [batch(7, seed=seed) for seed in range(1, 6)]
    sent = together(house, requests, monkeypatch)
    assert [each.result() for each in sent] == [b""] * 5
    (forwarded,) = house.next.got
    ids = sorted(
        span.span_id
        for group in ExportTraceServiceRequest.FromString(forwarded).resource_spans
        for span in group.scope_spans[0].spans
    )
    assert ids == sorted(
        span.span_id
        for request in requests
        for span in ExportTraceServiceRequest.FromString(request)
        .resource_spans[0]
        .scope_spans[0]
        .spans
    )
    for request in requests:
        assert house.pipeline.take(request, None) == b""
    assert len(house.next.got) == 1
    assert house.count(METRIC_ML_PROCESSOR_DUPLICATES) == 35
    assert house.rows() == 36


def test_a_warning_goes_to_the_sender_it_is_about(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever else was under way at that moment."""
    odd = inference(
        5, end_ns=NOW, features={"amount": 1.0}, prediction_label="ok", prediction_confidence=7.0
    )
    requests = [batch(3, seed=1), request_of([odd]).SerializeToString(), batch(3, seed=2)]
    house = House()
    first, second, third = (each.result() for each in together(house, requests, monkeypatch))
    assert (first, third) == (b"", b"")
    warning = ExportTraceServiceResponse.FromString(second).partial_success
    assert (warning.rejected_spans, "out_of_range" in warning.error_message) == (0, True)
    assert house.rows() == 8


def test_what_the_next_hop_rejects_of_several_is_said_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody knows of which of them: told to all it would be counted several times."""
    house = House()
    partial = ExportTracePartialSuccess(rejected_spans=3, error_message="too old")
    house.next.answer = ExportTraceServiceResponse(partial_success=partial).SerializeToString()
    requests = [batch(4, seed=seed) for seed in range(1, 4)]
    answers = [each.result() for each in together(house, requests, monkeypatch)]
    assert sorted(answers) == [b"", b"", house.next.answer]
    assert house.count(SEND_FAILED_SPANS) == 3


class Small(Gate):
    """A gate that takes no request of more than one sender."""

    def __call__(self, request: bytes, remaining_s: float | None) -> bytes:
        """Take the request, or refuse it as too large."""
        if len(request) > 2 * len(batch(4, seed=1)):
            message = "larger than max"
            raise Refusal(grpc.StatusCode.RESOURCE_EXHAUSTED, message, RefusalCause.NEXT_HOP)
        return super().__call__(request, remaining_s)


def test_what_is_refused_together_and_taken_alone_is_not_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A next hop with a small limit has each request by itself, and no counter says that any of their senders was refused."""
    house = House()
    requests = [batch(4, seed=seed) for seed in range(1, 6)]
    answers = [each.result() for each in together(house, requests, monkeypatch, Small)]
    assert answers == [b""] * 5
    assert len(house.next.got) == 5
    assert house.count(SENT_SPANS) == 21
    assert house.count(SEND_FAILED_SPANS) == house.count(REFUSED_SPANS) == 0

"""Several destinations: who must have a request before it is acknowledged, and who nobody waits for."""

from __future__ import annotations

import itertools
import logging
import threading
from collections import Counter
from typing import TYPE_CHECKING

import grpc
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTracePartialSuccess,
    ExportTraceServiceResponse,
)

from otel_ml_processor.forward.best_effort import BestEffort
from otel_ml_processor.forward.destinations import Destinations, Required
from otel_ml_processor.forward.next_hop import refusal as next_hop_refusal
from otel_ml_processor.refusal import Refusal, RefusalCause
from otel_ml_processor.self_metrics import BEST_EFFORT, ITEMS, SelfMetrics
from otel_ml_processor.signals import Signal

if TYPE_CHECKING:
    from collections.abc import Iterator

SPANS = ITEMS[Signal.TRACES]
TRACES = Signal.TRACES
ARCHIVE = "archive.example.org:443"


class Place:
    """A destination: keeps what it is sent, answers *answer*, or refuses with the next of *refusals*."""

    def __init__(self, answer: bytes = b"", refusals: Iterator[Refusal] | None = None) -> None:
        self.sent: list[bytes] = []
        self.timeouts: list[float] = []
        self.is_closed = False
        self._answer = answer
        self._refusals = refusals or iter(())

    def send(self, request: bytes, timeout_s: float) -> bytes:
        """Keep it."""
        self.timeouts.append(timeout_s)
        for refusal in self._refusals:
            raise refusal
        self.sent.append(request)
        return self._answer

    def close(self) -> None:
        """Remember that."""
        self.is_closed = True


def refusal(code: grpc.StatusCode = grpc.StatusCode.UNAVAILABLE) -> Refusal:
    """Return one that says to come again at once."""
    return Refusal(code, "no", RefusalCause.NEXT_HOP, 0.0)


def counted(metrics: SelfMetrics) -> Counter[str]:
    """Return what was counted for best-effort destinations."""
    exporter = {"exporter": f"otlp/{BEST_EFFORT}"}
    return +Counter(
        {name: count for name, labels, count in metrics.snapshot() if dict(labels) == exporter}
    )


def partial_success(n_rejected: int) -> bytes:
    """Return the answer that rejects so many spans."""
    partial = ExportTracePartialSuccess(rejected_spans=n_rejected, error_message="too old")
    return ExportTraceServiceResponse(partial_success=partial).SerializeToString()


def no_count(_: bytes) -> int:
    """Fail: nobody needs to know."""
    raise AssertionError


def test_all_that_must_have_it_get_it_in_their_order() -> None:
    """The sender has the next hop's answer."""
    places = [Place(b"first"), Place(b"second")]
    required = [Required(place, 10.0) for place in places]
    assert Destinations(TRACES, required, [], no_count).send(b"x", None) == b"first"
    assert [place.sent for place in places] == [[b"x"], [b"x"]]
    assert [place.timeouts for place in places] == [[10.0], [10.0]]


@pytest.mark.parametrize(
    "success",
    [
        b"",
        ExportTraceServiceResponse(partial_success=ExportTracePartialSuccess()).SerializeToString(),
    ],
    ids=["unset", "empty"],
)
def test_what_any_of_them_rejects_is_said_to_the_sender(success: bytes) -> None:
    """It must have arrived at all of them; a full success of the next hop, in either spelling, does not hide what another one rejected."""
    rejecting = partial_success(1)
    required = [Required(Place(answer), 10.0) for answer in (success, rejecting, success)]
    assert Destinations(TRACES, required, [], no_count).send(b"x", None) == rejecting


def test_the_callers_time_is_for_all_of_them_together() -> None:
    """Each gets nine tenths of what is left by then."""
    times = iter([100.0, 100.0, 104.0])
    places = [Place(), Place()]
    required = [Required(place, 60.0) for place in places]
    Destinations(TRACES, required, [], no_count, clock=lambda: next(times)).send(b"x", 10.0)
    assert [place.timeouts for place in places] == [[pytest.approx(9.0)], [pytest.approx(5.4)]]


def test_one_that_refuses_is_the_answer() -> None:
    """The sender keeps the request, and nobody gets a copy of what will come again."""
    metrics = SelfMetrics()
    copies, after = Place(), Place()
    best_effort = BestEffort(ARCHIVE, {TRACES: copies}, 100, 10, metrics)
    required = [Required(Place(), 10), Required(Place(refusals=iter([refusal()])), 10)]
    destinations = Destinations(TRACES, [*required, Required(after, 10)], [best_effort], len)
    with pytest.raises(Refusal, match="no"):
        destinations.send(b"x", None)
    assert best_effort.flush(60)
    best_effort.close()
    assert (copies.sent, after.sent) == ([], [])


def test_one_that_nobody_sends_to_takes_no_thread() -> None:
    """Of a configuration that turns out to be of no use nothing is left; closing it, or not, is all the same."""
    before = set(threading.enumerate())
    best_effort = BestEffort(ARCHIVE, {TRACES: Place()}, 100, 10, SelfMetrics())
    # Not how many there are: one that another test has left may end just now.
    assert set(threading.enumerate()) <= before
    best_effort.close()


def test_what_is_raised_by_closing_is_no_news(caplog: pytest.LogCaptureFixture) -> None:
    """A call that the end of the processor breaks off is counted; nobody is warned of it."""
    begun, closed = threading.Event(), threading.Event()

    class BrokenOff(Place):
        def send(self, request: bytes, timeout_s: float) -> bytes:
            begun.set()
            assert closed.wait(60)
            raise ValueError("the channel is closed")

        def close(self) -> None:
            closed.set()

    metrics = SelfMetrics()
    best_effort = BestEffort(ARCHIVE, {TRACES: BrokenOff()}, 100, 30, metrics)
    best_effort.offer(TRACES, b"x", 1)
    assert begun.wait(60)
    best_effort.close()
    assert caplog.records == []
    assert counted(metrics) == {SPANS.send_failed: 1}


def test_a_copy_arrives_and_is_counted() -> None:
    """Under an exporter of its own, so that what was acknowledged is not counted twice."""
    metrics = SelfMetrics()
    copies = Place()
    best_effort = BestEffort(ARCHIVE, {TRACES: copies}, 100, 7.0, metrics)
    destinations = Destinations(TRACES, [Required(Place(), 10)], [best_effort], len)
    destinations.send(b"abc", None)
    destinations.send(b"de", None)
    assert best_effort.flush(60)
    best_effort.close()
    assert copies.sent == [b"abc", b"de"]
    assert copies.timeouts == [7.0, 7.0]
    assert copies.is_closed
    assert counted(metrics) == {SPANS.sent: 5}


@pytest.mark.parametrize(("n_rejected", "n_lost"), [(2, 2), (9, 5)])
def test_what_a_copy_s_destination_rejects_is_counted_as_lost(
    caplog: pytest.LogCaptureFixture, n_rejected: int, n_lost: int
) -> None:
    """A partial success: the rest has arrived, and whoever looks after the copies is told."""
    metrics = SelfMetrics()
    place = Place(partial_success(n_rejected))
    best_effort = BestEffort(ARCHIVE, {TRACES: place}, 100, 10, metrics)
    best_effort.offer(TRACES, b"abcde", 5)
    assert best_effort.flush(60)
    best_effort.close()
    assert counted(metrics) == +Counter({SPANS.sent: 5 - n_lost, SPANS.send_failed: n_lost})
    assert [record.getMessage() for record in caplog.records] == [
        f"{ARCHIVE} takes no copy of traces: it rejected {n_lost} of 5; further ones are counted in {SPANS.send_failed}"
    ]


def test_nobody_waits_for_a_destination_that_hangs() -> None:
    """What does not fit into its queue is dropped and counted; the rest arrives when it goes on."""
    metrics = SelfMetrics()
    inside, leave = threading.Event(), threading.Event()

    class Hanging(Place):
        """Answers when it is let."""

        def send(self, request: bytes, timeout_s: float) -> bytes:
            """Wait first."""
            inside.set()
            leave.wait(60)
            return super().send(request, timeout_s)

    hanging = Hanging()
    best_effort = BestEffort(ARCHIVE, {TRACES: hanging}, 10, 10, metrics)
    for request in (b"a" * 6, b"b" * 4, b"c", b"d" * 11):
        best_effort.offer(TRACES, request, len(request))
        assert inside.wait(60)
    assert not best_effort.flush(0)
    assert counted(metrics) == {SPANS.enqueue_failed: 12}
    leave.set()
    assert best_effort.flush(60)
    best_effort.close()
    assert hanging.sent == [b"a" * 6, b"b" * 4]
    assert counted(metrics) == {SPANS.enqueue_failed: 12, SPANS.sent: 10}


def test_what_is_refused_for_now_is_tried_again_in_its_order() -> None:
    """Until it is taken."""
    metrics = SelfMetrics()
    place = Place(refusals=iter([refusal(), refusal()]))
    best_effort = BestEffort(ARCHIVE, {TRACES: place}, 100, 10, metrics)
    best_effort.offer(TRACES, b"one", 1)
    best_effort.offer(TRACES, b"two", 1)
    assert best_effort.flush(60)
    best_effort.close()
    assert place.sent == [b"one", b"two"]
    assert counted(metrics) == {SPANS.sent: 2}


def test_what_is_refused_for_good_or_too_long_is_given_up() -> None:
    """Counted, and the next one has its turn."""
    metrics = SelfMetrics()
    times = iter([0.0, 0.0, 0.0, 0.0, 1000.0, 1000.0])
    good = refusal(grpc.StatusCode.INVALID_ARGUMENT)
    place = Place(refusals=iter([good, refusal()]))
    best_effort = BestEffort(ARCHIVE, {TRACES: place}, 100, 10, metrics, clock=lambda: next(times))
    best_effort.offer(TRACES, b"bad", 3)
    assert best_effort.flush(60)
    best_effort.offer(TRACES, b"old", 4)
    assert best_effort.flush(60)
    best_effort.close()
    assert place.sent == []
    assert counted(metrics) == {SPANS.send_failed: 7}


def test_a_destination_that_takes_nothing_is_said_once_and_again_when_it_does(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """By address and reason: whoever reads the log need not look at the metrics first. One that refuses now and then is no news each time."""
    caplog.set_level(logging.INFO)
    now_s = 0.0

    def refused(code: grpc.StatusCode) -> Refusal:
        return next_hop_refusal(ARCHIVE, code, "no such tenant", None)

    class Wanting(Place):
        wants: grpc.StatusCode | None = None

        def send(self, request: bytes, timeout_s: float) -> bytes:
            if self.wants is not None:
                raise refused(self.wants)
            return super().send(request, timeout_s)

    place = Wanting()
    best_effort = BestEffort(
        ARCHIVE, {TRACES: place, Signal.LOGS: place}, 100, 10, SelfMetrics(), lambda: now_s
    )

    def said(signal: Signal, wants: grpc.StatusCode | None = None) -> list[str]:
        """Have a copy sent, and return what is said of it."""
        caplog.clear()
        place.wants = wants
        best_effort.offer(signal, b"x", 1)
        assert best_effort.flush(60)
        return [f"{record.levelname} {record.getMessage()}" for record in caplog.records]

    denied, wrong = grpc.StatusCode.PERMISSION_DENIED, grpc.StatusCode.INVALID_ARGUMENT
    lost = f"WARNING {ARCHIVE} takes no copy of"
    assert said(TRACES, denied) == [
        f"{lost} traces: PERMISSION_DENIED: no such tenant; further ones are counted in {SPANS.send_failed}"
    ]
    assert said(TRACES, denied) == []
    assert len(said(TRACES, wrong)) == 1
    assert said(Signal.LOGS, denied)[0].startswith(f"{lost} logs: PERMISSION_DENIED")
    assert said(TRACES) == []
    assert said(TRACES, denied) == []
    now_s = 61.0
    assert said(Signal.LOGS, denied) == []
    assert said(TRACES) == [f"INFO {ARCHIVE} takes copies of traces again"]
    assert said(TRACES) == []
    assert said(Signal.LOGS) == []
    now_s = 122.0
    assert said(Signal.LOGS) == [f"INFO {ARCHIVE} takes copies of logs again"]
    assert len(said(TRACES, denied)) == 1
    best_effort.close()


def test_a_client_that_breaks_costs_the_request_and_not_the_destination(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """What it raises is said once; what comes afterwards is sent, instead of waiting until there is no room."""
    metrics = SelfMetrics()

    class Broken(Place):
        """Breaks on what is empty."""

        def send(self, request: bytes, timeout_s: float) -> bytes:
            """Keep what is not empty."""
            return super().send(bytes([request[0], *request[1:]]), timeout_s)

    copies = Broken()
    best_effort = BestEffort(ARCHIVE, {TRACES: copies}, 100, 10, metrics)
    for request in (b"", b"", b"abc"):
        best_effort.offer(TRACES, request, 3)
    assert best_effort.flush(60)
    best_effort.close()
    assert copies.sent == [b"abc"]
    assert counted(metrics) == {SPANS.send_failed: 6, SPANS.sent: 3}
    assert [record.getMessage() for record in caplog.records] == [
        f"{ARCHIVE} takes no copy of traces: IndexError: index out of range; further ones are counted in {SPANS.send_failed}"
    ]


def test_what_still_waits_at_the_end_is_counted_as_failed() -> None:
    """And nothing is taken any more."""
    metrics = SelfMetrics()
    place = Place(refusals=(refusal() for _ in itertools.count()))
    best_effort = BestEffort(ARCHIVE, {TRACES: place}, 100, 10, metrics)
    best_effort.offer(TRACES, b"abc", 3)
    assert not best_effort.flush(0.05)
    best_effort.close()
    best_effort.offer(TRACES, b"late", 1)
    assert counted(metrics) == {SPANS.send_failed: 3, SPANS.enqueue_failed: 1}


def test_a_signal_that_a_destination_does_not_want_does_not_go_there() -> None:
    """Nor is it counted as lost."""
    metrics = SelfMetrics()
    place = Place()
    best_effort = BestEffort(ARCHIVE, {TRACES: place}, 100, 10, metrics)
    best_effort.offer(Signal.LOGS, b"abc", 3)
    assert best_effort.flush(60)
    best_effort.close()
    assert place.sent == []
    assert not counted(metrics)

"""Pushing metrics, events and verdict spans, without anybody waiting for it."""

from __future__ import annotations

import itertools
import logging
import threading
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from otel_ml_processor.emit.push import MAX_ATTEMPTS, MAX_QUEUED, Pusher

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

LONG_S = 3600.0
BOUND_S = 60.0  # Only a broken pusher makes a test wait so long.


class Receiver:
    """A receiver that a test can break; it tells when something has arrived."""

    def __init__(self) -> None:
        """Take everything, until a test says otherwise."""
        self.got: list[bytes] = []
        self.calls: list[bytes] = []
        self.fails: Callable[[bytes], Exception | None] = lambda _: None
        self.called = threading.Semaphore(0)

    def __call__(self, request: bytes) -> None:
        """Take *request*, or raise what the test said."""
        self.calls.append(request)
        error = self.fails(request)
        if error is None:
            self.got.append(request)
        self.called.release()
        if error is not None:
            raise error

    def wait(self, calls: int = 1) -> None:
        """Wait for so many more calls."""
        for _ in range(calls):
            assert self.called.acquire(timeout=BOUND_S), "nothing was sent"


class Setup:
    """A pusher with its three receivers and its count of failures."""

    def __init__(
        self, interval_s: float = LONG_S, metrics: Callable[[], Iterable[bytes]] | None = None
    ) -> None:
        """Make everything, but do not push yet."""
        self.metrics, self.logs, self.traces = Receiver(), Receiver(), Receiver()
        self.failures = Counter[str]()
        self.pusher = Pusher(
            metrics=metrics or (lambda: [b"m"]),
            send_metrics=self.metrics,
            send_logs=self.logs,
            send_traces=self.traces,
            interval_s=interval_s,
            count_failure=lambda: self.failures.update(["failed"]),
        )

    @property
    def failed(self) -> int:
        """How often a failure was counted."""
        return self.failures["failed"]


def down(_: bytes) -> Exception:
    """Fail every request, as a receiver that nobody runs does."""
    return ConnectionError("connection refused")


def hanging_until(release: threading.Event) -> Callable[[bytes], None]:
    """Return a receiver's behaviour: it takes a request, but only answers after *release*."""

    def hang(_: bytes) -> None:
        release.wait(BOUND_S)

    return hang


@pytest.fixture
def setup() -> Iterator[Setup]:
    """A started pusher whose interval is too long to matter."""
    made = Setup()
    made.pusher.start()
    yield made
    made.pusher.flush(BOUND_S)


def test_events_and_spans_leave_at_once(setup: Setup) -> None:
    """An alarm does not wait for the next interval."""
    assert setup.pusher.push_logs(b"alarm")
    assert setup.pusher.push_traces(b"verdict")

    setup.logs.wait()
    setup.traces.wait()

    assert (setup.logs.got, setup.traces.got) == ([b"alarm"], [b"verdict"])
    assert setup.metrics.calls == []


def test_metrics_leave_every_interval() -> None:
    """Nobody has to ask for metrics; each interval sends the numbers of its moment."""
    numbers = itertools.count()
    setup = Setup(interval_s=0.001, metrics=lambda: [b"%d" % next(numbers)])
    setup.pusher.start()

    setup.metrics.wait(calls=4)

    assert setup.pusher.flush(BOUND_S)
    assert setup.metrics.got[:4] == [b"0", b"1", b"2", b"3"]


def test_flush_sends_what_waits_and_the_last_metrics() -> None:
    """A shut-down loses nothing: queued events leave, and the metrics once more."""
    setup = Setup(metrics=lambda: [b"m1", b"m2"])
    setup.pusher.push_logs(b"alarm")
    setup.pusher.push_traces(b"verdict")
    setup.pusher.start()

    assert setup.pusher.flush(BOUND_S)

    assert (setup.logs.got, setup.traces.got) == ([b"alarm"], [b"verdict"])
    assert setup.metrics.got == [b"m1", b"m2"]
    assert setup.failed == 0


def test_after_the_flush_nothing_is_taken(setup: Setup) -> None:
    """What comes too late is refused and counted, not kept for ever."""
    setup.pusher.flush(BOUND_S)

    assert not setup.pusher.push_logs(b"late")
    assert setup.failed == 1
    assert setup.logs.calls == []


def test_flush_of_a_pusher_that_never_ran() -> None:
    """A start that failed half-way can be cleaned up."""
    setup = Setup()

    assert setup.pusher.flush(BOUND_S)
    setup.pusher.push_logs(b"alarm")
    assert setup.failed == 1


def test_flush_gives_up_on_a_receiver_that_hangs() -> None:
    """A shut-down takes no longer than it is given, and says that something is left."""
    setup, release = Setup(), threading.Event()
    setup.logs.fails = hanging_until(release)
    setup.pusher.start()
    setup.pusher.push_logs(b"alarm")

    assert not setup.pusher.flush(0.0)

    release.set()
    assert setup.pusher.flush(BOUND_S)


def test_the_caller_never_waits_for_a_receiver() -> None:
    """While a receiver hangs, handing in more returns at once; beyond the bound it is dropped and counted."""
    setup, release = Setup(), threading.Event()
    setup.logs.fails = hanging_until(release)
    setup.pusher.start()
    setup.pusher.push_logs(b"hangs")

    taken = sum(setup.pusher.push_logs(b"%d" % i) for i in range(MAX_QUEUED + 50))

    assert MAX_QUEUED - 1 <= taken <= MAX_QUEUED + 1
    assert setup.failed == MAX_QUEUED + 50 - taken
    release.set()
    assert setup.pusher.flush(BOUND_S)
    assert len(setup.logs.got) == taken + 1


def test_a_flood_of_spans_does_not_push_out_alarms() -> None:
    """Each kind has a queue of its own."""
    setup = Setup()
    for i in range(2 * MAX_QUEUED):
        setup.pusher.push_traces(b"%d" % i)

    assert setup.pusher.push_logs(b"alarm")
    assert setup.failed == MAX_QUEUED


def test_an_event_is_kept_until_the_receiver_is_back() -> None:
    """A receiver that is down for a while loses no event."""
    setup = Setup(interval_s=0.001)
    setup.logs.fails = lambda request: down(request) if len(setup.logs.calls) <= 3 else None
    setup.pusher.push_logs(b"alarm")
    setup.pusher.start()
    setup.logs.wait(calls=4)

    assert setup.pusher.flush(BOUND_S)
    assert setup.logs.calls == [b"alarm"] * 4
    assert setup.logs.got == [b"alarm"]
    assert setup.failed == 3


def test_a_receiver_that_is_down_is_asked_once_per_round() -> None:
    """With many events waiting, one refusal is answer enough until the next round; a shut-down is not held up by a hundred."""
    setup = Setup()
    setup.logs.fails = down
    for i in range(100):
        setup.pusher.push_logs(b"%d" % i)
    setup.pusher.start()

    assert not setup.pusher.flush(BOUND_S)

    assert 1 <= len(setup.logs.calls) <= 2
    assert setup.failed == len(setup.logs.calls)
    assert setup.logs.got == []


def test_a_request_that_is_never_accepted_holds_up_no_other() -> None:
    """One poisoned event goes to the end of the queue; the others get through."""
    setup = Setup(interval_s=0.001)
    setup.logs.fails = lambda request: ValueError("bad") if request == b"poison" else None
    for request in (b"poison", b"a", b"b", b"c"):
        setup.pusher.push_logs(request)
    setup.pusher.start()

    setup.logs.wait(calls=5)

    assert set(setup.logs.got) == {b"a", b"b", b"c"}
    setup.pusher.flush(BOUND_S)


def test_a_request_is_not_tried_for_ever() -> None:
    """After an hour of refusals at the default interval a request is dropped, and that is counted too."""
    setup = Setup(interval_s=0.0)
    setup.logs.fails = down
    setup.pusher.push_logs(b"poison")
    setup.pusher.start()

    setup.logs.wait(calls=MAX_ATTEMPTS)
    setup.metrics.wait(calls=2)

    assert setup.pusher.flush(BOUND_S)
    assert len(setup.logs.calls) == MAX_ATTEMPTS
    assert setup.failed == MAX_ATTEMPTS + 1


def test_metrics_that_failed_are_not_repeated() -> None:
    """Metrics are cumulative: the next ones say more, so only the count of failures remembers."""
    numbers = itertools.count()
    setup = Setup(interval_s=0.001, metrics=lambda: [b"%d" % next(numbers), b"second part"])
    setup.metrics.fails = lambda request: down(request) if request == b"0" else None
    setup.pusher.start()
    setup.metrics.wait(calls=3)

    assert setup.pusher.flush(BOUND_S)
    assert setup.metrics.calls[:3] == [b"0", b"1", b"second part"]
    assert setup.failed == 1


def test_metrics_that_cannot_be_put_together_do_not_stop_the_pusher() -> None:
    """A fault of our own costs one push, not all that follow."""
    outcomes = iter([ValueError("broken"), None])

    def metrics() -> list[bytes]:
        error = next(outcomes, None)
        if error is not None:
            raise error
        return [b"m"]

    setup = Setup(interval_s=0.001, metrics=metrics)
    setup.pusher.start()

    setup.metrics.wait()

    assert setup.pusher.flush(BOUND_S)
    assert setup.failed == 1


def test_a_failure_is_logged_once_until_it_is_mended(caplog: pytest.LogCaptureFixture) -> None:
    """An operator reads one line per cause, with the reason; when it works again, one more; the next outage is news again."""
    caplog.set_level(logging.INFO)
    errors = iter([ConnectionError("refused")] * 3 + [TimeoutError("slow")] + [None] * 2)
    setup = Setup(interval_s=0.0)

    def fails(_: bytes) -> Exception | None:
        return next(errors, ConnectionError("refused again"))

    setup.metrics.fails = fails
    setup.pusher.start()
    setup.metrics.wait(calls=10)
    setup.pusher.flush(BOUND_S)

    said = [(record.levelname, record.getMessage()) for record in caplog.records]
    assert [level for level, _ in said] == ["WARNING", "WARNING", "INFO", "WARNING"]
    assert "cannot push metrics: ConnectionError: refused" in said[0][1]
    assert "cannot push metrics: TimeoutError: slow" in said[1][1]
    assert "metrics are pushed again" in said[2][1]
    assert "refused again" in said[3][1]


def test_kinds_fail_apart(setup: Setup, caplog: pytest.LogCaptureFixture) -> None:
    """A receiver that takes no logs still gets spans, and the message names what failed."""
    setup.logs.fails = down
    setup.pusher.push_logs(b"alarm")
    setup.logs.wait()
    setup.pusher.push_traces(b"verdict")
    setup.traces.wait()

    setup.pusher.flush(BOUND_S)

    assert setup.traces.got == [b"verdict"]
    assert [record.getMessage().split(":")[0] for record in caplog.records] == [
        "cannot push events"
    ]

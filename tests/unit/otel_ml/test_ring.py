"""The hand-over between callers and the thread that records."""

import os
import threading
from collections.abc import Iterator

import pytest

from otel_ml.ring import Ring


class Sink:
    """Takes items and can be waited for."""

    def __init__(self) -> None:
        self.items: list[int] = []
        self.threads: set[str] = set()
        self.arrived = threading.Semaphore(0)

    def take(self, items: list[int]) -> None:
        """Note the items and the thread they came in."""
        self.items.extend(items)
        self.threads.add(threading.current_thread().name)
        for _ in items:
            self.arrived.release()


@pytest.fixture
def sink() -> Sink:
    """Return an empty sink."""
    return Sink()


@pytest.fixture
def ring(sink: Sink) -> Iterator[Ring[int]]:
    """Return a ring of ten into the sink, and close it in the end."""
    ring: Ring[int] = Ring(10, sink.take, lambda: None)
    yield ring
    ring.close()


def test_drain_returns_when_all_is_consumed_in_order(ring: Ring[int], sink: Sink) -> None:
    """Whoever needs them now has them when `drain` returns, whichever thread was at it."""
    ring.pause()
    for item in range(5):
        assert ring.put(item)
    ring.resume()
    ring.drain()
    assert sink.items == [0, 1, 2, 3, 4]


def test_nothing_runs_before_the_first_item(sink: Sink) -> None:
    """A process that never calls a model has no thread of ours."""
    before = set(threading.enumerate())
    Ring(10, sink.take, lambda: None)
    # Not how many there are: one that another test has left may end just now.
    assert set(threading.enumerate()) <= before


def test_the_thread_consumes_without_being_asked(ring: Ring[int], sink: Sink) -> None:
    """An item arrives although nobody drains, in a daemon thread of ours."""
    ring.put(7)
    assert sink.arrived.acquire(timeout=60)
    assert sink.items == [7]
    assert sink.threads == {"otel-ml"}
    assert all(thread.daemon for thread in threading.enumerate() if thread.name == "otel-ml")


def test_a_later_item_arrives_too(ring: Ring[int], sink: Sink) -> None:
    """The thread goes back to waiting, it does not end."""
    for item in (1, 2, 3):
        ring.put(item)
        assert sink.arrived.acquire(timeout=60)
    assert sink.items == [1, 2, 3]


def test_a_full_ring_refuses_and_forgets_nothing(ring: Ring[int], sink: Sink) -> None:
    """The eleventh of ten is refused, the ten are consumed."""
    assert ring.pause()
    accepted = [ring.put(item) for item in range(12)]
    ring.resume()
    ring.drain()
    assert accepted[:10] == [True] * 10
    assert accepted[10:] == [False] * 2
    assert sorted(sink.items) == list(range(10))


def test_close_consumes_what_is_left(sink: Sink) -> None:
    """Nothing that was put is lost on the way out, and the thread ends."""
    ring: Ring[int] = Ring(100, sink.take, lambda: None)
    for item in range(50):
        ring.put(item)
    ring.close()
    assert sorted(sink.items) == list(range(50))


def test_what_comes_after_the_end_is_consumed_at_once(sink: Sink) -> None:
    """A call may end when observing has: nobody else would come for it."""
    ring: Ring[int] = Ring(100, sink.take, lambda: None)
    ring.close()
    for item in range(3):
        assert ring.put(item)
    assert sink.items == [0, 1, 2]
    assert sink.threads == {threading.current_thread().name}


def test_what_comes_after_the_end_waits_for_no_thread(
    sink: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor where something was put before the end for which no thread came any more, as in a process that is shutting down."""

    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't create new thread at interpreter shutdown")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    ring: Ring[int] = Ring(100, sink.take, lambda: None)
    ring.put(1)
    ring.close()
    ring.put(2)
    assert sink.items == [1, 2]


def test_many_threads_may_put_at_once(sink: Sink) -> None:
    """Every accepted item is consumed exactly once."""
    ring: Ring[int] = Ring(100_000, sink.take, lambda: None)
    threads = [
        threading.Thread(target=lambda base=base: [ring.put(base + i) for i in range(1000)])
        for base in range(0, 8000, 1000)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ring.close()
    assert sorted(sink.items) == list(range(8000))


def test_a_restarted_ring_is_empty_and_works(sink: Sink) -> None:
    """As in a forked child: what waited belongs to the parent, what comes now is consumed."""
    forgotten: list[bool] = []
    ring: Ring[int] = Ring(10, sink.take, lambda: forgotten.append(True))
    assert ring.pause()
    ring.put(1)
    ring.restart()
    assert forgotten == [True]
    assert ring.process_id == os.getpid()
    ring.put(2)
    ring.close()
    assert sink.items == [2]

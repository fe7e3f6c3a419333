"""Requests that come while another is under way go on together, and nobody is the worse for it."""

from __future__ import annotations

import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING

import grpc
import pytest

from otel_ml_processor.receive import convoys
from otel_ml_processor.receive.convoys import MAX_CONVOY_BYTES, Convoys, Request
from otel_ml_processor.receive.repeats import Answer
from otel_ml_processor.refusal import Refusal, RefusalCause

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

WAIT_S = 60.0


class Road:
    """Takes groups; the first stays until it may go on. A request of which *refused* says why is refused with all that are with it."""

    def __init__(self, refused: dict[bytes, Refusal] | None = None) -> None:
        self.groups: list[list[bytes]] = []
        self.begun = threading.Event()
        self.may_go_on = threading.Event()
        self.refused = refused or {}
        self.convoys = Convoys(self.take, lambda content: not content.startswith(b"cut"))

    def take(self, requests: Sequence[Request]) -> list[Answer]:
        """Answer every request with itself."""
        contents = [request.content for request in requests]
        self.groups.append(contents)
        if not self.begun.is_set():
            self.begun.set()
            assert self.may_go_on.wait(WAIT_S)
        for content in contents:
            if content in self.refused:
                raise self.refused[content]
        return [Answer(b"to " + content, 1) for content in contents]


@pytest.fixture(name="pool")
def pool() -> Iterator[ThreadPoolExecutor]:
    """Return threads for everybody."""
    with ThreadPoolExecutor(16) as threads:
        yield threads


@pytest.fixture(name="_patient")
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have nobody lose patience."""
    monkeypatch.setattr(convoys, "PATIENCE_S", WAIT_S)


def request_of(content: bytes, remaining_s: float | None = None) -> Request:
    """Return a request of *content*."""
    deadline_s = None if remaining_s is None else time.monotonic() + remaining_s
    return Request(content, b"key of " + content, deadline_s)


def behind_the_first(
    road: Road, pool: ThreadPoolExecutor, *contents: bytes
) -> list[Future[Answer]]:
    """Send one request, and *contents* while it is under way; return what comes of these once all of them wait."""
    pool.submit(road.convoys.send, request_of(b"first"))
    assert road.begun.wait(WAIT_S)
    sent = [pool.submit(road.convoys.send, request_of(content)) for content in contents]
    deadline = time.monotonic() + WAIT_S
    while road.convoys.n_waiting < len(contents) and time.monotonic() < deadline:
        time.sleep(0.001)
    road.may_go_on.set()
    return sent


def test_one_alone_goes_at_once() -> None:
    """One after the other is never a group."""
    road = Road()
    road.may_go_on.set()
    assert road.convoys.send(request_of(b"a")) == Answer(b"to a", 1)
    assert road.convoys.send(request_of(b"b")) == Answer(b"to b", 1)
    assert road.groups == [[b"a"], [b"b"]]


@pytest.mark.usefixtures("_patient")
def test_what_comes_meanwhile_goes_on_together(pool: ThreadPoolExecutor) -> None:
    """Each gets its own answer."""
    road = Road()
    sent = behind_the_first(road, pool, b"a", b"b", b"c")
    assert [each.result(WAIT_S).response for each in sent] == [b"to a", b"to b", b"to c"]
    assert [sorted(group) for group in road.groups] == [[b"first"], [b"a", b"b", b"c"]]


def test_one_that_hangs_does_not_stop_the_others(pool: ThreadPoolExecutor) -> None:
    """After a moment they go on without it."""
    road = Road()
    pool.submit(road.convoys.send, request_of(b"first"))
    assert road.begun.wait(WAIT_S)
    sent = [pool.submit(road.convoys.send, request_of(content)) for content in (b"a", b"b")]
    assert [each.result(WAIT_S).response for each in sent] == [b"to a", b"to b"]
    road.may_go_on.set()


@pytest.mark.usefixtures("_patient")
def test_one_that_is_refused_for_good_costs_no_other(pool: ThreadPoolExecutor) -> None:
    """Each is asked for by itself then."""
    bad = Refusal(grpc.StatusCode.INVALID_ARGUMENT, "b is bad", RefusalCause.MALFORMED)
    road = Road({b"b": bad})
    a, b, c = behind_the_first(road, pool, b"a", b"b", b"c")
    assert (a.result(WAIT_S).response, c.result(WAIT_S).response) == (b"to a", b"to c")
    with pytest.raises(Refusal, match="b is bad"):
        b.result(WAIT_S)


@pytest.mark.usefixtures("_patient")
def test_what_may_be_sent_again_is_not_tried_again_here(pool: ThreadPoolExecutor) -> None:
    """All of the group are refused: their senders have the patience."""
    busy = Refusal(grpc.StatusCode.UNAVAILABLE, "later", RefusalCause.NEXT_HOP)
    road = Road({b"b": busy})
    for each in behind_the_first(road, pool, b"a", b"b", b"c"):
        with pytest.raises(Refusal, match="later"):
            each.result(WAIT_S)
    assert len(road.groups) == 2


@pytest.mark.usefixtures("_patient")
def test_a_mistake_of_ours_leaves_nobody_behind(pool: ThreadPoolExecutor) -> None:
    """Whoever waits hears of it, and the next request is taken."""
    road = Road()
    road.refused = {b"b": ZeroDivisionError("ours")}  # type: ignore[dict-item] # raised as it is
    for each in behind_the_first(road, pool, b"a", b"b"):
        with pytest.raises(ZeroDivisionError, match="ours"):
            each.result(WAIT_S)
    assert road.convoys.send(request_of(b"c")) == Answer(b"to c", 1)


@pytest.mark.usefixtures("_patient")
@pytest.mark.parametrize(
    "alone",
    [
        request_of(b"cut off"),
        request_of(bytes(MAX_CONVOY_BYTES)),
        request_of(b"in a hurry", remaining_s=0.5),
    ],
    ids=["not whole", "large", "in a hurry"],
)
def test_who_would_harm_the_others_goes_alone(alone: Request, pool: ThreadPoolExecutor) -> None:
    """Without waiting, while another is under way."""
    road = Road()
    pool.submit(road.convoys.send, request_of(b"first"))
    assert road.begun.wait(WAIT_S)
    assert road.convoys.send(alone).n_inferences == 1
    assert road.groups[1] == [alone.content]
    road.may_go_on.set()


@pytest.mark.usefixtures("_patient")
def test_a_group_has_its_limit(pool: ThreadPoolExecutor) -> None:
    """What does not fit goes with the next."""
    road = Road()
    contents = [bytes([n]) * (MAX_CONVOY_BYTES // 2 - 1) for n in range(5)]
    for each in behind_the_first(road, pool, *contents):
        assert each.result(WAIT_S).n_inferences == 1
    assert sorted(len(group) for group in road.groups) == [1, 1, 2, 2]


def test_many_at_once_are_all_answered(pool: ThreadPoolExecutor) -> None:
    """Each once, each with its own answer."""
    road = Road()
    road.may_go_on.set()
    contents = [b"%d" % number for number in range(2000)]
    answers = pool.map(lambda content: road.convoys.send(request_of(content)), contents)
    assert [answer.response for answer in answers] == [b"to " + content for content in contents]
    assert sorted(c for group in road.groups for c in group) == sorted(contents)

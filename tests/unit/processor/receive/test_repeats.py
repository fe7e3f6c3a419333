"""A request that comes again is answered as before, and nobody does its work twice."""

from __future__ import annotations

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from typing import TYPE_CHECKING

import grpc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from otel_ml_processor.receive import repeats
from otel_ml_processor.receive.repeats import Answer, Repeats
from otel_ml_processor.refusal import Refusal, RefusalCause

if TYPE_CHECKING:
    from collections.abc import Iterator
    from concurrent.futures import Future

ANSWER = Answer(b"", 3)
AWAY = Refusal(grpc.StatusCode.UNAVAILABLE, "away", RefusalCause.NEXT_HOP)


class Clock:
    """A clock that stands where it was put."""

    def __init__(self) -> None:
        """Begin at zero."""
        self.now_s = 0.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now_s


class Taker:
    """Takes requests, and counts how often."""

    def __init__(self, answer: Answer = ANSWER) -> None:
        """Answer everything with *answer*."""
        self.answer = answer
        self.taken = 0

    def __call__(self, key: bytes) -> Answer:
        """Take one."""
        self.taken += 1
        return self.answer


def test_what_was_acknowledged_is_answered_as_before() -> None:
    """The second time nothing is done, and the caller is told that it is a repeat."""
    known, taker = Repeats(600), Taker(Answer(b"partial", 7))

    assert known.once(b"spans", None, taker) == (Answer(b"partial", 7), False)
    assert known.once(b"spans", None, taker) == (Answer(b"partial", 7), True)
    assert known.once(b"other spans", None, taker) == (Answer(b"partial", 7), False)
    assert taker.taken == 2


def test_what_was_refused_may_come_again() -> None:
    """Its sender will repeat it, and then it is new."""
    known, taker = Repeats(600), Taker()

    def refuse(_key: bytes) -> Answer:
        raise AWAY

    for _ in range(2):
        with pytest.raises(Refusal, match="away"):
            known.once(b"spans", None, refuse)
    assert known.once(b"spans", None, taker) == (ANSWER, False)


@pytest.mark.parametrize("is_refused", [False, True])
def test_while_it_is_being_worked_on_others_wait_for_its_answer(*, is_refused: bool) -> None:
    """Eight callers with the same bytes: one does the work, all get its answer or its refusal."""
    known, begun, may_end = Repeats(600), threading.Event(), threading.Event()
    taken: list[int] = []

    def take(_key: bytes) -> Answer:
        taken.append(1)
        begun.set()
        assert may_end.wait(60)
        if is_refused:
            raise AWAY
        return ANSWER

    with ThreadPoolExecutor(8) as threads:
        first = threads.submit(known.once, b"spans", 30, take)
        assert begun.wait(60)
        others = [threads.submit(known.once, b"spans", 30, take) for _ in range(7)]
        may_end.set()
        outcomes = [call.exception(60) or call.result() for call in (first, *others)]

    if is_refused:  # a caller that came after the refusal did the work anew, and was refused too
        assert all(outcome is AWAY for outcome in outcomes)
    else:
        assert len(taken) == 1
        assert Counter(outcomes) == {(ANSWER, False): 1, (ANSWER, True): 7}


@contextmanager
def being_taken(known: Repeats) -> Iterator[Future[tuple[Answer, bool]]]:
    """Give what `spans` will be answered with by *known*, who takes them until the block ends."""
    begun, may_end = threading.Event(), threading.Event()

    def take(_key: bytes) -> Answer:
        begun.set()
        assert may_end.wait(60)
        return ANSWER

    with ThreadPoolExecutor(1) as threads:
        first = threads.submit(known.once, b"spans", None, take)
        assert begun.wait(60)
        try:
            yield first
        finally:
            may_end.set()


def test_who_has_no_deadline_waits_as_long_as_it_takes() -> None:
    """Neither refused nor taken a second time while the answer is open."""
    known, taker = Repeats(600), Taker()

    with ThreadPoolExecutor(1) as threads:
        with being_taken(known) as first:
            second = threads.submit(known.once, b"spans", None, taker)
            is_settled = wait([second], timeout=0.1).done
        assert (first.result(60), second.result(60)) == ((ANSWER, False), (ANSWER, True))
    assert not is_settled
    assert taker.taken == 0


def test_an_answer_that_took_longer_than_the_memory_lasts_is_known() -> None:
    """The next hop was slower than the horizon: its sender has given up, repeats the request, and it is no new one."""
    clock = Clock()
    known, taker = Repeats(600, clock), Taker()

    def take_for_long(_key: bytes) -> Answer:
        clock.now_s = 700.0
        known.once(b"other spans", None, taker)
        return ANSWER

    assert known.once(b"spans", None, take_for_long) == (ANSWER, False)
    assert known.once(b"spans", None, taker) == (ANSWER, True)


def test_who_cannot_wait_is_told_to_try_again() -> None:
    """Not an error of the spans: UNAVAILABLE, with a time."""
    known = Repeats(600)

    with being_taken(known) as first, pytest.raises(Refusal, match="no answer yet") as refused:
        known.once(b"spans", 0.001, Taker())
    assert first.result(60) == (ANSWER, False)
    assert refused.value.code is grpc.StatusCode.UNAVAILABLE
    assert refused.value.retry_after_s is not None


def test_after_the_horizon_it_is_new() -> None:
    """What nobody would repeat any more needs no memory."""
    clock = Clock()
    known, taker = Repeats(600, clock), Taker()
    known.once(b"spans", None, taker)

    clock.now_s = 599.0
    assert known.once(b"spans", None, taker) == (ANSWER, True)
    clock.now_s = 600.0
    assert known.once(b"spans", None, taker) == (ANSWER, False)


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of more requests than are kept, the oldest are forgotten first."""
    monkeypatch.setattr(repeats, "MAX_REQUESTS", 10)
    known, taker = Repeats(600), Taker()
    for number in range(25):
        known.once(bytes([number]), None, taker)

    assert len(list(known.known())) == 10
    assert known.once(bytes([24]), None, taker) == (ANSWER, True)
    assert known.once(bytes([14]), None, taker) == (ANSWER, False)


def test_another_memory_goes_on_from_what_was_known() -> None:
    """With the same secret it gives the old answer, until the time at which the first would have forgotten it."""
    clock = Clock()
    known, taker = Repeats(600, clock), Taker(Answer(b"partial", 7))
    known.once(b"spans", None, taker)
    clock.now_s = 100.0
    later = Clock()
    other = Repeats(600, later)
    other.secret = known.secret
    for key, age_s, response, n_inferences in known.known():
        other.remember(key, Answer(response, n_inferences), age_s)

    later.now_s = 499.0
    assert other.once(b"spans", None, taker) == (Answer(b"partial", 7), True)
    later.now_s = 500.0
    assert other.once(b"spans", None, taker) == (Answer(b"partial", 7), False)


def test_what_is_being_worked_on_is_not_known_yet() -> None:
    """Only an answer that was given may be given again."""
    known = Repeats(600)
    seen: list[int] = []

    def take(_key: bytes) -> Answer:
        seen.append(len(list(known.known())))
        return ANSWER

    known.once(b"spans", None, take)

    assert seen == [0]
    assert len(list(known.known())) == 1


@settings(deadline=None)
@given(st.lists(st.binary(max_size=3), max_size=30))
def test_each_content_is_taken_once(requests: list[bytes]) -> None:
    """Whatever the order, as often as there are different ones."""
    known, taker = Repeats(600), Taker()
    for request in requests:
        known.once(request, None, taker)
    assert taker.taken == len(set(requests))

"""A span that was counted is known, for as long as was promised, and no other is taken for it."""

from __future__ import annotations

from collections import OrderedDict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from otel_ml_processor.state.seen_spans import Generation, SeenSpans
from otel_ml_processor.state.span_hashes import NO_HASH, span_hashes

SECRET = bytes(range(16))
HORIZON = 600.0


class Clock:
    """A clock that stands where it was put."""

    def __init__(self) -> None:
        """Begin at zero."""
        self.now_s = 0.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now_s


def hashes(*numbers: int) -> np.ndarray:
    """Return *numbers* as hashes."""
    return np.array(numbers, dtype=np.uint64)


def test_what_came_is_known_and_nothing_else() -> None:
    """Also within one request; a span without an id is always new."""
    seen = SeenSpans(HORIZON)
    assert seen.add(hashes(5, 6, 5, NO_HASH, NO_HASH)).tolist() == [True, True, False, True, True]
    assert seen.add(hashes(6, 7, NO_HASH)).tolist() == [False, True, True]
    assert seen.add(hashes()).tolist() == []


@settings(deadline=None, max_examples=50)
@given(
    steps=st.lists(
        st.tuples(
            st.floats(0, 400), st.lists(st.integers(1, 60).map(lambda n: n * 2**58), max_size=30)
        ),
        max_size=25,
    )
)
def test_it_knows_what_a_list_of_all_spans_knows(steps: list[tuple[float, list[int]]]) -> None:
    """
    Whatever comes when: a span that came within the horizon is known, and what is called known did come.

    The hashes end in the same bits, so that all want the same place in the table.
    """
    clock = Clock()
    seen = SeenSpans(HORIZON, 256, clock)
    last: OrderedDict[int, float] = OrderedDict()
    for pause_s, numbers in steps:
        clock.now_s += pause_s
        for number, is_new in zip(numbers, seen.add(hashes(*numbers)).tolist(), strict=True):
            known_since = last.get(number)
            if known_since is None:
                assert is_new
            elif clock.now_s - known_since < seen.horizon_s():
                assert not is_new
            if is_new:
                last[number] = clock.now_s


def test_more_than_it_can_hold_forgets_the_oldest_and_says_so() -> None:
    """Eight fit: after twelve the first four are gone, and the promise reaches back to when the fifth came."""
    clock = Clock()
    seen = SeenSpans(HORIZON, 8, clock)
    assert seen.horizon_s() == HORIZON
    for number in range(1, 13):
        clock.now_s = 10.0 * number
        assert seen.add(hashes(number)).all()
    assert seen.horizon_s() == pytest.approx(120 - 50)
    assert not seen.add(hashes(*range(5, 13))).any()
    assert seen.add(hashes(1)).all()


def test_one_request_may_hold_more_than_fits() -> None:
    """It is cut into generations; the last ones are known."""
    seen = SeenSpans(HORIZON, 8)
    assert seen.add(hashes(*range(1, 31))).all()
    assert not seen.add(hashes(*range(27, 31))).any()


def test_after_two_horizons_it_is_new() -> None:
    """Memory is for what may come again."""
    clock = Clock()
    seen = SeenSpans(HORIZON, 8, clock)
    seen.add(hashes(1))
    clock.now_s = 599.0
    assert not seen.add(hashes(1)).any()
    clock.now_s = 1300.0
    seen.add(hashes(2))
    clock.now_s = 1950.0
    assert seen.add(hashes(1)).all()


def test_another_goes_on_from_what_is_known() -> None:
    """After a restart a span is known for at least as long as it would have been; what is too old is not brought back."""
    clock, later = Clock(), Clock()
    seen = SeenSpans(HORIZON, 64, clock)
    seen.add(hashes(1, 2, 3))
    clock.now_s = 700.0
    seen.add(hashes(4, 5))
    clock.now_s = 750.0
    other = SeenSpans(HORIZON, 64, later)
    for generation in seen.generations():
        other.absorb(generation)
    other.absorb(Generation(hashes(9), 2 * HORIZON))

    later.now_s = 500.0  # 550 s after 4 and 5 came
    assert other.add(hashes(4, 5, 6, 9)).tolist() == [False, False, True, True]


def test_what_is_read_does_not_change_while_more_come() -> None:
    """A snapshot is written while requests go on."""
    seen = SeenSpans(HORIZON, 8)
    seen.add(hashes(1, 2))
    (read,) = seen.generations()
    seen.add(hashes(*range(3, 20)))
    assert read.hashes.tolist() == [1, 2]


def test_hashes_are_those_of_murmur_one_span_at_a_time() -> None:
    """The finaliser of MurmurHash3, written with Python's integers of any size."""

    def mixed(word: int) -> int:
        word = (word ^ word >> 33) * 0xFF51AFD7ED558CCD % 2**64
        word = (word ^ word >> 33) * 0xC4CEB9FE1A85EC53 % 2**64
        return word ^ word >> 33

    ids = np.random.default_rng(1).integers(1, 2**64, (100, 3), dtype=np.uint64)
    before, between = (int.from_bytes(SECRET[i : i + 8], "little") for i in (0, 8))
    expected = [mixed(mixed(mixed(s ^ before) ^ a ^ between) ^ b) for a, b, s in ids.tolist()]
    assert span_hashes(ids, SECRET).tolist() == expected


def test_each_bit_of_an_id_and_the_secret_matter() -> None:
    """192 bits of ids: whichever differs, the hash does; and so it does under every other secret."""
    base = np.array([[3, 5, 7]], dtype=np.uint64)
    others = [
        base ^ np.array([[b if w == i else 0 for i in range(3)]], dtype=np.uint64)
        for w in range(3)
        for b in (1 << k for k in range(64))
    ]
    found = {int(span_hashes(one, SECRET)[0]) for one in (base, *others)}
    assert len(found) == 1 + 192
    secrets = [bytes(16), SECRET, SECRET[::-1], SECRET[8:] + SECRET[:8]]
    assert len({int(span_hashes(base, secret)[0]) for secret in secrets}) == len(secrets)


@pytest.mark.parametrize(
    ("ids", "is_known"),
    [
        ((0, 0, 0), False),
        ((0, 0, 7), False),
        ((3, 5, 0), False),
        ((0, 5, 7), True),
        ((3, 0, 7), True),
    ],
)
def test_a_span_without_an_id_has_no_hash(ids: tuple[int, int, int], *, is_known: bool) -> None:
    """Two of them are two spans, as far as anybody can tell."""
    (found,) = span_hashes(np.array([ids], dtype=np.uint64), SECRET).tolist()
    assert (found != NO_HASH) is is_known

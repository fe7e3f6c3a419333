"""What is kept of predictions, and how a full ring stays fair."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pytest

from otel_ml_processor.feedback.ring import (
    JoinRing,
    Prediction,
    Predictions,
    empty_predictions,
)

HORIZON_NS = 1_000


def predictions(keys: list[int], time_ns: int = 0, names: list[int] | None = None) -> Predictions:
    """Return predictions with those *keys*, all of one time; the confidence of the i-th is i."""
    new = empty_predictions(len(keys), n_windows=2)
    new["key"] = np.array(keys, dtype=np.uint64)
    new["name"] = np.array(names or [0] * len(keys), dtype=np.uint64)
    new["time_ns"] = time_ns
    new["confidence"] = np.arange(len(keys))
    new["windows"] = [(i, -1) for i in range(len(keys))]
    return new


def found_in(ring: JoinRing, key: int) -> Prediction | None:
    """Return the prediction that *key* leads to; None where it leads to none."""
    row = ring.rows_of([key]).get(key)
    return None if row is None else ring.prediction(row)


def random_keys(seed: int, n: int) -> list[int]:
    """Return *n* keys such as a hash gives."""
    bits = np.random.default_rng(seed).integers(1, 1 << 64, n, dtype=np.uint64)
    keys: list[int] = bits.tolist()
    return keys


def test_a_prediction_is_found_by_its_key_and_by_its_name() -> None:
    """With everything that was kept of it; the key of nothing finds nothing."""
    ring = JoinRing(1_000, 2, HORIZON_NS)
    ring.add(predictions([7, 8, 0], time_ns=5, names=[0, 9, 0]))
    found = found_in(ring, 8)
    assert found is not None
    assert found == found_in(ring, 9)
    assert (found.time_ns, found.confidence, found.windows) == (5, 1.0, (1, -1))
    assert found_in(ring, 0) is None
    assert found_in(ring, 10) is None


def test_of_two_predictions_with_one_key_the_first_is_kept() -> None:
    """A second one, sent by mistake or by somebody else, does not take its label away."""
    ring = JoinRing(1_000, 2, HORIZON_NS)
    ring.add(predictions([7], time_ns=1))
    ring.add(predictions([7], time_ns=2))
    found = found_in(ring, 7)
    assert found is not None
    assert found.time_ns == 1


def test_a_flag_is_set_once() -> None:
    """Each flag by itself: a truth after an opinion is still the first truth."""
    ring = JoinRing(1_000, 2, HORIZON_NS)
    ring.add(predictions([7]))
    found = found_in(ring, 7)
    assert found is not None
    assert [ring.mark(found, flag) for flag in (2, 1, 1, 2)] == [False, False, True, True]


def test_what_has_expired_makes_room_before_anything_else() -> None:
    """A full ring forgets the old ones, keeps the others whole, and each still stands for itself alone."""
    ring = JoinRing(1_000, 2, HORIZON_NS)
    old, new = random_keys(1, 700), random_keys(2, 600)
    ring.add(predictions(old, time_ns=0))
    ring.add(predictions(new, time_ns=HORIZON_NS + 1))
    assert not any(found_in(ring, key) for key in old)
    assert all(found_in(ring, key) for key in new)
    assert ring.weight == 1
    assert len(ring) == 600


@pytest.mark.parametrize("n", [1_001, 5_000, 40_000])
def test_a_full_ring_keeps_a_fair_sample(n: int) -> None:
    """Never more than its capacity; early and late predictions alike; kept ones times their weight estimate how many there were."""
    ring = JoinRing(1_000, 2, HORIZON_NS)
    keys = random_keys(3, n)
    for begin in range(0, n, 97):
        ring.add(predictions(keys[begin : begin + 97]))
        assert len(ring) <= 1_000
    kept = np.array([found_in(ring, key) is not None for key in keys])
    assert kept.tolist() == [ring.keeps(key) for key in keys]
    # Of n keys each is kept with probability 1 / weight: four standard deviations.
    deviation = np.sqrt(n * (1 / ring.weight) * (1 - 1 / ring.weight))
    assert abs(kept.sum() - n / ring.weight) < 4 * deviation
    halves = kept[: n // 2].sum(), kept[n // 2 :].sum()
    assert abs(halves[0] - halves[1]) < 5 * deviation
    assert kept.sum() > 250


def test_a_named_prediction_is_kept_by_its_name() -> None:
    """Feedback that knows only the name can tell whether it was left out."""
    ring = JoinRing(1_000, 2, HORIZON_NS)
    keys, names = random_keys(4, 3_000), random_keys(5, 3_000)
    ring.add(predictions(keys, names=names))
    assert [found_in(ring, name) is not None for name in names] == [
        ring.keeps(name) for name in names
    ]
    assert ring.weight > 1


def test_one_request_may_hold_more_than_there_is_room_for() -> None:
    """It is kept in parts, and sampled like all else."""
    ring = JoinRing(1_000, 2, HORIZON_NS)
    ring.add(predictions(random_keys(6, 10_000)))
    assert 250 < len(ring) <= 1_000


def test_flags_survive_when_room_is_made() -> None:
    """A label that came before is still known as a duplicate after it."""
    ring = JoinRing(1_000, 2, HORIZON_NS)
    keys = random_keys(7, 900)
    ring.add(predictions(keys))
    for key in keys:
        found = found_in(ring, key)
        assert found is not None
        ring.mark(found, 1)
    ring.add(predictions(random_keys(8, 900)))
    left = [found for key in keys if (found := found_in(ring, key)) is not None]
    assert 100 < len(left) < 900
    assert all(ring.mark(found, 1) for found in left)


SAID = ("confidence", "value", "serial", "segments")


def lot(random: np.random.Generator, said: set[str], with_names: bool) -> Predictions:
    """Return a few predictions with keys that come again, of which some columns say something in some rows."""
    n = int(random.integers(1, 6))
    new = empty_predictions(n, n_windows=2, n_segments=1)
    new["key"] = random.integers(0, 40, n)
    new["name"] = random.integers(40, 60, n) * (random.random(n) < 0.5) if with_names else 0
    for column, unsaid in (
        ("confidence", np.nan),
        ("value", np.nan),
        ("serial", -1),
        ("label", -1),
    ):
        is_said = (column in said) & (random.random(n) < 0.7)
        new[column] = np.where(is_said, random.integers(0, 100, n), unsaid)
    new["segments"] = random.integers(0, 5, (n, 1)) if "segments" in said else -1
    new["windows"] = random.integers(-1, 9, (n, 2))
    new["time_ns"], new["stream"] = random.integers(0, HORIZON_NS, n), random.integers(0, 3, n)
    return new


def as_prediction(row: int, records: Predictions) -> tuple[object, ...]:
    """Return what a record says, as it is to come back; a NaN as None, which is equal to itself."""
    names = ("time_ns", "label", "confidence", "value", "stream", "windows", "serial", "segments")
    said = [records[name][row].tolist() for name in names]
    return plain(said)


def plain(said: Iterable[object]) -> tuple[object, ...]:
    """Return values that can be compared."""
    lists = (tuple(one) if isinstance(one, list) else one for one in said)
    return tuple(None if one != one else one for one in lists)  # noqa: PLR0124 - NaN is not equal to itself


@pytest.mark.parametrize("with_names", [False, True])
@pytest.mark.parametrize("seed", range(12))
def test_what_was_said_comes_back(seed: int, with_names: bool) -> None:
    """
    As from a dictionary: whichever columns say something, from whichever lot on, looked up between lots or at the end, written down and read again.

    Of several predictions with one key the first holds, whether it is the key of its span or of its name.
    """
    random = np.random.default_rng(seed)
    ring, twin = JoinRing(1_000, 2, HORIZON_NS, 1), dict[int, tuple[object, ...]]()
    said = set[str]()
    for number in range(30):
        said |= {SAID[number // 4 % 4]} if random.random() < 0.3 else set()
        new = lot(random, said, with_names=with_names and number > 10)
        ring.add(new)
        for row in range(len(new["key"])):
            for key in (int(new["key"][row]), int(new["name"][row])):
                if key:
                    twin.setdefault(key, as_prediction(row, new))
        if random.random() < 0.3:
            assert everything(ring) == twin
    again = JoinRing(1_000, 2, HORIZON_NS, 1)
    again.recall(*ring.copied(1_000))
    assert everything(ring) == everything(again) == twin


def everything(ring: JoinRing) -> dict[int, tuple[object, ...]]:
    """Return what every key leads to."""
    rows = ring.rows_of(range(70))
    return {key: plain(ring.prediction(row)[1:]) for key, row in rows.items()}


def test_nothing_is_found_in_an_empty_ring() -> None:
    """Nor is anything looked up for nobody."""
    ring = JoinRing(1_000, 2, HORIZON_NS)
    assert ring.rows_of([7]) == {}
    ring.add(predictions([7]))
    assert ring.rows_of([]) == {}
    halvings, copied = JoinRing(1_000, 2, HORIZON_NS).copied(10)
    assert (halvings, len(copied)) == (0, 0)

"""Of a sample of predictions it is known where their features were counted, until their truth is told."""

from __future__ import annotations

import numpy as np
import pytest

from otel_ml_processor.columns import IntArray
from otel_ml_processor.feedback.places import NO_SERIAL, KeptPlaces
from otel_ml_processor.windows.reference import Reference
from tests.data.state_house import profile

REFERENCE = Reference.of(profile())


def places(first: int, n_rows: int) -> IntArray:
    """Return places of two features by which each prediction can be told from all others: its number, and 7 more."""
    numbers = np.arange(first, first + n_rows)
    return np.stack([numbers, numbers + 7])


def filled(kept: KeptPlaces, sizes: list[int]) -> list[int]:
    """Add lots of so many predictions, and return the serial numbers of all."""
    serials: list[int] = []
    for size in sizes:
        serials += kept.add(places(len(serials), size), REFERENCE).tolist()
    return serials


def test_each_prediction_leads_to_its_own_places() -> None:
    """Whatever else came with it; numbers go on from lot to lot, also over one without predictions."""
    kept = KeptPlaces()
    assert filled(kept, [3, 0, 1, 40]) == list(range(44))
    for serial in (0, 2, 3, 4, 43):
        found = kept.taken(serial)
        assert found is not None
        assert found.numbers.tolist() == [serial, serial + 7]


@pytest.mark.parametrize("serial", [NO_SERIAL, 44, 1 << 40])
def test_what_was_never_kept_is_not_found(serial: int) -> None:
    """Neither a number that no prediction has nor, before anything came, any number."""
    kept = KeptPlaces()
    assert kept.taken(serial) is None
    filled(kept, [44])
    assert kept.taken(serial) is None


def test_a_truth_is_told_once() -> None:
    """What has been taken is not there any more; all others are."""
    kept = KeptPlaces()
    filled(kept, [5])
    assert kept.taken(2) is not None
    assert kept.taken(2) is None
    assert [serial for serial in range(5) if kept.taken(serial) is not None] == [0, 1, 3, 4]


@pytest.mark.parametrize("sizes", [[1] * 100, [100], [7, 50, 1, 42], [63, 37]])
def test_of_too_many_every_so_manyth_is_kept(sizes: list[int]) -> None:
    """However they come, at most so many stay, which are multiples of a power of two: whatever was predicted, and evenly over time."""
    kept = KeptPlaces(max_kept=16)
    filled(kept, sizes)
    found = [serial for serial in range(100) if kept.taken(serial) is not None]
    every = found[1] - found[0]
    assert every in {8, 16}
    assert found == list(range(0, 100, every))


def test_those_whose_truth_was_told_make_room() -> None:
    """Where labels come soon every prediction is kept, however many there are in the long run."""
    kept = KeptPlaces(max_kept=16)
    for first in range(0, 400, 4):
        kept.add(places(first, 4), REFERENCE)
        for serial in range(first, first + 4):
            found = kept.taken(serial)
            assert found is not None
            assert found.numbers.tolist() == [serial, serial + 7]

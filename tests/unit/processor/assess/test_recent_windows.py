"""When did it change, by the windows that are kept."""

from __future__ import annotations

import numpy as np

from otel_ml_processor.assess.reading import WindowSpan
from otel_ml_processor.assess.recent_windows import MAX_WINDOWS, RecentWindows
from tests.data.distributions import NORMAL, quantile_edges

EDGES = quantile_edges(NORMAL, 20)
WHOLE = slice(0, 20)


def span(number: int) -> WindowSpan:
    """Return a window that covers ten nanoseconds."""
    return WindowSpan("rows", 10 * number, 10 * number + 10)


def kept(*windows: list[int]) -> RecentWindows:
    """Return what is kept of windows with these counts."""
    recent = RecentWindows()
    for number, counts in enumerate(windows):
        recent.add(span(number), np.array(counts))
    return recent


def test_half_a_standard_deviation_is_dated_in_the_interval() -> None:
    """A step at a random one of 36 windows of 1000 rows: the 90 % interval holds it in at least 85 % of 200 cases, and is short."""
    rng = np.random.default_rng(21)
    before, after = NORMAL.cell_shares(EDGES), NORMAL.shifted(0.5).cell_shares(EDGES)
    inside, widths = 0, []
    for _ in range(200):
        step = int(rng.integers(1, MAX_WINDOWS))
        recent = RecentWindows()
        for number in range(MAX_WINDOWS):
            recent.add(span(number), rng.multinomial(1000, before if number < step else after))
        moment = recent.changed(WHOLE)
        assert moment is not None
        inside += moment.earliest_ns <= 10 * step <= moment.latest_ns
        widths.append((moment.latest_ns - moment.earliest_ns) / 10)

    assert inside / 200 >= 0.85
    assert np.median(widths) <= 2


def test_memory_is_bounded() -> None:
    """Of a hundred windows the last 36 are kept; a change before them is forgotten."""
    recent = kept(*([[1000, 0]] * 10 + [[0, 1000]] * 90))

    assert recent.added == 100
    moment = recent.changed(slice(0, 2))
    assert moment is not None
    assert moment.earliest_ns >= 10 * (100 - MAX_WINDOWS)


def test_only_the_windows_behind_the_one_named_are_asked() -> None:
    """The larger change, before, is another one's."""
    recent = kept([9, 0], [0, 9], [9, 0], [9, 0], [5, 4])

    moment = recent.changed(slice(0, 2), after=2)

    assert moment is not None
    assert moment.at_ns == 40
    assert recent.changed(slice(0, 2), after=4) is None
    assert recent.changed(slice(0, 2), after=5) is None


def test_nothing_is_told_of_nothing() -> None:
    """No window, one window, or no rows of the column."""
    assert RecentWindows().changed(WHOLE) is None
    assert kept([1, 2]).changed(slice(0, 2)) is None
    assert kept([0, 0, 5], [0, 0, 6]).changed(slice(0, 2)) is None


def test_windows_of_another_reference_are_let_go() -> None:
    """Counts on other cells cannot be compared."""
    recent = kept([9, 0], [9, 0], [3, 3, 3])

    assert recent.changed(slice(0, 2)) is None
    recent.add(span(3), np.array([0, 0, 9]))
    moment = recent.changed(slice(0, 3))
    assert moment is not None
    assert moment.at_ns == 30

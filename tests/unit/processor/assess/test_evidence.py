"""Slow drift over the windows of a stream: who is told, when, once, and what survives a restart."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import pytest

from otel_ml_conventions.attributes import MlDriftStateValues, MlDriftTargetValues
from otel_ml_processor.assess.evidence import ColumnEvidence, GatheredEvidence, Observed
from otel_ml_processor.assess.promise import Promises
from otel_ml_processor.assess.states import DriftStates, StateMemory, describe
from otel_ml_processor.assess.window import assess_window
from otel_ml_processor.columns import StreamKey
from otel_ml_processor.config import DriftConfig
from otel_ml_processor.profile import CellReference, Profile, Source, sealed
from otel_ml_processor.windows.disjoint import Closed
from otel_ml_processor.windows.reference import Reference
from otel_ml_processor.windows.streams import ClosedWindow
from otel_ml_processor.windows.summary import Summary
from tests.data.comparisons import compared

if TYPE_CHECKING:
    from collections.abc import Sequence

    from otel_ml_processor.assess.reading import Change, Reading

FEATURE = MlDriftTargetValues.FEATURE
X = (FEATURE, "x")
STREAM = StreamKey("flights", "", "late-arrival", "1")
HOUR_NS = 3_600_000_000_000
EVEN = [100] * 10
"""A window like the reference."""
RISING = [82, 86, 90, 94, 98, 102, 106, 110, 114, 118]
"""A thousand rows shifted by z = sum(c * rank) / sqrt(1000 * .0825) = 3.63, too little for one window to alarm."""


def reference() -> Reference:
    """Return the reference of a feature `x` with ten cells of 10 000 rows."""
    cells = CellReference(name="x", type="numeric", counts=[10_000] * 10, edges=list(range(9)))
    profile = Profile(
        model="late-arrival",
        version="1",
        created="2013-03-20T12:00:00Z",
        source=Source(kind="parquet", uri="", rows=100_000),
        features=[cells],
    )
    return Reference.of(sealed(profile))


REFERENCE = reference()


def seen(states: DriftStates, cells: Sequence[int], hour: int) -> tuple[Reading, Change | None]:
    """Return what *states* make of a window with *cells* of `x`, the hour *hour* of 1970."""
    summary = Summary(REFERENCE)
    summary.rows = sum(cells)
    summary.counts[: len(cells)] = cells
    closed = Closed("1h", hour * HOUR_NS, (hour + 1) * HOUR_NS, summary, is_sufficient=True)
    window = ClosedWindow(STREAM, REFERENCE, closed)
    promises = Promises({"1h": 0.0001}, {})
    reading = assess_window(window, promises=promises, min_rows=200, drift=DriftConfig())
    reading = states.gather(window, reading)
    return reading, states.observe(reading)


def evidence_of(reading: Reading) -> float:
    """Return the evidence of the one feature."""
    evidence = reading.targets[0].evidence
    assert evidence is not None
    return evidence.log


def test_what_no_window_shows_is_told_once_when_enough_has_gathered() -> None:
    """Every window is steady; the evidence grows, reaches the promise, and is one event, which says so in words."""
    states = DriftStates()

    found = [seen(states, RISING, hour) for hour in range(12)]

    assert {reading.state for reading, _ in found} == {MlDriftStateValues.STEADY}
    logs = [evidence_of(reading) for reading, _ in found]
    first = next(i for i, log in enumerate(logs) if log >= math.log(1000))
    assert 0 < first < 11
    assert [i for i, (_, change) in enumerate(found) if change] == [first]
    change = found[first][1]
    assert change is not None
    assert change.targets == ()
    assert [target.name for target in change.slow] == ["x"]
    text = describe(change)
    assert "1 input drifts slowly in window 1h (1000 samples, " in text
    assert f"x (rising, evidence e^{logs[first]:.1f})" in text
    assert "at most once in 1000 windows" in text


def test_evidence_is_the_published_product() -> None:
    """After two windows: of each direction and step e^(step (z - b) - step^2 / 2) twice, never below the last, their mean."""
    states = DriftStates()

    _, second = (seen(states, RISING, hour)[0] for hour in range(2))

    z = sum(c * (i - 4.5) / 10 for i, c in enumerate(RISING)) / math.sqrt(1000 * 0.0825)
    b = 2 * math.sqrt(1000 / 100_000)
    grown = [math.exp(2 * (step * (z - b) - step**2 / 2)) for step in (0.5, 1, 2)]
    fallen = [math.exp(step * (-z - b) - step**2 / 2) for step in (0.5, 1, 2)]
    assert evidence_of(second) == pytest.approx(math.log(sum(grown + fallen) / 6))


def test_an_episode_is_over_when_the_evidence_is_gone() -> None:
    """Then, and not before, a new slow drift is told again."""
    states = DriftStates()
    for hour in range(20):
        seen(states, RISING, hour)

    reading, _ = seen(states, EVEN, 20)
    hour = 21
    while evidence_of(reading) > 0:
        reading, change = seen(states, EVEN, hour)
        assert change is None
        hour += 1
    told = [seen(states, RISING, hour + i)[1] for i in range(12)]

    assert sum(change is not None for change in told) == 1


def test_of_what_drifts_anyway_nothing_is_told_of_slow_drift() -> None:
    """A large step is one event, of the step; the evidence, which follows it, adds no second one."""
    states = DriftStates()
    seen(states, EVEN, 0)

    changes = [seen(states, [0] * 5 + [200] * 5, hour)[1] for hour in range(1, 6)]

    assert [change is not None for change in changes] == [True, False, False, False, False]
    assert changes[0] is not None
    assert (len(changes[0].targets), changes[0].slow) == (1, ())


def test_evidence_survives_a_restart() -> None:
    """Ten windows in one go, or five, a restart by way of a file, and five: the same evidence, and no event twice."""
    states, first = DriftStates(), DriftStates()
    whole = [seen(states, RISING, hour) for hour in range(10)]
    halves = [seen(first, RISING, hour) for hour in range(5)]

    second = DriftStates()
    written = msgspec.msgpack.encode(first.memories())
    second.recall(msgspec.msgpack.decode(written, type=list[StateMemory]))
    halves += [seen(second, RISING, hour) for hour in range(5, 10)]

    assert [evidence_of(r) for r, _ in halves] == [evidence_of(r) for r, _ in whole]
    assert [bool(c) for _, c in halves] == [bool(c) for _, c in whole]
    assert sum(bool(c) for _, c in whole) == 1


def test_a_state_of_before_has_no_evidence() -> None:
    """A memory that was written without it is read, and the evidence begins anew."""
    old = msgspec.msgpack.encode([("flights", "", "late-arrival", "1"), "1h", "steady", True, []])
    states = DriftStates()

    states.recall([msgspec.msgpack.decode(old, type=StateMemory)])

    assert states.last(STREAM, "1h") is MlDriftStateValues.STEADY
    alone = seen(DriftStates(), RISING, 1)[0]
    assert evidence_of(seen(states, RISING, 1)[0]) == evidence_of(alone)


@pytest.mark.parametrize("logs", [(), (0.0,) * 5, (math.nan,) * 6, (math.inf,) * 6])
def test_evidence_that_is_none_is_refused(logs: tuple[float, ...]) -> None:
    """Too few numbers, or such as are none, name the column."""
    with pytest.raises(ValueError, match=r"evidence of feature 'x': expected 6 finite numbers"):
        GatheredEvidence(1000).recall([ColumnEvidence("feature", "x", logs)])


def test_columns_share_the_promise() -> None:
    """Beside nine others that stay, a column has a tenth of the evidence that it has alone."""
    moved = Observed(compared(EVEN, RISING), is_sufficient=True)
    others = [
        Observed(compared(EVEN, EVEN, name=f"still {i}"), is_sufficient=True) for i in range(9)
    ]

    alone = GatheredEvidence(1000).add([moved])[X]
    among = GatheredEvidence(1000).add([moved, *others])[X]

    assert among.log == pytest.approx(alone.log - math.log(10))


def test_columns_of_other_cells_beside_it_change_nothing_else() -> None:
    """Two, five and ten cells, a variance of its own each: the evidence is that of each alone, but for its third."""
    cells = ([900, 1100], [100, 150, 200, 250, 300], RISING)
    columns = [
        Observed(
            compared([20_000] * len(counts), counts, name=str(i)),
            is_sufficient=True,
            inflation=1.0 + i,
        )
        for i, counts in enumerate(cells)
    ]

    found = GatheredEvidence(1000.0).add(columns)

    for i, column in enumerate(columns):
        (alone,) = GatheredEvidence(1000.0).add([column]).values()
        assert found[FEATURE, str(i)].log == pytest.approx(alone.log - math.log(3))


def test_categories_have_no_evidence_and_do_not_share() -> None:
    """Their cells have no order, so there is no side to which they could shift."""
    moved = Observed(compared(EVEN, RISING), is_sufficient=True)
    category = Observed(compared(EVEN, RISING, name="carrier", ordered=False), is_sufficient=True)

    assert GatheredEvidence(1000).add([category]) == {}
    assert GatheredEvidence(1000).add([moved, category]) == GatheredEvidence(1000).add([moved])


@pytest.mark.parametrize(
    "silent",
    [
        Observed(compared(EVEN, RISING), is_sufficient=False),
        Observed(compared(EVEN, [0] * 10), is_sufficient=True),
        Observed(compared([0] * 10, RISING), is_sufficient=True),
    ],
    ids=["too few rows", "no value in the window", "no value in the reference"],
)
def test_a_column_that_says_nothing_keeps_its_evidence(silent: Observed) -> None:
    """Neither growth nor decay, and no number that is none."""
    gathered = GatheredEvidence(1000)
    before = gathered.add([Observed(compared(EVEN, RISING), is_sufficient=True)])

    assert gathered.add([silent]) == before


def test_rows_that_are_alike_are_less_evidence() -> None:
    """With a variance four times what chance gives, a score counts half."""
    plain = GatheredEvidence(1000).add(
        [Observed(compared([10_000] * 10, RISING), is_sufficient=True)]
    )
    inflated = GatheredEvidence(1000).add(
        [Observed(compared([10_000] * 10, RISING), is_sufficient=True, inflation=4.0)]
    )

    b, z = 0.2, sum(c * (i - 4.5) / 10 for i, c in enumerate(RISING)) / math.sqrt(1000 * 0.0825)
    terms = [
        math.exp(step * (sign * z / 2 - b) - step**2 / 2)
        for sign in (1, -1)
        for step in (0.5, 1, 2)
    ]
    assert inflated[X].log == pytest.approx(math.log(np.mean(terms)))
    assert inflated[X].log < plain[X].log


def test_falling_values_are_called_falling() -> None:
    """The direction is that of most evidence."""
    falling = GatheredEvidence(1000).add(
        [Observed(compared(EVEN, RISING[::-1]), is_sufficient=True)]
    )
    rising = GatheredEvidence(1000).add([Observed(compared(EVEN, RISING), is_sufficient=True)])

    assert falling[X] == replace(rising[X], rises=False)


def test_a_window_that_was_not_tested_is_no_evidence() -> None:
    """Its rows come again in the next one, and must not count twice."""
    states = DriftStates()
    before = evidence_of(seen(states, RISING, 0)[0])
    closed = Closed("1h", HOUR_NS, 2 * HOUR_NS, Summary(REFERENCE), is_sufficient=False)
    window = ClosedWindow(STREAM, REFERENCE, closed)
    reading = assess_window(
        window, promises=Promises({"1h": 0.01}, {}), min_rows=200, drift=DriftConfig()
    )

    assert states.gather(window, reading) is reading
    assert states.observe(reading) is None
    twice = evidence_of(seen(states, RISING, 1)[0])
    assert before < twice
    assert twice == evidence_of(_two_windows())


def _two_windows() -> Reading:
    states = DriftStates()
    seen(states, RISING, 0)
    return seen(states, RISING, 1)[0]


def test_the_change_is_dated_to_the_window_that_began_it() -> None:
    """Five steady hours, then a large step: it began with the sixth hour, at most one window off."""
    states = DriftStates()
    for hour in range(5):
        seen(states, EVEN, hour)

    change = seen(states, [0] * 5 + [200] * 5, 5)[1]

    assert change is not None
    assert change.moment == (5 * HOUR_NS, 4 * HOUR_NS, 6 * HOUR_NS)
    said = "That most likely began at 1970-01-01T05:00:00Z, between 1970-01-01T04:00:00Z and 1970-01-01T06:00:00Z (90 %)."
    assert said in describe(change)


def test_slow_drift_is_dated_to_before_it_was_found() -> None:
    """Ten steady hours, then a small lasting shift: when it is told, the interval reaches back to where it began."""
    states = DriftStates()
    for hour in range(10):
        seen(states, EVEN, hour)

    changes = [seen(states, RISING, hour)[1] for hour in range(10, 22)]

    (change,) = [change for change in changes if change is not None]
    assert change.moment is not None
    assert change.moment.at_ns == 10 * HOUR_NS


def test_an_earlier_drift_is_not_taken_for_the_change() -> None:
    """A second episode is dated by the windows since the first one ended, however much larger that was."""
    states = DriftStates()
    for hour in range(4):
        seen(states, EVEN, hour)
    for hour in range(4, 8):
        seen(states, [0] * 9 + [1000], hour)
    for hour in range(8, 12):
        seen(states, EVEN, hour)

    change = seen(states, [0, 0, *[125] * 8], 12)[1]

    assert change is not None
    assert change.moment is not None
    assert change.moment.at_ns == 12 * HOUR_NS


def test_a_first_window_cannot_say_when() -> None:
    """What differs from the reference from the beginning has no time of change."""
    change = seen(DriftStates(), [0] * 5 + [200] * 5, 0)[1]

    assert change is not None
    assert change.moment is None
    assert "began" not in describe(change)

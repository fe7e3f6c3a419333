"""On a stream that differs by the hour, windows compared with their own hours keep the promise, and drift is still found."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import pytest

from otel_ml_conventions.attributes import MlDriftStateValues
from otel_ml_processor.assess.promise import Promises
from otel_ml_processor.assess.window import assess_window
from otel_ml_processor.columns import InferenceColumns, Kind, StreamKey, TextColumn, ValueColumn
from otel_ml_processor.commands.profile import build_profile_from_table
from otel_ml_processor.config import DriftConfig, Duration, StreamsConfig, WindowConfig
from otel_ml_processor.windows.placed import place
from otel_ml_processor.windows.references import References
from otel_ml_processor.windows.streams import Streams

if TYPE_CHECKING:
    from otel_ml_processor.columns import FloatArray, IntArray
    from otel_ml_processor.profile import Profile, Season

HOUR_NS = 3_600_000_000_000
START = 1_699_833_600_000_000_000  # a Monday, 00:00 UTC
MODEL = StreamKey("shop", "production", "demand", "")
FEATURES = ("price", "stock", "visitors")
PER_HOUR = 300
SWING = 0.5
"""Standard deviations by which the mean swings over the day."""
HOURLY = WindowConfig(name="1h", length=Duration(3600))
DRIFT = DriftConfig(false_alarm_interval=Duration(100 * 3600))
"""One alarm in a hundred hours: 1 % of hourly windows."""


def traffic(
    rng: np.random.Generator, first_hour: int, hours: int, shift: float = 0.0
) -> tuple[IntArray, dict[str, FloatArray]]:
    """Return the times and features of so many hours; the first feature is shifted."""
    hour = np.repeat(np.arange(first_hour, first_hour + hours), PER_HOUR)
    times = START + hour * HOUR_NS + np.sort(rng.integers(0, HOUR_NS, (hours, PER_HOUR))).ravel()
    season = SWING * np.sin(2 * np.pi * (hour % 24) / 24)
    columns = {name: rng.normal(size=len(hour)) + season for name in FEATURES}
    columns[FEATURES[0]] += shift
    return times, columns


@cache
def profile(slots: Season | None) -> Profile:
    """Return the profile of fourteen days."""
    times, columns = traffic(np.random.default_rng(1), 0, 24 * 14)
    table = {**columns, "at": times.astype("datetime64[ns]")}
    return build_profile_from_table(table, model="demand", time="at", slots=slots)


def alarm_share(slots: Season | None, *, hours: int, shift: float = 0.0) -> float:
    """Return the share of the hours from the fifteenth day on in which something drifts."""
    references = References.of([("profile.json", profile(slots))])
    promises = Promises.of(DRIFT, [HOURLY], [])
    kept = Streams(StreamsConfig(), [HOURLY], references.reference)
    times, columns = traffic(np.random.default_rng(2), 24 * 14, hours, shift)
    kept.add([place(rows_of(times, columns), references.reference(MODEL))], int(times[-1]))
    states = [
        assess_window(window, promises=promises, min_rows=200, drift=DRIFT).state
        for window in kept.finish()
    ]
    assert len(states) == hours
    return states.count(MlDriftStateValues.DRIFTING) / hours


def rows_of(times: IntArray, columns: dict[str, FloatArray]) -> InferenceColumns:
    """Return inferences with those end times and features, and nothing else."""
    n = len(times)
    nothing, unsaid = np.full(n, np.nan), np.full(n, -1, dtype=np.int64)
    kinds = np.full(n, Kind.NUMBER, dtype=np.uint8)
    return InferenceColumns(
        stream=MODEL,
        spans=np.arange(n),
        end_times_ns=times,
        labels=TextColumn(unsaid, ()),
        confidences=nothing,
        entropies=nothing,
        margins=nothing,
        values=nothing,
        features={name: ValueColumn(kinds, column, unsaid) for name, column in columns.items()},
    )


def test_compared_with_all_of_the_reference_most_hours_alarm() -> None:
    """A swing of half a standard deviation over the day is no drift, and would be taken for one."""
    assert alarm_share(None, hours=96) > 0.5


@pytest.mark.parametrize("slots", ["hour_of_day", "hour_of_week"])
def test_compared_with_their_own_hours_no_more_alarm_than_was_promised(slots: Season) -> None:
    """Of 240 hours without drift 1 % are to alarm; more than eight of them would come about once in a thousand times."""
    assert alarm_share(slots, hours=240) <= 8 / 240


@pytest.mark.parametrize("slots", ["hour_of_day", "hour_of_week"])
def test_a_shift_is_still_found_whatever_the_hour(slots: Season) -> None:
    """Half a standard deviation on one of three features, as large as the swing itself."""
    assert alarm_share(slots, hours=48, shift=0.5) >= 0.95


def test_the_self_test_of_the_profile_says_so_beforehand() -> None:
    """The reference's own hours, each against the rest of its hours: the figure that is told at load."""
    measured = {
        slots: np.mean(np.array(profile(slots).self_tests[0].p_values["features"]) <= 0.01)
        for slots in (None, "hour_of_day")
    }
    assert measured[None] > 0.5
    assert measured["hour_of_day"] <= 0.03


def test_a_feature_and_hour_take_about_two_hundred_bytes_of_the_profile() -> None:
    """The seasonal part is counts alone."""
    slots = profile("hour_of_day").slots
    assert slots is not None
    assert len(msgspec.json.encode(slots)) / (24 * len(FEATURES)) <= 200

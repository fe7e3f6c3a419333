"""How often an alarm may be false, and what the reference itself says of it."""

from __future__ import annotations

import msgspec
import pytest

from otel_ml_processor.assess.promise import Promises, alphas, is_broken, shortest_window, told
from otel_ml_processor.config import Config, DriftConfig, Duration, WindowConfig
from otel_ml_processor.profile import Profile, RungReference, SelfTest, Source

HOURLY = WindowConfig(name="1h", length=Duration(3600))
DAILY = WindowConfig(name="24h", length=Duration(86400))
BY_ROWS = WindowConfig(name="rows", rows=900)


def profile(*tests: SelfTest) -> Profile:
    """Return a profile with nothing but its self-tests."""
    return Profile(
        id="sha256:1",
        model="fraud",
        version="1",
        created="2026-01-01T00:00:00Z",
        source=Source(kind="array", uri="", rows=1),
        features=[],
        self_tests=list(tests),
    )


def self_test(order: str, p_values: list[float], floor: float = 0.01) -> SelfTest:
    """Return a self-test of one family."""
    return SelfTest(
        order="time" if order == "time" else "random",
        window="1 day",
        effect_floor=floor,
        p_values={"features": p_values},
    )


def test_the_default_time_windows_share_one_false_alarm_in_thirty_days() -> None:
    """Hourly .07 %, daily 1.7 %: over 30 days, 720 and 30 windows, that is half a false alarm each."""
    rates = alphas(DriftConfig(), Config().windows)
    assert rates == pytest.approx({"1h": 0.5 / 720, "24h": 0.5 / 30})
    assert rates["1h"] * 720 + rates["24h"] * 30 == pytest.approx(1.0)


def test_row_windows_have_the_rate_that_was_set_whatever_runs_beside_them() -> None:
    """Nobody knows how long 900 rows take, so their promise is per window."""
    rates = alphas(DriftConfig(false_alarm_rate=0.02), [HOURLY, BY_ROWS])
    assert rates == pytest.approx({"1h": 1 / 720, "rows": 0.02})


def test_a_window_longer_than_the_interval_still_has_a_rate() -> None:
    """A year-long window with a false alarm a month cannot promise less than even odds."""
    yearly = WindowConfig(name="1y", length=Duration(365 * 86400))
    assert alphas(DriftConfig(), [yearly]) == {"1y": 0.5}


def test_spans_are_told_the_reading_of_the_freshest_window() -> None:
    """Rows before hours before days."""
    assert shortest_window([DAILY, BY_ROWS, HOURLY]) is BY_ROWS
    assert shortest_window([DAILY, HOURLY]) is HOURLY


def test_the_measured_rate_is_that_of_the_order_of_time() -> None:
    """Live rows come in time, so the reference's own days say more than its shuffled rows."""
    shuffled = self_test("random", [0.5] * 100)
    days = self_test("time", [0.001] * 40 + [0.5] * 60)
    promises = Promises.of(DriftConfig(), [BY_ROWS], [profile(shuffled, days)])
    assert promises.measured_rates("sha256:1") == {"rows": 0.4}
    assert promises.measured_rates("sha256:unknown") == {}


def test_a_profile_without_self_test_claims_nothing() -> None:
    """Nothing measured is no measurement of 0."""
    assert Promises.of(DriftConfig(), [BY_ROWS], [profile()]).measured == {}


def test_a_promise_is_broken_above_three_times_its_rate() -> None:
    """Below that it may be chance; what was not measured is not known to be broken."""
    assert is_broken(0.031, 0.01)
    assert not is_broken(0.03, 0.01)
    assert not is_broken(None, 0.01)


def test_the_operator_is_told_mode_promise_and_what_was_found() -> None:
    """At load one reads how it is calibrated and whether that holds on the reference's own days."""
    tests = self_test("random", [0.5] * 100), self_test("time", [0.001] * 4 + [0.5] * 6)
    lines = list(told(profile(*tests), "rows", 0.01, 0.01))
    assert [broken for broken, _ in lines] == [False, True]
    kept, broken = (text for _, text in lines)
    assert "promised 1 %, mode iid; 0 % of the reference's own 100 windows" in kept
    assert "40 % of the reference's own 10 windows of 1 day in order of time alarm" in broken
    assert "the promise does not hold there" in broken


def test_a_self_test_with_another_effect_floor_says_so() -> None:
    """A rate measured under other rules is not passed off as this one's."""
    ((_, text),) = told(profile(self_test("time", [0.5], floor=0.05)), "rows", 0.01, 0.01)
    assert "with an effect floor of 0.05, not 0.01" in text


def test_the_operator_is_told_what_windows_are_calibrated_on() -> None:
    """In a mode that knows that rows are alike, not the self-test of mode iid decides whether the promise is broken."""
    days = profile(self_test("time", [0.001] * 4 + [0.5] * 6))
    own = [
        RungReference(
            rows=rows,
            effect_floor=0.01,
            columns=[],
            extremes={"features": [1.0] * windows},
            alarms={"features": alarms},
        )
        for rows, windows, alarms in ((200, 400, [0.5]), (400, 100, [0.001, 0.5]))
    ]
    known = msgspec.structs.replace(days, own_windows=own)

    lines = list(told(known, "rows", 0.01, 0.01, "auto"))

    assert [broken for broken, _ in lines] == [False, False, True, False]
    assert "mode iid; 40 %" in lines[0][1]
    assert (
        "up to 200 rows, mode empirical on 400 windows of the reference, of which 1 % alarm"
        in lines[1][1]
    )
    assert (
        "up to 400 rows, mode scaled on 100 windows of the reference, of which 50 % alarm"
        in (lines[2][1])
    )
    assert "more than 400 rows, mode iid: the profile has no windows for more" in lines[3][1]


def test_a_mode_that_cannot_be_had_is_said() -> None:
    """Wanted, but the profile was built without times: rows are taken to be independent, and that is broken on its own days."""
    lines = list(told(profile(self_test("time", [0.001])), "rows", 0.01, 0.01, "scaled"))

    assert [broken for broken, _ in lines] == [True, False]
    assert "all windows, mode iid" in lines[1][1]

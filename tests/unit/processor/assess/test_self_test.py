from __future__ import annotations

import numpy as np
import pytest

from otel_ml_conventions.attributes import MlDriftTargetValues
from otel_ml_processor.assess.drift import (
    family_p_values,
)
from otel_ml_processor.assess.self_test import TargetWindows, measured_false_alarm_rate, self_test
from otel_ml_processor.profile import SelfTest
from otel_ml_processor.windows.summary import Comparison
from tests.data.comparisons import counted

FEATURE = MlDriftTargetValues.FEATURE
PREDICTION = MlDriftTargetValues.PREDICTION


def windows(
    n_windows: int,
    *,
    seed: int = 0,
    wobble: float = 0.0,
    name: str = "x",
    target: MlDriftTargetValues = FEATURE,
) -> TargetWindows:
    """Return windows of 500 rows on ten cells whose shares tilt by a random *wobble* from window to window."""
    rng = np.random.default_rng(seed)
    tilts = np.exp(np.outer(rng.normal(0, wobble, n_windows), np.linspace(-1, 1, 10)))
    shares = tilts / tilts.sum(axis=1, keepdims=True)
    counts = np.stack([counted(rng.multinomial(500, row)) for row in shares])
    return TargetWindows(target, name, ordered=True, counts=counts)


def measured(*targets: TargetWindows) -> SelfTest:
    """Return the self-test of rows in time order."""
    return self_test(targets, order="time", window="500 rows", effect_floor=0.01)


def test_each_window_is_compared_with_all_the_others() -> None:
    """The p-value of a window is that of its counts against the reference without it."""
    column = windows(5, wobble=0.5)

    test = measured(column)

    rest = column.counts.sum(axis=0) - column.counts[2]
    alone = family_p_values(
        [Comparison(FEATURE, "x", ordered=True, reference=rest, current=column.counts[2])], 0.01
    )
    assert test.p_values["features"][2] == alone["features"]
    assert (test.order, test.window, test.effect_floor) == ("time", "500 rows", 0.01)


def test_independent_rows_keep_the_promise() -> None:
    """Rows in random order: of 300 windows about one in a hundred alarms, not three times as many."""
    columns = [windows(300, seed=i, name=str(i)) for i in range(5)]

    rate = measured_false_alarm_rate(measured(*columns), 0.01)

    assert rate <= 0.03


def test_days_that_differ_break_the_promise_and_are_found() -> None:
    """Windows that wobble by more than chance allows alarm in most cases: that is what the self-test is there to say."""
    rate = measured_false_alarm_rate(measured(windows(60, wobble=0.5)), 0.01)

    assert rate > 0.5


def test_a_window_alarms_where_any_family_does() -> None:
    """Features may use two thirds of alpha and outputs one third: two of these four windows exceed theirs."""
    test = SelfTest(
        order="random",
        window="900 rows",
        effect_floor=0.01,
        p_values={"features": [0.0066, 0.0068, 1.0, 1.0], "outputs": [1.0, 1.0, 0.0033, 0.0034]},
    )

    assert measured_false_alarm_rate(test, 0.01) == 0.5


def test_every_family_present_has_one_value_per_window() -> None:
    """Outputs and features are kept apart, as the live window does."""
    test = measured(windows(7), windows(7, seed=1, name="", target=PREDICTION))

    assert {family: len(values) for family, values in test.p_values.items()} == {
        "features": 7,
        "outputs": 7,
    }


def test_a_window_without_rows_is_no_alarm() -> None:
    """A day on which nothing happened cannot differ."""
    column = windows(4)
    column.counts[1] = 0

    assert measured(column).p_values["features"][1] == 1.0


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ([windows(1)], "at least 2 windows of the reference, got 1"),
        ([], r"divided into the same windows, got \[\] windows"),
        ([windows(2), windows(3)], r"divided into the same windows, got \[2, 3\] windows"),
    ],
)
def test_windows_that_cannot_be_compared_are_refused(
    columns: list[TargetWindows], message: str
) -> None:
    """One window, no column, or columns cut differently are told with what was found."""
    with pytest.raises(ValueError, match=message):
        measured(*columns)


def test_a_self_test_without_windows_has_no_rate() -> None:
    """No window measured is not a false-alarm rate of zero."""
    empty = SelfTest(order="time", window="1 day", effect_floor=0.01, p_values={})

    with pytest.raises(ValueError, match="self-test in time order holds no windows"):
        measured_false_alarm_rate(empty, 0.01)

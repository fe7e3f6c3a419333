"""What `profile show` says of the parts beyond the columns, and which of them a merge adds up."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import pytest

from otel_ml_processor.commands.bars import bars
from otel_ml_processor.commands.profile import build_profile_from_table
from otel_ml_processor.commands.profile_merge import merged
from otel_ml_processor.commands.profile_text import profile_text

if TYPE_CHECKING:
    from otel_ml_processor.profile import HourlyCounts, Profile, Season

ROWS = 4_000


def table(seed: int = 0) -> dict[str, np.ndarray]:
    """Return rows by day four times as many as by night: two numbers of correlation .8, a region, a class, how sure, and the truth."""
    random = np.random.default_rng(seed)
    first, other = random.normal(size=(2, ROWS))
    hours = random.choice(24, ROWS, p=np.array([1] * 12 + [4] * 12) / 60)
    minutes = random.integers(0, 14, ROWS) * 24 * 60 + hours * 60
    sure = random.uniform(0.5, 1.0, ROWS)
    return {
        "low": np.round(first),
        "high": np.round(0.8 * first + 0.6 * other),
        "far": np.round(random.normal(size=ROWS)),
        "region": random.choice(["emea", "apac"], ROWS, p=[0.75, 0.25]),
        "said": np.full(ROWS, "yes"),
        "sure": sure,
        "true": np.where(random.random(ROWS) < sure, "yes", "no"),
        "when": np.datetime64("2024-01-01", "s") + (minutes * 60).astype("timedelta64[s]"),
    }


@cache
def profile(seed: int = 0, slots: Season | None = None) -> Profile:
    """Return the profile of such rows, with all parts."""
    random = np.random.default_rng(9)
    attributions = {"low": random.normal(size=2000) * 4, "high": random.normal(size=2000)}
    return build_profile_from_table(
        table(seed),
        model="fraud",
        label="said",
        confidence="sure",
        target="true",
        time="when",
        segments=["region"],
        explanations=attributions,
        slots=slots,
        created="2024-01-01T00:00:00Z",
    )


def said(of: Profile) -> dict[str, str]:
    """Return the lines of `profile show` by their first word."""
    lines = profile_text(of, 0.01).splitlines()
    return {line.split(" ")[0]: line for line in lines if line.strip()}


def test_a_bar_is_a_part_of_the_largest() -> None:
    """A dot of nothing, the lowest bar of next to nothing, the highest of the largest; or as parts of one."""
    assert bars([0, 1, 500, 1000]) == "\u00b7▁▄█"
    assert bars([0.0, 0.5, 1.0], 1.0) == "\u00b7▄█"
    assert bars([]) == ""
    assert bars([0, 0]) == "\u00b7\u00b7"


def test_every_part_is_told_with_a_picture() -> None:
    """Features together, the strongest pair, shares of the segments, attributions, and what confidences mean."""
    lines = said(profile())
    assert "of 3 features" in lines["together"]
    assert "low and high 0." in lines["correlated"]
    pair = float(lines["correlated"].split("low and high ")[1].split(",")[0])
    random = table()
    assert pair == pytest.approx(np.corrcoef(random["low"], random["high"])[0, 1], abs=0.05)
    assert lines["segments"].startswith("segments    region █▃ emea 7")
    assert "low 3.1" in lines["explained"] or "low 3.2" in lines["explained"]  # 4 sqrt(2 / pi)
    assert lines["explained"].split()[1] == "█▃"  # ... and a fourth of that
    right = np.mean(random["true"] == "yes")
    assert f"all 4,000 rows in {100 * right:.3g} %" in lines["calibrated"]


def test_what_a_profile_has_not_is_not_told() -> None:
    """A profile of one column has one row and a promise."""
    small = build_profile_from_table({"stars": np.arange(900.0)}, model="fraud")
    parts = {"together", "correlated", "slots", "segments", "explained", "calibrated"}
    assert parts.isdisjoint(said(small))


@pytest.mark.parametrize(("slots", "days"), [("hour_of_day", 1), ("hour_of_week", 7)])
def test_hours_are_drawn_a_day_a_line(slots: Season, days: int) -> None:
    """Twelve low bars, then twelve high ones, for each day."""
    lines = profile_text(profile(slots=slots), 0.01).splitlines()
    first = next(i for i, line in enumerate(lines) if line.startswith("slots"))
    drawn = [line.split()[0] for line in lines[first + 1 : first + 1 + days]]
    assert {len(day) for day in drawn} == {24}
    for day in drawn:
        assert max(map("\u00b7▁▂▃▄▅▆▇█".index, day[:12])) < min(
            map("\u00b7▁▂▃▄▅▆▇█".index, day[12:])
        )


def counts(of: HourlyCounts | None) -> list[np.ndarray]:
    """Return the counts by hour of each column."""
    assert of is not None
    return [np.array(column) for column in of.counts]


def test_a_merge_adds_up_the_hours() -> None:
    """Hour by hour, cell by cell, what two tables of the same cells have; the whole stays the sum of its hours."""
    one, other = profile(1, "hour_of_day"), profile(1, "hour_of_day")
    total = merged(one, other, "")
    for both, a, b in zip(*map(counts, (total.slots, one.slots, other.slots)), strict=True):
        np.testing.assert_array_equal(both, a + b)
    low = counts(total.slots)[0].sum(axis=0)
    np.testing.assert_array_equal(low[: len(total.features[0].counts)], total.features[0].counts)


@pytest.mark.parametrize("slots", [None, "hour_of_week"])
def test_hours_that_do_not_fit_are_left_out(slots: Season | None) -> None:
    """Of another season, or of one side only: rows of hours that nobody knows would be missing."""
    one = profile(1, "hour_of_day")
    other = profile(1, slots)
    assert merged(one, other, "").slots is None
    assert merged(other, msgspec.structs.replace(one, slots=None), "").slots is None

"""Where rows are counted, found once for all windows."""

from __future__ import annotations

import gc
import tracemalloc

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from otel_ml_processor.profile import Source
from otel_ml_processor.windows.disjoint import Parts
from otel_ml_processor.windows.placed import PlacedRows, place
from otel_ml_processor.windows.reference import Reference, build_profile
from otel_ml_processor.windows.summary import Summary
from tests.data.value_columns import ABSENT, inferences, value_column

REFERENCE = Reference.of(
    build_profile(
        {"age": np.arange(100.0), "city": value_column(["Rome", "Paris"] * 50)},
        model="fraud",
        version="1",
        created="2026-01-01T00:00:00Z",
        source=Source(kind="array", uri="", rows=100),
        confidence=np.linspace(0.5, 1.0, 100),
    )
)
AGES = st.sampled_from([5, 99, 1e300, -1, None, float("nan"), float("inf"), "old", ABSENT])
CITIES = st.sampled_from(["Rome", "Oslo", None, 3, ABSENT])


def placed_rows(ages: list[object], cities: list[object]) -> PlacedRows:
    """Return rows with an age and a city each, placed."""
    return place(inferences(len(ages), features={"age": ages, "city": cities}), REFERENCE)


def counted(placed: PlacedRows) -> list[int]:
    """Return what a window of these rows counts."""
    summary = Summary(REFERENCE)
    summary.add(placed)
    return summary.counts.tolist()


@given(st.lists(st.tuples(AGES, CITIES), max_size=12), st.data())
def test_a_part_of_placed_rows_is_those_rows_placed(
    rows: list[tuple[object, object]], data: st.DataObject
) -> None:
    """Windows that cut a request anywhere count what they would have counted of that part alone."""
    begin = data.draw(st.integers(0, len(rows)))
    end = data.draw(st.integers(begin, len(rows)))
    ages, cities = [age for age, _ in rows], [city for _, city in rows]

    part = placed_rows(ages, cities)[begin:end]

    assert counted(part) == counted(placed_rows(ages[begin:end], cities[begin:end]))


@given(st.lists(st.tuples(AGES, CITIES), max_size=12))
def test_places_count_what_each_target_counts_by_itself(rows: list[tuple[object, object]]) -> None:
    """One count over all targets equals the counts of every column on its own."""
    ages, cities = [age for age, _ in rows], [city for _, city in rows]
    age, city, confidence = (target.cells for target in REFERENCE.targets)

    expected = [
        *age.count(value_column(ages)),
        *city.count(value_column(cities)),
        *([0] * (confidence.n_cells + 6)),
    ]
    assert counted(placed_rows(ages, cities)) == expected


def test_without_a_reference_there_is_no_place() -> None:
    """Rows of a model without a profile are carried along, and counted in no cell."""
    placed = place(inferences(3, features={"age": [1, 2, 3]}), None)

    assert placed.places.shape == (0, 3)
    assert len(placed[1:]) == 2


def test_a_part_that_two_windows_take_is_summarised_once() -> None:
    """An hourly and a daily window that get the same rows are given the same summary."""
    made: list[Summary] = []

    def new() -> Summary:
        made.append(Summary(REFERENCE))
        return made[-1]

    parts = Parts(placed_rows([1, 2, 3], ["Rome"] * 3), new)

    assert parts.summary(0, 3) is parts.summary(0, 3)
    assert parts.summary(1, 3).rows == 2
    assert len(made) == 2


def test_long_texts_are_not_kept() -> None:
    """After many rows, each with another city of a megabyte, less than four of them are in memory."""
    cities = [f"{number:09}" * (1 << 17) for number in range(16)]
    placed_rows([5], cities[:1])
    tracemalloc.start()
    try:
        for city in cities:
            # A text of its own, which goes with its row.
            assert len(placed_rows([5], [city[:-1] + "!"])) == 1
        gc.collect()
        kept_bytes, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert kept_bytes < 4 << 20

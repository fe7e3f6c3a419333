"""Which predictions are judged together."""

from __future__ import annotations

import numpy as np

from otel_ml_processor.commands.profile import build_profile_from_table
from otel_ml_processor.feedback.cohorts import MAX_COHORTS, NO_COHORT, Cohort, Cohorts
from otel_ml_processor.windows.disjoint import Step
from otel_ml_processor.windows.reference import Reference

HOUR = 3_600


def hour(number: int, begin: int, end: int) -> Step:
    """Return the step of rows `[begin, end)` into the hour of that *number*."""
    return Step(begin, end, number * HOUR, (number + 1) * HOUR)


def placed(cohorts: Cohorts, steps: list[Step], n_rows: int) -> list[int]:
    """Return the cohort of each of so many rows that take *steps*."""
    numbers = np.full(n_rows, NO_COHORT, dtype=np.int32)
    cohorts.place(steps, numbers, None)
    said: list[int] = numbers.tolist()
    return said


def sealed(cohorts: Cohorts) -> list[tuple[int, int, int]]:
    """Return begin, end and predictions of the sealed cohorts, the latest first."""
    return [(c.start_ns, c.end_ns, c.predictions) for c in cohorts.sealed()]


def cohort_of(cohorts: Cohorts, number: int) -> Cohort:
    """Return the cohort that is there."""
    cohort = cohorts.get(number)
    assert cohort is not None
    return cohort


def scored() -> Reference:
    """Return a reference whose scores mean the probability of `yes`."""
    random = np.random.default_rng(5)
    scores = random.uniform(0, 1, 2_000)
    names = np.array(["no", "yes"])
    table = {
        "amount": scores,
        "said": names[(scores > 0.5).astype(int)],
        "score": scores,
        "true": names[(random.random(2_000) < scores).astype(int)],
    }
    return Reference.of(
        build_profile_from_table(
            table, model="fraud", label="said", score="score", positive="yes", target="true"
        )
    )


def test_rows_of_an_hour_are_one_cohort_in_whatever_order_they_come() -> None:
    """Two hours that come mixed are two; a row that is too late for any window belongs to none."""
    cohorts = Cohorts(of_rows=False)
    numbers = placed(cohorts, [hour(0, 0, 2), hour(1, 2, 3), hour(0, 3, 4)], 5)
    assert numbers == [0, 0, 1, 0, NO_COHORT]
    assert cohort_of(cohorts, 0).predictions == 3


def test_a_row_that_comes_after_the_window_was_sealed_belongs_to_it() -> None:
    """Closing and counting happen at the same time; neither order loses a row."""
    cohorts = Cohorts(of_rows=False)
    first = placed(cohorts, [hour(0, 0, 1)], 1)[0]
    assert cohorts.seal(0, HOUR, {"accuracy": 0.9})
    assert placed(cohorts, [hour(0, 0, 1)], 1)[0] == first
    assert sealed(cohorts) == [(0, HOUR, 2)]


def test_hours_that_were_carried_are_judged_with_the_hour_that_took_them() -> None:
    """Labels of both join the same numbers, before and after."""
    cohorts = Cohorts(of_rows=False)
    numbers = placed(cohorts, [hour(0, 0, 2), hour(1, 2, 5)], 5)
    cohort_of(cohorts, numbers[0]).labelled = 1
    assert cohorts.seal(0, 2 * HOUR, {})
    assert sealed(cohorts) == [(0, 2 * HOUR, 5)]
    assert cohort_of(cohorts, numbers[0]) is cohort_of(cohorts, numbers[4])
    assert cohort_of(cohorts, numbers[4]).labelled == 1


def test_windows_of_rows_fill_one_after_the_other() -> None:
    """Event time only says what they cover, and may overlap: a step that completes one ends it."""
    cohorts = Cohorts(of_rows=True)
    steps = [Step(0, 3, 10, 20, completes=True), Step(3, 5, 15, 18)]
    assert placed(cohorts, steps, 5) == [0, 0, 0, 1, 1]
    assert placed(cohorts, [Step(0, 1, 12, 30, completes=True)], 1) == [1]
    assert cohorts.seal(10, 20, {})
    assert cohorts.seal(12, 30, {})
    assert sealed(cohorts) == [(12, 30, 3), (10, 20, 3)]


def test_a_window_that_was_never_seen_is_not_sealed() -> None:
    """After a restart, a window that was begun before it is not mistaken for another."""
    cohorts = Cohorts(of_rows=True)
    placed(cohorts, [Step(0, 3, 10, 20, completes=True)], 3)
    assert not cohorts.seal(5, 20, {})
    assert sealed(cohorts) == []


def test_the_latest_cohorts_are_kept() -> None:
    """Labels of older windows find nothing to count in; memory has a bound."""
    cohorts = Cohorts(of_rows=False)
    for number in range(2 * MAX_COHORTS):
        placed(cohorts, [hour(number, 0, 1)], 1)
        cohorts.seal(number * HOUR, (number + 1) * HOUR, {})
    assert len(cohorts.sealed()) == MAX_COHORTS
    assert cohorts.get(MAX_COHORTS - 1) is None
    assert cohorts.get(MAX_COHORTS) is not None


def test_windows_that_nobody_closes_take_no_memory() -> None:
    """Too small ones, or of a state that was left behind: the oldest give way."""
    cohorts = Cohorts(of_rows=True)
    for number in range(1_000):
        placed(cohorts, [Step(0, 1, number, number + 1, completes=True)], 1)
    assert sum(cohorts.get(number) is not None for number in range(1_000)) < 10


def test_coverage_is_a_share() -> None:
    """Also where a sample of labels stands for more than there are; nothing has none."""
    cohorts = Cohorts(of_rows=False)
    placed(cohorts, [hour(0, 0, 4)], 4)
    cohort = cohort_of(cohorts, 0)
    assert cohort.coverage == 0.0
    cohort.labelled = 3
    assert cohort.coverage == 0.75
    cohort.labelled = 8
    assert cohort.coverage == 1.0


def test_hours_before_and_after_a_new_profile_are_judged_together_by_the_new_one() -> None:
    """The first was carried into the second; scores that were binned as the old profile says are not counted as if by the new one."""
    cohorts = Cohorts(of_rows=False)
    numbers = np.zeros(3, dtype=np.int32)
    reference = scored()
    cohorts.place([hour(0, 0, 1)], numbers, None)
    cohorts.place([hour(1, 1, 3)], numbers, reference)
    before, after = (cohort_of(cohorts, n).outcomes for n in (0, 1))
    for outcomes in (before, after):
        outcomes.add_right(np.array([True]), np.array([0.75]))
    after.add_cells(np.array([True]), np.array([True]), np.array([0]))

    assert cohorts.seal(0, 2 * HOUR, {})

    (whole,) = cohorts.sealed()
    assert whole.reference is reference
    assert (whole.predictions, whole.outcomes.rows, whole.outcomes.cells.sum()) == (3, 2, 1)
    assert whole.outcomes_of((0, 1)).cells.shape == whole.outcomes.cells.shape

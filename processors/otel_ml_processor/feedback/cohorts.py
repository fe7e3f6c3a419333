"""
Which predictions are judged together: those of one window, whenever their labels come.

A cohort is begun by the first prediction of a window and sealed when the window closes; labels join it before and after that.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from otel_ml_processor.feedback.memory import CohortMemory, CohortsMemory
from otel_ml_processor.sketches.outcomes import Outcomes
from otel_ml_processor.sketches.reactions import Reactions
from otel_ml_processor.statistics.ranking_sums import RankingSums

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from otel_ml_processor.sketches.outcomes import OutcomeParts
    from otel_ml_processor.windows.disjoint import Step
    from otel_ml_processor.windows.reference import Reference

__all__ = ["MAX_COHORTS", "NO_COHORT", "Cohort", "Cohorts", "n_score_bins"]

MAX_COHORTS: Final = 90
"""Windows of one kind that labels are still counted for."""
NO_COHORT: Final = -1
_MAX_OPEN: Final = 8
"""Windows of rows that are filled and wait to be sealed."""


def n_score_bins(reference: Reference | None) -> int:
    """Return how many bins of scores labels are counted in: 0 where *reference* has no positive class."""
    scores = reference.scores if reference is not None else None
    return scores.n_bins if scores is not None and scores.positive is not None else 0


@dataclass(slots=True)
class Cohort:
    """
    Predictions that ended in [start_ns, end_ns), and what their labels say so far.

    `reference` is what they are compared with, whose score bins are those of `outcomes`. `labelled` counts those that have a label,
    `estimated` is what was expected of them when the window closed.
    """

    start_ns: int
    end_ns: int
    reference: Reference | None
    outcomes: Outcomes
    predictions: int = 0
    labelled: int = 0
    estimated: Mapping[str, float] = field(default_factory=dict)
    is_sealed: bool = False
    by_segment: dict[tuple[int, int], Outcomes] = field(default_factory=dict)
    """What labels say of each segment, by two numbers that the caller knows the meaning of."""
    lists: int = 0
    """Ordered lists that were shown; where there are any, they are what is labelled and acted upon, not their items."""
    rankings: RankingSums = field(default_factory=RankingSums)
    """How well lists were ordered, by what was judged of their items."""
    liked: RankingSums = field(default_factory=RankingSums)
    """The same, by what somebody acted upon."""
    reactions: Reactions = field(default_factory=Reactions)

    def outcomes_of(self, segment: tuple[int, int]) -> Outcomes:
        """Return what labels say of a *segment*, to be added to."""
        return self.by_segment.setdefault(segment, Outcomes(n_score_bins(self.reference)))

    @property
    def shown(self) -> int:
        """What feedback is expected of: the lists, where there are any, else the predictions."""
        return self.lists or self.predictions

    @property
    def coverage(self) -> float:
        """Share of the predictions (or lists) that have a label, in [0, 1]; 0 without predictions."""
        return min(1.0, self.labelled / self.shown) if self.shown else 0.0

    def covers(self, start_ns: int, end_ns: int) -> bool:
        """Return whether all of [start_ns, end_ns) lies within."""
        return self.start_ns <= start_ns and end_ns <= self.end_ns

    def merge(self, other: Cohort) -> None:
        """Take over what *other*, a later one, has, and what that is compared with."""
        if other.reference is not self.reference:
            self.reference = other.reference
            n_bins = n_score_bins(other.reference)
            for outcomes in (self.outcomes, *self.by_segment.values()):
                outcomes.rebin(n_bins)
        self.outcomes.merge(other.outcomes)
        self.predictions += other.predictions
        self.labelled += other.labelled
        self.lists += other.lists
        self.rankings.merge(other.rankings)
        self.liked.merge(other.liked)
        self.reactions.merge(other.reactions)
        for segment, outcomes in other.by_segment.items():
            self.outcomes_of(segment).merge(outcomes)


class Cohorts:
    """
    The cohorts of one kind of window of one stream, each with a number that predictions remember it by.

    Windows of rows (*of_rows*) fill one after the other, those of time lie where event time says.
    """

    __slots__ = ("_by_number", "_filling", "_last", "_of_rows", "_open", "_sealed")

    def __init__(self, *, of_rows: bool) -> None:
        self._of_rows = of_rows
        self._by_number: dict[int, Cohort] = {}
        self._last = NO_COHORT
        self._open: dict[int, Cohort] = {}
        self._filling: int | None = None
        self._sealed: deque[Cohort] = deque(maxlen=MAX_COHORTS)

    def place(
        self, steps: Sequence[Step], numbers: NDArray[np.int32], reference: Reference | None
    ) -> None:
        """
        Count the rows that *steps* say into their windows, and write the number of each one's cohort into *numbers*, shape (n_rows,).

        Rows were compared with *reference*; so are the labels of a cohort that they begin.
        """
        for step in steps:
            found = self._of_filled(reference) if self._of_rows else self._of_time(step)
            number = self._begun(step, reference) if found is None else found
            if self._of_rows:
                self._fill(number, step)
            self._by_number[number].predictions += step.end - step.begin
            numbers[step.begin : step.end] = number

    def get(self, number: int) -> Cohort | None:
        """Return the cohort with that number; None where there is none or it is no longer kept."""
        return self._by_number.get(number)

    def at(self, time_ns: int) -> int:
        """Return the number of the cohort of a prediction that ended then; `NO_COHORT` where there is none."""
        covering = (
            n for n, c in reversed(self._by_number.items()) if c.start_ns <= time_ns < c.end_ns
        )
        return next(covering, NO_COHORT)

    def seal(self, start_ns: int, end_ns: int, estimated: Mapping[str, float]) -> bool:
        """
        Note that the window [start_ns, end_ns) has closed, and what was expected of it; return whether its cohort was found.

        A window of time takes those that were carried into it.
        """
        if self._of_rows:
            parts = [
                n for n, c in self._open.items() if (c.start_ns, c.end_ns) == (start_ns, end_ns)
            ]
        else:
            parts = [
                n for n, c in self._open.items() if start_ns <= c.start_ns and c.end_ns <= end_ns
            ]
        if not parts:
            return False
        whole = self._open.pop(parts[0])
        for number in parts[1:] if not self._of_rows else ():
            whole.merge(self._open.pop(number))
            self._by_number[number] = whole
        whole.start_ns, whole.end_ns = start_ns, end_ns
        whole.estimated, whole.is_sealed = estimated, True
        self._filling = None if self._filling == parts[0] else self._filling
        self._keep(whole)
        return True

    def sealed(self) -> Sequence[Cohort]:
        """Return the cohorts whose windows have closed, the latest first."""
        return sorted(self._sealed, key=lambda cohort: -cohort.end_ns)

    def memory(self) -> CohortsMemory:
        """Return all cohorts, for `recall`."""
        numbers: dict[int, list[int]] = {}
        for number, cohort in self._by_number.items():
            numbers.setdefault(id(cohort), []).append(number)
        held = [*self._sealed, *self._open.values()]
        told = tuple(_told(cohort, numbers.get(id(cohort), [])) for cohort in held)
        return CohortsMemory(self._last, self._filling, told)

    def recall(self, memory: CohortsMemory, reference: Reference | None) -> None:
        """
        Go on from what was held before; what was compared with another *reference* than that is compared with nothing.

        Raises:
            ValueError: If scores have other bins.
        """
        by_number: dict[int, Cohort] = {}
        for said in memory.cohorts:
            cohort = _cohort(said, reference)
            by_number.update(dict.fromkeys(said.numbers, cohort))
            if cohort.is_sealed:
                self._sealed.append(cohort)
        # In the order in which they were begun: the newest is looked at first.
        self._by_number = dict(sorted(by_number.items()))
        self._open = {n: c for n, c in self._by_number.items() if not c.is_sealed}
        self._last = memory.last
        self._filling = memory.filling if memory.filling in self._open else None

    def _keep(self, cohort: Cohort) -> None:
        if len(self._sealed) == MAX_COHORTS:
            oldest = self._sealed[0]
            self._by_number = {n: c for n, c in self._by_number.items() if c is not oldest}
        self._sealed.append(cohort)

    def _of_time(self, step: Step) -> int | None:
        for number, cohort in reversed(self._by_number.items()):
            if cohort.covers(step.start_ns, step.end_ns):
                return number
        return None

    def _of_filled(self, reference: Reference | None) -> int | None:
        """Return the number of the one that is filled, where it can take rows that were compared with *reference*: with another one windows begin anew."""
        filling = self._filling
        if filling is None or self._by_number[filling].reference is not reference:
            return None
        return filling

    def _fill(self, number: int, step: Step) -> None:
        cohort = self._by_number[number]
        cohort.start_ns = min(cohort.start_ns, step.start_ns)
        cohort.end_ns = max(cohort.end_ns, step.end_ns)
        self._filling = None if step.completes else number

    def _begun(self, step: Step, reference: Reference | None) -> int:
        self._last += 1
        outcomes = Outcomes(n_score_bins(reference))
        cohort = Cohort(step.start_ns, step.end_ns, reference, outcomes)
        self._by_number[self._last] = self._open[self._last] = cohort
        while len(self._open) > (_MAX_OPEN if self._of_rows else MAX_COHORTS):
            oldest = next(iter(self._open))  # its window was closed unseen, or never will be
            del self._open[oldest], self._by_number[oldest]
        return self._last


def _told(cohort: Cohort, numbers: Sequence[int]) -> CohortMemory:
    return CohortMemory(
        numbers=tuple(numbers),
        start_ns=cohort.start_ns,
        end_ns=cohort.end_ns,
        reference=cohort.reference.id if cohort.reference is not None else "",
        predictions=cohort.predictions,
        labelled=cohort.labelled,
        estimated=dict(cohort.estimated),
        is_sealed=cohort.is_sealed,
        outcomes=cohort.outcomes.parts(),
        by_segment=tuple((*of, outcomes.parts()) for of, outcomes in cohort.by_segment.items()),
        lists=cohort.lists,
        rankings=cohort.rankings,
        liked=cohort.liked,
        reactions=cohort.reactions,
    )


def _cohort(said: CohortMemory, reference: Reference | None) -> Cohort:
    compared = reference if reference is not None and reference.id == said.reference else None

    def outcomes(parts: OutcomeParts) -> Outcomes:
        is_lost = bool(said.reference) and compared is None
        held = parts._replace(cells=()) if is_lost else parts
        return Outcomes.of_parts(held, n_score_bins(compared))

    return Cohort(
        start_ns=said.start_ns,
        end_ns=said.end_ns,
        reference=compared,
        outcomes=outcomes(said.outcomes),
        predictions=said.predictions,
        labelled=said.labelled,
        estimated=said.estimated,
        is_sealed=said.is_sealed,
        by_segment={
            (position, number): outcomes(parts) for position, number, parts in said.by_segment
        },
        lists=said.lists,
        rankings=said.rankings,
        liked=said.liked,
        reactions=said.reactions,
    )

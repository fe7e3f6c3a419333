"""What survives a restart of the predictions that wait for labels, and of what labels have said: hashes, numbers, names of classes, never a feature."""

from __future__ import annotations

from typing import NamedTuple

# Needed when a file is read, which is then checked against these types.
from otel_ml_processor.sketches.outcomes import OutcomeParts  # noqa: TC001 - as above
from otel_ml_processor.sketches.reactions import Reactions  # noqa: TC001 - as above
from otel_ml_processor.statistics.ranking_sums import RankingSums  # noqa: TC001 - as above

__all__ = ["CohortMemory", "CohortsMemory", "JoinedMemory", "JoiningMemory", "LabelledMemory"]


class CohortMemory(NamedTuple):
    """A `Cohort`, with the numbers that predictions remember it by; `reference` is the id of what it is compared with, empty without one."""

    numbers: tuple[int, ...]
    start_ns: int
    end_ns: int
    reference: str
    predictions: int
    labelled: int
    estimated: dict[str, float]
    is_sealed: bool
    outcomes: OutcomeParts
    by_segment: tuple[tuple[int, int, OutcomeParts], ...]
    lists: int
    rankings: RankingSums
    liked: RankingSums
    reactions: Reactions


class CohortsMemory(NamedTuple):
    """The `Cohorts` of one window name: the sealed ones in the order of their sealing, then the others."""

    last: int
    filling: int | None
    cohorts: tuple[CohortMemory, ...]


class LabelledMemory(NamedTuple):
    """What is known of the labels of the stream with that number."""

    number: int
    stream: tuple[str, ...]
    newest_ns: int
    has_labels: bool
    delays: tuple[int, ...]
    delay_s: float
    segments: tuple[dict[str, int], ...]
    cohorts: dict[str, CohortsMemory]


class JoinedMemory(NamedTuple):
    """How often feedback came that is counted like this; `stream` is None for all that names one beyond the cap."""

    stream: tuple[str, ...] | None
    outcome: str
    correct: bool | None
    source: str | None
    times: int


class JoiningMemory(NamedTuple):
    """
    All of it.

    `predictions` are the bytes of as many records as there are, of which each stands for 2**`halvings`; `windows` and `segments` are the names
    that their numbers are of, `labels` the texts. Feedback is counted since `since_ns`.
    """

    windows: tuple[str, ...]
    segments: tuple[str, ...]
    halvings: int
    predictions: bytes
    labels: tuple[str, ...]
    streams: tuple[LabelledMemory, ...]
    joined: tuple[JoinedMemory, ...]
    since_ns: int

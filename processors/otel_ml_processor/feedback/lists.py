"""
Ordered lists that were shown to somebody, and what became known of their items.

A list is one call of a model whose task is `ranking` or `recommendation`, with two samples and more: its items. They stand in the order
of their scores, the largest first, or in that of the samples where none are told.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from otel_ml_conventions import attributes as keys
from otel_ml_conventions.attributes import MlFeedbackSourceValues, MlTaskTypeValues
from otel_ml_processor.decode.attributes import MAX_ROWS, elements, number, text
from otel_ml_processor.decode.said import LIST_MARKS, Said
from otel_ml_processor.feedback.keys import NO_KEY, id_key, span_keys

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from opentelemetry.proto.common.v1.common_pb2 import AnyValue

    from otel_ml_processor.columns import FloatArray
    from otel_ml_processor.feedback.cohorts import Cohort
    from otel_ml_processor.feedback.inbox import CountedRows
    from otel_ml_processor.feedback.reading import Feedback

__all__ = [
    "MAX_LISTS",
    "SeenList",
    "ShownList",
    "ShownLists",
    "count_item",
    "lists_of",
]

Places = NDArray[np.int16]
"""Of up to `MAX_ROWS` items: lists of so many are kept that wider numbers would be most of the memory."""
MAX_LISTS: Final = 100_000
"""Lists that feedback may still come for, the latest ones."""
_TASKS: Final = {MlTaskTypeValues.RANKING.value, MlTaskTypeValues.RECOMMENDATION.value}
_FEWEST_ITEMS: Final = 2
_READ: Final = {
    keys.ML_TASK_TYPE,
    keys.ML_PREDICTION_ID,
    keys.ML_PREDICTION_SCORES,
    keys.ML_PREDICTION_VALUES,
    keys.ML_BATCH_SIZE,
}


class SeenList(NamedTuple):
    """A list as its span tells it: what leads to it, its first row among those counted, and the place of each item, from 0."""

    keys: tuple[int, ...]
    row: int
    places: Places


@dataclass(slots=True, eq=False)
class ShownList:
    """A list that waits for feedback: whose it is, when and in which windows it was shown, the place of each item, and what is known of items."""

    stream: int
    windows: tuple[int, ...]
    time_ns: int
    places: Places
    truths: dict[int, float] = field(default_factory=dict)
    """Gain of each item that was judged, by its position."""
    reactions: dict[int, float] = field(default_factory=dict)
    """The same, of items that somebody acted upon, or did not."""

    def known(self, feedback: Feedback) -> dict[int, float]:
        """Return what is known of its items from sources like that of *feedback*."""
        is_implicit = feedback.source is MlFeedbackSourceValues.IMPLICIT
        return self.reactions if is_implicit else self.truths

    def relevance(self, gains: Mapping[int, float]) -> FloatArray:
        """Return the gains of all items in their order, 0 where nothing is known, shape (n_items,)."""
        relevance = np.zeros(len(self.places))
        for position, gain in gains.items():
            relevance[self.places[position]] = gain
        return relevance


def count_item(
    cohort: Cohort, shown: ShownList, feedback: Feedback, *, before: FloatArray | None
) -> None:
    """Count in *cohort* what *feedback* adds to a list of it, of which *before* was known (None: nothing), from sources like its own."""
    known = shown.known(feedback)
    sums = cohort.rankings
    if feedback.source is MlFeedbackSourceValues.IMPLICIT:
        sums = cohort.liked
        was_acted_upon = before is not None and bool((before > 0).any())
        cohort.reactions.add(is_accepted=feedback.gain > 0, is_first=not was_acted_upon)
    elif before is None:
        cohort.labelled += 1
    if before is not None:
        sums.take_back(before)
    sums.add(shown.relevance(known))


class ShownLists:
    """The latest lists, by all keys that lead to them."""

    __slots__ = ("_by_key", "_max_lists")

    def __init__(self, max_lists: int = MAX_LISTS) -> None:
        self._max_lists = max_lists
        self._by_key: dict[int, ShownList] = {}

    def add(self, seen: SeenList, shown: ShownList) -> bool:
        """Keep a list; of several with the same key the first. Return whether it is kept."""
        for key in seen.keys:
            self._by_key.setdefault(key, shown)
        is_kept = any(self._by_key[key] is shown for key in seen.keys)
        while len(self._by_key) > self._max_lists:
            del self._by_key[next(iter(self._by_key))]
        return is_kept

    def forget(self, stream: int) -> None:
        """Keep no list of the *stream* with that number any more."""
        self._by_key = {key: shown for key, shown in self._by_key.items() if shown.stream != stream}

    def find(self, feedback: Feedback) -> ShownList | None:
        """Return the list that *feedback* is about, where it says which item of it."""
        for key in feedback.keys if feedback.position is not None else ():
            shown = self._by_key.get(key)
            if shown is not None and (feedback.position or 0) < len(shown.places):
                return shown
        return None


def lists_of(rows: CountedRows) -> Iterator[SeenList]:
    """Yield the lists among the spans of *rows*, of which some samples at least were counted; one whose items cannot be read is none."""
    spans = rows.content
    if spans is None or not spans.said & Said.LISTS:
        return
    indexes, firsts = np.unique(rows.spans, return_index=True)
    own = span_keys(rows.ids)
    for index, row in zip(indexes.tolist(), firsts.tolist(), strict=True):
        _, start, end, _ = spans.places[index].tolist()
        if not any(spans.content.find(mark, start, end) >= 0 for mark in LIST_MARKS):
            continue
        span = Span.FromString(spans.content[start:end])
        said = {a.key: a.value for a in span.attributes if a.key in _READ}
        places = _places(said)
        name = text(said.get(keys.ML_PREDICTION_ID), set())
        ways = (id_key(name, rows.stream.tenant) if name else NO_KEY, int(own[index]))
        if places is not None:
            yield SeenList(tuple(way for way in ways if way != NO_KEY), row, places)


def _places(said: Mapping[str, AnyValue]) -> Places | None:
    """Return the place of each item; None of what is no list."""
    if text(said.get(keys.ML_TASK_TYPE), set()) not in _TASKS:
        return None
    scores = _numbers(said.get(keys.ML_PREDICTION_SCORES)) or _numbers(
        said.get(keys.ML_PREDICTION_VALUES)
    )
    size = said[keys.ML_BATCH_SIZE].int_value if keys.ML_BATCH_SIZE in said else len(scores)
    if not _FEWEST_ITEMS <= size <= MAX_ROWS:
        return None
    if len(scores) != size or not all(map(math.isfinite, scores)):
        return np.arange(size, dtype=np.int16)
    places = np.empty(size, dtype=np.int16)
    places[np.argsort(-np.array(scores), kind="stable")] = np.arange(size)
    return places


def _numbers(value: AnyValue | None) -> Sequence[float]:
    found = elements(value, set())
    return [] if found is None else [number(one, set()) for one in found]

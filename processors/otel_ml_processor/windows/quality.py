"""What a window's rows say of the quality of the data: repeated inputs, schemas, unusable predictions, and when each feature last had a value."""

from __future__ import annotations

from collections import Counter
from functools import lru_cache
from hashlib import blake2b
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from otel_ml_conventions.attributes import MlDriftTargetValues, MlValidationRuleValues
from otel_ml_processor.columns import Flaw
from otel_ml_processor.compiled import IS_COMPILED
from otel_ml_processor.sketches.categories import Categories
from otel_ml_processor.sketches.label_counts import LabelCounts
from otel_ml_processor.sketches.repeated_inputs import NO_OUTPUT, RepeatedInputs, mixed
from otel_ml_processor.sketches.slots import Slot
from otel_ml_processor.windows.fast_quality import count_invalid, last_values

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from otel_ml_processor.columns import BoolArray, FloatArray, InferenceColumns, IntArray
    from otel_ml_processor.windows.placed import PlacedRows
    from otel_ml_processor.windows.reference import Reference
    from otel_ml_processor.windows.summary import Summary

__all__ = ["Freshness", "Quality", "StreamQuality", "invalid_predictions"]

NON_FINITE: Final = MlValidationRuleValues.NON_FINITE.value
EMPTY: Final = MlValidationRuleValues.EMPTY.value
IMPROBABLE: Final = MlValidationRuleValues.IMPROBABLE.value
RANGE: Final = MlValidationRuleValues.RANGE.value
CATEGORY: Final = MlValidationRuleValues.CATEGORY.value
_DIGITS: Final = 6
"""Significant digits of a predicted number by which answers are told apart: the order of a sum on another number of threads changes the others."""
_NEVER: Final = 0


class Freshness(NamedTuple):
    """When a stream last had a row, by the clock and in the row's own event time, and when each feature last had a value, in event time; all in nanoseconds."""

    heard_ns: int
    newest_ns: int
    seen_ns: Mapping[str, int]

    def silent_s(self, now_ns: int) -> float:
        """Return for how many seconds no row has come, >= 0."""
        return max(0.0, (now_ns - self.heard_ns) / 1e9)

    def stale_s(self, now_ns: int) -> Iterator[tuple[str, float]]:
        """
        Yield for how many seconds each feature has had no value, >= 0: as long as rows came without one, and since then none came.

        The first by event time, the second by the clock, so that rows which are replayed after years are not years old.
        """
        for name, seen_ns in self.seen_ns.items():
            yield name, max(0.0, (self.newest_ns - seen_ns) / 1e9) + self.silent_s(now_ns)


class StreamQuality:
    """What a stream has had since it was first seen: predictions that break a rule, by `ml.validation.rule`, and when each feature had its newest value."""

    __slots__ = ("_newest_ns", "_reference", "_seen_ns", "invalid")

    def __init__(
        self, invalid: Mapping[str, int] | None = None, seen_ns: Mapping[str, int] | None = None
    ) -> None:
        self.invalid = Counter(invalid or {})
        self._seen_ns = dict(seen_ns or {})
        self._reference: Reference | None = None
        self._newest_ns: IntArray = np.zeros(0, dtype=np.int64)  # by feature of that reference

    @property
    def seen_ns(self) -> dict[str, int]:
        """When each feature had its newest value, by its name; without those that had none."""
        seen_ns = dict(self._seen_ns)
        names = self._reference.feature_names if self._reference is not None else ()
        _note_newest(seen_ns, dict(zip(names, self._newest_ns.tolist(), strict=True)))
        return seen_ns

    def count(self, whole: Summary) -> None:
        """Add rows that were counted."""
        self.invalid.update(whole.invalid())
        if whole.reference is not self._reference:
            self._seen_ns, self._reference = self.seen_ns, whole.reference
            self._newest_ns = np.zeros_like(whole.quality.seen_ns)
        np.maximum(self._newest_ns, whole.quality.seen_ns, out=self._newest_ns)

    def merge(self, other: StreamQuality) -> None:
        """Add what another one has had."""
        self.invalid.update(other.invalid)
        _note_newest(self._seen_ns, other.seen_ns)


def _note_newest(seen_ns: dict[str, int], more: Mapping[str, int]) -> None:
    for name, at_ns in more.items():
        if at_ns > seen_ns.get(name, _NEVER):
            seen_ns[name] = at_ns


class Quality:
    """
    Added in any parts and merged in any order it holds the same integers.

    `invalid` has the predictions that break a rule which needs no reference: not finite, empty, improbable. `seen_ns`, shape (n_features,), is by
    position of the feature in the reference: when its newest value was, 0 where it had none.
    """

    __slots__ = ("invalid", "repeated", "schemas", "seen_ns")

    def __init__(self, reference: Reference | None) -> None:
        self.repeated = RepeatedInputs()
        self.schemas = LabelCounts()
        """Rows by the hash of their schema, as it is written on the wire."""
        self.invalid: IntArray = np.zeros(len(_OF_ROWS), dtype=np.int64)
        n_features = len(_missing(reference)) if reference else 0
        self.seen_ns: IntArray = np.zeros(n_features, dtype=np.int64)  # `_NEVER` for each

    def add(self, placed: PlacedRows) -> None:
        """Count *placed*, whose places are those of the same reference."""
        rows = placed.rows
        self.invalid += count_invalid(rows) if IS_COMPILED else _count_invalid_plain(rows)
        if rows.hashes is not None:
            self._add_hashes(rows, rows.hashes)
        if len(rows) and len(self.seen_ns) and placed.reference is not None:
            np.maximum(self.seen_ns, _last_values(placed, placed.reference), out=self.seen_ns)

    def _add_hashes(self, rows: InferenceColumns, hashes: IntArray) -> None:
        words = hashes[:, 1].view(np.uint64)
        if (words == words[:1]).all():  # the common case
            by_schema = [(int(words[0]), len(words))] if len(words) else []
        else:
            different, counts = np.unique(words, return_counts=True)
            by_schema = list(zip(different.tolist(), counts.tolist(), strict=True))
        self.schemas.add_counts({f"{word:016x}": n for word, n in by_schema if word}, 0)
        if hashes[:, 0].any():
            firsts = np.flatnonzero(np.diff(rows.spans, prepend=-1) != 0)
            self.repeated.add(hashes[firsts, 0], _outputs(rows, firsts))

    def merge(self, other: Quality) -> None:
        """Add what *other* counted."""
        self.repeated.merge(other.repeated)
        self.schemas.merge(other.schemas)
        self.invalid += other.invalid
        np.maximum(self.seen_ns, other.seen_ns, out=self.seen_ns)


def invalid_predictions(
    quality: Quality, counts: IntArray, reference: Reference | None
) -> dict[str, int]:
    """
    Return how many predictions break which rule, by `ml.validation.rule`; one that breaks two is in both.

    Without a reference nothing lies outside its range and no class is unknown: `range` and `category` are told where there is one that knows predictions.

    Args:
        quality: Of a window or a part of it.
        counts: The block of counts of the same rows, as *reference* has it.
        reference: What they were counted against.
    """
    told = dict(zip(_OF_ROWS, quality.invalid.tolist(), strict=True))
    if reference is not None:
        for rule, places in _rules_of(reference):
            told[rule] = sum(int(counts[place]) for place in places)
    return told


@lru_cache(maxsize=1024)
def _rules_of(reference: Reference) -> list[tuple[str, list[int]]]:
    """Return the rules for outputs that *reference* knows, and where in its block of counts the predictions are that break them."""
    rules: list[tuple[str, list[int]]] = []
    for target, place in zip(reference.targets, reference.places, strict=True):
        if target.target is MlDriftTargetValues.PREDICTION:
            slots = place.start + target.cells.n_cells
            if isinstance(target.cells, Categories):
                rules.append((CATEGORY, [slots + Slot.UNSEEN]))
            else:
                rules.append((RANGE, [slots + Slot.BELOW_RANGE, slots + Slot.ABOVE_RANGE]))
    return rules


def _count_invalid_plain(rows: InferenceColumns) -> list[int]:
    """Count as `count_invalid` does."""
    return [int(np.count_nonzero(breaks(rows))) for breaks in _OF_ROWS.values()]


def _is_not_finite(rows: InferenceColumns) -> BoolArray:
    is_infinite = np.isinf(rows.values)
    if rows.flaws is None:
        return is_infinite
    return np.asarray(is_infinite | ((rows.flaws & Flaw.NOT_A_NUMBER) != 0))


def _is_empty(rows: InferenceColumns) -> BoolArray:
    """Return which rows have a class without a name, or no answer in a call that answers others."""
    nameless = [code for code, name in enumerate(rows.labels.dictionary) if not name.strip()]
    is_empty: BoolArray = np.isin(rows.labels.codes, nameless)
    is_unsaid = (rows.labels.codes < 0) & np.isnan(rows.values)
    if rows.flaws is not None:
        is_unsaid &= (rows.flaws & Flaw.NOT_A_NUMBER) == 0
    if len(rows) and is_unsaid.any() and not is_unsaid.all():
        is_first = np.diff(rows.spans, prepend=rows.spans[0] - 1) != 0
        starts = np.flatnonzero(is_first)
        says_some = np.logical_or.reduceat(~is_unsaid, starts)
        is_empty |= is_unsaid & says_some[np.cumsum(is_first) - 1]
    return is_empty


def _is_improbable(rows: InferenceColumns) -> BoolArray:
    if rows.flaws is None:
        return np.zeros(len(rows), dtype=bool)
    return np.asarray((rows.flaws & Flaw.NO_PROBABILITY) != 0)


_OF_ROWS: Final = {NON_FINITE: _is_not_finite, EMPTY: _is_empty, IMPROBABLE: _is_improbable}


def _outputs(rows: InferenceColumns, firsts: IntArray) -> IntArray:
    """Return one word for what each call answered, all of its rows in their order; `NO_OUTPUT` where it says nothing."""
    is_said = (rows.labels.codes >= 0) | ~np.isnan(rows.values)
    names = np.array([*map(_word_of, rows.labels.dictionary), 0], dtype=np.int64)
    numbers = _rounded(np.nan_to_num(rows.values, nan=0.0)).view(np.int64)
    within = np.arange(len(rows)) - np.repeat(firsts, np.diff(firsts, append=len(rows)))
    words = mixed(mixed(names[rows.labels.codes] ^ mixed(numbers)) ^ mixed(within))
    words = np.where(is_said, words, 0)
    calls = np.add.reduceat(words, firsts)  # sums of such words are such words; they wrap around
    calls[calls == NO_OUTPUT] += 1
    return np.where(np.logical_or.reduceat(is_said, firsts), calls, NO_OUTPUT)


def _word_of(name: str) -> int:
    """Return 64 bits that are the same for the same name on every machine."""
    data = name.encode("utf-8", "surrogatepass")
    return int.from_bytes(blake2b(data, digest_size=8).digest(), "little", signed=True)


def _rounded(numbers: FloatArray) -> FloatArray:
    """Return finite *numbers* to `_DIGITS` significant digits; 0 and infinite ones as they are, -0 as 0."""
    is_plain = np.isfinite(numbers) & (numbers != 0)
    size = np.floor(np.log10(np.abs(numbers, where=is_plain, out=np.ones_like(numbers))))
    # In two steps: 1e300 times 1e-305 is a number, 1e-305 by itself is not a precise one.
    scale = 10.0 ** np.clip(_DIGITS - 1 - size, -300, 300)
    with np.errstate(over="ignore", invalid="ignore"):
        rounded = np.rint(numbers * scale) / scale
    return np.where(is_plain & np.isfinite(rounded), rounded, numbers) + 0.0


def _last_values(placed: PlacedRows, reference: Reference) -> IntArray:
    """Return when each feature had its newest value, shape (n_features,); `_NEVER` where none had one."""
    times, missing = placed.rows.end_times_ns, _missing(reference)
    if IS_COMPILED:
        return last_values(placed.places, missing, times, reference.n_counts)
    places = placed.places[: len(missing)]
    newest = int(times.argmax())
    of_newest = places[:, newest]
    last = np.where(_has_value(of_newest, missing, reference), times[newest], _NEVER)
    lacking = np.flatnonzero(last == _NEVER)
    if len(lacking) and len(times) > 1:  # most rows have all of them
        has_value = _has_value(places[lacking], missing[lacking, np.newaxis], reference)
        last[lacking] = np.where(has_value, times, _NEVER).max(axis=1)
    return np.asarray(last)


@lru_cache(maxsize=1024)
def _missing(reference: Reference) -> IntArray:
    """Return where rows are counted that have no value of a feature, shape (n_features,)."""
    return np.array(
        [
            place.start + feature.cells.n_cells + Slot.MISSING
            for feature, place in zip(reference.features, reference.places, strict=False)
        ],
        dtype=np.int64,
    )


def _has_value(places: IntArray, missing: IntArray, reference: Reference) -> BoolArray:
    return np.asarray((places != missing) & (places < reference.n_counts))

"""What holds for every column: nothing raises, nothing is lost, parts add up to the whole."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from fractions import Fraction
from typing import TYPE_CHECKING

import msgspec
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from otel_ml_processor.columns import TextColumn, ValueColumn
from otel_ml_processor.profile import Profile, Source
from otel_ml_processor.sketches.bins import Bins
from otel_ml_processor.sketches.categories import Categories
from otel_ml_processor.sketches.label_counts import MAX_LABELS, OTHER_LABELS, LabelCounts
from otel_ml_processor.sketches.moments import Moments
from otel_ml_processor.sketches.reference_edges import MAX_DISTINCT, reference_edges
from otel_ml_processor.sketches.score_histogram import ScoreHistogram
from otel_ml_processor.sketches.slots import N_EXCLUSIVE, Slot
from otel_ml_processor.windows.placed import place
from otel_ml_processor.windows.reference import Reference, build_profile
from otel_ml_processor.windows.summary import Summary
from tests.data.value_columns import ABSENT, inferences, value_column

if TYPE_CHECKING:
    from collections.abc import Sequence

untimed = settings(deadline=None)
"""A busy machine is no failure."""

EDGES = [-2.5, 0.0, 0.5, 3.0]
BINS = Bins(np.array(EDGES), minimum=-10.0, maximum=10.0)
NAMES = ("a", "3", "True", "2.5", "Infinity", "")
OTHERS = frozenset({"b", "-1", "False"})
CATEGORIES = Categories(NAMES, OTHERS)

numbers = st.one_of(
    st.floats(),
    st.integers(-(10**30), 10**30),
    st.sampled_from([*EDGES, 3, -1, 1e300, -10.0, 10.0, -0.0]),
)
texts = st.one_of(
    st.text(max_size=3), st.sampled_from([*NAMES, *sorted(OTHERS), "-Infinity", "NaN"])
)
anything = st.one_of(
    numbers, texts, st.booleans(), st.none(), st.just(ABSENT), st.just([1]), st.just({"a": 1})
)
columns = st.lists(anything, max_size=30)
doubtful_floats = st.one_of(st.floats(), st.floats(0, 1), st.sampled_from([0.0, 0.7, 1.0]))
reference_numbers = st.one_of(
    st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=80),
    st.lists(st.integers(-20, 20).map(float), min_size=1, max_size=200),
)


def plain_bin(value: object) -> int:
    """Return where *value* belongs among EDGES, one rule after the other."""
    if value is ABSENT:
        return -1
    if value is None or value != value:  # noqa: PLR0124  only NaN differs from itself
        return len(EDGES) + 1 + Slot.MISSING
    if value in {"Infinity", "-Infinity"} if isinstance(value, str) else False:
        return len(EDGES) + 1 + Slot.NON_FINITE
    if not isinstance(value, (bool, int, float)):
        return len(EDGES) + 1 + Slot.TYPE_ERROR
    if math.isinf(value):
        return len(EDGES) + 1 + Slot.NON_FINITE
    return sum(edge < value for edge in EDGES)


def plain_category(value: object) -> int:
    """Return where *value* belongs among NAMES, one rule after the other."""
    if value is ABSENT:
        return -1
    if value is None or value != value:  # noqa: PLR0124  only NaN differs from itself
        return len(NAMES) + 1 + Slot.MISSING
    if isinstance(value, (list, dict)):
        return len(NAMES) + 1 + Slot.TYPE_ERROR
    if isinstance(value, float) and math.isinf(value):
        return len(NAMES) + 1 + Slot.NON_FINITE
    name = str(value)
    if isinstance(value, float):
        name = str(int(value)) if value == int(value) else repr(value)
    if name in NAMES:
        return NAMES.index(name)
    return len(NAMES) if name in OTHERS else len(NAMES) + 1 + Slot.UNSEEN


def parts_of(rows: Sequence[object], cuts: Sequence[int]) -> list[slice]:
    """Return slices that together are all *rows*, cut at *cuts*."""
    bounds = [0, *sorted(cut % (len(rows) + 1) for cut in cuts), len(rows)]
    return [slice(a, b) for a, b in itertools.pairwise(bounds)]


@untimed
@given(columns)
def test_bins_put_every_value_where_the_rules_say(values: list[object]) -> None:
    """The fast assignment equals a plain one, value by value, on numbers, texts, lists and nothing."""
    assert BINS.assign(value_column(values)).tolist() == [plain_bin(value) for value in values]


@untimed
@given(columns)
def test_categories_put_every_value_where_the_rules_say(values: list[object]) -> None:
    """The fast look-up equals a plain one, value by value, whatever type a category was sent as."""
    assert CATEGORIES.assign(value_column(values)).tolist() == [plain_category(v) for v in values]


@untimed
@given(columns, st.lists(st.integers(0, 30), max_size=3))
def test_counts_of_parts_add_up_to_the_counts_of_the_whole(
    values: list[object], cuts: list[int]
) -> None:
    """However a column is cut into requests, windows and processors, the sums are the same integers."""
    column = value_column(values)
    for cells in (BINS, CATEGORIES):
        parts = [cells.count(column[part]) for part in parts_of(values, cuts)]
        assert np.sum(parts, axis=0).tolist() == cells.count(column).tolist()


@untimed
@given(columns, anything)
def test_one_more_value_moves_one_count(values: list[object], more: object) -> None:
    """Whatever it is: 1e300, NaN, infinity, None, a text, a 30-digit integer; an absent one moves none."""
    for cells in (BINS, CATEGORIES):
        before = cells.count(value_column(values))
        after = cells.count(value_column([*values, more]))
        moved = (after - before)[: cells.n_cells + N_EXCLUSIVE]
        assert moved.min() >= 0
        assert moved.sum() == (0 if more is ABSENT else 1)


@untimed
@given(reference_numbers)
def test_edges_divide_the_reference_and_nothing_is_lost(values: list[float]) -> None:
    """No bin is empty (but beside a single value), no row is lost, and bins are 20, or one per value."""
    distinct, repeats = np.unique(np.array(values), return_counts=True)

    edges = reference_edges(distinct, repeats)

    counts = Bins(edges, -math.inf, math.inf).count(value_column(values))[: len(edges) + 1]
    assert counts.sum() == len(values)
    assert (np.diff(edges) > 0).all()
    if len(distinct) == 1:
        assert sorted(counts)[:-1] == [0] * len(edges)
        return
    assert counts.min() >= 1
    assert len(edges) + 1 == len(distinct) if len(distinct) <= MAX_DISTINCT else len(edges) <= 19


@untimed
@given(st.integers(33, 400), st.integers(0, 2**32))
def test_bins_of_distinct_values_have_nearly_equal_mass(n: int, seed: int) -> None:
    """Without ties no two of the 20 bins differ by more than one row."""
    values = np.cumsum(np.random.default_rng(seed).uniform(0.5, 2, n))

    edges = reference_edges(values, np.ones(n, dtype=np.int64))

    counts = Bins(edges, 0, 1e9).count(value_column(values.tolist()))[:20]
    assert counts.max() - counts.min() <= 1


@untimed
@given(st.lists(doubtful_floats, max_size=30), st.lists(st.integers(0, 30), max_size=3))
def test_the_mean_is_exact_and_the_same_from_any_parts(
    values: list[float], cuts: list[int]
) -> None:
    """Merged in either direction the sums are equal bit for bit, and the mean differs from the true one by at most half a quantum."""
    whole, forward, backward = Moments(), Moments(), Moments()
    whole.add(np.array(values))
    for part in parts_of(values, cuts):
        piece = Moments()
        piece.add(np.array(values[part]))
        forward.merge(piece)
    for part in reversed(parts_of(values, cuts)):
        piece = Moments()
        piece.add(np.array(values[part]))
        piece.merge(backward)
        backward = piece

    sums = [(m.count, m.invalid, m.quanta) for m in (whole, forward, backward)]
    valid = [Fraction(v) for v in values if 0 <= v <= 1]
    assert sums[0] == sums[1] == sums[2]
    assert whole.count + whole.invalid == sum(value == value for value in values)  # noqa: PLR0124  only NaN differs
    if valid and len(valid) == whole.count:
        assert abs(whole.mean - sum(valid) / len(valid)) <= Fraction(1, 2**33) + Fraction(1, 2**52)


@untimed
@given(st.lists(doubtful_floats, max_size=40), st.integers(0, 40))
def test_score_histograms_merge_exactly(values: list[float], cut: int) -> None:
    """Two halves merged in either order hold the integers of the whole, and every confidence is counted once or invalid."""

    def of(part: list[float]) -> ScoreHistogram:
        histogram = ScoreHistogram(0.7)
        histogram.add(np.array(part), np.array(part), np.array(part))
        return histogram

    left, right, again = of(values[:cut]), of(values[cut:]), of(values[:cut])
    left.merge(right)
    right.merge(again)
    whole = of(values)

    facts = [(h.counts.tolist(), h.low, h.entropy.quanta) for h in (whole, left, right)]
    assert facts[0] == facts[1] == facts[2]
    assert whole.counts.sum() == whole.confidence.count
    assert whole.low <= whole.confidence.count


@untimed
@given(st.lists(doubtful_floats, min_size=1, max_size=40), st.floats(0, 1))
def test_a_quantile_is_never_below_the_exact_one(values: list[float], level: float) -> None:
    """And at most a thousandth above it, on any confidences and at any level."""
    histogram = ScoreHistogram(0.7)
    nothing = np.full(len(values), np.nan)
    histogram.add(np.array(values), nothing, nothing)
    said = sorted(min(max(v, 0.0), 1.0) for v in values if -1e-6 <= v <= 1 + 1e-6)

    if not said:
        assert math.isnan(histogram.quantile(level))
        return
    exact = said[max(1, math.ceil(round(level * len(said), 6))) - 1]
    assert exact <= histogram.quantile(level) <= exact + 0.001 + 1e-12


@untimed
@given(
    st.lists(st.integers(0, 80).map(lambda i: f"{'x' * (i % 3)}{i}"), max_size=120),
    st.lists(st.integers(0, 120), max_size=3),
    st.randoms(use_true_random=False),
)
def test_classes_are_counted_exactly_in_any_order(
    labels: list[str], cuts: list[int], random: object
) -> None:
    """Whatever the order of rows and merges: the kept classes have their true counts, and nothing is lost."""

    def of(part: list[str]) -> LabelCounts:
        dictionary = tuple(dict.fromkeys(part))
        counts = LabelCounts(("x1", "xx80"))
        codes = np.array([dictionary.index(label) for label in part], dtype=np.int64)
        counts.add(TextColumn(codes, dictionary))
        return counts

    whole = of(labels).counts()
    shuffled = list(labels)
    random.shuffle(shuffled)  # type: ignore[attr-defined]  # random.Random
    merged = LabelCounts(("x1", "xx80"))
    for part in parts_of(shuffled, cuts):
        merged.merge(of(shuffled[part]))

    true = Counter(labels)
    assert merged.counts() == whole
    assert sum(whole.values()) == len(labels)
    assert all(true[label] == count for label, count in whole.items() if label != OTHER_LABELS)
    assert len(whole.keys() - {OTHER_LABELS}) == min(MAX_LABELS, len(true))


REFERENCE = Reference.of(
    build_profile(
        {"x": np.arange(100.0), "c": value_column(["a", "b", "3"])},
        model="m",
        source=Source(kind="test", uri="none", rows=100),
        created="2026-01-01",
        prediction=value_column(["yes", "no"]),
        confidence=np.linspace(0.5, 1, 50),
    )
)
rows_of_a_window = st.lists(
    st.tuples(anything, anything, doubtful_floats, st.one_of(st.none(), texts)), max_size=25
)


@untimed
@given(rows_of_a_window, st.lists(st.integers(0, 25), min_size=1, max_size=3))
def test_summaries_of_parts_merge_into_the_summary_of_the_whole(
    rows: list[tuple[object, object, float, str | None]], cuts: list[int]
) -> None:
    """Arbitrary values never raise; processors that each saw a part hold, merged in either order, the integers of one that saw all."""
    columns_of_rows = inferences(
        len(rows),
        labels=[row[3] for row in rows],
        confidences=[row[2] for row in rows],
        entropies=[row[2] for row in rows],
        features={"x": [row[0] for row in rows], "c": [row[1] for row in rows]},
    )
    whole, forward, backward = Summary(REFERENCE), Summary(REFERENCE), Summary(REFERENCE)
    placed = place(columns_of_rows, REFERENCE)
    whole.add(placed)
    pieces = [placed[part] for part in parts_of(rows, cuts)]
    for summary, order in ((forward, pieces), (backward, pieces[::-1])):
        for piece in order:
            part = Summary(REFERENCE)
            part.add(piece)
            summary.merge(part)

    assert len({_facts(summary) for summary in (whole, forward, backward)}) == 1
    assert whole.rows == len(rows)


def _facts(summary: Summary) -> tuple[object, ...]:
    """Return every integer that a summary holds."""
    scores = summary.scores
    return (
        summary.rows,
        summary.counts.tobytes(),
        scores.counts.tobytes(),
        scores.low,
        *((m.count, m.invalid, m.quanta) for m in (scores.confidence, scores.entropy)),
        tuple(summary.labels.counts().items()),
    )


@untimed
@given(
    st.lists(anything.filter(lambda v: v is not ABSENT), min_size=1, max_size=60).filter(
        lambda values: any(isinstance(v, (bool, int, str)) for v in values)
    )
)
def test_any_column_with_a_value_makes_a_profile_that_survives_its_file(
    values: list[object],
) -> None:
    """As categories, of mixed types: written as JSON and read again it is the same profile, and its reference counts the same rows."""
    column = value_column(values)
    profile = _profile(column)

    read = msgspec.json.decode(msgspec.json.encode(profile), type=Profile)
    target = Reference.of(read).targets[0]

    exclusive = target.cells.n_cells + Slot.MISSING + 1
    assert read == profile
    assert target.counts[:exclusive].tolist() == target.cells.count(column)[:exclusive].tolist()
    assert target.cells.count(column)[target.cells.n_cells + Slot.UNSEEN] == 0


def _profile(column: ValueColumn) -> Profile:
    """Return the profile of one categorical column."""
    return build_profile(
        {"x": column},
        model="m",
        source=Source(kind="test", uri="none", rows=len(column)),
        created="2026-01-01",
        types={"x": "categorical"},
    )

"""Compiled and plain counting: the same integers of the same rows, whatever these say."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from otel_ml_processor.assess import error_patterns
from otel_ml_processor.columns import TextColumn
from otel_ml_processor.emit import confidence_samples
from otel_ml_processor.profile import Source
from otel_ml_processor.sketches import by_value, score_histogram
from otel_ml_processor.state.stored_streams import StoredSummary
from otel_ml_processor.windows import call_ranges, placed, quality
from otel_ml_processor.windows.divided import Divisions
from otel_ml_processor.windows.reference import Reference, build_profile
from otel_ml_processor.windows.summary import Summary
from tests.data.value_columns import inferences, value_column

if TYPE_CHECKING:
    from collections.abc import Sequence

    from otel_ml_processor.columns import InferenceColumns
    from otel_ml_processor.windows.placed import PlacedRows

REFERENCE = Reference.of(
    build_profile(
        {
            "many": np.arange(100.0) ** 2,
            "few": np.tile([0.5, 1.0], 50),
            "one": np.full(100, 3.0),
            "name": value_column(["a", "b", "3"]),
        },
        model="m",
        source=Source(kind="test", uri="none", rows=100),
        created="2026-01-01",
        prediction=value_column(["yes", "no"]),
        confidence=np.linspace(0.5, 1, 50),
    )
)
DIVISIONS = Divisions(classes=2, segments=("region",), max_values=2)


class Row(NamedTuple):
    """What one row says."""

    many: object
    few: object
    score: float
    entropy: float
    value: float
    label: str | None
    is_next_span: bool
    process: int
    number: int
    flaw: int
    region: int


doubtful = st.one_of(
    st.floats(),
    st.integers(0, 1000).map(lambda k: k / 1000),  # the edges of cells
    st.integers(0, 1000).map(lambda k: float(np.nextafter(k / 1000, 2))),
    st.sampled_from([-1e-6, -2e-6, 1 + 1e-6, 1 + 2e-6, -0.0, float("nan")]),
)
featured = st.one_of(st.floats(0, 9801), st.floats(), st.sampled_from([0, 0.5, 1.0, None, "a"]))
usual = st.one_of(
    st.floats(0.5, 1.0),
    st.sampled_from([0.75, float(np.nextafter(0.75, 1))]),  # the edge
)
row = st.builds(
    Row,
    many=featured,
    few=usual,
    score=doubtful,
    entropy=doubtful,
    value=st.one_of(st.just(float("nan")), st.floats()),
    label=st.sampled_from(["yes", "no", "", " ", "elsewhere", None]),
    is_next_span=st.booleans(),
    process=st.sampled_from([-(2**63), -5, 0, 1, 2, 7, 2**63 - 1]),
    number=st.integers(-1, 9),
    flaw=st.integers(0, 3),
    region=st.integers(-1, 3),
)


def columns_of(rows: Sequence[Row], *, is_flawed: bool, is_called: bool) -> InferenceColumns:
    """Return *rows* as the decoder gives them."""
    columns = inferences(
        len(rows),
        labels=[r.label for r in rows],
        confidences=[r.score for r in rows],
        entropies=[r.entropy for r in rows],
        margins=[r.score for r in rows],
        values=[r.value for r in rows],
        features={
            "many": [r.many for r in rows],
            "few": [r.few for r in rows],
            "one": [3.0 for _ in rows],
            "name": [r.label for r in rows],
        },
    )
    calls = np.array([(r.process, r.number) for r in rows], dtype=np.int64).reshape(-1, 2)
    return replace(
        columns,
        spans=np.cumsum([r.is_next_span for r in rows], dtype=np.int64),
        segments={
            "region": TextColumn(
                np.array([r.region for r in rows], dtype=np.int64), ("eu", "us", "asia", "x" * 300)
            )
        },
        calls=calls if is_called else None,
        flaws=np.array([r.flaw for r in rows], dtype=np.uint8) if is_flawed else None,
    )


def counted(columns: InferenceColumns, part: slice) -> tuple[bytes, PlacedRows]:
    """Return all that a window with these rows holds, as it is written, and where the rows are."""
    rows = placed.place(columns, REFERENCE)[part]
    summary = Summary(REFERENCE, None, DIVISIONS)
    summary.add(rows)
    return msgspec.msgpack.encode(StoredSummary.of(summary)), rows


@settings(max_examples=150)
@given(
    rows=st.lists(row, max_size=30),
    part=st.builds(slice, st.integers(0, 5), st.integers(0, 30)),
    is_flawed=st.booleans(),
    is_called=st.booleans(),
)
def test_compiled_counting_is_plain_counting(
    rows: Sequence[Row], part: slice, *, is_flawed: bool, is_called: bool
) -> None:
    """Infinities, NaN, edges of cells, batches, flaws, more processes and values than are told apart, parts of requests: every integer of a window is the same."""
    columns = columns_of(rows, is_flawed=is_flawed, is_called=is_called)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(call_ranges, "MAX_PROCESSES", 3)
        compiled, compiled_rows = counted(columns, part)
        for module in (score_histogram, by_value, call_ranges, quality, placed):
            assert module.IS_COMPILED
            patch.setattr(module, "IS_COMPILED", False)
        plain, plain_rows = counted(columns, part)
    np.testing.assert_array_equal(compiled_rows.places, plain_rows.places)
    assert sorted(zip(compiled_rows.outside_rows, compiled_rows.outside_places, strict=True)) == (
        sorted(zip(plain_rows.outside_rows, plain_rows.outside_places, strict=True))
    )
    assert compiled == plain


def test_each_process_is_counted_from_its_first_call_on() -> None:
    """However their calls are mixed: of the lowest ids lowest and highest number, calls, rows, and confidence are those that one would find one by one."""
    random = np.random.default_rng(5)
    processes = random.integers(-(2**63), 2**63 - 1, 200)
    calls = np.stack([random.choice(processes, 5000), random.integers(0, 10**6, 5000)], axis=1)
    columns = replace(
        inferences(5000),
        confidences=random.choice([0.25, 0.75, np.nan], 5000),
        calls=calls,
        spans=np.arange(5000) // 2,
    )
    ranges = call_ranges.CallRanges()
    ranges.add(columns, 0.5)
    assert list(ranges.by_process) == sorted(set(calls[:, 0].tolist()))[: call_ranges.MAX_PROCESSES]
    for process, found in ranges.by_process.items():
        mine = np.flatnonzero(calls[:, 0] == process)
        sure = columns.confidences[mine]
        assert list(found[:6]) == [
            int(calls[mine, 1].min()),
            int(calls[mine, 1].max()),
            int(np.count_nonzero(mine % 2 == 0)),
            int(np.count_nonzero(~np.isnan(sure))),
            int(np.nansum(sure) * 2**32),
            int(np.count_nonzero(sure < 0.5)),
        ]


@given(st.integers(0, 4), st.integers(0, 30), st.integers(0, 2**32 - 1))
def test_failures_are_counted_alike(n_features: int, n_rows: int, seed: int) -> None:
    """By place in the reference's counts, rows and those that fail; what says nothing of a feature is behind all places and counted nowhere."""
    random = np.random.default_rng(seed)
    places = random.integers(0, 11, (n_features, n_rows))
    is_hit = random.random(n_rows) < 0.5
    compiled, plain = (error_patterns._Counts(*np.zeros((2, 10), dtype=np.int64)) for _ in range(2))
    compiled.add(places, is_hit)
    plain._add_plain(places, is_hit)
    assert compiled.rows.tolist() == plain.rows.tolist()
    assert compiled.hits.tolist() == plain.hits.tolist()
    assert compiled.rows.sum() == np.count_nonzero(places < 10)


@given(st.lists(doubtful, max_size=60))
def test_confidences_are_counted_alike(confidences: Sequence[float]) -> None:
    """By bucket how many there are, and which is the last: of what is a probability, up to rounding, and of nothing else; and their sum."""
    numbers, boundaries = np.array(confidences, dtype=float), confidence_samples._BOUNDARIES
    n_buckets = len(boundaries) + 1
    counted = []
    for in_buckets in (confidence_samples._in_buckets, confidence_samples._in_buckets_plain):
        buckets, newest = np.zeros(n_buckets, dtype=np.int64), np.full(n_buckets, -1)
        near = confidence_samples._BUCKET_NEAR
        n_said, total = in_buckets(numbers, boundaries, near, buckets, newest)
        counted.append((total, n_said, buckets.tolist(), newest.tolist()))
    (total, *compiled), (plain_total, *plain) = counted
    assert compiled == plain
    assert total == pytest.approx(plain_total)
    said = [(row, c) for row, c in enumerate(confidences) if -1e-6 <= c <= 1 + 1e-6]
    assert compiled[0] == sum(compiled[1]) == len(said)
    of_bucket = {sum(end < min(max(c, 0), 1) for end in boundaries): row for row, c in said}
    assert {b: row for b, row in enumerate(compiled[2]) if row >= 0} == of_bucket

"""One odd value among good ones, from the wire to the reading: it moves one count, and nothing else."""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
import pytest

from otel_ml_conventions.attributes import MlDriftTargetValues
from otel_ml_processor.assess.drift import assess_drift
from otel_ml_processor.columns import IntArray
from otel_ml_processor.decode.spans import PlainDecoder
from otel_ml_processor.profile import Source
from otel_ml_processor.sketches.slots import N_EXCLUSIVE, N_SLOTS
from otel_ml_processor.windows.placed import place
from otel_ml_processor.windows.reference import Reference, build_profile
from otel_ml_processor.windows.summary import Summary
from tests.unit.processor.otlp_requests import inference, request_of

ROWS: Final = 300
NAMES: Final = ("a", "b", "c")
DRAWN: Final = np.random.default_rng(5).normal(size=(ROWS, len(NAMES)))
REFERENCE: Final = Reference.of(
    build_profile(
        {name: np.random.default_rng(6 + i).normal(size=2000) for i, name in enumerate(NAMES)},
        model="fraud",
        source=Source(kind="test", uri="none", rows=2000),
        created="2026-01-01",
    )
)
ODD: Final = {
    "beyond all": 1e12,
    "the largest there is": 1.7e308,
    "thirty digits": 10**30,
    "not a number": math.nan,
    "infinite": -math.inf,
    "nothing": None,
    "a text": "twelve",
    "an empty text": "",
    "a list": [1.0, 2.0],
    "a truth": True,
}


def counted(odd: Any = ...) -> dict[str, IntArray]:
    """Return the counts of every feature of a window, in whose row 7 feature `a` is *odd*, as spans that came in; all tests are run on it."""
    rows = [dict(zip(NAMES, row, strict=True)) for row in DRAWN.tolist()]
    if odd is not ...:
        rows[7]["a"] = odd
    spans = [inference(i, end_ns=1, features=row) for i, row in enumerate(rows)]
    decoded = PlainDecoder(lambda _: NAMES).decode(request_of(spans).SerializeToString())
    summary = Summary(REFERENCE)
    for columns in decoded.columns:
        summary.add(place(columns, REFERENCE))
    assert summary.rows == ROWS
    read = assess_drift(
        summary.comparisons(), alpha=0.01, effect_floor=0.01, scores=("psi",), min_rows=200
    )
    assert all(math.isfinite(score) for reading in read for score in reading.scores.values())
    assert all(0 <= reading.p_value <= 1 for reading in read)
    return {
        comparison.name: comparison.current
        for comparison in summary.comparisons()
        if comparison.target is MlDriftTargetValues.FEATURE
    }


@pytest.mark.parametrize("odd", ODD.values(), ids=ODD.keys())
def test_it_moves_one_count_and_nothing_else(odd: Any) -> None:
    """The row leaves its bin for another bin or slot; all other counts, of this feature and of others, are as before, and nothing raises."""
    before, after = counted(), counted(odd)

    assert before.keys() == after.keys() == set(NAMES)
    assert all(np.array_equal(before[name], after[name]) for name in ("b", "c"))
    moved = after["a"] - before["a"]
    of_rows = moved[: len(moved) - N_SLOTS + N_EXCLUSIVE]
    assert sorted(of_rows[of_rows != 0].tolist()) == [-1, 1]
    assert np.abs(moved[len(of_rows) :]).sum() <= 1  # whether it is in the range is told beside

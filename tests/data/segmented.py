"""Streams of two classes in three regions with a known truth, and the profile of a reference of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from otel_ml_processor.columns import InferenceColumns, Kind, StreamKey, TextColumn, ValueColumn
from otel_ml_processor.commands.profile import build_profile_from_table
from otel_ml_processor.windows.divided import Divisions
from otel_ml_processor.windows.placed import PlacedRows, place
from otel_ml_processor.windows.reference import Reference
from otel_ml_processor.windows.summary import Summary

if TYPE_CHECKING:
    from collections.abc import Mapping

    from otel_ml_processor.profile import Profile

__all__ = [
    "RATES",
    "REGIONS",
    "STREAM",
    "inferences",
    "reference_profile",
    "summary_of",
    "table",
]

REGIONS = ("emea", "apac", "amer")
RATES = {"emea": 0.3, "apac": 0.2, "amer": 0.4}
"""Share of the positive class by region: a static disparity."""
STREAM = StreamKey("shop", "", "fraud", "1")


def table(n: int, seed: int = 0, rates: Mapping[str, float] = RATES) -> dict[str, np.ndarray]:
    """Return *n* rows: a region (half, three tenths, a fifth), a class, a confidence of which 5 % are low, and a truth, right in nine of ten."""
    random = np.random.default_rng(seed)
    region = random.choice(REGIONS, n, p=[0.5, 0.3, 0.2])
    is_fraud = random.random(n) < np.vectorize(rates.get)(region)
    is_low = random.random(n) < 0.05
    sure = np.where(is_low, 0.5, 0.6) + np.where(is_low, 0.1, 0.4) * random.random(n)
    is_right = random.random(n) < 0.9
    return {
        "amount": random.normal(size=n),
        "region": region,
        "said": np.where(is_fraud, "yes", "no"),
        "sure": sure,
        "true": np.where(is_fraud == is_right, "yes", "no"),
    }


def reference_profile(n: int = 50_000) -> Profile:
    """Return the profile of *n* such rows, with the reference of each region."""
    return build_profile_from_table(
        table(n),
        model="fraud",
        version="1",
        label="said",
        confidence="sure",
        target="true",
        segments=["region"],
        created="2024-01-01T00:00:00Z",
    )


def inferences(
    rows: Mapping[str, np.ndarray], is_failed: np.ndarray | None = None
) -> InferenceColumns:
    """Return *rows* as the decoder gives them, each a span of its own."""
    regions, codes = np.unique(rows["region"], return_inverse=True)
    n = len(rows["sure"])
    nothing = np.full(n, np.nan)
    amount = ValueColumn(np.full(n, Kind.NUMBER, np.uint8), rows["amount"], np.full(n, -1))
    return InferenceColumns(
        stream=STREAM,
        spans=np.arange(n),
        end_times_ns=np.arange(n),
        labels=TextColumn((rows["said"] == "yes").astype(np.int64), ("no", "yes")),
        confidences=rows["sure"],
        entropies=nothing,
        margins=nothing,
        values=nothing,
        features={"amount": amount},
        segments={
            "region": TextColumn(codes.astype(np.int64), tuple(regions.tolist())),
        },
        is_failed=is_failed,
    )


def summary_of(
    placed: PlacedRows | Mapping[str, np.ndarray], reference: Reference | None
) -> Summary:
    """Return a window with these rows, by region and by class."""
    if not isinstance(placed, PlacedRows):
        placed = place(inferences(placed), reference)
    summary = Summary(reference, None, Divisions(10, ("region",)))
    summary.add(placed)
    return summary

"""Counting made ready: nothing is compiled while rows wait."""

from __future__ import annotations

import numpy as np

from otel_ml_processor.columns import InferenceColumns, Kind, StreamKey, TextColumn, ValueColumn
from otel_ml_processor.profile import Source
from otel_ml_processor.windows.divided import Divisions
from otel_ml_processor.windows.fast_places import place_scores
from otel_ml_processor.windows.placed import place
from otel_ml_processor.windows.reference import Reference, build_profile
from otel_ml_processor.windows.summary import Summary

__all__ = ["warm_counting"]


def warm_counting() -> None:
    """Have everything compiled that counts rows, or read from where it was kept."""
    numbers = np.array([0.0, 1.0])
    source = Source(kind="array", uri="", rows=len(numbers))
    profile = build_profile({"x": numbers}, model="warm", source=source, created="")
    reference = Reference.of(profile)
    summary = Summary(reference, divisions=Divisions(classes=1))
    summary.add(place(_rows(numbers), reference))
    codes = np.zeros(len(numbers), dtype=np.int64)
    place_scores(numbers, codes, codes, numbers, 0, 0, codes)


def _rows(numbers: np.ndarray) -> InferenceColumns:
    codes = np.zeros(len(numbers), dtype=np.int64)
    kinds = np.full(len(numbers), Kind.NUMBER, dtype=np.uint8)
    return InferenceColumns(
        stream=StreamKey("", "", "warm", ""),
        spans=codes,
        end_times_ns=codes,
        labels=TextColumn(codes, ("warm",)),
        confidences=numbers,
        entropies=numbers,
        margins=numbers,
        values=numbers,
        features={"x": ValueColumn(kinds, numbers, codes)},
        calls=np.zeros((len(numbers), 2), dtype=np.int64),
    )

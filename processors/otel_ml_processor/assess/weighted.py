"""Estimates over all calls of a model, where a part of them was left out on the way; tests use what came."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from otel_ml_processor.assess.reading import ConfidenceReading
    from otel_ml_processor.windows.call_ranges import CallRanges

__all__ = ["weighted"]


def weighted(confidence: ConfidenceReading | None, calls: CallRanges) -> ConfidenceReading | None:
    """
    Return *confidence* with its mean and its share of low confidence over all *calls*, each process weighted by what was left out of it.

    As it is where every process has the same weight, or where not all rows with a confidence say which call they are of.
    """
    over_all = calls.confidence()
    if confidence is None or over_all is None or calls.said != confidence.rows:
        return confidence
    return replace(confidence, mean=over_all.mean, low=over_all.low)

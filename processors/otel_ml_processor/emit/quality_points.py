"""What is exported of the quality of data: shares of a window, predictions by the rule that they break, and how old values are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from otel_ml_conventions import attributes as keys
from otel_ml_conventions import metrics as names
from otel_ml_processor.emit.points import NamedPoint, Point, valid_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from otel_ml_processor.assess.data_quality import QualityReading
    from otel_ml_processor.emit.points import Attributes
    from otel_ml_processor.windows.quality import Freshness

__all__ = ["freshness_points", "invalid_points", "quality_points"]


def quality_points(where: Attributes, quality: QualityReading) -> list[NamedPoint]:
    """Return the shares of the window *where*; of inputs without a hash, and where none repeats, there is none to tell."""
    shares = {
        names.METRIC_ML_INPUT_DUPLICATES: quality.duplicates,
        names.METRIC_ML_PREDICTION_INCONSISTENT: quality.inconsistent,
    }
    return [
        NamedPoint(metric, Point(where, share))
        for metric, share in shares.items()
        if share is not None
    ]


def invalid_points(
    where: Attributes, invalid: Mapping[str, tuple[int, int]]
) -> Iterator[NamedPoint]:
    """Yield how many predictions of the stream *where* break which rule, from pairs of since when (nanoseconds) and how many."""
    for rule, (since_ns, total) in invalid.items():
        about = (*where, (keys.ML_VALIDATION_RULE, rule))
        yield NamedPoint(names.METRIC_ML_PREDICTION_INVALID, Point(about, total, since_ns))


def freshness_points(
    where: Attributes, freshness: Freshness, now_ns: int, max_features: int
) -> Iterator[NamedPoint]:
    """Yield how long ago the stream *where* last had a row, and its first *max_features* features a value, in seconds."""
    yield NamedPoint(names.METRIC_ML_FEATURE_STALENESS, Point(where, freshness.silent_s(now_ns)))
    for name, seconds in list(freshness.stale_s(now_ns))[:max_features]:
        about = (*where, (keys.ML_FEATURE_NAME, valid_text(name)))
        yield NamedPoint(names.METRIC_ML_FEATURE_STALENESS, Point(about, seconds))

"""Rows of a small model, counted as the processor counts them: what the parts that export counts are told."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from otel_ml_processor.config import StreamsConfig, WindowConfig
from otel_ml_processor.decode.spans import PlainDecoder
from otel_ml_processor.profile import Source
from otel_ml_processor.windows.placed import place
from otel_ml_processor.windows.reference import Reference, build_profile
from otel_ml_processor.windows.streams import Streams
from tests.unit.processor.otlp_requests import inference, request_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from otel_ml_processor.emit.confidence_samples import ConfidenceSamples
    from otel_ml_processor.emit.feature_bins import FeatureBins

__all__ = ["NOW_NS", "reference", "told"]

NOW_NS = 1_800_000_000_000_000_000


def reference(n_features: int = 1, seed: int = 0) -> Reference:
    """Return one of features `f0`, `f1` ... of the values 0 to 9, a hundred times each."""
    values = np.tile(np.arange(10.0), 100) + seed
    columns = {f"f{i}": values for i in range(n_features)}
    source = Source(kind="test", uri="", rows=1000)
    return Reference.of(build_profile(columns, model="fraud", source=source, created=""))


def told(
    bins: FeatureBins,
    of: Reference,
    rows: Sequence[Mapping[str, object]],
    first: int = 0,
    confidences: ConfidenceSamples | None = None,
) -> None:
    """Tell *bins*, and *confidences*, of *rows*, each an inference of its own that is sure by half."""
    streams = Streams(StreamsConfig(), [WindowConfig(name="rows", rows=1000)], lambda _: of)
    decoder = PlainDecoder(lambda *_: of.feature_names)
    spans = [
        inference(first + i, end_ns=NOW_NS, features=row, prediction_confidence=0.5)
        for i, row in enumerate(rows)
    ]
    decoded = decoder.decode(request_of(spans).SerializeToString())
    placed = [place(columns, of) for columns in decoded.columns]
    bins.add(streams.add(placed, NOW_NS))
    if confidences is not None:
        confidences.add(placed, decoded.spans.ids)

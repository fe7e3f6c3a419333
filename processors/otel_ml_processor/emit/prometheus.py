"""
The book in the words of Prometheus: the scrape page gives exactly the names, labels and values that an OTLP push to Prometheus gives.

So a query, a rule or a dashboard works whichever way the numbers came. The renaming is Prometheus' own (its OTLP translator with
`UnderscoreEscapingWithSuffixes`, the default); a test compares the two ways in a real server.
"""

from __future__ import annotations

import math
import re
from bisect import bisect_left
from itertools import accumulate
from typing import TYPE_CHECKING, Final

from prometheus_client import samples
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, choose_encoder, generate_latest
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector
from prometheus_client.samples import Sample

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from otel_ml_conventions.metrics import MetricDefinition
    from otel_ml_processor.emit.definitions import Metric
    from otel_ml_processor.emit.points import Exemplar

__all__ = ["exposition", "prometheus_name"]

_UNIT_SUFFIXES: Final = {"s": "_seconds", "By": "_bytes"}
_ESCAPING: Final = re.compile(r";\s*escaping=[^;,]*")
_NOT_IN_A_NAME: Final = re.compile(r"[^a-zA-Z0-9_]")


def exposition(collect: Callable[[], tuple[Metric, ...]], accept: str) -> tuple[bytes, str]:
    """
    Return the page and its content type: OpenMetrics where the *accept* header asks for it, else the text format.

    A header that cannot be read is answered with the text format. Names are the same whatever escaping it asks for: none of ours needs any.
    """
    try:
        encode, content_type = choose_encoder(_ESCAPING.sub("", accept))
    except (TypeError, ValueError):
        encode, content_type = generate_latest, CONTENT_TYPE_PLAIN_0_0_4
    return encode(_Collector(collect)), content_type


def prometheus_name(definition: MetricDefinition) -> str:
    """Return the name of the series: dots become underscores, the unit and the kind become suffixes."""
    name = _underscored(definition.name) + _UNIT_SUFFIXES.get(definition.unit, "")
    if definition.instrument == "counter":
        return f"{name}_total"
    is_share = definition.instrument == "gauge" and definition.unit == "1"
    return f"{name}_ratio" if is_share else name


class _Collector(Collector):
    """The metrics of one moment as families that the client library writes in either format."""

    def __init__(self, collect: Callable[[], tuple[Metric, ...]]) -> None:
        self._collect = collect

    def collect(self) -> Iterator[Family]:
        return map(_family, self._collect())


def _family(metric: Metric) -> Family:
    name = prometheus_name(metric.definition)
    if metric.definition.instrument == "histogram":
        return _histogram_family(name, metric)
    is_counter = metric.definition.instrument == "counter"
    family = Family(
        name.removesuffix("_total") if is_counter else name,
        metric.definition.description,
        "counter" if is_counter else "gauge",
    )
    for point in metric.points:
        labels = {_underscored(key): _label(value) for key, value in point.attributes}
        family.samples.append(Sample(name, labels, float(point.value)))
    return family


def _histogram_family(name: str, metric: Metric) -> Family:
    family = Family(name, metric.definition.description, "histogram")
    ends = [*map(float, metric.definition.boundaries), math.inf]
    for point in metric.points:
        labels = {_underscored(key): _label(value) for key, value in point.attributes}
        cumulative = list(accumulate(point.buckets or ()))
        shown = {bisect_left(ends, exemplar.value): exemplar for exemplar in point.exemplars}
        for bucket, (end, count) in enumerate(zip(ends, cumulative, strict=True)):
            at = {**labels, "le": _label(end) if math.isfinite(end) else "+Inf"}
            example = _exemplar(shown.get(bucket))
            family.samples.append(Sample(f"{name}_bucket", at, float(count), exemplar=example))
        family.samples.append(Sample(f"{name}_count", labels, float(cumulative[-1])))
        family.samples.append(Sample(f"{name}_sum", labels, point.value))
    return family


def _exemplar(exemplar: Exemplar | None) -> samples.Exemplar | None:
    """Return *exemplar* with the labels that Prometheus gives those of OTLP; the text format has none and leaves it out."""
    if exemplar is None:
        return None
    ids = {"trace_id": exemplar.trace_id.hex(), "span_id": exemplar.span_id.hex()}
    return samples.Exemplar(ids, exemplar.value, exemplar.time_ns / 1e9)


def _underscored(name: str) -> str:
    return _NOT_IN_A_NAME.sub("_", name)


def _label(value: str | float) -> str:
    """Return *value* as the translator writes it: `true`, `3`, `0.05`."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return str(value).lower()
    return repr(value).removesuffix(".0")

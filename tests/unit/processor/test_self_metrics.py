"""What the processor says of itself is there from the start, complete and bounded."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from enum import Enum

import pytest

from otel_ml_conventions.attributes import ML_PROCESSOR_CAUSE
from otel_ml_conventions.metrics import (
    DEFINITIONS,
    METRIC_ML_PROCESSOR_LATE,
    METRIC_ML_PROCESSOR_REFUSED,
)
from otel_ml_processor.self_metrics import ACCEPTED_SPANS, SENT_SPANS, SelfMetrics
from tests.data.awaited import awaited_names


class Cause(str, Enum):
    """Two causes."""

    A = "a"
    B = "b"


CAUSES = {METRIC_ML_PROCESSOR_REFUSED: Cause}


def counts(metrics: SelfMetrics) -> dict[tuple[str, str], int]:
    """Return the counts by name and cause."""
    return {
        (name, attributes.get(ML_PROCESSOR_CAUSE, "")): count
        for name, attributes, count in metrics.snapshot()
    }


def test_every_counter_exists_before_anything_is_counted() -> None:
    """A rate over a counter that appears with its first error would miss that error."""
    found = counts(SelfMetrics(CAUSES))

    registered = {
        definition.name
        for definition in DEFINITIONS.values()
        if definition.name.startswith("ml.processor.") and definition.instrument == "counter"
    }
    collector = {
        f"otelcol_{doing}_{items}"
        for doing in (
            "receiver_accepted",
            "receiver_refused",
            "exporter_sent",
            "exporter_send_failed",
            "exporter_enqueue_failed",
        )
        for items in ("spans", "metric_points", "log_records")
    }
    assert {name for name, _ in found} == registered - awaited_names("metric") | collector
    assert {cause for name, cause in found if name == METRIC_ML_PROCESSOR_REFUSED} == {
        "a",
        "b",
        "other",
    }
    assert set(found.values()) == {0}


def test_spans_are_counted_as_a_collector_counts_them() -> None:
    """The attributes are the collector's, so that its dashboards show our spans too."""
    attributes = [(name, dict(labels)) for name, labels, _ in SelfMetrics().snapshot()]

    assert [labels for name, labels in attributes if name == ACCEPTED_SPANS] == [
        {"receiver": "otlp"}
    ]
    assert [labels for name, labels in attributes if name == SENT_SPANS] == [
        {"exporter": "otlp"},
        {"exporter": "otlp/best_effort"},
    ]


def test_what_is_counted_is_in_the_snapshot() -> None:
    """By name and cause, given as text or as a member of the enumeration; labels are plain text."""
    metrics = SelfMetrics(CAUSES)

    metrics.add(ACCEPTED_SPANS, 5)
    metrics.add(METRIC_ML_PROCESSOR_LATE)
    metrics.add(METRIC_ML_PROCESSOR_REFUSED, cause=Cause.A)
    metrics.add(METRIC_ML_PROCESSOR_REFUSED, 2, "a")

    found = counts(metrics)
    assert found[ACCEPTED_SPANS, ""] == 5
    assert found[METRIC_ML_PROCESSOR_LATE, ""] == 1
    assert found[METRIC_ML_PROCESSOR_REFUSED, "a"] == 3
    assert {type(cause) for _, cause in found} == {str}


def test_causes_nobody_declared_do_not_make_new_series() -> None:
    """A thousand strange causes are one series, and none of them is lost."""
    metrics = SelfMetrics(CAUSES)
    n_series = len(metrics.snapshot())

    for number in range(1000):
        metrics.add(METRIC_ML_PROCESSOR_REFUSED, cause=f"strange {number}")
        metrics.add(METRIC_ML_PROCESSOR_LATE, cause=f"strange {number}")

    assert len(metrics.snapshot()) == n_series
    assert counts(metrics)[METRIC_ML_PROCESSOR_REFUSED, "other"] == 1000
    assert counts(metrics)[METRIC_ML_PROCESSOR_LATE, ""] == 1000


def test_a_counter_nobody_declared_is_a_mistake() -> None:
    """A name that is not in the registry must not appear on a page."""
    with pytest.raises(KeyError, match="no_such_counter"):
        SelfMetrics().add("no_such_counter")


def test_no_count_is_lost_between_threads() -> None:
    """Eight threads count ten thousand each."""
    metrics = SelfMetrics()

    def count(_: int) -> None:
        for _ in range(10_000):
            metrics.add(ACCEPTED_SPANS)

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(count, range(8)))

    assert counts(metrics)[ACCEPTED_SPANS, ""] == 80_000

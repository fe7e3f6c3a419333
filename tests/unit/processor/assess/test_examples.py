"""Traces that show a drift."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span

from otel_ml_conventions.attributes import MlDriftStateValues, MlDriftTargetValues
from otel_ml_processor.assess.examples import MAX_EXAMPLES, Examples
from otel_ml_processor.assess.reading import Change, DriftKind, Reading, TargetReading, WindowSpan
from otel_ml_processor.columns import InferenceColumns, StreamKey, TextColumn
from otel_ml_processor.config import Duration, WindowConfig
from otel_ml_processor.decode.spans import PlainDecoder
from otel_ml_processor.emit.otlp import key_value
from otel_ml_processor.profile import CellReference, Profile, Source, sealed
from otel_ml_processor.windows.disjoint import Closed
from otel_ml_processor.windows.placed import PlacedRows, place
from otel_ml_processor.windows.reference import Reference
from otel_ml_processor.windows.streams import ClosedWindow
from otel_ml_processor.windows.summary import Summary
from tests.data.value_columns import value_column

STREAM = StreamKey("flights", "", "late-arrival", "1")
HOUR_NS = 3_600_000_000_000
ROWS = WindowConfig(name="rows", rows=1000)
HOURLY = WindowConfig(name="1h", length=Duration(3600))
REFERENCE = Reference.of(
    sealed(
        Profile(
            model="late-arrival",
            created="2013-03-20T12:00:00Z",
            source=Source(kind="test", uri="", rows=3000),
            features=[
                CellReference(
                    name="x", type="numeric", counts=[2000, 900, 100], edges=[0, 1], min=-9, max=9
                )
            ],
        )
    )
)
TARGET = TargetReading(
    MlDriftTargetValues.FEATURE, "x", 1000, {}, 0.001, 0.5, MlDriftStateValues.DRIFTING
)


def rows_with(
    values: list[float],
    *,
    times_ns: list[int] | None = None,
    spans: list[int] | None = None,
    stream: StreamKey = STREAM,
    reference: Reference | None = REFERENCE,
) -> PlacedRows:
    """Return rows of one request: one per value, by default one span each, at the nanoseconds 0, 1, 2 ..."""
    n = len(values)
    nothing = np.full(n, np.nan)
    columns = InferenceColumns(
        stream=stream,
        spans=np.array(range(n) if spans is None else spans),
        end_times_ns=np.array(range(n) if times_ns is None else times_ns),
        labels=TextColumn(np.full(n, -1), ()),
        confidences=nothing,
        entropies=nothing,
        margins=nothing,
        values=nothing,
        features={"x": value_column(values)},
    )
    return place(columns, reference)


def ids(*numbers: int) -> NDArray[np.uint64]:
    """Return ids of spans whose traces have these numbers."""
    return np.array([[n, 0, 1] for n in numbers], dtype=np.uint64).reshape(len(numbers), 3)


def traces(*numbers: int) -> tuple[str, ...]:
    """Return the trace ids as OTLP writes them: sixteen bytes in hexadecimal, the first eight of them the number's, little-endian."""
    return tuple(n.to_bytes(16, "little").hex() for n in numbers)


def shown(
    examples: Examples,
    *batches: PlacedRows,
    name: str = "rows",
    until_ns: int = HOUR_NS,
    reference: Reference | None = REFERENCE,
) -> tuple[str, ...]:
    """Return the examples of a window that has counted *batches* and in which `x` drifts."""
    summary = Summary(reference)
    for batch in batches:
        summary.add(batch)
    window = ClosedWindow(STREAM, reference, Closed(name, 0, until_ns, summary, is_sufficient=True))
    reading = Reading(
        STREAM, WindowSpan(name, 0, until_ns), 1000, MlDriftStateValues.DRIFTING, (TARGET,)
    )
    return examples.of(window, Change(reading, DriftKind.DRIFT, (TARGET,)))


def test_what_the_reference_hardly_had_is_shown_first() -> None:
    """Of ten rows three lie where the reference has one in thirty, five where it has three in ten: these, and then those."""
    examples = Examples([ROWS], 10)
    batch = rows_with([-1.0, -1.0, 0.5, 0.5, 0.5, 0.5, 0.5, 2.0, 2.0, 2.0])

    # A window of so many rows as are kept of it: every row is.
    few = Examples([replaced(ROWS, rows=10)], 10)
    few.note([batch], ids(*range(1, 11)))
    examples.note([batch], ids(*range(1, 11)))

    found = shown(few, batch)
    assert set(found[:3]) == set(traces(8, 9, 10))
    assert set(found[3:]) <= set(traces(3, 4, 5, 6, 7))
    assert len(found) == MAX_EXAMPLES
    # Of a window of a thousand rows, one in fifteen: the first here, which shows nothing.
    assert shown(examples, batch) == ()


def replaced(window: WindowConfig, rows: int) -> WindowConfig:
    """Return *window* with another number of rows."""
    return WindowConfig(name=window.name, rows=rows)


def test_a_trace_is_named_once() -> None:
    """A batch of five rows is one span of one trace."""
    examples = Examples([replaced(ROWS, 10)], 10)
    batch = rows_with([2.0] * 5, spans=[0] * 5)

    examples.note([batch], ids(7))

    assert shown(examples, batch) == traces(7)


def test_rows_of_another_window_are_not_shown() -> None:
    """Only what lies in the event time of the window."""
    examples = Examples([replaced(ROWS, 10)], 10)
    batch = rows_with([2.0] * 4, times_ns=[5, HOUR_NS - 1, HOUR_NS, 2 * HOUR_NS])

    examples.note([batch], ids(1, 2, 3, 4))

    assert set(shown(examples, batch)) == set(traces(1, 2))


@pytest.mark.parametrize("window", [ROWS, HOURLY], ids=["rows", "time"])
def test_memory_is_bounded_and_spread_over_the_window(window: WindowConfig) -> None:
    """However many requests: some sixty rows of a window, from its beginning to its end."""
    examples = Examples([window], 10)
    batches = []
    for i in range(2000):
        batch = rows_with([2.0], times_ns=[i * HOUR_NS // 1000])
        batches.append(batch)
        examples.note([batch], ids(i + 1))

    kept = examples._rings[STREAM][window.name].kept
    times = [row.time_ns for row in kept if row.time_ns < HOUR_NS]
    assert len(kept) <= 192
    assert 50 <= len(times) <= 70
    assert min(times) < HOUR_NS / 20
    assert max(times) > HOUR_NS * 0.95
    assert len(shown(examples, *batches, name=window.name)) == MAX_EXAMPLES


def test_a_time_far_ahead_does_not_end_the_examples() -> None:
    """A clock that is a hundred years off is one row; those that follow are kept as before."""
    examples = Examples([HOURLY], 10)
    ahead, usual = rows_with([2.0], times_ns=[2**62]), rows_with([2.0], times_ns=[HOUR_NS // 2])

    examples.note([ahead], ids(1))
    examples.note([usual], ids(2))

    assert shown(examples, ahead, usual, name="1h") == traces(2)


@pytest.mark.parametrize(
    "odd",
    [
        rows_with([]),
        rows_with([2.0], reference=None),
        rows_with([2.0], stream=replace(STREAM, model="another")),
    ],
    ids=["no rows", "no reference", "one stream too many"],
)
def test_what_cannot_be_shown_is_not_kept(odd: PlacedRows) -> None:
    """Nothing is remembered of it, and nothing of the others is lost."""
    examples = Examples([replaced(ROWS, 10)], 1)
    usual = rows_with([2.0])
    examples.note([usual], ids(1))

    examples.note([odd], ids(2))

    assert shown(examples, usual) == traces(1)


def test_nothing_is_shown_where_nothing_is_known() -> None:
    """No row kept, another window, no reference, a trace without an id, a row that does not say the feature."""
    batch = rows_with([2.0])
    assert shown(Examples([ROWS], 10), batch) == ()
    examples = Examples([ROWS], 10)
    examples.note([batch], ids(0))
    assert shown(examples, batch) == ()
    assert shown(examples, batch, name="1h") == ()
    assert shown(examples, rows_with([2.0], reference=None), reference=None) == ()
    silent = replace(batch, places=np.full((1, 1), REFERENCE.n_counts))
    examples.note([silent], ids(3))
    assert shown(examples, batch) == ()


def test_the_id_is_the_one_on_the_wire() -> None:
    """Sixteen bytes of a span, as hexadecimal: what Jaeger is asked for."""
    trace_id = bytes(range(1, 17))
    span = Span(
        trace_id=trace_id,
        span_id=b"12345678",
        end_time_unix_nano=5,
        name="predict late-arrival",
        attributes=[key_value("ml.operation.name", "predict"), key_value("ml.model.name", "m")],
    )
    scoped = ScopeSpans(scope=InstrumentationScope(name="otel_ml.sklearn"), spans=[span])
    request = ExportTraceServiceRequest(resource_spans=[ResourceSpans(scope_spans=[scoped])])
    decoded = PlainDecoder(lambda _stream: ("x",)).decode(request.SerializeToString())
    assert len(decoded.spans) == 1
    examples = Examples([replaced(ROWS, 10)], 10)
    batch = rows_with([2.0])

    examples.note([batch], decoded.spans.ids)

    assert shown(examples, batch) == (trace_id.hex(),)

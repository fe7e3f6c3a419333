"""
What windows cost: rows into them, and closing one.

A model with numeric features of twenty bins each, windows of an hour and of a day, both with their panes. Rows per second are those of committing requests, as the
processor does (it knows their spans again, and counts the rows of several requests together), and of finding their bins before (which verdicts need as well); and
those of counting each request by itself, as it is done where there is a journal. Beside it a naive twin that keeps the rows of each window and bins them with numpy when it
closes: what it saves while rows come it pays at the end, in time and in memory.
"""

from __future__ import annotations

import argparse
import time
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec
import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from otel_ml_processor.assess.drift import assess_drift
from otel_ml_processor.columns import InferenceColumns, Kind, StreamKey, ValueColumn
from otel_ml_processor.columns import TextColumn as Labels
from otel_ml_processor.config import Config, DriftConfig
from otel_ml_processor.decode.inference_spans import InferenceSpans
from otel_ml_processor.profile import HourlyCounts, Source
from otel_ml_processor.receive.repeats import Answer, Repeats
from otel_ml_processor.service import new_self_metrics
from otel_ml_processor.sketches.slots import N_EXCLUSIVE, N_SLOTS
from otel_ml_processor.state.ledger import Delivered, Ledger
from otel_ml_processor.state.seen_spans import SeenSpans
from otel_ml_processor.windows.placed import place
from otel_ml_processor.windows.reference import Reference, build_profile
from otel_ml_processor.windows.streams import Streams

if TYPE_CHECKING:
    from collections.abc import Iterator

    from otel_ml_processor.columns import FloatArray

HOUR_NS: Final = 3_600_000_000_000
START_NS: Final = 1_700_006_400_000_000_000
STREAM: Final = StreamKey("bench", "", "m", "1")
CONFIG: Final = Config()
DRIFT: Final = DriftConfig()
REFERENCE_ROWS: Final = 24_000


class Twin:
    """Keeps what came, and bins it when the window closes."""

    def __init__(self, reference: Reference) -> None:
        self._reference = reference
        self._batches: list[FloatArray] = []

    def add(self, values: FloatArray) -> None:
        """Keep the rows of one request, shape (n_features, n_rows)."""
        self._batches.append(values)

    def close(self) -> list[np.ndarray]:
        """Return the counts per bin of every feature."""
        rows = np.concatenate(self._batches, axis=1)
        return [
            np.bincount(np.digitize(column, target.cells.edges, right=True))  # type: ignore[union-attr]  # all are numeric here
            for column, target in zip(rows, self._reference.features, strict=True)
        ]

    @property
    def n_bytes(self) -> int:
        """Bytes of the rows."""
        return sum(batch.nbytes for batch in self._batches)


def reference_of(n_features: int, *, is_seasonal: bool, rng: np.random.Generator) -> Reference:
    """Return a reference of normal features; a seasonal one knows each hour of the day."""
    columns = {f"x{i}": rng.normal(size=REFERENCE_ROWS) for i in range(n_features)}
    source = Source(kind="array", uri="", rows=REFERENCE_ROWS)
    profile = build_profile(columns, model="m", version="1", created="", source=source)
    if is_seasonal:
        hours = [[[c // 24 for c in f.counts] + [0] * N_EXCLUSIVE] * 24 for f in profile.features]
        slots = HourlyCounts(season="hour_of_day", counts=hours)
        profile = msgspec.structs.replace(profile, slots=slots)
    return Reference.of(profile)


def batch(values: FloatArray, at_ns: int) -> InferenceColumns:
    """Return the rows of one request, all ended at the same time."""
    n = values.shape[1]
    unsaid, kinds = np.full(n, -1, dtype=np.int64), np.full(n, Kind.NUMBER, dtype=np.uint8)
    nothing = np.full(n, np.nan)
    return InferenceColumns(
        stream=STREAM,
        spans=np.arange(n),
        end_times_ns=np.full(n, at_ns),
        labels=Labels(unsaid, ()),
        confidences=np.full(n, 0.9),
        entropies=nothing,
        margins=nothing,
        values=nothing,
        features={f"x{i}": ValueColumn(kinds, column, unsaid) for i, column in enumerate(values)},
        calls=np.stack([np.ones(n, dtype=np.int64), np.arange(n)], axis=1),
    )


class Into(NamedTuple):
    """CPU seconds that so many rows took: to find their bins, to commit their requests, and to count each request by itself."""

    rows: int
    placing: float
    committing: float
    one_by_one: float


def spans_of(rows: int, number: int) -> InferenceSpans:
    """Return the spans of request *number*, whose bytes nobody looks at any more."""
    ids = np.zeros((rows, 3), dtype=np.uint64)
    ids[:, 0], ids[:, 2] = number + 1, np.arange(1, rows + 1)
    nothing = np.zeros(rows, dtype=np.int64)
    places = np.zeros((rows, 4), dtype=np.int64)
    return InferenceSpans(
        content=b"",
        size=0,
        places=places,
        messages=places[:2],
        resources=(b"",),
        resource_of=nothing,
        streams=(STREAM,),
        stream_of=nothing,
        has_verdict=np.zeros(rows, dtype=bool),
        ids=ids,
    )


def ledger_of(reference: Reference) -> Ledger:
    """Return a ledger that has counted nothing."""
    return Ledger(
        streams=Streams(CONFIG.streams, CONFIG.windows, lambda _: reference),
        spans=SeenSpans(CONFIG.receive.repeats),
        repeats=Repeats(CONFIG.receive.repeats),
        self_metrics=new_self_metrics(),
        clock_ns=lambda: START_NS + HOUR_NS,
    )


def rows_into_windows(
    reference: Reference, rows: int, requests: int, rng: np.random.Generator
) -> Into:
    """Return what *requests* requests of *rows* rows took, a millisecond apart."""
    ledger = ledger_of(reference)
    streams = Streams(CONFIG.streams, CONFIG.windows, lambda _: reference)
    drawn = [rng.normal(size=(len(reference.features), rows)) for _ in range(16)]
    times = START_NS + np.arange(requests) * 1_000_000
    batches = [batch(drawn[k % 16], at) for k, at in enumerate(times.tolist())]
    spans = [spans_of(rows, number) for number in range(requests)]
    begin = time.process_time()
    placed = [place(columns, reference) for columns in batches]
    middle = time.process_time()
    for number, (own, one) in enumerate(zip(spans, placed, strict=True)):
        answers = [(number.to_bytes(16, "little"), Answer(b"", rows))]
        ledger.commit(Delivered(answers, own, [one]))
    ledger.count()
    end = time.process_time()
    for one in placed:
        streams.add([one], int(one.rows.end_times_ns[0]))
    alone = time.process_time() - end
    if ledger.counted != rows * requests:
        raise AssertionError(f"counted {ledger.counted} of {rows * requests}")
    return Into(rows * requests, middle - begin, end - middle, alone)


class Closing(NamedTuple):
    """CPU seconds that closing an hour took, until its counts stand beside the reference's; and with all tests; and for the twin to count."""

    counts: float
    tested: float
    twin: float
    twin_bytes: int


def closing(
    reference: Reference, requests: int, rows: int, rng: np.random.Generator
) -> Iterator[Closing]:
    """Yield what each closing of an hour took, without end."""
    streams = Streams(CONFIG.streams, CONFIG.windows[:1], lambda _: reference)
    hour = 0
    while True:
        twin = Twin(reference)
        start = START_NS + hour * HOUR_NS
        for k in range(requests):
            values = rng.normal(size=(len(reference.features), rows))
            one = batch(values, start + k * HOUR_NS // requests)
            streams.add([place(one, reference)], start + k * HOUR_NS // requests)
            twin.add(values)
            streams.slide(start + k * HOUR_NS // requests)  # panes that have passed are at rest
        hour += 1
        yield _closed(streams, START_NS + hour * HOUR_NS + HOUR_NS // 20, twin)


def _closed(streams: Streams, now_ns: int, twin: Twin) -> Closing:
    begin = time.process_time()
    (window,) = streams.close(now_ns)
    comparisons = window.closed.summary.comparisons()
    counted = time.process_time()
    assess_drift(
        comparisons, alpha=0.01, effect_floor=DRIFT.effect_floor, scores=DRIFT.scores, min_rows=200
    )
    tested = time.process_time()
    counts = twin.close()
    end = time.process_time()
    for comparison, expected in zip(comparisons, counts, strict=True):
        found = comparison.current[:-N_SLOTS]
        if found.tolist() != expected.tolist():
            raise AssertionError(f"{comparison.name}: counted {found}, the twin {expected}")
    return Closing(counted - begin, tested - begin, end - tested, twin.n_bytes)


def print_into(console: Console, found: dict[int, list[Into]], n_features: int) -> None:
    """Print rows per second by size of the request."""
    table = Table(title=f"rows into windows of an hour and a day, {n_features} features")
    for column in ("rows per request", "committed", "with finding their bins", "one by one"):
        table.add_column(column, justify="right")
    for rows, runs in found.items():
        speeds = (
            np.median([run.rows / run.committing for run in runs]),
            np.median([run.rows / (run.committing + run.placing) for run in runs]),
            np.median([run.rows / run.one_by_one for run in runs]),
        )
        table.add_row(str(rows), *(f"{speed / 1e6:.2f} M/s" for speed in speeds))
    console.print(table)


def print_closing(console: Console, found: dict[str, list[Closing]], n_features: int) -> None:
    """Print what closing takes, in milliseconds and as a ratio to the twin."""
    table = Table(title=f"closing an hour of {n_features} features, 24 cells and slots each")
    for column in ("reference", "counts", "of the twin", "with all tests", "the twin keeps"):
        table.add_column(column, justify="right")
    for name, runs in found.items():
        counts, tested, twin, n_bytes = np.median(np.array(runs), axis=0)
        table.add_row(
            name,
            f"{counts * 1e3:.2f} ms",
            f"{counts / twin:.3f}",
            f"{tested * 1e3:.1f} ms",
            f"{n_bytes / (1 << 20):.0f} MiB",
        )
    console.print(table)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name, default, meaning in (
        ("--features", 20, "of the model that rows come from"),
        ("--closing-features", 100, "of the model whose windows are closed"),
        ("--requests", 1000, "per size and run"),
        ("--runs", 5, "of which the median is told"),
        ("--seed", 1, "of the random numbers"),
    ):
        parser.add_argument(name, type=int, default=default, help=f"{meaning} (%(default)s)")
    arguments = parser.parse_args()
    rng = np.random.default_rng(arguments.seed)
    into: dict[int, list[Into]] = {64: [], 512: []}
    closed: dict[str, list[Closing]] = {"whole": [], "hour of day": []}
    few = reference_of(arguments.features, is_seasonal=False, rng=rng)
    rows_into_windows(few, 2, 2, rng)  # compiled, or read from where it was kept
    hours = {
        name: closing(
            reference_of(arguments.closing_features, is_seasonal=name != "whole", rng=rng),
            24,
            512,
            rng,
        )
        for name in closed
    }
    console = Console()
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        for _ in progress.track(range(arguments.runs), description="runs"):
            for rows, runs in into.items():
                runs.append(rows_into_windows(few, rows, arguments.requests, rng))
            for name, measured in closed.items():
                measured.append(next(hours[name]))
    print_into(console, into, arguments.features)
    print_closing(console, closed, arguments.closing_features)


if __name__ == "__main__":
    main()

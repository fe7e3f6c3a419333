"""
What it costs that predictions wait for labels, most of which never come.

Requests as `hop.py` sends them, decoded, placed and gathered as in the processor; timed is what comes then: leaving their rows in the inbox, and keeping them
at the next tick. Beside it a naive twin, a dictionary from trace id and span id to what is kept of a prediction, filled row by row. Then what it
takes to look up the first labels that come, for nothing is put in order before, and the next ones.
"""

from __future__ import annotations

import argparse
import time
from functools import partial
from statistics import median
from typing import TYPE_CHECKING, Final, NamedTuple

from hop import Load
from rich.console import Console
from rich.table import Table

from otel_ml_processor.config import Config
from otel_ml_processor.decode.fast import FastDecoder
from otel_ml_processor.feedback.joining import Joining
from otel_ml_processor.feedback.keys import span_keys
from otel_ml_processor.state.gathered import Counted, gathered
from otel_ml_processor.windows.placed import place
from otel_ml_processor.windows.streams import Streams

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from otel_ml_processor.assess.performance import PerformanceReading
    from otel_ml_processor.feedback.totals import FeedbackTotals
    from otel_ml_processor.windows.streams import Increment

ROWS_AT_ONCE: Final = 4096
"""As many rows are counted together by the processor."""
LOTS_PER_TICK: Final = 10
HELD: Final = 900_000
SOUGHT: Final = 1000
CASES: Final = ((512, 1), (64, 1), (512, 10), (512, 50))
"""Spans per request, and models."""


class Nobody:
    """Is told what feedback says, and passes over it."""

    def feedback(self, totals: FeedbackTotals) -> None:
        """Pass over *totals*."""

    def performance(self, reading: PerformanceReading) -> None:
        """Pass over *reading*."""


class Lot(NamedTuple):
    """Rows that were counted together, and what that changed."""

    counted: Counted
    increments: Sequence[Increment]


class Cost(NamedTuple):
    """CPU seconds per row, ours and the twin's."""

    ours: float
    twin: float


def lots(size: int, models: int) -> Iterator[Lot]:
    """Yield lots of requests of *size* spans of so many models, all different, without end."""
    config = Config()
    streams = Streams(config.streams, config.windows, lambda _: None)
    load, decoder = Load(size, 0, models), FastDecoder(lambda _: None)
    while True:
        requests = load.requests(ROWS_AT_ONCE // size)
        decoded = [decoder.decode(request) for request in requests]
        parts = [
            Counted(one.spans.bare(), [place(rows, None) for rows in one.columns])
            for one in decoded
        ]
        counted = gathered(parts)
        yield Lot(counted, streams.add(counted.placed, time.time_ns()))


class Twin:
    """A dictionary of what is kept of each prediction."""

    def __init__(self) -> None:
        self._kept: dict[tuple[int, ...], tuple[object, ...]] = {}

    def __len__(self) -> int:
        return len(self._kept)

    def keys(self) -> list[tuple[int, ...]]:
        """Return what leads to the predictions."""
        return list(self._kept)

    def find(self, key: tuple[int, ...]) -> tuple[object, ...] | None:
        """Return what is kept of a prediction."""
        return self._kept.get(key)

    def add(self, lot: Lot) -> None:
        """Keep every row of *lot*."""
        steps = {increment.stream: increment.steps for increment in lot.increments}
        for placed in lot.counted.placed:
            rows = placed.rows
            labels = [*rows.labels.dictionary, None]
            columns = (rows.end_times_ns, rows.confidences, rows.values, rows.labels.codes)
            of_stream = steps[rows.stream]
            ids = lot.counted.spans.ids[rows.spans].tolist()
            for key, *said, label in zip(ids, *(c.tolist() for c in columns), strict=True):
                self._kept.setdefault(tuple(key), (rows.stream, of_stream, *said, labels[label]))


def waiting(size: int, models: int, runs: int) -> Iterator[Cost]:
    """Yield what a row costs, run by run; the first one warms up and is not told."""
    source = lots(size, models)
    joining, twin = Joining(Config(), lambda _: None, Nobody(), lambda _: None), Twin()
    for run in range(runs + 1):
        drawn = [next(source) for _ in range(LOTS_PER_TICK)]
        n_rows = sum(len(p) for lot in drawn for p in lot.counted.placed)
        begin = time.process_time()
        for lot in drawn:
            joining.inbox.remember(*lot.counted, lot.increments)
        joining.settle(time.time_ns())
        middle = time.process_time()
        for lot in drawn:
            twin.add(lot)
        end = time.process_time()
        if run:
            yield Cost((middle - begin) / n_rows, (end - middle) / n_rows)


class Held(NamedTuple):
    """How many predictions wait, and what looking up `SOUGHT` of them takes, in CPU seconds."""

    n_rows: int
    first_s: float
    next_s: float


def held_by_us() -> Held:
    """Return what it takes among some `HELD` predictions."""
    source = lots(512, 1)
    joining = Joining(Config(), lambda _: None, Nobody(), lambda _: None)
    keys: list[int] = []
    for _ in range(HELD // ROWS_AT_ONCE):
        lot = next(source)
        keys += span_keys(lot.counted.spans.ids)[:8].tolist()
        joining.inbox.remember(*lot.counted, lot.increments)
        joining.settle(time.time_ns())
    sought = set(keys[-SOUGHT:])
    took = [cpu_s(partial(joining.streams_of, sought)) for _ in range(2)]
    return Held(HELD // ROWS_AT_ONCE * ROWS_AT_ONCE, *took)


def held_by_twin() -> Held:
    """Return the same of the twin, of a tenth of the predictions."""
    source, twin = lots(512, 1), Twin()
    for _ in range(HELD // ROWS_AT_ONCE // 10):
        twin.add(next(source))
    sought = twin.keys()[-SOUGHT:]
    took = [cpu_s(lambda: [twin.find(key) for key in sought]) for _ in range(2)]
    return Held(len(twin), *took)


def cpu_s(work: Callable[[], object]) -> float:
    """Return the CPU seconds of *work*."""
    begin = time.process_time()
    work()
    return time.process_time() - begin


def print_held(console: Console) -> None:
    """Print what labels take of time."""
    table = Table(title=f"{SOUGHT} labels looked up, and {SOUGHT} more")
    for column in ("", "predictions", "the first labels", "the next labels"):
        table.add_column(column, justify="right")
    for name, held in (("twin", held_by_twin()), ("ours", held_by_us())):
        table.add_row(
            name,
            f"{held.n_rows:,}",
            f"{held.first_s * 1e3:.1f} ms",
            f"{held.next_s * 1e3:.2f} ms",
        )
    console.print(table)


def print_waiting(console: Console, runs: int) -> None:
    """Print what a waiting prediction costs."""
    table = Table(title="predictions that wait, CPU of a row")
    for column in ("spans per request", "models", "ours", "twin", "ratio", "ours"):
        table.add_column(column, justify="right")
    for size, models in CASES:
        found = list(waiting(size, models, runs))
        ours, twin = (median(cost) for cost in zip(*found, strict=True))
        ratio = median(cost.ours / cost.twin for cost in found)
        table.add_row(
            str(size),
            str(models),
            f"{ours * 1e6:.2f} us",
            f"{twin * 1e6:.2f} us",
            f"{ratio:.3f}",
            f"{1e-6 / ours:.1f} M/s",
        )
    console.print(table)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=15, help="of which the median is told")
    arguments = parser.parse_args()
    console = Console()
    print_waiting(console, arguments.runs)
    print_held(console)


if __name__ == "__main__":
    main()

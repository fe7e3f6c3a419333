"""
What looking at all features together costs: rows placed with and without components and pairs, and beside a naive twin.

Requests of 64 and of 512 rows with 30 features, whose values are drawn anew. The naive twin asks scikit-learn's PCA and numpy's `corrcoef`,
request by request. Costs are CPU seconds of one thread, the best of several turns.
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
from sklearn.decomposition import PCA

from otel_ml_processor.columns import InferenceColumns, Kind, StreamKey, TextColumn, ValueColumn
from otel_ml_processor.commands.profile import build_profile_from_table
from otel_ml_processor.windows.placed import place
from otel_ml_processor.windows.reference import Reference
from otel_ml_processor.windows.summary import Summary

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

WIDTH: Final = 30
ROWS: Final = 16_384


def main() -> int:
    """Measure, print the table, and return 0."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--rounds", type=int, default=7, help="turns of each (default: %(default)s)"
    )
    rounds = parser.parse_args().rounds
    rng = np.random.default_rng()
    mixed = rng.normal(size=(WIDTH, WIDTH))
    values = rng.normal(size=(20_000, WIDTH)) @ mixed
    table = pa.table({f"f{i}": values[:, i] for i in range(WIDTH)})
    whole = Reference.of(build_profile_from_table(table, model="m", created=""))
    single = replace(whole, multivariate=None, pairs=None)
    pca = PCA(n_components=0.65).fit((values - values.mean(axis=0)) / values.std(axis=0))
    live = rng.normal(size=(ROWS, WIDTH)) @ mixed
    print(f"{'rows/request':>12} {'each by itself':>15} {'together':>10} {'naive':>10} {'adds':>6}")
    for size in (512, 64):
        parts = [live[i : i + size] for i in range(0, ROWS, size)]
        requests = [_columns(part) for part in parts]
        alone, both, naive = (
            _cost(run, rounds)
            for run in (
                lambda r=requests: [_counted(rows, single) for rows in r],
                lambda r=requests: [_counted(rows, whole) for rows in r],
                lambda p=parts: [_naive(part, pca) for part in p],
            )
        )
        print(
            f"{size:>12} {alone * 1e6:>12.2f} us {both * 1e6:>7.2f} us {naive * 1e6:>7.2f} us {(both - alone) / alone:>6.2f}"
        )
    return 0


def _columns(values: NDArray[np.float64]) -> InferenceColumns:
    n = len(values)
    nothing = np.full(n, np.nan)
    kinds = np.full(n, Kind.NUMBER, dtype=np.uint8)
    texts = np.full(n, -1)
    return InferenceColumns(
        stream=StreamKey("s", "", "m", ""),
        spans=np.arange(n),
        end_times_ns=np.zeros(n, dtype=np.int64),
        labels=TextColumn(texts, ()),
        confidences=nothing,
        entropies=nothing,
        margins=nothing,
        values=nothing,
        features={
            f"f{i}": ValueColumn(kinds, np.ascontiguousarray(values[:, i]), texts)
            for i in range(WIDTH)
        },
    )


def _counted(rows: InferenceColumns, reference: Reference) -> Summary:
    summary = Summary(reference)
    summary.add(place(rows, reference))
    return summary


def _naive(values: NDArray[np.float64], pca: PCA) -> float:
    rebuilt = pca.inverse_transform(pca.transform(values))
    np.corrcoef(values, rowvar=False)
    return float(np.linalg.norm(values - rebuilt, axis=1).mean())


def _cost(run: Callable[[], object], rounds: int) -> float:
    """Return the CPU seconds per row, the best of *rounds*."""
    found = []
    for _ in range(rounds):
        begin = time.thread_time()
        run()
        found.append((time.thread_time() - begin) / ROWS)
    return min(found)


if __name__ == "__main__":
    sys.exit(main())

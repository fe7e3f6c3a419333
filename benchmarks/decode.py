"""
What reading a request costs: the compiled decoder beside the plain one, on the same requests, every one of them distinct.

Spans have 19 attributes; with features they also have a JSON object of 30 numbers, which is read into 30 columns. Costs are CPU seconds of one thread,
the best of several turns.
"""

from __future__ import annotations

import argparse
import sys
import time
from typing import TYPE_CHECKING, Final

import numpy as np
from hop import Load
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from otel_ml_processor.compiled import IS_COMPILED
from otel_ml_processor.decode.fast import FastDecoder, warm
from otel_ml_processor.decode.spans import PlainDecoder

if TYPE_CHECKING:
    from otel_ml_processor.decode.decoder import Decoder

FEATURES: Final = tuple(f"feature_{number}" for number in range(30))


def main() -> int:
    """Measure, print the table, and return 0; 2 where there is no compiler."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--rounds",
        type=int,
        default=5,
        help="turns of each, the best counts (default: %(default)s)",
    )
    rounds = parser.parse_args().rounds
    if not IS_COMPILED:
        print("numba is not installed: pip install 'otel-ml[fast]'", file=sys.stderr)
        return 2
    begin = time.perf_counter()
    warm()
    print(f"compiled, or read from disk, in {time.perf_counter() - begin:.1f} s")
    print(f"{'spans/request':>13} {'features':>8} {'plain':>10} {'compiled':>10} {'ratio':>6}")
    for size in (512, 64):
        for names in ((), FEATURES):
            requests = Load(size).requests(8192 // size)
            if names:
                requests = [with_features(request) for request in requests]
            plain, fast = (
                cost(decoder, requests, size, rounds)
                for decoder in (
                    PlainDecoder(lambda _, n=names: n),
                    FastDecoder(lambda _, n=names: n),
                )
            )
            print(
                f"{size:>13} {len(names):>8} {plain * 1e6:>7.2f} us {fast * 1e6:>7.2f} us {fast / plain:>6.3f}"
            )
    return 0


def with_features(request: bytes) -> bytes:
    """Return *request* with a JSON object of 30 numbers on every span."""
    random = np.random.default_rng()
    parsed = ExportTraceServiceRequest.FromString(request)
    for span in parsed.resource_spans[0].scope_spans[0].spans:
        values = zip(FEATURES, random.normal(size=len(FEATURES)).tolist(), strict=True)
        text = ",".join(f'"{name}":{value!r}' for name, value in values)
        span.attributes.add(key="ml.input.features").value.string_value = f"{{{text}}}"
    return parsed.SerializeToString()


def cost(decoder: Decoder, requests: list[bytes], size: int, rounds: int) -> float:
    """Return the CPU seconds per span, the best of *rounds*."""
    found = []
    for _ in range(rounds):
        begin = time.thread_time()
        for request in requests:
            decoder.decode(request)
        found.append((time.thread_time() - begin) / (len(requests) * size))
    return min(found)


if __name__ == "__main__":
    sys.exit(main())

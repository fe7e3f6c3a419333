"""
Millions of damaged requests for both decoders, which have to say the same of each: `make fuzz`.

Requests of inferences are made of attributes of right and wrong types, then bytes of them are overwritten, removed, repeated or put in. The first
difference is written to a file and ends the run with status 1.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from pathlib import Path

from otel_ml_processor.decode.fast import FastDecoder
from otel_ml_processor.decode.spans import PlainDecoder
from tests.data.decodings import outcome
from tests.data.export_requests import export_request, inference_span

NAMES = ("age", "city", "a")
VALUES = (
    None, True, 0, 1, -1, 2**63 - 1, 0.5, 1.5, float("nan"), float("inf"), "", "late", "größe", "x" * 300, b"\xff", [0.5, 1], ["a"], [[1]], {"a": 1},
    '{"age":3,"city":"Rome","a":null}', '{"age":3.14159265358979,"a":-1e-7}', '{"city":"Z\\u00fc"}', '[{"a":1},{"a":2}]', '{"a":{}}', '{"a":1e400}', "{",
)  # fmt: skip
KEYS = (
    "ml.operation.name", "ml.model.name", "ml.model.version", "ml.prediction.label", "ml.prediction.confidence", "ml.prediction.entropy",
    "ml.prediction.value", "ml.input.features", "ml.input.values", "ml.input.rows", "ml.content.truncated", "ml.prediction.labels",
    "ml.prediction.confidences", "ml.verdict.flags", "other",
)  # fmt: skip
TOKENS = (
    b"\x00",
    b"\x01",
    b"\x7f",
    b"\x80",
    b"\xff" * 10,
    b"\x0a",
    b"\x12",
    b"\x4a",
    b"\x41",
    b"{",
    b'"',
    b"\\",
)
SEEDS = 500


def request(chance: random.Random) -> bytes:
    """Return a valid request of up to four inferences."""
    spans = [
        inference_span(
            {key: chance.choice(VALUES) for key in chance.sample(KEYS, chance.randrange(6))},
            end_ns=chance.choice([0, 1, 2**63, 2**64 - 1]),
        )
        for _ in range(chance.randrange(1, 5))
    ]
    return export_request(spans, {"service.name": chance.choice(["shop", 3])})


def damaged(valid: bytes, chance: random.Random) -> bytes:
    """Return *valid* with up to four pieces changed; sometimes as it is."""
    content = bytearray(valid)
    for _ in range(chance.randrange(5)):
        start = chance.randrange(len(content) + 1)
        end = min(len(content), start + chance.choice([0, 1, 1, 2, 8, 64]))
        choices = (
            b"",
            chance.choice(TOKENS),
            chance.randbytes(chance.randrange(1, 5)),
            bytes(content[start:end]) * 2,
        )
        content[start:end] = chance.choice(choices)
    return bytes(content)


def main() -> int:
    """Compare; return 0 if nothing was found, 1 at the first difference."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--inputs", type=int, default=1_000_000, help="how many (default: %(default)s)"
    )
    parser.add_argument(
        "--seed", type=int, default=None, help="to repeat a run (default: a new one)"
    )
    arguments = parser.parse_args()
    seed = random.randrange(2**32) if arguments.seed is None else arguments.seed
    chance = random.Random(seed)
    plain, fast = PlainDecoder(lambda _: NAMES), FastDecoder(lambda _: NAMES)
    valid = [request(chance) for _ in range(SEEDS)]
    told = time.monotonic()
    for number in range(arguments.inputs):
        content = damaged(chance.choice(valid), chance)
        if outcome(plain, content) != outcome(fast, content):
            path = Path(f"difference-{seed}-{number}.bin")
            path.write_bytes(content)
            print(
                f"seed {seed}, input {number}: the decoders differ; written to {path}",
                file=sys.stderr,
            )
            return 1
        if time.monotonic() - told > 10:
            told = time.monotonic()
            print(f"{number + 1} of {arguments.inputs}", file=sys.stderr, flush=True)
    print(f"{arguments.inputs} inputs, seed {seed}: the decoders agree")
    return 0


if __name__ == "__main__":
    sys.exit(main())

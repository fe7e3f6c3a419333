"""Bytes that are nearly right: valid requests, and what becomes of them on a bad day."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tests.data.export_requests import export_request, inference_span

if TYPE_CHECKING:
    import random

__all__ = ["NAMES", "damaged", "request"]

NAMES: Final = ("age", "city", "a")
"""Features that a decoder is asked for."""
_VALUES: Final = (
    None, True, 0, 1, -1, 2**63 - 1, 0.5, 1.5, float("nan"), float("inf"), "", "late", "größe", "x" * 300, b"\xff", [0.5, 1], ["a"], [[1]], {"a": 1},
    '{"age":3,"city":"Rome","a":null}', '{"age":3.14159265358979,"a":-1e-7}', '{"city":"Z\\u00fc"}', '[{"a":1},{"a":2}]', '{"a":{}}', '{"a":1e400}', "{",
)  # fmt: skip
_KEYS: Final = (
    "ml.operation.name", "ml.model.name", "ml.model.version", "ml.prediction.label", "ml.prediction.confidence", "ml.prediction.entropy",
    "ml.prediction.value", "ml.input.features", "ml.input.values", "ml.input.rows", "ml.content.truncated", "ml.prediction.labels",
    "ml.prediction.confidences", "ml.verdict.flags", "ml.prediction.id", "ml.feedback.label", "ml.feedback.correct",
    "ml.explanation.attributions", "other",
)  # fmt: skip
_TOKENS: Final = (
    b"\x00", b"\x01", b"\x7f", b"\x80", b"\xff" * 10, b"\x0a", b"\x12", b"\x4a", b"\x41", b"{", b'"', b"\\", b":", b"\n", b"-", b"null", b"1e999",
)  # fmt: skip


def request(chance: random.Random) -> bytes:
    """Return a valid request of up to four inferences."""
    spans = [
        inference_span(
            {key: chance.choice(_VALUES) for key in chance.sample(_KEYS, chance.randrange(6))},
            span_id=number + 1,
            end_ns=chance.choice([0, 1, 2**63, 2**64 - 1]),
        )
        for number in range(chance.randrange(1, 5))
    ]
    return export_request(spans, {"service.name": chance.choice(["shop", 3]), "tenant.id": "acme"})


def damaged(valid: bytes, chance: random.Random) -> bytes:
    """Return *valid* with up to four pieces changed; sometimes as it is."""
    content = bytearray(valid)
    for _ in range(chance.randrange(5)):
        start = chance.randrange(len(content) + 1)
        end = min(len(content), start + chance.choice([0, 1, 1, 2, 8, 64]))
        choices = (
            b"",
            chance.choice(_TOKENS),
            chance.randbytes(chance.randrange(1, 5)),
            bytes(content[start:end]) * 2,
        )
        content[start:end] = chance.choice(choices)
    return bytes(content)

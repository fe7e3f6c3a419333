"""Which call of which process a span is, so that what was left out on the way can be told."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from otel_ml_conventions.attributes import ML_CALL_SEQUENCE, ML_CALL_STREAM

if TYPE_CHECKING:
    from collections.abc import Mapping

    from opentelemetry.proto.common.v1.common_pb2 import AnyValue

__all__ = ["CALL_KEYS", "NO_CALL", "call_of"]

CALL_KEYS: Final = frozenset({ML_CALL_STREAM, ML_CALL_SEQUENCE})
NO_CALL: Final = (0, -1)
"""Of a span that does not say it, or not as the conventions have it."""
_PROCESS: Final = re.compile(r"[0-9a-fA-F]{16}")


def call_of(attributes: Mapping[str, AnyValue]) -> tuple[int, int]:
    """Return the process, 64 bits as a signed number, and the number of its call; `NO_CALL` unless both are said. What is odd is passed over."""
    process, number = attributes.get(ML_CALL_STREAM), attributes.get(ML_CALL_SEQUENCE)
    if process is None or number is None:
        return NO_CALL
    is_said = number.WhichOneof("value") == "int_value" and number.int_value >= 0
    if not is_said or not _PROCESS.fullmatch(process.string_value):
        return NO_CALL
    bits = int(process.string_value, 16)
    return bits - (1 << 64) * (bits >> 63), number.int_value

"""By what an input is known again, and by what its schema is: the hashes that a span says, as 64 bits each."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from otel_ml_conventions.attributes import ML_INPUT_HASH, ML_INPUT_SCHEMA_HASH

if TYPE_CHECKING:
    from collections.abc import Mapping

    from opentelemetry.proto.common.v1.common_pb2 import AnyValue

__all__ = ["HASH_KEYS", "NO_HASHES", "hashes_of"]

HASH_KEYS: Final = frozenset({ML_INPUT_HASH, ML_INPUT_SCHEMA_HASH})
NO_HASHES: Final = (0, 0)
"""Of a span that says neither, or not as the conventions have them."""
_INPUT: Final = re.compile(r".+:([0-9a-fA-F]{16})", re.DOTALL)
_SCHEMA: Final = re.compile(r"([0-9a-fA-F]{16})")


def hashes_of(attributes: Mapping[str, AnyValue]) -> tuple[int, int]:
    """Return the hashes of the input, whatever its algorithm, and of its schema, 64 bits as signed numbers; 0 where not said. What is odd is passed over."""
    return (
        _bits(attributes.get(ML_INPUT_HASH), _INPUT),
        _bits(attributes.get(ML_INPUT_SCHEMA_HASH), _SCHEMA),
    )


def _bits(value: AnyValue | None, form: re.Pattern[str]) -> int:
    found = None if value is None else form.fullmatch(value.string_value)
    if found is None:
        return 0
    bits = int(found[1], 16)
    return bits - (1 << 64) * (bits >> 63)

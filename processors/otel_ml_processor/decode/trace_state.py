"""The threshold of a consistent sampler, as the trace state of a span says it: how many spans each that came stands for."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["NO_THRESHOLD", "threshold_of"]

NO_THRESHOLD: Final = -1
"""Of a span whose trace state does not say one, or not as OpenTelemetry has it."""
_DIGITS: Final = 14
_THRESHOLD: Final = re.compile(r"[0-9a-f]{1,14}")


def threshold_of(trace_state: str) -> int:
    """
    Return the rejection threshold in *trace_state*, 0 to 2**56 - 1; `NO_THRESHOLD` where none is said.

    It stands in the member `ot` among those of other vendors, as `th:` and up to 14 hexadecimal digits, without zeros at the end. Of several
    members or thresholds, against the rules, the first is read; what is odd is passed over.

    References:
        OpenTelemetry. TraceState: probability sampling. opentelemetry.io/docs/specs/otel/trace/tracestate-probability-sampling
    """
    for member in trace_state.split(","):
        key, _, fields = member.strip(" \t").partition("=")
        if key == "ot":
            return _threshold(fields)
    return NO_THRESHOLD


def _threshold(fields: str) -> int:
    for field in fields.split(";"):
        key, _, digits = field.partition(":")
        if key == "th":
            is_said = _THRESHOLD.fullmatch(digits)
            return int(digits.ljust(_DIGITS, "0"), 16) if is_said else NO_THRESHOLD
    return NO_THRESHOLD

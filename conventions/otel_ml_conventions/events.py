"""
Names of the events of the conventions.

Generated from conventions/model by `python -m conventions.generate write`; what is edited here
is overwritten.
"""

from __future__ import annotations

from typing import Final


EVENT_ML_DRIFT_DETECTED: Final = "ml.drift.detected"
"""
A stream changed its state of drift.

One log record per model, window and change of state, with the features that drift most. Score,
p-value and threshold are those of the first of them.

Severity: WARN.
"""

"""How the hot loops are compiled: see `otel_ml_processor.compiled`."""

from __future__ import annotations

from otel_ml_processor.compiled import IS_COMPILED, compiled, folded

__all__ = ["IS_COMPILED", "compiled", "folded"]

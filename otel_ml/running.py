"""
What runs in this context: the one guard of all frameworks and of what users record by hand.

The outermost call of a model is the inference; calls inside of it are parts of it.
"""

from contextvars import ContextVar
from typing import Final

__all__ = ["NOTHING", "NO_INFERENCE", "running"]

NOTHING: Final = 0
# Something inside of which no call of a model is an inference: training, a part of a parallel call.
NO_INFERENCE: Final = -1

# `NOTHING`, `NO_INFERENCE`, or the identity (`id`) of the model that is being asked.
running: Final[ContextVar[int]] = ContextVar("otel_ml_running", default=NOTHING)

"""What the process of a model uses while it runs."""

from typing import Final
from weakref import WeakSet

from opentelemetry.metrics import Meter

from otel_ml.runtime.gpu import observe_gpus
from otel_ml.runtime.process import observe_process

__all__ = ["observe_runtime"]

_observed: Final[WeakSet[Meter]] = WeakSet()


def observe_runtime(meter: Meter) -> None:
    """Measure, whenever *meter* is collected, what process and GPUs use; a second time is none."""
    if meter not in _observed:
        _observed.add(meter)
        observe_process(meter)
        observe_gpus(meter)

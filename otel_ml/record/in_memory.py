"""How many models are in memory: looked at when metrics are collected."""

import weakref
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, Final

from opentelemetry import metrics

from otel_ml.record.reporters import Reporters
from otel_ml_conventions.metrics import DEFINITIONS, METRIC_ML_MODEL_LOADED

__all__ = ["ModelsInMemory"]

_Attributes = tuple[tuple[str, Any], ...]


class ModelsInMemory:
    """
    The models that were loaded and not let go of, by the attributes that they are counted with.

    The garbage collector may take a model at any moment, also in the middle of the metrics SDK and
    under a lock of its, which this thread would then wait for without end. So nothing is recorded
    when a model goes: it is taken from a dict, in C.

    Args:
        meter: Makes the instrument.
        provider: Whose it is, None for the global one.
    """

    def __init__(self, meter: metrics.Meter, provider: metrics.MeterProvider | None) -> None:
        self._known: dict[_Attributes, Mapping[str, Any]] = {}
        self._models: dict[object, _Attributes] = {}
        reporters = _reporters.of(provider)
        if reporters.join(self):
            _observe(meter, reporters)

    def count(self, held: object, attributes: Mapping[str, Any]) -> None:
        """
        Count one more model for as long as *held* lives.

        Raises:
            TypeError: If *held* cannot be weakly referenced, so that its end would not be seen.
        """
        key, model = tuple(attributes.items()), object()
        weakref.finalize(held, self._models.pop, model, None).atexit = False
        self._known.setdefault(key, attributes)
        self._models[model] = key

    def known(self) -> dict[_Attributes, Mapping[str, Any]]:
        """Return the attributes of everything that was ever loaded."""
        return self._known.copy()

    def loaded(self) -> Iterable[_Attributes]:
        """Yield of each model that is there what it is counted with."""
        return self._models.copy().values()


_reporters: Final[Reporters[ModelsInMemory]] = Reporters()


def _observe(meter: metrics.Meter, reporters: Reporters[ModelsInMemory]) -> None:
    def numbers(_options: metrics.CallbackOptions) -> Iterable[metrics.Observation]:
        found = Counter(key for each in reporters for key in each.loaded())
        known = {key: told for each in reporters for key, told in each.known().items()}
        return [metrics.Observation(found[key], told) for key, told in known.items()]

    loaded = DEFINITIONS[METRIC_ML_MODEL_LOADED]
    meter.create_observable_up_down_counter(loaded.name, [numbers], loaded.unit, loaded.description)

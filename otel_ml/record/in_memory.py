"""How many models are in memory: looked at when metrics are collected."""

import weakref
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from opentelemetry import metrics

from otel_ml_conventions.metrics import DEFINITIONS, METRIC_ML_MODEL_LOADED

__all__ = ["ModelsInMemory"]

_Attributes = tuple[tuple[str, Any], ...]


class ModelsInMemory:
    """
    The models that were loaded and not let go of, by the attributes that they are counted with.

    The garbage collector may take a model at any moment, also in the middle of the metrics SDK and
    under a lock of its, which this thread would then wait for without end. So nothing is recorded
    when a model goes: it is taken from a dict, in C.
    """

    def __init__(self, meter: metrics.Meter) -> None:
        self._known: dict[_Attributes, Mapping[str, Any]] = {}
        self._models: dict[object, _Attributes] = {}
        # A meter provider keeps its callbacks for ever; it must not keep us.
        _observe(meter, weakref.ref(self))

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

    def numbers(self) -> list[metrics.Observation]:
        """Return how many models there are of everything that was ever loaded."""
        found = Counter(self._models.copy().values())
        return [metrics.Observation(found[key], known) for key, known in self._known.copy().items()]


def _observe(meter: metrics.Meter, reference: "weakref.ref[ModelsInMemory]") -> None:
    def numbers(_options: metrics.CallbackOptions) -> Iterable[metrics.Observation]:
        models = reference()
        return () if models is None else models.numbers()

    loaded = DEFINITIONS[METRIC_ML_MODEL_LOADED]
    meter.create_observable_up_down_counter(loaded.name, [numbers], loaded.unit, loaded.description)

"""OpenTelemetry for machine learning: predictions as spans, their confidence and inputs watched."""

from importlib import import_module

TYPE_CHECKING = False  # `typing` itself would be the dearest import of this file
if TYPE_CHECKING:
    from otel_ml.describe.models import register_model
    from otel_ml.instrumentors import instrument, uninstrument

__all__ = ["instrument", "register_model", "uninstrument"]

# Looked up when first used: a service that only mentions otel_ml pays nothing for it.
_HOMES = {
    "instrument": "otel_ml.instrumentors",
    "register_model": "otel_ml.describe.models",
    "uninstrument": "otel_ml.instrumentors",
}


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'otel_ml' has no attribute {name!r}")
    return getattr(import_module(home), name)


def __dir__() -> list[str]:
    return sorted((*globals(), *__all__))

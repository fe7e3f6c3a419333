"""The recorder that all parts of one process share, so that the calls of a model are numbered once."""

import threading
from typing import Any, Final, NamedTuple

from otel_ml.log_correlation import correlate_logs
from otel_ml.recorder import InferenceRecorder
from otel_ml.runtime import observe_runtime
from otel_ml.settings import Settings

__all__ = ["in_force", "lease", "release"]


class _Terms(NamedTuple):
    """What decides whether two instrumentors can share a recorder; providers by identity."""

    settings: Settings
    tracer_provider: int
    meter_provider: int
    logger_provider: int


class _Lease:
    """A recorder with its providers, and how many hold it."""

    __slots__ = ("holders", "providers", "recorder")

    def __init__(self, recorder: InferenceRecorder, providers: tuple[Any, ...]) -> None:
        self.recorder = recorder
        # Held, so that no other object gets the identity of one of them.
        self.providers = providers
        self.holders = 0


_leases: Final[dict[_Terms, _Lease]] = {}
_changing: Final = threading.Lock()


def lease(
    settings: Settings,
    tracer_provider: Any = None,
    meter_provider: Any = None,
    logger_provider: Any = None,
) -> InferenceRecorder:
    """
    Return the recorder of these settings and providers, to be given back by `release`.

    Args:
        settings: What may be captured.
        tracer_provider: Where spans go, the global provider by default.
        meter_provider: Where metrics go, the global provider by default.
        logger_provider: Where events go, the global provider by default.
    """
    providers = (tracer_provider, meter_provider, logger_provider)
    terms = _Terms(settings, *map(id, providers))
    with _changing:
        held = _leases.get(terms)
        if held is None:
            recorder = InferenceRecorder(*providers, settings=settings)
            if settings.log_correlation:
                correlate_logs()
            if settings.runtime_metrics:
                observe_runtime(recorder.meter)
            held = _leases[terms] = _Lease(recorder, providers)
        held.holders += 1
        return held.recorder


def release(recorder: InferenceRecorder) -> None:
    """Give *recorder* back; what it has not recorded is recorded when nobody holds it any more."""
    with _changing:
        for terms, held in list(_leases.items()):
            if held.recorder is recorder:
                held.holders -= 1
                if held.holders == 0:
                    del _leases[terms]
                    recorder.close()


def in_force() -> InferenceRecorder:
    """
    Return the recorder for what is recorded by hand.

    It is the one that was leased last and is still held; where nothing is instrumented, one with
    the global providers and the settings of the environment, which is kept from then on.
    """
    for held in reversed(list(_leases.values())):
        return held.recorder
    return lease(Settings.from_environment())

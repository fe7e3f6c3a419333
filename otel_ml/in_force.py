"""The recorder that all parts of one process share, so that the calls of a model are numbered once."""

import threading
from typing import Any, Final, NamedTuple

from otel_ml.recorder import InferenceRecorder
from otel_ml.settings import Settings

__all__ = ["in_force", "lease", "release"]


class _Terms(NamedTuple):
    """What decides whether two instrumentors can share a recorder; providers by identity."""

    settings: Settings
    tracer_provider: int
    meter_provider: int


class _Lease:
    """A recorder, and how many hold it."""

    __slots__ = ("holders", "recorder")

    def __init__(self, recorder: InferenceRecorder) -> None:
        self.recorder = recorder
        self.holders = 0


_leases: Final[dict[_Terms, _Lease]] = {}
_changing: Final = threading.Lock()


def lease(
    settings: Settings, tracer_provider: Any = None, meter_provider: Any = None
) -> InferenceRecorder:
    """
    Return the recorder of these settings and providers, to be given back by `release`.

    Args:
        settings: What may be captured.
        tracer_provider: Where spans go, the global provider by default.
        meter_provider: Where metrics go, the global provider by default.
    """
    terms = _Terms(settings, id(tracer_provider), id(meter_provider))
    with _changing:
        held = _leases.get(terms)
        if held is None:
            # The recorder holds its providers, so that no other object gets their identity.
            held = _leases[terms] = _Lease(_recorder(settings, tracer_provider, meter_provider))
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


def _recorder(settings: Settings, tracer_provider: Any, meter_provider: Any) -> InferenceRecorder:
    return InferenceRecorder(
        tracer_provider,
        meter_provider,
        captures_exception_messages=settings.capture_exception_messages,
    )

"""The recorder that all parts of one process share, so that the calls of a model are numbered once."""

import os
import threading
from operator import is_
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from otel_ml.settings import Settings

if TYPE_CHECKING:
    from otel_ml.recorder import InferenceRecorder

__all__ = ["Lease", "Providers", "in_force", "lease", "release", "stand_by"]


class Providers(NamedTuple):
    """Where spans, metrics and events go; None for the global ones."""

    tracer_provider: Any
    meter_provider: Any
    logger_provider: Any

    def check(self) -> None:
        """
        Return if each is what its name says.

        Raises:
            TypeError: If one is something else, a tracer say, of which nothing could be made at the first call.
        """
        for name, provider in self._asdict().items():
            kind = name.removesuffix("_provider")
            if provider is not None and not callable(getattr(provider, f"get_{kind}", None)):
                found = type(provider).__name__
                raise TypeError(f"{name}: expected a {kind.title()}Provider, found {found}")


class Lease:
    """
    Settings and providers, how many hold them, and the recorder of them once somebody needs it.

    Attributes:
        settings: What may be captured.
        providers: Where what is observed goes.
        holders: How many have to give it back.
    """

    __slots__ = ("_recorder", "holders", "providers", "settings")

    def __init__(self, settings: Settings, providers: Providers) -> None:
        self.settings = settings
        self.providers = providers
        self.holders = 0
        self._recorder: InferenceRecorder | None = None

    @property
    def recorder(self) -> "InferenceRecorder":
        """The recorder; made when first asked for, with the metrics of the process beside it."""
        recorder = self._recorder
        if recorder is None:  # else every call by hand would wait for every other
            with _leases.changing:
                recorder = self._recorder = self._recorder or _made(self)
        return recorder

    def has_terms(self, settings: Settings, providers: Providers) -> bool:
        """Whether one recorder can serve both: by equal settings, and by providers that are the same."""
        are_same = all(map(is_, self.providers, providers))
        return are_same and self.settings == settings

    def end(self) -> None:
        """Record what was observed and not yet recorded."""
        if self._recorder is not None:
            self._recorder.close()


class _Leases:
    """
    All leases, the oldest first, and who changes them.

    No dictionary: settings may hold a function of the user's that has no hash.
    """

    def __init__(self) -> None:
        self.held: list[Lease] = []
        self.standing_by: Lease | None = None
        self.restart()

    def restart(self) -> None:
        """Wait for nobody in a process that was forked off: who changed them is still with its parent."""
        self.changing = threading.Lock()


_leases: Final = _Leases()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_leases.restart)


def _made(held: Lease) -> "InferenceRecorder":
    # Not when a program starts: much is imported for it, for a framework that may never be.
    from otel_ml.recorder import InferenceRecorder

    recorder = InferenceRecorder(*held.providers, settings=held.settings)
    if held.settings.runtime_metrics:
        from otel_ml.runtime import observe_runtime

        observe_runtime(recorder.meter)
    return recorder


def lease(
    settings: Settings,
    tracer_provider: Any = None,
    meter_provider: Any = None,
    logger_provider: Any = None,
) -> Lease:
    """
    Return the lease of these settings and providers, to be given back by `release`.

    Args:
        settings: What may be captured.
        tracer_provider: Where spans go, the global provider by default.
        meter_provider: Where metrics go, the global provider by default.
        logger_provider: Where events go, the global provider by default.

    Raises:
        TypeError: If a provider is none.
        OptionError: If the settings hold what an option does not take.
    """
    settings = settings.checked()
    providers = Providers(tracer_provider, meter_provider, logger_provider)
    providers.check()
    if settings.log_correlation:
        from otel_ml.log_correlation import correlate_logs

        correlate_logs()
    with _leases.changing:
        held = next((each for each in _leases.held if each.has_terms(settings, providers)), None)
        if held is None:
            held = Lease(settings, providers)
            _leases.held.append(held)
        held.holders += 1
        return held


def release(held: Lease) -> None:
    """Give *held* back; what it has not recorded is recorded when nobody holds it any more."""
    with _leases.changing:
        held.holders -= 1
        if held.holders == 0:
            _leases.held.remove(held)
            held.end()


def stand_by(held: Lease | None) -> None:
    """Keep *held* for what is recorded by hand, where no framework holds it; what was kept so before is given back."""
    before, _leases.standing_by = _leases.standing_by, held
    if before is not None:
        release(before)


def in_force() -> "InferenceRecorder":
    """
    Return the recorder for what is recorded by hand.

    It is the one that was leased last and is still held; where nothing is instrumented, one with
    the global providers and the settings of the environment, which is kept from then on.
    """
    for held in reversed(_leases.held.copy()):
        return held.recorder
    return lease(Settings.from_environment()).recorder

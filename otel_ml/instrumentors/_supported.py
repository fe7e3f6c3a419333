"""What every instrumentor does first: look at which version of the framework there is, and choose."""

from abc import abstractmethod
from collections.abc import Collection
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, distribution
from logging import DEBUG, getLogger
from typing import Any, ClassVar, NamedTuple

from opentelemetry.instrumentation import dependencies
from opentelemetry.instrumentation.instrumentor import (  # type: ignore[attr-defined]  # published without types
    BaseInstrumentor,
)

from otel_ml.in_force import Lease, lease, release
from otel_ml.settings import OptionError, Settings

__all__ = ["CheckedInstrumentor", "SupportedFramework"]

_logger = getLogger("otel_ml")


class SupportedFramework(NamedTuple):
    """
    What there is to know of a framework without importing it.

    Attributes:
        name: The value of `ml.framework.name`.
        distributions: What it is installed as, the usual one first; one of them is enough.
        oldest: Oldest version that is supported.
        calls: Which calls become inferences, in words, for the table in the documentation.
        loads: Which calls become spans of loading a model, likewise; empty where none does.
    """

    name: str
    distributions: tuple[str, ...]
    oldest: str
    calls: str
    loads: str = ""

    def installed(self) -> str:
        """Return the distribution that is installed, the usual one if none is."""
        for name in self.distributions:
            with suppress(PackageNotFoundError):
                distribution(name)  # its version would have all its metadata parsed
                return name
        return self.distributions[0]

    def requirement(self) -> str:
        """Return what the loader checks; `.dev0` makes it take later pre-releases too."""
        return f"{self.installed()} >= {self.oldest}.dev0"


class CheckedInstrumentor(BaseInstrumentor):  # type: ignore[misc]  # the base class is published without types
    """
    Begins if its framework is installed in a version that is supported, with what was chosen.

    Attributes:
        framework: Which framework it is.
    """

    framework: ClassVar[SupportedFramework]

    _lease: Lease | None = None

    @abstractmethod
    def _begin(self, held: Lease) -> None:
        """Begin to observe, by the settings and providers of *held*; it may raise."""

    @abstractmethod
    def _end(self) -> None:
        """Stop observing; also what was begun in part, or not at all."""

    def instrumentation_dependencies(self) -> Collection[str]:
        """Return the requirement that the loader checks."""
        return (self.framework.requirement(),)

    def instrument(self, **kwargs: Any) -> None:
        """Begin to observe, as `_instrument` says; what could not begin is not taken for instrumented."""
        if super().instrument(**kwargs) is False:
            self._is_instrumented_by_opentelemetry = False

    def _instrument(self, conflict_level: int = DEBUG, **kwargs: Any) -> bool:
        """
        Begin to observe, and return False if that could not be and may be tried again.

        Options that are refused may not: OpenTelemetry's loader asks a second time without those of
        a configuration file, and what a misspelt one was to keep back would leave.

        Args:
            conflict_level: At which a conflict is logged where the loader knows no exception for it.
            **kwargs: `tracer_provider`, `meter_provider` and `logger_provider`, the global ones by
                default; `settings`, what the environment says by default; options by name, which
                come before both.

        Raises:
            DependencyConflictError: If the framework is missing or too old; nothing else is raised,
                for it would keep other people's instrumentors from being loaded.
        """
        if not _may_instrument(self.framework, conflict_level):
            return False
        try:
            self._lease = _chosen(**kwargs)
            self._begin(self._lease)
        except OptionError as error:
            _logger.error("%s is not instrumented: %s", self.framework.name, error)  # noqa: TRY400 - it is the user's, and says all
        except Exception:
            _logger.exception("%s is not instrumented", self.framework.name)
            with suppress(Exception):
                self._uninstrument()
            return False
        return True

    def _uninstrument(self, **_kwargs: Any) -> None:
        self._end()
        if self._lease is not None:
            release(self._lease)
        self._lease = None


def _chosen(
    tracer_provider: Any = None,
    meter_provider: Any = None,
    logger_provider: Any = None,
    settings: Settings | None = None,
    **options: Any,
) -> Lease:
    chosen = (settings or Settings.from_environment()).with_options(options)
    return lease(chosen, tracer_provider, meter_provider, logger_provider)


def _may_instrument(framework: SupportedFramework, conflict_level: int) -> bool:
    try:
        conflict = dependencies.get_dependency_conflicts([framework.requirement()])
    except Exception as error:  # noqa: BLE001 - what is damaged may raise anything
        _logger.warning(
            "%s is not instrumented: what is said of the installed %s cannot be read: %s; reinstall it",
            framework.name,
            framework.installed(),
            error,
        )
        return False
    if conflict is None:
        return True
    refusal = getattr(dependencies, "DependencyConflictError", None)
    if refusal is None:  # older loaders know no exception that would not end all loading
        _logger.log(conflict_level, "%s is not instrumented: %s", framework.name, conflict)
        return False
    raise refusal(conflict)

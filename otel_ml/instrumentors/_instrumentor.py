"""What every framework's instrumentor does: check, begin, cover what is imported, and undo it all."""

from abc import abstractmethod
from collections.abc import Callable, Collection
from contextlib import suppress
from functools import partial
from importlib.metadata import PackageNotFoundError, distribution
from logging import DEBUG, getLogger
from types import ModuleType
from typing import Any, ClassVar, NamedTuple
from weakref import WeakSet

from opentelemetry.instrumentation import dependencies
from opentelemetry.instrumentation.instrumentor import (  # type: ignore[attr-defined]  # published without types
    BaseInstrumentor,
)

from otel_ml.in_force import lease, release
from otel_ml.instrumentors._imports import imports
from otel_ml.instrumentors._loading import Loaded, Loading, await_loads
from otel_ml.instrumentors._observing import Observer, Subject
from otel_ml.instrumentors._training import Training
from otel_ml.instrumentors._wrapping import Hooks, Patches
from otel_ml.recorder import InferenceRecorder
from otel_ml.running import running
from otel_ml.settings import OptionError, Settings

__all__ = ["Coverage", "FrameworkInstrumentor", "SupportedFramework"]

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


class FrameworkInstrumentor(BaseInstrumentor):  # type: ignore[misc]  # the base class is published without types
    """
    Makes a span and metrics of every outermost call of a framework's models.

    A framework says what it is, where its wrappers find us, where to hook and how a model is read;
    the framework is never imported by us.

    Attributes:
        framework: Which framework it is.
        hooks: The `hooks` of the framework's own module, by which its wrappers find us.
    """

    framework: ClassVar[SupportedFramework]
    hooks: ClassVar[Hooks]

    _coverage: "Coverage | None" = None
    _recorder: InferenceRecorder | None = None

    @abstractmethod
    def cover(self, coverage: "Coverage") -> None:
        """Say which functions of which modules are to be wrapped when they are imported."""

    @abstractmethod
    def read(self, settings: Settings, model: Any, is_part: bool) -> Subject:
        """Return what *model* tells of itself; it may raise, which is counted and passed over."""

    def observing(self, observer: Observer) -> Callable[..., Any]:
        """
        Return what wrappers call with original, method, args and kwargs: *observer*'s `observe`.

        A framework some of whose calls are no inference, or end elsewhere, gives its own.
        """
        return observer.observe

    def loaded(
        self,
        name: str,  # noqa: ARG002 - for frameworks whose functions load
        args: tuple[Any, ...],  # noqa: ARG002
        kwargs: dict[str, Any],  # noqa: ARG002
        result: Any,  # noqa: ARG002
    ) -> Loaded | None:
        """
        Return what function *name*, wrapped by `Coverage.load`, has loaded; None where it is no model.

        Where loading failed, *result* is None: then only the source can be told.
        """
        return None

    def instrumentation_dependencies(self) -> Collection[str]:
        """Return the requirement that the loader checks."""
        return (self.framework.requirement(),)

    def _instrument(self, conflict_level: int = DEBUG, **kwargs: Any) -> None:
        """
        Begin to observe.

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
            return
        try:
            self._begin(**kwargs)
        except OptionError as error:
            _logger.error("%s is not instrumented: %s", self.framework.name, error)  # noqa: TRY400 - it is the user's, and says all
        except Exception:
            _logger.exception("%s is not instrumented", self.framework.name)
            with suppress(Exception):
                self._uninstrument()

    def _begin(
        self,
        tracer_provider: Any = None,
        meter_provider: Any = None,
        logger_provider: Any = None,
        settings: Settings | None = None,
        **options: Any,
    ) -> None:
        settings = (settings or Settings.from_environment()).with_options(options)
        self._recorder = lease(settings, tracer_provider, meter_provider, logger_provider)
        observer = Observer(self._recorder, settings, partial(self.read, settings))
        self._coverage = Coverage(self._recorder, self.hooks, type(self).__module__)
        if not settings.capture_nested:
            self.hooks.is_inside = running.get
        self.hooks.observe = self.observing(observer)
        self.hooks.guard = observer.guard
        if settings.capture_training:
            self.hooks.guard = Training(self._recorder, settings, self.read, observer.guard).guard
        self.hooks.load = Loading(
            self._recorder, settings, self.read, self.loaded, self.framework.name
        ).load
        self.cover(self._coverage)

    def _uninstrument(self, **_kwargs: Any) -> None:
        self.hooks.clear()
        if self._coverage is not None:
            self._coverage.end()
        await_loads()
        if self._recorder is not None:
            release(self._recorder)
        self._coverage = self._recorder = None


def _may_instrument(framework: SupportedFramework, conflict_level: int) -> bool:
    conflict = dependencies.get_dependency_conflicts([framework.requirement()])
    if conflict is None:
        return True
    refusal = getattr(dependencies, "DependencyConflictError", None)
    if refusal is None:  # older loaders know no exception that would not end all loading
        _logger.log(conflict_level, "%s is not instrumented: %s", framework.name, conflict)
        return False
    raise refusal(conflict)


class Coverage:
    """
    What one instrumentor has wrapped and awaits.

    Nothing here raises: it runs inside other people's imports and class statements.

    Args:
        recorder: Where failures are counted.
        hooks: Where wrappers and new classes find the instrumentor.
        module: Name of the module that holds *hooks* as `hooks`.
    """

    def __init__(self, recorder: InferenceRecorder, hooks: Hooks, module: str) -> None:
        self._recorder = recorder
        self._hooks = hooks
        self._patches = Patches(module)
        self._adopted: WeakSet[type] = WeakSet()
        self._awaiting: list[Callable[[ModuleType], None]] = []

    def when_imported(self, name: str, cover: Callable[[ModuleType], None]) -> None:
        """Call *cover* with the module *name* once it is imported, at once if it is there."""

        def cover_quietly(module: ModuleType) -> None:
            self._quietly(cover, module)

        self._awaiting.append(cover_quietly)
        imports.when_imported(name, cover_quietly)

    def observe(self, owner: Any, *names: str) -> None:
        """Make inferences of calls of what *owner*, a class or module, itself defines as *names*."""
        for name in names:
            self._patches.observe(owner, name)

    def guard(self, owner: Any, *names: str, trains: bool = False) -> None:
        """
        Make no inference of what happens inside what *owner* itself defines as *names*.

        Args:
            owner: A class or a module.
            names: Names of functions; those it does not define are passed over.
            trains: Whether models are read anew afterwards.
        """
        for name in names:
            self._patches.guard(owner, name, trains=trains)

    def load(self, owner: Any, *names: str) -> None:
        """Make spans of loading models with what *owner*, a class or module, itself defines as *names*."""
        for name in names:
            self._patches.load(owner, name)

    def adopt_family(self, ancestor: type, wrap: Callable[["Coverage", type], None]) -> None:
        """Call *wrap* with *ancestor*, all that extends it now or later, and what those extend."""

        def adopt(member: type) -> None:
            self._quietly(self._adopt, member, wrap)

        self._hooks.adopt = adopt
        self._patches.hook_subclasses(ancestor)
        for member in _family(ancestor):
            adopt(member)

    def _adopt(self, member: type, wrap: Callable[["Coverage", type], None]) -> None:
        # Mixins define many of the methods, so every class that it extends is looked at.
        for owner in member.__mro__[:-1]:
            if owner not in self._adopted:
                self._adopted.add(owner)
                wrap(self, owner)

    def _quietly(self, cover: Callable[..., None], *args: Any) -> None:
        try:
            cover(*args)
        except Exception as error:  # noqa: BLE001 - an import must not fail because of us
            self._recorder.failed("cover_framework", error)

    def end(self) -> None:
        """Await nothing any more, and take every wrapper off again."""
        for cover in self._awaiting:
            imports.forget(cover)
        self._patches.undo()


def _family(ancestor: type) -> list[type]:
    found = [ancestor]
    for member in found:  # it grows on the way
        found.extend(type.__subclasses__(member))
    return found

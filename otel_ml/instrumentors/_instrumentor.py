"""What every framework's instrumentor does: begin, cover what is imported, and undo it all."""

from abc import abstractmethod
from collections.abc import Callable
from functools import partial
from types import ModuleType
from typing import Any, ClassVar
from weakref import WeakSet

from otel_ml.in_force import Lease
from otel_ml.instrumentors._imports import imports
from otel_ml.instrumentors._loading import Loaded, Loading, await_loads
from otel_ml.instrumentors._observing import Observer
from otel_ml.instrumentors._subject import Subject
from otel_ml.instrumentors._supported import CheckedInstrumentor, SupportedFramework
from otel_ml.instrumentors._training import Training
from otel_ml.instrumentors._wrapping import Hooks, Patches
from otel_ml.recorder import InferenceRecorder
from otel_ml.running import running
from otel_ml.settings import Settings

__all__ = ["Coverage", "FrameworkInstrumentor", "SupportedFramework"]


class FrameworkInstrumentor(CheckedInstrumentor):
    """
    Makes a span and metrics of every outermost call of a framework's models.

    A framework says what it is, where its wrappers find us, where to hook and how a model is read;
    the framework is never imported by us.

    Attributes:
        hooks: The `hooks` of the framework's own module, by which its wrappers find us.
    """

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

    def _begin(self, held: Lease) -> None:
        settings, self._recorder = held.settings, held.recorder
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

    def _end(self) -> None:
        self.hooks.clear()
        if self._coverage is not None:
            self._coverage.end()
        await_loads()
        self._coverage = self._recorder = None


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

    def train(self, owner: Any, *names: str) -> None:
        """Guard functions of the module *owner* that return what they train, where training is told of."""
        if self._recorder.settings.capture_training:
            self.guard(owner, *names, trains=True)

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

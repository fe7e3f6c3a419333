"""Functions of the user's around a call of a model: found when first needed, and unable to harm it."""

from collections.abc import Callable, Container, Mapping
from importlib.metadata import EntryPoint, entry_points
from logging import getLogger
from typing import Any, Final

from otel_ml.describe.values import Facts
from otel_ml.settings import Hook, Settings
from otel_ml_conventions import attributes as keys

__all__ = ["CONTENT", "CallHooks", "ContentHook", "load", "without_content"]

_CONTENT_HOOKS: Final = "otel_ml_content_hook"

# What tells of the samples themselves, whoever they are of: what a content hook sees.
CONTENT: Final = frozenset(
    {
        keys.ML_CONTENT_TRUNCATED,
        keys.ML_INPUT_FEATURES,
        keys.ML_INPUT_HASH,
        keys.ML_INPUT_ROWS,
        keys.ML_INPUT_VALUES,
        keys.ML_PREDICTION_INTERVAL_LOWER,
        keys.ML_PREDICTION_INTERVAL_UPPER,
        keys.ML_PREDICTION_LABEL,
        keys.ML_PREDICTION_LABELS,
        keys.ML_PREDICTION_PROBABILITIES,
        keys.ML_PREDICTION_SCORE,
        keys.ML_PREDICTION_SCORES,
        keys.ML_PREDICTION_VALUE,
        keys.ML_PREDICTION_VALUES,
    }
)

_VALUES: Final = (str, int, float, bytes, list, tuple, Mapping, type(None))

_logger = getLogger("otel_ml")
_Failed = Callable[[str, BaseException], None]


def load(hook: Hook) -> Callable[..., Any]:
    """
    Return the function that *hook* is or names, importing the module it is in.

    Raises:
        LookupError: If no entry point of the group `otel_ml_content_hook` has that name.
        TypeError: If what is there cannot be called.
        Exception: Whatever importing the module, or looking into it, raises.
    """
    found = hook if callable(hook) else _point(hook).load()
    if not callable(found):
        raise TypeError(f"expected a function, found {type(found).__name__}")
    function: Callable[..., Any] = found
    return function


def _point(place: str) -> EntryPoint:
    if ":" in place:
        return EntryPoint(place, place, _CONTENT_HOOKS)
    known = {point.name: point for point in entry_points(group=_CONTENT_HOOKS)}
    if place not in known:
        told = ", ".join(sorted(known)) or "none"
        raise LookupError(f"no entry point of the group {_CONTENT_HOOKS!r}; known: {told}")
    return known[place]


def without_content(facts: Facts) -> Facts:
    """Return *facts* without those of the samples themselves."""
    return {key: fact for key, fact in facts.items() if key not in CONTENT}


class _Function:
    """
    A function of the user's, loaded when it is first called.

    Before, at the start of the program, its own modules may not be there to be imported.
    """

    def __init__(self, option: str, hook: Hook, failed: _Failed) -> None:
        self._option = option
        self._hook = hook
        self._failed = failed
        self._loaded: Callable[..., Any] | None = None

    def call(self, *args: Any, otherwise: Any) -> Any:
        """Return what the function returns, *otherwise* where it fails."""
        try:
            function = self._load() if self._loaded is None else self._loaded
            return function(*args)
        except Exception as error:  # noqa: BLE001 - a user's function may raise anything
            self._failed(self._option, error)
            return otherwise

    def _load(self) -> Callable[..., Any]:
        try:
            self._loaded = load(self._hook)
        except Exception as error:
            _logger.warning("%s: cannot load %r: %s", self._option, self._hook, error)
            self._loaded = _missing  # looked for once, not at every call
            raise
        return self._loaded


def _missing(*_args: Any) -> Any:
    raise LookupError


class ContentHook:
    """
    The user's last word on content: `hook(content, span)` gives what leaves of it.

    *content* is a dict of attributes, as they would be sent; what is returned is sent in its place,
    None sends nothing. A hook that fails, or is not found, sends nothing, and is counted.

    Args:
        hook: The function, or its place.
        failed: Counts a failure by its cause.
    """

    def __init__(self, hook: Hook, failed: _Failed) -> None:
        self._function = _Function("content_hook", hook, failed)
        self._failed = failed

    @classmethod
    def chosen(cls, settings: Settings, failed: _Failed) -> "ContentHook | None":
        """Return the hook of *settings*, None where there is none."""
        return None if settings.content_hook is None else cls(settings.content_hook, failed)

    def filtered(
        self, facts: Mapping[str, Any], span: Any, kinds: Container[str] = CONTENT
    ) -> dict[str, Any]:
        """Return *facts* with the content, those of *kinds*, that the hook lets pass; it sees nothing else."""
        content = {key: fact for key, fact in facts.items() if key in kinds}
        rest = {key: fact for key, fact in facts.items() if key not in kinds}
        if not content:
            return rest
        permitted = self._function.call(content, span, otherwise=None)
        try:
            return {**_attributes(permitted), **rest}
        except Exception as error:  # noqa: BLE001 - what a user's function returns may raise anything
            self._failed("content_hook", error)
            return rest


def _attributes(permitted: object) -> dict[str, Any]:
    if permitted is None:
        return {}
    if not isinstance(permitted, Mapping) or not all(isinstance(key, str) for key in permitted):
        raise TypeError(f"expected attributes by name, found {type(permitted).__name__}")
    return {key: _attribute(value) for key, value in permitted.items()}


def _attribute(value: Any) -> Any:
    """Return *value* as an attribute can have it; arrays and numbers of numpy's, which a span has as text, as Python's."""
    plain = value.tolist() if hasattr(value, "tolist") else value
    if not isinstance(plain, _VALUES):
        raise TypeError(f"expected a value of an attribute, found {type(plain).__name__}")
    return plain


class CallHooks:
    """
    The user's functions before and after a recorded call.

    `before_capture(span, model, args, kwargs)` may return false: no content of that call is captured
    then, but it is where nothing is returned. `after_capture(span, model, output)` may add attributes to the span. Both see what the
    program itself works with, and must leave it as it is.

    Args:
        before: The function called before, or its place, or None.
        after: The function called after, or its place, or None.
        failed: Counts a failure by its cause.
    """

    def __init__(self, before: Hook | None, after: Hook | None, failed: _Failed) -> None:
        # Not by their truth: a function may be an object that is empty.
        self._failed = failed
        self._before = None if before is None else _Function("before_capture", before, failed)
        self._after = None if after is None else _Function("after_capture", after, failed)

    @classmethod
    def chosen(cls, settings: Settings, failed: _Failed) -> "CallHooks | None":
        """Return the hooks of *settings*, None where there are none."""
        before, after = settings.before_capture, settings.after_capture
        return None if before is None and after is None else cls(before, after, failed)

    def permits(self, span: Any, model: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
        """Whether content of this call may be captured; not where the hook fails."""
        if self._before is None:
            return True
        answer = self._before.call(span, model, args, kwargs, otherwise=False)
        try:
            return answer is None or bool(answer)  # numpy has a false of its own
        except Exception as error:  # noqa: BLE001 - what a user's function returns may raise anything
            self._failed("before_capture", error)
            return False

    def tell(self, span: Any, model: Any, output: Any) -> None:
        """Let the hook add to *span* what it makes of *output*."""
        if self._after is not None:
            self._after.call(span, model, output, otherwise=None)

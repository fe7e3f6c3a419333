"""A decorator that makes every call of a function an inference."""

import inspect
from collections.abc import AsyncGenerator, Callable, Generator, Mapping
from functools import partial, wraps
from typing import Any, Final, NamedTuple, TypeVar, overload

from otel_ml.by_hand.calls import Call, Identity
from otel_ml.record.given_up import given_up
from otel_ml_conventions.attributes import (
    MlFrameworkNameValues,
    MlOperationNameValues,
    MlTaskTypeValues,
)

__all__ = ["observe"]

_Function = TypeVar("_Function", bound=Callable[..., Any])

_OUTPUTS: Final = ("label", "labels", "probabilities", "confidence", "value", "score", "embedding")


@overload
def observe(function: _Function, /) -> _Function: ...


@overload
def observe(
    function: None = None,
    /,
    *,
    name: str | None = None,
    version: str | None = None,
    operation: str = "predict",
    task: str | None = None,
    framework: str = "other",
    features: str | None = None,
    output: str | Callable[[Any], Mapping[str, Any]] | None = None,
) -> Callable[[_Function], _Function]: ...


def observe(
    function: Callable[..., Any] | None = None,
    /,
    *,
    name: str | None = None,
    version: str | None = None,
    operation: str = "predict",
    task: str | None = None,
    framework: str = "other",
    features: str | None = None,
    output: str | Callable[[Any], Mapping[str, Any]] | None = None,
) -> Any:
    """
    Make every call of a function one inference, as `inference` makes one of a block.

    It decorates functions, coroutine functions, generators and asynchronous generators; result,
    exceptions, name and signature stay what they are. A generator's inference ends with its last
    step, or when the caller goes; while the caller has its turn, nothing of it is current. Arguments
    that a generator or a coroutine function does not take are refused at its first step, not where it is called.

    Arguments and result are not looked at unless *features* and *output* say what they are.

    ```python
    @otel_ml.observe(name="fraud", version="3", features="rows", output="probabilities")
    def score(rows): ...
    ```

    Args:
        function: The function, where the decorator is used without arguments.
        name: Name of the model; by default the function's.
        version: Its version in a registry, a tag, or a commit.
        operation: A value of `ml.operation.name`.
        task: A value of `ml.task.type`.
        framework: A value of `ml.framework.name`.
        features: Name of the parameter that takes the samples.
        output: What the function returns: `label`, `labels`, `probabilities`, `confidence`,
            `value`, `score` or `embedding`; or a function that makes of the result the arguments of
            `Call.output`. Of a generator it is the last step's.

    Raises:
        TypeError: If what is decorated is no function, or an argument has the wrong type.
        ValueError: If an operation, a task, a framework, a parameter or an output is not known.
    """
    _check("operation", operation, MlOperationNameValues)
    _check("framework", framework, MlFrameworkNameValues)
    if task is not None:
        _check("task", task, MlTaskTypeValues)
    _check_names(name, version, output)

    def decorate(function: Callable[..., Any]) -> Any:
        if isinstance(function, (classmethod, staticmethod)):
            kind = type(function).__name__
            raise TypeError(
                f"observe: expected a function, found {kind}; put @{kind} above @observe"
            )
        if not callable(function) or isinstance(function, type):
            found = "a class" if isinstance(function, type) else type(function).__name__
            raise TypeError(f"observe: expected a function, found {found}")
        place = f"{_of(function, '__module__')}.{_of(function, '__qualname__')}"
        model = name or _of(function, "__name__")
        identity = Identity(model, version, operation, task, framework, place)
        return _observed(function, _Told(identity, _reader(function, features), output))

    return decorate if function is None else decorate(function)


class _Told(NamedTuple):
    """What is known of the calls of one function."""

    identity: Identity
    features: Callable[[tuple[Any, ...], dict[str, Any]], Any]
    output: str | Callable[[Any], Mapping[str, Any]] | None

    def call(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Call:
        """Return a call that is about to begin."""
        return Call(self.identity, self.features(args, kwargs))

    def tell(self, call: Call, result: Any) -> None:
        """Tell *call* what came out."""
        if isinstance(self.output, str):
            call.output(**{self.output: result})
        elif self.output is not None:
            call.read_output(self.output, result)


def _observed(function: Callable[..., Any], told: _Told) -> Callable[..., Any]:
    inner = function
    while isinstance(inner, partial):
        inner = inner.func
    # Of an object that can be called its method says what it is.
    functions = (inner, type(inner).__call__)
    if any(map(inspect.isasyncgenfunction, functions)):
        return _asynchronous_generator(function, told)
    if any(map(_is_awaited, functions)):
        return _coroutine(function, told)
    if any(map(inspect.isgeneratorfunction, functions)):
        return _generator(function, told)
    return _plain(function, told)


def _is_awaited(function: Any) -> bool:
    """Whether *function* is a coroutine function, also a generator function that `types.coroutine` has made one."""
    flags = getattr(getattr(function, "__code__", None), "co_flags", 0)
    return inspect.iscoroutinefunction(function) or bool(flags & inspect.CO_ITERABLE_COROUTINE)


def _plain(function: Callable[..., Any], told: _Told) -> Callable[..., Any]:
    @wraps(function)
    def observed(*args: Any, **kwargs: Any) -> Any:
        with told.call(args, kwargs) as call:
            result = function(*args, **kwargs)
            if hasattr(type(result), "__await__"):  # it has not answered yet
                call.refuse(
                    "expected a result, found a coroutine; put @observe next to `async def`"
                )
            else:
                told.tell(call, result)
        return result

    return observed


def _coroutine(function: Callable[..., Any], told: _Told) -> Callable[..., Any]:
    @wraps(function)
    async def observed(*args: Any, **kwargs: Any) -> Any:
        with told.call(args, kwargs) as call:
            result = await function(*args, **kwargs)
            told.tell(call, result)
        return result

    return observed


def _generator(function: Callable[..., Any], told: _Told) -> Callable[..., Any]:
    @wraps(function)
    def observed(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        call = told.call(args, kwargs)
        given_up.expect()
        call.open(is_current=False)
        try:
            returned = yield from _steps(function(*args, **kwargs), told, call)
        except BaseException as error:
            is_left = isinstance(error, GeneratorExit)
            given_up.end(partial(call.close, None if is_left else error))
            raise
        call.close()
        return returned

    return observed


def _steps(steps: Generator[Any, Any, Any], told: _Told, call: Call) -> Generator[Any, Any, Any]:
    """Pass on what caller and *steps* say to each other; *call* is current in the steps."""
    turn: Callable[[], Any] = partial(next, steps)
    while True:
        with call.turn():
            try:
                item = turn()
            except StopIteration as end:
                return end.value
        told.tell(call, item)
        try:
            turn = partial(steps.send, (yield item))
        except GeneratorExit:
            with call.turn():
                steps.close()
            raise
        except BaseException as error:  # noqa: BLE001 - it is thrown into the steps, which decide
            turn = partial(steps.throw, error)


def _asynchronous_generator(function: Callable[..., Any], told: _Told) -> Callable[..., Any]:
    @wraps(function)
    async def observed(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
        call = told.call(args, kwargs)
        call.open(is_current=False)
        try:
            steps = function(*args, **kwargs)
            turn: Callable[[], Any] = steps.__anext__
            while True:
                with call.turn():
                    item = await turn()
                told.tell(call, item)
                try:
                    turn = partial(steps.asend, (yield item))
                except GeneratorExit:
                    with call.turn():
                        await steps.aclose()
                    raise
                except BaseException as error:  # noqa: BLE001 - it is thrown into the steps, which decide
                    turn = partial(steps.athrow, error)
        except (StopAsyncIteration, GeneratorExit) as end:
            call.close()
            if isinstance(end, GeneratorExit):
                raise
        except BaseException as error:
            call.close(error)
            raise

    return observed


def _reader(
    function: Callable[..., Any], parameter: str | None
) -> Callable[[tuple[Any, ...], dict[str, Any]], Any]:
    """Return what finds the argument of *parameter* among those of a call, None where it is absent."""
    if parameter is None:
        return lambda _args, _kwargs: None
    try:
        parameters = inspect.signature(function).parameters
    except ValueError:  # of some that are not written in Python
        raise ValueError(
            f"observe: features: the parameters of {_of(function, '__qualname__')} are not known; "
            "put @observe on a function of your own around it"
        ) from None
    if parameter not in parameters:
        known = ", ".join(parameters) or "none"
        raise ValueError(f"observe: unknown parameter {parameter!r} in features; known: {known}")
    found = parameters[parameter]
    if found.kind in {found.VAR_POSITIONAL, found.VAR_KEYWORD}:
        raise ValueError(f"observe: features: expected a single parameter, found {found}")
    position = list(parameters).index(parameter)
    default = None if found.default is found.empty else found.default
    is_positional = found.kind is not found.KEYWORD_ONLY

    def read(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if is_positional and len(args) > position:
            return args[position]
        return kwargs.get(parameter, default)

    return read


def _check(argument: str, value: object, known: Any) -> None:
    values = [member.value for member in known]
    if value not in values:
        raise ValueError(f"observe: unknown {argument} {value!r}; known: {', '.join(values)}")


def _check_names(name: object, version: object, output: object) -> None:
    for argument, value in (("name", name), ("version", version)):
        if value is not None and not isinstance(value, str):
            raise TypeError(f"observe: {argument}: expected text, found {type(value).__name__}")
    if isinstance(output, str) and output not in _OUTPUTS:
        raise ValueError(f"observe: unknown output {output!r}; known: {', '.join(_OUTPUTS)}")
    if output is not None and not isinstance(output, str) and not callable(output):
        raise TypeError(
            f"observe: output: expected text or a function, found {type(output).__name__}"
        )


def _of(function: Callable[..., Any], attribute: str) -> str:
    """Return what *function* is called; a partial or an object with `__call__` by its class."""
    return str(getattr(function, attribute, None) or getattr(type(function), attribute))

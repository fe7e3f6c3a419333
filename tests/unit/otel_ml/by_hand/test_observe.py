"""A decorator that makes the calls of a function inferences."""

import asyncio
import functools
import gc
import inspect
import types
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Iterator
from typing import Any

import pytest
from opentelemetry import trace

import otel_ml
from otel_ml.testing import Capture


@otel_ml.observe(name="fraud", version="3", task="regression", features="rows", output="label")
def plain(rows: list[list[float]], *, scale: float = 1.0) -> str:
    """Say ok."""
    return "ok" if scale else "none"


def test_a_call_is_an_inference(seen: Capture) -> None:
    """With the model's name, the function's, the samples of the named parameter, and the result."""
    assert plain([[1.0, 2.0], [3.0, 4.0]][:1]) == "ok"
    assert seen.spans[0].name == "predict fraud"
    assert seen.attributes["code.function.name"].endswith("test_observe.plain")
    assert seen.attributes["ml.task.type"] == "regression"
    assert seen.attributes["ml.input.feature.count"] == 2
    assert seen.attributes["ml.prediction.label"] == "ok"


@pytest.mark.parametrize(
    "call",
    [
        lambda: plain([[1.0, 2.0]]),
        lambda: plain(rows=[[1.0, 2.0]]),
        lambda: plain([[1.0, 2.0]], scale=2.0),
    ],
)
def test_the_samples_are_found_however_they_are_given(
    seen: Capture, call: Callable[[], str]
) -> None:
    """By position or by name."""
    call()
    assert seen.attributes["ml.batch.size"] == 1


def test_a_function_stays_what_it_is() -> None:
    """Name, documentation, signature and kind."""
    assert plain.__name__ == "plain"
    assert plain.__doc__ == "Say ok."
    assert list(inspect.signature(plain).parameters) == ["rows", "scale"]
    assert inspect.iscoroutinefunction(otel_ml.observe(name="a")(asyncio.sleep))


def test_without_arguments_it_has_the_functions_name(seen: Capture) -> None:
    """And nothing of arguments and result is looked at."""

    @otel_ml.observe
    def score(text: str) -> str:
        return text

    assert score("canary") == "canary"
    assert seen.spans[0].name == "predict score"
    assert "canary" not in str(seen.attributes)


def test_a_method_is_a_function_too(seen: Capture) -> None:
    """The object is not taken for the samples."""

    class Model:
        @otel_ml.observe(name="m", features="rows")
        def predict(self, rows: list[list[float]]) -> int:
            return len(rows)

    assert Model().predict([[1.0], [2.0]]) == 2
    assert seen.attributes["ml.batch.size"] == 2


def test_a_partial_and_an_object_that_can_be_called_are_functions(seen: Capture) -> None:
    """They have no name of their own, so their class's is taken."""

    class Scorer:
        def __call__(self) -> int:
            return 1

    assert otel_ml.observe(functools.partial(int, 3))() == 3
    assert otel_ml.observe(Scorer())() == 1
    assert [span.name for span in seen.spans] == ["predict partial", "predict Scorer"]


def test_a_function_can_say_what_to_tell_of_a_result(seen: Capture) -> None:
    """It gives the arguments of `Call.output`; where it fails, the result is still returned."""

    @otel_ml.observe(name="a", output=lambda found: {"label": found["best"]})
    def score(best: str) -> dict[str, str]:
        return {"best": best}

    assert score("x") == {"best": "x"}
    assert seen.attributes["ml.prediction.label"] == "x"

    @otel_ml.observe(name="b", output=lambda found: {"label": found["missing"]})
    def other() -> dict[str, str]:
        return {}

    assert other() == {}
    (failed,) = seen.metric("ml.sdk.errors")
    assert failed.attributes["ml.sdk.error.cause"] == "describe_output"


def test_exceptions_are_untouched(seen: Capture) -> None:
    """The same object comes out, and the span names its class."""
    error = RuntimeError("no")

    @otel_ml.observe
    def fail() -> None:
        raise error

    with pytest.raises(RuntimeError) as caught:
        fail()
    assert caught.value is error
    assert seen.attributes["error.type"] == "RuntimeError"


def test_a_coroutine_is_one_inference(seen: Capture) -> None:
    """Its span is current across its awaits, and ends when it does."""

    @otel_ml.observe(name="a", output="label")
    async def score() -> str:
        """Be one of those told above."""
        await asyncio.sleep(0)
        return trace.get_current_span().get_span_context().span_id.to_bytes(8, "big").hex()

    inside = asyncio.run(score())
    (span,) = seen.spans
    assert inside == f"{span.context.span_id:016x}"


def test_a_coroutine_that_another_decorator_hides_is_no_answer(
    seen: Capture, caplog: pytest.LogCaptureFixture
) -> None:
    """Its text, another one at each call, would be told as the class; the log says what to do."""

    async def score() -> str:
        """Say ok."""
        return "ok"

    @otel_ml.observe(name="m", output="label")
    @functools.wraps(score)
    def hidden() -> Awaitable[str]:
        return score()

    assert asyncio.run(hidden()) == "ok"
    assert "ml.prediction.label" not in seen.attributes
    assert "@observe next to `async def`" in caplog.text


def test_a_cancelled_coroutine_ends_its_inference(seen: Capture) -> None:
    """With the cancellation as its error."""

    @otel_ml.observe(name="a")
    async def score() -> None:
        """Be one of those told above."""
        await asyncio.Event().wait()

    async def main() -> None:
        """Be one of those told above."""
        task = asyncio.create_task(score())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert seen.attributes["error.type"] == "asyncio.exceptions.CancelledError"


@otel_ml.observe(name="stream", output="label")
def stream(words: list[str]) -> Generator[str, str, int]:
    """Yield *words*, and what is sent in between."""
    for word in words:
        answer = yield word
        if answer:
            yield answer
    return len(words)


@pytest.mark.parametrize("output", ["labels", "probabilities", "embedding"])
def test_a_result_that_can_be_read_once_is_left_to_the_caller(seen: Capture, output: str) -> None:
    """Whoever returns an iterator gets it to the caller unread; nothing is told of it."""

    @otel_ml.observe(output=output)
    def halves() -> Iterator[float]:
        return map(float, ["0.5", "0.5"])

    assert list(halves()) == [0.5, 0.5]
    assert len(seen.spans) == 1


def test_a_generator_is_one_inference(seen: Capture) -> None:
    """It begins with the first step and ends with the last, whose answer is told."""
    steps = stream(["a", "b"])
    assert seen.spans == ()
    assert list(steps) == ["a", "b"]
    assert [span.name for span in seen.spans] == ["predict stream"]
    assert seen.attributes["ml.prediction.label"] == "b"


def test_a_generator_is_not_current_while_the_caller_has_its_turn(seen: Capture) -> None:
    """A model that the caller asks in between makes an inference of its own, of no parent."""
    inside = []

    @otel_ml.observe(name="stream")
    def spans() -> Generator[None, None, None]:
        for _ in range(2):
            inside.append(trace.get_current_span())
            yield

    for _ in spans():
        assert not trace.get_current_span().get_span_context().is_valid
        with otel_ml.inference("between"):
            pass
    (first, second) = inside
    assert first is second
    assert first.get_span_context().is_valid
    assert [span.name for span in seen.spans] == ["predict between"] * 2 + ["predict stream"]
    assert all(span.parent is None for span in seen.spans)


def test_a_generator_can_be_sent_to_and_returns(seen: Capture) -> None:
    """`send`, and what `yield from` gives, work as without the decorator."""
    steps = stream(["a", "b"])
    assert next(steps) == "a"
    assert steps.send("sent") == "sent"
    assert next(steps) == "b"
    with pytest.raises(StopIteration) as end:
        next(steps)
    assert end.value.value == 2
    assert len(seen.spans) == 1


def test_an_exception_can_be_thrown_into_a_generator(seen: Capture) -> None:
    """It may handle it and go on; one that it lets out is the inference's."""

    @otel_ml.observe(name="stream")
    def tolerant() -> Generator[str, None, None]:
        try:
            yield "first"
        except KeyError:
            yield "handled"

    steps = tolerant()
    next(steps)
    assert steps.throw(KeyError("k")) == "handled"
    with pytest.raises(LookupError):
        steps.throw(LookupError())
    assert seen.attributes["error.type"] == "LookupError"


def test_a_generator_that_is_closed_early_ends_its_inference(seen: Capture) -> None:
    """Without an error, after its own clean-up; so does one that is just forgotten."""
    cleaned = []

    @otel_ml.observe(name="stream")
    def steps() -> Generator[int, None, None]:
        try:
            yield from range(10)
        finally:
            cleaned.append(trace.get_current_span().get_span_context().is_valid)

    closed = steps()
    next(closed)
    closed.close()
    forgotten = steps()
    next(forgotten)
    del forgotten
    gc.collect()
    assert cleaned == [True, True]
    assert len(seen.spans) == 2
    assert all("error.type" not in (span.attributes or {}) for span in seen.spans)


@otel_ml.observe(name="astream", output="label")
async def astream(words: list[str]) -> AsyncGenerator[str, str]:
    """Yield *words*, and what is sent in between."""
    for word in words:
        await asyncio.sleep(0)
        answer = yield word
        if answer:
            yield answer


def test_an_asynchronous_generator_is_one_inference(seen: Capture) -> None:
    """The caller's turns are outside of it, and `asend` works."""

    async def main() -> list[str]:
        """Be one of those told above."""
        steps = astream(["a", "b"])
        found = [await steps.__anext__()]
        assert not trace.get_current_span().get_span_context().is_valid
        found.append(await steps.asend("sent"))
        async for word in steps:
            found.append(word)
            with otel_ml.inference("between"):
                pass
        return found

    assert asyncio.run(main()) == ["a", "sent", "b"]
    assert [span.name for span in seen.spans] == ["predict between", "predict astream"]
    assert (seen.spans[1].attributes or {})["ml.prediction.label"] == "b"


def test_an_asynchronous_generator_ends_when_it_is_closed_or_raises(seen: Capture) -> None:
    """Closed it has no error; what is thrown into it and not handled is its error."""

    async def main() -> None:
        """Be one of those told above."""
        closed = astream(["a", "b"])
        await closed.__anext__()
        await closed.aclose()
        raising = astream(["a", "b"])
        await raising.__anext__()
        with pytest.raises(LookupError):
            await raising.athrow(LookupError())

    asyncio.run(main())
    first, second = (dict(span.attributes or {}) for span in seen.spans)
    assert "error.type" not in first
    assert second["error.type"] == "LookupError"


def test_an_asynchronous_generator_that_cannot_be_called_so_is_over(seen: Capture) -> None:
    """Its first step raises what the call would have raised, and no call is under way for ever."""

    async def main() -> None:
        """Be one of those told above."""
        await anext(astream())  # type: ignore[call-arg]  # that is it

    with pytest.raises(TypeError, match="missing 1 required positional argument"):
        asyncio.run(main())
    assert seen.attributes["error.type"] == "TypeError"
    assert [point.value for point in seen.metric("ml.inference.active")] == [0]


@pytest.mark.parametrize(
    ("arguments", "kind", "message"),
    [
        ({"operation": "guess"}, ValueError, "unknown operation 'guess'; known: "),
        ({"task": "guess"}, ValueError, "unknown task 'guess'; known: "),
        ({"framework": "guess"}, ValueError, "unknown framework 'guess'; known: "),
        ({"output": "guess"}, ValueError, "unknown output 'guess'; known: label, "),
        ({"output": 3}, TypeError, "output: expected text or a function, found int"),
        ({"name": 3}, TypeError, "name: expected text, found int"),
        ({"version": 3}, TypeError, "version: expected text, found int"),
        ({"features": "cols"}, ValueError, "unknown parameter 'cols' in features; known: rows"),
    ],
)
def test_misuse_is_told_where_the_function_is_defined(
    arguments: dict[str, Any], kind: type[Exception], message: str
) -> None:
    """Each error names the argument, what was expected and what was found."""
    with pytest.raises(kind, match=message):

        @otel_ml.observe(**arguments)
        def score(rows: int) -> int:
            return rows


class Awaited:
    """An object whose call is to be awaited."""

    async def __call__(self) -> str:
        """Answer inside of the inference."""
        return str(otel_ml.current_prediction_id())


class Stepwise:
    """An object whose call is a generator."""

    def __call__(self) -> Iterator[str]:
        """Answer inside of the inference."""
        yield str(otel_ml.current_prediction_id())


def test_an_object_is_what_its_call_is(seen: Capture) -> None:
    """Its inference lasts until it has answered, not until there is something to wait for."""
    asked = asyncio.run(otel_ml.observe(name="awaited")(Awaited())())
    (step,) = otel_ml.observe(name="stepwise")(Stepwise())()
    told = [(span.name, (span.attributes or {})["ml.prediction.id"]) for span in seen.spans]
    assert told == [("predict awaited", asked), ("predict stepwise", step)]


def test_a_partial_is_what_it_calls(seen: Capture) -> None:
    """Also of an object whose call is to be awaited."""
    asked = asyncio.run(otel_ml.observe(name="partial")(functools.partial(Awaited()))())
    assert seen.attributes["ml.prediction.id"] == asked


def test_a_generator_that_is_awaited_stays_that(seen: Capture) -> None:
    """`types.coroutine` has made it so; a plain generator around it could not be awaited."""

    @otel_ml.observe(name="fraud", output="label")
    @types.coroutine
    def score() -> Generator[Any, Any, str]:
        yield from asyncio.sleep(0).__await__()
        return "ok"

    async def main() -> str:
        """Await it."""
        return await score()

    assert asyncio.run(main()) == "ok"
    assert seen.attributes["ml.prediction.label"] == "ok"


def test_parameters_that_nobody_knows_are_told() -> None:
    """Of some functions that are not written in Python."""
    with pytest.raises(ValueError, match="observe: features: the parameters of max are not known"):
        otel_ml.observe(features="rows")(max)


def test_what_is_no_function_is_refused() -> None:
    """A value, and a parameter that takes many arguments."""
    with pytest.raises(TypeError, match="expected a function, found int"):
        otel_ml.observe(name="a")(3)  # type: ignore[type-var]  # on purpose
    with pytest.raises(TypeError, match="expected a function, found a class"):
        otel_ml.observe(dict)
    with pytest.raises(TypeError, match="found staticmethod; put @staticmethod above @observe"):
        otel_ml.observe(staticmethod(len))
    with pytest.raises(TypeError, match="found classmethod; put @classmethod above @observe"):
        otel_ml.observe(classmethod(len))  # type: ignore[type-var]  # on purpose
    with pytest.raises(ValueError, match="expected a single parameter"):
        otel_ml.observe(features="rows")(lambda *rows: rows)

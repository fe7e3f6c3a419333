"""A model that answers step by step is one inference, and stays the generator that it was."""

from collections.abc import Callable, Generator, Iterator
from typing import Any

import numpy as np
import pytest
from opentelemetry.trace import get_current_span

from otel_ml.in_force import lease, release
from otel_ml.instrumentors._answers import Answer
from otel_ml.instrumentors._boosters import Booster, Objective
from otel_ml.instrumentors._identity import Metadata
from otel_ml.instrumentors._observing import Observer
from otel_ml.instrumentors._turns import iterate
from otel_ml.record.given_up import given_up
from otel_ml.running import running
from otel_ml.settings import Settings
from otel_ml.testing import Capture
from tests.data.giving_up import Locking, drop_in_a_cycle, is_collected_under


class Model:
    """A model that answers with what it is sent, and gives its last answer once more."""

    def __init__(self) -> None:
        self.heard: list[Any] = []

    def steps(self, samples: Any) -> Generator[Any, Any, str]:
        """Yield an answer a sample, and note what the caller says meanwhile."""
        try:
            for sample in samples:
                try:
                    self.heard.append((yield np.array([sample])))
                except KeyError as error:  # noqa: PERF203 - each step may be answered so
                    self.heard.append(error)
                    yield np.array([-1.0])
        finally:
            self.heard.append("end")
        return "returned"


@pytest.fixture(name="observer")
def _observer(captured: Capture) -> Iterator[Observer]:
    """Return an observer of models that give numbers."""
    settings = Settings(capture_outputs="full")
    held = lease(settings, captured.tracer_provider, captured.meter_provider)

    def read(model: Any, is_part: bool) -> Booster:
        objective = Objective(None, Answer.SCORES)
        return Booster(settings, model, is_part, "sklearn", objective, None, Metadata())

    yield Observer(held.recorder, settings, read)
    release(held)


def iteration(observer: Observer, model: Model, *samples: float) -> Generator[Any, Any, Any]:
    """Return the observed steps of *model*."""
    return iterate(observer, Model.steps, "steps", (model, samples), {})


def test_nothing_happens_before_the_first_step(observer: Observer, captured: Capture) -> None:
    """Generators are lazy: without a step there is no inference, and none that never ends."""
    steps = iteration(observer, Model(), 1.0)
    steps.close()
    assert len(captured.spans) == 0


def test_the_last_answer_is_told_when_it_is_over(observer: Observer, captured: Capture) -> None:
    """One span for all steps, and the value that the generator returns arrives."""
    steps = iteration(observer, Model(), 1.0, 2.0)
    assert [next(steps).item(), next(steps).item()] == [1.0, 2.0]
    with pytest.raises(StopIteration) as stopped:
        next(steps)
    assert stopped.value.value == "returned"
    assert captured.attributes["ml.output.shape"] == (1,)
    assert captured.attributes["code.function.name"].endswith("Model.steps")


def test_what_is_sent_and_thrown_reaches_the_model(observer: Observer, captured: Capture) -> None:
    """As it would without us; an exception that the model deals with is no error."""
    model, mistake = Model(), KeyError("look there")
    steps = iteration(observer, model, 1.0, 2.0)
    next(steps)
    assert steps.send("hello").item() == 2.0
    assert steps.throw(mistake).item() == -1.0
    assert list(steps) == []
    assert model.heard == ["hello", mistake, "end"]
    assert "error.type" not in captured.attributes


def leave(steps: Generator[Any, Any, Any]) -> None:
    """End *steps* as `break` does."""
    steps.close()


def forget(steps: Generator[Any, Any, Any]) -> None:
    """Let go of *steps*."""


@pytest.mark.parametrize("go", [leave, forget])
def test_a_caller_that_goes_ends_the_inference(
    go: Callable[[Generator[Any, Any, Any]], None], observer: Observer, captured: Capture
) -> None:
    """The model is told, and it is no error."""
    model = Model()
    steps = iteration(observer, model, 1.0, 2.0)
    next(steps)
    go(steps)
    del steps
    assert model.heard == ["end"]
    assert "error.type" not in captured.attributes


def test_a_generator_that_garbage_collection_takes_waits_for_no_lock(
    observer: Observer, captured: Capture
) -> None:
    """Its span ends in a thread of ours: the one that collects may hold what an exporter waits for."""
    locking = Locking()
    captured.tracer_provider.add_span_processor(locking)
    steps = iteration(observer, Model(), 1.0, 2.0)
    next(steps)
    drop_in_a_cycle(steps)
    del steps

    assert is_collected_under(locking.lock)
    given_up.settle()
    assert [is_main for _, is_main in locking.ended] == [False]
    assert "error.type" not in captured.attributes


def test_an_exception_of_the_caller_that_the_model_lets_pass_is_an_error(
    observer: Observer, captured: Capture
) -> None:
    """It arrives at the caller, the same object."""
    mistake = ValueError("mine")
    steps = iteration(observer, Model(), 1.0)
    next(steps)
    with pytest.raises(ValueError, match="mine") as raised:
        steps.throw(mistake)
    assert raised.value is mistake
    assert captured.attributes["error.type"] == "ValueError"


def test_a_call_that_fails_before_its_first_step_ends(
    observer: Observer, captured: Capture
) -> None:
    """With wrong arguments there is no generator: one span with an error."""
    steps = iterate(observer, Model.steps, "steps", (Model(),), {"unknown": 1})
    with pytest.raises(TypeError):
        next(steps)
    assert captured.attributes["error.type"] == "TypeError"


def test_a_model_that_refuses_to_end_is_an_error(observer: Observer, captured: Capture) -> None:
    """The interpreter's own complaint reaches the caller, and the span ends all the same."""

    class Stubborn(Model):
        def steps(self, samples: Any) -> Generator[Any, Any, str]:
            while True:
                try:
                    yield np.array([1.0])
                except GeneratorExit:  # noqa: PERF203 - that is what it does
                    yield np.array([2.0])

    steps = iterate(observer, Stubborn.steps, "steps", (Stubborn(), [1.0]), {})
    next(steps)
    with pytest.raises(RuntimeError, match="ignored GeneratorExit"):
        steps.close()
    assert captured.attributes["error.type"] == "RuntimeError"


def test_nothing_of_ours_is_current_while_the_caller_has_its_turn(observer: Observer) -> None:
    """Whatever the caller does between two steps is none of the model's."""
    inside: list[list[int]] = []

    class Looking(Model):
        def steps(self, samples: Any) -> Generator[Any, Any, str]:
            for sample in samples:
                inside.append([*running.get()])
                yield np.array([sample])
            return "returned"

    model = Looking()
    steps = iterate(observer, Looking.steps, "steps", (model, [1.0, 2.0]), {})
    for _ in steps:
        assert not running.get()
        assert not get_current_span().is_recording()
    assert inside == [[id(model)]] * 2


def test_the_time_of_the_caller_is_not_that_of_the_model(
    observer: Observer, captured: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a clock that moves only while the caller has its turn, the model took none."""
    clock = {"now": 5.0}
    monkeypatch.setattr("otel_ml.instrumentors._turns.perf_counter", lambda: clock["now"])
    for _ in iteration(observer, Model(), 1.0, 2.0):
        clock["now"] += 100.0
    (point,) = captured.metric("ml.inference.duration")
    assert (point.count, point.sum) == (1, 0.0)


def test_the_steps_of_a_part_are_no_inference(observer: Observer, captured: Capture) -> None:
    """Of a model that iterates over another's steps the outer one is told."""

    class Outer(Model):
        def steps(self, samples: Any) -> Generator[Any, Any, str]:
            return (yield from iteration(observer, Model(), *samples))

    assert len(list(iterate(observer, Outer.steps, "steps", (Outer(), [1.0, 2.0]), {}))) == 2
    assert captured.attributes["ml.model.name"] == "Outer"

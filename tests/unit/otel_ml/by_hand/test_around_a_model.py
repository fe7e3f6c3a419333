"""Spans around the calls of a model: steps, explanations, evaluations, training."""

from collections.abc import Callable, Generator
from contextlib import AbstractContextManager
from contextvars import copy_context
from functools import partial
from typing import Any

import pytest
from opentelemetry.instrumentation.utils import suppress_instrumentation
from sklearn.linear_model import LogisticRegression

import otel_ml
from otel_ml.testing import Capture

Block = Callable[[], AbstractContextManager[Any]]

BLOCKS: dict[str, Block] = {
    "fit m": partial(otel_ml.training, "m"),
    "evaluate m": partial(otel_ml.evaluation, "m"),
    "explain m": partial(otel_ml.explanation, "m", method="lime"),
    "transform scaler": partial(otel_ml.pipeline_step, "scaler"),
}


@pytest.mark.parametrize("name", BLOCKS)
def test_a_block_is_a_span(seen: Capture, name: str) -> None:
    """Current inside of it."""
    tracer = seen.tracer_provider.get_tracer("x")
    with BLOCKS[name]():
        tracer.start_span("inside").end()
    inner, outer = seen.spans
    assert outer.name == name
    assert inner.parent is not None
    assert inner.parent.span_id == outer.context.span_id


IN_GENERATORS: dict[str, Block] = {**BLOCKS, "predict m": partial(otel_ml.inference, "m")}


@pytest.mark.parametrize("ends", [list, Generator.close])
@pytest.mark.parametrize("name", IN_GENERATORS)
def test_a_block_in_a_generator_ends_where_a_server_ends_it(
    seen: Capture, caplog: pytest.LogCaptureFixture, name: str, ends: Callable[[Any], object]
) -> None:
    """In whatever context, without an error in the log; that nobody wants the rest is no failure."""

    def stream() -> Generator[int, None, None]:
        with IN_GENERATORS[name]():
            yield from range(3)

    steps = stream()
    copy_context().run(next, steps)  # as servers do that stream from threads
    copy_context().run(ends, steps)
    (span,) = seen.spans
    assert span.name == name
    assert "error.type" not in (span.attributes or {})
    assert caplog.records == []


@pytest.mark.parametrize("name", BLOCKS)
def test_an_exception_goes_on_untouched(seen: Capture, name: str) -> None:
    """And the span names its class, not its message."""
    error = StopIteration("canary")
    with pytest.raises(StopIteration) as caught, BLOCKS[name]():
        raise error
    assert caught.value is error
    assert seen.attributes["error.type"] == "StopIteration"
    assert "canary" not in str(seen.spans[0].to_json())


@pytest.mark.parametrize(("name", "inferences"), list(zip(BLOCKS, (0, 0, 0, 1), strict=True)))
def test_calls_inside_are_inferences_only_in_a_step(
    seen: Capture, name: str, inferences: int
) -> None:
    """What training, scoring and explaining ask of a model is nobody's prediction."""
    model = LogisticRegression().fit([[0.0], [1.0]], [0, 1])
    with BLOCKS[name]():
        model.predict([[0.5]])
        with otel_ml.inference("by hand"):
            pass
    assert len(seen.spans) == 1 + 2 * inferences
    model.predict([[0.5]])
    assert seen.spans[-1].name == "predict LogisticRegression"


@pytest.mark.parametrize("name", BLOCKS)
def test_suppressed_instrumentation_makes_no_span(seen: Capture, name: str) -> None:
    """The block runs all the same."""
    ran = []
    with suppress_instrumentation(), BLOCKS[name]():
        ran.append(name)
    assert ran == [name]
    assert seen.spans == ()


def test_very_many_parameters_do_not_push_the_model_out(seen: Capture) -> None:
    """A span has room for 128 attributes: of 150 parameters the first 64 are told, and whose they are."""
    with otel_ml.training("m", parameters={f"p{number}": number for number in range(150)}):
        pass
    told = seen.attributes
    assert told["ml.model.name"] == "m"
    parameters = [key for key in told if key.startswith("ml.training.parameter.")]
    assert parameters == [f"ml.training.parameter.p{number}" for number in range(64)]


def test_a_very_long_parameter_is_cut(seen: Capture) -> None:
    """A span of megabytes would be refused, and all others of its request with it."""
    with otel_ml.training("m", parameters={"weights": list(range(100_000))}):
        pass
    assert seen.attributes["ml.training.parameter.weights"] == str(list(range(300)))[:1024]


def test_training_tells_its_epochs(seen: Capture) -> None:
    """An event per epoch and score, one without a score, and their number on the span."""
    with otel_ml.training("m", version="1", parameters={"depth": 8}) as run:
        run.epoch({"loss": 0.5, "accuracy": 0.25}, dataset="train")
        run.epoch({"loss": 0.75}, dataset="validation", index=0)
        run.epoch()
    assert seen.attributes["ml.training.epoch.count"] == 2
    assert seen.attributes["ml.training.parameter.depth"] == "8"
    told = [
        (event.get("ml.training.epoch.index"), event.get("ml.evaluation.name"))
        for event in seen.events_named("ml.training.epoch")
    ]
    assert told == [(0, "loss"), (0, "accuracy"), (0, "loss"), (1, None)]
    assert {event.span_id for event in seen.events} == {seen.spans[0].context.span_id}
    (duration,) = seen.metric("ml.training.duration")
    assert duration.count == 1


def test_a_failed_training_is_measured_as_one(seen: Capture) -> None:
    """Its duration carries the class of the exception."""
    with pytest.raises(KeyError), otel_ml.training("m"):
        raise KeyError
    (duration,) = seen.metric("ml.training.duration")
    assert duration.attributes["error.type"] == "KeyError"


@pytest.mark.parametrize("scores", [{"loss": "much"}, {"loss": None}, 5])
def test_scores_that_are_no_numbers_do_no_harm(seen: Capture, scores: Any) -> None:
    """The training goes on; the error is counted."""
    with otel_ml.training("m") as run:
        run.epoch(scores)
    (failed,) = seen.metric("ml.sdk.errors")
    assert failed.attributes["ml.sdk.error.cause"] == "record_epoch"


def test_an_evaluation_tells_its_scores(seen: Capture) -> None:
    """In the context of its span, with the model and the part of the data."""
    with otel_ml.evaluation("m", version="1", dataset="test") as scoring:
        scoring.record("accuracy", 0.75)
    (event,) = seen.events
    assert dict(event.attributes) == {
        "ml.model.name": "m",
        "ml.model.version": "1",
        "ml.evaluation.name": "accuracy",
        "ml.evaluation.value": 0.75,
        "ml.evaluation.dataset": "test",
    }
    assert event.span_id == seen.spans[0].context.span_id


@pytest.mark.parametrize(("value", "dataset"), [("good", None), (None, None), (0.5, "holdout")])
def test_an_evaluation_that_cannot_be_understood_is_refused(
    seen: Capture, value: Any, dataset: Any
) -> None:
    """Nothing is told of it, and it is counted."""
    otel_ml.record_evaluation("accuracy", value, dataset=dataset)
    assert seen.events == ()
    (failed,) = seen.metric("ml.sdk.errors")
    assert failed.attributes["ml.sdk.error.cause"] == "record_evaluation"


def test_an_unknown_method_of_explaining_is_another_one(seen: Capture) -> None:
    """`other` is what the conventions have for it."""
    with otel_ml.explanation("m", method="tea leaves"):
        pass
    assert seen.attributes["ml.explanation.method"] == "other"

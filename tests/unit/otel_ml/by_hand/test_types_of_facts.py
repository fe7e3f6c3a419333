"""What users say by hand goes on the wire in the type that the conventions give it."""

from enum import Enum
from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

import otel_ml
from otel_ml.settings import Settings
from otel_ml.testing import Capture, capture


class Device:
    """A device as a framework has it, which only its text names."""

    def __str__(self) -> str:
        """Return its name."""
        return "cuda:0"


class Untold:
    """Something that cannot even be written."""

    def __str__(self) -> str:
        """Fail."""
        raise RuntimeError

    __repr__ = __str__


class Word(str, Enum):
    """Words of a program, of which the wire has the values."""

    AGE = "age"
    MODEL = "fraud"
    OK = "ok"
    SSN = "ssn"


ODD: list[Any] = [Untold(), np.array(["a", "b"]), ["a"], 5, object()]


@pytest.mark.parametrize("odd", ODD, ids=lambda odd: type(odd).__name__)
def test_whatever_is_given_the_program_goes_on(odd: Any) -> None:
    """Every block runs, every line is passed, and nothing is raised."""
    ran = []
    with capture(Settings(capture_content="span_and_event")) as seen:
        with otel_ml.inference("fraud", prediction_id=odd, links=odd, seed=odd) as call:
            call.fallback(odd)
            call.retried(odd)
            ran.append("inference")
        with otel_ml.evaluation(odd, dataset=odd), otel_ml.pipeline_step(odd, index=odd):
            ran.append("around")
        for block in (otel_ml.evaluation, otel_ml.training, otel_ml.explanation):
            with block("fraud", framework=odd, task=odd, implementation=odd):  # type: ignore[operator]  # three of a kind
                pass
        with otel_ml.pipeline_step("fraud", operation_name=odd, framework=odd):
            pass
        with otel_ml.explanation(odd, method=odd, target=odd, prediction_id=odd) as explaining:
            explaining.record({"a": 1.0}, index=odd, prediction=odd)
            ran.append("explanation")
        with otel_ml.training(odd, parameters=odd, seed=odd) as run:
            run.epoch(odd, index=odd, dataset=odd)
            ran.append("training")
        otel_ml.record_feedback(odd, label=odd, source=odd, index=odd)
        otel_ml.record_evaluation(odd, odd, dataset=odd)
        otel_ml.record_explanation({"a": 1.0}, method=odd, target=odd, index=odd)
        otel_ml.record_internal(odd, odd, model=odd)
        assert seen.spans[0].name == "predict fraud"
        assert all(isinstance(span.name, str) for span in seen.spans)
    assert ran == ["inference", "around", "explanation", "training"]


def events_of(seen: Capture, name: str) -> dict[str, Any]:
    """Return the attributes of the one event *name*."""
    (told,) = seen.events_named(name)
    return told


def test_numbers_of_numpy_are_numbers_on_a_call(seen: Capture) -> None:
    """Sizes, seeds and thresholds come from arrays; a version from a registry that counts."""
    facts: dict[str, Any] = {"version": 3, "device": Device(), "threshold": np.float32(0.5)}
    facts |= {"seed": np.int64(7), "batch_size": np.int64(2)}
    with otel_ml.inference("fraud", **facts) as call:
        call.output(labels=["a", "b"])
    told = seen.attributes
    assert told["ml.model.version"] == "3"
    assert told["ml.device.name"] == "cuda:0"
    assert (told["ml.batch.size"], told["ml.random.seed"]) == (2, 7)
    assert (told["ml.prediction.threshold"], type(told["ml.prediction.threshold"])) == (0.5, float)


def test_metrics_of_such_a_call_can_be_sent(seen: Capture) -> None:
    """A number of numpy's in one histogram would keep all metrics of the process from being encoded."""
    size: Any = np.int64(2)
    with otel_ml.inference("fraud", batch_size=size):
        pass
    (sizes,) = seen.metric("ml.inference.batch.size")
    assert (sizes.sum, type(sizes.sum), type(sizes.max)) == (2, int, int)
    seen.conformance.check()  # which encodes them


@pytest.mark.parametrize("size", ["many", 2.5, 1 << 64, float("nan"), [2]])
def test_what_is_no_number_is_left_out(seen: Capture, size: Any) -> None:
    """The call is told all the same, and what is missing is counted."""
    with otel_ml.inference("fraud", batch_size=size, seed=size):
        pass
    assert "ml.batch.size" not in seen.attributes
    assert "ml.random.seed" not in seen.attributes
    (error,) = seen.metric("ml.sdk.errors")
    assert (error.attributes["ml.sdk.error.cause"], error.value) == ("describe_facts", 2)


@pytest.mark.parametrize("count", [-2, 10**30, 0.5])
def test_what_is_no_number_of_tries_is_left_out(seen: Capture, count: Any) -> None:
    """What was told before stays."""
    with otel_ml.inference("fraud") as call:
        call.retried()
        call.retried(count)
    assert seen.attributes["ml.retry.count"] == 1


def test_a_size_below_nothing_is_none(seen: Capture) -> None:
    """Some say -1 where they do not know it: it would be taken off the number of predictions."""
    with otel_ml.inference("fraud", batch_size=-1) as call:
        call.output(labels=["a", "b"])
    assert seen.attributes["ml.batch.size"] == 2
    (predictions,) = seen.metric("ml.inference.predictions")
    assert predictions.value == 2


def test_numbers_of_numpy_are_numbers_around_a_model(seen: Capture) -> None:
    """Of steps, evaluations, explanations and training, on spans and in metrics."""
    five: Any = np.int64(5)
    with otel_ml.pipeline_step("scale", index=five, batch_size=five):
        pass
    with (
        otel_ml.evaluation("fraud", batch_size=five),
        otel_ml.explanation("fraud", batch_size=five),
    ):
        pass
    version: Any = 3
    with otel_ml.training("fraud", version=version, sample_count=five, seed=five):
        pass
    told = [dict(span.attributes or {}) for span in seen.spans]
    assert [facts["ml.batch.size"] for facts in told[:3]] == [5, 5, 5]
    assert told[0]["ml.pipeline.step.index"] == 5
    assert (told[3]["ml.training.sample.count"], told[3]["ml.random.seed"]) == (5, 5)
    (duration,) = seen.metric("ml.training.duration")
    assert duration.attributes["ml.model.version"] == "3"


def test_numbers_of_numpy_are_numbers_afterwards(told_all: Capture) -> None:
    """A position that numpy found, a version that a registry counted."""
    second: Any = np.int64(1)
    version: Any = 3
    otel_ml.record_feedback("p7", label="a", index=second, model="fraud", version=version)
    otel_ml.record_explanation({"a": 1.0}, index=second, model="fraud", version=version)
    otel_ml.record_evaluation("accuracy", 0.5, model="fraud", version=version)
    for name in ("ml.feedback", "ml.explanation"):
        told = events_of(told_all, name)
        assert (told["ml.prediction.index"], told["ml.model.version"]) == (1, "3")
    assert events_of(told_all, "ml.evaluation.result")["ml.model.version"] == "3"
    (counted,) = told_all.metric("ml.feedback.events")
    assert counted.attributes["ml.model.version"] == "3"


def test_a_member_of_an_enumeration_of_texts_is_its_value() -> None:
    """As a name of a model, a class, a prediction: not what the code calls it."""
    model = LogisticRegression().fit([[0.0], [1.0]], [0, 1])
    with capture() as seen:
        otel_ml.register_model(model, name=Word.MODEL, class_names=[Word.OK, Word.MODEL])
        model.predict_proba([[0.0]])
        with otel_ml.inference(Word.MODEL, prediction_id=Word.OK) as call:
            call.output(label=Word.OK)
        with otel_ml.training(Word.MODEL) as run:
            run.epoch({Word.OK: 0.5})
    registered, by_hand, trained = seen.calls
    assert [span.name for span in seen.calls] == ["predict fraud", "predict fraud", "fit fraud"]
    assert {str((span.attributes or {})["ml.model.name"]) for span in seen.calls} == {"fraud"}
    assert (registered.attributes or {})["ml.prediction.label"] == "ok"
    assert (by_hand.attributes or {})["ml.prediction.id"] == "ok"
    assert trained.name == "fit fraud"
    (epoch,) = seen.events_named("ml.training.epoch")
    assert epoch["ml.evaluation.name"] == "ok"


def test_what_is_denied_is_denied_by_the_value_of_an_enumeration_too() -> None:
    """Names that a program keeps in one name features of a registered model, of a call and of attributions."""
    names, samples = [Word.AGE, Word.SSN], [[1.0, 77.0]]
    model = LogisticRegression().fit([[0.0, 0.0], [1.0, 1.0]], [0, 1])
    settings = Settings(capture_content="span_and_event", feature_denylist=("ssn",))
    with capture(settings) as seen:
        otel_ml.register_model(model, feature_names=names)
        model.predict(samples)
        with otel_ml.inference("fraud", features=samples, feature_names=names):
            otel_ml.record_explanation([0.5, 77.0], names=names)
            otel_ml.record_explanation(dict(zip(names, [0.5, 77.0], strict=True)))
    told = [(span.attributes or {})["ml.input.features"] for span in seen.calls]
    assert told == ['{"age":1.0}', '{"age":1.0}']
    explained = seen.events_named("ml.explanation")
    assert [event["ml.explanation.attributions"] for event in explained] == [{"age": 0.5}] * 2

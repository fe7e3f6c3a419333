"""Functions of loaded SavedModels become inferences; other functions of TensorFlow do not."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python.eager.polymorphic_function import concrete_function, polymorphic_function

from otel_ml import register_model
from otel_ml.testing import Capture, capture
from otel_ml_conventions import attributes as keys
from tests.data.framework_calls import attributes_of, functions_of

SAMPLES = tf.constant([[0.0, 1.0, 2.0], [1.0, 0.0, 0.5]])


class Halves(tf.Module):  # type: ignore[misc]  # published without types
    """Says of every sample that it is as likely this as that."""

    @tf.function(input_signature=[tf.TensorSpec([None, 3], name="x")])  # type: ignore[untyped-decorator]  # published without types
    def __call__(self, x: Any) -> Any:
        """Return a half for each of two classes."""
        return {"probabilities": tf.fill([tf.shape(x)[0], 2], 0.5)}


@pytest.fixture(name="place")
def place(tmp_path: Path) -> str:
    """Return the folder of a SavedModel, laid out as servers want it."""
    folder = str(tmp_path / "fraud" / "3")
    tf.saved_model.save(Halves(), folder)
    return folder


def test_a_signature_and_a_function_are_inferences(conforming: Capture, place: str) -> None:
    """Named by the folder, versioned by its number; the call is one span by either way."""
    loaded = tf.saved_model.load(place)
    ways = (
        lambda: loaded.signatures["serving_default"](x=SAMPLES),
        lambda: loaded.signatures["serving_default"](SAMPLES),
        lambda: loaded(SAMPLES),
    )
    for way in ways:
        told = attributes_of(conforming, way)
        assert told[keys.ML_FRAMEWORK_NAME] == "tensorflow"
        assert (told[keys.ML_MODEL_NAME], told[keys.ML_MODEL_VERSION]) == ("fraud", "3")
        assert (told[keys.ML_BATCH_SIZE], told[keys.ML_INPUT_FEATURE_COUNT]) == (2, 3)
        assert told[keys.ML_OUTPUT_SHAPE] == (2, 2)
        assert told[keys.ML_OUTPUT_DTYPE] == "float32"


def test_a_registered_task_says_what_the_numbers_are(conforming: Capture, place: str) -> None:
    """The file does not know that they are probabilities; whoever serves it does."""
    signature = tf.saved_model.load(place).signatures["serving_default"]
    register_model(signature, task="binary_classification", class_names=["ok", "fraud"])
    told = attributes_of(conforming, lambda: signature(x=SAMPLES[:1]))
    assert (told[keys.ML_PREDICTION_LABEL], told[keys.ML_PREDICTION_CONFIDENCE]) == ("ok", 0.5)
    assert told[keys.ML_TASK_TYPE] == "binary_classification"


def test_what_is_said_of_the_whole_holds_for_its_functions(conforming: Capture, place: str) -> None:
    """Unless something is said of one of them; what was loaded is what users have in their hands."""
    loaded = tf.saved_model.load(place)
    register_model(loaded, name="scam", task="binary_classification", class_names=["ok", "fraud"])
    register_model(loaded.signatures["serving_default"], name="served")
    told = attributes_of(conforming, lambda: loaded(SAMPLES[:1]))
    assert (told[keys.ML_MODEL_NAME], told[keys.ML_PREDICTION_LABEL]) == ("scam", "ok")
    told = attributes_of(conforming, lambda: loaded.signatures["serving_default"](x=SAMPLES))
    assert told[keys.ML_MODEL_NAME] == "served"


def test_functions_that_are_no_models_are_silent(conforming: Capture, place: str) -> None:
    """A function of the program's own, its concrete form, and a loaded one that it calls while traced."""
    loaded = tf.saved_model.load(place)
    own = tf.function(lambda x: x + loaded(x)["probabilities"][:, :1])
    own(SAMPLES)
    own.get_concrete_function(SAMPLES)(SAMPLES)
    assert list(conforming.calls) == []


def test_a_call_without_its_input_raises_tensorflows_error(captured: Capture, place: str) -> None:
    """The error arrives untouched, and its class is on the one span."""
    signature = tf.saved_model.load(place).signatures["serving_default"]
    with pytest.raises(TypeError, match="missing a required argument"):
        signature()
    assert captured.attributes[keys.ERROR_TYPE] == "TypeError"


def test_answers_are_those_without_us(place: str) -> None:
    """Same values, same type."""
    before = tf.saved_model.load(place)(SAMPLES)["probabilities"]
    with capture():
        during = tf.saved_model.load(place)(SAMPLES)["probabilities"]
    assert type(during) is type(before)
    np.testing.assert_array_equal(during.numpy(), before.numpy())


def test_uninstrumenting_puts_the_very_functions_back(place: str) -> None:
    """Also the loader, under both of its names; a model that was loaded goes on working."""
    owners = (concrete_function.ConcreteFunction, polymorphic_function.Function)
    loader = tf.saved_model.load
    before = [functions_of(owner, ["__call__"]) for owner in owners]
    with capture():
        loaded = tf.saved_model.load(place)
    assert [functions_of(owner, ["__call__"]) for owner in owners] == before
    assert tf.saved_model.load is loader
    assert loaded(SAMPLES)["probabilities"].shape == (2, 2)


def test_no_value_leaves_by_default(place: str) -> None:
    """Neither what goes in nor what comes out is on the span."""
    canary = 271828.0
    with capture() as seen:
        tf.saved_model.load(place)(tf.fill([1, 3], canary))
    (span,) = seen.calls
    assert "271828" not in span.to_json()

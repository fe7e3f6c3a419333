"""Calls of Keras models become inferences, and stay what they were."""

import threading
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from otel_ml import register_model
from otel_ml.instrumentors import instrument, uninstrument
from otel_ml.settings import Settings
from otel_ml.testing import Capture, capture
from otel_ml_conventions import attributes as keys
from tests.data.framework_calls import assert_put_back, attributes_of, round_trips

# What Keras says to numpy of its own variables.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

SAMPLES = np.array([[0.0, 1.0, 2.0], [1.0, 0.0, 0.5]], "float32")
METHODS = ("predict", "predict_on_batch", "fit", "evaluate", "train_on_batch", "test_on_batch")


@pytest.fixture(autouse=True, name="seed")
def seed() -> None:
    """Draw the same weights in every run."""
    keras.utils.set_random_seed(1)


def classifier(classes: int = 3, name: str | None = None) -> Any:
    """Return a model that gives a probability of each class."""
    layers = [keras.Input((3,)), keras.layers.Dense(classes, activation="softmax")]
    return keras.Sequential(layers, name=name)


def logistic(units: int = 1) -> Any:
    """Return a model that ends in logistic units."""
    return keras.Sequential([keras.Input((3,)), keras.layers.Dense(units, activation="sigmoid")])


WAYS: dict[str, Callable[[Any, Any], Any]] = {
    "predict": lambda model, samples: model.predict(samples, verbose=0),
    "predict_on_batch": lambda model, samples: model.predict_on_batch(samples),
    "__call__": lambda model, samples: model(samples),
}


@pytest.mark.parametrize("way", WAYS)
def test_every_way_to_ask_is_one_inference(conforming: Capture, way: str) -> None:
    """By `predict`, by batch, or by calling the model: one span with the probabilities that came back."""
    model = classifier(name="iris")
    told = attributes_of(conforming, lambda: WAYS[way](model, SAMPLES))
    answers = np.asarray(WAYS[way](model, SAMPLES))
    assert told[keys.ML_MODEL_NAME] == "iris"
    assert told[keys.ML_TASK_TYPE] == "multiclass_classification"
    assert told[keys.CODE_FUNCTION_NAME] == f"keras.src.models.sequential.Sequential.{way}"
    assert told[keys.ML_BATCH_SIZE] == 2
    assert told[keys.ML_INPUT_FEATURE_COUNT] == 3
    assert told[keys.ML_MODEL_PRECISION] == "float32"
    assert told[keys.ML_PREDICTION_CONFIDENCES] == pytest.approx(answers.max(axis=1).tolist())
    assert told[keys.ML_PREDICTION_LABELS] == tuple(map(str, answers.argmax(axis=1)))


@pytest.mark.parametrize("way", WAYS)
def test_the_answer_is_the_one_without_us(way: str) -> None:
    """Same values, same type, whoever looks on."""
    model = classifier()
    before = WAYS[way](model, SAMPLES)
    with capture():
        during = WAYS[way](model, SAMPLES)
    assert type(during) is type(before)
    np.testing.assert_array_equal(np.asarray(during), np.asarray(before))


def test_one_logistic_unit_is_the_second_of_two_classes(conforming: Capture) -> None:
    """A sigmoid gives p of class 1; the confidence is the larger of p and 1 - p."""
    model = logistic()
    told = attributes_of(conforming, lambda: model(SAMPLES[:1]))
    p = float(np.asarray(model(SAMPLES[:1]))[0, 0])
    assert told[keys.ML_TASK_TYPE] == "binary_classification"
    assert told[keys.ML_PREDICTION_LABEL] == str(int(p > 0.5))
    assert told[keys.ML_PREDICTION_CONFIDENCE] == pytest.approx(max(p, 1 - p))
    assert told[keys.ML_PREDICTION_MARGIN] == pytest.approx(abs(2 * p - 1), abs=1e-6)


def test_several_logistic_units_are_several_labels(conforming: Capture) -> None:
    """Independent answers are no distribution: their shape is told."""
    model = logistic(2)
    told = attributes_of(conforming, lambda: model(SAMPLES))
    assert told[keys.ML_TASK_TYPE] == "multilabel_classification"
    assert told[keys.ML_OUTPUT_SHAPE] == (2, 2)
    assert keys.ML_PREDICTION_CONFIDENCES not in told


def test_a_model_trained_for_a_distance_predicts_numbers() -> None:
    """Its loss says that it is a regression; numbers leave only when asked for."""
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)], name="price")
    model.compile(loss="mse")
    with capture(Settings(capture_outputs="full")) as seen:
        told = attributes_of(seen, lambda: model.predict(SAMPLES, verbose=0))
    expected = model.predict(SAMPLES, verbose=0)[:, 0].tolist()
    assert told[keys.ML_TASK_TYPE] == "regression"
    assert told[keys.ML_PREDICTION_VALUES] == pytest.approx(expected)


def test_logits_are_not_taken_for_probabilities(conforming: Capture) -> None:
    """Without an activation nobody knows what the numbers are."""
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    told = attributes_of(conforming, lambda: model(SAMPLES))
    assert told[keys.ML_OUTPUT_SHAPE] == (2, 2)
    assert keys.ML_TASK_TYPE not in told


def test_the_activation_is_found_in_models_within_models(conforming: Capture) -> None:
    """A functional model around a sequential one, and a softmax that is a layer of its own."""
    inputs = keras.Input((3,))
    outer = keras.Model(inputs, classifier(2)(inputs), name="outer")
    assert keys.ML_PREDICTION_CONFIDENCES in attributes_of(conforming, lambda: outer(SAMPLES))
    layers = [keras.Input((3,)), keras.layers.Dense(2), keras.layers.Softmax()]
    last = keras.Sequential(layers)
    assert keys.ML_PREDICTION_CONFIDENCES in attributes_of(conforming, lambda: last(SAMPLES))


def test_a_model_that_its_first_call_builds_is_known_from_the_second(conforming: Capture) -> None:
    """Before it is built it has no outputs to look at."""
    model = keras.Sequential([keras.layers.Dense(2, activation="softmax")])
    assert keys.ML_TASK_TYPE not in attributes_of(conforming, lambda: model(SAMPLES))
    told = attributes_of(conforming, lambda: model(SAMPLES))
    assert told[keys.ML_TASK_TYPE] == "binary_classification"


def test_a_model_of_several_inputs_has_them_as_features(conforming: Capture) -> None:
    """Where each input is a column they are the features of one table."""
    age, visits = keras.Input((1,), name="age"), keras.Input((1,), name="visits")
    together = keras.layers.Concatenate()([age, visits])
    model = keras.Model([age, visits], keras.layers.Dense(2, activation="softmax")(together))
    columns = {"age": SAMPLES[:, :1], "visits": SAMPLES[:, 1:2]}
    told = attributes_of(conforming, lambda: model.predict(columns, verbose=0))
    assert (told[keys.ML_BATCH_SIZE], told[keys.ML_INPUT_FEATURE_COUNT]) == (2, 2)
    told = attributes_of(conforming, lambda: model(list(columns.values())))
    assert (told[keys.ML_BATCH_SIZE], told[keys.ML_INPUT_FEATURE_COUNT]) == (2, 2)


def test_a_dataset_tells_its_size_by_what_came_out(conforming: Capture) -> None:
    """It is not read twice: the number of answers says how many samples there were."""
    dataset = tf.data.Dataset.from_tensor_slices(SAMPLES).batch(1)
    told = attributes_of(conforming, lambda: classifier().predict(dataset, verbose=0))
    assert told[keys.ML_BATCH_SIZE] == 2
    assert len(told[keys.ML_PREDICTION_LABELS]) == 2


def test_what_answers_nobody_is_no_inference(conforming: Capture) -> None:
    """Building, training, evaluating, saving and tracing: nobody is told anything."""
    model = classifier()
    keras.Model(inputs := keras.Input((3,)), model(inputs))
    model.compile(loss="sparse_categorical_crossentropy")
    classes = np.array([0, 1])
    model.fit(SAMPLES, classes, validation_data=(SAMPLES, classes), verbose=0)
    model.evaluate(SAMPLES, classes, verbose=0)
    model.train_on_batch(SAMPLES, classes)
    model.test_on_batch(SAMPLES, classes)
    with tf.GradientTape():
        model(SAMPLES, training=True)
    tf.function(model)(SAMPLES)
    keras.layers.Dense(2)(SAMPLES)
    assert list(conforming.spans) == []


def test_a_graph_may_decide_later_whether_it_trains(conforming: Capture) -> None:
    """What is no truth value yet, while a function is traced, is passed on untouched."""
    model = classifier()

    @tf.function
    def step(samples: Any, training: Any) -> Any:
        return model(samples, training=training)

    assert step(SAMPLES, tf.constant(value=False)).shape == (2, 3)
    assert list(conforming.spans) == []


def test_a_layer_that_is_registered_is_a_model(conforming: Capture) -> None:
    """Whoever serves a bare layer says so."""
    layer = keras.layers.Dense(2)
    register_model(layer, name="projection")
    assert attributes_of(conforming, lambda: layer(SAMPLES))[keys.ML_MODEL_NAME] == "projection"


def test_registered_classes_name_the_answers(conforming: Capture) -> None:
    """Keras knows positions only; what they stand for is said once."""
    model = classifier(2)
    register_model(model, name="churn", version="3", class_names=["stays", "leaves"])
    told = attributes_of(conforming, lambda: model(SAMPLES[:1]))
    expected = ("stays", "leaves")[int(np.asarray(model(SAMPLES[:1])).argmax())]
    assert told[keys.ML_PREDICTION_LABEL] == expected
    assert (told[keys.ML_MODEL_NAME], told[keys.ML_MODEL_VERSION]) == ("churn", "3")


def test_a_name_that_keras_made_up_is_the_class_name(conforming: Capture) -> None:
    """`sequential_7` depends on how many were made before: it would be another model tomorrow."""
    told = [attributes_of(conforming, lambda: classifier()(SAMPLES)) for _ in range(2)]
    assert [each[keys.ML_MODEL_NAME] for each in told] == ["Sequential", "Sequential"]


@pytest.mark.parametrize("samples", ["text", None, np.zeros((2, 5), "float32"), [], {}])
def test_a_bad_input_raises_keras_own_error(samples: Any) -> None:
    """The error is the one without us, and its class is on the one span."""
    model = classifier()
    uninstrumented = _raised(model, samples)
    with capture() as seen:
        raised = _raised(model, samples)
    assert (type(raised), str(raised)) == (type(uninstrumented), str(uninstrumented))
    (span,) = seen.spans
    assert type(raised).__name__ in str((span.attributes or {})[keys.ERROR_TYPE])


def _raised(model: Any, samples: Any) -> BaseException:
    with pytest.raises(Exception) as caught:  # noqa: PT011 - the framework's own, whatever it is
        model.predict_on_batch(samples)
    return caught.value


def test_no_value_leaves_by_default() -> None:
    """Neither what goes in nor what comes out is on the span, whatever it is."""
    canary = 271828.1828
    model = keras.Sequential([keras.Input((1,)), keras.layers.Identity()])
    with capture() as seen:
        model(np.array([[canary]], "float32"))
        model.predict(np.array([[canary]], "float32"), verbose=0)
    assert len(seen.spans) == 2
    assert "271828" not in "".join(span.to_json() for span in seen.spans)


def test_models_can_be_sent_and_copied_while_observed(conforming: Capture) -> None:
    """Pickle, cloudpickle and deepcopy give models that answer alike, each with a span."""
    model = classifier()
    for copied in round_trips(model):
        conforming.clear()
        np.testing.assert_allclose(np.asarray(copied(SAMPLES)), np.asarray(model(SAMPLES)))
        assert len(conforming.spans) == 2


def test_uninstrumenting_puts_the_very_functions_back() -> None:
    """Same functions, and in between the same signatures."""
    owner = next(cls for cls in keras.Model.__mro__ if "predict" in vars(cls))
    assert_put_back((owner, METHODS), (keras.Layer, ["__call__"]))


def test_threads_do_not_see_each_other(conforming: Capture) -> None:
    """Eight threads that call one model make a span per call."""
    model = classifier()
    threads = [
        threading.Thread(target=lambda: [model(SAMPLES) for _ in range(5)]) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(conforming.spans) == 40


def test_random_inputs_change_nothing_and_raise_nothing_of_ours() -> None:
    """Four hundred arrays of any type, shape and content: the same answer or the same error, and one span."""
    generator = np.random.default_rng(7)
    model = classifier(2)
    with capture() as seen:
        for _ in range(400):
            samples = _any_array(generator)
            seen.clear()
            outcome = _outcome(model, samples)
            assert len(seen.spans) == 1
            uninstrumented = _unobserved(model, samples, seen)
            assert outcome == uninstrumented
        assert seen.metric("ml.sdk.errors") == []


def _any_array(generator: np.random.Generator) -> Any:
    columns = generator.choice([3, 3, 3, 2, 0])
    shape = (
        int(generator.integers(0, 5)),
        int(columns),
        *([2] * int(generator.integers(0, 2) > 0.9)),
    )
    kind = generator.choice(["f2", "f4", "f8", "i4", "i8", "u1", "?", "U2", "O"])
    samples = generator.normal(size=shape) * generator.choice([1.0, 1e30, np.nan, np.inf])
    with np.errstate(all="ignore"):
        return samples.astype(str(kind))


def _outcome(model: Any, samples: Any) -> Any:
    try:
        return np.asarray(model.predict_on_batch(samples)).tobytes()
    except Exception as error:  # noqa: BLE001 - whatever the framework raises
        return type(error)


def _unobserved(model: Any, samples: Any, seen: Capture) -> Any:
    uninstrument(["keras"])
    try:
        return _outcome(model, samples)
    finally:
        instrument(
            ["keras"], tracer_provider=seen.tracer_provider, meter_provider=seen.meter_provider
        )

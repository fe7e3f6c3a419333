"""What a run of an ONNX Runtime session becomes."""

import json
import math
from collections import UserDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import helper
from onnxruntime.capi.onnxruntime_inference_collection import Session
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider

import otel_ml
from otel_ml.describe.samples import _generator as drawing
from otel_ml.record import tracing
from otel_ml.record.deferred import DeferredAttributes
from otel_ml.settings import Settings
from otel_ml.testing import Capture, capture
from otel_ml_conventions.attributes import (
    CODE_FUNCTION_NAME,
    ERROR_TYPE,
    ML_BATCH_CONFIDENCE_MEAN,
    ML_BATCH_CONFIDENCE_MIN,
    ML_BATCH_SIZE,
    ML_CALL_STREAM,
    ML_DEVICE_NAME,
    ML_FRAMEWORK_NAME,
    ML_FRAMEWORK_VERSION,
    ML_INPUT_DTYPE,
    ML_INPUT_FEATURE_COUNT,
    ML_INPUT_FEATURES,
    ML_INPUT_MISSING_COUNT,
    ML_INPUT_ROWS,
    ML_INPUT_SHAPE,
    ML_INPUT_VALUES,
    ML_MODEL_NAME,
    ML_MODEL_VERSION,
    ML_OUTPUT_DTYPE,
    ML_OUTPUT_SHAPE,
    ML_PREDICTION_CONFIDENCE,
    ML_PREDICTION_CONFIDENCES,
    ML_PREDICTION_ENTROPY,
    ML_PREDICTION_LABEL,
    ML_PREDICTION_LABELS,
    ML_PREDICTION_MARGIN,
    ML_PREDICTION_PROBABILITIES,
    ML_PREDICTION_VALUE,
    ML_PREDICTION_VALUES,
    ML_TASK_TYPE,
    ML_VALIDATION_RESULT,
)
from tests.data.onnx_sessions import (
    ANY,
    CANARY,
    FLOAT,
    columns,
    logs,
    model_of,
    session,
    session_of,
    softmax,
    total,
    value,
    zipmap,
)


@contextmanager
def instrumented(provider: TracerProvider, settings: Settings | None = None) -> Iterator[None]:
    """Instrument ONNX Runtime for the block, with spans from *provider*."""
    otel_ml.instrument(
        ["onnxruntime"],
        tracer_provider=provider,
        meter_provider=MeterProvider(),
        settings=settings or Settings(),
    )
    try:
        yield
    finally:
        otel_ml.uninstrument()


class Kept(SpanProcessor):
    """Keeps ended spans and does not look at them."""

    def __init__(self) -> None:
        self.spans: list[ReadableSpan] = []
        self.waits = False

    def on_end(self, span: ReadableSpan) -> None:
        """Keep it, and whether what is said in it waits for who looks."""
        self.spans.append(span)
        self.waits = type(span._attributes) is DeferredAttributes


def told(model: Callable[[], Any], feed: dict[str, Any]) -> tuple[bool, dict[str, Any]]:
    """Return whether what is said of a run waits for who looks, and what it is, but what no two runs share."""
    kept, provider = Kept(), TracerProvider()
    provider.add_span_processor(kept)
    with instrumented(provider):
        session = model()
        kept.spans.clear()  # that of its loading
        drawing.seed(0)
        session.run(None, feed)
    (span,) = kept.spans
    facts = dict(span.attributes or {})
    return kept.waits, {key: fact for key, fact in facts.items() if key != ML_CALL_STREAM}


@pytest.mark.parametrize("rows", [1, 3, 300])
@pytest.mark.parametrize(
    "model", [softmax, zipmap, total, partial(softmax, "y")], ids=["p", "maps", "number", "form"]
)
def test_told_later_is_told_the_same(
    model: Callable[[], Any], rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Arrays, maps and outputs of which the shape is told: what waits says what is said in the call."""
    feed = {"x": np.random.default_rng(rows).normal(size=(rows, 2)).astype(np.float32)}
    later = told(model, feed)
    monkeypatch.setattr(tracing, "is_sdk_known", bool)
    assert later == (True, told(model, feed)[1])


def test_of_a_large_answer_whose_form_is_told_the_samples_can_wait() -> None:
    """The answer is not copied, its shape and type are told, beside the samples as they were."""
    kept, provider = Kept(), TracerProvider()
    provider.add_span_processor(kept)
    feed = {"x": np.ones((3000, 2), dtype=np.float32)}
    model = softmax("y")
    with instrumented(provider, Settings(capture_content="span_only")):
        model.run(None, feed)
        feed["x"][:] = CANARY
    (span,) = kept.spans
    facts = dict(span.attributes or {})
    assert kept.waits
    assert (facts[ML_OUTPUT_SHAPE], facts[ML_OUTPUT_DTYPE]) == ((3000, 2), "float32")
    assert {tuple(row.values()) for row in json.loads(str(facts[ML_INPUT_ROWS]))} == {(1.0, 1.0)}


def test_a_large_answer_that_is_not_finite_is_told_of() -> None:
    """That its values are not kept does not keep it from being checked."""
    model = softmax("y")
    with capture() as seen:
        model.run(None, {"x": np.full((3000, 2), np.inf, dtype=np.float32)})
    assert seen.attributes[ML_VALIDATION_RESULT] == "warn"


def test_a_run_is_one_inference(conforming: Capture) -> None:
    """Who, of which framework, what is asked, and how sure the model is, by its own output."""
    model = softmax()
    output = model.run(None, logs((1, 3)))
    attributes = conforming.attributes
    assert output[0].tolist() == [[0.25, 0.75]]
    assert conforming.calls[0].name == "predict churn"
    kind = f"{Session.__module__}.InferenceSession"
    expected = {
        ML_MODEL_NAME: "churn",
        ML_MODEL_VERSION: "3",
        ML_FRAMEWORK_NAME: "onnxruntime",
        ML_FRAMEWORK_VERSION: ort.__version__,
        ML_TASK_TYPE: "binary_classification",
        ML_DEVICE_NAME: "cpu",
        CODE_FUNCTION_NAME: f"{kind}.run",
        ML_BATCH_SIZE: 1,
        ML_INPUT_FEATURE_COUNT: 2,
        ML_INPUT_MISSING_COUNT: 0,
        ML_PREDICTION_CONFIDENCE: 0.75,
        ML_PREDICTION_MARGIN: 0.5,
    }
    assert {key: attributes.get(key) for key in expected} == expected
    assert attributes[ML_PREDICTION_ENTROPY] == pytest.approx(2 - 0.75 * math.log2(3))
    assert ML_PREDICTION_LABEL not in attributes  # nobody said what the columns are


def test_a_batch_is_one_inference(conforming: Capture) -> None:
    """Each sample's confidence, their mean and the lowest."""
    softmax().run(["probabilities"], logs((1, 3), (1, 1)))
    attributes = conforming.attributes
    assert attributes[ML_PREDICTION_CONFIDENCES] == (0.75, 0.5)
    assert (attributes[ML_BATCH_CONFIDENCE_MEAN], attributes[ML_BATCH_CONFIDENCE_MIN]) == (
        0.625,
        0.5,
    )
    (point,) = conforming.metric("ml.prediction.confidence")
    assert (point.count, point.sum) == (2, 1.25)


def test_maps_of_probabilities_are_read(full: Capture) -> None:
    """The label is the model's own, and all probabilities are told where they are asked for."""
    zipmap().run(None, logs((1, 3)))
    attributes = full.attributes
    assert attributes[ML_PREDICTION_LABEL] == "1"
    assert attributes[ML_PREDICTION_CONFIDENCE] == 0.75
    assert json.loads(attributes[ML_PREDICTION_PROBABILITIES]) == {"0": 0.25, "1": 0.75}


def sigmoid(output: str) -> ort.InferenceSession:
    """Return a binary classifier as networks are exported: the probability of one class, in one column."""
    node = helper.make_node("Sigmoid", ["x"], [output])
    return session([node], [value("x", ANY, 1)], [value(output, ANY, 1)])


@pytest.mark.parametrize("probabilities", [[0.75], [0.25], [0.9999], [0.9999, 0.25, 0.9999]])
def test_one_column_of_probabilities_is_the_second_class_of_two(
    full: Capture, probabilities: list[float]
) -> None:
    """Every call has its confidence, that of the more probable class, not only those close to 1."""
    model = sigmoid("probability")
    otel_ml.register_model(model, class_names=["stays", "leaves"])
    logits = np.log(np.array(probabilities) / (1 - np.array(probabilities)))
    model.run(None, {"x": logits.reshape(-1, 1).astype("f4")})
    expected = [max(each, 1 - each) for each in probabilities]
    attributes = full.attributes
    told = attributes.get(ML_PREDICTION_CONFIDENCES, (attributes.get(ML_PREDICTION_CONFIDENCE),))
    assert told == pytest.approx(expected, abs=1e-6)
    labels = attributes.get(ML_PREDICTION_LABELS, (attributes.get(ML_PREDICTION_LABEL),))
    assert labels == tuple("leaves" if each > 0.5 else "stays" for each in probabilities)
    (confidences,) = full.metric("ml.prediction.confidence")
    assert confidences.sum == pytest.approx(sum(expected), abs=1e-5)


@pytest.mark.parametrize("logit", [0.3, 20.0])
def test_one_column_that_may_be_a_logit_has_no_confidence(captured: Capture, logit: float) -> None:
    """Of an output without a name for it nobody knows what it is, also where it is close to 1."""
    model = sigmoid("output")
    otel_ml.register_model(model, task="binary_classification")
    model.run(None, {"x": np.array([[logit]], dtype="f4")})
    assert captured.attributes[ML_OUTPUT_SHAPE] == (1, 1)
    assert captured.metric("ml.prediction.confidence") == []


def test_arrays_of_probabilities_of_several_targets_are_no_distribution(captured: Capture) -> None:
    """A sequence with an array for each target is what converters make of a model with several."""
    nodes = [
        helper.make_node("Softmax", ["x"], ["p"], axis=1),
        helper.make_node("SequenceConstruct", ["p", "p"], ["probabilities"]),
    ]
    arrays = helper.make_sequence_type_proto(helper.make_tensor_type_proto(FLOAT, shape=None))
    outputs = [helper.make_value_info("probabilities", arrays)]
    session(nodes, [value("x", ANY, 2)], outputs).run(None, logs((1, 3), (3, 1)))
    assert ML_PREDICTION_CONFIDENCES not in captured.attributes
    assert captured.metric("ml.sdk.errors") == []


def test_what_users_call_the_classes_comes_first(captured: Capture) -> None:
    """A registered name and class names replace the model's own."""
    model = zipmap()
    otel_ml.register_model(model, name="leaving", class_names=["stays", "leaves"])
    model.run(None, logs((1, 3), (3, 1)))
    assert captured.attributes[ML_MODEL_NAME] == "leaving"
    assert captured.attributes[ML_PREDICTION_LABELS] == ("leaves", "stays")


@pytest.mark.parametrize("by_name", [False, True])
def test_outputs_are_known_by_the_names_asked_for(captured: Capture, by_name: bool) -> None:
    """Whoever asks for the label alone, or for both the other way round, gets them read as such."""
    model, feed = zipmap(), logs((1, 3))
    for asked in (["output_label"], ["output_probability", "output_label"]):
        if by_name:
            model.run(output_names=asked, input_feed=feed)
        else:
            model.run(asked, input_feed=feed)
    label_only, both = (dict(span.attributes or {}) for span in captured.calls)
    assert label_only[ML_PREDICTION_LABEL] == both[ML_PREDICTION_LABEL] == "1"
    assert ML_PREDICTION_CONFIDENCE not in label_only
    assert both[ML_PREDICTION_CONFIDENCE] == 0.75


def test_labels_stand_beside_their_own_confidence(captured: Capture) -> None:
    """Of a batch that is too large to be told, label and confidence are of the same samples."""
    sure = [(1, 3) if number % 2 else (9, 1) for number in range(500)]
    zipmap().run(None, logs(*sure))
    told = captured.attributes
    pairs = zip(told[ML_PREDICTION_LABELS], told[ML_PREDICTION_CONFIDENCES], strict=True)
    assert {(label, round(confidence, 3)) for label, confidence in pairs} == {
        ("1", 0.75),
        ("0", 0.9),
    }


def test_numbers_are_told_only_if_asked_for(captured: Capture) -> None:
    """By default the shape of a regressor's output leaves, not its values."""
    total().run(None, {"x": np.array([[1.5, 2.0]], dtype=np.float32)})
    assert captured.attributes[ML_TASK_TYPE] == "regression"
    assert captured.attributes[ML_OUTPUT_SHAPE] == (1, 1)
    assert ML_PREDICTION_VALUE not in captured.attributes


def test_numbers_that_are_asked_for_are_the_models(full: Capture) -> None:
    """Each sample's number, as the framework gave it."""
    feed = {"x": np.array([[1.5, 2.0], [3.0, 4.0]], dtype=np.float32)}
    (output,) = total().run(None, feed)
    assert full.attributes[ML_PREDICTION_VALUES] == tuple(output.reshape(-1).tolist())


def test_an_unknown_output_tells_its_shape_until_its_task_is_said(captured: Capture) -> None:
    """Nothing is guessed from numbers; with a registered task they are read."""
    model = softmax("y")
    model.run(None, logs((1, 3)))
    assert captured.attributes[ML_OUTPUT_SHAPE] == (1, 2)
    assert captured.attributes[ML_OUTPUT_DTYPE] == "float32"
    assert ML_TASK_TYPE not in captured.attributes
    captured.clear()
    otel_ml.register_model(model, task="binary_classification", class_names=["no", "yes"])
    model.run(None, logs((1, 3)))
    assert captured.attributes[ML_PREDICTION_LABEL] == "yes"


@pytest.mark.parametrize(
    ("classes", "task"),
    [(2, "binary_classification"), (5, "multiclass_classification"), ("K", None)],
)
def test_the_task_is_told_by_the_declared_classes(
    captured: Capture, classes: Any, task: str | None
) -> None:
    """A model that does not declare their number is not said to have any."""
    node = helper.make_node("Softmax", ["x"], ["probabilities"], axis=1)
    model = session([node], [value("x", ANY, classes)], [value("probabilities", ANY, classes)])
    model.run(None, {"x": np.zeros((1, 5 if classes == 5 else 2), dtype=np.float32)})
    assert captured.attributes.get(ML_TASK_TYPE) == task


def test_one_column_inputs_are_features(full: Capture) -> None:
    """Inputs of one column each are the columns of one table, named as the model names them."""
    feed = {
        "visits": np.array([[7.0]], dtype=np.float32),  # in any order
        "age": np.array([[41.0]], dtype=np.float32),
    }
    columns().run(None, feed)
    assert json.loads(full.attributes[ML_INPUT_FEATURES]) == {"age": 41.0, "visits": 7.0}
    assert full.attributes[ML_INPUT_FEATURE_COUNT] == 2


def test_one_column_inputs_of_a_batch_are_rows(full: Capture) -> None:
    """Each captured sample holds its own values of all inputs."""
    feed = {"age": np.array([[1.0], [2.0]], "f"), "visits": np.array([[10.0], [20.0]], "f")}
    columns().run(None, feed)
    assert json.loads(full.attributes[ML_INPUT_ROWS]) == [
        {"age": 1.0, "visits": 10.0},
        {"age": 2.0, "visits": 20.0},
    ]


def test_a_denied_input_stays_in_the_process() -> None:
    """The names of inputs are names of features: a list of denied ones holds for them."""
    settings = Settings(capture_content="span_only", feature_denylist=("age",))
    with capture(settings) as seen:
        columns().run(None, {"age": np.array([[CANARY]], "f"), "visits": np.array([[7.0]], "f")})
        assert json.loads(seen.attributes[ML_INPUT_FEATURES]) == {"visits": 7.0}


def test_several_wide_inputs_tell_samples_and_missing_values(full: Capture) -> None:
    """The first input declared says how many samples there are; missing values are counted in all."""
    node = helper.make_node("Add", ["x", "scale"], ["y"])
    model = session([node], [value("x", ANY, 2), value("scale")], [value("y", ANY, 2)])
    model.run(
        None,
        {"scale": np.array(np.nan, "f"), "x": np.array([[1, np.nan], [2, 3], [4, 5]], "f")},
    )
    attributes = full.attributes
    assert (attributes[ML_BATCH_SIZE], attributes[ML_INPUT_MISSING_COUNT]) == (3, 2)
    assert ML_INPUT_FEATURE_COUNT not in attributes
    assert not {ML_INPUT_FEATURES, ML_INPUT_ROWS, ML_INPUT_VALUES} & attributes.keys()


def test_a_tensor_with_more_axes_tells_its_shape(captured: Capture) -> None:
    """An image has no features; its shape and type are told."""
    node = helper.make_node("Relu", ["x"], ["y"])
    model = session([node], [value("x", ANY, 3, 4, 4)], [value("y", ANY, 3, 4, 4)])
    model.run(None, {"x": np.ones((2, 3, 4, 4), "f")})
    assert captured.attributes[ML_INPUT_SHAPE] == (2, 3, 4, 4)
    assert captured.attributes[ML_INPUT_DTYPE] == "float32"
    assert captured.attributes[ML_BATCH_SIZE] == 2


def test_values_on_devices_are_not_asked_for(
    conforming: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of `OrtValue`s and bindings only shape and type are told, and nothing is copied."""
    model, fed = softmax(), ort.OrtValue.ortvalue_from_numpy(logs((1, 3))["x"])
    binding = model.io_binding()
    binding.bind_ortvalue_input("x", fed)
    binding.bind_output("probabilities")
    with monkeypatch.context() as forbidden:
        for owner, method in (
            (ort.OrtValue, "numpy"),
            (ort.OrtValue, "__array__"),
            (ort.IOBinding, "copy_outputs_to_cpu"),
        ):
            forbidden.setattr(owner, method, _refused, raising=False)  # older ones have no array
        (answer,) = model.run_with_ort_values(None, {"x": fed})
        model.run_with_iobinding(binding)
    assert answer.numpy().tolist() == [[0.25, 0.75]]
    for span in conforming.calls:
        attributes = dict(span.attributes or {})
        assert attributes[ML_OUTPUT_SHAPE] == (1, 2)
        assert attributes[ML_OUTPUT_DTYPE] == "float32"
        assert attributes[ML_BATCH_SIZE] == 1
        assert (
            attributes["ml.validation.result"] == "pass"
        )  # that a binding returns nothing is right
    assert conforming.metric("ml.sdk.errors") == []


@pytest.mark.parametrize("kind", [MappingProxyType, UserDict])
def test_a_feed_is_any_mapping(conforming: Capture, kind: Callable[[Any], Any]) -> None:
    """As ONNX Runtime takes it; its first versions refuse what is no dict, and that is told of the same input."""
    with suppress(TypeError):
        softmax().run(None, kind(logs((1, 3), (2, 2))))
    assert conforming.attributes[ML_INPUT_FEATURE_COUNT] == 2


def _refused(*_args: Any, **_kwargs: Any) -> Any:
    raise AssertionError("a value was asked for")


def test_an_answer_on_a_device_is_counted_only_where_it_has_a_row_per_sample(
    captured: Capture,
) -> None:
    """A binding's inputs cannot be asked; an output of another length does not stand for them."""
    node = helper.make_node("Transpose", ["x"], ["y"])
    model = session([node], [value("x", ANY, 2)], [value("y", 2, ANY)])
    binding = model.io_binding()
    binding.bind_cpu_input("x", np.ones((5, 2), "f"))
    binding.bind_output("y")
    model.run_with_iobinding(binding)
    assert captured.attributes[ML_OUTPUT_SHAPE] == (2, 5)
    assert ML_BATCH_SIZE not in captured.attributes


def test_a_session_that_cannot_be_made_is_told(conforming: Capture) -> None:
    """Of bytes that are no model the class of the session is known, and what went wrong; nothing is in memory."""
    with pytest.raises(ort.capi.onnxruntime_pybind11_state.InvalidProtobuf):
        session_of(b"no model")
    (span,) = conforming.spans
    assert span.name == "load InferenceSession"
    assert str((span.attributes or {})[ERROR_TYPE]).endswith("InvalidProtobuf")
    assert conforming.metric("ml.model.loaded") == []


@pytest.mark.parametrize("name", ["main_graph", "torch-jit-export", "0123456789abcdef" * 2])
def test_a_name_that_an_exporter_made_up_gives_way_to_the_files(
    captured: Capture, tmp_path: Path, name: str
) -> None:
    """Of the path only the file's own name is told."""
    node = helper.make_node("Relu", ["x"], ["y"])
    model = model_of([node], [value("x", ANY, 2)], [value("y", ANY, 2)], name, 0)
    file = tmp_path / "fraud.onnx"
    onnx.save(model, file)
    feed = {"x": np.ones((1, 2), "f")}
    session_of(str(file)).run(None, feed)
    session_of(model.SerializeToString()).run(None, feed)
    of_file, of_bytes = (dict(span.attributes or {}) for span in captured.calls)
    assert of_file[ML_MODEL_NAME] == "fraud"
    assert of_bytes[ML_MODEL_NAME] == "InferenceSession"
    assert ML_MODEL_VERSION not in of_file
    assert str(tmp_path) not in str(of_file)


def test_the_files_own_metadata_say_who_it_is(captured: Capture) -> None:
    """`model_name` and `model_version`, where whoever exported the model has set them."""
    node = helper.make_node("Relu", ["x"], ["y"])
    model = model_of([node], [value("x", ANY, 2)], [value("y", ANY, 2)], "graph of mine", 2)
    helper.set_model_props(model, {"model_name": "fraud", "model_version": "2026-11"})
    session_of(model.SerializeToString()).run(None, {"x": np.ones((1, 2), "f")})
    assert captured.attributes[ML_MODEL_NAME] == "fraud"
    assert captured.attributes[ML_MODEL_VERSION] == "2026-11"


def test_a_session_that_changes_its_device_is_read_anew(
    captured: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`set_providers` makes another session of it."""
    model, feed = softmax(), logs((1, 3))
    model.run(None, feed)
    monkeypatch.setattr(model, "_providers", ["CUDAExecutionProvider"])
    monkeypatch.setattr(model, "_provider_options", {"CUDAExecutionProvider": {"device_id": "1"}})
    model.run(None, feed)
    monkeypatch.setattr(model, "_reset_session", lambda *_: None)
    model.set_providers(["CUDAExecutionProvider"])
    model.run(None, feed)
    devices = [(span.attributes or {})[ML_DEVICE_NAME] for span in captured.calls]
    assert devices == ["cpu", "cpu", "cuda:1"]

"""What a call of a PyTorch module becomes."""

import json
import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

import otel_ml
from otel_ml.testing import Capture
from otel_ml_conventions.attributes import (
    CODE_FUNCTION_NAME,
    ML_BATCH_SIZE,
    ML_DEVICE_NAME,
    ML_FRAMEWORK_NAME,
    ML_FRAMEWORK_VERSION,
    ML_INPUT_DTYPE,
    ML_INPUT_FEATURE_COUNT,
    ML_INPUT_FEATURES,
    ML_INPUT_MISSING_COUNT,
    ML_INPUT_SHAPE,
    ML_MODEL_NAME,
    ML_MODEL_PRECISION,
    ML_MODEL_TYPE,
    ML_OUTPUT_DTYPE,
    ML_OUTPUT_SHAPE,
    ML_PREDICTION_CONFIDENCE,
    ML_PREDICTION_CONFIDENCES,
    ML_PREDICTION_ENTROPY,
    ML_PREDICTION_LABEL,
    ML_PREDICTION_PROBABILITIES,
    ML_PREDICTION_VALUES,
    ML_TASK_TYPE,
)
from tests.data.torch_networks import CANARY, SAMPLES, WARNINGS, Fixed, Net

pytestmark = pytest.mark.filterwarnings(*WARNINGS)


def test_a_call_is_one_inference(conforming: Capture, net: Net) -> None:
    """One span for all layers: who, where, in which precision, and the shapes; nothing is guessed."""
    output = net(SAMPLES)
    attributes = conforming.attributes
    kind = f"{Net.__module__}.Net"
    expected = {
        ML_MODEL_NAME: "Net",
        ML_MODEL_TYPE: kind,
        ML_FRAMEWORK_NAME: "pytorch",
        ML_FRAMEWORK_VERSION: str(torch.__version__),
        ML_DEVICE_NAME: "cpu",
        ML_MODEL_PRECISION: "float32",
        CODE_FUNCTION_NAME: f"{kind}.forward",
        ML_BATCH_SIZE: 2,
        ML_INPUT_FEATURE_COUNT: 4,
        ML_INPUT_MISSING_COUNT: 0,
        ML_OUTPUT_SHAPE: tuple(output.shape),
        ML_OUTPUT_DTYPE: "float32",
    }
    assert {key: attributes.get(key) for key in expected} == expected
    assert not {ML_PREDICTION_CONFIDENCES, ML_TASK_TYPE} & attributes.keys()
    assert output.requires_grad  # as without us


def test_training_is_no_inference(captured: Capture, net: Net) -> None:
    """Neither of a network, nor of its parts in evaluation mode, nor through one into its input."""
    net.train()
    net.body.eval()
    loss = nn.CrossEntropyLoss()(net(SAMPLES), torch.tensor([0, 1]))
    loss.backward()
    net.eval()
    net(torch.ones(2, 4, requires_grad=True)).sum().backward()
    net(samples=torch.ones(2, 4, requires_grad=True)).sum().backward()
    assert captured.spans == ()


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_without_gradients_any_call_is_an_inference(
    captured: Capture, net: Net, mode: Callable[[], Any]
) -> None:
    """Also of a network that was left in training mode: nothing can be learned from that."""
    with mode():
        net.train()(SAMPLES)
    assert len(captured.spans) == 1


def test_layers_and_losses_are_no_models_until_they_are_registered(captured: Capture) -> None:
    """What people use beside models, or call a model's layers by hand with, stays silent."""
    layer = nn.Linear(4, 2).eval()
    layer(SAMPLES)
    nn.MSELoss()(SAMPLES, SAMPLES)
    Net().eval().forward(SAMPLES)  # past the model: its sequence of layers is what is seen
    assert [span.name for span in captured.spans] == ["predict Sequential"]
    captured.clear()
    otel_ml.register_model(layer, name="score")
    layer(SAMPLES)
    assert [span.name for span in captured.spans] == ["predict score"]


def softmax_of_logs(*layers: nn.Module) -> nn.Sequential:
    """Return a network whose answers are known: of log 1 and log 3 a softmax makes 1/4 and 3/4."""
    return nn.Sequential(nn.Identity(), *layers).eval()


LOGS = torch.tensor([[0.0, math.log(3)]])


@pytest.mark.parametrize("last", [nn.Softmax(dim=1), nn.Softmax(dim=-1), nn.LogSoftmax(dim=1)])
def test_a_network_that_ends_in_a_softmax_tells_its_confidence(
    conforming: Capture, last: nn.Module
) -> None:
    """Also in the last of nested sequences."""
    softmax_of_logs(nn.Sequential(nn.Identity(), last))(LOGS)
    attributes = conforming.attributes
    assert attributes[ML_PREDICTION_CONFIDENCE] == pytest.approx(0.75)
    assert attributes[ML_PREDICTION_ENTROPY] == pytest.approx(2 - 0.75 * math.log2(3), abs=1e-6)


def test_a_network_that_ends_in_a_sigmoid_tells_its_confidence(captured: Capture) -> None:
    """One number stands for two classes; several are labels of their own, of which nothing is told."""
    network = softmax_of_logs(nn.Sigmoid())
    network(torch.tensor([[math.log(3)], [-math.log(9)]]))
    network(torch.tensor([[0.0, 1.0, 2.0]]))
    of_two, of_labels = (dict(span.attributes or {}) for span in captured.spans)
    assert of_two[ML_PREDICTION_CONFIDENCES] == pytest.approx((0.75, 0.9))
    assert ML_PREDICTION_CONFIDENCE not in of_labels
    assert of_labels[ML_OUTPUT_SHAPE] == (1, 3)


def test_logits_are_read_where_the_task_is_registered(full: Capture) -> None:
    """Class names and task make classes and confidence of logits."""
    model = Fixed(LOGS).eval()
    otel_ml.register_model(model, task="binary_classification", class_names=["stays", "leaves"])
    model(SAMPLES[:1])
    attributes = full.attributes
    assert attributes[ML_PREDICTION_LABEL] == "leaves"
    assert attributes[ML_PREDICTION_CONFIDENCE] == pytest.approx(0.75)
    told = json.loads(attributes[ML_PREDICTION_PROBABILITIES])
    assert told == pytest.approx({"stays": 0.25, "leaves": 0.75})


def test_a_single_sample_needs_no_axis_of_its_own(captured: Capture) -> None:
    """A row of features in, a distribution out: one prediction, not one for each class."""
    softmax_of_logs(nn.Softmax(-1))(torch.tensor([0.0, math.log(3)]))
    softmax_of_logs(nn.LogSoftmax(-1))(torch.tensor([0.0, math.log(3)]))
    for span in captured.spans:
        attributes = dict(span.attributes or {})
        assert attributes[ML_BATCH_SIZE] == 1
        assert attributes[ML_PREDICTION_CONFIDENCE] == pytest.approx(0.75)
    (counted,) = captured.metric("ml.inference.predictions")
    assert counted.value == 2


def test_a_number_for_each_sample_is_no_distribution(captured: Capture) -> None:
    """Probabilities of the second class, squeezed: as many as samples, and of nobody are the classes known."""
    model = Fixed(torch.tensor([0.25, 0.75])).eval()
    otel_ml.register_model(model, task="binary_classification")
    model(SAMPLES[:2])
    assert captured.attributes[ML_BATCH_SIZE] == 2
    assert ML_PREDICTION_CONFIDENCE not in captured.attributes


def test_numbers_are_read_where_the_task_is_registered(full: Capture, net: Net) -> None:
    """They are the model's own, and only where they are asked for."""
    model = nn.Sequential(net, nn.Linear(3, 1)).eval()
    otel_ml.register_model(model, task="regression")
    output = model(SAMPLES)
    assert full.attributes[ML_PREDICTION_VALUES] == tuple(output.reshape(-1).tolist())


def test_one_logit_is_not_taken_for_a_probability(captured: Capture) -> None:
    """A number between 0 and 1 may be either."""
    model = Fixed(torch.tensor([[0.25]])).eval()
    otel_ml.register_model(model, task="binary_classification")
    model(SAMPLES[:1])
    assert ML_PREDICTION_CONFIDENCE not in captured.attributes


class Config:
    """What Hugging Face's models carry."""

    problem_type = "single_label_classification"
    num_labels = 2
    id2label = {0: "stays", 1: "leaves"}  # noqa: RUF012 - as there
    _name_or_path = "somebody/churn"
    _commit_hash = "0123abc"


def test_a_configuration_tells_the_problem(captured: Capture) -> None:
    """A model of Hugging Face's, called by itself: logits by name, classes and identity as configured."""
    model = Fixed({"loss": None, "logits": LOGS}).eval()
    model.config = Config()
    model(input_ids=torch.ones(1, 9, dtype=torch.int64))
    attributes = captured.attributes
    assert attributes[ML_MODEL_NAME] == "somebody/churn"
    assert attributes[ML_TASK_TYPE] == "binary_classification"
    assert attributes[ML_PREDICTION_LABEL] == "leaves"
    assert attributes[ML_INPUT_SHAPE] == (1, 9)
    assert ML_INPUT_FEATURE_COUNT not in attributes  # pieces of a text are no features


@pytest.mark.parametrize(
    ("samples", "size", "shape", "dtype"),
    [
        (torch.ones(2, 3, 5, 5), 2, (2, 3, 5, 5), "float32"),
        (torch.ones(4), None, (4,), "float32"),
        (torch.tensor(1.0), None, (), "float32"),
        (torch.ones(3, 7, dtype=torch.int64), 3, (3, 7), "int64"),
        (torch.ones(0, 3, 2, dtype=torch.float16), 0, (0, 3, 2), "float16"),
    ],
)
def test_what_is_no_table_tells_its_shape(
    captured: Capture, samples: Any, size: int | None, shape: tuple[int, ...], dtype: str
) -> None:
    """Images, texts, single samples: of a single axis nobody knows what it counts."""
    Fixed(None).eval()(samples)
    attributes = captured.attributes
    assert attributes.get(ML_BATCH_SIZE) == size
    assert attributes[ML_INPUT_SHAPE] == shape
    assert attributes[ML_INPUT_DTYPE] == dtype
    assert ML_INPUT_FEATURE_COUNT not in attributes


def test_missing_values_are_counted(captured: Capture, net: Net) -> None:
    """In the processor's memory."""
    net(torch.tensor([[1.0, math.nan, 3.0, math.nan]]))
    assert captured.attributes[ML_INPUT_MISSING_COUNT] == 2


def test_features_have_names_where_they_are_registered(full: Capture, net: Net) -> None:
    """Content that is asked for is told by name, exactly."""
    otel_ml.register_model(net, feature_names=["a", "b", "c", "d"])
    net(torch.tensor([[1.0, 2.0, 3.0, 0.25]]))
    told = json.loads(full.attributes[ML_INPUT_FEATURES])
    assert told == {"a": 1.0, "b": 2.0, "c": 3.0, "d": 0.25}


def test_no_value_leaves_by_default(captured: Capture, net: Net) -> None:
    """Neither of an input nor of an output."""
    Fixed(torch.tensor([[CANARY]])).eval()(torch.full((1, 2), CANARY))
    net(torch.full((1, 4), CANARY))
    assert "42424" not in str([span.to_json() for span in captured.spans])

"""What counts as a sample, a model and a probability of PyTorch's where it is easily taken for another thing."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations
from torch.nn.utils.rnn import pack_sequence
from torch.optim.swa_utils import AveragedModel

from otel_ml import register_model
from otel_ml.testing import Capture
from otel_ml_conventions.attributes import (
    ML_BATCH_SIZE,
    ML_INPUT_FEATURE_COUNT,
    ML_INPUT_SHAPE,
    ML_MODEL_NAME,
    ML_OUTPUT_SHAPE,
    ML_PREDICTION_CONFIDENCE,
    ML_PREDICTION_CONFIDENCES,
    ML_VALIDATION_RESULT,
)
from tests.data.torch_networks import SAMPLES, Fixed, Net, names

IMAGES = [torch.ones(3, 32, 32), torch.ones(3, 24, 40)]


@pytest.mark.parametrize(
    ("samples", "shape"),
    [
        (IMAGES, (3, 32, 32)),
        (tuple(IMAGES), (3, 32, 32)),
        ({"images": IMAGES}, (3, 32, 32)),
        (pack_sequence([torch.ones(5, 4), torch.ones(3, 4)]), (8, 4)),
    ],
)
def test_the_axes_of_one_of_many_samples_count_none(
    captured: Capture, samples: Any, shape: tuple[int, ...]
) -> None:
    """Two images in a list are not three for having three colours, nor two series eight for their steps."""
    Fixed(None).eval()(samples)
    told = captured.attributes
    assert ML_BATCH_SIZE not in told
    assert ML_INPUT_FEATURE_COUNT not in told
    assert told[ML_INPUT_SHAPE] == shape


def test_the_answers_count_samples_that_came_in_a_list(captured: Capture) -> None:
    """Where it is known what is answered of each."""
    model = Fixed(torch.tensor([[0.25, 0.75], [0.5, 0.5]])).eval()
    register_model(model, task="binary_classification")
    model(IMAGES)
    assert captured.attributes[ML_BATCH_SIZE] == 2
    assert captured.attributes[ML_PREDICTION_CONFIDENCES] == (0.75, 0.5)


def test_inputs_by_name_count_samples(captured: Capture) -> None:
    """As what collates samples gives them."""
    Fixed(None).eval()({"age": torch.ones(6, 1), "city": torch.ones(6, 3)})
    assert captured.attributes[ML_BATCH_SIZE] == 6


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors")
@pytest.mark.parametrize("layout", [torch.jagged, torch.strided], ids=str)
def test_samples_of_several_lengths_have_no_shape(
    conforming: Capture, caplog: pytest.LogCaptureFixture, layout: torch.layout
) -> None:
    """Of ragged tensors one length is a symbol, which no attribute can hold, or asking for it raises; nobody is warned of it."""
    ragged = torch.nested.nested_tensor([torch.ones(2, 4), torch.ones(3, 4)], layout=layout)
    nn.Sequential(nn.Linear(4, 3)).eval()(ragged)
    assert ML_INPUT_SHAPE not in conforming.attributes
    assert conforming.metric("ml.sdk.errors") == []
    assert caplog.records == []


def test_weights_that_are_worked_out_are_no_models(captured: Capture) -> None:
    """Reading one calls a module; so does the layer, which is a part of models as any other."""
    model = nn.Sequential(parametrizations.spectral_norm(nn.Linear(4, 3))).eval()
    layer: Any = model[0]
    assert layer.weight.shape == (3, 4)
    layer(SAMPLES)
    assert names(captured) == []
    model(SAMPLES)
    assert names(captured) == ["predict Sequential"]


def test_averaged_weights_are_called_as_their_network(captured: Capture, net: Net) -> None:
    """What averages stands in front of the network and is in training as little as that is."""
    AveragedModel(net)(SAMPLES)
    assert captured.attributes[ML_MODEL_NAME] == "Net"


def test_labels_that_happen_to_add_up_to_one_are_no_distribution(captured: Capture) -> None:
    """Each logistic output of several is a label of its own, whatever the others are."""
    labels = nn.Sequential(nn.Identity(), nn.Sigmoid()).eval()(torch.tensor([[1.0, -1.0]]))
    assert float(labels.sum()) == pytest.approx(1.0)
    told = captured.attributes
    assert ML_PREDICTION_CONFIDENCE not in told
    assert told[ML_OUTPUT_SHAPE] == (1, 2)
    assert captured.metric("ml.prediction.confidence") == []


@pytest.mark.parametrize("answer", [[np.full((1, 3), 1 / 3)], [[{"a": 0.5, "b": 0.5}]]])
def test_a_list_of_answers_costs_no_other_model_its_confidence(
    captured: Capture, answer: Any
) -> None:
    """What cannot be read of one model is missed there alone."""
    odd = Fixed(answer).eval()
    register_model(odd, task="multiclass_classification")
    usual = nn.Sequential(nn.Linear(4, 3), nn.Softmax(-1)).eval()
    odd(SAMPLES[:1])
    usual(SAMPLES[:1])
    (point,) = captured.metric("ml.prediction.confidence")
    assert point.count == 1
    assert captured.metric("ml.sdk.errors") == []


def test_a_single_answer_without_an_axis_of_its_own_is_measured(captured: Capture) -> None:
    """Its confidence is in the metric as it is on the span."""
    model = Fixed(torch.tensor([0.25, 0.75])).eval()
    register_model(model, task="binary_classification")
    model(SAMPLES[:1])
    (point,) = captured.metric("ml.prediction.confidence")
    assert point.sum == pytest.approx(captured.attributes[ML_PREDICTION_CONFIDENCE])


@pytest.mark.parametrize("whole", [tuple, lambda parts: dict(enumerate(parts))])
def test_a_part_of_the_answer_that_was_not_asked_for_is_not_missing(
    captured: Capture, whole: Any
) -> None:
    """Networks give weights of an attention, or a state, beside the answer, and nothing where nobody wants them."""
    Fixed(whole([torch.ones(2, 3), None])).eval()(SAMPLES)
    assert captured.attributes[ML_VALIDATION_RESULT] == "pass"
    captured.clear()
    Fixed(whole([torch.full((2, 3), torch.nan), None])).eval()(SAMPLES)
    assert captured.attributes[ML_VALIDATION_RESULT] == "warn"

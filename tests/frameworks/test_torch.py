"""What a call of a PyTorch module becomes."""

import copy
import inspect
import json
import math
import pickle
import re
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import cloudpickle
import numpy as np
import pytest
import torch
import torch._dynamo  # before us: it keeps the call of modules that it finds, and looks into another
from torch import nn

import otel_ml
from otel_ml.describe.tensors import plain_array
from otel_ml.settings import Settings
from otel_ml.testing import Capture, capture
from otel_ml_conventions.attributes import (
    CODE_FUNCTION_NAME,
    ERROR_TYPE,
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

# torch itself warns of what it will give up: scripts, traces and its old quantisation.
pytestmark = pytest.mark.filterwarnings(
    "ignore:.*is deprecated:FutureWarning",
    "ignore:.*is deprecated:DeprecationWarning",
    "ignore:.*torch.ao.quantization:DeprecationWarning",
    "ignore:.*quantized tensor creation functions:UserWarning",
)

CANARY = 424242.5


class Net(nn.Module):
    """A network of several layers, as people write them."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))

    def forward(self, samples: torch.Tensor) -> torch.Tensor:
        """Return logits of three classes."""
        logits: torch.Tensor = self.body(samples)
        return logits


class Fixed(nn.Module):
    """A network that has its answer ready."""

    def __init__(self, answer: Any) -> None:
        super().__init__()
        self.answer = answer

    def forward(self, *_args: Any, **_kwargs: Any) -> Any:
        """Return the answer."""
        return self.answer


@pytest.fixture
def net() -> Net:
    """Return a network that is not in training."""
    torch.manual_seed(0)
    return Net().eval()


SAMPLES = torch.ones(2, 4)


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


# --- other ways to run a module -----------------------------------------------------------------


def outputs_alike(model: Any, twin: Any) -> None:
    """Check that two models give the same."""
    torch.testing.assert_close(model(SAMPLES), twin(SAMPLES))


def names(seen: Capture) -> list[str]:
    """Return the names of the spans there are, and forget them."""
    found = [span.name for span in seen.spans]
    seen.clear()
    return found


@torch.no_grad()
def test_a_compiled_module_is_one_graph_and_one_inference(captured: Capture, net: Net) -> None:
    """No graph breaks because of us, no call is missed or counted twice, and it is still that model."""
    compiled = torch.compile(net, fullgraph=True, backend="eager")
    compiled(SAMPLES)
    compiled(SAMPLES)
    types = {(span.attributes or {})[ML_MODEL_TYPE] for span in captured.spans}
    assert types == {f"{Net.__module__}.Net"}
    assert names(captured) == ["predict Net"] * 2
    assert torch._dynamo.explain(net)(SAMPLES).graph_break_count == 0


@torch.no_grad()
def test_a_module_compiled_in_place_is_one_inference(captured: Capture, net: Net) -> None:
    """`module.compile()`."""
    net.compile(fullgraph=True, backend="eager")
    net(SAMPLES)
    assert names(captured) == ["predict Net"]


@torch.no_grad()
def test_a_compiled_function_may_call_a_module(captured: Capture, net: Net) -> None:
    """It compiles without a break, to the graph it has without us; what happens inside is not seen."""
    graphs: list[str] = []

    def compiler(graph: torch.fx.GraphModule, _samples: Any) -> Callable[..., Any]:
        graphs.append(graph.code)
        return graph.forward

    def doubled(samples: torch.Tensor) -> torch.Tensor:
        return net(samples) * 2

    expected = net.forward(SAMPLES) * 2
    names(captured)
    torch._dynamo.reset()
    observed = torch.compile(doubled, fullgraph=True, backend=compiler)(SAMPLES)
    assert captured.spans == ()
    otel_ml.uninstrument()
    torch._dynamo.reset()
    alone = torch.compile(doubled, fullgraph=True, backend=compiler)(SAMPLES)
    torch.testing.assert_close(observed, expected)
    torch.testing.assert_close(alone, expected)
    assert graphs[0] == graphs[1]


@torch.no_grad()
def test_a_registration_holds_for_what_stands_in_front(captured: Capture, net: Net) -> None:
    """Compiled or on several devices: whichever of them was registered."""
    otel_ml.register_model(net, name="inner")
    compiled = torch.compile(net, backend="eager")
    compiled(SAMPLES)
    otel_ml.register_model(compiled, name="outer")
    compiled(SAMPLES)
    nn.DataParallel(net)(SAMPLES)
    assert names(captured) == ["predict inner", "predict outer", "predict inner"]


def scripted(net: Net) -> Any:
    """Return a script of it."""
    return torch.jit.script(net)


def traced(net: Net) -> Any:
    """Return a trace of it."""
    return torch.jit.trace(net, SAMPLES)


def exported(net: Net) -> Any:
    """Return an exported program's module."""
    return torch.export.export(net, (SAMPLES,)).module()


def symbolic(net: Net) -> Any:
    """Return a symbolic trace of it."""
    return torch.fx.symbolic_trace(net)


def quantised(net: Net) -> Any:
    """Return it with layers of eight bits."""
    return torch.ao.quantization.quantize_dynamic(net, {nn.Linear})


@pytest.mark.parametrize("has_gradients", [False, True])
@pytest.mark.parametrize("make", [scripted, traced, exported, symbolic, quantised])
def test_building_another_form_is_silent_and_calling_it_is_not(
    captured: Capture, net: Net, make: Callable[[Net], Any], has_gradients: bool
) -> None:
    """Scripting, tracing, exporting, quantising make no inference; what they return makes one a call."""
    with torch.set_grad_enabled(has_gradients):
        other = make(net)
        assert names(captured) == []
        output = other(SAMPLES)
    name = "predict GraphModule" if make is exported else "predict Net"
    assert names(captured) == [name]
    otel_ml.uninstrument()
    torch.testing.assert_close(output, other(SAMPLES))


def test_a_form_made_under_us_is_the_one_made_without_us(net: Net) -> None:
    """The code of scripts, traces and exported programs does not change."""
    makes = [scripted, traced, exported, symbolic]
    alone = [graph_text(make(net)) for make in makes]
    with capture():
        assert [graph_text(make(net)) for make in makes] == alone


def graph_text(module: Any) -> str:
    """Return the graph of a module, without the numbers that tell classes of one name apart."""
    return re.sub(r"___torch_mangle_\d+\.", "", str(module.graph))


def test_the_precision_of_what_is_quantised_is_told(captured: Capture, net: Net) -> None:
    """As torch names it."""
    quantised(net)(SAMPLES)
    assert captured.attributes[ML_MODEL_PRECISION] == "qint8"


def test_a_model_that_moves_is_read_anew(captured: Capture, net: Net) -> None:
    """Device and precision are those of the call, not of the first one."""
    net(SAMPLES)
    net.double()(SAMPLES.double())
    net.to("meta")(SAMPLES.to("meta").double())
    told = [
        ((span.attributes or {})[ML_DEVICE_NAME], (span.attributes or {})[ML_MODEL_PRECISION])
        for span in captured.spans
    ]
    assert told == [("cpu", "float32"), ("cpu", "float64"), ("meta", "float64")]


class OnDevice(torch.Tensor):
    """A tensor that counts what it is asked to do, as one on a device that must not be waited for."""

    asked: list[str] = []  # noqa: RUF012 - for all of them together

    @classmethod
    def __torch_function__(
        cls, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Note the function's name, and do it."""
        cls.asked.append(func.__name__)
        return super().__torch_function__(func, types, args, kwargs or {})


WAITS = {"item", "tolist", "cpu", "numpy", "to", "__bool__", "__float__", "__int__", "isnan", "any"}


def test_a_device_is_not_waited_for(full: Capture) -> None:
    """With everything asked for, a tensor elsewhere is asked for shape and type, never for values."""
    answer = torch.tensor([[0.25, 0.75]]).as_subclass(OnDevice)
    model = Fixed(answer).eval()
    otel_ml.register_model(model, task="binary_classification", class_names=["no", "yes"])
    OnDevice.asked.clear()
    model(torch.ones(1, 2).as_subclass(OnDevice))
    assert not WAITS & set(OnDevice.asked)
    assert full.attributes[ML_OUTPUT_SHAPE] == (1, 2)
    assert full.metric("ml.sdk.errors") == []


@pytest.mark.parametrize(
    "tensor",
    [
        torch.ones(2, 2, device="meta"),
        torch.ones(2, 2, dtype=torch.bfloat16),
        torch.ones(2, 2).to_sparse(),
        torch.ones(2, 2).as_subclass(OnDevice),
    ],
    ids=["meta", "bfloat16", "sparse", "subclass"],
)
def test_values_are_read_of_plain_tensors_only(tensor: torch.Tensor) -> None:
    """Of the others there is no array that shares their memory."""
    assert plain_array(tensor) is None


def test_an_array_of_a_tensor_is_no_copy() -> None:
    """Also of one that wants its gradient."""
    tensor = nn.Parameter(torch.zeros(2, 2))
    array = plain_array(tensor)
    array[0, 0] = 5.0
    assert tensor[0, 0].item() == 5.0


@pytest.mark.parametrize("tensor", [torch.ones(2, 4, device="meta"), torch.ones(2, 4).to_sparse()])
def test_other_tensors_tell_their_shape(captured: Capture, tensor: torch.Tensor) -> None:
    """Nothing fails for it."""
    Fixed(tensor).eval()(tensor)
    assert captured.attributes[ML_BATCH_SIZE] == 2
    assert captured.attributes[ML_OUTPUT_SHAPE] == (2, 4)
    assert captured.metric("ml.sdk.errors") == []


def test_replicas_on_several_devices_are_one_inference(captured: Capture) -> None:
    """Each works on a part of the batch, in a thread that does not know of the call."""
    replica = Fixed(SAMPLES).eval()._replicate_for_data_parallel()
    thread = threading.Thread(target=replica, args=(SAMPLES,))
    thread.start()
    thread.join()
    assert captured.spans == ()


# --- nobody notices ------------------------------------------------------------------------------


def test_parts_are_told_where_they_are_asked_for(net: Net) -> None:
    """The sequence inside the model, but not its layers."""
    with capture(Settings(capture_nested=True)) as seen:
        net(SAMPLES)
        assert names(seen) == ["predict Sequential", "predict Net"]


@pytest.mark.parametrize(
    ("samples", "error"), [(torch.ones(2, 5), RuntimeError), ("text", TypeError), (None, TypeError)]
)
def test_what_a_module_raises_is_untouched(net: Net, samples: Any, error: type[Exception]) -> None:
    """The same error with the same message as without us, and its class on the span."""
    with pytest.raises(error) as alone:
        net(samples)
    with capture() as seen:
        with pytest.raises(error) as observed:
            net(samples)
        assert str(observed.value) == str(alone.value)
        assert seen.attributes[ERROR_TYPE] == error.__name__
        assert seen.metric("ml.sdk.errors") == []


class HalfMade(nn.Module):
    """A module whose author forgot to set up what it extends."""

    def __init__(self) -> None:
        pass

    def forward(self) -> None:
        """Return nothing."""


def test_a_module_that_is_half_made_raises_what_it_always_did(captured: Capture) -> None:
    """The program's mistake stays the program's."""
    with pytest.raises(AttributeError, match=r"has no attribute|not callable"):
        HalfMade()()


def test_modules_keep_what_they_are(captured: Capture, net: Net) -> None:
    """They copy, pickle and tell their signature as before, and nothing is stored on them."""
    before = set(vars(net))
    output = net(SAMPLES)
    assert set(vars(net)) == before
    for twin in (
        copy.deepcopy(net),
        pickle.loads(pickle.dumps(net)),
        cloudpickle.loads(cloudpickle.dumps(net)),
        pickle.loads(pickle.dumps(net.__call__)).__self__,
    ):
        torch.testing.assert_close(twin(SAMPLES), output)
    assert type(output) is torch.Tensor
    with_us = inspect.signature(nn.Module.__call__)
    otel_ml.uninstrument()
    assert with_us == inspect.signature(nn.Module.__call__)


def test_what_was_there_is_put_back() -> None:
    """The very functions, of the modules and of what builds graphs of them."""
    places = [(nn.Module, "__call__"), (nn.Module, "_apply"), (torch.jit, "trace")]
    places += [(torch.fx.Tracer, "trace"), (torch.jit._trace, "trace_module")]
    before = [vars(owner)[name] for owner, name in places]
    with capture():
        assert all(
            vars(owner)[name] is not function
            for (owner, name), function in zip(places, before, strict=True)
        )
    assert [vars(owner)[name] for owner, name in places] == before


def test_threads_share_a_module(captured: Capture, net: Net) -> None:
    """Each call of each thread is one inference, with a number of its own."""
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: net(SAMPLES), range(100)))
    numbers = [(span.attributes or {})["ml.call.sequence"] for span in captured.spans]
    assert sorted(numbers) == list(range(1, 101))


@pytest.mark.parametrize("order", ["before", "after"])
def test_the_order_of_importing_does_not_matter(order: str) -> None:
    """Imported before or after, modules are observed; and torch is never imported by us."""
    steps = ["import torch", "otel_ml.instrument(['torch'])"]
    first, second = steps if order == "before" else reversed(steps)
    program = f"""
        import sys, otel_ml
        {first}
        assert {order == "before"} or "torch" not in sys.modules
        {second}
        print([hasattr(f, "__otel_ml__") for f in (torch.nn.Module.__call__, torch.jit.trace)])
    """
    ran = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True, check=True
    )
    assert ran.stdout == "[True, True]\n"


class Counted(list[Any]):
    """A list that counts how many of its values were looked at."""

    seen = 0

    def __iter__(self) -> Iterator[Any]:
        """Return the values, each of which counts."""
        for value in super().__iter__():
            Counted.seen += 1
            yield value


def test_a_long_list_is_not_searched_for_a_tensor() -> None:
    """A million texts or numbers in a list would take longer to look at than the model takes to answer."""
    answer = torch.ones(1, 1)
    with capture() as seen, torch.no_grad():
        assert Fixed(answer).eval()(Counted(["a text"] * 5000)) is answer
        assert len(seen.spans) == 1
    assert Counted.seen <= 64


ANSWERS: list[Callable[[Any, torch.Tensor], Any]] = [
    lambda _, samples: samples,
    lambda _, samples: (samples, None),
    lambda _, samples: {"a": [samples], "b": 1},
    lambda _, samples: [],
    lambda rng, _: torch.from_numpy(rng.normal(size=tuple(rng.integers(0, 4, size=3)))),
    lambda rng, _: torch.tensor(float(rng.choice([math.nan, math.inf, 0.5]))),
    lambda rng, _: torch.from_numpy(rng.dirichlet([1, 1], size=3)).requires_grad_(),
    lambda rng, _: rng.normal(size=(2, 2)),
    lambda *_: None,
]
INPUTS: list[Callable[[Any], Any]] = [
    lambda rng: torch.from_numpy(rng.normal(size=tuple(rng.integers(0, 5, size=2)))),
    lambda rng: torch.from_numpy(rng.integers(0, 9, size=(2, 3))),
    lambda rng: torch.from_numpy(rng.normal(size=(4, 6))).t()[::2],
    lambda rng: torch.full((1, 3), math.nan, dtype=torch.float16),
    lambda rng: torch.complex(torch.ones(2), torch.zeros(2)),
    lambda rng: torch.ones(2, 2, dtype=torch.bool),
    lambda rng: [torch.ones(1), {"x": torch.ones(1, 2)}],
    lambda rng: "text",
]


@pytest.mark.parametrize("task", [None, "multiclass_classification", "regression"])
def test_whatever_goes_in_and_out_is_the_very_same(task: str | None) -> None:
    """Hundreds of odd inputs and outputs: the object itself comes back, and nothing of ours fails."""
    with capture(Settings(capture_content="span_only", capture_outputs="full")) as seen:
        for number in range(216):
            rng = np.random.default_rng(number)
            samples = INPUTS[number % len(INPUTS)](rng)
            tensor = samples if isinstance(samples, torch.Tensor) else torch.ones(1, 1)
            answer = ANSWERS[number % len(ANSWERS)](rng, tensor)
            model = Fixed(answer).eval()
            otel_ml.register_model(model, task=task)
            assert model(samples) is answer
        assert len(seen.spans) == 216
        assert seen.metric("ml.sdk.errors") == []

"""Other ways to run a PyTorch module: compiled, scripted, traced, exported, quantised, on devices, in copies."""

import re
import threading
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch._dynamo  # before us: it keeps the call of modules that it finds, and looks into another
from opentelemetry.instrumentation.utils import suppress_instrumentation
from torch import nn

import otel_ml
from otel_ml.describe.tensors import plain_array
from otel_ml.settings import Settings
from otel_ml.testing import Capture, capture
from otel_ml_conventions.attributes import (
    ML_BATCH_SIZE,
    ML_DEVICE_NAME,
    ML_MODEL_PRECISION,
    ML_MODEL_TYPE,
    ML_OUTPUT_SHAPE,
)
from tests.data.torch_networks import SAMPLES, WARNINGS, Fixed, Net, names, trained

pytestmark = pytest.mark.filterwarnings(*WARNINGS)


def outputs_alike(model: Any, twin: Any) -> None:
    """Check that two models give the same."""
    torch.testing.assert_close(model(SAMPLES), twin(SAMPLES))


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
def test_compiling_many_networks_costs_what_it_costs_without_us() -> None:
    """Each further one of a class is compiled as the first was, however many of a process's networks are compiled."""
    graphs: list[int] = []

    def compiler(graph: torch.fx.GraphModule, _samples: Any) -> Callable[..., Any]:
        graphs.append(1)
        return graph.forward

    def compilations() -> int:
        torch._dynamo.reset()
        graphs.clear()
        for _ in range(12):  # PyTorch allows eight of one piece of code
            torch.compile(trained(), fullgraph=True, backend=compiler)(SAMPLES)
        return len(graphs)

    alone = compilations()
    with capture() as seen:
        assert compilations() == alone
        assert set(names(seen)) == {"predict Net"}


@torch.no_grad()
def test_what_is_compiled_is_one_graph_where_parts_are_told(net: Net) -> None:
    """Its parts are in the graph, and no spans of their own."""
    torch._dynamo.reset()
    with capture(Settings(capture_nested=True)) as seen:
        compiled = torch.compile(net, fullgraph=True, backend="eager")
        outputs_alike(compiled, net.forward)
        assert names(seen)[0] == "predict Net"


@torch.no_grad()
def test_what_is_compiled_is_one_graph_where_telemetry_is_suppressed(
    captured: Capture, net: Net
) -> None:
    """Whoever wants no telemetry here gets none, and the graph."""
    torch._dynamo.reset()
    with suppress_instrumentation():
        outputs_alike(torch.compile(net, fullgraph=True, backend="eager"), net)
    assert captured.spans == ()


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


def frozen(net: Net) -> Any:
    """Return a script of it whose weights are constants, and which knows no training."""
    return torch.jit.freeze(torch.jit.script(net))


def for_inference(net: Net) -> Any:
    """Return a script of it that torch made faster."""
    return torch.jit.optimize_for_inference(torch.jit.script(net))


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


FORMS = [scripted, frozen, for_inference, traced, exported, symbolic, quantised]


@pytest.mark.parametrize("has_gradients", [False, True])
@pytest.mark.parametrize("make", FORMS)
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

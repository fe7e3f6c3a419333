"""Nobody notices that a PyTorch module is observed."""

import copy
import inspect
import math
import pickle
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import cloudpickle
import numpy as np
import pytest
import torch
from torch import nn

import otel_ml
from otel_ml.settings import Settings
from otel_ml.testing import Capture, capture
from otel_ml_conventions.attributes import ERROR_TYPE
from tests.data.programs import run
from tests.data.torch_networks import SAMPLES, WARNINGS, Fixed, Net, names

pytestmark = pytest.mark.filterwarnings(*WARNINGS)


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
    assert run(program).stdout == "[True, True]\n"


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

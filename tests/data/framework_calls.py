"""What tests of every framework ask of its wrapped classes."""

import copy
import inspect
import pickle
from collections.abc import Callable, Sequence
from typing import Any

import cloudpickle

from otel_ml.testing import Capture

__all__ = ["attributes_of", "functions_of", "round_trips"]


def attributes_of(captured: Capture, call: Callable[[], Any]) -> dict[str, Any]:
    """Return the attributes of the one span that *call* makes."""
    captured.clear()
    call()
    return captured.attributes


def functions_of(owner: type, names: Sequence[str]) -> dict[str, tuple[Any, Any]]:
    """Return each function and its signature as *owner* itself defines it."""
    return {name: (vars(owner)[name], inspect.signature(vars(owner)[name])) for name in names}


def round_trips(model: Any) -> list[Any]:
    """Return *model* after each way by which programs copy and send objects."""
    return [
        pickle.loads(pickle.dumps(model)),
        cloudpickle.loads(cloudpickle.dumps(model)),
        copy.deepcopy(model),
    ]

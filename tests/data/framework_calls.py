"""What tests of every framework ask of its wrapped classes."""

import copy
import inspect
import pickle
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import cloudpickle
import pytest

from otel_ml.instrumentors import instrument, uninstrument
from otel_ml.settings import Settings
from otel_ml.testing import Capture, capture

__all__ = [
    "FULL",
    "assert_put_back",
    "attributes_of",
    "full",
    "functions_of",
    "outcome",
    "round_trips",
    "told",
    "told_by_each",
]

FULL = Settings(capture_content="span_only", capture_outputs="full")


@pytest.fixture
def full() -> Iterator[Capture]:
    """Return a capture of contents and of everything outputs say."""
    with capture(FULL) as seen:
        yield seen


def told(seen: Capture) -> dict[str, Any]:
    """Return what the one span says, and fail where it breaks the conventions or anything failed."""
    assert seen.metric("ml.sdk.errors") == []
    seen.conformance.check()
    return seen.attributes


def told_by_each(call: Callable[[], Any], framework: str) -> list[dict[str, Any]]:
    """Return what *call* is told as by scikit-learn's instrumentor, by that of *framework*, and by both in either order."""
    found = []
    for names in (["sklearn"], [framework], ["sklearn", framework], [framework, "sklearn"]):
        uninstrument()
        seen = Capture()
        instrument(
            names,
            tracer_provider=seen.tracer_provider,
            meter_provider=seen.meter_provider,
            settings=FULL,
        )
        call()
        facts = told(seen)
        assert len(facts.pop("ml.call.stream")) == 16
        found.append(facts)
    uninstrument()
    return found


def outcome(function: Any, *args: Any) -> tuple[Any, BaseException | None]:
    """Return what *function* returns and what it raises, its warnings being its own affair."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return function(*args), None
        except Exception as error:  # noqa: BLE001 - whatever it raises is compared
            return None, error


def assert_put_back(*owners: tuple[Any, Sequence[str]]) -> None:
    """Assert that functions, each an owner's, are wrapped with their signatures, and that the very ones are back afterwards."""
    before = [functions_of(owner, names) for owner, names in owners]
    with capture():
        during = [functions_of(owner, names) for owner, names in owners]
        for one, other in zip(before, during, strict=True):
            assert all(other[name][0] is not one[name][0] for name in one)
            assert [it[1] for it in other.values()] == [it[1] for it in one.values()]
    assert [functions_of(owner, names) for owner, names in owners] == before


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

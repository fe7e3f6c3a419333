"""Who a model is."""

import gc
import sys
import types
from typing import Any

import pytest

import otel_ml
from otel_ml.describe.by_identity import ByIdentity
from otel_ml.describe.models import Framework, framework_of, registrations
from otel_ml_conventions.attributes import MlTaskTypeValues


class Equal:
    """A model that takes every other for itself."""

    def __eq__(self, other: object) -> bool:
        return True

    def __hash__(self) -> int:
        return 1


class Unhashable:
    """A model with an `__eq__` and no hash."""

    __hash__ = None  # type: ignore[assignment]  # what Python does of itself

    def __eq__(self, other: object) -> bool:
        raise AssertionError("asked whether it is equal")


def test_facts_are_kept_apart_by_identity_alone() -> None:
    """Two models that call themselves equal are two models."""
    first, second = Equal(), Equal()
    facts: ByIdentity[str] = ByIdentity()
    facts.remember(first, "first")
    assert facts.get(first) == "first"
    assert facts.get(second) is None


def test_a_model_need_not_be_hashable() -> None:
    """Neither `__hash__` nor `__eq__` of a user's model is called."""
    model = Unhashable()
    facts: ByIdentity[int] = ByIdentity()
    facts.remember(model, 1)
    assert facts.get(model) == 1


def test_what_is_known_does_not_keep_a_model_alive() -> None:
    """A thousand models come and go, and nothing of them stays."""
    facts: ByIdentity[int] = ByIdentity()
    for number in range(1000):
        model = Equal()
        facts.remember(model, number)
        del model
    gc.collect()
    assert facts._entries == {}


def test_a_second_fact_replaces_the_first() -> None:
    """And goes with the model as the first would have."""
    model = Equal()
    facts: ByIdentity[int] = ByIdentity()
    facts.remember(model, 1)
    facts.remember(model, 2)
    assert facts.get(model) == 2
    del model
    gc.collect()
    assert facts._entries == {}


def test_a_registration_is_kept_as_said() -> None:
    """Every word of it, and what was not said is None."""
    model = Equal()
    otel_ml.register_model(model, name="fraud", version="3", feature_names=["a", "b"])
    said = registrations.get(model)
    assert said is not None
    assert (said.name, said.version, said.feature_names) == ("fraud", "3", ("a", "b"))
    assert (said.class_names, said.task) == (None, None)
    otel_ml.register_model(model, class_names=["no", "yes"], task="binary_classification")
    said = registrations.get(model)
    assert said is not None
    assert (said.name, said.class_names) == (None, ("no", "yes"))
    assert said.task is MlTaskTypeValues.BINARY_CLASSIFICATION


@pytest.mark.parametrize(
    ("arguments", "kind", "message"),
    [
        ({"task": "guessing"}, ValueError, "unknown task 'guessing'; known: binary_class"),
        ({"feature_names": "age"}, TypeError, "feature_names: expected a sequence of names"),
        ({"class_names": "yes"}, TypeError, "class_names: expected a sequence of names"),
        ({"name": b"fraud"}, TypeError, "name: expected text, found bytes"),
        ({"version": 3}, TypeError, "version: expected text, found int"),
    ],
)
def test_a_wrong_registration_is_told_at_once(
    arguments: dict[str, Any], kind: type[Exception], message: str
) -> None:
    """This is a start-up call: it says what it expected and what it found."""
    with pytest.raises(kind, match=message):
        otel_ml.register_model(Equal(), **arguments)


def test_an_object_that_cannot_be_referenced_weakly_cannot_be_registered() -> None:
    """An integer is no model."""
    with pytest.raises(TypeError):
        otel_ml.register_model(3, name="three")


def test_a_class_belongs_to_the_framework_it_extends(monkeypatch: pytest.MonkeyPatch) -> None:
    """A user's subclass of a booster's class is the booster's; its version comes from the package."""
    package = types.ModuleType("xgboost")
    package.__version__ = "3.2.0"  # type: ignore[attr-defined]  # as packages have it
    monkeypatch.setitem(sys.modules, "xgboost", package)
    booster = type("XGBModel", (), {"__module__": "xgboost.sklearn"})
    own = type("Mine", (booster,), {"__module__": "my.models"})
    assert framework_of(own, "sklearn") == Framework("xgboost", "3.2.0")


def test_any_other_class_belongs_to_the_framework_that_asks() -> None:
    """With no version where the package is not imported."""
    assert framework_of(Equal, "no_such_package") == Framework("no_such_package", None)

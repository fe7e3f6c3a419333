"""Wrappers that leave no trace: in signatures, in pickles, after they are taken off."""

import asyncio
import functools
import gc
import inspect
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cloudpickle
import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression

from otel_ml.instrumentors._wrapping import MARKER, Patches
from otel_ml.testing import Capture, capture
from tests.data.programs import run

SAMPLES = np.random.default_rng(0).normal(size=(40, 3))
TARGET = (SAMPLES[:, 0] > 0).astype(int)


def make_class(**methods: Callable[..., Any]) -> type:
    """Return a user's estimator class, made now."""
    return type("Mine", (ClassifierMixin, BaseEstimator), {"__module__": __name__, **methods})


def predict(self: Any, samples: Any) -> Any:
    """Predict zeros."""
    return np.zeros(len(samples))


def test_a_class_made_later_is_observed_too(captured: Capture) -> None:
    """A user's own estimator makes one span per call, under its own name."""
    model = make_class(predict=predict)()
    assert model.predict(SAMPLES).tolist() == [0.0] * 40
    (span,) = captured.spans
    assert span.name == "predict Mine"


def test_a_method_of_a_mixin_is_observed_too(captured: Capture) -> None:
    """Also where the mixin is no estimator itself."""
    mixin = type("PredictsZeros", (), {"predict": predict})
    model = type("Mixed", (mixin, BaseEstimator), {})()
    model.predict(SAMPLES)
    assert [span.name for span in captured.spans] == ["predict Mixed"]


def test_a_method_that_is_awaited_is_left_alone(captured: Capture) -> None:
    """Servers ask whether a function is to be awaited; and it has not answered when it returns."""

    async def later(self: Any, samples: Any) -> Any:
        """Answer as `predict` does."""
        return predict(self, samples)

    kind = make_class(predict=later)
    assert inspect.iscoroutinefunction(kind.predict)
    assert asyncio.run(kind().predict(SAMPLES)).tolist() == [0.0] * 40
    assert list(captured.spans) == []


def test_of_classes_that_are_gone_nothing_is_kept() -> None:
    """A program may make classes as long as it runs."""
    patches = Patches(__name__)
    for _ in range(100):
        patches.observe(type("Brief", (), {"predict": predict}), "predict")
    gc.collect()
    assert len(patches._patched) == 0


def test_what_others_ask_of_new_classes_they_still_ask_afterwards() -> None:
    """A hook that another tool put around ours stays in its place when ours goes."""
    asked: list[str] = []

    class Ancestor(BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
        """What the hooks are on: scikit-learn's own class is not ours to change."""

    patches = Patches(__name__)
    patches.hook_subclasses(Ancestor)
    ours = Ancestor.__dict__["__init_subclass__"]

    def ask(cls: type) -> None:
        ours.__get__(None, cls)()
        asked.append(cls.__name__)

    Ancestor.__init_subclass__ = classmethod(ask)  # as another tool would
    patches.undo()
    type("Later", (Ancestor,), {})
    assert asked == ["Later"]


def test_a_call_of_the_inherited_method_is_not_a_second_span(captured: Capture) -> None:
    """`super().predict(samples)` inside `predict` is the same inference."""

    class Careful(LogisticRegression):  # type: ignore[misc]  # scikit-learn has no types
        def predict(self, samples: Any) -> Any:
            return super().predict(samples)

    Careful().fit(SAMPLES, TARGET).predict(SAMPLES)
    assert [span.name for span in captured.spans] == ["predict Careful"]


def test_class_statements_with_arguments_work(captured: Capture) -> None:
    """A user's own `__init_subclass__` and its keyword arrive where they did."""
    seen: list[str] = []

    class Registered(BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
        def __init_subclass__(cls, /, title: str, **kwargs: Any) -> None:
            super().__init_subclass__(**kwargs)
            seen.append(title)

    class Titled(Registered, title="one"):
        def predict(self, samples: Any) -> Any:
            return np.zeros(len(samples))

    Titled().predict(SAMPLES)
    assert seen == ["one"]
    assert len(captured.spans) == 1
    with pytest.raises(TypeError, match="takes no keyword arguments"):
        type("Wrong", (BaseEstimator,), {}, unexpected=1)


def test_a_class_made_meanwhile_is_restored_too() -> None:
    """After `uninstrument` it has the very function it was made with."""
    with capture() as seen:
        cls = make_class(predict=predict)
        assert vars(cls)["predict"] is not predict
    assert vars(cls)["predict"] is predict
    cls().predict(SAMPLES)
    assert len(seen.spans) == 0


def test_classes_are_not_kept_alive(captured: Capture) -> None:
    """A class that nobody else holds goes, also one whose method says `super()`."""

    class Transient(LogisticRegression):  # type: ignore[misc]  # scikit-learn has no types
        def predict(self, samples: Any) -> Any:
            return super().predict(samples)

    reference = weakref.ref(Transient)
    Transient().fit(SAMPLES, TARGET).predict(SAMPLES)
    del Transient
    gc.collect()
    assert reference() is None


def test_another_tools_wrapper_around_ours_stays_and_works() -> None:
    """What others put on top is not torn off; below it ours goes silent."""
    cls = make_class(predict=predict)
    calls: list[int] = []
    with capture() as seen:
        ours = vars(cls)["predict"]

        @functools.wraps(ours)
        def theirs(self: Any, samples: Any) -> Any:
            calls.append(1)
            return ours(self, samples)

        cls.predict = theirs  # type: ignore[attr-defined]  # what such tools do
        cls().predict(SAMPLES)
        assert len(seen.spans) == 1
    cls().predict(SAMPLES)
    assert vars(cls)["predict"] is theirs
    assert len(calls) == 2
    assert len(seen.spans) == 1


def test_instrumenting_twice_wraps_once() -> None:
    """A second `instrument` changes nothing and the first `uninstrument` restores all."""
    before = vars(LogisticRegression)["predict_proba"]
    with capture(), capture():
        wrapper = vars(LogisticRegression)["predict_proba"]
        assert wrapper.__wrapped__ is before
    assert vars(LogisticRegression)["predict_proba"] is before


def test_methods_that_are_no_functions_are_left_alone(captured: Capture) -> None:
    """A property, a static method or a plain attribute is what it was."""
    cls = make_class(predict=property(lambda self: "a property"), score=staticmethod(lambda: 7))
    assert cls().predict == "a property"
    assert cls().score() == 7
    assert MARKER not in vars(vars(cls)["score"].__func__)


def test_self_may_be_given_by_name(captured: Capture) -> None:
    """`Class.predict(self=model, samples=samples)` works as it did; it is only not observed."""
    cls = make_class(predict=predict)
    assert len(cls.predict(self=cls(), samples=SAMPLES)) == 40  # type: ignore[attr-defined]  # made above
    assert len(captured.spans) == 0


SHIPPER = """
    import sys
    import cloudpickle, numpy, otel_ml
    from sklearn.base import BaseEstimator
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    otel_ml.instrument()

    class Mine(BaseEstimator):
        def fit(self, samples, target):
            return self

        def predict(self, samples):
            return numpy.zeros(len(samples))

    samples = numpy.array([[0.0], [1.0]])
    pipeline = make_pipeline(LogisticRegression()).fit(samples, [0, 1])
    shipped = [(Mine().fit(None, None).predict, samples), (pipeline.predict_proba, samples)]
    with open(sys.argv[1], "wb") as file:
        cloudpickle.dump(shipped, file)
    print([function(data).tolist() for function, data in shipped])
"""
RECEIVER = """
    import importlib.abc, pickle, sys

    class Absent(importlib.abc.MetaPathFinder):
        def find_spec(self, name, path, target=None):
            if name.partition(".")[0] in {"otel_ml", "otel_ml_conventions", "opentelemetry"}:
                raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    sys.meta_path.insert(0, Absent())
    with open(sys.argv[1], "rb") as file:
        shipped = pickle.load(file)
    print([function(data).tolist() for function, data in shipped])
    assert not [name for name in list(sys.modules) if name.startswith("otel_ml")]
"""


def test_what_cloudpickle_ships_works_where_otel_ml_is_not_installed(tmp_path: Path) -> None:
    """A class of `__main__` and a pipeline's conditional method go by value, wrappers and all."""
    path = tmp_path / "shipped"
    sent = run(SHIPPER, str(path)).stdout
    assert path.read_bytes().count(b"otel_ml.instrumentors.sklearn") >= 1
    assert run(RECEIVER, str(path)).stdout == sent
    assert "[0.0, 0.0]" in sent


def test_a_shipped_class_is_observed_once_where_otel_ml_is_active(captured: Capture) -> None:
    """Its own wrapper and ours together make one span."""
    cls = make_class(predict=predict)
    cls.__module__ = "__main__"
    arrived = cloudpickle.loads(cloudpickle.dumps(cls()))
    arrived.predict(SAMPLES)
    assert len(captured.spans) == 1

"""The promises of the scikit-learn instrumentor, kept for every estimator that there is."""

import copy
import inspect
import pickle
import warnings
from collections.abc import Iterator
from functools import cache
from typing import Any, NamedTuple

import cloudpickle
import numpy as np
import pytest
import scipy.sparse
from sklearn.base import BaseEstimator, clone
from sklearn.linear_model import LogisticRegression
from sklearn.utils import all_estimators
from sklearn.utils._test_common.instance_generator import _construct_instances
from sklearn.utils.estimator_checks import (
    _enforce_estimator_tags_X,
    _enforce_estimator_tags_y,
)

from otel_ml.instrumentors import uninstrument
from otel_ml.instrumentors._wrapping import MARKER
from otel_ml.testing import Capture, capture
from tests.data.framework_calls import outcome

METHODS = ("predict", "predict_proba", "predict_log_proba", "decision_function", "score_samples")
GUARDED = ("fit", "partial_fit", "fit_predict", "fit_transform", "score")

CLASSES: dict[str, type] = dict(all_estimators())
PREDICTORS = [name for name, cls in CLASSES.items() if any(hasattr(cls, m) for m in METHODS)]
# What must be given to those that scikit-learn's own tests do not know how to make, in some versions.
NEEDED = {"FrozenEstimator": LogisticRegression(), "SparseCoder": np.eye(4)}


class Fitted(NamedTuple):
    """An estimator fitted under instrumentation, its input, and how many spans the fit made."""

    estimator: Any
    samples: Any
    spans_of_fit: int


# Said by scikit-learn of classes it will remove; what is asked of them here is the same.
pytestmark = pytest.mark.filterwarnings("ignore:Class .* is deprecated:FutureWarning")


def configured(name: str) -> Any:
    """Return an estimator as scikit-learn's own tests configure it, its chance under control."""
    if name in NEEDED:
        return CLASSES[name](NEEDED[name])
    estimator = next(iter(_construct_instances(CLASSES[name])))
    known = estimator.get_params()
    wanted = {"random_state": 0, "novelty": True}
    return estimator.set_params(**{key: wanted[key] for key in wanted if key in known})


@cache
def fitted(name: str) -> Fitted:
    """Fit the first configuration that scikit-learn itself tests, on data of the kind it needs."""
    rng = np.random.default_rng(0)
    plain = rng.normal(size=(40, 4))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        estimator = configured(name)
        samples = _enforce_estimator_tags_X(estimator, plain)
        target = _enforce_estimator_tags_y(estimator, (plain[:, 0] > 0).astype(int))
        with capture() as seen:
            estimator.fit(samples, target)
            spans = len(seen.spans)
    return Fitted(estimator, samples[:5], spans)


def offered(estimator: Any) -> list[str]:
    """Return the methods that predict and that this estimator has."""
    return [method for method in METHODS if hasattr(estimator, method)]


def assert_same(left: Any, right: Any) -> None:
    """Assert equal type and equal values, NaN being equal to itself."""
    assert type(left) is type(right)
    if left is None:
        return
    if isinstance(left, (list, tuple)):
        assert len(left) == len(right)
        for one, other in zip(left, right, strict=True):
            assert_same(one, other)
    elif scipy.sparse.issparse(left):
        assert left.dtype == right.dtype
        assert (left != right).nnz == 0
    else:
        assert left.dtype == right.dtype
        np.testing.assert_array_equal(left, right)


def assert_no_failures(seen: Capture) -> None:
    """Assert that nothing of ours went wrong, silently or not."""
    assert seen.metric("ml.sdk.errors") == []


@pytest.fixture(autouse=True)
def _plain() -> Iterator[None]:
    """Begin and end every test without instrumentation."""
    uninstrument()
    yield
    uninstrument()


def test_all_estimators_are_tried() -> None:
    """These tests see at least the 207 estimators of scikit-learn 1.7 and 2 experimental ones; 123 predict."""
    assert len(CLASSES) >= 209
    assert len(PREDICTORS) >= 123


def test_no_predicting_method_is_missed() -> None:
    """Of every estimator and every class it extends, each predicting function is wrapped."""
    with capture():
        missed = [
            f"{owner.__qualname__}.{method}"
            for cls in CLASSES.values()
            for owner in cls.__mro__[:-1]
            for method in (*METHODS, *GUARDED)
            if (function := function_of(owner, method)) is not None
            and MARKER not in function.__dict__
        ]
    assert missed == []


def function_of(owner: type, method: str) -> Any:
    """Return the function that *owner* itself defines, also behind a conditional method."""
    value = owner.__dict__.get(method)
    value = getattr(value, "fn", value)
    return value if inspect.isfunction(value) else None


def all_functions() -> dict[tuple[type, str], Any]:
    """Return every function that could be wrapped, by class and name."""
    return {
        (owner, method): function
        for cls in CLASSES.values()
        for owner in cls.__mro__[:-1]
        for method in (*METHODS, *GUARDED, "__init_subclass__")
        if (function := function_of(owner, method)) is not None
    }


def test_uninstrument_restores_the_very_functions() -> None:
    """After `uninstrument` every class has the functions it had, not equal ones: the same."""
    before = all_functions()
    with capture():
        during = all_functions()
    after = all_functions()
    assert sum(during[key] is not before[key] for key in before) > 400
    assert after.keys() == before.keys()
    assert [key for key in before if after[key] is not before[key]] == []
    assert "__init_subclass__" not in BaseEstimator.__dict__


def test_signatures_and_attributes_are_unchanged() -> None:
    """Neither `inspect.signature` nor `hasattr` nor `help` tells that a class is instrumented."""
    estimators = {name: configured(name) for name in CLASSES}
    before = {name: appearance(estimators[name]) for name in CLASSES}
    with capture():
        changed = [name for name in CLASSES if appearance(estimators[name]) != before[name]]
    assert changed == []


def appearance(estimator: Any) -> list[tuple[str, str | None, bool, str | None]]:
    """Return signature, presence and documentation of each method."""
    cls = type(estimator)
    seen = []
    for method in (*METHODS, *GUARDED):
        function = inspect.getattr_static(cls, method, None)
        has_signature = callable(getattr(cls, method, None)) and not isinstance(function, property)
        signature = str(inspect.signature(getattr(cls, method))) if has_signature else None
        doc = getattr(getattr(cls, method, None), "__doc__", None)
        seen.append((method, signature, outcome(hasattr, estimator, method)[0], doc))
    return seen


@pytest.mark.parametrize("name", PREDICTORS)
def test_training_is_no_inference(name: str) -> None:
    """However often an estimator predicts while it is fitted, that makes no span."""
    assert fitted(name).spans_of_fit == 0


@pytest.mark.parametrize("name", PREDICTORS)
def test_every_call_gives_what_it_gave_and_one_span(name: str) -> None:
    """Each method returns the same values of the same types, and is one span with a true name."""
    estimator, samples, _ = fitted(name)
    twin = copy.deepcopy(estimator)
    plain = {method: outcome(getattr(estimator, method), samples) for method in offered(estimator)}
    with capture() as seen:
        for method, (expected, error) in plain.items():
            seen.clear()
            found, raised = outcome(getattr(twin, method), samples)
            assert (type(raised), str(raised)) == (type(error), str(error))
            assert_same(found, expected)
            (span,) = seen.spans
            assert span.name == f"predict {name}"
            assert seen.attributes["ml.batch.size"] == 5
            assert seen.attributes["code.function.name"].endswith(f"{name}.{method}")
        assert_no_failures(seen)
    assert sorted(vars(twin)) == sorted(vars(estimator))


@pytest.mark.parametrize("name", PREDICTORS)
def test_an_estimator_that_is_not_fitted_raises_as_before(name: str) -> None:
    """The exception is the user's own, of the same type and message, and the span names its type."""
    estimator, samples, _ = fitted(name)
    fresh = clone(estimator)
    plain = {method: outcome(getattr(fresh, method), samples)[1] for method in offered(fresh)}
    with capture() as seen:
        for method, expected in plain.items():
            seen.clear()
            _, found = outcome(getattr(fresh, method), samples)
            assert (type(found), str(found)) == (type(expected), str(expected))
            assert seen.attributes.get("error.type") == error_type(expected)
        assert_no_failures(seen)


def error_type(error: BaseException | None) -> str | None:
    """Return the class of *error* as a span names it."""
    if error is None:
        return None
    kind = type(error)
    return kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__name__}"


NONSENSE = (None, 3, "text", object(), {}, [[]], np.zeros((2, 3, 4)))


@pytest.mark.parametrize("name", PREDICTORS)
def test_nonsense_raises_as_before(name: str) -> None:
    """Inputs that no estimator takes fail as they did without us, one span each."""
    estimator, _, _ = fitted(name)
    function = getattr(estimator, offered(estimator)[0])
    plain = [outcome(function, nonsense)[1] for nonsense in NONSENSE]
    with capture() as seen:
        function = getattr(estimator, offered(estimator)[0])
        found = [outcome(function, nonsense)[1] for nonsense in NONSENSE]
        assert len(seen.spans) == len(NONSENSE)
        assert_no_failures(seen)
    assert [type(error) for error in found] == [type(error) for error in plain]


@pytest.mark.parametrize("name", PREDICTORS)
def test_estimators_survive_every_journey(name: str) -> None:
    """Pickled, cloudpickled, deep-copied or as a bound method, an estimator answers as it did."""
    estimator, samples, _ = fitted(name)
    method = offered(estimator)[0]
    expected, _ = outcome(getattr(copy.deepcopy(estimator), method), samples)
    with capture() as seen:
        journeys = [
            getattr(pickle.loads(pickle.dumps(estimator)), method),
            getattr(cloudpickle.loads(cloudpickle.dumps(estimator)), method),
            getattr(copy.deepcopy(estimator), method),
            pickle.loads(pickle.dumps(getattr(estimator, method))),
            cloudpickle.loads(cloudpickle.dumps(getattr(estimator, method))),
            copy.deepcopy(getattr(estimator, method)),
        ]
        assert type(clone(estimator)) is type(estimator)
        assert len(seen.spans) == 0
        for arrived in journeys:
            assert_same(outcome(arrived, samples)[0], expected)
        assert len(seen.spans) == len(journeys)
        assert_no_failures(seen)

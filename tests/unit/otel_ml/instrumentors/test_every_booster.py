"""What holds for every model of XGBoost, LightGBM and CatBoost: nothing about it changes."""

import concurrent.futures
import copy
import inspect
import pickle
import struct
from collections.abc import Iterator
from functools import cache
from typing import Any, NamedTuple

import catboost as cb
import cloudpickle
import lightgbm as lgb
import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse as sp
import xgboost as xgb
from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans

from otel_ml.instrumentors import uninstrument
from otel_ml.instrumentors._wrapping import MARKER
from otel_ml.settings import Settings
from otel_ml.testing import Capture, capture
from tests.data.framework_calls import outcome
from tests.data.programs import run

SAMPLES = np.random.default_rng(0).normal(size=(60, 3))
BINARY = (SAMPLES[:, 0] > 0).astype(int)
GROUPS = np.repeat(np.arange(6), 10)
QUIET: dict[str, Any] = {"verbose": -1, "num_threads": 1}
SILENT: dict[str, Any] = {
    "iterations": 3,
    "thread_count": 1,
    "verbose": 0,
    "allow_writing_files": False,
}
NUMBER = 8675.309
NEEDLES = (struct.pack("<d", NUMBER), struct.pack("<f", NUMBER), b"8675.3")


class Case(NamedTuple):
    """One method of one model, and an input for it."""

    model: Any
    method: str
    samples: Any = SAMPLES[:5]


@cache
def cases() -> dict[str, Case]:
    """Return every way there is to ask a booster to predict, for small trained models."""
    data = xgb.DMatrix(SAMPLES, BINARY)
    booster = xgb.train({"objective": "binary:logistic", "nthread": 1}, data, 3)
    trees = lgb.train({**QUIET, "objective": "binary"}, lgb.Dataset(SAMPLES, BINARY), 3)
    few: dict[str, Any] = {"n_estimators": 3, "n_jobs": 1}
    some: dict[str, Any] = {"n_estimators": 3, **QUIET}
    estimators = {
        "XGBClassifier": xgb.XGBClassifier(**few).fit(SAMPLES, BINARY),
        "XGBRegressor": xgb.XGBRegressor(**few).fit(SAMPLES, BINARY),
        "XGBRFClassifier": xgb.XGBRFClassifier(**few).fit(SAMPLES, BINARY),
        "XGBRFRegressor": xgb.XGBRFRegressor(**few).fit(SAMPLES, BINARY),
        "XGBRanker": xgb.XGBRanker(**few).fit(SAMPLES, BINARY, qid=GROUPS),
        "LGBMClassifier": lgb.LGBMClassifier(**some).fit(SAMPLES, BINARY),
        "LGBMRegressor": lgb.LGBMRegressor(**some).fit(SAMPLES, BINARY),
        "LGBMRanker": lgb.LGBMRanker(**some).fit(SAMPLES, BINARY, group=[30, 30]),
        "CatBoost": cb.CatBoost(SILENT).fit(SAMPLES, BINARY),
        "CatBoostClassifier": cb.CatBoostClassifier(**SILENT).fit(SAMPLES, BINARY),
        "CatBoostRegressor": cb.CatBoostRegressor(**SILENT).fit(SAMPLES, BINARY),
        "CatBoostRanker": cb.CatBoostRanker(**SILENT).fit(SAMPLES, BINARY, group_id=GROUPS),
    }
    methods = ("predict", "predict_proba", "predict_log_proba", "decision_function")
    found = {
        f"{name}.{method}": Case(model, method)
        for name, model in estimators.items()
        for method in methods
        if hasattr(model, method)
    }
    return found | {
        "xgboost.Booster.predict": Case(booster, "predict", xgb.DMatrix(SAMPLES[:5])),
        "xgboost.Booster.inplace_predict": Case(booster, "inplace_predict"),
        "lightgbm.Booster.predict": Case(trees, "predict"),
    }


NAMES = sorted(cases())
OWNERS = (
    *(xgb.Booster, xgb.XGBModel, xgb.XGBClassifier, xgb.XGBRanker, xgb.callback.CallbackContainer),
    *(lgb.Booster, lgb.LGBMModel, lgb.LGBMClassifier, lgb, lgb.engine),
    *(cb.CatBoost, cb.CatBoostClassifier, cb.CatBoostRegressor, cb.CatBoostRanker, cb),
)


@pytest.fixture(autouse=True)
def _plain() -> Iterator[None]:
    """Begin and end every test without instrumentation."""
    uninstrument()
    yield
    uninstrument()


def test_every_way_to_predict_is_tried() -> None:
    """Three frameworks, fifteen models, each with all its methods."""
    assert len({name.rpartition(".")[0] for name in NAMES}) == 14
    assert len(NAMES) >= 20


@pytest.mark.parametrize("name", NAMES)
def test_a_call_gives_what_it_gave_and_one_span(name: str) -> None:
    """The same values of the same type, and a span with a true name that breaks no convention."""
    model, method, samples = cases()[name]
    expected = getattr(model, method)(samples)
    with capture() as seen:
        found = getattr(model, method)(samples)
        assert seen.metric("ml.sdk.errors") == []
        assert seen.attributes["ml.batch.size"] == 5
        assert seen.attributes["code.function.name"].endswith(f".{type(model).__name__}.{method}")
        seen.conformance.check()
    assert type(found) is type(expected)
    assert found.dtype == expected.dtype
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("name", NAMES)
def test_models_survive_every_journey(name: str) -> None:
    """Pickled, cloudpickled, deep-copied or as a bound method, a model answers as it did."""
    model, method, samples = cases()[name]
    expected = getattr(model, method)(samples)
    with capture() as seen:
        journeys = [
            getattr(pickle.loads(pickle.dumps(model)), method),
            getattr(cloudpickle.loads(cloudpickle.dumps(model)), method),
            getattr(copy.deepcopy(model), method),
            pickle.loads(pickle.dumps(getattr(model, method))),
            cloudpickle.loads(cloudpickle.dumps(getattr(model, method))),
        ]
        assert len(seen.spans) == 0
        for arrived in journeys:
            np.testing.assert_array_equal(arrived(samples), expected)
        assert len(seen.spans) == len(journeys)
        assert seen.metric("ml.sdk.errors") == []


def functions() -> dict[tuple[str, str], Any]:
    """Return every function of the frameworks that could be wrapped."""
    return {
        (
            f"{owner.__module__}.{owner.__qualname__}" if isinstance(owner, type) else str(owner),
            key,
        ): value
        for owner in OWNERS
        for key, value in vars(owner).items()
        if inspect.isfunction(value)
    }


def test_uninstrument_restores_the_very_functions() -> None:
    """Afterwards every class and module has the functions it had, not equal ones: the same."""
    before = functions()
    with capture():
        during = functions()
    after = functions()
    assert sum(MARKER in vars(function) for function in during.values()) > 40
    assert after.keys() == before.keys()
    assert [key for key in before if after[key] is not before[key]] == []
    for owner in (xgb.XGBModel, lgb.LGBMModel, cb.CatBoost):
        assert "__init_subclass__" not in vars(owner)


def test_signatures_documentation_and_state_are_unchanged() -> None:
    """Neither `inspect.signature` nor `help` nor a model's own attributes tell of us."""

    def appearance() -> dict[tuple[str, str], Any]:
        return {
            key: (str(inspect.signature(function)), function.__doc__, function.__name__)
            for key, function in functions().items()
        }

    before = appearance()
    model, _, samples = cases()["LGBMClassifier.predict"]
    state = sorted(vars(model))
    with capture():
        model.predict(samples)
        assert appearance() == before
        assert sorted(vars(model)) == state


IS_WRAPPED = """
from otel_ml.instrumentors._wrapping import MARKER
owner = getattr(PACKAGE, "Booster", None) or PACKAGE.CatBoost
assert MARKER in vars(vars(owner).get("_predict") or vars(owner)["predict"])
"""
NOTHING_IMPORTED = """
import sys
assert not {"xgboost", "lightgbm", "catboost", "sklearn", "numpy"} & set(sys.modules)
"""


def test_functions_of_modules_survive_a_journey_too() -> None:
    """By whichever of its names a function was taken, it arrives as itself: a job may be sent so."""
    with capture():
        for function in (lgb.train, lgb.engine.train, lgb.cv, cb.cv):
            assert pickle.loads(pickle.dumps(function)) is function


@pytest.mark.parametrize("package", ["xgboost", "lightgbm", "catboost"])
@pytest.mark.parametrize("is_imported_first", [False, True])
def test_it_does_not_matter_what_comes_first(package: str, is_imported_first: bool) -> None:
    """The framework or the instrumentation; and to instrument imports no framework."""
    import_it = f"import {package}"
    instrument_it = f"import otel_ml; otel_ml.instrument(['{package}'])"
    steps = [instrument_it, NOTHING_IMPORTED, import_it]
    if is_imported_first:
        steps = [import_it, instrument_it]
    program = "\n".join([*steps, IS_WRAPPED.replace("PACKAGE", package)])
    run(program, options=("-W", "ignore"))


@pytest.mark.parametrize("name", ["xgboost.Booster.inplace_predict", "lightgbm.Booster.predict",
                                  "CatBoostClassifier.predict_proba"])  # fmt: skip
def test_many_threads_at_once_lose_and_mix_nothing(name: str) -> None:
    """400 calls from 8 threads: as many spans, each number once, each with its own size."""
    model, method, _ = cases()[name]
    sizes = [1 + number % 3 for number in range(400)]
    with capture() as seen:
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            found = list(pool.map(lambda size: len(getattr(model, method)(SAMPLES[:size])), sizes))
        facts = [dict(span.attributes or {}) for span in seen.spans]
        assert seen.metric("ml.sdk.errors") == []
    assert found == sizes
    assert sorted(fact["ml.call.sequence"] for fact in facts) == list(range(1, 401))
    assert sum(fact["ml.batch.size"] for fact in facts) == sum(sizes)


def test_a_model_inside_a_model_is_silent() -> None:
    """The outermost call is the inference over all frameworks together: a mixture of three is one."""

    class Mixture(cb.CatBoostRegressor):  # type: ignore[misc]  # CatBoost has no types
        def _process_predict_input_data(self, data: Any, *args: Any, **kwargs: Any) -> Any:
            for name in ("LGBMRegressor.predict", "XGBRegressor.predict"):
                cases()[name].model.predict(data)
            return super()._process_predict_input_data(data, *args, **kwargs)

    model = Mixture(**SILENT).fit(SAMPLES, BINARY)
    with capture() as seen:
        model.predict(SAMPLES[:2])
        assert [span.name for span in seen.spans] == ["predict Mixture"]
    with capture(Settings(capture_nested=True)) as seen:
        model.predict(SAMPLES[:2])
        names = [span.name for span in seen.spans]
    assert names[-1] == "predict Mixture"
    assert {"predict LGBMRegressor", "predict XGBRegressor"} < set(names)


def sent(seen: Capture) -> bytes:
    """Return the OTLP bytes of all spans and metrics."""
    data = seen._reader.get_metrics_data()
    metrics = encode_metrics(data).SerializeToString() if data is not None else b""
    return encode_spans(seen.spans).SerializeToString() + metrics


@pytest.mark.parametrize("name", NAMES)
def test_no_feature_value_leaves_unless_asked_for(name: str) -> None:
    """Of arrays, frames, matrices and pools; not on spans, not in metrics, not through exceptions."""
    model, method, _ = cases()[name]
    rows = np.full((2, 3), NUMBER)
    forms = [rows, rows[0], pd.DataFrame(rows), rows.tolist(), xgb.DMatrix(rows), cb.Pool(rows)]
    with capture() as seen:
        for samples in forms:
            outcome(getattr(model, method), samples)
        assert len(seen.spans) == len(forms)
        assert [needle for needle in NEEDLES if needle in sent(seen)] == []
    with capture(Settings(capture_content="span_only")) as seen:
        outcome(getattr(model, method), rows)
        assert [needle for needle in NEEDLES if needle in sent(seen)] != []


@pytest.mark.parametrize("samples", [xgb.DMatrix(np.full((2, 3), NUMBER), feature_names=["a", "b", "c"]),
                                     cb.Pool(np.full((2, 3), NUMBER), feature_names=["a", "b", "c"])])  # fmt: skip
def test_a_denied_value_of_a_matrix_does_not_leave_though_others_do(samples: Any) -> None:
    """The list is kept to in matrices and pools too."""
    name = "xgboost.Booster.predict" if isinstance(samples, xgb.DMatrix) else "CatBoost.predict"
    model = copy.deepcopy(cases()[name].model)  # older boosters take over the names of an input
    denied = Settings(capture_content="span_only", feature_denylist=("a", "b"))
    with capture(denied) as seen:
        outcome(model.predict, samples)
        rows = seen.attributes["ml.input.rows"]
    assert '"c":8675' in rows
    assert '"a"' not in rows


def inputs(generator: np.random.Generator) -> Any:
    """Return some input or other, most of them such as no model expects."""
    rows, columns = int(generator.integers(0, 4)), int(generator.choice([0, 1, 2, 3, 3, 3, 4]))
    kind = str(generator.choice(["float64", "float32", "int64", "bool", "object", "U3", "M8[s]"]))
    array = generator.normal(size=(rows, columns)).round().astype(
        kind if kind not in {"U3", "M8[s]", "object"} else "int64"
    ).astype(kind)  # fmt: skip
    if kind.startswith("float") and array.size and generator.random() < 0.5:
        array.flat[0] = generator.choice([np.nan, np.inf, -np.inf])
    forms: list[Any] = [
        lambda: array,
        array.ravel,
        lambda: array.reshape(1, rows, columns),
        array.tolist,
        lambda: tuple(map(tuple, array.tolist())),
        lambda: pd.DataFrame(array, columns=list("abcdefg")[:columns]),
        lambda: pd.DataFrame(array.astype("int64", copy=False)).astype("category"),
        lambda: pl.DataFrame({f"c{i}": array[:, i].tolist() for i in range(columns)}),
        lambda: pd.Series(array.ravel()),
        lambda: sp.csr_matrix(array.astype("float64")),
        lambda: xgb.DMatrix(array.astype("float64")),
        lambda: cb.Pool(array.astype("float64")),
        lambda: {"a": array.tolist()},
        lambda: np.float64(1.0),
        lambda: generator.choice(np.array([None, "text", 3, b"x", object()], object)),
    ]
    return forms[int(generator.integers(len(forms)))]


@pytest.mark.parametrize("name", NAMES)
def test_whatever_comes_is_answered_or_refused_as_before(name: str) -> None:
    """Forty inputs each: same answer or same exception, one span, and no failure of ours."""
    model, method, _ = cases()[name]
    generator = np.random.default_rng(NAMES.index(name))
    tried = [outcome(inputs(generator))[0] for _ in range(40)]
    plain = [outcome(getattr(model, method), samples) for samples in tried]
    assert {error is None for _, error in plain} == {True, False}
    everything = Settings(capture_content="span_only", capture_outputs="full")
    with capture(everything) as seen:
        for samples, (expected, error) in zip(tried, plain, strict=True):
            seen.clear()
            found, raised = outcome(getattr(model, method), samples)
            assert (type(found), type(raised)) == (type(expected), type(error))
            if error is None:
                np.testing.assert_array_equal(found, expected)
            assert len(seen.spans) == 1
            assert ("error.type" in seen.attributes) == (error is not None)
        assert seen.metric("ml.sdk.errors") == []
        seen.conformance.check()

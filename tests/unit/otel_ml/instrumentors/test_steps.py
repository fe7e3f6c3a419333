"""Steps of scikit-learn pipelines, and what is done before and after a model is asked."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.ensemble import VotingClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, LabelEncoder, OneHotEncoder, StandardScaler

import otel_ml
from otel_ml.settings import Settings
from otel_ml.testing import Capture, capture

X = pd.DataFrame({"age": [1.0, 2.0, 3.0, 4.0], "visits": [4.0, 3.0, 2.0, 1.0], "city": [*"xyxy"]})
Y = ["no", "no", "yes", "yes"]
PARTS = Settings(capture_nested=True)


class Thrice(StandardScaler):  # type: ignore[misc]  # published without types
    """A transformer whose method calls that of its ancestor."""

    def transform(self, X: Any, copy: Any = None) -> Any:  # noqa: N803 - scikit-learn's name
        """Return three times the standardised values."""
        return super().transform(X, copy) * 3


class Broken(TransformerMixin, BaseEstimator):  # type: ignore[misc]  # published without types
    """A transformer that learns, and then refuses to work."""

    def fit(self, X: Any, y: Any = None) -> "Broken":  # noqa: N803 - scikit-learn's name
        """Learn nothing."""
        return self

    def fit_transform(self, X: Any, y: Any = None) -> Any:  # noqa: N803 - scikit-learn's name
        """Return *X* as it is."""
        return X

    def transform(self, X: Any) -> Any:  # noqa: N803 - scikit-learn's name
        """Raise."""
        raise LookupError("no such thing")


def columns(**options: Any) -> ColumnTransformer:
    """Return what imputes and scales the numbers, and codes the city."""
    numbers = Pipeline([("impute", SimpleImputer()), ("scale", StandardScaler())])
    city = ("city", OneHotEncoder(sparse_output=False), ["city"])
    return ColumnTransformer([("numbers", numbers, ["age", "visits"]), city], **options)


def told(seen: Capture) -> list[str]:
    """Return the names of the spans in the order in which they began, indented by their depth."""
    by_id = {span.context.span_id: span for span in seen.spans}

    def depth(span: Any) -> int:
        return 0 if span.parent is None else 1 + depth(by_id[span.parent.span_id])

    ordered = sorted(seen.spans, key=lambda span: (span.start_time, depth(span)))
    return ["  " * depth(span) + span.name for span in ordered]


def only(seen: Capture, name: str) -> dict[str, Any]:
    """Return the attributes of the one span *name*."""
    (span,) = [span for span in seen.spans if span.name == name]
    return dict(span.attributes or {})


def test_each_step_is_a_span_where_it_belongs() -> None:
    """In their order, each below what holds it: a column transformer, its pipelines, a union, the model."""
    same = FeatureUnion([("as_it_is", "passthrough"), ("scaled", StandardScaler())])
    model = Pipeline([("columns", columns()), ("both", same), ("decide", LogisticRegression())])
    with capture(PARTS) as seen:
        model.fit(X, Y)
        assert told(seen) == []
        model.predict_proba(X)
    assert told(seen) == [
        "predict Pipeline",
        "  transform columns",
        "    transform numbers",
        "      transform impute",
        "      transform scale",
        "    transform city",
        "  transform both",
        "    transform as_it_is",
        "    transform scaled",
        "  predict LogisticRegression",
    ]
    seen.conformance.check()


def test_a_step_says_what_it_is_and_whose() -> None:
    """Its name and place, its class and method, the samples it was given, and the model that was asked."""
    model = Pipeline([("scale", StandardScaler()), ("decide", LogisticRegression())])
    model.fit(X[["age"]], Y)
    otel_ml.register_model(model, name="churn", version="3")
    with capture(PARTS) as seen:
        model.predict(X[["age"]][:3])
    step = only(seen, "transform scale")
    framework_version = step.pop("ml.framework.version")
    assert step == {
        "ml.operation.name": "transform",
        "ml.pipeline.step.name": "scale",
        "ml.pipeline.step.index": 0,
        "ml.model.name": "churn",
        "ml.model.version": "3",
        "ml.model.type": "sklearn.preprocessing._data.StandardScaler",
        "ml.framework.name": "sklearn",
        "ml.task.type": "binary_classification",
        "code.function.name": "sklearn.preprocessing._data.StandardScaler.transform",
        "ml.batch.size": 3,
    }
    assert framework_version == only(seen, "predict churn")["ml.framework.version"]


def test_two_steps_of_one_class_are_told_apart() -> None:
    """By the names and positions that the author of the pipeline gave them."""
    model = make_pipeline(StandardScaler(), StandardScaler(), LogisticRegression())
    model.fit(X[["age"]], Y)
    with capture(PARTS) as seen:
        model.predict(X[["age"]])
    steps = ("transform standardscaler-1", "transform standardscaler-2")
    assert [only(seen, name)["ml.pipeline.step.index"] for name in steps] == [0, 1]


def test_steps_are_silent_by_default() -> None:
    """Without `capture_nested` no transformer is wrapped at all, and the call is one span."""
    own = StandardScaler.transform
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(X[["age"]], Y)
    with capture() as seen:
        assert StandardScaler.transform is own
        model.predict(X[["age"]])
        StandardScaler().fit(X[["age"]]).transform(X[["age"]])
    assert told(seen) == ["predict Pipeline"]


def test_transformers_are_given_back_as_they_were() -> None:
    """When parts are not asked for any more, the very same functions are in their places."""
    own = StandardScaler.transform
    with capture(PARTS):
        assert StandardScaler.transform is not own
    assert StandardScaler.transform is own


def test_what_prepares_the_inputs_by_itself_is_a_step_before() -> None:
    """A transformer that is called outside of a model: `preprocess`, with what is inside of it."""
    prepare = columns().fit(X)
    with capture(PARTS) as seen:
        prepare.transform(X)
    assert told(seen) == [
        "preprocess ColumnTransformer",
        "  transform numbers",
        "    transform impute",
        "    transform scale",
        "  transform city",
    ]
    step = only(seen, "preprocess ColumnTransformer")
    assert step["ml.framework.name"] == "sklearn"
    assert step["ml.batch.size"] == 4
    assert "ml.model.name" not in step
    seen.conformance.check()


def test_what_reads_the_answers_by_itself_is_a_step_after() -> None:
    """Codes that become classes again: `postprocess`."""
    codes = LabelEncoder().fit(Y)
    with capture(PARTS) as seen:
        assert list(codes.inverse_transform([1, 0])) == ["yes", "no"]
    assert told(seen) == ["postprocess LabelEncoder"]


def test_what_reads_the_answers_inside_of_a_model_is_a_step_of_it() -> None:
    """A regressor of transformed targets turns its numbers back: `postprocess`, after the model inside."""
    model = TransformedTargetRegressor(LinearRegression(), transformer=StandardScaler())
    model.fit(X[["age"]], [1.0, 2.0, 3.0, 4.0])
    with capture(PARTS) as seen:
        model.predict(X[["age"]])
    assert told(seen) == [
        "predict TransformedTargetRegressor",
        "  predict LinearRegression",
        "  postprocess transformer",
    ]
    seen.conformance.check()


def test_a_step_that_raises_says_so() -> None:
    """The exception goes on untouched; the step and the call bear its type, and nothing is left open."""
    model = make_pipeline(Broken(), LogisticRegression()).fit(X[["age"]], Y)
    with capture(PARTS) as seen:
        with pytest.raises(LookupError, match="no such thing"):
            model.predict(X[["age"]])
        StandardScaler().fit(X[["age"]]).transform(X[["age"]])
    assert only(seen, "transform broken")["error.type"] == "LookupError"
    assert only(seen, "predict Pipeline")["error.type"] == "LookupError"
    assert told(seen)[-1] == "preprocess StandardScaler"  # a root again


@pytest.mark.parametrize(
    "use",
    [
        lambda model: cross_val_score(model, X[["age"]], Y, cv=2),
        lambda model: GridSearchCV(model, {"logisticregression__C": [1, 2]}, cv=2).fit(
            X[["age"]], Y
        ),
        lambda model: model.fit(X[["age"]], Y).score(X[["age"]], Y),
        lambda model: model[:-1].fit_transform(X[["age"]]),
    ],
    ids=["cross-validation", "search", "score", "fit_transform"],
)
def test_training_and_scoring_have_no_steps(use: Any) -> None:
    """What a fit, a search or a score does inside is not told, steps as little as predictions."""
    model = make_pipeline(StandardScaler(), LogisticRegression())
    with capture(PARTS) as seen:
        use(model)
    assert told(seen) == []


def test_the_best_candidate_of_a_search_has_its_steps() -> None:
    """The search is the model; the pipeline that it chose is a part with steps of its own."""
    search = GridSearchCV(make_pipeline(StandardScaler(), LogisticRegression()), {}, cv=2)
    search.fit(X[["age"]], Y)
    with capture(PARTS) as seen:
        search.predict(X[["age"]])
    assert told(seen) == [
        "predict GridSearchCV",
        "  predict Pipeline",
        "    transform standardscaler",
        "    predict LogisticRegression",
    ]


def test_a_method_that_calls_its_ancestors_is_one_step() -> None:
    """A class of a user's that extends a transformer and asks it."""
    model = make_pipeline(Thrice(), LogisticRegression()).fit(X[["age"]], Y)
    with capture(PARTS) as seen:
        model.predict(X[["age"]])
        Thrice().fit(X[["age"]]).transform(X[["age"]])
    assert told(seen) == [
        "predict Pipeline",
        "  transform thrice",
        "  predict LogisticRegression",
        "preprocess Thrice",
    ]


def test_what_a_step_calls_by_itself_is_no_step() -> None:
    """A function that uses another transformer, which no pipeline lists."""
    hidden = StandardScaler().fit(X[["age"]])
    model = make_pipeline(FunctionTransformer(hidden.transform), LogisticRegression())
    model.fit(X[["age"]], Y)
    with capture(PARTS) as seen:
        model.predict(X[["age"]])
    assert told(seen) == [
        "predict Pipeline",
        "  transform functiontransformer",
        "  predict LogisticRegression",
    ]


def test_parts_in_threads_are_silent() -> None:
    """In a thread that does not know who called no span would have the right parent: there is none."""
    model = make_pipeline(columns(n_jobs=2), LogisticRegression()).fit(X, Y)
    from joblib import parallel_backend

    with capture(PARTS) as seen, parallel_backend("threading"):
        model.predict(X)
    assert told(seen) == [
        "predict Pipeline",
        "  transform columntransformer",
        "  predict LogisticRegression",
    ]


def test_the_answers_are_the_same() -> None:
    """Observed and not, of arrays and data frames, with `set_output` too."""
    model = make_pipeline(columns().set_output(transform="pandas"), LogisticRegression())
    expected = model.fit(X, Y).predict_proba(X)
    with capture(PARTS):
        assert np.array_equal(model.predict_proba(X), expected)
        assert type(model[:-1].transform(X)) is pd.DataFrame


def test_members_of_an_ensemble_do_not_lend_their_steps() -> None:
    """What an ensemble asks in its own way is its business: one span, and no step without a parent."""
    member = make_pipeline(StandardScaler(), LogisticRegression())
    model = VotingClassifier([("one", member)], voting="soft").fit(X[["age"]], Y)
    with capture(PARTS) as seen:
        model.predict_proba(X[["age"]])
    assert {name for name in told(seen) if not name.startswith(" ")} == {
        "predict VotingClassifier",
    }


def test_a_call_of_very_many_steps_is_cut() -> None:
    """The first 128 steps are told, so that no pipeline floods a trace; the answer is whole."""
    many = [(f"step_{number}", FunctionTransformer()) for number in range(200)]
    model = Pipeline([*many, ("decide", LogisticRegression())]).fit(X[["age"]], Y)
    with capture(PARTS) as seen:
        model.predict(X[["age"]])
    steps = [name for name in told(seen) if name.startswith("  transform")]
    assert steps == [f"  transform step_{number}" for number in range(128)]


def test_an_unsampled_call_has_no_steps() -> None:
    """Where the trace is not recorded, neither are steps, and the answer is the same."""
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(X[["age"]], Y)
    with capture(PARTS, sampler=ALWAYS_OFF) as seen:
        assert list(model.predict(X[["age"]])) == Y
    assert told(seen) == []


def test_odd_pipelines_are_asked_as_ever() -> None:
    """Steps that are words or nothing, and a pipeline that is not trained: its own exception."""
    model = Pipeline([("none", None), ("same", "passthrough"), ("decide", LogisticRegression())])
    with capture(PARTS) as seen:
        with pytest.raises(Exception, match="not fitted"):
            Pipeline([("scale", StandardScaler()), ("decide", LogisticRegression())]).predict([[1]])
        assert list(model.fit(X[["age"]], Y).predict(X[["age"]])) == Y
    assert "  predict LogisticRegression" in told(seen)
    assert not [name for name in told(seen) if "same" in name or "none" in name]

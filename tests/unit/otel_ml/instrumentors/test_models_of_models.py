"""What pipelines, searches, ensembles and models of several labels tell, whatever answers in the end."""

from collections.abc import Callable
from typing import Any

import lightgbm as lgb
import numpy as np
import pytest
import xgboost as xgb
from catboost import CatBoostClassifier
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.ensemble import (
    AdaBoostClassifier,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    StackingClassifier,
    VotingClassifier,
)
from sklearn.experimental import enable_iterative_imputer  # noqa: F401 - by being imported
from sklearn.impute import IterativeImputer
from sklearn.inspection import partial_dependence, permutation_importance
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.metrics import get_scorer
from sklearn.metrics._scorer import _MultimetricScorer
from sklearn.model_selection import GridSearchCV
from sklearn.multiclass import OneVsRestClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from otel_ml.testing import Capture
from otel_ml_conventions.attributes import (
    CODE_FUNCTION_NAME,
    ML_BATCH_SIZE,
    ML_MODEL_NAME,
    ML_OUTPUT_SHAPE,
    ML_PREDICTION_CONFIDENCE,
    ML_PREDICTION_CONFIDENCES,
    ML_PREDICTION_LABEL,
    ML_PREDICTION_LABELS,
    ML_PREDICTION_SCORES,
    ML_TASK_TYPE,
)

pytestmark = pytest.mark.filterwarnings(
    "ignore::UserWarning", "ignore::sklearn.exceptions.ConvergenceWarning"
)

SAMPLES = np.random.default_rng(0).normal(size=(80, 3))
BINARY = (SAMPLES[:, 0] > 0).astype(int)
GROUPS = np.repeat(np.arange(8), 10)
# Of each sample one label and no other: the probabilities of both add up to 1.
EXCLUSIVE = np.stack([BINARY, 1 - BINARY], axis=1)
FEW: dict[str, Any] = {"n_estimators": 3, "verbosity": 0}
LIGHT: dict[str, Any] = {"n_estimators": 3, "verbose": -1, "n_jobs": 1, "min_child_samples": 5}


def own_objective(target: Any, margin: Any) -> Any:
    """Return gradient and curvature of the logistic loss."""
    probability = 1.0 / (1.0 + np.exp(-margin))
    return probability - target, probability * (1.0 - probability)


def own_light() -> Any:
    """Return a LightGBM classifier that answers with sums over trees."""
    return lgb.LGBMClassifier(objective=own_objective, **LIGHT)


SUMS: dict[str, tuple[Callable[[], Any], dict[str, Any]]] = {
    "margin of xgboost": (
        lambda: make_pipeline(StandardScaler(), xgb.XGBClassifier(**FEW)),
        {"output_margin": True},
    ),
    "raw score of lightgbm": (
        lambda: make_pipeline(StandardScaler(), lgb.LGBMClassifier(**LIGHT)),
        {"raw_score": True},
    ),
    "raw value of catboost": (
        lambda: make_pipeline(
            StandardScaler(), CatBoostClassifier(iterations=3, verbose=0, allow_writing_files=False)
        ),
        {"prediction_type": "RawFormulaVal"},
    ),
    "objective of the user's": (lambda: make_pipeline(StandardScaler(), own_light()), {}),
    "search": (lambda: GridSearchCV(own_light(), {"num_leaves": [4]}, cv=2), {}),
}


@pytest.mark.parametrize("case", SUMS)
def test_sums_over_trees_are_no_classes_behind_a_pipeline_either(full: Capture, case: str) -> None:
    """They are told as the scores that they are, where those may be told."""
    make, options = SUMS[case]
    model = make().fit(SAMPLES, BINARY)
    full.clear()
    answer = model.predict(SAMPLES[:3], **options)
    assert ML_PREDICTION_LABELS not in full.attributes
    assert full.attributes[ML_PREDICTION_SCORES] == pytest.approx(answer.tolist())


@pytest.mark.parametrize("case", SUMS)
def test_sums_over_trees_do_not_leave_unasked(captured: Capture, case: str) -> None:
    """They are no labels, which do."""
    make, options = SUMS[case]
    model = make().fit(SAMPLES, BINARY)
    captured.clear()
    model.predict(SAMPLES[:3], **options)
    told = str(captured.attributes)
    assert "ml.prediction" not in told


@pytest.mark.parametrize("target", [BINARY.astype(float), BINARY * 0.5])
def test_classes_that_are_fractions_are_classes(captured: Capture, target: Any) -> None:
    """As which they are known to the model."""
    model = DecisionTreeClassifier().fit(SAMPLES, (target * 2).astype(int))
    model.classes_ = np.unique(target)
    model.predict(SAMPLES[:3])
    expected = tuple(f"{value:g}" for value in target[:3])
    assert captured.attributes[ML_PREDICTION_LABELS] == expected


def test_a_pipeline_that_ends_in_a_ranker_ranks(full: Capture) -> None:
    """It answers with scores, as the ranker does by itself."""
    model = make_pipeline(StandardScaler(), xgb.XGBRanker(**FEW))
    model.fit(SAMPLES, BINARY, xgbranker__qid=GROUPS)
    answer = model.predict(SAMPLES[:3])
    assert full.attributes[ML_TASK_TYPE] == "ranking"
    assert full.attributes[ML_PREDICTION_SCORES] == pytest.approx(answer.tolist())


LABELS: dict[str, Callable[[], Any]] = {
    "xgboost": lambda: xgb.XGBClassifier(**FEW),
    "pipeline": lambda: make_pipeline(StandardScaler(), xgb.XGBClassifier(**FEW)),
    "one against the rest": lambda: OneVsRestClassifier(DecisionTreeClassifier()),
    "perceptron": lambda: MLPClassifier([4], max_iter=20),
}


@pytest.mark.parametrize("rows", [1, 4])
@pytest.mark.parametrize("case", LABELS)
def test_probabilities_of_several_labels_are_no_distribution_even_if_they_add_up(
    full: Capture, case: str, rows: int
) -> None:
    """What each label has for itself says nothing of how sure one class is."""
    model = LABELS[case]().fit(SAMPLES, EXCLUSIVE)
    full.clear()
    model.predict_proba(SAMPLES[:rows])
    attributes = full.attributes
    assert attributes[ML_TASK_TYPE] == "multilabel_classification"
    assert attributes[ML_OUTPUT_SHAPE] == (rows, 2)
    told = {ML_PREDICTION_CONFIDENCE, ML_PREDICTION_CONFIDENCES, ML_PREDICTION_LABEL}
    assert told.isdisjoint(attributes)
    assert full.metric("ml.prediction.confidence") == []


def test_a_linear_classifier_of_several_labels_says_so(captured: Capture) -> None:
    """It has a number for each of them."""
    RidgeClassifier().fit(SAMPLES, EXCLUSIVE).predict(SAMPLES[:2])
    assert captured.attributes[ML_TASK_TYPE] == "multilabel_classification"


class Listing(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # published without types
    """A classifier of a user's, who keeps the classes in a list."""

    classes_: Any

    def fit(self, _samples: Any, target: Any) -> "Listing":
        """Remember the classes."""
        self.classes_ = sorted(set(target))
        return self

    def predict_proba(self, samples: Any) -> Any:
        """Return the same of every sample."""
        return np.tile([0.25, 0.5, 0.25], (len(samples), 1))

    def staged_predict(self, samples: Any) -> Any:
        """Return a list, which sklearn's own do not."""
        return [self.classes_[0]] * len(samples)


def test_classes_in_a_list_are_those_of_one_output(captured: Capture) -> None:
    """It is several outputs that have a list of arrays."""
    model = Listing().fit(SAMPLES, [*"abc", *"a" * 77])
    model.predict_proba(SAMPLES[:1])
    assert captured.attributes[ML_TASK_TYPE] == "multiclass_classification"
    assert captured.attributes[ML_PREDICTION_LABEL] == "b"


def holed() -> Any:
    """Return samples with missing values in two columns."""
    samples = SAMPLES.copy()
    samples[::5, 0] = samples[::7, 1] = np.nan
    return samples


ASKS: dict[str, Callable[[], Any]] = {
    "imputer": lambda: IterativeImputer(max_iter=2).fit(holed()).transform(holed()[:7]),
    "stack": lambda: StackingClassifier(members(), cv=2).fit(SAMPLES, BINARY).transform(SAMPLES),
    "vote": lambda: VotingClassifier(members()).fit(SAMPLES, BINARY).transform(SAMPLES),
    "dependence": lambda: partial_dependence(fitted(), SAMPLES, [0], method="brute"),
    "importance": lambda: permutation_importance(fitted(), SAMPLES, BINARY, scoring="accuracy"),
    "scorer": lambda: get_scorer("roc_auc")(fitted(), SAMPLES, BINARY),
    "scorers": lambda: scorers("accuracy", "roc_auc")(fitted(), SAMPLES, BINARY),
}


def scorers(*names: str) -> Any:
    """Return what `check_scoring` makes of several names, in versions that do not take them yet too."""
    return _MultimetricScorer(scorers={name: get_scorer(name) for name in names})


def fitted() -> Any:
    """Return a model that was trained."""
    return LogisticRegression().fit(SAMPLES, BINARY)


def members() -> list[tuple[str, Any]]:
    """Return the parts of an ensemble."""
    return [("tree", DecisionTreeClassifier()), ("line", LogisticRegression())]


@pytest.mark.parametrize("case", ASKS)
def test_asking_parts_or_for_evaluation_is_no_inference(captured: Capture, case: str) -> None:
    """An imputer that asks regressions, an ensemble that transforms, explaining and scoring."""
    ASKS[case]()
    assert [span.name for span in captured.calls] == []


STAGED: dict[str, Callable[[], Any]] = {
    "adaptive": lambda: AdaBoostClassifier(n_estimators=3),
    "gradient": lambda: GradientBoostingClassifier(n_estimators=3),
    "histogram": lambda: HistGradientBoostingClassifier(max_iter=3),
}


@pytest.mark.parametrize("case", STAGED)
def test_the_stages_of_a_booster_are_one_inference_of_it(captured: Capture, case: str) -> None:
    """It tells of the last; the models inside are parts."""
    model = STAGED[case]().fit(SAMPLES, BINARY)
    for method in ("staged_predict", "staged_predict_proba"):
        *_, last = getattr(model, method)(SAMPLES[:3])
        assert captured.attributes[ML_MODEL_NAME] == type(model).__name__
        assert captured.attributes[CODE_FUNCTION_NAME].endswith(f".{method}")
        assert captured.attributes[ML_BATCH_SIZE] == 3
        if method == "staged_predict":
            assert captured.attributes[ML_PREDICTION_LABELS] == tuple(map(str, last))
        else:
            told = captured.attributes[ML_PREDICTION_CONFIDENCES]
            assert told == pytest.approx(last.max(axis=1).tolist())
        captured.clear()


def test_stages_that_are_a_list_stay_one(captured: Capture) -> None:
    """What a user's own class calls stages may be no generator."""
    model = Listing().fit(SAMPLES, [*"abc", *"a" * 77])
    assert model.staged_predict(SAMPLES[:2]) == ["a", "a"]
    assert captured.calls == ()

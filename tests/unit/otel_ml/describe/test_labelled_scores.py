"""What labels with scores say of classes and of how sure a model is."""

import math

import pytest

from otel_ml.describe.labelled_scores import LabelledScores, describe_labelled_scores
from otel_ml_conventions import attributes as keys


def test_all_classes_of_one_sample_tell_entropy_and_margin() -> None:
    """Of 1/2, 1/4, 1/4 the entropy is 3/2 ln 2 over ln 3, and the first leads by 1/4."""
    answer = LabelledScores(["b", "a", "c"], [0.25, 0.5, 0.25])
    assert describe_labelled_scores([answer], [0]) == {
        keys.ML_PREDICTION_LABEL: "a",
        keys.ML_PREDICTION_CONFIDENCE: 0.5,
        keys.ML_PREDICTION_ENTROPY: pytest.approx(1.5 * math.log(2) / math.log(3)),
        keys.ML_PREDICTION_MARGIN: 0.25,
    }


def test_two_classes_are_a_distribution_too() -> None:
    """Of 1/4 and 3/4 the second leads by 1/2; its entropy is 2 - 3/4 log2 3 bits, of 1 that is possible."""
    told = describe_labelled_scores([LabelledScores(["no", "yes"], [0.25, 0.75])], [0])
    assert told[keys.ML_PREDICTION_ENTROPY] == pytest.approx(2 - 0.75 * math.log2(3))
    assert told[keys.ML_PREDICTION_MARGIN] == 0.5


def test_a_negative_score_among_others_is_no_distribution() -> None:
    """They add up to 1, and yet there is no entropy of them: nothing is raised, the best class and its score are told."""
    answer = LabelledScores(["a", "b", "c"], [0.9, -0.2, 0.3])
    assert describe_labelled_scores([answer], [0]) == {
        keys.ML_PREDICTION_LABEL: "a",
        keys.ML_PREDICTION_CONFIDENCE: 0.9,
    }


def test_the_best_class_alone_tells_no_entropy() -> None:
    """What the other classes got is not known, so neither is how open the question was."""
    assert describe_labelled_scores([LabelledScores(["a"], [0.5])], [0]) == {
        keys.ML_PREDICTION_LABEL: "a",
        keys.ML_PREDICTION_CONFIDENCE: 0.5,
    }


def test_a_batch_tells_captured_samples_and_the_mean_of_all() -> None:
    """Labels and confidences of the samples that are captured; mean and smallest of all."""
    answers = [LabelledScores(["a"], [score]) for score in (0.5, 0.75, 1.0)]
    assert describe_labelled_scores(answers, [0, 2]) == {
        keys.ML_PREDICTION_LABELS: ["a", "a"],
        keys.ML_PREDICTION_CONFIDENCES: [0.5, 1.0],
        keys.ML_BATCH_CONFIDENCE_MEAN: 0.75,
        keys.ML_BATCH_CONFIDENCE_MIN: 0.5,
    }


@pytest.mark.parametrize("score", [-0.1, 1.1, math.nan, math.inf])
def test_a_score_that_is_no_probability_is_no_confidence(score: float) -> None:
    """A raw score names a class; it does not say how sure the model is."""
    one, other = LabelledScores(["a"], [score]), LabelledScores(["b"], [0.5])
    assert describe_labelled_scores([one], [0]) == {keys.ML_PREDICTION_LABEL: "a"}
    assert describe_labelled_scores([one, other], [0, 1]) == {keys.ML_PREDICTION_LABELS: ["a", "b"]}


def test_a_long_label_is_hashed() -> None:
    """A label of more than 64 characters may hold more than a class."""
    told = describe_labelled_scores([LabelledScores(["x" * 65], [0.5])], [0])
    assert str(told[keys.ML_PREDICTION_LABEL]).startswith("b2:")


def test_independent_scores_are_no_distribution() -> None:
    """Scores of a model that gives several labels add up to anything: neither entropy nor margin."""
    told = describe_labelled_scores([LabelledScores(["a", "b"], [0.9, 0.8])], [0])
    assert keys.ML_PREDICTION_ENTROPY not in told
    assert told[keys.ML_PREDICTION_CONFIDENCE] == 0.9

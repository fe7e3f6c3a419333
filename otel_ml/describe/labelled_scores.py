"""What labels with scores say: the class, and how sure the model is of it."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from otel_ml.describe.probabilities import class_label, entropy, margin
from otel_ml.describe.values import Facts
from otel_ml_conventions import attributes as keys

__all__ = ["LabelledScores", "describe_labelled_scores"]

# Scores in single precision, over many classes, add up to 1 no better than this.
_TOLERANCE: Final = 1e-3


class LabelledScores(NamedTuple):
    """The classes that a model named for one sample, at least one, each with its score."""

    labels: Sequence[str]
    scores: Sequence[float]


def describe_labelled_scores(answers: Sequence[LabelledScores], rows: Sequence[int]) -> Facts:
    """
    Return class and confidence; of one sample also entropy and margin, where all classes are named.

    The class is the one with the highest score, the first of equals. Where a score is no
    probability, between 0 and 1, only the classes are told.

    Args:
        answers: What was named of each sample, at least one.
        rows: Positions of the captured samples.
    """
    chosen = [answer.scores.index(max(answer.scores)) for answer in answers]
    confidences = [answers[i].scores[best] for i, best in enumerate(chosen)]
    labels = [class_label(answers[row].labels[chosen[row]]) for row in rows]
    are_probabilities = all(0.0 <= confidence <= 1.0 for confidence in confidences)
    if len(answers) == 1:
        told = _of_distribution(answers[0].scores) if are_probabilities else {}
        return {keys.ML_PREDICTION_LABEL: labels[0], **told}
    if not are_probabilities:
        return {keys.ML_PREDICTION_LABELS: labels}
    return {
        keys.ML_PREDICTION_LABELS: labels,
        keys.ML_PREDICTION_CONFIDENCES: [confidences[row] for row in rows],
        keys.ML_BATCH_CONFIDENCE_MEAN: sum(confidences) / len(confidences),
        keys.ML_BATCH_CONFIDENCE_MIN: min(confidences),
    }


def _of_distribution(scores: Sequence[float]) -> dict[str, float]:
    facts = {keys.ML_PREDICTION_CONFIDENCE: max(scores)}
    if len(scores) > 1 and min(scores) >= 0.0 and abs(sum(scores) - 1.0) <= _TOLERANCE:
        facts[keys.ML_PREDICTION_ENTROPY] = entropy(scores)
        facts[keys.ML_PREDICTION_MARGIN] = margin(scores)
    return facts

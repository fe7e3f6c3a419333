"""Truths of predictions, counted in the windows of those predictions and where the model was wrong."""

from __future__ import annotations

import math
from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from otel_ml_processor.columns import TextColumn

if TYPE_CHECKING:
    from collections.abc import Sequence

    from otel_ml_processor.assess.error_patterns import ErrorPatterns
    from otel_ml_processor.columns import BoolArray
    from otel_ml_processor.feedback.cohorts import Cohort
    from otel_ml_processor.feedback.places import Places
    from otel_ml_processor.feedback.reading import Feedback
    from otel_ml_processor.feedback.ring import Prediction
    from otel_ml_processor.feedback.streams import LabelledStreams
    from otel_ml_processor.feedback.waiting import WaitingPredictions
    from otel_ml_processor.sketches.outcomes import Outcomes
    from otel_ml_processor.windows.score_reference import ScoreReference

__all__ = ["Truth", "count_errors", "count_truths"]


class Truth(NamedTuple):
    """A prediction and the feedback that tells what was true; `right` is None where only numbers were compared."""

    prediction: Prediction
    feedback: Feedback
    right: bool | None


def count_truths(
    truths: Sequence[Truth], streams: LabelledStreams, waiting: WaitingPredictions
) -> None:
    """Count *truths* in the cohorts of the predictions, all together and by segment."""
    by_cohort: defaultdict[tuple[int, int, int], list[Truth]] = defaultdict(list)
    for truth in truths:
        for position, number in enumerate(truth.prediction.windows):
            by_cohort[truth.prediction.stream, position, number].append(truth)
    for (number, position, cohort_number), members in by_cohort.items():
        stream = streams[number]
        cohort = [*stream.cohorts.values()][position].get(cohort_number)
        if cohort is not None:
            _count_in(cohort, members, waiting)


def count_errors(
    truths: Sequence[Truth],
    streams: LabelledStreams,
    waiting: WaitingPredictions,
    patterns: ErrorPatterns,
) -> None:
    """Tell *patterns* where the features of right and of wrong predictions lie, of those that this is still known of."""
    told: defaultdict[tuple[int, int], list[tuple[Places, bool]]] = defaultdict(list)
    for truth in truths:
        places = waiting.places.taken(truth.prediction.serial)
        if places is not None and truth.right is not None:
            of = truth.prediction.stream, id(places.reference)
            told[of].append((places, not truth.right))
    for (number, _), members in told.items():
        reference = members[0][0].reference
        numbers = np.array([places.numbers for places, _ in members], dtype=np.int64).T
        is_wrong = np.array([wrong for _, wrong in members], dtype=bool)
        patterns.add_wrong(streams[number].key, reference, numbers, is_wrong)


def _count_in(cohort: Cohort, truths: Sequence[Truth], waiting: WaitingPredictions) -> None:
    scores = cohort.reference.scores if cohort.reference is not None else None
    cohort.labelled += waiting.ring.weight * len(truths)
    _add(cohort.outcomes, truths, scores, waiting)
    by_segment: defaultdict[tuple[int, int], list[Truth]] = defaultdict(list)
    for truth in truths:
        for position, number in enumerate(truth.prediction.segments):
            by_segment[position, number].append(truth)
    for segment, members in by_segment.items():
        if segment[1] >= 0:
            _add(cohort.outcomes_of(segment), members, scores, waiting)


def _add(
    outcomes: Outcomes,
    truths: Sequence[Truth],
    scores: ScoreReference | None,
    waiting: WaitingPredictions,
) -> None:
    weight = waiting.ring.weight
    numbers = [t for t in truths if math.isfinite(t.feedback.value)]
    outcomes.add_numbers(
        np.array([t.prediction.value for t in numbers]),
        np.array([t.feedback.value for t in numbers]),
        weight,
    )
    judged = [t for t in truths if t.right is not None]
    right = np.array([t.right for t in judged], dtype=bool)
    confidences = np.array([t.prediction.confidence for t in judged])
    outcomes.add_right(right, confidences, weight)
    pairs = [(t.feedback.label, waiting.label_of(t.prediction)) for t in judged]
    named = [(true, said) for true, said in pairs if true is not None and said is not None]
    outcomes.add_pairs([true for true, _ in named], [said for _, said in named], weight)
    if scores is not None and scores.positive is not None:
        codes = np.array([t.prediction.label for t in judged], dtype=np.int64)
        is_said = scores.is_said_positive(TextColumn(codes, tuple(waiting.labels.texts)))
        bins = scores.bins(is_said, confidences)
        known = (codes >= 0) & (bins >= 0)
        is_true = _are_positive(judged, scores.positive, is_said == right)
        outcomes.add_cells(is_said[known], is_true[known], bins[known], weight)


def _are_positive(truths: Sequence[Truth], positive: str, otherwise: BoolArray) -> BoolArray:
    """Return of which predictions the class *positive* was true: as the label says, else *otherwise*, for of two classes who is wrong about one is right about the other."""
    labels = [truth.feedback.label for truth in truths]
    is_told = np.array([label is not None for label in labels], dtype=bool)
    is_positive = np.array([label == positive for label in labels], dtype=bool)
    return np.where(is_told, is_positive, otherwise)

"""What was realised of a stream's predictions, as far as labels have come."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from otel_ml_processor.assess.labels import assess_labels
from otel_ml_processor.assess.performance import PerformanceReading, proxy_scores, ranking_scores
from otel_ml_processor.assess.promise import alphas
from otel_ml_processor.assess.reading import WindowSpan

if TYPE_CHECKING:
    from collections.abc import Iterator

    from otel_ml_processor.config import Config
    from otel_ml_processor.feedback.cohorts import Cohort, Cohorts
    from otel_ml_processor.feedback.streams import LabelledStream

__all__ = ["realized"]


def realized(stream: LabelledStream, config: Config) -> Iterator[PerformanceReading]:
    """Yield what the newest cohort with enough labels says, one per window; nothing of a window that has none such."""
    model = config.of_model(stream.key.model, stream.key.version)
    for window, cohorts in stream.cohorts.items():
        cohort = _newest(stream, cohorts, model.performance.coverage)
        if cohort is not None:
            yield _reading(stream, window, cohort, model)


def _newest(stream: LabelledStream, cohorts: Cohorts, coverage: float) -> Cohort | None:
    """Return the newest cohort with that share of its labels, or so old that most of those that ever come are there."""
    wait_ns = stream.delays.longest_usual_s() * 1e9
    for cohort in cohorts.sealed():
        is_old = stream.newest_ns - cohort.end_ns >= wait_ns
        if is_old or cohort.coverage >= coverage:
            return cohort
    return None


def _reading(
    stream: LabelledStream, window: str, cohort: Cohort, model: Config
) -> PerformanceReading:
    rules = model.performance
    is_enough = cohort.shown >= rules.min_labels
    reading = PerformanceReading(
        stream=stream.key,
        window=WindowSpan(window, cohort.start_ns, cohort.end_ns),
        predictions=cohort.shown,
        coverage=cohort.coverage,
        estimated=cohort.estimated,
        proxies=proxy_scores(cohort.reactions, cohort.liked, cohort.shown) if is_enough else {},
    )
    if cohort.labelled * cohort.outcomes.evidence < rules.min_labels:
        return reading
    return assess_labels(
        replace(reading, realized=ranking_scores(cohort.rankings)),
        cohort.outcomes,
        {stream.segments.segment(*of): o for of, o in cohort.by_segment.items()},
        cohort.reference,
        alpha=alphas(model.drift, model.windows)[window],
        rules=rules,
    )

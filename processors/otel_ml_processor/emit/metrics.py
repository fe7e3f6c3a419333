"""
The one book of all metrics: what the closed windows said last, what has been counted, and what the processor says of itself.

Both ways out, the OTLP push and the scrape page, read this book and nothing else, so they cannot disagree.
"""

from __future__ import annotations

import math
import threading
import time
from collections import defaultdict
from itertools import chain
from typing import TYPE_CHECKING, Final

from otel_ml_conventions import attributes as keys
from otel_ml_conventions import metrics as names
from otel_ml_conventions.attributes import (
    MlDriftStateValues,
    MlDriftTargetValues,
    MlProcessorStateValues,
)
from otel_ml_processor.assess.fresh import refreshed
from otel_ml_processor.columns import StreamKey
from otel_ml_processor.emit.beginnings import Beginnings
from otel_ml_processor.emit.definitions import DEFINITIONS, Metric
from otel_ml_processor.emit.feature_bins import POINTS_PER_FEATURE
from otel_ml_processor.emit.points import (
    COMPARED_STATES,
    NamedPoint,
    Point,
    Target,
    class_points,
    confidence_points,
    estimated_points,
    explanation_points,
    feedback_points,
    received_points,
    status_points,
    step_points,
    stream_attributes,
    target_points,
    window_attributes,
    window_points,
)
from otel_ml_processor.emit.quality_points import freshness_points, quality_points
from otel_ml_processor.emit.segment_points import segment_points
from otel_ml_processor.emit.stream_pages import (
    Count,
    ReferenceFacts,
    StreamPage,
    StreamView,
    WindowPage,
    targets_of,
)
from otel_ml_processor.sketches.label_counts import MAX_LABELS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from otel_ml_processor.assess.performance import PerformanceReading
    from otel_ml_processor.assess.reading import Change, Reading, TargetReading
    from otel_ml_processor.emit.confidence_samples import ConfidenceSamples
    from otel_ml_processor.emit.feature_bins import FeatureBins
    from otel_ml_processor.emit.points import Attributes
    from otel_ml_processor.emit.stream_pages import StreamCounts
    from otel_ml_processor.feedback.totals import FeedbackTotals
    from otel_ml_processor.profile import Profile
    from otel_ml_processor.self_metrics import SelfMetrics
    from otel_ml_processor.windows.quality import Freshness

__all__ = ["MAX_POINTS", "SERIES_BUDGET", "MetricBook"]

MAX_POINTS: Final = 6000
"""Points per stream; features beyond it, in the order of the profile, are left out and counted."""
SERIES_BUDGET: Final = "series_budget"
"""Cause under which `ml.processor.overflow` counts the samples of features that are not exported."""
_WINDOW_ALLOWANCE: Final = 330
"""Points of one window that belong to no feature: at most 60, four more per score and one per quantile; of explanations 241, thirty more per score."""
_STREAM_ALLOWANCE: Final = MAX_LABELS + 20
"""
Points of a stream that belong to no window: its labels and their overflow, violations, predictions by the rule they break, its silence; age, size and at most six scores of the reference.
Feedback, which may be of no stream, comes on top: at most 61 points by outcome, correctness and source. So do predicted classes (seven per window
each) and segments (`MAX_SEGMENT_POINTS` per window each), which have caps of their own.
"""
_POINTS_OF_AGE: Final = 1
"""Of a feature, whatever the windows are."""
_POINTS_PER_FEATURE: Final = 2 + len(COMPARED_STATES) + 5
"""p-value, evidence, states and shares; each exported score is one more."""


class MetricBook:
    """
    The last numbers of every stream and window, and all counts; safe to use from any thread.

    *windows* are the names of all windows that are configured, *scores* the drift methods whose scores are exported, *self_metrics*
    is what the processor says of itself (features over budget are counted there, as `SERIES_BUDGET`), *bins* what is told of the bins of
    features, *confidences* of how sure each prediction was, *clock_ns* gives nanoseconds since 1970. Memory is bounded by `MAX_POINTS` per stream; how many streams there are is the caller's limit.
    """

    def __init__(
        self,
        *,
        windows: Sequence[str],
        scores: Sequence[str],
        self_metrics: SelfMetrics,
        bins: FeatureBins | None = None,
        confidences: ConfidenceSamples | None = None,
        clock_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self._windows = tuple(windows)
        self._bins = bins
        self._confidences = confidences
        self._scores = tuple(scores)
        self._self_metrics = self_metrics
        self._clock_ns = clock_ns
        self._since_ns = self._forgotten_ns = clock_ns()
        self._streams: dict[StreamKey, StreamPage] = {}
        self._window_lag_s: float | None = None
        self._dedupe_horizon_s: float | None = None
        self._state: MlProcessorStateValues | None = None
        self._snapshot_ns: int | None = None
        self._feedback: dict[StreamKey | None, FeedbackTotals] = {}
        self._unheard_ns = 0
        """When the feedback of a stream was last forgotten: that of one which comes after it has been counted since."""
        self._beginnings = Beginnings()
        self._lock = threading.Lock()

    def register(
        self,
        stream: StreamKey,
        profile: Profile,
        measured: Mapping[str, float],
        budget: float | None = None,
    ) -> None:
        """
        Note that *stream* is compared with *profile*, whose self-test measured this false-alarm rate per window name.

        *budget* is the share of predictions that may be unconfident or invalid.

        Its detections start at 0 here, so that the first one is already an increase.
        """
        facts = ReferenceFacts.of(profile, measured, budget)
        targets = tuple(targets_of(profile, self._max_features))
        with self._lock:
            page = self._page(stream)
            page.reference, page.targets = facts, targets
            for window in self._windows:
                page.expect(window, (target.target for target in targets))

    def update(self, reading: Reading, change: Change | None) -> None:
        """Replace what the book says of the reading's window; an `insufficient` one only says so, and how many rows it had."""
        with self._lock:
            page = self._page(reading.stream)
            page.readings[reading.window.name] = reading
            page.windows[reading.window.name] = self._written(page, reading)
            changed = change.targets if change is not None else ()
            page.expect(reading.window.name, (t.target for t in (*reading.targets, *changed)))
            for target in changed:
                page.detections[reading.window.name, target.target].total += 1

    def refresh(self, reading: Reading) -> None:
        """Replace the numbers of the reading's window, of which nothing was decided: states and p-values stay those of the last closed one."""
        name = reading.window.name
        with self._lock:
            page = self._page(reading.stream)
            fresh = page.readings[name] = refreshed(page.readings.get(name), reading)
            exported = self._within_budget(fresh.targets)
            states = {Target(target.target, target.name): target.state for target in exported}
            where = window_attributes(fresh)
            values = self._values(fresh, where, exported)
            page.windows[name] = WindowPage(states, _current(fresh, where, states), values)

    def set_totals(
        self, stream: StreamKey, labels: Mapping[str, int], low_confidence: int, ood: int = 0
    ) -> None:
        """Say how many predictions of each class, of low confidence and out of distribution a stream has had since it was first seen."""
        now_ns = self._clock_ns()
        with self._lock:
            page = self._page(stream)
            page.count_labels(labels, now_ns)
            page.violations = page.violations or Count(page.since_ns)
            page.violations.set(low_confidence, now_ns)
            if ood or page.knows_of_ood:
                page.ood = page.ood or Count(page.since_ns)
                page.ood.set(ood, now_ns)

    def set_quality(
        self, stream: StreamKey, invalid: Mapping[str, int], freshness: Freshness
    ) -> None:
        """Say how many predictions a stream has had that break which rule, since it was first seen, and when it last had rows and values."""
        now_ns = self._clock_ns()
        with self._lock:
            page = self._page(stream)
            page.freshness = freshness
            for rule, total in invalid.items():
                page.invalid.setdefault(rule, Count(page.since_ns)).set(total, now_ns)

    def set_performance(self, reading: PerformanceReading) -> None:
        """Replace what the book says of the labels of the reading's window."""
        with self._lock:
            self._page(reading.stream).performance[reading.window.name] = reading

    def set_feedback(self, totals: FeedbackTotals) -> None:
        """Say how much feedback a stream has had since the book was opened."""
        with self._lock:
            known = self._feedback.get(totals.stream)
            began_ns = max(totals.since_ns or self._since_ns, self._unheard_ns)
            since_ns = began_ns if known is None else known.since_ns
            self._feedback[totals.stream] = totals._replace(since_ns=since_ns)

    def set_dedupe_horizon(self, horizon_s: float) -> None:
        """Write for how long a request that comes again is known, in seconds, >= 0."""
        self._dedupe_horizon_s = horizon_s

    def set_state(self, state: MlProcessorStateValues) -> None:
        """Say how the processor began, where it keeps its state."""
        self._state = state

    def set_snapshot(self, written_ns: int) -> None:
        """Say when the state was last written, in nanoseconds since 1970."""
        self._snapshot_ns = written_ns

    def counts(self) -> tuple[int, list[StreamCounts]]:
        """Return since when streams are counted, and the cumulative counts of each, for `go_on_from`."""
        with self._lock:
            pages = [page.counts(stream) for stream, page in self._streams.items()]
            return self._forgotten_ns, pages

    def go_on_from(self, since_ns: int, counts: Iterable[StreamCounts]) -> None:
        """
        Count on from *counts*, which a book had before, in place of what this one has of the same streams; others have been counted since *since_ns*.

        Raises:
            ValueError: If a detection is of no target.
        """
        pages = {
            StreamKey(*counted.stream): StreamPage.going_on_from(counted) for counted in counts
        }
        with self._lock:
            self._forgotten_ns = since_ns
            self._streams.update(pages)

    def set_window_lag(self, lag_s: float) -> None:
        """Say by how much the watermark trails the clock, the largest lag over all streams."""
        self._window_lag_s = lag_s

    def forget(self, stream: StreamKey) -> None:
        """Say nothing more of *stream*."""
        with self._lock:
            self._streams.pop(stream, None)
            self._forgotten_ns = self._clock_ns()
            if self._feedback.pop(stream, None) is not None:
                self._unheard_ns = self._forgotten_ns
        if self._bins is not None:
            self._bins.forget(stream)
        if self._confidences is not None:
            self._confidences.forget(stream)

    def views(self) -> tuple[StreamView, ...]:
        """Return every stream with its last readings, in the order of their names."""
        now_ns = self._clock_ns()
        with self._lock:
            pages = [
                StreamView(
                    stream,
                    page.reference,
                    tuple(page.readings.values()),
                    tuple(page.performance.values()),
                    page.freshness.silent_s(now_ns) if page.freshness else None,
                    dict(page.freshness.stale_s(now_ns)) if page.freshness else {},
                )
                for stream, page in self._streams.items()
            ]
        return tuple(sorted(pages, key=lambda view: str(view.stream)))

    def collect(self) -> tuple[Metric, ...]:
        """Return every metric that has a point, in the order of the registry; a number that is not finite says nothing and is no point."""
        points: defaultdict[str, list[Point]] = defaultdict(list)
        for metric, point in self._all_points():
            if math.isfinite(point.value):
                points[metric].append(point)
        return tuple(
            Metric(definition, tuple(points[name]))
            for name, definition in DEFINITIONS.items()
            if name in points
        )

    def _all_points(self) -> list[NamedPoint]:
        now_ns = self._clock_ns()
        with self._lock:
            points = [
                point
                for stream, page in self._streams.items()
                for point in chain(
                    page.points(stream_attributes(stream), now_ns),
                    self._freshness_points(stream, page, now_ns),
                )
            ]
            for totals in self._feedback.values():
                points += feedback_points(totals, totals.since_ns or self._since_ns)
        of_itself = {
            names.METRIC_ML_PROCESSOR_WINDOW_LAG: self._window_lag_s,
            names.METRIC_ML_PROCESSOR_DEDUPE_HORIZON: self._dedupe_horizon_s,
            names.METRIC_ML_PROCESSOR_SNAPSHOT_AGE: _age_s(self._snapshot_ns, now_ns),
        }
        points += [
            NamedPoint(name, Point((), seconds))
            for name, seconds in of_itself.items()
            if seconds is not None
        ]
        points += _state_points(self._state)
        if self._bins is not None:
            points += self._bins.points(self._max_features)
        if self._confidences is not None:
            points += self._confidences.points()
        for name, attributes, value in self._self_metrics.snapshot():
            points.append(NamedPoint(name, Point(tuple(attributes.items()), value, self._since_ns)))
        return self._beginnings.reached(points, now_ns)

    def _freshness_points(
        self, stream: StreamKey, page: StreamPage, now_ns: int
    ) -> Iterator[NamedPoint]:
        if page.freshness is not None:
            where = stream_attributes(stream)
            yield from freshness_points(where, page.freshness, now_ns, self._max_features)

    def _written(self, page: StreamPage, reading: Reading) -> WindowPage:
        where = window_attributes(reading)
        exported = self._within_budget(reading.targets)
        states = {Target(target.target, target.name): target.state for target in exported}
        is_learned = page.reference is not None and page.reference.is_provisional
        if reading.state == MlDriftStateValues.INSUFFICIENT and not (
            is_learned and reading.targets
        ):
            before = page.windows.get(reading.window.name, WindowPage())
            known = states or before.states or page.targets
            states, values = dict.fromkeys(known, reading.state), before.values
        else:
            self._count_folded(reading.targets)
            values = self._values(reading, where, exported)
        return WindowPage(states, _current(reading, where, states), values)

    def _values(
        self, reading: Reading, where: Attributes, targets: Iterable[TargetReading]
    ) -> tuple[NamedPoint, ...]:
        points = window_points(reading)
        for target in targets:
            points += target_points(where, target, self._scores)
        points += estimated_points(where, reading.estimated)
        if reading.explanations is not None:
            points += explanation_points(where, reading.explanations)
        if reading.confidence is not None:
            points += confidence_points(where, reading.confidence)
        points += class_points(where, reading.by_class)
        points += received_points(where, reading)
        if reading.quality is not None:
            points += quality_points(where, reading.quality)
        points += segment_points(where, reading.segments)
        if reading.reference_id:  # a score is of a window beside its reference
            points += step_points(where, reading.confidence_step)
        return tuple(points)

    def _within_budget(self, targets: Iterable[TargetReading]) -> list[TargetReading]:
        """Return those of *targets* that are exported: the first features, and all that is no feature."""
        features, others = _split(targets)
        return features[: self._max_features] + others

    def _count_folded(self, targets: Iterable[TargetReading]) -> None:
        features, _ = _split(targets)
        folded = sum(feature.rows for feature in features[self._max_features :])
        self._self_metrics.add(names.METRIC_ML_PROCESSOR_OVERFLOW, folded, SERIES_BUDGET)

    @property
    def _max_features(self) -> int:
        # Every window gets the same share, whichever closes first: which features are exported must not depend on time.
        left = MAX_POINTS - _STREAM_ALLOWANCE - _WINDOW_ALLOWANCE * len(self._windows)
        per_feature = (_POINTS_PER_FEATURE + len(self._scores)) * max(1, len(self._windows))
        of_bins = POINTS_PER_FEATURE if self._bins is not None else 0
        return max(0, left // (per_feature + of_bins + _POINTS_OF_AGE))

    def _page(self, stream: StreamKey) -> StreamPage:
        # All counts were 0 when the book was opened; those of a stream that may have been here before, when one was last forgotten.
        return self._streams.setdefault(stream, StreamPage(self._forgotten_ns))


def _current(
    reading: Reading, where: Attributes, states: Mapping[Target, MlDriftStateValues]
) -> tuple[NamedPoint, ...]:
    rows = NamedPoint(names.METRIC_ML_DRIFT_WINDOW_SAMPLES, Point(where, reading.rows))
    of_states = (status_points(where, target, state) for target, state in states.items())
    return (rows, *chain.from_iterable(of_states))


def _split(targets: Iterable[TargetReading]) -> tuple[list[TargetReading], list[TargetReading]]:
    """Return the features among *targets*, and the others."""
    sides: tuple[list[TargetReading], list[TargetReading]] = ([], [])
    for target in targets:
        sides[target.target != MlDriftTargetValues.FEATURE].append(target)
    return sides


def _state_points(state: MlProcessorStateValues | None) -> Iterator[NamedPoint]:
    for value in MlProcessorStateValues if state is not None else ():
        about = ((keys.ML_PROCESSOR_STATE, value.value),)
        yield NamedPoint(names.METRIC_ML_PROCESSOR_STATE, Point(about, int(value is state)))


def _age_s(time_ns: int | None, now_ns: int) -> float | None:
    return None if time_ns is None else max(0.0, (now_ns - time_ns) / 1e9)

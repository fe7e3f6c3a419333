"""
The one book of all metrics: what the closed windows said last, what has been counted, and what the processor says of itself.

Both ways out, the OTLP push and the scrape page, read this book and nothing else, so they cannot disagree.
"""

from __future__ import annotations

import math
import threading
import time
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime, timezone
from itertools import chain
from typing import TYPE_CHECKING, Final, NamedTuple

from otel_ml_conventions import attributes as keys
from otel_ml_conventions import metrics as names
from otel_ml_conventions.attributes import (
    MlDriftCalibrationModeValues,
    MlDriftStateValues,
    MlDriftTargetValues,
    MlProcessorStateValues,
)
from otel_ml_conventions.metrics import MetricDefinition
from otel_ml_processor.assess.fresh import refreshed
from otel_ml_processor.columns import StreamKey
from otel_ml_processor.emit.feature_bins import POINTS_PER_FEATURE
from otel_ml_processor.emit.label_points import label_points
from otel_ml_processor.emit.points import (
    OVERFLOW,
    NamedPoint,
    Point,
    Target,
    class_points,
    confidence_points,
    estimated_points,
    explanation_points,
    feedback_points,
    performance_points,
    reference_points,
    status_points,
    step_points,
    stream_attributes,
    target_points,
    valid_text,
    window_attributes,
    window_points,
)
from otel_ml_processor.emit.quality_points import (
    freshness_points,
    invalid_points,
    quality_points,
)
from otel_ml_processor.emit.readings import iso_time
from otel_ml_processor.emit.segment_points import segment_points
from otel_ml_processor.profile import reference_id
from otel_ml_processor.self_metrics import ITEMS
from otel_ml_processor.signals import Signal
from otel_ml_processor.sketches.label_counts import MAX_LABELS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from otel_ml_processor.assess.performance import PerformanceReading
    from otel_ml_processor.assess.reading import Change, Reading, TargetReading
    from otel_ml_processor.emit.confidence_samples import ConfidenceSamples
    from otel_ml_processor.emit.feature_bins import FeatureBins
    from otel_ml_processor.emit.points import Attributes
    from otel_ml_processor.feedback.joining import FeedbackTotals
    from otel_ml_processor.profile import Profile
    from otel_ml_processor.self_metrics import ItemCounters, SelfMetrics
    from otel_ml_processor.windows.quality import Freshness

__all__ = [
    "DEFINITIONS",
    "MAX_POINTS",
    "SERIES_BUDGET",
    "Metric",
    "MetricBook",
    "ReferenceFacts",
    "StreamCounts",
    "StreamView",
]

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
_POINTS_PER_FEATURE: Final = 2 + len(MlDriftStateValues) + 5
"""p-value, evidence, states and shares; each exported score is one more."""

# The collector's names for what it says of itself, so that dashboards made for a collector work for this hop; no convention of ours.
_ITEM_UNITS: Final = {
    Signal.TRACES: "{span}",
    Signal.METRICS: "{datapoint}",
    Signal.LOGS: "{record}",
}


def _like_collector(counters: ItemCounters, unit: str) -> Iterator[MetricDefinition]:
    items = unit.strip("{}") + "s"
    for name, description in (
        (counters.accepted, f"Number of {items} taken into the pipeline."),
        (counters.refused, f"Number of {items} that were refused."),
        (counters.sent, f"Number of {items} that the next hop acknowledged."),
        (counters.send_failed, f"Number of {items} that the next hop did not acknowledge."),
        (
            counters.enqueue_failed,
            f"Number of {items} for which a best-effort destination had no room.",
        ),
    ):
        yield MetricDefinition(name, "counter", unit, description, "int", ())


DEFINITIONS: Final[Mapping[str, MetricDefinition]] = {
    **names.DEFINITIONS,
    **{
        definition.name: definition
        for signal, counters in ITEMS.items()
        for definition in _like_collector(counters, _ITEM_UNITS[signal])
    },
}


@dataclass(frozen=True, slots=True)
class Metric:
    """All points of one metric."""

    definition: MetricDefinition
    points: tuple[Point, ...]


@dataclass(frozen=True, slots=True)
class ReferenceFacts:
    """
    What is known of a stream's reference before any window has closed.

    `created_ns` is None where the profile does not say a time that can be read; `measured` is, per window name, the share of the
    reference's own windows that would have raised an alarm.
    """

    id: str
    created_ns: int | None
    samples: int
    measured: Mapping[str, float]
    mode: MlDriftCalibrationModeValues
    performance: Mapping[str, float] = field(default_factory=dict)
    """By name of the score, how good the predictions of the reference were."""
    version: str = ""
    """Of the model that it was made of; empty where it is of every version."""
    is_provisional: bool = False
    """Whether rows are still being added to it, so that nothing raises an alarm."""
    budget: float | None = None
    """Share of predictions that may be unconfident or invalid; None where the reference knows no confidence."""


@dataclass(frozen=True, slots=True)
class StreamView:
    """One stream as people are shown it: its reference, and the last reading of each window that has closed."""

    stream: StreamKey
    reference: ReferenceFacts | None
    readings: tuple[Reading, ...]
    performance: tuple[PerformanceReading, ...] = ()
    """What labels say, of each window of which there are enough."""
    silent_s: float | None = None
    """For how many seconds no row has come; None where that is not known."""
    stale_s: Mapping[str, float] = field(default_factory=dict)
    """By feature, for how many seconds it has had no value."""


@dataclass(frozen=True, slots=True)
class _WindowPage:
    """The points of one window: `current` always says the last one, `values` the last one that had enough rows."""

    states: Mapping[Target, MlDriftStateValues] = field(default_factory=dict)
    current: tuple[NamedPoint, ...] = ()
    values: tuple[NamedPoint, ...] = ()


class StreamCounts(NamedTuple):
    """
    The cumulative counts of a stream, each a pair of since when (nanoseconds since 1970) and how many, for another book to go on from.

    Detections are by window and target.
    """

    stream: tuple[str, ...]
    since_ns: int
    detections: tuple[tuple[str, str, int, int], ...]
    labels: dict[str, tuple[int, int]]
    other_labels: tuple[int, int] | None
    low_confidence: tuple[int, int] | None
    ood: tuple[int, int] | None = None
    invalid: tuple[tuple[str, int, int], ...] = ()
    """By the rule that predictions break."""


@dataclass(slots=True)
class _Count:
    start_ns: int
    total: int = 0

    def pair(self) -> tuple[int, int]:
        return self.start_ns, self.total

    def set(self, total: int, now_ns: int) -> None:
        # A total that has fallen was counted anew: what is cumulative may run backwards with a new start only.
        if total < self.total:
            self.start_ns = now_ns
        self.total = total


@dataclass(slots=True)
class _StreamPage:
    since_ns: int
    reference: ReferenceFacts | None = None
    targets: tuple[Target, ...] = ()
    windows: dict[str, _WindowPage] = field(default_factory=dict)
    readings: dict[str, Reading] = field(default_factory=dict)
    detections: dict[tuple[str, MlDriftTargetValues], _Count] = field(default_factory=dict)
    labels: dict[str, _Count] = field(default_factory=dict)
    other_labels: _Count | None = None
    violations: _Count | None = None
    ood: _Count | None = None
    invalid: dict[str, _Count] = field(default_factory=dict)
    freshness: Freshness | None = None
    performance: dict[str, PerformanceReading] = field(default_factory=dict)

    @property
    def knows_of_ood(self) -> bool:
        """Whether the reference says what is out of distribution: then that there is nothing of it is a number, too."""
        return any(target.target is MlDriftTargetValues.MULTIVARIATE for target in self.targets)

    def expect(self, window: str, targets: Iterable[MlDriftTargetValues]) -> None:
        """Let the detections of *targets* start at 0, where they have not started."""
        for target in targets:
            self.detections.setdefault((window, target), _Count(self.since_ns))

    def count_labels(self, labels: Mapping[str, int], now_ns: int) -> None:
        """Set the total of each class, first come first served; of those beyond the cap together. A class not among them is gone."""
        kept = {label: count for label, count in self.labels.items() if label in labels}
        for label in labels:
            if len(kept) < MAX_LABELS:
                kept.setdefault(label, _Count(self.since_ns))
        for label, count in kept.items():
            count.set(labels[label], now_ns)
        self.labels = kept
        if len(labels) > len(kept):
            self.other_labels = self.other_labels or _Count(self.since_ns)
            self.other_labels.set(
                sum(labels.values()) - sum(labels[label] for label in kept), now_ns
            )


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
        self._streams: dict[StreamKey, _StreamPage] = {}
        self._window_lag_s: float | None = None
        self._dedupe_horizon_s: float | None = None
        self._state: MlProcessorStateValues | None = None
        self._snapshot_ns: int | None = None
        self._feedback: dict[StreamKey | None, FeedbackTotals] = {}
        self._lock = threading.Lock()

    def register(
        self,
        stream: StreamKey,
        profile: Profile,
        measured: Mapping[str, float],
        mode: MlDriftCalibrationModeValues = MlDriftCalibrationModeValues.IID,
        budget: float | None = None,
    ) -> None:
        """
        Note that *stream* is compared with *profile*, whose self-test measured this false-alarm rate per window name.

        *budget* is the share of predictions that may be unconfident or invalid.

        Its detections start at 0 here, so that the first one is already an increase.
        """
        facts = ReferenceFacts(
            id=reference_id(profile),
            created_ns=_created_ns(profile),
            samples=profile.source.rows,
            measured=dict(measured),
            mode=mode,
            performance=profile.performance,
            version=profile.version,
            is_provisional=profile.provisional,
            budget=budget,
        )
        targets = tuple(_targets_of(profile, self._max_features))
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
            page.windows[name] = _WindowPage(states, _current(fresh, where, states), values)

    def set_totals(
        self, stream: StreamKey, labels: Mapping[str, int], low_confidence: int, ood: int = 0
    ) -> None:
        """Say how many predictions of each class, of low confidence and out of distribution a stream has had since it was first seen."""
        now_ns = self._clock_ns()
        with self._lock:
            page = self._page(stream)
            page.count_labels(labels, now_ns)
            page.violations = page.violations or _Count(page.since_ns)
            page.violations.set(low_confidence, now_ns)
            if ood or page.knows_of_ood:
                page.ood = page.ood or _Count(page.since_ns)
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
                page.invalid.setdefault(rule, _Count(page.since_ns)).set(total, now_ns)

    def set_performance(self, reading: PerformanceReading) -> None:
        """Replace what the book says of the labels of the reading's window."""
        with self._lock:
            self._page(reading.stream).performance[reading.window.name] = reading

    def set_feedback(self, totals: FeedbackTotals) -> None:
        """Say how much feedback a stream has had since the book was opened."""
        with self._lock:
            self._feedback[totals.stream] = totals

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
            pages = [_counts(stream, page) for stream, page in self._streams.items()]
            return self._forgotten_ns, pages

    def go_on_from(self, since_ns: int, counts: Iterable[StreamCounts]) -> None:
        """
        Count on from *counts*, which a book had before, in place of what this one has of the same streams; others have been counted since *since_ns*.

        Raises:
            ValueError: If a detection is of no target.
        """
        pages = {StreamKey(*counted.stream): _page(counted) for counted in counts}
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
                    _page_points(stream_attributes(stream), page, now_ns),
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
        return points

    def _freshness_points(
        self, stream: StreamKey, page: _StreamPage, now_ns: int
    ) -> Iterator[NamedPoint]:
        if page.freshness is not None:
            where = stream_attributes(stream)
            yield from freshness_points(where, page.freshness, now_ns, self._max_features)

    def _written(self, page: _StreamPage, reading: Reading) -> _WindowPage:
        where = window_attributes(reading)
        exported = self._within_budget(reading.targets)
        states = {Target(target.target, target.name): target.state for target in exported}
        is_learned = page.reference is not None and page.reference.is_provisional
        if reading.state == MlDriftStateValues.INSUFFICIENT and not (
            is_learned and reading.targets
        ):
            before = page.windows.get(reading.window.name, _WindowPage())
            known = states or before.states or page.targets
            states, values = dict.fromkeys(known, reading.state), before.values
        else:
            self._count_folded(reading.targets)
            values = self._values(reading, where, exported)
        return _WindowPage(states, _current(reading, where, states), values)

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
        if reading.received is not None:
            points.append(
                NamedPoint(names.METRIC_ML_INFERENCE_RECEIVED, Point(where, reading.received))
            )
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

    def _page(self, stream: StreamKey) -> _StreamPage:
        # All counts were 0 when the book was opened; those of a stream that may have been here before, when one was last forgotten.
        return self._streams.setdefault(stream, _StreamPage(self._forgotten_ns))


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


def _page_points(where: Attributes, page: _StreamPage, now_ns: int) -> Iterator[NamedPoint]:
    for window in page.windows.values():
        yield from window.current
        yield from window.values
    for (name, target), count in page.detections.items():
        about = (*where, (keys.ML_WINDOW_NAME, name), (keys.ML_DRIFT_TARGET, target.value))
        yield _cumulative(names.METRIC_ML_DRIFT_DETECTIONS, about, count)
    for performance in page.performance.values():
        yield from performance_points(performance, iso_time(performance.window.end_ns))
        yield from label_points(performance, iso_time(performance.window.end_ns))
    yield from _prediction_points(where, page)
    if page.reference is not None:
        yield from _reference_points(where, page.reference, now_ns)


def _prediction_points(where: Attributes, page: _StreamPage) -> Iterator[NamedPoint]:
    for label, count in page.labels.items():
        about = (*where, (keys.ML_PREDICTION_LABEL, valid_text(label)))
        yield _cumulative(names.METRIC_ML_PREDICTION_SAMPLES, about, count)
    if page.other_labels is not None:
        about = (*where, (OVERFLOW, True))
        yield _cumulative(names.METRIC_ML_PREDICTION_SAMPLES, about, page.other_labels)
    if page.violations is not None:
        yield _cumulative(names.METRIC_ML_CONFIDENCE_VIOLATIONS, where, page.violations)
    if page.ood is not None:
        yield _cumulative(names.METRIC_ML_PREDICTION_OOD, where, page.ood)
    yield from invalid_points(where, {rule: c.pair() for rule, c in page.invalid.items()})


def _reference_points(
    where: Attributes, reference: ReferenceFacts, now_ns: int
) -> Iterator[NamedPoint]:
    about = (*where, *_about_reference(where, reference))
    yield NamedPoint(names.METRIC_ML_REFERENCE_SAMPLES, Point(about, reference.samples))
    yield from reference_points(where, reference.performance)
    if reference.budget is not None:
        yield NamedPoint(names.METRIC_ML_CONFIDENCE_BUDGET, Point(where, reference.budget))
    if reference.created_ns is not None:
        age = max(0.0, (now_ns - reference.created_ns) / 1e9)
        yield NamedPoint(names.METRIC_ML_REFERENCE_AGE, Point(about, age))
    for window, share in reference.measured.items():
        mode = (keys.ML_DRIFT_CALIBRATION_MODE, reference.mode.value)
        point = Point((*where, (keys.ML_WINDOW_NAME, window), mode), share)
        yield NamedPoint(names.METRIC_ML_DRIFT_FALSE_ALARM_MEASURED, point)


def _about_reference(where: Attributes, reference: ReferenceFacts) -> Attributes:
    said: list[tuple[str, str | bool]] = [(keys.ML_DRIFT_REFERENCE_ID, reference.id)]
    if reference.version and reference.version != dict(where).get(keys.ML_MODEL_VERSION):
        said.append((keys.ML_DRIFT_REFERENCE_VERSION, valid_text(reference.version)))
    if reference.is_provisional:
        said.append((keys.ML_DRIFT_REFERENCE_PROVISIONAL, True))
    return tuple(said)


def _state_points(state: MlProcessorStateValues | None) -> Iterator[NamedPoint]:
    for value in MlProcessorStateValues if state is not None else ():
        about = ((keys.ML_PROCESSOR_STATE, value.value),)
        yield NamedPoint(names.METRIC_ML_PROCESSOR_STATE, Point(about, int(value is state)))


def _age_s(time_ns: int | None, now_ns: int) -> float | None:
    return None if time_ns is None else max(0.0, (now_ns - time_ns) / 1e9)


def _counts(stream: StreamKey, page: _StreamPage) -> StreamCounts:
    return StreamCounts(
        stream=stream.texts,
        since_ns=page.since_ns,
        detections=tuple((w, t.value, *c.pair()) for (w, t), c in page.detections.items()),
        labels={label: count.pair() for label, count in page.labels.items()},
        other_labels=None if page.other_labels is None else page.other_labels.pair(),
        low_confidence=None if page.violations is None else page.violations.pair(),
        ood=None if page.ood is None else page.ood.pair(),
        invalid=tuple((rule, *count.pair()) for rule, count in page.invalid.items()),
    )


def _page(counts: StreamCounts) -> _StreamPage:
    return _StreamPage(
        counts.since_ns,
        detections={
            (window, MlDriftTargetValues(target)): _Count(*count)
            for window, target, *count in counts.detections
        },
        labels={label: _Count(*count) for label, count in counts.labels.items()},
        other_labels=_Count(*counts.other_labels) if counts.other_labels else None,
        violations=_Count(*counts.low_confidence) if counts.low_confidence else None,
        ood=_Count(*counts.ood) if counts.ood else None,
        invalid={rule: _Count(*count) for rule, *count in counts.invalid},
    )


def _cumulative(metric: str, attributes: Attributes, count: _Count) -> NamedPoint:
    return NamedPoint(metric, Point(attributes, count.total, count.start_ns))


def _targets_of(profile: Profile, max_features: int) -> Iterator[Target]:
    for feature in profile.features[:max_features]:
        yield Target(MlDriftTargetValues.FEATURE, feature.name)
    if profile.prediction is not None:
        yield Target(MlDriftTargetValues.PREDICTION, "")
    if profile.confidence is not None:
        yield Target(MlDriftTargetValues.CONFIDENCE, "")
    if profile.expected is not None:
        yield Target(MlDriftTargetValues.PERFORMANCE, "")
    if profile.pca is not None:
        yield Target(MlDriftTargetValues.MULTIVARIATE, "")
    if profile.correlation is not None:
        yield Target(MlDriftTargetValues.CORRELATION, "")


def _created_ns(profile: Profile) -> int | None:
    try:
        # `Z` is not read by Python 3.10.
        created = datetime.fromisoformat(profile.created.replace("Z", "+00:00"))
    except ValueError:
        return None
    aware = created if created.tzinfo is not None else created.replace(tzinfo=timezone.utc)
    return round(aware.timestamp() * 1e9)

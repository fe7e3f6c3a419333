"""What the book of metrics holds of one stream: its reference, the last numbers of each window, and counts that only grow."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Final, NamedTuple

from otel_ml_conventions import attributes as keys
from otel_ml_conventions import metrics as names
from otel_ml_conventions.attributes import MlDriftCalibrationModeValues, MlDriftTargetValues
from otel_ml_processor.emit.label_points import label_points
from otel_ml_processor.emit.points import (
    OVERFLOW,
    NamedPoint,
    Point,
    Target,
    performance_points,
    reference_points,
    valid_text,
)
from otel_ml_processor.emit.quality_points import invalid_points
from otel_ml_processor.emit.readings import iso_time
from otel_ml_processor.profile import reference_id
from otel_ml_processor.sketches.label_counts import MAX_LABELS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from otel_ml_conventions.attributes import MlDriftStateValues
    from otel_ml_processor.assess.performance import PerformanceReading
    from otel_ml_processor.assess.reading import Reading
    from otel_ml_processor.columns import StreamKey
    from otel_ml_processor.emit.points import Attributes
    from otel_ml_processor.profile import Profile
    from otel_ml_processor.windows.quality import Freshness

__all__ = [
    "Count",
    "ReferenceFacts",
    "StreamCounts",
    "StreamPage",
    "StreamView",
    "WindowPage",
    "targets_of",
]

# What a profile tells of its own windows is told without any calibration; windows tell what was measured in their own mode.
_UNCALIBRATED: Final = (
    keys.ML_DRIFT_CALIBRATION_MODE,
    MlDriftCalibrationModeValues.IID.value,
)


@dataclass(frozen=True, slots=True)
class ReferenceFacts:
    """
    What is known of a stream's reference before any window has closed.

    `created_ns` is None where the profile does not say a time that can be read; `measured` is, per window name, the share of the
    reference's own windows that would have raised an alarm in mode `iid`.
    """

    id: str
    created_ns: int | None
    samples: int
    measured: Mapping[str, float]
    performance: Mapping[str, float] = field(default_factory=dict)
    """By name of the score, how good the predictions of the reference were."""
    version: str = ""
    """Of the model that it was made of; empty where it is of every version."""
    is_provisional: bool = False
    """Whether rows are still being added to it, so that nothing raises an alarm."""
    budget: float | None = None
    """Share of predictions that may be unconfident or invalid; None where the reference knows no confidence."""

    @classmethod
    def of(
        cls,
        profile: Profile,
        measured: Mapping[str, float],
        budget: float | None,
    ) -> ReferenceFacts:
        """Return what *profile* says of itself, beside what was *measured* with it."""
        return cls(
            id=reference_id(profile),
            created_ns=_created_ns(profile),
            samples=profile.source.rows,
            measured=dict(measured),
            performance=profile.performance,
            version=profile.version,
            is_provisional=profile.provisional,
            budget=budget,
        )


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
class WindowPage:
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
class Count:
    """A number that only grows, and since when."""

    start_ns: int
    total: int = 0

    def pair(self) -> tuple[int, int]:
        """Return since when, and how many."""
        return self.start_ns, self.total

    def set(self, total: int, now_ns: int) -> None:
        """Say how many there have been until now."""
        # A total that has fallen was counted anew: what is cumulative may run backwards with a new start only.
        if total < self.total:
            self.start_ns = now_ns
        self.total = total


@dataclass(slots=True)
class StreamPage:
    """All that the book holds of one stream; its counts begin at `since_ns`."""

    since_ns: int
    reference: ReferenceFacts | None = None
    targets: tuple[Target, ...] = ()
    windows: dict[str, WindowPage] = field(default_factory=dict)
    readings: dict[str, Reading] = field(default_factory=dict)
    detections: dict[tuple[str, MlDriftTargetValues], Count] = field(default_factory=dict)
    labels: dict[str, Count] = field(default_factory=dict)
    other_labels: Count | None = None
    violations: Count | None = None
    ood: Count | None = None
    invalid: dict[str, Count] = field(default_factory=dict)
    freshness: Freshness | None = None
    performance: dict[str, PerformanceReading] = field(default_factory=dict)

    @property
    def knows_of_ood(self) -> bool:
        """Whether the reference says what is out of distribution: then that there is nothing of it is a number, too."""
        return any(target.target is MlDriftTargetValues.MULTIVARIATE for target in self.targets)

    def expect(self, window: str, targets: Iterable[MlDriftTargetValues]) -> None:
        """Let the detections of *targets* start at 0, where they have not started."""
        for target in targets:
            self.detections.setdefault((window, target), Count(self.since_ns))

    def count_labels(self, labels: Mapping[str, int], now_ns: int) -> None:
        """Set the total of each class, first come first served; of those beyond the cap together. A class not among them is gone."""
        kept = {label: count for label, count in self.labels.items() if label in labels}
        for label in labels:
            if len(kept) < MAX_LABELS:
                kept.setdefault(label, Count(self.since_ns))
        for label, count in kept.items():
            count.set(labels[label], now_ns)
        self.labels = kept
        if len(labels) > len(kept):
            self.other_labels = self.other_labels or Count(self.since_ns)
            self.other_labels.set(
                sum(labels.values()) - sum(labels[label] for label in kept), now_ns
            )

    def points(self, where: Attributes, now_ns: int) -> Iterator[NamedPoint]:
        """Yield every point of the stream whose attributes are *where*."""
        for window in self.windows.values():
            yield from window.current
            yield from window.values
        for (name, target), count in self.detections.items():
            about = (*where, (keys.ML_WINDOW_NAME, name), (keys.ML_DRIFT_TARGET, target.value))
            yield _cumulative(names.METRIC_ML_DRIFT_DETECTIONS, about, count)
        for performance in self.performance.values():
            yield from performance_points(performance, iso_time(performance.window.end_ns))
            yield from label_points(performance, iso_time(performance.window.end_ns))
        yield from _prediction_points(where, self)
        if self.reference is not None:
            yield from _reference_points(where, self.reference, now_ns)

    def counts(self, stream: StreamKey) -> StreamCounts:
        """Return the counts of *stream*, whose page it is, for another book to go on from."""
        return StreamCounts(
            stream=stream.texts,
            since_ns=self.since_ns,
            detections=tuple((w, t.value, *c.pair()) for (w, t), c in self.detections.items()),
            labels={label: count.pair() for label, count in self.labels.items()},
            other_labels=None if self.other_labels is None else self.other_labels.pair(),
            low_confidence=None if self.violations is None else self.violations.pair(),
            ood=None if self.ood is None else self.ood.pair(),
            invalid=tuple((rule, *count.pair()) for rule, count in self.invalid.items()),
        )

    @classmethod
    def going_on_from(cls, counts: StreamCounts) -> StreamPage:
        """
        Return a page with the counts of another book.

        Raises:
            ValueError: If a detection is of no target.
        """
        return cls(
            counts.since_ns,
            detections={
                (window, MlDriftTargetValues(target)): Count(*count)
                for window, target, *count in counts.detections
            },
            labels={label: Count(*count) for label, count in counts.labels.items()},
            other_labels=Count(*counts.other_labels) if counts.other_labels else None,
            violations=Count(*counts.low_confidence) if counts.low_confidence else None,
            ood=Count(*counts.ood) if counts.ood else None,
            invalid={rule: Count(*count) for rule, *count in counts.invalid},
        )


def _prediction_points(where: Attributes, page: StreamPage) -> Iterator[NamedPoint]:
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
        point = Point((*where, (keys.ML_WINDOW_NAME, window), _UNCALIBRATED), share)
        yield NamedPoint(names.METRIC_ML_DRIFT_FALSE_ALARM_MEASURED, point)


def _about_reference(where: Attributes, reference: ReferenceFacts) -> Attributes:
    said: list[tuple[str, str | bool]] = [(keys.ML_DRIFT_REFERENCE_ID, reference.id)]
    if reference.version and reference.version != dict(where).get(keys.ML_MODEL_VERSION):
        said.append((keys.ML_DRIFT_REFERENCE_VERSION, valid_text(reference.version)))
    if reference.is_provisional:
        said.append((keys.ML_DRIFT_REFERENCE_PROVISIONAL, True))
    return tuple(said)


def _cumulative(metric: str, attributes: Attributes, count: Count) -> NamedPoint:
    return NamedPoint(metric, Point(attributes, count.total, count.start_ns))


def targets_of(profile: Profile, max_features: int) -> Iterator[Target]:
    """Yield what is compared with *profile*: its first features, and what else it knows."""
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

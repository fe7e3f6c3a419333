"""All numbers of one closed window, and the state they lead to."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

from otel_ml_conventions.attributes import (
    MlDriftCalibrationModeValues,
    MlDriftStateValues,
    MlDriftTargetValues,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from otel_ml_processor.assess.confidence_fall import ConfidenceFall
    from otel_ml_processor.assess.data_quality import QualityReading
    from otel_ml_processor.assess.error_patterns import Pattern
    from otel_ml_processor.assess.explanations import ExplanationReading
    from otel_ml_processor.assess.recent_windows import ChangeMoment
    from otel_ml_processor.assess.run_length import RunLength
    from otel_ml_processor.assess.segments import Gap, SegmentReading
    from otel_ml_processor.columns import StreamKey

__all__ = [
    "Change",
    "ConfidenceReading",
    "DriftKind",
    "Evidence",
    "PairReading",
    "Reading",
    "TargetReading",
    "WindowSpan",
]


class DriftKind(str, Enum):
    """Skew: different from the reference since the first row of a version. Drift: it was steady before."""

    DRIFT = "drift"
    SKEW = "skew"


@dataclass(frozen=True, slots=True)
class WindowSpan:
    """Which window: its name in the configuration, and the event time it covers (nanoseconds since 1970, end excluded)."""

    name: str
    start_ns: int
    end_ns: int


@dataclass(frozen=True, slots=True)
class Evidence:
    """
    What all windows so far say of a slow drift: the natural logarithm of an e-value, and whether values rise or fall.

    It is shared with the other columns of the model, so that it is an alarm from the logarithm of the reading's
    `windows_between_alarms` on.
    """

    log: float
    rises: bool


@dataclass(frozen=True, slots=True)
class PairReading:
    """
    The two features whose correlation changed most, `before` in the reference and `after` in the window, in [-1, 1].

    `p_value` is that of all watched pairs together, `effect` the debiased squared change of Fisher's z, on the scale of the PSI.
    """

    first: str
    second: str
    before: float
    after: float
    p_value: float
    effect: float


@dataclass(frozen=True, slots=True)
class TargetReading:
    """
    One thing compared with its reference: a feature, the prediction or the confidence.

    `scores` maps a drift method (`psi`, ...) to its value. `p_value` is adjusted for the family; `effect` is the debiased
    PSI, never below 0. Shares are in [0, 1]: missing of all rows; unseen of those not missing; non_finite and type_error of those not
    missing; out_of_range of the finite ones of the right type. `rows` counts rows with a captured value; with 0 of them every
    share is 0 and `p_value` is 1.
    """

    target: MlDriftTargetValues
    name: str
    """The feature's name; empty for the prediction and the confidence."""
    rows: int
    scores: Mapping[str, float]
    p_value: float
    effect: float
    state: MlDriftStateValues
    missing: float = 0.0
    unseen: float = 0.0
    non_finite: float = 0.0
    type_error: float = 0.0
    out_of_range: float = 0.0
    ood: float = 0.0
    """Share of rows that lie off the reference, of all features together; 0 of every other target."""
    driver: str = ""
    """The test with the smallest p-value: chi_squared, rank_location, rank_scale, rank_correlation, or hypergeometric of missing, unseen or ood."""
    inflation: float = 1.0
    """How many times the variance of its mean rank over windows is what chance gives, as the windows of the reference tell."""
    pair: PairReading | None = None
    """What changed most, of the target `correlation`; None of every other."""
    evidence: Evidence | None = None
    """Of slow drift; None of categories, whose cells have no order, and where nothing has been gathered."""


@dataclass(frozen=True, slots=True)
class ConfidenceReading:
    """
    Confidence of one window's predictions: means in [0, 1], quantiles by level, the share below `threshold`.

    `entropy` and `margin` are NaN where no row said them.
    """

    rows: int
    mean: float
    entropy: float
    margin: float
    quantiles: Mapping[float, float]
    low: float
    threshold: float


@dataclass(frozen=True, slots=True)
class Reading:
    """
    What one closed window of one stream says.

    `state` is the worst of the targets' states (`insufficient` below the minimum of rows; `no_reference` without one).
    `alpha` is the window's promised false-alarm rate, `mode` how the promise is calibrated, `measured` the rate that the reference's
    own windows had (None where that is not known). `windows_between_alarms` is the promise of the targets' evidence, 0 where there
    is none.
    """

    stream: StreamKey
    window: WindowSpan
    rows: int
    state: MlDriftStateValues
    targets: tuple[TargetReading, ...] = ()
    confidence: ConfidenceReading | None = None
    labels: Mapping[str, int] = field(default_factory=dict)
    reference_id: str = ""
    alpha: float = 0.0
    measured: float | None = None
    mode: MlDriftCalibrationModeValues = MlDriftCalibrationModeValues.IID
    windows_between_alarms: float = 0.0
    run_length: RunLength | None = None
    """How long that evidence is silent on the reference's own windows; None where that is not known."""
    estimated: Mapping[str, float] = field(default_factory=dict)
    """By name of the score, how good the predictions are expected to be; nothing where no reference says what scores mean."""
    needs_probabilities: tuple[str, ...] = ()
    """Names of the scores that nobody can estimate without the probabilities of all classes, of which only the predicted one's is known."""
    received: float | None = None
    """Share of the calls that came, in (0, 1], as samplers and the gaps between their numbers tell; None where calls say neither."""
    is_biased: bool = False
    """Whether the calls that came were chosen by their outcome, as their samplers tell."""
    confidence_fall: ConfidenceFall | None = None
    """Where the confidence drifts, and is below its part of the reference's."""
    by_class: Mapping[str, ConfidenceReading] = field(default_factory=dict)
    """Confidence by predicted class, where there are few; the most frequent first."""
    explanations: ExplanationReading | None = None
    """What predictions are attributed to; None while too few have been explained."""
    segments: tuple[SegmentReading, ...] = ()
    """Parts of the window, by the attributes that are configured."""
    patterns: tuple[Pattern, ...] = ()
    """Where the model fails more than elsewhere, as its last rows say when the window closes."""
    quality: QualityReading | None = None
    """Repeated inputs, unusable predictions, schemas; None of a reading that was not made of a window."""
    confidence_step: float | None = None
    """By how much the mean confidence changed when it last did, as ADWIN finds in the windows so far: 0 before the first time, None where none says it."""


@dataclass(frozen=True, slots=True)
class Change:
    """A window in which at least one target's state became `drifting`, or its evidence an alarm: what becomes one event."""

    reading: Reading
    kind: DriftKind
    targets: tuple[TargetReading, ...]
    """Those that changed to `drifting` now, the largest effect first."""
    slow: tuple[TargetReading, ...] = ()
    """Those of which no window is remarkable enough, but all together are since now; the most evidence first."""
    moment: ChangeMoment | None = None
    """When the first of them changed; None where that cannot be told."""
    trace_ids: tuple[str, ...] = ()
    """Traces of the window that show it, in hexadecimal; at most five."""
    segments: tuple[tuple[SegmentReading, Gap], ...] = ()
    """Segments whose difference from the rest is `drifting` since now, the most certain first."""
    fall: ConfidenceFall | None = None
    """The mean confidence, where it is below its part of the reference's since now."""

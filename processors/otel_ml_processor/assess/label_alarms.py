"""Alarms that need labels: scores that mean something else than they did, performance that fell, segments that are wrong more often."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from otel_ml_conventions.attributes import (
    MlDriftMethodValues,
    MlDriftStateValues,
    MlDriftTargetValues,
)
from otel_ml_processor.assess.calibration_drift import LEAST_CHANGE
from otel_ml_processor.assess.performance_drift import LEAST_RISE
from otel_ml_processor.assess.segments import LEAST_RATIO, MOST_RATIO
from otel_ml_processor.columns import StreamKey

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from otel_ml_processor.assess.performance import PerformanceReading
    from otel_ml_processor.assess.segments import Segment

__all__ = ["AlarmMemory", "LabelAlarm", "LabelStates", "describe_alarms", "label_alarms"]

_ERRORS: Final = frozenset({"mae", "rmse", "mape", "log_loss", "brier"})
"""Scores of which less is better."""


class LabelAlarm(NamedTuple):
    """One alarm: what drifts, by how much (on the scale of *method*), from which value on it is an alarm, and the same in words."""

    target: MlDriftTargetValues
    what: str
    method: MlDriftMethodValues
    score: float
    threshold: float
    p_value: float | None
    words: str
    segment: Segment | None = None


def label_alarms(
    reading: PerformanceReading, baseline: Mapping[str, float], least: float | None
) -> list[LabelAlarm]:
    """
    Return what of *reading* is an alarm now.

    Args:
        reading: Of a window with enough labels.
        baseline: How good the predictions of the reference were, by name of the score.
        least: Part of that below which a score is an alarm, in (0, 1) (of errors: above its inverse); None for no such alarm.
    """
    return [
        *_calibration(reading),
        *_worse(reading),
        *_fallen(reading, baseline, least),
        *_segments(reading),
    ]


class AlarmMemory(NamedTuple):
    """The alarms of one window of a stream that have been told and are not over: target, and what of it."""

    stream: tuple[str, ...]
    window: str
    told: tuple[tuple[str, str], ...]


class LabelStates:
    """Which alarms have been told and are not over, per stream and window; as many as there are streams, windows and segments."""

    __slots__ = ("_told",)

    def __init__(self) -> None:
        self._told: dict[tuple[StreamKey, str], frozenset[tuple[str, str]]] = {}

    def memory(self) -> tuple[AlarmMemory, ...]:
        """Return what has been told and is not over, for `recall`."""
        return tuple(
            AlarmMemory(stream.texts, window, tuple(sorted(told)))
            for (stream, window), told in self._told.items()
        )

    def recall(self, memories: Iterable[AlarmMemory]) -> None:
        """Remember what was told before."""
        for said in memories:
            self._told[StreamKey(*said.stream), said.window] = frozenset(said.told)

    def began(self, reading: PerformanceReading, *, may_tell: bool = True) -> list[LabelAlarm]:
        """
        Return the alarms of *reading* that are to be told: those that have not been since they last began; one with too few labels changes nothing.

        Where nothing of the window *may* be told, what began waits for the next one in which it holds.
        """
        if not reading.realized:
            return []
        where = reading.stream, reading.window.name
        before = self._told.get(where, frozenset())
        holding = {(alarm.target.value, alarm.what): alarm for alarm in reading.alarms}
        self._told[where] = frozenset(holding if may_tell else before & holding.keys())
        return [a for key, a in holding.items() if may_tell and key not in before]

    def forget(self, stream: StreamKey) -> None:
        """Drop what is remembered of *stream*; of an unknown one there is nothing to drop."""
        self._told = {where: told for where, told in self._told.items() if where[0] != stream}


def _worse(reading: PerformanceReading) -> Iterator[LabelAlarm]:
    drift = reading.drift
    if drift is not None and drift.is_alarm:
        yield LabelAlarm(
            target=MlDriftTargetValues.PERFORMANCE,
            what="",
            method=MlDriftMethodValues.OTHER,
            score=drift.rise,
            threshold=LEAST_RISE,
            p_value=drift.p_value,
            words=f"predictions are worse than those of the reference: mean error {drift.now:.3g} against {drift.before:.3g} "
            f"(p = {drift.p_value:.2g})",
        )


def _calibration(reading: PerformanceReading) -> Iterator[LabelAlarm]:
    drift = reading.calibration_drift
    if drift is not None and drift.state is MlDriftStateValues.DRIFTING:
        yield LabelAlarm(
            target=MlDriftTargetValues.CALIBRATION,
            what="",
            method=MlDriftMethodValues.OTHER,
            score=drift.change,
            threshold=LEAST_CHANGE,
            p_value=drift.p_value,
            words=f"scores no longer mean what they did: they come true {100 * drift.change:.2g} % more or less often "
            f"(root mean square, p = {drift.p_value:.2g})",
        )


def _fallen(
    reading: PerformanceReading, baseline: Mapping[str, float], least: float | None
) -> Iterator[LabelAlarm]:
    for name, score in reading.realized.items() if least is not None else ():
        before = baseline.get(name, 0.0)
        bound = 0.0 if least is None else before / least if name in _ERRORS else before * least
        if before > 0 and (score > bound if name in _ERRORS else score < bound):
            yield LabelAlarm(
                target=MlDriftTargetValues.PERFORMANCE,
                what=name,
                method=MlDriftMethodValues.OTHER,
                score=score,
                threshold=bound,
                p_value=None,
                words=f"{name} is {score:.3g}, {100 * score / before:.3g} % of the reference's {before:.3g}",
            )


def _segments(reading: PerformanceReading) -> Iterator[LabelAlarm]:
    gaps = [(part.segment, part.gap) for part in reading.segments if part.gap is not None]
    for segment, gap in sorted(gaps, key=lambda found: found[1].p_value):
        if gap.state is MlDriftStateValues.DRIFTING:
            yield LabelAlarm(
                target=MlDriftTargetValues.PERFORMANCE,
                what=str(segment),
                method=MlDriftMethodValues.HYPERGEOMETRIC,
                score=gap.ratio,
                threshold=LEAST_RATIO if gap.ratio < 1 else MOST_RATIO,
                p_value=gap.p_value,
                words=f"{segment}: error rate {100 * gap.rate:.3g} % against {100 * gap.rest:.3g} % elsewhere, "
                f"otherwise than in the reference (p = {gap.p_value:.2g})",
                segment=segment,
            )


def describe_alarms(reading: PerformanceReading, alarms: Sequence[LabelAlarm]) -> str:
    """Return in plain words what *alarms*, at least one, say of the labels of a window."""
    told = "; ".join(alarm.words for alarm in alarms)
    return (
        f"{reading.stream}: labels of window {reading.window.name} ({reading.predictions} predictions, "
        f"{100 * reading.coverage:.3g} % with a label): {told}."
    )

"""What an event says of alarms that need labels: one `ml.drift.detected` per window and change."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from otel_ml_conventions import attributes as keys
from otel_ml_conventions.attributes import MlDriftKindValues, MlDriftStateValues
from otel_ml_processor.emit.points import stream_attributes, valid_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from otel_ml_processor.assess.label_alarms import LabelAlarm
    from otel_ml_processor.assess.performance import PerformanceReading
    from otel_ml_processor.emit.events import Attributes

__all__ = ["label_attributes"]


def label_attributes(
    reading: PerformanceReading, alarms: Sequence[LabelAlarm], description: str
) -> Attributes:
    """Return what the event says of *alarms*, at least one, that hold since now: about the first of them, in *description* about all."""
    first = alarms[0]
    about: Attributes = {
        **dict(stream_attributes(reading.stream)),
        keys.ML_WINDOW_NAME: reading.window.name,
        keys.ML_DRIFT_STATE: MlDriftStateValues.DRIFTING.value,
        keys.ML_DRIFT_KIND: MlDriftKindValues.DRIFT.value,
        keys.ML_DRIFT_WINDOW_SIZE: reading.predictions,
        keys.ML_DRIFT_TARGET: first.target.value,
        keys.ML_DRIFT_METHOD: first.method.value,
        keys.ML_DRIFT_DESCRIPTION: valid_text(description),
        **_numbers(first),
    }
    if first.segment is not None:
        about[keys.ML_SEGMENT_NAME] = valid_text(first.segment.name)
        about[keys.ML_SEGMENT_VALUE] = valid_text(first.segment.value)
    if reading.reference_id:
        about[keys.ML_DRIFT_REFERENCE_ID] = reading.reference_id
    return about


def _numbers(alarm: LabelAlarm) -> dict[str, float]:
    """Return the numbers of *alarm* that are known and finite."""
    numbers = {
        keys.ML_DRIFT_SCORE: alarm.score,
        keys.ML_DRIFT_THRESHOLD: alarm.threshold,
        keys.ML_DRIFT_P_VALUE: alarm.p_value,
    }
    return {key: n for key, n in numbers.items() if n is not None and math.isfinite(n)}

"""What labels say, to be written down."""

from __future__ import annotations

from otel_ml_conventions.attributes import MlFeedbackOutcomeValues, MlFeedbackSourceValues
from otel_ml_processor.assess.performance import PerformanceReading
from otel_ml_processor.assess.reading import WindowSpan
from otel_ml_processor.feedback.totals import FeedbackTotals, Joined
from tests.unit.processor.emit.sample_readings import HOUR_NS, START_NS, STREAM

PERFORMANCE = PerformanceReading(
    stream=STREAM,
    window=WindowSpan("1h", START_NS, START_NS + HOUR_NS),
    predictions=1_000,
    coverage=0.875,
    realized={"accuracy": 0.75},
    calibration={"ece": 0.125},
    estimated={"accuracy": 0.8125, "roc_auc": 0.9},
)
TOTALS = FeedbackTotals(
    stream=STREAM,
    joined={
        Joined(
            MlFeedbackOutcomeValues.JOINED, correct=True, source=MlFeedbackSourceValues.HUMAN
        ): 7,
        Joined(MlFeedbackOutcomeValues.UNMATCHED, None, None): 2,
    },
    delays=(1, 0, 4, 0, 0, 0, 0, 0, 2),
    delay_s=5_000_000.5,
)

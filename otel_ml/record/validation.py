"""Rules that calls break: each counted, and told by an event."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, Final

from opentelemetry.metrics import Meter

from otel_ml.describe.validation import Failure
from otel_ml.record.channel import Channel
from otel_ml_conventions import attributes as keys
from otel_ml_conventions.metrics import create_ml_validation_failures

__all__ = ["BrokenRules"]

_MAX_EVENTS: Final = 16  # per call
_OF_MODEL: Final[tuple[str, ...]] = (keys.ML_MODEL_NAME, keys.ML_MODEL_VERSION)


class BrokenRules:
    """What validation finds, on its way to the metric `ml.validation.failures` and to events."""

    def __init__(self, meter: Meter) -> None:
        self._counter = create_ml_validation_failures(meter)

    def count(self, channel: Channel, failures: Sequence[Failure]) -> None:
        """Count *failures* of one call, which came by *channel*."""
        for rule, number in Counter(failure.rule for failure in failures).items():
            attributes = {**channel.metric_attributes, keys.ML_VALIDATION_RULE: rule}
            self._counter.add(number, attributes)

    @staticmethod
    def events(channel: Channel, failures: Sequence[Failure]) -> Iterator[Mapping[str, Any]]:
        """Yield what the events of one call say, of the first 16 of its *failures*."""
        said = channel.event_attributes
        model = {key: said[key] for key in _OF_MODEL if key in said}
        for failure in islice(failures, _MAX_EVENTS):
            facts: dict[str, Any] = {
                **model,
                keys.ML_VALIDATION_RULE: failure.rule,
                keys.ML_VALIDATION_EXPECTED: failure.expected,
            }
            if failure.feature is not None:
                facts[keys.ML_FEATURE_NAME] = failure.feature
            yield facts

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
_MAX_FEATURES: Final = 256  # per process
_OF_MODEL: Final[tuple[str, ...]] = (keys.ML_MODEL_NAME, keys.ML_MODEL_VERSION)


class BrokenRules:
    """
    What validation finds, on its way to the metric `ml.validation.failures` and to events.

    Args:
        meter: Makes the counter.
        tells_features: Whether failures are counted by feature too, for the first 256 features.
    """

    def __init__(self, meter: Meter, *, tells_features: bool) -> None:
        self._counter = create_ml_validation_failures(meter)
        self._tells_features = tells_features
        self._features: set[str] = set()

    def count(self, channel: Channel, failures: Sequence[Failure]) -> None:
        """Count *failures* of one call, which came by *channel*."""
        broken = Counter((failure.rule, self._counted(failure.feature)) for failure in failures)
        for (rule, feature), number in broken.items():
            attributes = {**channel.metric_attributes, keys.ML_VALIDATION_RULE: rule}
            if feature is not None:
                attributes[keys.ML_FEATURE_NAME] = feature
            self._counter.add(number, attributes)

    def _counted(self, feature: str | None) -> str | None:
        """Return the name by which a failure of *feature* is counted; None for one of many."""
        if feature is None or not self._tells_features:
            return None
        if len(self._features) < _MAX_FEATURES:
            self._features.add(feature)
        return feature if feature in self._features else None

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

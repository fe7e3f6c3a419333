"""What the SDK counts of its own failures."""

from otel_ml.testing import Capture


def errors(seen: Capture) -> dict[str, int]:
    """Return how often something failed, by cause."""
    return {p.attributes["ml.sdk.error.cause"]: p.value for p in seen.metric("ml.sdk.errors")}

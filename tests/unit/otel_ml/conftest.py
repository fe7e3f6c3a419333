"""What several tests of the SDK use."""

from otel_ml.testing import captured

__all__ = ["captured"]

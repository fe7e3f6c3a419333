"""What several tests of the SDK use."""

from otel_ml.testing import captured, conforming

__all__ = ["captured", "conforming"]

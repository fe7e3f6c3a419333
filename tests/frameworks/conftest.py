"""What the tests of heavy frameworks use."""

from otel_ml.testing import captured, conforming

__all__ = ["captured", "conforming"]

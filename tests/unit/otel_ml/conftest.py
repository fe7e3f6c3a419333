"""What several tests of the SDK use."""

from otel_ml.testing import captured, conforming
from tests.data.framework_calls import full

__all__ = ["captured", "conforming", "full"]

"""What the tests of heavy frameworks use."""

from typing import Any

import pytest

from otel_ml.testing import captured, conforming
from tests.data.framework_calls import full

__all__ = ["captured", "conforming", "full"]


@pytest.fixture
def net() -> Any:
    """Return a network of PyTorch that is not in training; torch is imported for who asks."""
    from tests.data.torch_networks import trained

    return trained()

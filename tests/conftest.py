"""What holds for all tests."""

from __future__ import annotations

import re

import pytest
from hypothesis import HealthCheck, settings

# How long an example takes, and how long drawing one does, says what else the machine does, and whether something is compiled for the first time.
settings.register_profile(
    "however slow", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("however slow")

_ADDRESS = re.compile(r" at 0x[0-9a-f]{6,}")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Refuse names of tests that are others in every process: those that run side by side would not know each other's."""
    for item in items:
        if _ADDRESS.search(item.name):
            raise pytest.UsageError(
                f"{item.nodeid}: expected a name without an address in memory; give it `ids`"
            )

"""What holds for all tests."""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from collections.abc import Iterator

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


@pytest.fixture(autouse=True)
def root_logger() -> Iterator[None]:
    """Leave the root logger as each test found it: a handler that stays would write what later tests log to a standard error that is closed."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = [handler for handler in root.handlers if handler in handlers]
    root.setLevel(level)

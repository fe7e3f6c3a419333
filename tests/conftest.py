"""What holds for all tests."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

# How long an example takes, and how long drawing one does, says what else the machine does, and whether something is compiled for the first time.
settings.register_profile(
    "however slow", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("however slow")

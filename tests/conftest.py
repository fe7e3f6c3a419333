"""What holds for all tests."""

from __future__ import annotations

from hypothesis import settings

# How long an example takes says what else the machine does, and whether something is compiled for the first time.
settings.register_profile("no deadline", deadline=None)
settings.load_profile("no deadline")

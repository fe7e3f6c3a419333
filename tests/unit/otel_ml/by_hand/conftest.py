"""What several tests of recording by hand use."""

from collections.abc import Iterator

import pytest

from otel_ml.settings import Settings
from otel_ml.testing import Capture, capture


@pytest.fixture(name="seen")
def seen() -> Iterator[Capture]:
    """Return a capture with the default settings, judged by the conventions at its end."""
    with capture() as seen:
        yield seen
        seen.conformance.check()


@pytest.fixture(name="told_all")
def told_all() -> Iterator[Capture]:
    """Return a capture of everything that may be asked for, judged by the conventions at its end."""
    with capture(Settings(capture_content="span_and_event", capture_outputs="full")) as seen:
        yield seen
        seen.conformance.check()

"""What is compiled before the first request, and what the log says of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from otel_ml_processor.warm import prepare_decoder

if TYPE_CHECKING:
    import pytest


def test_a_process_says_once_that_it_compiles(caplog: pytest.LogCaptureFixture) -> None:
    """A configuration that is read again has nothing compiled, so nobody is told to wait for half a minute."""
    with caplog.at_level("INFO", "otel_ml_processor"):
        prepare_decoder()
        said = list(caplog.messages)
        prepare_decoder()

    assert caplog.messages == said

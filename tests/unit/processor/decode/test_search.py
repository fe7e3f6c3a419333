"""Whether bytes occur in a request."""

from __future__ import annotations

import random

import pytest

from otel_ml_processor.decode.fast_search import occurs


def test_it_says_what_python_says() -> None:
    """Of texts and requests of two letters, where every near miss there can be occurs, at all lengths around that of a block."""
    draw = random.Random(4)
    for _ in range(5000):
        request = bytes(draw.choices(b"ab", k=draw.randrange(130)))
        text = bytes(draw.choices(b"ab", k=draw.randrange(1, 12)))
        assert occurs(text, request) == (text in request), (text, request)


@pytest.mark.parametrize("size", [31, 32, 33, 63, 64, 65, 1000])
@pytest.mark.parametrize("text", [b"m", b"ml.feedback", b"x" * 40])
def test_it_is_found_wherever_it_stands(size: int, text: bytes) -> None:
    """At the first byte, at the last one and at each between them; cut off at the end it is not there."""
    for at in range(max(0, size - len(text) + 1)):
        request = b"." * at + text + b"." * (size - at - len(text))
        assert occurs(text, request)
        cut = request[: at + len(text) - 1]
        assert not occurs(text, cut)


def test_there_is_nothing_in_nothing() -> None:
    """An empty request, and one shorter than the text."""
    assert not occurs(b"ml.feedback", b"")
    assert not occurs(b"ml.feedback", b"ml.")

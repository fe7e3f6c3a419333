"""Which profile a stream is compared with."""

from __future__ import annotations

import numpy as np
import pytest

from otel_ml_processor.columns import StreamKey
from otel_ml_processor.errors import ProfileError
from otel_ml_processor.profile import Profile, Source
from otel_ml_processor.windows.reference import build_profile
from otel_ml_processor.windows.references import References


def profile(model: str, version: str) -> Profile:
    """Return a small profile."""
    return build_profile(
        {"amount": np.arange(50.0), "age": np.arange(50.0)},
        model=model,
        version=version,
        created="2026-01-01T00:00:00Z",
        source=Source(kind="array", uri="", rows=50),
    )


def stream(model: str, version: str) -> StreamKey:
    """Return a stream of that model."""
    return StreamKey("shop", "", model, version)


def test_a_stream_gets_the_profile_of_its_version_before_that_of_its_model() -> None:
    """Version 2 has a profile of its own; version 3 gets the one that names no version."""
    references = References.of([("two", profile("fraud", "2")), ("any", profile("fraud", ""))])
    assert references.profile(stream("fraud", "2")) == profile("fraud", "2")
    assert references.profile(stream("fraud", "3")) == profile("fraud", "")
    assert references.features(stream("fraud", "3")) == ("amount", "age")


def test_an_unknown_model_has_no_reference() -> None:
    """Then no feature is asked for, and nothing is compared."""
    references = References.of([("two", profile("fraud", "2"))])
    assert references.reference(stream("churn", "2")) is None
    assert references.reference(stream("fraud", "3")) is None
    assert references.features(stream("churn", "2")) is None


def test_two_profiles_of_one_version_are_refused() -> None:
    """Which of them counts must not depend on their order; the message names both files."""
    twice = [("a.json", profile("fraud", "2")), ("b.json", profile("fraud", "2"))]
    with pytest.raises(ProfileError, match=r"b\.json: model 'fraud' version '2' .* a\.json"):
        References.of(twice)

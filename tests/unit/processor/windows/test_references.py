"""Which profile a stream is compared with."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from otel_ml_processor.columns import StreamKey
from otel_ml_processor.errors import ProfileError
from otel_ml_processor.profile import Profile, Source, sealed
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
    assert references.reference(stream("fraud", "1")) is None
    assert references.features(stream("churn", "2")) is None


def test_two_profiles_of_one_version_are_refused() -> None:
    """Which of them counts must not depend on their order; the message names both files."""
    twice = [("a.json", profile("fraud", "2")), ("b.json", profile("fraud", "2"))]
    with pytest.raises(ProfileError, match=r"b\.json: model 'fraud' version '2' .* a\.json"):
        References.of(twice)


@pytest.mark.parametrize(
    ("there_are", "asked", "given"),
    [
        (["1", "2", "10"], "11", "10"),
        (["1", "2", "10"], "9", "2"),
        (["1.2", "1.10"], "1.11", "1.10"),
        (["v3", "v4"], "v5", "v4"),
        (["1", "2"], "0.9", None),
        (["1", ""], "2", ""),
        (["9f2c", "a1b2"], "77aa", "a1b2"),
        (["1", "a1b2"], "2", "a1b2"),
        (["1", "2"], "", "2"),
    ],
)
def test_a_version_without_a_profile_gets_that_of_the_newest_version_before_it(
    there_are: list[str], asked: str, given: str | None
) -> None:
    """By number where versions are numbers, by the time of making where they are not; never that of a later version."""
    profiles = [
        msgspec.structs.replace(profile("fraud", version), created=f"2026-01-0{day}")
        for day, version in enumerate(there_are, start=1)
    ]
    references = References.of([(each.version, sealed(each)) for each in profiles])

    found = references.profile(stream("fraud", asked))

    assert (found and found.version) == given


def test_profiles_are_replaced_together_or_not_at_all() -> None:
    """What is the same stays the same object, so that its windows go on; two of one version change nothing."""
    first, second = ("one", profile("fraud", "1")), ("two", profile("fraud", "2"))
    references = References.of([first])
    kept = references.reference(stream("fraud", "1"))

    references.replace([first, second])
    assert references.reference(stream("fraud", "1")) is kept
    assert references.reference(stream("fraud", "2")) is not None

    with pytest.raises(ProfileError, match="keep one of them"):
        references.replace([first, first])
    assert references.reference(stream("fraud", "2")) is not None


def test_what_was_learned_of_one_stream_is_compared_with_that_alone() -> None:
    """Staging learns nothing from production, and a profile that somebody made of the model comes before it."""
    references = References.of([])
    references.learn(stream("fraud", "1"), profile("fraud", "1"))

    assert references.profile(stream("fraud", "1")) == profile("fraud", "1")
    assert references.profile(StreamKey("shop", "staging", "fraud", "1")) is None
    references.replace([("any", profile("fraud", ""))])
    assert references.profile(stream("fraud", "1")) == profile("fraud", "")


def test_what_was_learned_of_a_stream_is_forgotten_and_of_no_other() -> None:
    """One version of two is retired; forgetting it again tells that there was nothing."""
    references = References.of([])
    for version in ("1", "2"):
        references.learn(stream("fraud", version), profile("fraud", version))
    assert references.profile(stream("fraud", "1")) == profile("fraud", "1")

    assert references.unlearn(stream("fraud", "1"))
    assert references.profile(stream("fraud", "1")) is None
    assert references.profile(stream("fraud", "2")) == profile("fraud", "2")
    assert not references.unlearn(stream("fraud", "1"))

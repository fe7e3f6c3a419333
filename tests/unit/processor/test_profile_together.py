"""The parts of a profile that are of all features together: a file that contradicts itself is refused, with the place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pytest

from otel_ml_processor.errors import ProfileError
from otel_ml_processor.profile_file import read_profile, write_profile
from tests.data.together import equally_correlated, normal_rows, profile_of

if TYPE_CHECKING:
    from pathlib import Path

    from otel_ml_processor.profile import Profile


def known() -> Profile:
    """Return a profile of four features that has both parts."""
    return profile_of(normal_rows(np.random.default_rng(1), 400, equally_correlated(4, 0.5)))


def test_both_parts_are_read_as_they_were_written(tmp_path: Path) -> None:
    """Nothing of them is lost on the way."""
    write_profile(known(), tmp_path / "p.json")

    read = read_profile(tmp_path / "p.json")

    assert (read.pca, read.correlation) == (known().pca, known().correlation)


@pytest.mark.parametrize(
    ("part", "change", "place"),
    [
        ("pca", {"mean": [0.0]}, r"\$\.pca: expected 4 numbers per row"),
        ("pca", {"components": [[1.0, 0.0]]}, r"\$\.pca: expected 4 numbers per row"),
        ("pca", {"std": [1.0, 1.0, 1.0, -1.0]}, r"\$\.pca\.std: expected numbers >= 0, got -1"),
        (
            "correlation",
            {"features": [3, 2, 1, 0]},
            r"\$\.correlation\.features: expected ascending",
        ),
        (
            "correlation",
            {"features": [0, 1, 2, 9]},
            r"\$\.correlation\.features: expected ascending",
        ),
        ("correlation", {"pairs": []}, r"\$\.correlation\.pairs: expected pairs"),
        ("correlation", {"pairs": [(1, 0)]}, r"\$\.correlation\.pairs: expected pairs"),
        ("correlation", {"sums": [1]}, r"\$\.correlation: expected \(15, 6\) sums and spreads"),
        ("correlation", {"spreads": [0.0] * 6}, r"\$\.correlation: expected sums >= 0"),
        ("correlation", {"sums": [2**63] + [0] * 14}, r"\$\.correlation: expected sums >= 0"),
    ],
)
def test_a_part_that_contradicts_itself_is_refused(
    tmp_path: Path, part: str, change: dict[str, Any], place: str
) -> None:
    """File, place, expectation and finding, before any window is counted."""
    profile = known()
    changed = msgspec.structs.replace(getattr(profile, part), **change)
    write_profile(msgspec.structs.replace(profile, **{part: changed}), tmp_path / "p.json")

    with pytest.raises(ProfileError, match=f"p.json: {place}"):
        read_profile(tmp_path / "p.json")

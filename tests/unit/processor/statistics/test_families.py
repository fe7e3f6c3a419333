from __future__ import annotations

import pytest

from otel_ml_processor.statistics.families import shared_alpha


def test_families_share_in_proportion_to_their_weights() -> None:
    """A half and a quarter of three quarters present: two thirds and one third."""
    assert shared_alpha(0.03, {"a": 0.5, "b": 0.25}) == pytest.approx({"a": 0.02, "b": 0.01})


def test_a_single_family_uses_everything() -> None:
    """What absent families would have used is not lost."""
    assert shared_alpha(0.01, {"b": 0.25}) == {"b": 0.01}


def test_no_family_gives_nothing() -> None:
    """Nothing is tested, nothing is shared."""
    assert shared_alpha(0.01, {}) == {}


@pytest.mark.parametrize("alpha", [0.0, 1.0, -0.5, float("nan")])
def test_what_is_no_rate_is_refused(alpha: float) -> None:
    """A promise of 0 or 1 is none."""
    with pytest.raises(ValueError, match=r"expected a false-alarm rate in \(0, 1\)"):
        shared_alpha(alpha, {"a": 1.0})


def test_a_family_without_weight_is_refused() -> None:
    """A family that may never alarm should not be there; the message names it."""
    with pytest.raises(ValueError, match=r"expected weights > 0, got \{'b': 0\.0\}"):
        shared_alpha(0.01, {"a": 1.0, "b": 0.0})

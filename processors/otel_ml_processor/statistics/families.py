"""One false-alarm rate shared by several families of tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["shared_alpha"]


def shared_alpha(alpha: float, weights: Mapping[str, float]) -> dict[str, float]:
    """
    Return each family's part of *alpha*, in proportion to its weight; the parts add up to *alpha*.

    Families that each keep their part keep the whole together (Bonferroni). No family gives an empty mapping.

    Args:
        alpha: Probability in (0, 1).
        weights: Weight per family that is present, > 0.

    Raises:
        ValueError: If *alpha* is not in (0, 1) or a weight is not > 0.
    """
    if not 0 < alpha < 1:
        raise ValueError(f"expected a false-alarm rate in (0, 1), got {alpha}")
    light = {family: weight for family, weight in weights.items() if not weight > 0}
    if light:
        raise ValueError(f"expected weights > 0, got {light}")
    total = sum(weights.values())
    return {family: alpha * weight / total for family, weight in weights.items()}

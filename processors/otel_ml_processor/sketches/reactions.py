"""What people did with predictions, which tells how useful they were and not whether they were right."""

from __future__ import annotations

import math
from dataclasses import dataclass

__all__ = ["Reactions"]


@dataclass(slots=True)
class Reactions:
    """
    Implicit feedback of one window: predictions or lists that somebody acted upon, and single reactions.

    `told` counts reactions to a prediction or an item, `accepted` those of them that say yes; `acted` counts predictions, or lists, with
    a yes at least.
    """

    told: int = 0
    accepted: int = 0
    acted: int = 0

    def add(self, *, is_accepted: bool, is_first: bool, weight: int = 1) -> None:
        """Count a reaction, *weight* times; *is_first*: none before said yes to the same prediction, or list."""
        self.told += weight
        self.accepted += weight * is_accepted
        self.acted += weight * (is_accepted and is_first)

    def merge(self, other: Reactions) -> None:
        """Add what *other* counted."""
        self.told += other.told
        self.accepted += other.accepted
        self.acted += other.acted

    def rates(self, shown: int) -> dict[str, float]:
        """Return by name the share of *shown* predictions (or lists) that were acted upon, and of reactions that say yes; NaN of nothing."""
        return {
            "click_through": min(1.0, self.acted / shown) if shown else math.nan,
            "acceptance": self.accepted / self.told if self.told else math.nan,
        }

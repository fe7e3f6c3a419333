"""What is said on an inference's own trace."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Verdict"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """
    What one inference is told: only what is known is said.

    `confidence` is a value of `MlVerdictConfidenceValues`, `drift` one of `MlVerdictDriftValues`; None where unknown. `flags` are the
    remarkable things (`low_confidence`, `unseen:<feature>` ...), `reference` is the profile's id, empty without one.
    """

    confidence: str | None = None
    drift: str | None = None
    flags: tuple[str, ...] = ()
    reference: str = ""

"""What is said on the inferences' own traces."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from otel_ml_processor.columns import IntArray

__all__ = ["OOD", "Verdict", "Verdicts"]

OOD: Final = "ood"
"""Flag of an inference that lies off the reference, all features together."""


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


@dataclass(frozen=True, slots=True, eq=False)
class Verdicts:
    """
    What the inference spans of a request are told: most are told the same, so each different verdict is held once.

    Span `spans[k]` (its index among the inference spans of the request, each at most once) is told `said[codes[k]]`.
    """

    spans: IntArray
    codes: IntArray
    said: tuple[Verdict, ...]

    @classmethod
    def joined(cls, parts: Sequence[Verdicts]) -> Verdicts:
        """Return the verdicts of several streams as one; none of none."""
        said: list[Verdict] = []
        codes: list[IntArray] = [np.zeros(0, dtype=np.int64)]
        for part in parts:
            codes.append(part.codes + len(said))
            said += part.said
        spans = [np.zeros(0, dtype=np.int64), *(part.spans for part in parts)]
        return cls(np.concatenate(spans), np.concatenate(codes), tuple(said))

    def flagged(self) -> dict[int, Verdict]:
        """Return the spans that have flags, in order, with what they are told."""
        has_flags = np.array([bool(verdict.flags) for verdict in self.said], dtype=bool)
        at = np.flatnonzero(has_flags[self.codes]) if len(self.said) else ()
        return {int(self.spans[k]): self.said[self.codes[k]] for k in at}

    def __len__(self) -> int:
        return len(self.spans)

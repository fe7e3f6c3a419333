"""What is said on the inferences' own traces."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from otel_ml_processor.columns import IntArray

__all__ = ["OOD", "Verdict", "Verdicts"]

OOD: Final = "ood"
"""Flag of an inference that lies off the reference, all features together."""


class Verdict(NamedTuple):
    """
    What one inference is told: only what is known is said.

    `confidence` is a value of `MlVerdictConfidenceValues`, `drift` one of `MlVerdictDriftValues`; None where unknown. `flags` are the
    remarkable things (`low_confidence`, `unseen:<feature>` ...), `reference` is the profile's id, empty without one.
    """

    confidence: str | None = None
    drift: str | None = None
    flags: tuple[str, ...] = ()
    reference: str = ""


class Verdicts:
    """
    What the inference spans of a request are told: most are told the same, so each different verdict is held once.

    Span i is told `said[codes[i]]`, nothing where the code is -1, which is what all are at first.
    """

    __slots__ = ("_numbers", "codes", "said")

    def __init__(self, n_spans: int) -> None:
        self.codes: IntArray = np.full(n_spans, -1, dtype=np.int64)
        self.said: tuple[Verdict, ...] = ()
        self._numbers: dict[tuple[Verdict, ...], int] = {}

    def number(self, verdicts: tuple[Verdict, ...]) -> int:
        """Return the code of the first of *verdicts*; those of the others follow."""
        number = self._numbers.get(verdicts)
        if number is None:
            number = self._numbers[verdicts] = len(self.said)
            self.said += verdicts
        return number

    def flagged(self) -> dict[int, Verdict]:
        """Return the spans that have flags, in order, with what they are told."""
        has_flags = np.array([*(bool(verdict.flags) for verdict in self.said), False])
        at = np.flatnonzero(has_flags[self.codes]).tolist()
        return {span: self.said[self.codes[span]] for span in at}

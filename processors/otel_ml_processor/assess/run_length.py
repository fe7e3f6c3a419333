"""How long slow drift is silent on the reference's own windows."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, NamedTuple

from otel_ml_processor.assess.evidence import GatheredEvidence
from otel_ml_processor.config import DriftConfig

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from otel_ml_processor.assess.evidence import Observed

__all__ = ["RunLength", "evidence_peaks"]

_BROKEN: Final = 3.0
"""So many times as many alarms as promised mean that the promise does not hold, as for a single window."""
_FEWEST_ALARMS: Final = 2
"""One may be chance, however few windows there are."""


class RunLength(NamedTuple):
    """How often the evidence of slow drift alarms over so many windows of the reference, in the order of time; at least one window."""

    windows: int
    alarms: int

    @classmethod
    def of(cls, peaks: Sequence[float], windows: int, windows_between_alarms: float) -> RunLength:
        """Return how many of *peaks*, as `evidence_peaks` gives them, are an alarm at the promised number of *windows_between_alarms*."""
        return cls(windows, sum(peak >= math.log(windows_between_alarms) for peak in peaks))

    @property
    def mean(self) -> float:
        """Windows per alarm; all windows where there was none: it is silent for at least as long."""
        return self.windows / max(1, self.alarms)

    def breaks(self, windows_between_alarms: float) -> bool:
        """Whether there are so many more alarms than promised that the promise does not hold."""
        return self.alarms >= _FEWEST_ALARMS and _BROKEN * self.mean < windows_between_alarms


def evidence_peaks(windows: Iterable[Sequence[Observed]]) -> list[float]:
    """
    Return how far the evidence of slow drift rises before it is gone again: one logarithm per excursion above 0, the largest first.

    It tells how often there would be an alarm, whatever is promised: once per excursion that reaches the promise's logarithm.

    Args:
        windows: The columns of each window beside its reference, in the order of time.
    """
    gathered = GatheredEvidence(DriftConfig().windows_between_alarms)
    peaks, peak = [], 0.0
    for window in windows:
        log = max((found.log for found in gathered.add(window).values()), default=0.0)
        if log <= 0 < peak:
            peaks.append(peak)
        peak = max(peak, log) if log > 0 else 0.0
    return sorted([*peaks, peak] if peak else peaks, reverse=True)

"""What has been found so far, and which of the registry has been seen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from otel_ml_conventions.conformance import Finding, Judgement, Registry

__all__ = ["MAX_FINDINGS", "Coverage", "Found", "Tally"]

MAX_FINDINGS: Final = 1000
"""Different findings that are kept; those beyond are only counted."""


class Found(NamedTuple):
    """A finding, how often it occurred, and where first."""

    finding: Finding
    times: int
    first: str

    def __str__(self) -> str:
        return f"{self.finding} ({self.times} x, first in {self.first})"


class Coverage(NamedTuple):
    """
    How much of one signal has been seen.

    Attributes:
        signal: Its kind and name.
        times: How often it was seen.
        seen: The attributes that were on it at least once, in the order of the registry.
        never: The others.
        opt_in: Those of *never* that are only written where somebody asks for them.
    """

    signal: str
    times: int
    seen: tuple[str, ...]
    never: tuple[str, ...]
    opt_in: frozenset[str]


class Tally:
    """Adds up judgements; bounded, whatever is found. Not for several threads at once."""

    def __init__(self, registry: Registry) -> None:
        self._signals = registry.signals()
        self._counts = dict.fromkeys(self._signals, 0)
        self._seen: dict[str, set[str]] = {signal: set() for signal in self._signals}
        self._found: dict[Finding, tuple[int, str]] = {}
        self.n_violations = 0
        self.n_unkept = 0
        """Findings of which there was no room for the kind."""

    def add(self, judgements: Iterable[Judgement], where: str) -> None:
        """Add *judgements* of what was found in *where*: a file and line, a request."""
        for judgement in judgements:
            if judgement.signal in self._counts:
                self._counts[judgement.signal] += 1
                self._seen[judgement.signal] |= judgement.attributes
            for finding in judgement.findings:
                self._keep(finding, where)

    def _keep(self, finding: Finding, where: str) -> None:
        self.n_violations += finding.is_violation
        count, first = self._found.get(finding, (0, where))
        if count == 0 and len(self._found) >= MAX_FINDINGS:
            self.n_unkept += 1
            return
        self._found[finding] = (count + 1, first)

    @property
    def n_seen(self) -> int:
        """How many spans, metrics and events of the registry there were."""
        return sum(self._counts.values())

    def found(self) -> Sequence[Found]:
        """Return the findings, violations first, then by signal, attribute and rule."""
        ordered = sorted(self._found, key=lambda finding: (not finding.is_violation, finding))
        return [Found(finding, *self._found[finding]) for finding in ordered]

    def coverage(self) -> Sequence[Coverage]:
        """Return what was seen of each signal, in the order of the registry."""
        return [self._coverage(signal) for signal in self._signals]

    def _coverage(self, signal: str) -> Coverage:
        levels, seen = self._signals[signal], self._seen[signal]
        never = tuple(key for key in levels if key not in seen)
        return Coverage(
            signal,
            self._counts[signal],
            tuple(key for key in levels if key in seen),
            never,
            frozenset(key for key in never if levels[key] == "opt_in"),
        )

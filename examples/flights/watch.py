"""Reads the processor's `/readings` and tells which days of the year each window covered."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import httpx

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from play import Player

__all__ = ["Drifted", "Watch", "Window"]


@dataclass(frozen=True, slots=True)
class Drifted:
    """
    A feature, the prediction or whatever else is in alarm: its PSI, or its effect where it has none, and its p-value after Holm's correction.

    `change` is what tells more than the score: `3% missing` or `1% unseen` where it was that, and not the values, that gave the smallest p-value, and
    of a correlation `0.78 to 0.36`; empty otherwise.
    """

    name: str
    score: float
    p_value: float
    change: str = ""


@dataclass(frozen=True, slots=True)
class Window:
    """
    What the processor said of one window, and the days of the flights in it.

    The spans carry the time of the request, not of the flight: only the player knows the days. `drifted` has the largest score first;
    the confidences are None where the processor had none.
    """

    number: int
    days: tuple[date, ...]
    rows: int
    state: str
    drifted: tuple[Drifted, ...]
    mean_confidence: float | None
    low_confidence: float | None


class Watch:
    """
    The windows so far, in the order in which they closed.

    *days* has the day of every flight in the order of sending; every window has *size* of them.
    """

    def __init__(self, page: str, player: Player, days: Sequence[date], size: int) -> None:
        self._url = f"http://{page}/readings"
        self._player = player
        self._days = days
        self._size = size
        self.windows: list[Window] = []
        self._last: dict[str, Any] = {}

    def look(self) -> Window | None:
        """Return the window that closed since the last look, if one did; httpx.HTTPError if the page does not answer."""
        response = httpx.get(self._url, timeout=5.0, trust_env=False).raise_for_status()
        readings = [
            reading for stream in response.json()["streams"] for reading in stream["readings"]
        ]
        if not readings:
            return None
        [reading] = readings  # one model, one kind of window
        if reading == self._last:
            return None
        self._last = reading
        window = self._window(reading)
        self.windows.append(window)
        return window

    @property
    def may_be_sent(self) -> int:
        """
        How many flights may be sent by now: with one more, two windows could close that have not been seen.

        The page has the last one alone, and what is held up on its way comes all at once.
        """
        seen = self.windows[-1].number if self.windows else 0
        return (seen + 2) * self._size - 1

    def score(self, name: str) -> float:
        """Return the PSI of the feature *name* in the last window; KeyError if no window has closed or it has no such feature."""
        scores = {target["name"]: target["scores"] for target in self._last.get("targets", [])}
        return float(scores[name]["psi"])

    def _window(self, reading: dict[str, Any]) -> Window:
        number = self._number(reading["end"])
        confidence = reading["confidence"] or {}
        return Window(
            number=number,
            days=tuple(self._days[(number - 1) * self._size : number * self._size]),
            rows=reading["rows"],
            state=reading["state"],
            drifted=_drifted(reading["targets"]),
            mean_confidence=confidence.get("mean"),
            low_confidence=confidence.get("low"),
        )

    def _number(self, end: str) -> int:
        """
        Return which window it is, from 1: the one whose last flight was answered about when the window ended.

        Counted like this, a window that was missed does not shift the ones after it. `end` is cut to the second, hence the half.
        """
        moment = datetime.fromisoformat(end.replace("Z", "+00:00")).timestamp() + 0.5
        return max(1, round(self._player.answered_by(moment) / self._size))


def _drifted(targets: list[dict[str, Any]]) -> tuple[Drifted, ...]:
    found = [_one_drifted(target) for target in targets if target["state"] == "drifting"]
    return tuple(sorted(found, key=lambda drifted: -drifted.score))


def _one_drifted(target: dict[str, Any]) -> Drifted:
    score = target["scores"].get("psi", target["effect"])  # a correlation and a schema have no PSI
    return Drifted(_name(target), score, target["p_value"], _change(target))


def _name(target: dict[str, Any]) -> str:
    if "pair" in target:
        return f"correlation of {' and '.join(target['pair']['features'])}"
    name: str = target["name"] or target["target"]
    return name


def _change(target: dict[str, Any]) -> str:
    if "pair" in target:
        return f"{target['pair']['before']:.2f} to {target['pair']['after']:.2f}"
    driver = target["driver"]
    return f"{target[driver]:.0%} {driver}" if driver in {"missing", "unseen"} else ""

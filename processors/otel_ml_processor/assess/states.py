"""What a stream's columns were in its last window, and hence what has changed now."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Final, NamedTuple

from otel_ml_conventions.attributes import (
    MlDriftCalibrationModeValues,
    MlDriftMethodValues,
    MlDriftStateValues,
    MlDriftTargetValues,
)
from otel_ml_processor.assess.drift import MISSING, NON_FINITE, TYPE_ERROR, UNSEEN
from otel_ml_processor.assess.promise import is_broken
from otel_ml_processor.assess.reading import Change, DriftKind
from otel_ml_processor.columns import StreamKey

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from otel_ml_processor.assess.reading import Reading, TargetReading, WindowSpan

__all__ = ["DriftStates", "StateMemory", "describe"]

_NAMED: Final = 10
"""Targets that a description names; the rest are counted."""

_SHARES: Final = {
    MISSING: "missing",
    UNSEEN: "unseen",
    NON_FINITE: "not finite",
    TYPE_ERROR: "of a wrong type",
}
"""What a share is of, by the test that it drove, which has the name of the reading's field."""

_SURE: Final = 1e-16
"""Below it a p-value is only said to be below it."""


class StateMemory(NamedTuple):
    """What is remembered of one window of one stream, in words: the states of its targets are target, name and state."""

    stream: tuple[str, str, str, str]
    window: str
    last: str
    was_steady: bool
    targets: tuple[tuple[str, str, str], ...]


@dataclass(slots=True)
class _Memory:
    """What one window of one stream has been so far."""

    last: MlDriftStateValues
    states: dict[tuple[MlDriftTargetValues, str], MlDriftStateValues] = field(default_factory=dict)
    was_steady: bool = False


class DriftStates:
    """
    The last state of every target, per stream and window name.

    Grows with the streams that are observed and not forgotten, and with nothing else. Not thread-safe: one `tick` at a time.
    """

    __slots__ = ("_streams",)

    def __init__(self) -> None:
        self._streams: dict[StreamKey, dict[str, _Memory]] = {}

    def observe(self, reading: Reading) -> Change | None:
        """
        Return what has become `drifting` with *reading*, the largest effect first; None where nothing has.

        It is skew where no reading of this stream and window has been steady yet, else drift. Readings and targets that are
        insufficient, and readings without targets, say nothing and change nothing.
        """
        if not reading.targets:
            return None
        memory = self._streams.setdefault(reading.stream, {}).setdefault(
            reading.window.name, _Memory(reading.state)
        )
        memory.last = reading.state
        if reading.state is MlDriftStateValues.INSUFFICIENT:
            return None
        changed = [target for target in reading.targets if _began_to_drift(memory, target)]
        kind = DriftKind.DRIFT if memory.was_steady else DriftKind.SKEW
        memory.was_steady |= reading.state is MlDriftStateValues.STEADY
        if not changed:
            return None
        return Change(reading, kind, tuple(sorted(changed, key=_largest_first)))

    def last(self, stream: StreamKey, window: str) -> MlDriftStateValues | None:
        """Return the state of the last reading that had targets; None before the first."""
        memory = self._streams.get(stream, {}).get(window)
        return None if memory is None else memory.last

    def memories(self) -> list[StateMemory]:
        """Return all that is remembered, for `recall`."""
        return [
            StateMemory(
                (stream.service, stream.environment, stream.model, stream.version),
                window,
                memory.last.value,
                memory.was_steady,
                tuple((t.value, name, state.value) for (t, name), state in memory.states.items()),
            )
            for stream, windows in self._streams.items()
            for window, memory in windows.items()
        ]

    def recall(self, memories: Iterable[StateMemory]) -> None:
        """
        Remember what was remembered elsewhere or before, in place of what is remembered of the same windows.

        Raises:
            ValueError: If a word is no target or no state.
        """
        for said in memories:
            states = {
                (MlDriftTargetValues(target), name): MlDriftStateValues(state)
                for target, name, state in said.targets
            }
            memory = _Memory(MlDriftStateValues(said.last), states, said.was_steady)
            self._streams.setdefault(StreamKey(*said.stream), {})[said.window] = memory

    def forget(self, stream: StreamKey) -> None:
        """Drop all that is remembered of *stream*; of an unknown one there is nothing to drop."""
        self._streams.pop(stream, None)


def _began_to_drift(memory: _Memory, target: TargetReading) -> bool:
    """Whether *target* drifts and did not before; its state is remembered."""
    if target.state is MlDriftStateValues.INSUFFICIENT:
        return False
    key = (target.target, target.name)
    before = memory.states.get(key)
    memory.states[key] = target.state
    drifting = MlDriftStateValues.DRIFTING
    return target.state is drifting and before is not drifting


def _largest_first(target: TargetReading) -> tuple[float, float, str]:
    return (-target.effect, target.p_value, target.name)


def describe(change: Change) -> str:
    """
    Return *change* in plain words: what moved, how large, how sure, and what the alarm promises.

    Example:
        late-arrival 1 of flights: 2 inputs drifted in window rows (900 samples, 2013-04-01T05:00:00Z to 2013-04-03T11:20:00Z):
        temp (PSI 0.84, p < 1e-16), dewp (PSI 0.31, p = 2.1e-09). At most 1 % of windows without drift raise an alarm, provided
        that samples are independent (iid).
    """
    reading = change.reading
    return (
        f"{reading.stream}: {_subject(change.targets)} {_verb(change)} in window {reading.window.name} "
        f"({reading.rows} samples, {_time_range(reading.window)}): {_list(change.targets)}. "
        f"{_caveat(change)}{_promise(reading)}"
    )


def _subject(targets: Sequence[TargetReading]) -> str:
    inputs = sum(target.target is MlDriftTargetValues.FEATURE for target in targets)
    outputs = [
        f"the {t.target.value}" for t in targets if t.target is not MlDriftTargetValues.FEATURE
    ]
    counted = [f"{inputs} input{'s' if inputs > 1 else ''}"] if inputs else []
    return " and ".join(counted + outputs)


def _verb(change: Change) -> str:
    if change.kind is DriftKind.DRIFT:
        return "drifted"
    return f"differ{'' if len(change.targets) > 1 else 's'} from the reference"


def _caveat(change: Change) -> str:
    if change.kind is DriftKind.DRIFT:
        return ""
    return "No window has been steady yet, so this is skew between reference and serving rather than drift. "


def _list(targets: Sequence[TargetReading]) -> str:
    named = ", ".join(
        f"{t.name or t.target.value} ({_size(t)}, {_certainty(t)})" for t in targets[:_NAMED]
    )
    rest = len(targets) - _NAMED
    return f"{named}, and {rest} more" if rest > 0 else named


def _size(target: TargetReading) -> str:
    if target.driver in _SHARES:
        share: float = getattr(target, target.driver)
        return f"{_percent(share)} {_SHARES[target.driver]}"
    psi = target.scores.get(MlDriftMethodValues.PSI.value)
    return f"debiased PSI {target.effect:.2g}" if psi is None else f"PSI {psi:.2g}"


def _certainty(target: TargetReading) -> str:
    return f"p < {_SURE:g}" if target.p_value < _SURE else f"p = {target.p_value:.2g}"


def _promise(reading: Reading) -> str:
    iid = reading.mode is MlDriftCalibrationModeValues.IID
    condition = (
        ", provided that samples are independent (iid)" if iid else f" ({reading.mode.value})"
    )
    promised = (
        f"At most {_percent(reading.alpha)} of windows without drift raise an alarm{condition}."
    )
    if reading.measured is None or not is_broken(reading.measured, reading.alpha):
        return promised
    broken = f"{_percent(reading.measured)} of the reference's own windows do"
    return f"{promised} That does not hold here: {broken}."


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"


def _time_range(window: WindowSpan) -> str:
    start, end = (
        datetime.fromtimestamp(ns // 10**9, tz=timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
        for ns in (window.start_ns, window.end_ns)
    )
    return f"{start} to {end}"

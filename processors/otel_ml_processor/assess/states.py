"""What a stream's columns were in its last window, and hence what has changed now."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Final, NamedTuple

from otel_ml_conventions.attributes import (
    MlDriftCalibrationModeValues,
    MlDriftMethodValues,
    MlDriftStateValues,
    MlDriftTargetValues,
)
from otel_ml_processor.assess.confidence_fall import describe_fall
from otel_ml_processor.assess.data_quality import describe_schemas, with_schema
from otel_ml_processor.assess.drift import (
    MISSING,
    NON_FINITE,
    OUT_OF_DISTRIBUTION,
    TYPE_ERROR,
    UNSEEN,
)
from otel_ml_processor.assess.error_patterns import describe_pattern
from otel_ml_processor.assess.evidence import ColumnEvidence, GatheredEvidence, Observed
from otel_ml_processor.assess.promise import is_broken
from otel_ml_processor.assess.reading import Change, DriftKind
from otel_ml_processor.assess.recent_windows import RecentWindows
from otel_ml_processor.assess.sampling import BIASED
from otel_ml_processor.assess.segments import TARGET_OF, describe_gap
from otel_ml_processor.columns import StreamKey
from otel_ml_processor.config import DriftConfig
from otel_ml_processor.sketches.slots import N_EXCLUSIVE, N_SLOTS
from otel_ml_processor.statistics.adwin import Adwin

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from otel_ml_processor.assess.reading import Reading, TargetReading, WindowSpan
    from otel_ml_processor.assess.recent_windows import ChangeMoment
    from otel_ml_processor.windows.reference import Reference
    from otel_ml_processor.windows.streams import ClosedWindow

__all__ = ["DriftStates", "StateMemory", "describe"]

_PATTERNS: Final = 3
_NAMED: Final = 10
"""Targets that a description names; the rest are counted."""

_SHARES: Final = {
    MISSING: "missing",
    UNSEEN: "unseen",
    NON_FINITE: "not finite",
    TYPE_ERROR: "of a wrong type",
    OUT_OF_DISTRIBUTION: "out of distribution",
}
"""What a share is of, by the test that it drove, which has the name of the reading's field."""

_CALLED: Final = {
    MlDriftTargetValues.PERFORMANCE: "estimated performance",
    MlDriftTargetValues.MULTIVARIATE: "multivariate distribution of features",
    MlDriftTargetValues.CORRELATION: "correlation of features",
    MlDriftTargetValues.EXPLANATION: "attribution to features",
    MlDriftTargetValues.DATA_QUALITY: "schema of the inputs",
}
"""Targets whose name on the wire is no noun."""

_MEAN: Final = "mean"
"""What of the confidence has fallen below its part of the reference's; drift has no name beside its target."""
_SURE: Final = 1e-16
"""Below it a p-value is only said to be below it."""


class StateMemory(NamedTuple):
    """
    What is remembered of one window of one stream, in words: the states of its targets are target, name and state.

    `slow` are target and name of those whose slow drift has been told. What the windows before counted is not remembered: when
    something changed is told from the windows since.
    """

    stream: tuple[str, ...]
    window: str
    last: str
    was_steady: bool
    targets: tuple[tuple[str, str, str], ...]
    evidence: tuple[ColumnEvidence, ...] = ()
    slow: tuple[tuple[str, str], ...] = ()
    confidence: tuple[tuple[int, float, float], ...] = ()
    """As `Adwin.memory` gives it."""
    confidence_step: float = 0.0
    schemas: tuple[str, ...] = ()


_Key = tuple[MlDriftTargetValues, str]


@dataclass(slots=True)
class _Memory:
    """What one window of one stream has been so far."""

    evidence: GatheredEvidence
    last: MlDriftStateValues | None = None
    states: dict[_Key, MlDriftStateValues] = field(default_factory=dict)
    was_steady: bool = False
    slow: set[_Key] = field(default_factory=set)
    """Whose slow drift has been told and is not over."""
    recent: RecentWindows = field(default_factory=RecentWindows)
    places: dict[_Key, slice] = field(default_factory=dict)
    """Where in a window's counts the rows of a target lie."""
    confidence: Adwin = field(default_factory=Adwin)
    """The means of the windows since their mean last changed."""
    confidence_step: float = 0.0
    schemas: tuple[str, ...] = ()
    """Hashes of the schemas that the first window had."""
    drifted: dict[_Key, int] = field(default_factory=dict)
    """The last window in which a target was `drifting`, by its number in `recent`."""


def _promised_by_default(_stream: StreamKey) -> float:
    return DriftConfig().windows_between_alarms


class DriftStates:
    """
    The last state of every target, per stream and window name, and what gathers over windows.

    Grows with the streams that are observed and not forgotten, and with nothing else: per window name of a stream the counts of its
    last 36 windows. Not thread-safe: one `tick` at a time.
    """

    __slots__ = ("_streams", "_windows_between_alarms")

    def __init__(
        self, windows_between_alarms: Callable[[StreamKey], float] = _promised_by_default
    ) -> None:
        self._windows_between_alarms = windows_between_alarms
        self._streams: dict[StreamKey, dict[str, _Memory]] = {}

    def gather(self, window: ClosedWindow, reading: Reading) -> Reading:
        """
        Return *reading* of *window* with the evidence of slow drift, to which this window has been added.

        To be called once per window, before `observe`. A reading without targets, of a window that was not tested, stays as it is.
        """
        reading = self._with_schema(self._with_confidence(reading), window.reference)
        if not reading.targets or window.reference is None:
            return reading
        memory = self._memory(reading)
        counts = window.closed.summary
        memory.recent.add(reading.window, counts.counts)
        # The sums of pairs are no rows in places: when a correlation changed is not told.
        memory.places = dict(zip(map(_key, reading.targets), window.reference.places, strict=False))
        insufficient = MlDriftStateValues.INSUFFICIENT
        evidence = memory.evidence.add(
            [
                Observed(comparison, target.state is not insufficient, target.inflation)
                # Behind them come explanations, of which no evidence is gathered.
                for comparison, target in zip(counts.comparisons(), reading.targets, strict=False)
            ]
        )
        targets = (replace(t, evidence=evidence.get(_key(t))) for t in reading.targets)
        promised = self._windows_between_alarms(reading.stream)
        return replace(reading, targets=tuple(targets), windows_between_alarms=promised)

    def _with_confidence(self, reading: Reading) -> Reading:
        """Return *reading* with what ADWIN says of the mean confidence, to which that of this window has been added."""
        if reading.confidence is None or reading.state is MlDriftStateValues.INSUFFICIENT:
            return reading
        memory = self._memory(reading)
        memory.confidence_step = (
            memory.confidence.add(reading.confidence.mean) or memory.confidence_step
        )
        return replace(reading, confidence_step=memory.confidence_step)

    def _with_schema(self, reading: Reading, reference: Reference | None) -> Reading:
        """
        Return *reading* with what it says of the schemas of its rows.

        They are compared with those of the reference, or, where it knows none, with those of the first window that says any.
        """
        if reading.quality is None or not reading.quality.schemas:
            return reading
        memory = self._memory(reading)
        if reference is not None and reference.schemas:
            memory.schemas = reference.schemas
        elif not memory.schemas and reading.state is not MlDriftStateValues.INSUFFICIENT:
            memory.schemas = tuple(reading.quality.schemas)
            memory.was_steady |= not reading.reference_id  # what it is compared with it was itself
        was_told = (MlDriftTargetValues.DATA_QUALITY, "") in memory.states
        return with_schema(reading, memory.schemas, was_told=was_told)

    def observe(self, reading: Reading) -> Change | None:
        """
        Return what has become `drifting` with *reading*, the largest effect first, and where evidence is an alarm; None where nothing.

        It is skew where no reading of this stream and window has been steady yet, else drift. Readings and targets that are
        insufficient, and readings without targets, say nothing and change nothing. The slow drift of what is drifting is not told.
        """
        if not reading.targets:
            return None
        memory = self._memory(reading)
        if reading.reference_id:  # without one no inference is told that all is steady
            memory.last = reading.state
        if reading.state is MlDriftStateValues.INSUFFICIENT:
            return None
        changed = [target for target in reading.targets if _began_to_drift(memory, target)]
        slow = [t for t in reading.targets if _began_slowly(memory, t, reading)]
        segments = [
            (segment, gap)
            for segment in reading.segments
            for gap in segment.gaps
            if gap.is_compared
            and _is_new(memory, (TARGET_OF[gap.measure], str(segment.segment)), gap.state)
        ]
        segments.sort(key=lambda found: found[1].p_value)
        fall = reading.confidence_fall if _began_to_fall(memory, reading) else None
        kind = DriftKind.DRIFT if memory.was_steady else DriftKind.SKEW
        memory.was_steady |= reading.state is MlDriftStateValues.STEADY
        changed.sort(key=_largest_first)
        slow.sort(key=_most_evidence_first)
        moment = _moment(memory, [*changed, *slow])
        _note_drifting(memory, reading)
        if not (changed or slow or segments or fall):
            return None
        return Change(
            reading,
            kind,
            tuple(changed),
            tuple(slow),
            moment,
            segments=tuple(segments),
            fall=fall,
        )

    def _memory(self, reading: Reading) -> _Memory:
        windows = self._streams.setdefault(reading.stream, {})
        memory = windows.get(reading.window.name)
        if memory is None:
            memory = windows[reading.window.name] = self._new_memory(reading.stream)
        return memory

    def _new_memory(self, stream: StreamKey) -> _Memory:
        return _Memory(GatheredEvidence(self._windows_between_alarms(stream)))

    def last(self, stream: StreamKey, window: str) -> MlDriftStateValues | None:
        """Return the state of the last reading that had targets; None before the first."""
        memory = self._streams.get(stream, {}).get(window)
        return None if memory is None else memory.last

    def again(self, reading: Reading) -> Reading:
        """Return *reading*, of a window that has been gathered before, with the evidence as it is; nothing is added to it."""
        memory = self._streams.get(reading.stream, {}).get(reading.window.name)
        if memory is None:
            return reading
        if reading.confidence is not None:
            reading = replace(reading, confidence_step=memory.confidence_step)
        evidence = memory.evidence.last()
        targets = tuple(replace(t, evidence=evidence.get(_key(t))) for t in reading.targets)
        promised = self._windows_between_alarms(reading.stream) if targets else 0.0
        return replace(reading, targets=targets, windows_between_alarms=promised)

    def memories(self) -> list[StateMemory]:
        """Return all that is remembered, for `recall`."""
        return [
            StateMemory(
                stream.texts,
                window,
                memory.last.value if memory.last else "",
                memory.was_steady,
                tuple((t.value, name, state.value) for (t, name), state in memory.states.items()),
                memory.evidence.memory(),
                tuple((target.value, name) for target, name in sorted(memory.slow)),
                memory.confidence.memory(),
                memory.confidence_step,
                memory.schemas,
            )
            for stream, windows in self._streams.items()
            for window, memory in windows.items()
            if memory.last is not None or memory.schemas
        ]

    def recall(self, memories: Iterable[StateMemory]) -> None:
        """
        Remember what was remembered elsewhere or before, in place of what is remembered of the same windows.

        Raises:
            ValueError: If a word is no target or no state, or a number of the evidence is none.
        """
        for said in memories:
            memory = self._new_memory(StreamKey(*said.stream))
            memory.last = MlDriftStateValues(said.last) if said.last else None
            memory.was_steady, memory.schemas = said.was_steady, said.schemas
            memory.states = {
                (MlDriftTargetValues(target), name): MlDriftStateValues(state)
                for target, name, state in said.targets
            }
            memory.evidence.recall(said.evidence)
            memory.confidence.recall(said.confidence)
            memory.confidence_step = said.confidence_step
            memory.slow = {(MlDriftTargetValues(target), name) for target, name in said.slow}
            self._streams.setdefault(StreamKey(*said.stream), {})[said.window] = memory

    def forget(self, stream: StreamKey) -> None:
        """Drop all that is remembered of *stream*; of an unknown one there is nothing to drop."""
        self._streams.pop(stream, None)


def _key(target: TargetReading) -> _Key:
    return target.target, target.name


def _began_to_drift(memory: _Memory, target: TargetReading) -> bool:
    """Whether *target* drifts and did not before; its state is remembered."""
    if target.state is MlDriftStateValues.INSUFFICIENT:
        return False
    return _is_new(memory, _key(target), target.state)


def _is_new(memory: _Memory, key: _Key, state: MlDriftStateValues) -> bool:
    """Whether what has *key* drifts and did not before; its *state* is remembered."""
    before = memory.states.get(key)
    memory.states[key] = state
    return state is MlDriftStateValues.DRIFTING and before is not MlDriftStateValues.DRIFTING


def _began_to_fall(memory: _Memory, reading: Reading) -> bool:
    """Whether the mean confidence is below its part of the reference's and was not before; that is remembered."""
    key = (MlDriftTargetValues.CONFIDENCE, _MEAN)
    if reading.confidence_fall is None:
        memory.states.pop(key, None)
        return False
    return _is_new(memory, key, MlDriftStateValues.DRIFTING)


def _began_slowly(memory: _Memory, target: TargetReading, reading: Reading) -> bool:
    """Whether the evidence of *target* is an alarm and was none since it was last gone; of what drifts anyway nothing new is said."""
    key, evidence = _key(target), target.evidence
    if evidence is None:
        return False
    if evidence.log <= 0:
        memory.slow.discard(key)
    if key in memory.slow or evidence.log < math.log(reading.windows_between_alarms):
        return False
    memory.slow.add(key)
    return target.state is not MlDriftStateValues.DRIFTING


def _moment(memory: _Memory, changed: Sequence[TargetReading]) -> ChangeMoment | None:
    """Return when the first of *changed* did, as the windows since it last drifted tell."""
    key = _key(changed[0]) if changed else None
    place = memory.places.get(key) if key else None
    if key is None or place is None:
        return None
    rows = slice(place.start, place.stop + N_EXCLUSIVE - N_SLOTS)  # each row in one cell or slot
    return memory.recent.changed(rows, after=memory.drifted.get(key, 0))


def _note_drifting(memory: _Memory, reading: Reading) -> None:
    for target in reading.targets:
        if target.state is MlDriftStateValues.DRIFTING:
            memory.drifted[_key(target)] = memory.recent.added


def _most_evidence_first(target: TargetReading) -> float:
    return -target.evidence.log if target.evidence else 0.0


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
    where = (
        f"in window {reading.window.name} ({reading.rows} samples, {_time_range(reading.window)})"
    )
    said = [f"{reading.stream}:"]
    if change.targets:
        moved = _joined(change.targets, lambda target: _told(target, reading))
        said.append(f"{_subject(change.targets)} {_verb(change)} {where}: {moved}.")
    if change.slow:
        said.append(_slow_drift(change, "besides" if change.targets else where))
    if change.segments:
        shown = "; ".join(describe_gap(*found) for found in change.segments[:_NAMED])
        rest = len(change.segments) - _NAMED
        more = f"; and {rest} more" if rest > 0 else ""
        told = "besides" if change.targets or change.slow else where
        said.append(f"Segments differ from the rest otherwise than they did {told}: {shown}{more}.")
    if change.fall is not None:
        said.append(f"The {describe_fall(change.fall)}{'' if len(said) > 1 else f' {where}'}.")
    if change.moment is not None:
        said.append(_since_when(change.moment))
    if reading.patterns:
        worst = "; ".join(map(describe_pattern, reading.patterns[:_PATTERNS]))
        said.append(f"Where it fails: {worst}.")
    if _is_by_chance(change):
        said.append(f"{_caveat(change)}{_promise(reading)}")
    if change.slow:
        said.append(_promise_of_evidence(reading))
    if reading.is_biased:
        said.append(BIASED)
    return " ".join(said)


def _is_by_chance(change: Change) -> bool:
    """Whether some of *change* may be an alarm without drift: a schema changes by no chance."""
    quality = MlDriftTargetValues.DATA_QUALITY
    return bool(change.segments) or any(t.target is not quality for t in change.targets)


def _slow_drift(change: Change, where: str) -> str:
    verb = "drift" if len(change.slow) > 1 else "drifts"
    return f"{_subject(change.slow)} {verb} slowly {where}: {_joined(change.slow, _direction)}."


def _direction(target: TargetReading) -> str:
    if target.evidence is None:
        return ""
    direction = "rising" if target.evidence.rises else "falling"
    return f"{direction}, evidence e^{target.evidence.log:.1f}"


def _since_when(moment: ChangeMoment) -> str:
    return (
        f"That most likely began at {_time(moment.at_ns)}, between {_time(moment.earliest_ns)} and "
        f"{_time(moment.latest_ns)} (90 %)."
    )


def _promise_of_evidence(reading: Reading) -> str:
    return (
        "No single window need show it; without drift so much evidence gathers at most once in "
        f"{reading.windows_between_alarms:g} windows, provided that windows are independent.{_broken_run(reading)}"
    )


def _broken_run(reading: Reading) -> str:
    found = reading.run_length
    if found is None or not found.breaks(reading.windows_between_alarms):
        return ""
    return (
        f" That does not hold here: on {found.windows} windows of the reference {found.alarms} did."
    )


def _subject(targets: Sequence[TargetReading]) -> str:
    inputs = sum(target.target is MlDriftTargetValues.FEATURE for target in targets)
    outputs = dict.fromkeys(
        f"the {_CALLED.get(t.target, t.target.value)}"
        for t in targets
        if t.target is not MlDriftTargetValues.FEATURE
    )
    counted = [f"{inputs} input{'s' if inputs > 1 else ''}"] if inputs else []
    return " and ".join([*counted, *outputs])


def _verb(change: Change) -> str:
    if change.kind is DriftKind.DRIFT:
        return "drifted"
    return f"differ{'' if len(change.targets) > 1 else 's'} from the reference"


def _caveat(change: Change) -> str:
    if change.kind is DriftKind.DRIFT:
        return ""
    return "No window has been steady yet, so this is skew between reference and serving rather than drift. "


def _told(target: TargetReading, reading: Reading) -> str:
    if target.target is MlDriftTargetValues.DATA_QUALITY:
        return describe_schemas(reading, target.effect)
    return f"{_size(target)}, {_certainty(target)}"


def _joined(targets: Sequence[TargetReading], told: Callable[[TargetReading], str]) -> str:
    """Return the first of *targets*, each with what is *told* of it, and how many more there are."""
    named = ", ".join(f"{_named(t)} ({told(t)})" for t in targets[:_NAMED])
    rest = len(targets) - _NAMED
    return f"{named}, and {rest} more" if rest > 0 else named


def _named(target: TargetReading) -> str:
    if target.target is MlDriftTargetValues.EXPLANATION:
        return f"attribution to {target.name}"
    if target.target is MlDriftTargetValues.DATA_QUALITY:
        return target.driver
    return target.name or target.target.value


def _size(target: TargetReading) -> str:
    if target.pair is not None:
        pair = target.pair
        return f"{pair.first} and {pair.second} from {pair.before:.2f} to {pair.after:.2f}"
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
    return f"{_time(window.start_ns)} to {_time(window.end_ns)}"


def _time(time_ns: int) -> str:
    return datetime.fromtimestamp(time_ns // 10**9, tz=timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")

"""
Labels joined to the predictions that they are of.

Requests leave what they have in an inbox; as time passes (`settle`) predictions are kept, feedback is read and looked up, and what it says
is counted in the windows of its prediction, not in those of its own time.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from dataclasses import dataclass, field, replace
from itertools import accumulate
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

import numpy as np

from otel_ml_conventions.attributes import MlFeedbackOutcomeValues, MlFeedbackSourceValues
from otel_ml_processor.assess.labels import assess_labels
from otel_ml_processor.assess.performance import (
    PerformanceReading,
    proxy_scores,
    ranking_scores,
)
from otel_ml_processor.assess.promise import alphas
from otel_ml_processor.assess.reading import WindowSpan
from otel_ml_processor.columns import StreamKey, TextColumn
from otel_ml_processor.decode.whose import Whose
from otel_ml_processor.feedback.cohorts import NO_COHORT, Cohorts
from otel_ml_processor.feedback.delays import Delays
from otel_ml_processor.feedback.inbox import Inbox
from otel_ml_processor.feedback.keys import NO_KEY, sample_key
from otel_ml_processor.feedback.lists import ShownList, ShownLists, count_item, lists_of
from otel_ml_processor.feedback.memory import JoinedMemory, JoiningMemory, LabelledMemory
from otel_ml_processor.feedback.places import NO_SERIAL, KeptPlaces
from otel_ml_processor.feedback.predictions import names_of
from otel_ml_processor.feedback.reading import feedback_in_logs, feedback_in_traces
from otel_ml_processor.feedback.ring import JoinRing, empty_predictions
from otel_ml_processor.feedback.segment_numbers import NO_SEGMENT, SegmentNumbers
from otel_ml_processor.signals import Signal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from otel_ml_processor.assess.error_patterns import ErrorPatterns
    from otel_ml_processor.assess.reading import Reading
    from otel_ml_processor.config import Config
    from otel_ml_processor.feedback.cohorts import Cohort
    from otel_ml_processor.feedback.inbox import CountedRows, Heard
    from otel_ml_processor.feedback.reading import Feedback
    from otel_ml_processor.feedback.ring import Prediction, Records
    from otel_ml_processor.sketches.outcomes import Outcomes
    from otel_ml_processor.windows.reference import Reference

__all__ = ["DROPPED_FEEDBACK", "FeedbackTotals", "Joined", "Joining", "Tell"]

DROPPED_FEEDBACK: Final = "feedback"
"""Cause under which `ml.processor.overflow` counts rows and requests for which the inbox had no room."""
_TRUTH: Final = 1
_OPINION: Final = 2
"""Flags of a prediction: its truth is known; somebody rated it or acted on it."""
_MAX_LABELS: Final = 4096
"""Different predicted classes of all streams together; a further one is not known by its name."""
_MAX_WAITING: Final = 100_000
_SEAL_TRIES: Final = 3


class Joined(NamedTuple):
    """How feedback is counted; None for what was not said, or cannot be right or wrong."""

    outcome: MlFeedbackOutcomeValues
    correct: bool | None
    source: MlFeedbackSourceValues | None


class FeedbackTotals(NamedTuple):
    """
    What feedback a stream has had since the processor began.

    `delays` counts by the boundaries of `ml.feedback.delay`, `delay_s` is their sum; since when, in nanoseconds since 1970, is None where that
    is since the processor began, and `since_ns` where it goes on from what one before it has counted. `stream` is None for all that names a stream beyond
    the cap.
    """

    stream: StreamKey | None
    joined: Mapping[Joined, int]
    delays: tuple[int, ...]
    delay_s: float
    since_ns: int | None = None


class Tell(Protocol):
    """Whoever is told what feedback says."""

    def feedback(self, totals: FeedbackTotals) -> None:
        """Publish how much feedback a stream has had."""

    def performance(self, reading: PerformanceReading) -> None:
        """Publish how good the predictions of a window were."""


class _Part(NamedTuple):
    """Rows that were counted, and the number of their stream."""

    stream: int
    rows: CountedRows


class _Found(NamedTuple):
    """A prediction with its truth; `right` is None where only numbers were compared."""

    prediction: Prediction
    feedback: Feedback
    right: bool | None


class _Told(NamedTuple):
    """Feedback that came on a prediction of *stream*."""

    stream: _Stream
    predicted_ns: int
    feedback: Feedback
    arrived_ns: int

    @property
    def time_ns(self) -> int:
        """When it was given: not later than it arrived."""
        return min(self.feedback.time_ns or self.arrived_ns, self.arrived_ns)


class _Seal(NamedTuple):
    window: str
    start_ns: int
    end_ns: int
    estimated: Mapping[str, float]
    tries: int


@dataclass(slots=True)
class _Stream:
    key: StreamKey
    reference: Reference | None
    cohorts: dict[str, Cohorts]
    segments: SegmentNumbers
    newest_ns: int = 0
    has_labels: bool = False
    is_changed: bool = False
    delays: Delays = field(default_factory=Delays)
    seals: list[_Seal] = field(default_factory=list)


class Joining:
    """
    Joins the feedback of one processor; `inbox` is safe to use from any thread, all else is for the thread that ticks.

    *dropped* is told how much the inbox had no room for.
    """

    def __init__(
        self,
        config: Config,
        reference_of: Callable[[StreamKey], Reference | None],
        tell: Tell,
        dropped: Callable[[int], None],
    ) -> None:
        self._config = config
        self._reference_of = reference_of
        self._tell = tell
        self._dropped = dropped
        room = config.feedback
        names = config.segments.attributes
        self.inbox = Inbox(room.max, names)
        self._ring = JoinRing(room.max, len(config.windows), round(room.horizon * 1e9), len(names))
        self._lists = ShownLists()
        self._places = KeptPlaces()
        self.patterns: ErrorPatterns | None = None
        """Who is told where the model was wrong."""
        self._streams: list[_Stream] = []
        self._number_of: dict[StreamKey, int] = {}
        self._labels: dict[str, int] = {}
        self._label_texts: list[str] = []
        self._waiting: list[tuple[int, Feedback]] = []
        self._joined: defaultdict[StreamKey | None, Counter[Joined]] = defaultdict(Counter)
        self._since_ns: int | None = None

    def streams_of(self, keys: set[int]) -> dict[int, StreamKey]:
        """Return whose prediction each of *keys* leads to; one that leads nowhere is left out."""
        rows = self._ring.rows_of(keys)
        numbers = {key: self._ring.prediction(row).stream for key, row in rows.items()}
        return {key: self._streams[number].key for key, number in numbers.items()}

    def seal(self, reading: Reading) -> None:
        """Note that a window has closed, with what was expected of it; one that was carried into the next is noted with that."""
        number = self._number(reading.stream)
        if number is not None:
            span = reading.window
            seal = _Seal(span.name, span.start_ns, span.end_ns, reading.estimated, 0)
            self._streams[number].seals.append(seal)

    def settle(self, now_ns: int, *, is_last: bool = False) -> None:
        """
        Keep new predictions, join what feedback has come, and tell what that changed.

        Feedback that finds nothing is tried again for `feedback.early`, for labels may overtake predictions; not where this *is_last*.
        """
        rows, heard, dropped = self.inbox.taken()
        self._dropped(dropped)
        self._keep(rows)
        for stream in self._streams:
            self._seal(stream)
        attribute = self._config.tenant_attribute
        arrived = [(now_ns, one) for item in heard for one in _read(item, attribute)]
        waiting, self._waiting = self._waiting + arrived, []
        self._bring([feedback for _, feedback in waiting if feedback.carried is not None])
        self._count(list(self._matched(waiting, now_ns, is_last=is_last)))
        self._tell_all()

    def memory(self, max_predictions: int, now_ns: int) -> JoiningMemory:
        """Return what must survive a restart, for `recall`: at most *max_predictions* >= 1 that wait for labels, and what labels have said."""
        halvings, kept = self._ring.copied(max_predictions)
        kept["serial"] = NO_SERIAL  # where their features were counted is not remembered
        return JoiningMemory(
            windows=tuple(window.name for window in self._config.windows),
            segments=self._config.segments.attributes,
            halvings=halvings,
            predictions=kept.tobytes(),
            labels=tuple(self._label_texts),
            streams=tuple(map(_labelled, self._streams)),
            joined=tuple(
                JoinedMemory(
                    None if key is None else key.texts,
                    joined.outcome.value,
                    joined.correct,
                    None if joined.source is None else joined.source.value,
                    count,
                )
                for key, counts in self._joined.items()
                for joined, count in counts.items()
            ),
            since_ns=self._since_ns or now_ns,
        )

    def recall(self, memory: JoiningMemory, *, counts_go_on: bool) -> None:
        """
        Go on from what was held before, before anything is joined; where not *counts_go_on*, what is counted of feedback begins anew.

        Raises:
            ValueError: If windows, segments, or a stream's reference are others; some of it may have been taken over then.
        """
        names = [window.name for window in self._config.windows]
        attributes = self._config.segments.attributes
        if [*memory.windows] != names or memory.segments != attributes:
            raise ValueError("predictions that wait for labels: windows or segments are others now")
        streams = [self._recalled(said) for said in memory.streams]
        kept = np.frombuffer(
            memory.predictions, empty_predictions(0, len(names), len(attributes)).dtype
        )
        self._label_texts = [*memory.labels]
        self._labels = {text: number for number, text in enumerate(memory.labels)}
        self._streams = streams
        self._number_of = {stream.key: number for number, stream in enumerate(streams)}
        self._ring.recall(memory.halvings, kept)
        if counts_go_on:
            self._since_ns = memory.since_ns
            for said in memory.joined:
                source = None if said.source is None else MlFeedbackSourceValues(said.source)
                joined = Joined(MlFeedbackOutcomeValues(said.outcome), said.correct, source)
                key = None if said.stream is None else StreamKey(*said.stream)
                self._joined[key][joined] = said.times
        else:
            for stream in streams:
                stream.delays = Delays()

    def _recalled(self, said: LabelledMemory) -> _Stream:
        key = StreamKey(*said.stream)
        # Of predictions that were compared with nothing labels say the same, whatever has been learned since.
        reference = self._reference_of(key) if said.reference else None
        if said.reference != (reference.id if reference else ""):
            raise ValueError(f"{key}: its predictions were compared with another profile")
        stream = self._new_stream(key, reference)
        stream.newest_ns, stream.has_labels = said.newest_ns, said.has_labels
        stream.is_changed = said.has_labels  # what labels said is told again
        stream.delays.recall(said.delays, said.delay_s)
        stream.segments.recall(said.segments)
        for name, cohorts in stream.cohorts.items():
            cohorts.recall(said.cohorts[name])
        return stream

    def _keep(self, counted: Sequence[CountedRows]) -> None:
        """Keep the predictions of all parts at once: most of what it takes does not depend on how many parts there are, nor on how many streams."""
        numbers = [self._number(rows.stream) for rows in counted]
        parts = [
            _Part(number, rows)
            for number, rows in zip(numbers, counted, strict=True)
            if number is not None
        ]
        if not parts:
            return
        lengths = [len(part.rows.spans) for part in parts]
        times_ns = np.concatenate([part.rows.end_times_ns for part in parts])
        keys, names = names_of([part.rows for part in parts])
        self._ring.add(
            {
                "key": keys,
                "name": names,
                "time_ns": times_ns,
                "confidence": np.concatenate([part.rows.confidences for part in parts]),
                "value": np.concatenate([part.rows.values for part in parts]),
                "label": self._label_numbers([part.rows.labels for part in parts]),
                "stream": np.repeat([part.stream for part in parts], lengths),
                **self._placed(parts, lengths),
                "flags": np.zeros(len(keys), dtype=np.uint8),
            }
        )
        newest_ns = np.maximum.reduceat(times_ns, [0, *accumulate(lengths[:-1])]).tolist()
        for part, newest in zip(parts, newest_ns, strict=True):
            stream = self._streams[part.stream]
            stream.newest_ns = max(stream.newest_ns, newest)
            stream.is_changed = True

    def _placed(self, parts: Sequence[_Part], lengths: Sequence[int]) -> dict[str, NDArray[Any]]:
        """Count rows into their windows, and return what predictions remember of that; keep the lists among them."""
        n_rows, names = sum(lengths), self._config.segments.attributes
        windows = np.full((n_rows, len(self._config.windows)), NO_COHORT, dtype=np.int32)
        segments = np.full((n_rows, len(names)), NO_SEGMENT, dtype=np.int16)
        serials = np.full(n_rows, NO_SERIAL, dtype=np.int64)
        end = 0
        for (number, rows), length in zip(parts, lengths, strict=True):
            begin, end = end, end + length
            stream = self._streams[number]
            for column, (window, cohorts) in enumerate(stream.cohorts.items()):
                cohorts.place(rows.steps.get(window, ()), windows[begin:end, column])
            if names:
                segments[begin:end] = stream.segments.numbers(rows.segments, length)
            if rows.places is not None and len(rows.places):
                serials[begin:end] = self._places.add(rows.places)
            if rows.content is not None:
                self._keep_lists(number, rows, windows[begin:end])
        return {"windows": windows, "segments": segments, "serial": serials}

    def _keep_lists(self, stream: int, rows: CountedRows, windows: NDArray[np.int32]) -> None:
        for seen in lists_of(rows):
            of_list = tuple(windows[seen.row].tolist())
            shown = ShownList(stream, of_list, int(rows.end_times_ns[seen.row]), seen.places)
            if self._lists.add(seen, shown):
                for cohort in self._cohorts(stream, of_list):
                    cohort.lists += 1

    def _bring(self, repeated: Sequence[Feedback]) -> None:
        """Keep the predictions that feedback itself repeats, of windows that labels are still counted for, where they are not kept already."""
        ways = [tuple(_ways(feedback)) for feedback in repeated]
        known = self._ring.rows_of({way for each in ways for way in each})
        missing = [f for f, each in zip(repeated, ways, strict=True) if not known.keys() & {*each}]
        brought = [found for f in missing if (found := self._brought(f)) is not None]
        if brought:
            self._ring.add(np.concatenate(brought))

    def _brought(self, feedback: Feedback) -> Records | None:
        number, carried = self._number_of.get(feedback.stream), feedback.carried
        if number is None or carried is None or not feedback.keys:
            return None
        stream = self._streams[number]
        windows = [cohorts.at(carried.time_ns) for cohorts in stream.cohorts.values()]
        if max(windows) == NO_COHORT:
            return None
        brought = empty_predictions(1, len(windows), len(stream.segments.names))
        brought["key"], brought["name"] = next(_ways(feedback)), NO_KEY
        brought["time_ns"], brought["confidence"] = carried.time_ns, carried.confidence
        label = TextColumn(np.zeros(1, dtype=np.int64), (carried.label,))
        brought["label"], brought["value"] = self._label_numbers([label]), math.nan
        brought["windows"], brought["segments"] = windows, NO_SEGMENT
        brought["stream"], brought["serial"] = number, NO_SERIAL
        return brought

    def _number(self, key: StreamKey) -> int | None:
        """Return the number of a stream, a new one where it has none yet; None where there is no room for it."""
        number = self._number_of.get(key)
        if number is not None:
            return number
        if sum(s.key.tenant == key.tenant for s in self._streams) >= self._config.streams.max:
            return None
        self._streams.append(self._new_stream(key, self._reference_of(key)))
        self._number_of[key] = len(self._streams) - 1
        return self._number_of[key]

    def _new_stream(self, key: StreamKey, reference: Reference | None) -> _Stream:
        scores = reference.scores if reference is not None else None
        n_bins = scores.n_bins if scores is not None and scores.positive is not None else 0
        cohorts = {
            w.name: Cohorts(n_bins, of_rows=w.rows is not None)
            for w in self._config.of_model(key.model, key.version).windows
        }
        rules = self._config.segments
        segments = SegmentNumbers(rules.attributes, rules.max_values, reference)
        return _Stream(key, reference, cohorts, segments)

    def _label_numbers(self, parts: Sequence[TextColumn]) -> NDArray[np.int32]:
        """Return the number of each label of all *parts*, one at least; -1 of none, or where there is no room for it."""
        numbers: list[int] = []
        first = []
        for labels in parts:
            numbers.append(-1)  # where the code of no label leads, one before the first
            first.append(len(numbers))
            numbers += [self._label_number(label) for label in labels.dictionary]
        of_parts = np.repeat(first, [len(labels.codes) for labels in parts])
        codes = np.concatenate([labels.codes for labels in parts])
        found: NDArray[np.int32] = np.array(numbers, dtype=np.int32)[of_parts + codes]
        return found

    def _label_number(self, label: str) -> int:
        number = self._labels.get(label, -1)
        if number < 0 and len(self._labels) < _MAX_LABELS:
            number = self._labels[label] = len(self._labels)
            self._label_texts.append(label)
        return number

    def _seal(self, stream: _Stream) -> None:
        seals, stream.seals = stream.seals, []
        for seal in seals:
            is_found = stream.cohorts[seal.window].seal(seal.start_ns, seal.end_ns, seal.estimated)
            stream.is_changed = True
            # A window may have closed between counting a request and leaving its rows here; then they come with the next tick.
            if not is_found and seal.tries < _SEAL_TRIES:
                stream.seals.append(seal._replace(tries=seal.tries + 1))

    def _matched(
        self, waiting: Sequence[tuple[int, Feedback]], now_ns: int, *, is_last: bool
    ) -> Iterator[_Found]:
        """Yield what was found with its truth, and count what came of all others but those that wait on."""
        patience_ns = 0 if is_last else round(self._config.feedback.early * 1e9)
        ways = [tuple(_ways(feedback)) for _, feedback in waiting]
        row_of = self._ring.rows_of({way for each in ways for way in each})
        for (arrived_ns, feedback), each in zip(waiting, ways, strict=True):
            shown = self._lists.find(feedback)
            if shown is not None and self._can_be_of(feedback, shown.stream):
                self._judge(shown, feedback, arrived_ns)
                continue
            prediction = self._find(feedback, [row_of[way] for way in each if way in row_of])
            if prediction is not None:
                found = self._outcome(feedback, prediction, arrived_ns)
                if found is not None:
                    yield found
            elif now_ns - arrived_ns < patience_ns and len(self._waiting) < _MAX_WAITING:
                self._waiting.append((arrived_ns, feedback))
            else:
                self._count_lost(feedback)

    def _find(self, feedback: Feedback, rows: Sequence[int]) -> Prediction | None:
        """Return the first prediction at *rows* of the ring that *feedback* can be of."""
        predictions = map(self._ring.prediction, rows)
        return next((p for p in predictions if self._can_be_of(feedback, p.stream)), None)

    def _can_be_of(self, feedback: Feedback, stream: int) -> bool:
        """Return whether that stream is of the feedback's tenant, and its model that which the feedback names, if it does."""
        key = self._streams[stream].key
        said = feedback.stream
        if said.tenant != key.tenant:
            return False
        return said.model in {"", key.model} and said.version in {"", key.version}

    def _outcome(
        self, feedback: Feedback, prediction: Prediction, arrived_ns: int
    ) -> _Found | None:
        """Count *feedback*; return it where it tells the truth of a prediction for the first time."""
        told = _Told(self._streams[prediction.stream], prediction.time_ns, feedback, arrived_ns)
        right = self._is_right(feedback, prediction)
        flag = _TRUTH if feedback.is_truth else _OPINION
        is_new = not self._is_late(told) and not self._ring.mark(prediction, flag)
        self._note(told, right, is_new=is_new)
        if is_new and feedback.source is MlFeedbackSourceValues.IMPLICIT:
            is_accepted = feedback.gain > 0 if right is None else right
            for cohort in self._cohorts(prediction.stream, prediction.windows):
                cohort.reactions.add(
                    is_accepted=is_accepted, is_first=True, weight=self._ring.weight
                )
        return _Found(prediction, feedback, right) if is_new and flag == _TRUTH else None

    def _judge(self, shown: ShownList, feedback: Feedback, arrived_ns: int) -> None:
        """Count *feedback* on an item of a list."""
        told = _Told(self._streams[shown.stream], shown.time_ns, feedback, arrived_ns)
        known, position = shown.known(feedback), feedback.position or 0
        is_new = not self._is_late(told) and position not in known
        self._note(told, feedback.correct, is_new=is_new)
        if not is_new:
            return
        before = shown.relevance(known) if known else None
        known[position] = feedback.gain
        for cohort in self._cohorts(shown.stream, shown.windows):
            count_item(cohort, shown, feedback, before=before)

    def _is_late(self, told: _Told) -> bool:
        # What brings its prediction along is of one whose window is still counted.
        return told.feedback.carried is None and self._ring.is_expired(
            told.predicted_ns, told.time_ns
        )

    def _note(self, told: _Told, right: bool | None, *, is_new: bool) -> None:
        """Note that feedback came, and what came of it."""
        outcome = MlFeedbackOutcomeValues.JOINED
        if not is_new:
            is_late = self._is_late(told)
            outcome = MlFeedbackOutcomeValues.LATE if is_late else MlFeedbackOutcomeValues.DUPLICATE
        stream = told.stream
        self._joined[stream.key][Joined(outcome, right, told.feedback.source)] += 1
        stream.is_changed = True
        if is_new:
            stream.newest_ns = max(stream.newest_ns, told.time_ns)
            stream.delays.add(max(0.0, (told.time_ns - told.predicted_ns) / 1e9))
            stream.has_labels = True

    def _cohorts(self, stream: int, windows: Sequence[int]) -> Iterator[Cohort]:
        """Yield the cohorts that are still kept of a prediction, one per window."""
        of_windows = self._streams[stream].cohorts.values()
        for cohorts, number in zip(of_windows, windows, strict=False):
            cohort = cohorts.get(number)
            if cohort is not None:
                yield cohort

    def _is_right(self, feedback: Feedback, prediction: Prediction) -> bool | None:
        if feedback.label is not None and prediction.label >= 0:
            return feedback.label == self._label_texts[prediction.label]
        return feedback.correct

    def _count_lost(self, feedback: Feedback) -> None:
        is_left_out = bool(feedback.keys) and not self._ring.keeps(feedback.keys[0])
        # What a full ring did not keep was there, although nobody can look it up.
        outcome = MlFeedbackOutcomeValues.LATE if is_left_out else MlFeedbackOutcomeValues.UNMATCHED
        key = feedback.stream if self._has_room_for(feedback.stream) else None
        self._joined[key][Joined(outcome, None, feedback.source)] += 1

    def _has_room_for(self, key: StreamKey) -> bool:
        # As many again as there may be streams: what names them may be anybody.
        return key in self._joined or len(self._joined) < 2 * self._config.max_streams

    def _count(self, found: Sequence[_Found]) -> None:
        """Count *found* in the cohorts of the predictions, and where those were wrong."""
        self._count_places(found)
        by_cohort: defaultdict[tuple[int, int, int], list[_Found]] = defaultdict(list)
        for one in found:
            for position, number in enumerate(one.prediction.windows):
                by_cohort[one.prediction.stream, position, number].append(one)
        for (number, position, cohort_number), members in by_cohort.items():
            stream = self._streams[number]
            cohort = [*stream.cohorts.values()][position].get(cohort_number)
            if cohort is not None:
                self._add(cohort, members, stream.reference)

    def _count_places(self, found: Sequence[_Found]) -> None:
        by_stream: defaultdict[int, list[tuple[NDArray[np.int32], bool]]] = defaultdict(list)
        for one in found:
            places = self._places.taken(one.prediction.serial)
            if places is not None and one.right is not None:
                by_stream[one.prediction.stream].append((places, not one.right))
        for number, told in by_stream.items():
            stream = self._streams[number]
            if self.patterns is not None and stream.reference is not None:
                places = np.array([places for places, _ in told], dtype=np.int64).T
                is_wrong = np.array([wrong for _, wrong in told], dtype=bool)
                self.patterns.add_wrong(stream.key, stream.reference, places, is_wrong)

    def _add(self, cohort: Cohort, found: Sequence[_Found], reference: Reference | None) -> None:
        cohort.labelled += self._ring.weight * len(found)
        self._add_to(cohort.outcomes, found, reference)
        by_segment: defaultdict[tuple[int, int], list[_Found]] = defaultdict(list)
        for one in found:
            for position, number in enumerate(one.prediction.segments):
                by_segment[position, number].append(one)
        for segment, members in by_segment.items():
            if segment[1] >= 0:
                self._add_to(cohort.outcomes_of(segment), members, reference)

    def _add_to(
        self, outcomes: Outcomes, found: Sequence[_Found], reference: Reference | None
    ) -> None:
        weight = self._ring.weight
        numbers = [f for f in found if math.isfinite(f.feedback.value)]
        outcomes.add_numbers(
            np.array([f.prediction.value for f in numbers]),
            np.array([f.feedback.value for f in numbers]),
            weight,
        )
        judged = [f for f in found if f.right is not None]
        right = np.array([f.right for f in judged], dtype=bool)
        confidences = np.array([f.prediction.confidence for f in judged])
        outcomes.add_right(right, confidences, weight)
        named = [f for f in judged if f.feedback.label is not None and f.prediction.label >= 0]
        said = [self._label_texts[f.prediction.label] for f in named]
        outcomes.add_pairs([f.feedback.label or "" for f in named], said, weight)
        labels = TextColumn(
            np.array([f.prediction.label for f in judged], dtype=np.int64), tuple(self._label_texts)
        )
        scores = reference.scores if reference is not None else None
        if scores is not None and scores.positive is not None:
            is_said = scores.is_said_positive(labels)
            bins = scores.bins(is_said, confidences)
            known = (labels.codes >= 0) & (bins >= 0)
            # Of two classes, who is wrong about one is right about the other.
            outcomes.add_cells(is_said[known], (is_said == right)[known], bins[known], weight)

    def _tell_all(self) -> None:
        for stream in self._streams:
            if stream.is_changed and stream.has_labels:
                for name, cohorts in stream.cohorts.items():
                    reading = self._reading(stream, name, cohorts)
                    if reading is not None:
                        self._tell.performance(reading)
            stream.is_changed = False
        for key, joined in self._joined.items():
            number = self._number_of.get(key) if key is not None else None
            delays = self._streams[number].delays if number is not None else Delays()
            told = tuple(delays.counts), delays.total_s
            self._tell.feedback(FeedbackTotals(key, joined, *told, self._since_ns))

    def _reading(self, stream: _Stream, name: str, cohorts: Cohorts) -> PerformanceReading | None:
        """Return what the newest cohort with enough labels says; None while there is none."""
        wait_ns = stream.delays.longest_usual_s() * 1e9
        model = self._config.of_model(stream.key.model, stream.key.version)
        rules = model.performance
        for cohort in cohorts.sealed():
            is_old = stream.newest_ns - cohort.end_ns >= wait_ns
            if is_old or cohort.coverage >= rules.coverage:
                reading = PerformanceReading(
                    stream=stream.key,
                    window=WindowSpan(name, cohort.start_ns, cohort.end_ns),
                    predictions=cohort.shown,
                    coverage=cohort.coverage,
                    estimated=cohort.estimated,
                    proxies=proxy_scores(cohort.reactions, cohort.liked, cohort.shown)
                    if cohort.shown >= rules.min_labels
                    else {},
                )
                if cohort.labelled < rules.min_labels:
                    return reading
                return assess_labels(
                    replace(reading, realized=ranking_scores(cohort.rankings)),
                    cohort.outcomes,
                    {stream.segments.segment(*of): o for of, o in cohort.by_segment.items()},
                    stream.reference,
                    alpha=alphas(model.drift, model.windows)[name],
                    rules=rules,
                )
        return None


def _labelled(stream: _Stream) -> LabelledMemory:
    return LabelledMemory(
        stream=stream.key.texts,
        reference=stream.reference.id if stream.reference else "",
        newest_ns=stream.newest_ns,
        has_labels=stream.has_labels,
        delays=tuple(stream.delays.counts),
        delay_s=stream.delays.total_s,
        segments=stream.segments.memory(),
        cohorts={name: cohorts.memory() for name, cohorts in stream.cohorts.items()},
    )


def _read(heard: Heard, tenant_attribute: str) -> list[Feedback]:
    read = feedback_in_logs if heard.signal is Signal.LOGS else feedback_in_traces
    return read(heard.request, Whose(heard.caller, tenant_attribute))


def _ways(feedback: Feedback) -> Iterator[int]:
    """Yield the keys that may lead to what is told of, the likeliest first; a call with one sample needs no position."""
    for key in feedback.keys:
        if feedback.position is not None:
            yield sample_key(key, feedback.position)
        if not feedback.position:
            yield key

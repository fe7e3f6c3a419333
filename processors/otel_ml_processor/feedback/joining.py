"""
Labels joined to the predictions that they are of.

Requests leave what they have in an inbox; as time passes (`settle`) predictions are kept, feedback is read and looked up, and what it says
is counted in the windows of its prediction, not in those of its own time.
"""

from __future__ import annotations

from collections import defaultdict
from contextlib import nullcontext
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

import numpy as np

from otel_ml_conventions.attributes import MlFeedbackOutcomeValues, MlFeedbackSourceValues
from otel_ml_processor.decode.whose import Whose
from otel_ml_processor.feedback.delays import Delays
from otel_ml_processor.feedback.inbox import Inbox
from otel_ml_processor.feedback.label_numbers import LabelNumbers
from otel_ml_processor.feedback.lists import ShownList, count_item
from otel_ml_processor.feedback.memory import JoiningMemory
from otel_ml_processor.feedback.places import NO_SERIAL
from otel_ml_processor.feedback.reading import feedback_in_logs, feedback_in_traces
from otel_ml_processor.feedback.realized import realized
from otel_ml_processor.feedback.ring import empty_predictions
from otel_ml_processor.feedback.streams import LabelledStreams
from otel_ml_processor.feedback.totals import FeedbackTotals, Joined, Tally
from otel_ml_processor.feedback.truths import Truth, count_errors, count_truths
from otel_ml_processor.feedback.waiting import WaitingPredictions
from otel_ml_processor.refusal import Refusal
from otel_ml_processor.signals import Signal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from contextlib import AbstractContextManager

    from otel_ml_processor.assess.error_patterns import ErrorPatterns
    from otel_ml_processor.assess.performance import PerformanceReading
    from otel_ml_processor.assess.reading import Reading
    from otel_ml_processor.columns import StreamKey
    from otel_ml_processor.config import Config
    from otel_ml_processor.feedback.inbox import Heard
    from otel_ml_processor.feedback.reading import Feedback
    from otel_ml_processor.feedback.ring import Prediction
    from otel_ml_processor.feedback.streams import LabelledStream
    from otel_ml_processor.windows.reference import Reference

__all__ = ["DROPPED_FEEDBACK", "Joining", "Tell"]

DROPPED_FEEDBACK: Final = "feedback"
"""Cause under which `ml.processor.overflow` counts rows and requests for which the inbox had no room."""
_TRUTH: Final = 1
_REACTION: Final = 2
_RATING: Final = 4
"""Flags of a prediction: its truth is known; somebody acted on it, or did not; somebody rated it."""
_MAX_EARLY: Final = 100_000


class Tell(Protocol):
    """Whoever is told what feedback says."""

    def feedback(self, totals: FeedbackTotals) -> None:
        """Publish how much feedback a stream has had."""

    def performance(self, reading: PerformanceReading) -> None:
        """Publish how good the predictions of a window were."""


class _Arrived(NamedTuple):
    """Feedback, and when it came."""

    feedback: Feedback
    arrived_ns: int

    @property
    def time_ns(self) -> int:
        """When it was given: not later than it came."""
        return min(self.feedback.time_ns or self.arrived_ns, self.arrived_ns)


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
        self._tell = tell
        self._dropped = dropped
        self.inbox = Inbox(config.feedback.max, config.segments.attributes)
        self.patterns: ErrorPatterns | None = None
        """Who is told where the model was wrong."""
        self.contained: AbstractContextManager[None, bool | None] = nullcontext()
        """What counts and logs a mistake of ours, so that it costs one request, one label or one stream, and not all that came since the last tick."""
        self._streams = LabelledStreams(config, reference_of)
        self._waiting = WaitingPredictions(config, self._streams)
        self._closed: list[Reading] = []
        self._early: list[_Arrived] = []
        # As many again as there may be streams: what names them may be anybody.
        self._tally = Tally(2 * config.max_streams)
        self._since_ns: int | None = None

    def streams_of(self, keys: set[int]) -> dict[int, StreamKey]:
        """Return whose prediction each of *keys* leads to; one that leads nowhere is left out."""
        ring = self._waiting.ring
        numbers = {key: ring.prediction(row).stream for key, row in ring.rows_of(keys).items()}
        return {key: self._streams[number].key for key, number in numbers.items()}

    def seal(self, reading: Reading) -> None:
        """Note that a window has closed, with what was expected of it; one that was carried into the next is noted with that."""
        self._closed.append(reading)

    def forget(self, stream: StreamKey) -> None:
        """Drop a stream with its predictions, so that there is room for another; labels of them find nothing then."""
        self.inbox.forget(stream)
        self._tally.forget(stream)
        self._closed = [reading for reading in self._closed if reading.stream != stream]
        number = self._streams.forget(stream)
        if number is not None:
            self._waiting.forget(number)

    def settle(self, now_ns: int, *, is_last: bool = False) -> None:
        """
        Keep new predictions, join what feedback has come, and tell what that changed.

        Feedback that finds nothing is tried again for `feedback.early`, for labels may overtake predictions; not where this *is_last*.
        """
        rows, heard, dropped = self.inbox.taken()
        self._dropped(dropped)
        with self.contained:
            self._waiting.keep(rows)
        self._seal()
        came = [_Arrived(feedback, now_ns) for item in heard for feedback in self._read(item)]
        arrived, self._early = self._early + came, []
        with self.contained:
            self._waiting.bring([one.feedback for one in arrived])
        for truths in _by_stream(self._truths(arrived, now_ns, is_last=is_last)):
            self._count(truths)
        self._tell_all()

    def memory(self, max_predictions: int, now_ns: int) -> JoiningMemory:
        """Return what must survive a restart, for `recall`: at most *max_predictions* >= 1 that wait for labels, and what labels have said."""
        halvings, kept = self._waiting.ring.copied(max_predictions)
        kept["serial"] = NO_SERIAL  # where their features were counted is not remembered
        return JoiningMemory(
            windows=tuple(window.name for window in self._config.windows),
            segments=self._config.segments.attributes,
            halvings=halvings,
            predictions=kept.tobytes(),
            labels=tuple(self._waiting.labels.texts),
            streams=self._streams.memory(),
            joined=self._tally.memory(),
            since_ns=self._since_ns or now_ns,
        )

    def recall(self, memory: JoiningMemory, *, counts_go_on: bool) -> None:
        """
        Go on from what was held before, before anything is joined; where not *counts_go_on*, what is counted of feedback begins anew.

        Raises:
            ValueError: If windows or segments are others; some of it may have been taken over then.
        """
        names = [window.name for window in self._config.windows]
        attributes = self._config.segments.attributes
        if [*memory.windows] != names or memory.segments != attributes:
            raise ValueError("predictions that wait for labels: windows or segments are others now")
        kept = np.frombuffer(
            memory.predictions, empty_predictions(0, len(names), len(attributes)).dtype
        )
        self._streams.recall(memory.streams, counts_go_on=counts_go_on)
        self._waiting.labels = LabelNumbers(memory.labels)
        self._waiting.ring.recall(memory.halvings, kept)
        if counts_go_on:
            self._since_ns = memory.since_ns
            self._tally.recall(memory.joined)

    def _seal(self) -> None:
        """Seal the cohorts of windows that have closed; only now there is room for a stream that another one has just made room for."""
        closed, self._closed = self._closed, []
        for reading in closed:
            number = self._streams.number(reading.stream)
            if number is not None:
                self._streams[number].close(reading)
        for stream in self._streams:
            with self.contained:
                stream.seal()

    def _read(self, heard: Heard) -> list[Feedback]:
        read = feedback_in_logs if heard.signal is Signal.LOGS else feedback_in_traces
        told: list[Feedback] = []
        with self.contained:
            try:
                told += read(heard.request, Whose(heard.caller, self._config.tenant_attribute))
            except Refusal:  # nobody is left who could be told
                return []
        return told

    def _count(self, truths: Sequence[Truth]) -> None:
        """Count *truths* of one stream."""
        with self.contained:
            count_truths(truths, self._streams, self._waiting)
        if self.patterns is not None:
            with self.contained:
                count_errors(truths, self._streams, self._waiting, self.patterns)

    def _truths(
        self, arrived: Sequence[_Arrived], now_ns: int, *, is_last: bool
    ) -> Iterator[Truth]:
        """Yield what tells the truth of a prediction for the first time, and count what came of all but those that are tried again."""
        patience_ns = 0 if is_last else round(self._config.feedback.early * 1e9)
        found = self._waiting.found([one.feedback for one in arrived])
        for one, of in zip(arrived, found, strict=True):
            if of is not None:
                truths: list[Truth] = []
                with self.contained:
                    truths += self._judged(one, of)
                yield from truths
            elif now_ns - one.arrived_ns < patience_ns and len(self._early) < _MAX_EARLY:
                self._early.append(one)
            else:
                self._count_lost(one.feedback)

    def _judged(self, arrived: _Arrived, of: Prediction | ShownList) -> list[Truth]:
        """Count feedback on a prediction, or an item of a list; return it where it tells the truth of one for the first time."""
        if isinstance(of, ShownList):
            self._judge_item(arrived, of)
            return []
        truth = self._judge(arrived, of)
        return [] if truth is None else [truth]

    def _judge(self, arrived: _Arrived, prediction: Prediction) -> Truth | None:
        """Count feedback on *prediction*; return it where it tells the truth for the first time."""
        feedback, stream = arrived.feedback, self._streams[prediction.stream]
        right = self._is_right(feedback, prediction)
        flag = _flag(feedback)
        is_late = self._is_late(arrived, prediction.time_ns)
        is_new = not is_late and not self._waiting.ring.mark(prediction, flag)
        self._note(stream, Joined(_outcome(is_late, is_new), right, feedback.source))
        if not is_new:
            return None
        stream.labelled(arrived.time_ns, prediction.time_ns)
        if feedback.source is MlFeedbackSourceValues.IMPLICIT:
            is_accepted = feedback.gain > 0 if right is None else right
            weight = self._waiting.ring.weight
            for cohort in stream.cohorts_of(prediction.windows):
                cohort.reactions.add(is_accepted=is_accepted, is_first=True, weight=weight)
        return Truth(prediction, feedback, right) if flag == _TRUTH else None

    def _judge_item(self, arrived: _Arrived, shown: ShownList) -> None:
        """Count feedback on an item of a list."""
        feedback, stream = arrived.feedback, self._streams[shown.stream]
        known, position = shown.known(feedback), feedback.position or 0
        is_late = self._is_late(arrived, shown.time_ns)
        is_new = not is_late and position not in known
        outcome = _outcome(is_late, is_new)
        self._note(stream, Joined(outcome, feedback.correct, feedback.source))
        if not is_new:
            return
        stream.labelled(arrived.time_ns, shown.time_ns)
        before = shown.relevance(known) if known else None
        known[position] = feedback.gain
        for cohort in stream.cohorts_of(shown.windows):
            count_item(cohort, shown, feedback, before=before)

    def _is_late(self, arrived: _Arrived, predicted_ns: int) -> bool:
        # What brings its prediction along is of one whose window is still counted.
        is_carried = arrived.feedback.carried is not None
        return not is_carried and self._waiting.ring.is_expired(predicted_ns, arrived.time_ns)

    def _note(self, stream: LabelledStream, joined: Joined) -> None:
        self._tally.add(stream.key, joined)
        stream.is_changed = True

    def _is_right(self, feedback: Feedback, prediction: Prediction) -> bool | None:
        said = self._waiting.label_of(prediction)
        if feedback.label is not None and said is not None:
            return feedback.label == said
        return feedback.correct

    def _count_lost(self, feedback: Feedback) -> None:
        # What a full ring did not keep was there, although nobody can look it up.
        is_left_out = self._waiting.is_left_out(feedback)
        outcome = MlFeedbackOutcomeValues.LATE if is_left_out else MlFeedbackOutcomeValues.UNMATCHED
        self._tally.add_named(feedback.stream, Joined(outcome, None, feedback.source))

    def _tell_all(self) -> None:
        for stream in self._streams:
            if stream.is_changed and stream.has_labels:
                with self.contained:
                    for reading in realized(stream, self._config):
                        self._tell.performance(reading)
            stream.is_changed = False
        for key, joined in self._tally:
            number = self._streams.find(key) if key is not None else None
            delays = self._streams[number].delays if number is not None else Delays()
            told = tuple(delays.counts), delays.total_s
            self._tell.feedback(FeedbackTotals(key, joined, *told, self._since_ns))


def _flag(feedback: Feedback) -> int:
    """Return what *feedback* tells of a prediction, once: who rates it may have acted on it as well."""
    if feedback.is_truth:
        return _TRUTH
    return _REACTION if feedback.source is MlFeedbackSourceValues.IMPLICIT else _RATING


def _outcome(is_late: bool, is_new: bool) -> MlFeedbackOutcomeValues:
    if is_late:
        return MlFeedbackOutcomeValues.LATE
    return MlFeedbackOutcomeValues.JOINED if is_new else MlFeedbackOutcomeValues.DUPLICATE


def _by_stream(truths: Iterable[Truth]) -> list[list[Truth]]:
    """Return *truths*, those of one stream together."""
    found: defaultdict[int, list[Truth]] = defaultdict(list)
    for truth in truths:
        found[truth.prediction.stream].append(truth)
    return [*found.values()]

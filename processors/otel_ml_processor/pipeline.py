"""
The spine. Two verbs, two clocks: `take` is the data's way, `tick` is time's way.

`take` decodes, annotates, forwards, adds to the windows and acknowledges; it never computes a statistic of a window, so that no trace
waits for one. `tick` closes windows, assesses them and emits what they say.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from dataclasses import replace
from functools import lru_cache
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, Final, Protocol

import grpc

from otel_ml_conventions.metrics import (
    METRIC_ML_PROCESSOR_CLAMPED,
    METRIC_ML_PROCESSOR_DUPLICATES,
    METRIC_ML_PROCESSOR_FAILURES,
    METRIC_ML_PROCESSOR_LATE,
    METRIC_ML_PROCESSOR_OVERFLOW,
    METRIC_ML_PROCESSOR_UNDECODED,
)
from otel_ml_processor.assess.error_patterns import ErrorPatterns
from otel_ml_processor.assess.examples import Examples
from otel_ml_processor.assess.last_windows import LastWindows
from otel_ml_processor.assess.promise import shortest_window
from otel_ml_processor.assess.rows import ConfidenceBands, judge
from otel_ml_processor.assess.states import DriftStates
from otel_ml_processor.assess.verdict import Verdicts
from otel_ml_processor.assess.window import assess_window
from otel_ml_processor.decode.decoder import Decoded
from otel_ml_processor.decode.fast_words import with_tail
from otel_ml_processor.decode.inference_spans import NO_SPANS
from otel_ml_processor.decode.said import OF_ROWS
from otel_ml_processor.decode.wire import is_whole
from otel_ml_processor.pass_through import deliver
from otel_ml_processor.receive.convoys import Convoys, Request
from otel_ml_processor.receive.repeats import Answer
from otel_ml_processor.receive.warning import with_warning
from otel_ml_processor.refusal import Refusal, RefusalCause
from otel_ml_processor.self_metrics import ACCEPTED_SPANS
from otel_ml_processor.signals import Signal
from otel_ml_processor.state.ledger import Delivered
from otel_ml_processor.windows.placed import place

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import TracebackType

    from otel_ml_processor.assess.explanations import Explained
    from otel_ml_processor.assess.promise import Promises
    from otel_ml_processor.assess.reading import Change, Reading
    from otel_ml_processor.columns import StreamKey
    from otel_ml_processor.config import Config
    from otel_ml_processor.decode.decoder import Decoder
    from otel_ml_processor.emit.confidence_samples import ConfidenceSamples
    from otel_ml_processor.emit.feature_bins import FeatureBins
    from otel_ml_processor.feedback.explaining import Explaining
    from otel_ml_processor.feedback.joining import Joining
    from otel_ml_processor.learn.learner import Learner
    from otel_ml_processor.pass_through import NextHop
    from otel_ml_processor.self_metrics import SelfMetrics
    from otel_ml_processor.state.gathered import Counted
    from otel_ml_processor.state.ledger import Ledger
    from otel_ml_processor.windows.placed import PlacedRows
    from otel_ml_processor.windows.reference import Reference
    from otel_ml_processor.windows.streams import ClosedWindow, Counts, Increment, Totals

__all__ = ["STEPS", "STRANGERS", "UNTOLD", "Emit", "Pipeline"]

STRANGERS: Final = "tenants"
"""The cause under which `ml.processor.overflow` counts rows of no tenant, or of one beyond the cap."""
UNTOLD: Final = "windows"
"""The cause under which it counts rows of windows that closed faster than windows can be assessed, and were given up."""

STEPS: Final = ("decode", "place", "judge", "annotate", "count", "assess", "feedback")
"""What can fail without stopping a trace: the causes of `ml.processor.failures`."""

_MAX_MODELS: Final = 4096
"""Versions of models whose configuration is made once; of more that of the one asked for longest ago is made anew."""
_UNREAD: Final = Decoded(spans=NO_SPANS, columns=(), n_spans=0, undecoded={})
_LOGGER: Final = logging.getLogger(__name__)


class Emit(Protocol):
    """Whoever readings and verdicts go to; never waits, never raises."""

    def reading(self, reading: Reading, change: Change | None) -> None:
        """Publish a closed window's reading and, where something began to drift, the event."""

    def refresh(self, reading: Reading) -> None:
        """Publish the numbers of a window that slides; what was decided of the last closed one stays."""

    def totals(self, totals: Totals) -> None:
        """Publish what a stream has had so far."""

    def forget(self, stream: StreamKey) -> None:
        """Say nothing more of *stream*, which has been silent for long and made room for another."""

    def lag(self, lag_s: float) -> None:
        """Publish how far event time is behind the clock."""

    def dedupe_horizon(self, horizon_s: float) -> None:
        """Publish for how long a request that comes again is known."""

    def annotated(self, decoded: Decoded, verdicts: Verdicts) -> bytes:
        """Return the request with the verdicts on its spans."""

    def verdict_spans(self, decoded: Decoded, verdicts: Verdicts) -> None:
        """Send the verdicts of flagged inferences on a way of their own."""


class Pipeline:
    """
    What happens to a request, and what happens as time passes; safe to use from any thread.

    *forward* is the next hop in mode `inline`, None in mode `tee`. *joining* is told what labels may come for,
    *bins* and *confidences* what was counted, *learner* as well.
    """

    def __init__(
        self,
        *,
        config: Config,
        decoder: Decoder,
        ledger: Ledger,
        reference_of: Callable[[StreamKey], Reference | None],
        promises: Promises,
        forward: NextHop | None,
        emit: Emit,
        self_metrics: SelfMetrics,
        joining: Joining | None = None,
        explaining: Explaining | None = None,
        bins: FeatureBins | None = None,
        confidences: ConfidenceSamples | None = None,
        learner: Learner | None = None,
    ) -> None:
        self._config = config
        self._of_model = lru_cache(maxsize=_MAX_MODELS)(config.of_model)
        self._decoder = decoder
        self.ledger = ledger
        """What has been counted."""
        ledger.tell = self._tell
        self._reference_of = reference_of
        self._promises = promises
        self._forward = forward
        self._emit = emit
        self._self_metrics = self_metrics
        self._joining = joining
        self._explaining = explaining
        self._bins = bins
        self._confidences = confidences
        self._learner = learner
        self.states = DriftStates(
            lambda stream: self._config_of(stream).drift.windows_between_alarms
        )
        """What every stream was in its last windows; the freshest of them is what a span is told."""
        self.patterns = ErrorPatterns(
            config.max_streams, lambda stream: self._config_of(stream).verdicts.low_confidence
        )
        """Where each stream fails more than elsewhere."""
        if joining is not None:
            joining.patterns = self.patterns
        self.told = LastWindows()
        """The windows that were told last."""
        self._examples = Examples(config.windows, config.max_streams)
        self._shortest = shortest_window(config.windows).name
        self._convoys = Convoys(self._take, is_whole)
        self._counted: Counter[tuple[str, str]] = Counter()
        self._contained = {step: _Contained(step, self_metrics) for step in STEPS}
        for told in (joining, explaining):
            if told is not None:
                told.contained = self._contained["feedback"]
        self._ticking = threading.Lock()

    def take(self, request: bytes, remaining_s: float | None, tenant: str = "") -> bytes:
        """
        Pass *request*, of the *tenant* that a header of it names, on and count it; return the answer for its sender (empty: success, and nothing to say).

        Counting comes after the next hop's acknowledgement: what its sender will send again has not been counted yet. A request that was
        acknowledged and comes again is answered as before, without going anywhere.

        Raises:
            Refusal: If the request is malformed or was not delivered. Nothing of it has been counted then.
        """
        deadline_s = None if remaining_s is None else time.monotonic() + remaining_s
        answer, is_repeat = self.ledger.repeats.once(
            request,
            remaining_s,
            lambda key: self._convoys.send(Request(request, key, deadline_s, tenant)),
            tenant,
        )
        if is_repeat:
            self._self_metrics.add(METRIC_ML_PROCESSOR_DUPLICATES, answer.n_inferences)
            self.ledger.settle()  # whose repeat it is may still be on its way to the disk
        return answer.response

    def _take(self, requests: Sequence[Request]) -> list[Answer]:
        contents = [each.content for each in requests]
        decoded = self._decoded(contents, requests[0].tenant)
        if decoded.undecoded and len(requests) > 1:
            raise _APART
        placed = self._placed(decoded)
        verdicts = self._verdicts(decoded, placed)
        if self._forward is None:
            answers = self._apply(decoded, placed, requests, b"")
            with self._contained["annotate"]:
                self._emit.verdict_spans(decoded, verdicts)
            return answers
        annotated = self._annotated(contents, decoded, verdicts)
        response = deliver(
            self._forward,
            annotated,
            _shortest(requests),
            decoded.n_spans,
            Signal.TRACES,
            self._self_metrics,
            is_group=len(requests) > 1,
        )
        return self._apply(decoded, placed, requests, response)

    def tick(self, now_ns: int) -> None:
        """Assess the windows that rows or time have closed, and emit what they say."""
        with self._ticking:
            streams = self.ledger.streams
            self._settle_explanations(now_ns)
            closed, slid = streams.close(now_ns), streams.slide(now_ns)
            self._assess(closed)
            self._refresh(slid)
            for stream in streams.retired():
                self._forget(stream)
                if self._learner is not None:
                    self._learner.forget(stream)
                if self._joining is not None:
                    self._joining.forget(stream)
                self._emit.forget(stream)
            self._settle(now_ns)
            self._emit.lag(streams.lag_s(now_ns))
            self._emit.dedupe_horizon(self.ledger.spans.horizon_s())

    def recall(self, windows: Sequence[ClosedWindow]) -> list[Reading]:
        """Return the readings of *windows*, which a processor before this one has told: nothing is decided anew."""
        readings: list[Reading] = []
        with self._ticking:
            for window in windows:
                self.told.note(window)
                with self._contained["assess"]:
                    readings.append(self.states.again(self._assessed(window)))
        return readings

    def refer_anew(self, promises: Promises, now_ns: int) -> list[StreamKey]:
        """
        Compare streams whose reference is another one now with that, at these *promises*, and return them.

        What was open is assessed against the reference that it was counted against; what the stream was then is forgotten.
        """
        with self._ticking:
            changed = self.ledger.streams.refer_anew()
            self._assess(self.ledger.streams.close(now_ns))
            self._promises = promises
            for stream in changed:
                self._forget(stream)
            return changed

    def finish(self) -> None:
        """Assess all windows, also those still open: nothing comes any more."""
        with self._ticking:
            streams = self.ledger.streams
            self._settle_explanations()
            self._assess(streams.finish())

    def join_last(self, now_ns: int) -> None:
        """Join the feedback that is left: no prediction comes any more that it could wait for."""
        with self._ticking:
            self._settle(now_ns, is_last=True)

    def _forget(self, stream: StreamKey) -> None:
        self.states.forget(stream)
        self.told.forget(stream)
        self.patterns.forget(stream)
        self._examples.forget(stream)
        if self._explaining is not None:
            self._explaining.forget(stream)

    def _settle_explanations(self, now_ns: int | None = None) -> None:
        if self._explaining is not None:
            with self._contained["feedback"]:
                self._explaining.settle(now_ns)

    def _settle(self, now_ns: int, *, is_last: bool = False) -> None:
        if self._joining is not None:
            with self._contained["feedback"]:
                self._joining.settle(now_ns, is_last=is_last)

    def _decoded(self, contents: Sequence[bytes], tenant: str) -> Decoded:
        decoded = [_UNREAD]
        with self._contained["decode"]:
            size = sum(map(len, contents))
            decoded.append(self._decoder.decode(with_tail(contents), tenant, size))
        return decoded[-1]

    def _placed(self, decoded: Decoded) -> list[PlacedRows]:
        placed: list[PlacedRows] = []
        with self._contained["place"]:
            placed += [place(rows, self._reference_of(rows.stream)) for rows in decoded.columns]
        return placed

    def _verdicts(self, decoded: Decoded, placed: Sequence[PlacedRows]) -> Verdicts:
        with self._contained["judge"]:
            verdicts = Verdicts(len(decoded.spans))
            for rows in placed:
                self._judge(rows, verdicts)
            return verdicts
        return Verdicts(len(decoded.spans))

    def _judge(self, placed: PlacedRows, verdicts: Verdicts) -> None:
        stream = placed.rows.stream
        low = self._config_of(stream).verdicts.low_confidence
        bands = ConfidenceBands.of(placed.reference, low)
        judge(placed, self.states.last(stream, self._shortest), bands, verdicts)

    def _annotated(self, contents: Sequence[bytes], decoded: Decoded, verdicts: Verdicts) -> bytes:
        with self._contained["annotate"]:
            if verdicts.said:
                return self._emit.annotated(decoded, verdicts)
        return b"".join(contents)

    def _apply(
        self,
        decoded: Decoded,
        placed: Sequence[PlacedRows],
        requests: Sequence[Request],
        response: bytes,
    ) -> list[Answer]:
        """Count what has been delivered; it has been acknowledged, so a mistake of ours must not make its sender repeat it."""
        answers, tenant = _answers(decoded, requests, response), requests[0].tenant
        if self._joining is not None:
            self._joining.inbox.hear_spans(decoded.spans, tenant)
        if self._explaining is not None:
            self._explaining.hear_spans(decoded.spans, tenant)
        self._self_metrics.add(ACCEPTED_SPANS, decoded.n_spans)
        for cause, n_spans in decoded.undecoded.items():
            self._self_metrics.add(METRIC_ML_PROCESSOR_UNDECODED, n_spans, cause)
        with self._contained["count"]:
            keys = [request.key for request in requests]
            spans = decoded.spans if self._is_read_again(decoded, placed) else decoded.spans.bare()
            again = self.ledger.commit(
                Delivered(list(zip(keys, answers, strict=True)), spans, placed, tenant)
            )
            if again:
                self._self_metrics.add(METRIC_ML_PROCESSOR_DUPLICATES, again)
        return answers

    def _is_read_again(self, decoded: Decoded, placed: Sequence[PlacedRows]) -> bool:
        """Return whether anybody who is told of the rows looks at the bytes of their spans."""
        learner = self._learner
        is_asked = learner is not None and any(
            each.reference is None and learner.asks(each.rows.stream) for each in placed
        )
        return is_asked or bool(decoded.spans.said & OF_ROWS)

    def _tell(self, counted: Counted, increments: Sequence[Increment]) -> None:
        spans, placed = counted
        if self._joining is not None:
            self._joining.inbox.remember(spans, placed, increments)
        if self._explaining is not None:
            self._explaining.remember(spans, placed)
        if self._bins is not None:
            self._bins.add(increments)
        self.patterns.add(placed)
        self._examples.note(placed, spans.ids)
        if self._confidences is not None:
            self._confidences.add(placed, spans.ids)
        if self._learner is not None:
            self._learner.remember(spans, placed, increments)

    def _assess(self, windows: Sequence[ClosedWindow]) -> None:
        streams = self.ledger.streams
        totals = streams.totals()
        self.ledger.settle()
        self._count_rows(totals, streams.counts)
        for window in windows:
            with self._contained["assess"]:
                self._emit_reading(window)

    def _refresh(self, windows: Sequence[ClosedWindow]) -> None:
        for window in windows:
            with self._contained["assess"]:
                self._emit.refresh(self._assessed(window))

    def _assessed(self, window: ClosedWindow, explained: Explained | None = None) -> Reading:
        stream, config = window.stream, self._config_of(window.stream)
        return assess_window(
            window,
            promises=self._promises.of_model(stream.model, stream.version),
            min_rows=config.streams.min_rows,
            drift=config.drift,
            explained=explained,
            least_confidence=config.performance.baseline,
        )

    def _explained(self, window: ClosedWindow) -> Explained | None:
        if self._explaining is None or not window.closed.is_sufficient:
            return None
        return self._explaining.taken(window.stream, window.closed.name)

    def _config_of(self, stream: StreamKey) -> Config:
        return self._of_model(stream.model, stream.version)

    def _emit_reading(self, window: ClosedWindow) -> None:
        reading = self._assessed(window, self._explained(window))
        reading = replace(
            self.states.gather(window, reading), patterns=self.patterns.of(window.stream)
        )
        change = self.states.observe(reading)
        if change is not None:
            change = replace(change, trace_ids=self._examples.of(window, change))
        self._emit.reading(reading, change)
        self.told.note(window)
        if self._joining is not None and window.closed.is_sufficient:
            self._joining.seal(reading)

    def _count_rows(self, all_totals: Sequence[Totals], counts: Counts) -> None:
        """Bring the counts of the streams to where all counts are."""
        for name, total, cause in (
            (METRIC_ML_PROCESSOR_LATE, counts.late, ""),
            (METRIC_ML_PROCESSOR_CLAMPED, counts.clamped, ""),
            (METRIC_ML_PROCESSOR_OVERFLOW, counts.overflow, "streams"),
            (METRIC_ML_PROCESSOR_OVERFLOW, counts.strangers, STRANGERS),
            (METRIC_ML_PROCESSOR_OVERFLOW, counts.untold, UNTOLD),
        ):
            self._self_metrics.add(name, total - self._counted[name, cause], cause)
            self._counted[name, cause] = total
        for totals in all_totals:
            self._emit.totals(totals)


class _Contained:
    """
    Counts and logs (once per type) what goes wrong in *step*: a processor that cannot think still lets the traces through.

    A class, because every request goes through half a dozen, and a generator takes several times as long.
    """

    __slots__ = ("_said", "_self_metrics", "_step")

    def __init__(self, step: str, self_metrics: SelfMetrics) -> None:
        self._step = step
        self._self_metrics = self_metrics
        self._said: set[type[BaseException]] = set()

    def __enter__(self) -> None:
        """Begin."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        """End; whatever was raised goes no further, except what the sender has to be told."""
        if kind is None or isinstance(error, Refusal) or not isinstance(error, Exception):
            return False
        self._self_metrics.add(METRIC_ML_PROCESSOR_FAILURES, cause=self._step)
        if kind not in self._said:
            self._said.add(kind)
            _LOGGER.error(
                "cannot %s; spans are passed on, further ones are counted",
                self._step,
                exc_info=error,
            )
        return True


_APART: Final = Refusal(grpc.StatusCode.INTERNAL, "each by itself", RefusalCause.INTERNAL)
"""What is to be said to the sender of one of several requests is worked out for each alone."""


def _shortest(requests: Sequence[Request]) -> float | None:
    """Return how long the least patient sender still waits; None where all do for ever."""
    return min((r for each in requests if (r := each.remaining_s) is not None), default=None)


def _answers(decoded: Decoded, requests: Sequence[Request], response: bytes) -> list[Answer]:
    """Return the answer to each of *requests*; what the next hop rejected of all of them is said to the first."""
    first = with_warning(response, decoded.undecoded)
    if len(requests) == 1:
        return [Answer(first, len(decoded.spans))]
    ends = accumulate(len(request.content) for request in requests)
    reached = [0, *decoded.spans.places[:, 1].searchsorted(list(ends)).tolist()]
    counts = [after - before for before, after in pairwise(reached)]
    said = [first, *[b""] * (len(requests) - 1)]
    return [Answer(*answer) for answer in zip(said, counts, strict=True)]

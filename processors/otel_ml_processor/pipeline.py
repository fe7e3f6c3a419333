"""
The spine. Two verbs, two clocks: `take` is the data's way, `tick` is time's way.

`take` decodes, annotates, forwards, adds to the windows and acknowledges; it never computes a statistic of a window, so that no trace
waits for one. `tick` closes windows, assesses them and emits what they say.
"""

from __future__ import annotations

import logging
import threading
from collections import Counter
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Final, Protocol

from otel_ml_conventions.metrics import (
    METRIC_ML_PROCESSOR_CLAMPED,
    METRIC_ML_PROCESSOR_DUPLICATES,
    METRIC_ML_PROCESSOR_FAILURES,
    METRIC_ML_PROCESSOR_LATE,
    METRIC_ML_PROCESSOR_OVERFLOW,
    METRIC_ML_PROCESSOR_UNDECODED,
)
from otel_ml_processor.assess.examples import Examples
from otel_ml_processor.assess.promise import shortest_window
from otel_ml_processor.assess.rows import ConfidenceBands, judge
from otel_ml_processor.assess.states import DriftStates
from otel_ml_processor.assess.verdict import Verdicts
from otel_ml_processor.assess.window import assess_window
from otel_ml_processor.decode.decoder import Decoded
from otel_ml_processor.decode.inference_spans import NO_SPANS
from otel_ml_processor.pass_through import deliver
from otel_ml_processor.receive.repeats import Answer
from otel_ml_processor.receive.warning import with_warning
from otel_ml_processor.refusal import Refusal
from otel_ml_processor.self_metrics import ACCEPTED_SPANS
from otel_ml_processor.signals import Signal
from otel_ml_processor.state.ledger import Delivered
from otel_ml_processor.windows.placed import place

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from otel_ml_processor.assess.promise import Promises
    from otel_ml_processor.assess.reading import Change, Reading
    from otel_ml_processor.columns import StreamKey
    from otel_ml_processor.config import Config
    from otel_ml_processor.decode.decoder import Decoder
    from otel_ml_processor.feedback.joining import Joining
    from otel_ml_processor.pass_through import NextHop
    from otel_ml_processor.self_metrics import SelfMetrics
    from otel_ml_processor.state.ledger import Ledger
    from otel_ml_processor.windows.placed import PlacedRows
    from otel_ml_processor.windows.reference import Reference
    from otel_ml_processor.windows.streams import ClosedWindow, Totals

__all__ = ["STEPS", "Emit", "Pipeline"]

STEPS: Final = ("decode", "place", "judge", "annotate", "count", "assess", "feedback")
"""What can fail without stopping a trace: the causes of `ml.processor.failures`."""

_UNREAD: Final = Decoded(spans=NO_SPANS, columns=(), n_spans=0, undecoded={})
_LOGGER: Final = logging.getLogger(__name__)


class Emit(Protocol):
    """Whoever readings and verdicts go to; never waits, never raises."""

    def reading(self, reading: Reading, change: Change | None) -> None:
        """Publish a closed window's reading and, where something began to drift, the event."""

    def totals(self, totals: Totals) -> None:
        """Publish what a stream has had so far."""

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

    *forward* is the next hop in mode `inline`, None in mode `tee`. *joining* is told what labels may come for.
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
    ) -> None:
        self._config = config
        self._decoder = decoder
        self.ledger = ledger
        """What has been counted."""
        self._streams = ledger.streams
        self._reference_of = reference_of
        self._promises = promises
        self._forward = forward
        self._emit = emit
        self._self_metrics = self_metrics
        self._joining = joining
        self.states = DriftStates(config.drift.windows_between_alarms)
        """What every stream was in its last windows; the freshest of them is what a span is told."""
        self._examples = Examples(config.windows, config.streams.max)
        self._shortest = shortest_window(config.windows).name
        self._counted: Counter[str] = Counter()
        self._said: set[tuple[str, str]] = set()
        self._ticking = threading.Lock()

    def take(self, request: bytes, remaining_s: float | None) -> bytes:
        """
        Pass *request* on and count it; return the answer for its sender (empty: success, and nothing to say).

        Counting comes after the next hop's acknowledgement: what its sender will send again has not been counted yet. A request that was
        acknowledged and comes again is answered as before, without going anywhere.

        Raises:
            Refusal: If the request is malformed or was not delivered. Nothing of it has been counted then.
        """
        take = partial(self._take, request, remaining_s)
        answer, is_repeat = self.ledger.repeats.once(request, remaining_s, take)
        if is_repeat:
            self._self_metrics.add(METRIC_ML_PROCESSOR_DUPLICATES, answer.n_inferences)
        return answer.response

    def _take(self, request: bytes, remaining_s: float | None, key: bytes) -> Answer:
        decoded = self._decoded(request)
        placed = self._placed(decoded)
        verdicts = self._verdicts(placed)
        if self._forward is None:
            answer = self._apply(decoded, placed, key, b"")
            with self._contained("annotate"):
                self._emit.verdict_spans(decoded, verdicts)
            return answer
        annotated = self._annotated(request, decoded, verdicts)
        response = deliver(
            self._forward,
            annotated,
            remaining_s,
            decoded.n_spans,
            Signal.TRACES,
            self._self_metrics,
        )
        return self._apply(decoded, placed, key, response)

    def tick(self, now_ns: int) -> None:
        """Assess the windows that rows or time have closed, and emit what they say."""
        with self._ticking:
            self._assess(self._streams.close(now_ns))
            self._settle(now_ns)
            self._emit.lag(self._streams.lag_s(now_ns))
            self._emit.dedupe_horizon(self.ledger.spans.horizon_s())

    def finish(self) -> None:
        """Assess all windows, also those still open: nothing comes any more."""
        with self._ticking:
            self._assess(self._streams.finish())

    def join_last(self, now_ns: int) -> None:
        """Join the feedback that is left: no prediction comes any more that it could wait for."""
        with self._ticking:
            self._settle(now_ns, is_last=True)

    def _settle(self, now_ns: int, *, is_last: bool = False) -> None:
        if self._joining is not None:
            with self._contained("feedback"):
                self._joining.settle(now_ns, is_last=is_last)

    def _decoded(self, request: bytes) -> Decoded:
        decoded = [_UNREAD]
        with self._contained("decode"):
            decoded.append(self._decoder.decode(request))
        return decoded[-1]

    def _placed(self, decoded: Decoded) -> list[PlacedRows]:
        placed: list[PlacedRows] = []
        with self._contained("place"):
            placed += [place(rows, self._reference_of(rows.stream)) for rows in decoded.columns]
        return placed

    def _verdicts(self, placed: Sequence[PlacedRows]) -> Verdicts:
        verdicts: list[Verdicts] = []
        with self._contained("judge"):
            verdicts += [self._judged(rows) for rows in placed]
        return Verdicts.joined(verdicts)

    def _judged(self, placed: PlacedRows) -> Verdicts:
        drift = self.states.last(placed.rows.stream, self._shortest)
        bands = ConfidenceBands.of(placed.reference, self._config.verdicts.low_confidence)
        return judge(placed, drift, bands)

    def _annotated(self, request: bytes, decoded: Decoded, verdicts: Verdicts) -> bytes:
        annotated = [request]
        with self._contained("annotate"):
            if len(verdicts):
                annotated.append(self._emit.annotated(decoded, verdicts))
        return annotated[-1]

    def _apply(
        self, decoded: Decoded, placed: Sequence[PlacedRows], key: bytes, response: bytes
    ) -> Answer:
        """Count what has been delivered; it has been acknowledged, so a mistake of ours must not make its sender repeat it."""
        answer = Answer(with_warning(response, decoded.undecoded), len(decoded.spans))
        if self._joining is not None:
            self._joining.inbox.hear(Signal.TRACES, decoded.spans.request)
        self._self_metrics.add(ACCEPTED_SPANS, decoded.n_spans)
        for cause, spans in decoded.undecoded.items():
            self._self_metrics.add(METRIC_ML_PROCESSOR_UNDECODED, spans, cause)
        with self._contained("count"):
            again = self.ledger.commit(
                Delivered(key, decoded.spans.ids, placed, answer),
                partial(self._joining.inbox.remember, decoded.spans) if self._joining else None,
            )
            self._self_metrics.add(METRIC_ML_PROCESSOR_DUPLICATES, again)
            self._examples.note(placed, decoded.spans.ids)
        return answer

    @contextmanager
    def _contained(self, step: str) -> Iterator[None]:
        """Count and log (once per step and type) what goes wrong within: a processor that cannot think still lets the traces through."""
        try:
            yield
        except Refusal:
            raise
        except Exception as error:
            self._self_metrics.add(METRIC_ML_PROCESSOR_FAILURES, cause=step)
            cause = (step, type(error).__name__)
            if cause not in self._said:
                self._said.add(cause)
                _LOGGER.exception("cannot %s; spans are passed on, further ones are counted", step)

    def _assess(self, windows: Sequence[ClosedWindow]) -> None:
        totals = self._streams.totals()
        self.ledger.settle()
        self._count_rows(totals)
        for window in windows:
            with self._contained("assess"):
                self._emit_reading(window)

    def _emit_reading(self, window: ClosedWindow) -> None:
        reading = assess_window(
            window,
            promises=self._promises,
            min_rows=self._config.streams.min_rows,
            drift=self._config.drift,
        )
        reading = self.states.gather(window, reading)
        change = self.states.observe(reading)
        if change is not None:
            change = replace(change, trace_ids=self._examples.of(window, change))
        self._emit.reading(reading, change)
        if self._joining is not None and window.closed.is_sufficient:
            self._joining.seal(reading)

    def _count_rows(self, all_totals: Sequence[Totals]) -> None:
        """Bring the counts of the streams to where all counts are."""
        for name, total, cause in (
            (METRIC_ML_PROCESSOR_LATE, self._streams.counts.late, ""),
            (METRIC_ML_PROCESSOR_CLAMPED, self._streams.counts.clamped, ""),
            (METRIC_ML_PROCESSOR_OVERFLOW, self._streams.counts.overflow, "streams"),
        ):
            self._self_metrics.add(name, total - self._counted[name], cause)
            self._counted[name] = total
        for totals in all_totals:
            self._emit.totals(totals)

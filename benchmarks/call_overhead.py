"""
What observing a model call costs the thread that makes it, beside a bare OpenTelemetry span.

Every way to call runs in this process, in turn, several times over; told is the median of the
processor time that it adds to a call with one sample of 30 features. The model has its answer
ready, so that nothing else is measured. The ratios are what counts: microseconds are one machine's.
"""

from __future__ import annotations

import argparse
import statistics
import time
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
import wrapt
from opentelemetry import context, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON, ParentBased, Sampler
from rich.console import Console
from rich.table import Table
from sklearn.base import BaseEstimator, ClassifierMixin

import otel_ml
from otel_ml.settings import Settings
from otel_ml.testing import capture
from otel_ml_conventions.attributes import ML_BATCH_SIZE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    Call = Callable[[], object]

N_FEATURES: Final = 30
SAMPLE: Final = np.random.default_rng(0).normal(size=(1, N_FEATURES))
ANSWER: Final = np.array([[0.3, 0.7]])
TRACER: Final = TracerProvider().get_tracer("by hand")
UNSAMPLED: Final = trace.NonRecordingSpan(
    trace.SpanContext(1, 2, is_remote=True, trace_flags=trace.TraceFlags(0))
)


class Instant(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """A classifier that has its answer ready."""

    def __init__(self) -> None:
        self.classes_ = np.array(["no", "yes"])
        self.feature_names_in_ = np.array([f"feature_{i}" for i in range(N_FEATURES)])

    def predict_proba(self, _samples: Any) -> Any:
        """Return the same probabilities for every sample."""
        return ANSWER


class Outer(Instant):
    """A classifier that asks another one a hundred times: calls inside a call."""

    calls: Final = 100

    def predict_proba(self, samples: Any) -> Any:
        """Return the last of the hundred answers."""
        for _ in range(self.calls):
            answer = MODEL.predict_proba(samples)
        return answer


MODEL: Final = Instant()
PLAIN: Final[Call] = partial(vars(Instant)["predict_proba"], MODEL, SAMPLE)


class Way(NamedTuple):
    """A way to call the model: how it is set up, and how many calls of the model one of it holds."""

    name: str
    set_up: Callable[[], AbstractContextManager[Call]]
    calls: int = 1


def bare_span() -> object:
    """Call the model in a current span without attributes."""
    with TRACER.start_as_current_span("predict Instant"):
        return PLAIN()


def same_facts(facts: dict[str, Any]) -> Call:
    """Return a call in a span with constants for *facts*, written by hand for speed."""
    split = list(facts).index(ML_BATCH_SIZE) + 1
    at_start, at_end = dict(list(facts.items())[:split]), dict(list(facts.items())[split:])

    def call() -> object:
        span = TRACER.start_span("predict Instant", attributes=at_start)
        token = context.attach(trace.set_span_in_context(span))
        answer = PLAIN()
        context.detach(token)
        span.set_attributes(at_end)
        span.end()
        return answer

    return call


def naive_twin(facts: dict[str, Any]) -> Call:
    """Return a call wrapped with wrapt that sets each of *facts* for itself."""

    def observe(wrapped: Any, _instance: Any, args: Any, kwargs: Any) -> object:
        with TRACER.start_as_current_span("predict Instant") as span:
            answer = wrapped(*args, **kwargs)
            for key, fact in facts.items():
                span.set_attribute(key, fact)
            return answer

    return partial(wrapt.FunctionWrapper(vars(Instant)["predict_proba"], observe), MODEL, SAMPLE)


@contextmanager
def instrumented(
    model: Any = MODEL,
    settings: Settings | None = None,
    sampler: Sampler = ALWAYS_ON,
    parent: trace.Span | None = None,
) -> Iterator[Call]:
    """Give the call under our instrumentation, with metrics and their thread at work."""
    meters = MeterProvider([InMemoryMetricReader()])
    tracers = TracerProvider(sampler=sampler)
    otel_ml.instrument(
        ["sklearn"],
        tracer_provider=tracers,
        meter_provider=meters,
        settings=settings or Settings(),
    )
    with trace.use_span(parent) if parent is not None else nullcontext():
        yield partial(model.predict_proba, SAMPLE)
    otel_ml.uninstrument(["sklearn"])
    tracers.shutdown()
    meters.shutdown()


def ways() -> list[Way]:
    """Return what is compared; the first is the call alone, the second the unit of the ratios."""
    with capture() as seen:
        MODEL.predict_proba(SAMPLE)
        facts = seen.attributes
    by_hand = f"by hand, the same {len(facts)} attributes"
    follows_parent = ParentBased(ALWAYS_ON)
    content = Settings(capture_content="span_only")
    return [
        Way("the call alone", lambda: nullcontext(PLAIN)),
        Way("a bare recorded span, no attributes", lambda: nullcontext(bare_span)),
        Way(by_hand, lambda: nullcontext(same_facts(facts))),
        Way("wrapt and set_attribute, the same", lambda: nullcontext(naive_twin(facts))),
        Way("otel-ml, recorded", instrumented),
        Way("otel-ml, recorded with 30 features", partial(instrumented, settings=content)),
        Way("otel-ml, not sampled (root)", partial(instrumented, sampler=ALWAYS_OFF)),
        Way(
            "otel-ml, not sampled (parent)",
            partial(instrumented, sampler=follows_parent, parent=UNSAMPLED),
        ),
        Way(
            "otel-ml, a call inside a call",
            partial(instrumented, model=Outer(), sampler=ALWAYS_OFF),
            Outer.calls,
        ),
    ]


def seconds_per_call(way: Way, calls: int) -> float:
    """Return the processor time of this thread for one call, over *calls* of them."""
    with way.set_up() as call:
        call()
        rounds = max(1, calls // way.calls)
        start = time.thread_time()
        for _ in range(rounds):
            call()
        return (time.thread_time() - start) / (rounds * way.calls)


def measure(compared: Sequence[Way], repetitions: int, calls: int) -> list[float]:
    """Return the median of the microseconds that each way adds to the first one, taken in turns."""
    rounds = [[seconds_per_call(way, calls) for way in compared] for _ in range(repetitions)]
    return [
        statistics.median((each[way] - each[0]) * 1e6 for each in rounds)
        for way in range(len(compared))
    ]


def show(compared: Sequence[Way], added: Sequence[float]) -> None:
    """Print one line per way, with its ratios to the two spans written by hand."""
    bare, same = added[1], added[2]
    table = Table("way to call", "added us", "/ bare span", "/ same span by hand")
    for way, microseconds in zip(compared[1:], added[1:], strict=True):
        ratios = (f"{microseconds / bare:.2f}", f"{microseconds / same:.2f}")
        table.add_row(way.name, f"{microseconds:.2f}", *ratios)
    Console().print(table)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repetitions", type=int, default=15, help="turns of all ways (15)")
    parser.add_argument("--calls", type=int, default=1000, help="calls per turn and way (1000)")
    arguments = parser.parse_args()
    compared = ways()
    show(compared, measure(compared, arguments.repetitions, arguments.calls))


if __name__ == "__main__":
    main()

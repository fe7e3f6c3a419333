"""
What observing a model call costs the thread that makes it, beside a bare OpenTelemetry span.

Every way to call runs in this process, in turn, several times over, and between any two of them a bare
recorded span with 12 attributes; told is the processor time that a way adds to a call, as a ratio to what
that span adds just before and after it, the median of all turns: a machine whose speed changes within a
second meets both. The models do next to nothing, so that nothing else is measured. The ratios are what
counts: microseconds are one machine's.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
import onnxruntime
import wrapt
from onnx import TensorProto, helper
from opentelemetry import context, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON, ParentBased, Sampler
from rich.console import Console
from rich.table import Table
from sklearn.base import BaseEstimator, ClassifierMixin

import otel_ml
from otel_ml.doctor.report import is_compiled
from otel_ml.instrumentors._turns import within
from otel_ml.settings import Settings
from otel_ml.testing import capture
from otel_ml_conventions.attributes import ML_BATCH_SIZE, ML_INPUT_FEATURES

with suppress(ModuleNotFoundError):  # it is large, and not needed for the others
    import torch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    Call = Callable[[], object]

N_FEATURES: Final = 30
N_SAMPLES: Final = 100
BATCH: Final = np.random.default_rng(0).normal(size=(N_SAMPLES, N_FEATURES))
SAMPLE: Final = BATCH[:1]
ANSWERS: Final = {1: np.array([[0.3, 0.7]]), N_SAMPLES: np.array([[0.3, 0.7]] * N_SAMPLES)}
NAMES: Final = [f"feature_{i}" for i in range(N_FEATURES)]
N_ATTRIBUTES: Final = 12  # of the bare span that is the unit of the ratios
TRACER: Final = TracerProvider().get_tracer("by hand")
SILENT: Final = TracerProvider(sampler=ALWAYS_OFF).get_tracer("by hand")
UNSAMPLED: Final = trace.NonRecordingSpan(
    trace.SpanContext(1, 2, is_remote=True, trace_flags=trace.TraceFlags(0))
)


class Instant(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """A classifier that has its answer ready."""

    def __init__(self) -> None:
        self.classes_ = np.array(["no", "yes"])
        self.feature_names_in_ = np.array(NAMES)

    def predict_proba(self, samples: Any) -> Any:
        """Return the same probabilities for every sample."""
        return ANSWERS[len(samples)]


class Subject(NamedTuple):
    """A model of a framework, and how it is asked; *plain* is that without any instrumentation."""

    framework: str
    model: Any
    method: str
    args: tuple[Any, ...]
    plain: Call

    def call(self) -> Call:
        """Return the call as it is in force now."""
        return partial(getattr(self.model, self.method), *self.args)


def subject(framework: str, model: Any, method: str, *args: Any) -> Subject:
    """Return a model that is not instrumented yet."""
    return Subject(framework, model, method, args, partial(getattr(model, method), *args))


def sklearn_subject(samples: Any) -> Subject:
    """Return a classifier."""
    return subject("sklearn", Instant(), "predict_proba", samples)


def onnxruntime_subject(samples: Any) -> Subject:
    """Return a session that gives back what it is fed."""
    ends = [
        helper.make_tensor_value_info(name, TensorProto.DOUBLE, ["N", N_FEATURES]) for name in "xy"
    ]
    graph = helper.make_graph(
        [helper.make_node("Identity", ["x"], ["y"])], "instant", ends[:1], ends[1:]
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    return subject("onnxruntime", session, "run", None, {"x": samples})


def torch_subject(samples: Any) -> Subject:
    """Return a module that gives back what it is called with."""
    module = torch.nn.Sequential(torch.nn.Identity()).eval()
    return subject("torch", module, "__call__", torch.from_numpy(samples))


SUBJECTS: Final[dict[str, Callable[[Any], Subject]]] = {
    "sklearn": sklearn_subject,
    "onnxruntime": onnxruntime_subject,
    **({"torch": torch_subject} if "torch" in globals() else {}),
}
# What a call that is not sampled may add, on the scale of the table.
UNSAMPLED_GOAL: Final = {"sklearn": 8 / 15, "onnxruntime": 5 / 15, "torch": 5 / 15}


class Way(NamedTuple):
    """A way to call the model, how it is set up, and what it is measured against: the call alone."""

    set_up: Callable[[], AbstractContextManager[Call]]
    alone: Call


class Row(NamedTuple):
    """One line of the table: our way, the same by the naive twin, and the goal for ours."""

    name: str
    ours: Way
    twin: Way | None = None
    goal: float | None = None


def bare_span(plain: Call, facts: dict[str, Any]) -> Call:
    """Return the call beside a span with the first 12 of *facts*, which is never the current one."""
    attributes = dict(list(facts.items())[:N_ATTRIBUTES])

    def call() -> object:
        span = TRACER.start_span("predict Instant", attributes=attributes)
        answer = plain()
        span.end()
        return answer

    return call


def current_span(plain: Call, facts: dict[str, Any]) -> Call:
    """Return the call in a current span with the first 12 of *facts*."""
    attributes = dict(list(facts.items())[:N_ATTRIBUTES])

    def call() -> object:
        with TRACER.start_as_current_span("predict Instant", attributes=attributes):
            return plain()

    return call


def silent_span(plain: Call, facts: dict[str, Any]) -> Call:
    """Return the call in a current span that is not sampled, as ours is started."""
    attributes = dict(list(facts.items())[: list(facts).index(ML_BATCH_SIZE) + 1])

    def call() -> object:
        span = SILENT.start_span("predict Instant", attributes=attributes)
        token = context.attach(trace.set_span_in_context(span))
        answer = plain()
        context.detach(token)
        span.end()
        return answer

    return call


def same_facts(plain: Call, facts: dict[str, Any]) -> Call:
    """Return the call in a current span with constants for *facts*, written by hand for speed."""
    split = list(facts).index(ML_BATCH_SIZE) + 1
    at_start, at_end = dict(list(facts.items())[:split]), dict(list(facts.items())[split:])

    def call() -> object:
        span = TRACER.start_span("predict Instant", attributes=at_start)
        token = context.attach(trace.set_span_in_context(span))
        answer = plain()
        context.detach(token)
        span.set_attributes(at_end)
        span.end()
        return answer

    return call


def naive_twin(
    plain: Call, facts: dict[str, Any], tracer: trace.Tracer = TRACER, features: Any = None
) -> Call:
    """Return the call wrapped with wrapt, setting each of *facts* for itself, and *features* as JSON."""

    def observe(wrapped: Any, _instance: Any, args: Any, kwargs: Any) -> object:
        with tracer.start_as_current_span("predict Instant") as span:
            answer = wrapped(*args, **kwargs)
            for key, fact in facts.items():
                span.set_attribute(key, fact)
            if features is not None:
                row = features[0].tolist()
                text = json.dumps(dict(zip(NAMES, row, strict=True)), separators=(",", ":"))
                span.set_attribute(ML_INPUT_FEATURES, text)
            return answer

    wrapped: Call = wrapt.FunctionWrapper(plain, observe)
    return wrapped


class Idle(trace.Span, trace.Tracer, trace.TracerProvider):
    """An SDK whose spans are recorded and keep nothing: what calls take under it is ours, or the API's."""

    def __init__(self) -> None:
        """Have one context for all spans."""
        self._context = trace.SpanContext(1, 2, is_remote=False, trace_flags=trace.TraceFlags(1))

    def get_tracer(self, *_args: Any, **_options: Any) -> trace.Tracer:
        """Return this."""
        return self

    def start_span(self, *_args: Any, **_options: Any) -> trace.Span:
        """Return this."""
        return self

    def get_span_context(self) -> trace.SpanContext:
        """Return the same context every time."""
        return self._context

    def is_recording(self) -> bool:
        """Claim to record."""
        return True

    def end(self, end_time: int | None = None) -> None:
        """Do nothing, as everything below."""

    set_attributes = set_attribute = add_event = update_name = end  # type: ignore[assignment]  # they keep nothing
    set_status = record_exception = start_as_current_span = end  # type: ignore[assignment]  # same


@contextmanager
def instrumented(
    asked: Subject,
    settings: Settings | None = None,
    sampler: Sampler = ALWAYS_ON,
    around: Callable[[], AbstractContextManager[Any]] = nullcontext,
    processor: SpanProcessor | None = None,
    *,
    by_idle_sdk: bool = False,
) -> Iterator[Call]:
    """Give the call under our instrumentation, with metrics and their thread at work, inside of *around*."""
    meters = MeterProvider([InMemoryMetricReader()])
    tracers = TracerProvider(sampler=sampler)
    if processor is not None:
        tracers.add_span_processor(processor)
    otel_ml.instrument(
        [asked.framework],
        tracer_provider=Idle() if by_idle_sdk else tracers,
        meter_provider=meters,
        settings=settings or Settings(),
    )
    with around():
        yield asked.call()
    otel_ml.uninstrument([asked.framework])
    tracers.shutdown()
    meters.shutdown()


def facts_of(asked: Subject) -> dict[str, Any]:
    """Return the attributes that our span of this call has."""
    with capture() as seen:
        asked.call()()
        return seen.attributes


def rows(framework: str) -> list[Row]:
    """Return what is compared; the first is the unit of the ratios."""
    asked, several = SUBJECTS[framework](SAMPLE), SUBJECTS[framework](BATCH)
    facts, facts_of_several = facts_of(asked), facts_of(several)
    plain = asked.plain

    def by_hand(call: Call, alone: Call = plain) -> Way:
        return Way(lambda: nullcontext(call), alone)

    def ours(asked: Subject = asked, **options: Any) -> Way:
        return Way(partial(instrumented, asked, **options), asked.plain)

    twin, silent_twin = (by_hand(naive_twin(plain, facts, tracer)) for tracer in (TRACER, SILENT))
    content = Settings(capture_content="span_only")
    parent = partial(trace.use_span, UNSAMPLED)
    goal = UNSAMPLED_GOAL[framework]
    return [
        Row(f"a bare recorded span, {N_ATTRIBUTES} attributes", by_hand(bare_span(plain, facts))),
        Row("the same, current during the call", by_hand(current_span(plain, facts))),
        Row(f"by hand, current, our {len(facts)} attributes", by_hand(same_facts(plain, facts))),
        Row("recorded", ours(), twin, 1.3),
        Row("of it ours, with an SDK that does nothing", ours(by_idle_sdk=True)),
        Row(
            f"recorded with {N_FEATURES} features",
            ours(settings=content),
            by_hand(naive_twin(plain, facts, features=SAMPLE)),
            1.3,
        ),
        Row(
            f"recorded, {N_SAMPLES} x {N_FEATURES}",
            ours(several),
            by_hand(naive_twin(several.plain, facts_of_several), several.plain),
            4,
        ),
        Row(f"the same with {N_FEATURES} features", ours(several, settings=content), None, 4),
        Row("not sampled, a root", ours(sampler=ALWAYS_OFF), silent_twin, goal),
        Row(
            "of it the SDK, by hand: a span that is not sampled", by_hand(silent_span(plain, facts))
        ),
        Row(
            "not sampled, as its parent",
            ours(sampler=ParentBased(ALWAYS_ON), around=parent),
            silent_twin,
            goal,
        ),
        Row("inside another call", ours(around=partial(within, asked)), None, 0.3 / 15),
    ]


def added(way: Way, calls: int) -> float:
    """Return the microseconds of this thread that *way* adds to a call, over *calls* of them."""
    with way.set_up() as call:
        return 1e6 * (seconds_per_call(call, calls) - seconds_per_call(way.alone, calls))


def seconds_per_call(call: Call, calls: int) -> float:
    """Return the processor time of this thread for one *call*."""
    call()
    start = time.thread_time()
    for _ in range(calls):
        call()
    return (time.thread_time() - start) / calls


class Added(NamedTuple):
    """What a way adds to a call."""

    microseconds: float
    ratio: float


def measure(ways: Sequence[Way], unit: Way, repetitions: int, calls: int) -> dict[Way, Added]:
    """Return the medians of what each way adds, also as a ratio to what *unit* adds at that time."""
    turns = [list(turn(ways, unit, calls)) for _ in range(repetitions)]
    return {
        way: Added(*map(statistics.median, zip(*of_way, strict=True)))
        for way, of_way in zip(ways, zip(*turns, strict=True), strict=True)
    }


def turn(ways: Sequence[Way], unit: Way, calls: int) -> Iterator[Added]:
    """Yield what each way adds, beside what *unit* adds before and after it."""
    before = added(unit, calls)
    for way in ways:
        here, after = added(way, calls), added(unit, calls)
        yield Added(here, 2 * here / (before + after))
        before = after


def show(framework: str, compared: Sequence[Row], found: dict[Way, Added]) -> None:
    """Print one line per row."""
    title = f"{framework}, the path of a call {'compiled' if is_compiled() else 'in Python'}"
    table = Table("call", "added us", "ratio", "naive twin", "goal", title=title)
    for row in compared:
        twin = "" if row.twin is None else f"{found[row.twin].ratio:.2f}"
        goal = "" if row.goal is None else f"{row.goal:.2f}"
        ours = found[row.ours]
        table.add_row(row.name, f"{ours.microseconds:.1f}", f"{ours.ratio:.2f}", twin, goal)
    Console().print(table)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repetitions", type=int, default=15, help="turns of all ways (15)")
    parser.add_argument("--calls", type=int, default=500, help="calls per turn and way (500)")
    parser.add_argument("frameworks", nargs="*", default=list(SUBJECTS), help="all by default")
    arguments = parser.parse_args()
    for framework in arguments.frameworks:
        if framework not in SUBJECTS:
            parser.error(f"unknown framework {framework!r}; known here: {', '.join(SUBJECTS)}")
        compared = rows(framework)
        ways = [way for row in compared for way in (row.ours, row.twin) if way is not None]
        found = measure(ways, compared[0].ours, arguments.repetitions, arguments.calls)
        show(framework, compared, found)


if __name__ == "__main__":
    main()

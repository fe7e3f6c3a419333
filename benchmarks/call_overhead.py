"""
What observing a model call costs the thread that makes it, beside a bare OpenTelemetry span.

Every way to call runs in this process, in turn, several times over; told is the median of the
processor time that it adds to a call with one sample of 30 features. The models do next to nothing,
so that nothing else is measured. The ratios are what counts: microseconds are one machine's.
"""

from __future__ import annotations

import argparse
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
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON, ParentBased, Sampler
from rich.console import Console
from rich.table import Table
from sklearn.base import BaseEstimator, ClassifierMixin

import otel_ml
from otel_ml.instrumentors._observing import within
from otel_ml.settings import Settings
from otel_ml.testing import capture
from otel_ml_conventions.attributes import ML_BATCH_SIZE

with suppress(ModuleNotFoundError):  # it is large, and not needed for the others
    import torch

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


def sklearn_subject() -> Subject:
    """Return a classifier."""
    return subject("sklearn", Instant(), "predict_proba", SAMPLE)


def onnxruntime_subject() -> Subject:
    """Return a session that gives back what it is fed."""
    ends = [
        helper.make_tensor_value_info(name, TensorProto.DOUBLE, ["N", N_FEATURES]) for name in "xy"
    ]
    graph = helper.make_graph(
        [helper.make_node("Identity", ["x"], ["y"])], "instant", ends[:1], ends[1:]
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    return subject("onnxruntime", session, "run", None, {"x": SAMPLE})


def torch_subject() -> Subject:
    """Return a module that gives back what it is called with."""
    module = torch.nn.Sequential(torch.nn.Identity()).eval()
    return subject("torch", module, "__call__", torch.from_numpy(SAMPLE))


SUBJECTS: Final[dict[str, Callable[[], Subject]]] = {
    "sklearn": sklearn_subject,
    "onnxruntime": onnxruntime_subject,
    **({"torch": torch_subject} if "torch" in globals() else {}),
}


class Way(NamedTuple):
    """A way to call the model, and how it is set up."""

    name: str
    set_up: Callable[[], AbstractContextManager[Call]]


def bare_span(plain: Call) -> Call:
    """Return the call in a current span without attributes."""

    def call() -> object:
        with TRACER.start_as_current_span("predict Instant"):
            return plain()

    return call


def same_facts(plain: Call, facts: dict[str, Any]) -> Call:
    """Return the call in a span with constants for *facts*, written by hand for speed."""
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


def naive_twin(plain: Call, facts: dict[str, Any]) -> Call:
    """Return the call wrapped with wrapt, setting each of *facts* for itself."""

    def observe(wrapped: Any, _instance: Any, args: Any, kwargs: Any) -> object:
        with TRACER.start_as_current_span("predict Instant") as span:
            answer = wrapped(*args, **kwargs)
            for key, fact in facts.items():
                span.set_attribute(key, fact)
            return answer

    wrapped: Call = wrapt.FunctionWrapper(plain, observe)
    return wrapped


@contextmanager
def instrumented(
    asked: Subject,
    settings: Settings | None = None,
    sampler: Sampler = ALWAYS_ON,
    around: Callable[[], AbstractContextManager[Any]] = nullcontext,
) -> Iterator[Call]:
    """Give the call under our instrumentation, with metrics and their thread at work, inside of *around*."""
    meters = MeterProvider([InMemoryMetricReader()])
    tracers = TracerProvider(sampler=sampler)
    otel_ml.instrument(
        [asked.framework],
        tracer_provider=tracers,
        meter_provider=meters,
        settings=settings or Settings(),
    )
    with around():
        yield asked.call()
    otel_ml.uninstrument([asked.framework])
    tracers.shutdown()
    meters.shutdown()


def ways(asked: Subject) -> list[Way]:
    """Return what is compared; the first is the call alone, the second the unit of the ratios."""
    with capture() as seen:
        asked.call()()
        facts = seen.attributes
    plain = asked.plain
    by_hand = f"by hand, the same {len(facts)} attributes"
    ours = partial(instrumented, asked)
    content = Settings(capture_content="span_only")
    unsampled = partial(trace.use_span, UNSAMPLED)
    return [
        Way("the call alone", lambda: nullcontext(plain)),
        Way("a bare recorded span, no attributes", lambda: nullcontext(bare_span(plain))),
        Way(by_hand, lambda: nullcontext(same_facts(plain, facts))),
        Way("wrapt and set_attribute, the same", lambda: nullcontext(naive_twin(plain, facts))),
        Way("otel-ml, recorded", ours),
        Way("otel-ml, recorded with 30 features", partial(ours, content)),
        Way("otel-ml, not sampled (root)", partial(ours, sampler=ALWAYS_OFF)),
        Way(
            "otel-ml, not sampled (parent)",
            partial(ours, sampler=ParentBased(ALWAYS_ON), around=unsampled),
        ),
        Way("otel-ml, inside another call", partial(ours, around=partial(within, asked))),
    ]


def seconds_per_call(way: Way, calls: int) -> float:
    """Return the processor time of this thread for one call, over *calls* of them."""
    with way.set_up() as call:
        call()
        start = time.thread_time()
        for _ in range(calls):
            call()
        return (time.thread_time() - start) / calls


def measure(compared: Sequence[Way], repetitions: int, calls: int) -> list[float]:
    """Return the median of the microseconds that each way adds to the first one, taken in turns."""
    rounds = [[seconds_per_call(way, calls) for way in compared] for _ in range(repetitions)]
    return [
        statistics.median((each[way] - each[0]) * 1e6 for each in rounds)
        for way in range(len(compared))
    ]


def show(framework: str, compared: Sequence[Way], added: Sequence[float]) -> None:
    """Print one line per way, with its ratios to the two spans written by hand."""
    bare, same = added[1], added[2]
    table = Table("way to call", "added us", "/ bare span", "/ same span by hand", title=framework)
    for way, microseconds in zip(compared[1:], added[1:], strict=True):
        ratios = (f"{microseconds / bare:.2f}", f"{microseconds / same:.2f}")
        table.add_row(way.name, f"{microseconds:.2f}", *ratios)
    Console().print(table)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repetitions", type=int, default=15, help="turns of all ways (15)")
    parser.add_argument("--calls", type=int, default=1000, help="calls per turn and way (1000)")
    parser.add_argument("frameworks", nargs="*", default=list(SUBJECTS), help="all by default")
    arguments = parser.parse_args()
    for framework in arguments.frameworks:
        if framework not in SUBJECTS:
            parser.error(f"unknown framework {framework!r}; known here: {', '.join(SUBJECTS)}")
        compared = ways(SUBJECTS[framework]())
        show(framework, compared, measure(compared, arguments.repetitions, arguments.calls))


if __name__ == "__main__":
    main()

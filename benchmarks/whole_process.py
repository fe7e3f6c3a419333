"""
What observing models costs beside the calling thread's time: of a service, of a network of many modules, of exporting.

A service with a real model is run with a hundredth of its calls recorded and all of them in the
metrics, every span encoded as OTLP; beside it stands the naive twin, which records all. A network of
40 modules stands beside torch's own hooks on every module, which do nothing. What the thread behind
the metrics takes, and what encoding a span takes, is told as a ratio to a bare recorded span with 12
attributes, made in the same run.
"""

from __future__ import annotations

import argparse
import statistics
import time
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from call_overhead import (
    BATCH,
    SAMPLE,
    Subject,
    added,
    bare_span,
    facts_of,
    instrumented,
    naive_twin,
    sklearn_subject,
    subject,
)
from call_overhead import Way as CallWay
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import (
    BatchSpanProcessor,
    SimpleSpanProcessor,
    SpanExporter,
    SpanExportResult,
)
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON, Sampler, TraceIdRatioBased
from rich.console import Console
from rich.table import Table
from sklearn.linear_model import LogisticRegression

from otel_ml.in_force import in_force
from otel_ml.instrumentors._turns import within
from otel_ml.settings import Settings
from otel_ml_conventions.attributes import ML_INPUT_FEATURES

with suppress(ModuleNotFoundError):  # it is large, and not needed for the others
    import torch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from opentelemetry.sdk.trace import ReadableSpan

    Call = Callable[[], object]

_SPANS: Final = 512  # in one request, as many as the SDK sends together
_PAIRS: Final = 20  # of layers: 40 modules
_WIDTH: Final = 64
_RATE: Final = 0.01
_CONTENT: Final = Settings(capture_content="span_only")


class Encoder(SpanExporter):
    """Encodes spans as an OTLP exporter does, and sends nothing."""

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Encode *spans*."""
        encode_spans(spans).SerializeToString()
        return SpanExportResult.SUCCESS


class Running(NamedTuple):
    """A call, and what is to be done until nothing of it is left to be done."""

    call: Call
    finish: Call = bool


class Way(NamedTuple):
    """A way to run the model, and how it is set up."""

    name: str
    set_up: Callable[[], AbstractContextManager[Running]]


@contextmanager
def passing(asked: Subject) -> Iterator[Running]:
    """Give the call under our instrumentation, as a part of another one that is told of."""
    with instrumented(asked, around=partial(within, asked)) as call:
        yield Running(call)


@contextmanager
def exporting(asked: Subject, sampler: Sampler) -> Iterator[Running]:
    """Give the call under our instrumentation, with every recorded span encoded."""
    processor = BatchSpanProcessor(Encoder())

    def finish() -> None:
        in_force().flush()
        processor.force_flush()

    with instrumented(asked, sampler=sampler, processor=processor) as call:
        yield Running(call, finish)


@contextmanager
def naive(asked: Subject, facts: dict[str, Any]) -> Iterator[Running]:
    """Give the call under the naive twin, which records and encodes all."""
    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(Encoder()))
    yield Running(naive_twin(asked.plain, facts, provider.get_tracer("twin")), provider.force_flush)
    provider.shutdown()


@contextmanager
def hooked(call: Call) -> Iterator[Running]:
    """Give the call with hooks of torch's own on every module, before and after."""
    module = torch.nn.modules.module
    before = module.register_module_forward_pre_hook(lambda *_: None)
    after = module.register_module_forward_hook(lambda *_: None)
    yield Running(call)
    before.remove()
    after.remove()


def process_seconds(way: Way, calls: int) -> float:
    """Return the processor time of all threads for one call, with all that follows from it."""
    with way.set_up() as (call, finish):
        call()
        finish()
        start = time.process_time()
        for _ in range(calls):
            call()
        finish()
        return (time.process_time() - start) / calls


def in_turns(ways: Sequence[Way], repetitions: int, calls: int) -> dict[str, float]:
    """Return the median processor time of a call by each way, taken in turns."""
    turns = [[process_seconds(way, calls) for way in ways] for _ in range(repetitions)]
    return dict(
        zip(
            [way.name for way in ways],
            map(statistics.median, zip(*turns, strict=True)),
            strict=True,
        )
    )


def service() -> list[Way]:
    """Return the ways to run a service that asks a logistic regression about single rows."""
    model = LogisticRegression().fit(BATCH, BATCH[:, 0] > 0)
    asked = subject("sklearn", model, "predict_proba", SAMPLE)
    return [
        Way("a logistic regression, one row", lambda: nullcontext(Running(asked.plain))),
        Way(
            "1 % recorded, all in the metrics", partial(exporting, asked, TraceIdRatioBased(_RATE))
        ),
        Way("all recorded", partial(exporting, asked, ALWAYS_ON)),
        Way("naive twin, all recorded, no metrics", partial(naive, asked, facts_of(asked))),
    ]


def network() -> list[Way]:
    """Return the ways to run a network of 40 modules."""
    layers = [
        layer for _ in range(_PAIRS) for layer in (torch.nn.Linear(_WIDTH, _WIDTH), torch.nn.ReLU())
    ]
    module = torch.nn.Sequential(*layers).eval().requires_grad_(requires_grad=False)
    asked = subject("torch", module, "__call__", torch.zeros(1, _WIDTH))
    return [
        Way("a network of 40 modules, one row", lambda: nullcontext(Running(asked.plain))),
        Way("as a part of another call", partial(passing, asked)),
        Way("not sampled, all in the metrics", partial(exporting, asked, ALWAYS_OFF)),
        Way("all recorded", partial(exporting, asked, ALWAYS_ON)),
        Way("hooks on every module that do nothing", partial(hooked, asked.plain)),
    ]


def show_shares(ways: Sequence[Way], repetitions: int, calls: int) -> None:
    """Print what each way adds to the first, as a share of it."""
    found = in_turns(ways, repetitions, calls)
    alone, *others = found.items()
    table = Table(
        "added to the process", "us", "share", title=f"{alone[0]}: {1e6 * alone[1]:.0f} us"
    )
    for name, seconds in others:
        more = seconds - alone[1]
        table.add_row(name, f"{1e6 * more:.1f}", f"{more / alone[1]:.0%}")
    Console().print(table)


def behind(asked: Subject, calls: int) -> float:
    """Return the microseconds per call that are spent outside of the calling thread's calls."""
    with instrumented(asked, sampler=ALWAYS_OFF) as call:
        call()
        in_force().flush()
        start, of_thread = time.process_time(), time.thread_time()
        for _ in range(calls):
            call()
        in_calls = time.thread_time() - of_thread
        in_force().flush()
        return 1e6 * (time.process_time() - start - in_calls) / calls


def recorded(asked: Subject, settings: Settings) -> Sequence[ReadableSpan]:
    """Return as many spans of ours as go out together."""
    exporter = InMemorySpanExporter()
    with instrumented(asked, settings, processor=SimpleSpanProcessor(exporter)) as call:
        for _ in range(_SPANS):
            call()
    return exporter.get_finished_spans()


def by_hand(facts: dict[str, Any]) -> Sequence[ReadableSpan]:
    """Return as many spans with *facts*."""
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracer = provider.get_tracer("by hand")
    for _ in range(_SPANS):
        tracer.start_span("predict Instant", attributes=facts).end()
    return exporter.get_finished_spans()


def encoding(spans: Sequence[ReadableSpan], repetitions: int) -> float:
    """Return the microseconds that encoding one of *spans* takes."""
    times = []
    for _ in range(repetitions):
        start = time.thread_time()
        encode_spans(spans).SerializeToString()
        times.append(time.thread_time() - start)
    return 1e6 * statistics.median(times) / len(spans)


def show_ratios(repetitions: int, calls: int) -> None:
    """Print what is done outside of the calls, per call or span, as ratios to a bare span."""
    one, several = sklearn_subject(SAMPLE), sklearn_subject(BATCH)
    facts = facts_of(one)
    bare = CallWay(lambda: nullcontext(bare_span(one.plain, facts)), one.plain)
    unit = statistics.median(added(bare, calls) for _ in range(repetitions))
    row = SAMPLE[0].tolist()
    scalars = {f"{ML_INPUT_FEATURES}.{position}": value for position, value in enumerate(row)}
    found = {
        "a bare recorded span, 12 attributes": unit,
        "the metrics' thread, a call of one row": statistics.median(
            behind(one, calls) for _ in range(repetitions)
        ),
        f"the same, {len(BATCH)} rows": statistics.median(
            behind(several, calls) for _ in range(repetitions)
        ),
        "encoding our span": encoding(recorded(one, Settings()), repetitions),
        "encoding our span with 30 features": encoding(recorded(one, _CONTENT), repetitions),
        "twin: 30 features as a list": encoding(by_hand({**facts, "features": row}), repetitions),
        "twin: as 30 attributes": encoding(by_hand({**facts, **scalars}), repetitions),
    }
    table = Table("outside of the calls", "us", "ratio", title="per call, and per span")
    for name, microseconds in found.items():
        table.add_row(name, f"{microseconds:.1f}", f"{microseconds / unit:.2f}")
    Console().print(table)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repetitions", type=int, default=9, help="turns of all ways (9)")
    parser.add_argument("--calls", type=int, default=1000, help="calls per turn and way (1000)")
    arguments = parser.parse_args()
    show_shares(service(), arguments.repetitions, arguments.calls)
    if "torch" in globals():
        show_shares(network(), arguments.repetitions, arguments.calls)
    show_ratios(arguments.repetitions, arguments.calls)


if __name__ == "__main__":
    main()

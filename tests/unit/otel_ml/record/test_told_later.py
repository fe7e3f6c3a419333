"""What recorded calls say is worked out when somebody looks: it is what was worked out in the call before."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from json import loads
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from opentelemetry import trace
from opentelemetry.attributes import BoundedAttributes
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import (
    ReadableSpan,
    SpanLimits,
    SpanProcessor,
    TracerProvider,
    sampling,
)
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import (
    ALWAYS_ON,
    Decision,
    ParentBased,
    Sampler,
    SamplingResult,
    TraceIdRatioBased,
)
from sklearn.base import BaseEstimator, ClassifierMixin

import otel_ml
from otel_ml.record import tracing
from otel_ml.record.deferred import DeferredAttributes
from otel_ml.record.told import Told
from otel_ml.record.unread import Unread
from otel_ml.settings import Settings

STREAM = ("ml.call.stream", "ml.call.sequence")
NAMES = ["age", "income", "debt"]


class Model(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """A classifier that answers what it is made with; a user's class, whose labels are two texts."""

    def __init__(self, answer: Any = None) -> None:
        self.answer = answer
        self.classes_ = np.array(["no", "yes"])
        self.feature_names_in_ = np.array(NAMES)

    def predict(self, samples: Any) -> Any:
        """Return the answer."""
        return self.answer

    def predict_proba(self, samples: Any) -> Any:
        """Return the answer, or of each sample its first feature as the probability of `yes`."""
        if self.answer is not None:
            return self.answer
        return np.column_stack([1 - samples[:, 0], samples[:, 0]])

    def predict_log_proba(self, samples: Any) -> Any:
        """Return the answer."""
        return self.answer

    def decision_function(self, samples: Any) -> Any:
        """Return the answer."""
        return self.answer


@contextmanager
def instrumented(
    provider: TracerProvider, settings: Settings | None = None, reader: Any = None
) -> Iterator[None]:
    """Instrument scikit-learn for the block, with spans from *provider*."""
    otel_ml.instrument(
        ["sklearn"],
        tracer_provider=provider,
        meter_provider=MeterProvider([reader] if reader else []),
        settings=settings or Settings(),
    )
    try:
        yield
    finally:
        otel_ml.uninstrument()


def points(reader: InMemoryMetricReader, name: str) -> list[Any]:
    """Return the data points of metric *name*."""
    data = reader.get_metrics_data()
    return [
        point
        for metric in (data.resource_metrics[0].scope_metrics[0].metrics if data else ())
        if metric.name == name
        for point in metric.data.data_points
    ]


class Kept(SpanProcessor):
    """Keeps ended spans and does not look at them."""

    def __init__(self) -> None:
        self.spans: list[ReadableSpan] = []

    def on_end(self, span: ReadableSpan) -> None:
        """Keep it."""
        self.spans.append(span)

    @property
    def attributes(self) -> list[tuple[str, Any]]:
        """The attributes of the one span, in order, but those that no two calls share."""
        (span,) = self.spans
        told = span.attributes or {}
        return [(key, told[key]) for key in told if key not in STREAM]


def told(
    model: Model,
    method: str,
    samples: Any,
    settings: Settings | None = None,
    limits: SpanLimits | None = None,
) -> tuple[bool, list[tuple[str, Any]], int]:
    """Return whether the attributes of a call's span wait for who looks, they, and how many were dropped."""
    kept = Kept()
    provider = TracerProvider(span_limits=limits)
    provider.add_span_processor(kept)
    with instrumented(provider, settings):
        getattr(model, method)(samples)
        waits = is_unread(kept.spans[0])
        return waits, kept.attributes, kept.spans[0].dropped_attributes


def is_unread(span: ReadableSpan) -> bool:
    """Whether nothing of what the model answered was looked at yet."""
    attributes: Any = span._attributes
    # By what it is made of: whatever looks at it otherwise works it out.
    tell = vars(attributes)["_tell"] if type(attributes) is DeferredAttributes else None
    return isinstance(
        getattr(tell, "__self__", tell.unread if type(tell) is Told else None), Unread
    )


@contextmanager
def in_the_call() -> Iterator[None]:
    """Take the SDK for one that is not known, so that all is told in the call, by its public methods."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tracing, "is_sdk_known", bool)
        yield


FINITE = st.floats(-1e6, 1e6)
ANY = st.one_of(FINITE, st.sampled_from([np.nan, np.inf, -np.inf, 0.0, 1e300]))
INPUT_TYPES = st.sampled_from([np.float64, np.float32, np.float16, np.int64, bool, object])
SETTINGS = st.sampled_from(
    [
        Settings(),
        Settings(capture_content="span_only"),
        Settings(capture_content="span_only", feature_denylist=("income",)),
        Settings(capture_content="span_only", capture_max_features=2),
        Settings(capture_content="span_only", capture_max_bytes=40),
        Settings(capture_content="event_only"),
        Settings(capture_content="span_only", capture_input_hash=True, input_hash_key="k" * 16),
        Settings(capture_outputs="none"),
        Settings(capture_outputs="full"),
        Settings(validation="off"),
    ]
)


@st.composite
def calls(draw: st.DrawFn) -> tuple[str, Any, Any]:
    """Draw a method, an input and an answer, mostly sound ones."""
    with np.errstate(all="ignore"):
        rows = draw(st.integers(1, 4))
        cells = draw(
            st.lists(draw(st.sampled_from([FINITE, ANY])), min_size=3 * rows, max_size=3 * rows)
        )
        kind = draw(INPUT_TYPES)
        samples = np.nan_to_num(np.array(cells)) if kind is np.int64 else np.array(cells)
        samples = samples.reshape(rows, 3).astype(kind)
        shares = np.array(draw(st.lists(st.floats(0, 1), min_size=rows, max_size=rows)))
        both = np.column_stack([1 - shares, shares])
        numbers = np.array(draw(st.lists(ANY, min_size=rows, max_size=rows)))
        answers = [
            ("predict_proba", both),
            ("predict_proba", both.astype(np.float32)),
            ("predict_proba", [both, both]),
            ("predict_log_proba", np.log(np.clip(both, 1e-9, 1))),
            ("predict_proba", numbers.reshape(-1, 1)),
            ("predict_proba", both[:-1]),
            ("predict", np.array(["no", "yes"])[np.round(shares).astype(int)]),
            ("predict", np.round(shares).astype(int)),
            ("predict", numbers),
            ("predict", np.array(["no"] * rows, dtype=object)),
            ("predict", ["no"] * rows),
            ("predict", None),
            ("decision_function", numbers),
            ("decision_function", np.tile(numbers, (2, 1)).T),
        ]
        method, answer = draw(st.sampled_from(answers))
    return method, samples, answer


@hypothesis_settings(max_examples=150)
@given(call=calls(), settings=SETTINGS)
def test_told_later_is_told_the_same(call: tuple[str, Any, Any], settings: Settings) -> None:
    """Whatever is asked, answered and permitted: names, values and their order are those told in the call."""
    method, samples, answer = call
    assume(len(samples) == 1 or settings.capture_max_bytes > 1000)  # else some of them are drawn
    later = told(Model(answer), method, samples, settings)
    with in_the_call():
        at_once = told(Model(answer), method, samples, settings)
    assert not at_once[0]
    assert repr(later[1:]) == repr(at_once[1:])  # by their text, for NaN is not equal to itself


@pytest.mark.parametrize("most", [0, 1, 7, 14, 40])
def test_limits_of_the_sdk_hold(most: int) -> None:
    """What is too much, or too long, is dropped and cut as if it had been told in the call."""
    limits = SpanLimits(max_span_attributes=most, max_span_attribute_length=3)
    samples = np.array([[0.3, 1.0, 2.0]])
    later = told(Model(), "predict_proba", samples, limits=limits)
    with in_the_call():
        at_once = told(Model(), "predict_proba", samples, limits=limits)
    assert later == (True, *at_once[1:])
    assert len(later[1]) <= most


@pytest.mark.parametrize("rows", [1, 3, 100])
@pytest.mark.parametrize("content", ["no_content", "span_only"])
def test_the_usual_call_waits(rows: int, content: Any) -> None:
    """Of one sample and of a hundred, with content and without: nothing is described in the call."""
    samples = np.random.default_rng(0).random((rows, 3))
    waits, attributes, _ = told(
        Model(), "predict_proba", samples, Settings(capture_content=content)
    )
    assert waits
    assert "ml.validation.result" in dict(attributes)


def test_samples_of_a_large_batch_stand_beside_their_own_confidences() -> None:
    """Copies of some samples are written: those whose confidences are told."""
    samples = np.random.default_rng(0).random((100, 3))
    settings = Settings(capture_content="span_only")
    waits, attributes, _ = told(Model(), "predict_proba", samples, settings)
    facts = dict(attributes)
    captured = loads(facts["ml.input.rows"])
    assert waits
    assert len(captured) > 3
    assert facts["ml.prediction.confidences"] == pytest.approx(
        [max(row["age"], 1 - row["age"]) for row in captured]
    )
    assert [tuple(row.values()) for row in captured] == [
        tuple(row) for row in samples.tolist() if dict(zip(NAMES, row, strict=True)) in captured
    ]


def test_what_happens_to_arrays_afterwards_is_not_seen() -> None:
    """A buffer that is used again, and an answer that is worked on in place, were told as they stood."""
    samples, kept = np.array([[0.25, 1.0, 2.0]]), Kept()
    provider = TracerProvider()
    provider.add_span_processor(kept)
    with instrumented(provider, Settings(capture_content="span_only")):
        answer = Model().predict_proba(samples)
        samples[:] = answer[:] = np.nan
    facts = dict(kept.attributes)
    assert facts["ml.prediction.confidence"] == 0.75
    assert loads(facts["ml.input.features"]) == {"age": 0.25, "income": 1.0, "debt": 2.0}
    assert facts["ml.input.missing.count"] == 0


def test_a_model_that_works_in_place_is_told_as_it_was_asked() -> None:
    """Values are those that were given, not what the model made of them."""

    class Scaling(Model):
        def predict_proba(self, samples: Any) -> Any:
            samples /= 100
            return np.array([[0.5, 0.5]])

    settings = Settings(capture_content="span_only")
    _, attributes, _ = told(Scaling(), "predict_proba", np.array([[1.0, 2.0, 3.0]]), settings)
    assert loads(dict(attributes)["ml.input.features"]) == {"age": 1.0, "income": 2.0, "debt": 3.0}


def _attributes(args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
    return dict((kwargs["attributes"] if "attributes" in kwargs else args[4]) or {})


class Watching(Sampler):
    """A sampler of the user's, which reads the attributes at the start."""

    def __init__(self) -> None:
        self.seen: list[dict[str, Any]] = []

    def should_sample(self, *args: Any, **kwargs: Any) -> SamplingResult:
        """Keep what it sees, and take everything."""
        attributes = _attributes(args, kwargs)
        self.seen.append(attributes)
        return SamplingResult(Decision.RECORD_AND_SAMPLE, attributes)

    def get_description(self) -> str:
        """Return what the SDK's would."""
        return "AlwaysOnSampler"


class WatchingRatio(TraceIdRatioBased):
    """The SDK's own, extended: it may read attributes too."""

    def __init__(self) -> None:
        super().__init__(1.0)
        self.seen: list[dict[str, Any]] = []

    def should_sample(self, *args: Any, **kwargs: Any) -> SamplingResult:
        """Keep what it sees, and decide as the SDK's does."""
        self.seen.append(_attributes(args, kwargs))
        return super().should_sample(*args, **kwargs)


SAMPLERS: dict[str, Callable[[Any], Sampler]] = {
    "itself": lambda watching: watching,
    "as its parent": ParentBased,
    "under a parent": lambda watching: ParentBased(ALWAYS_ON, local_parent_sampled=watching),
    # It came late: with an older SDK this is one of the others once more.
    "inside another": getattr(sampling, "AlwaysRecordSampler", ParentBased),
}


@pytest.mark.parametrize("kind", [Watching, WatchingRatio])
@pytest.mark.parametrize("place", SAMPLERS.values(), ids=SAMPLERS)
def test_a_sampler_of_the_users_sees_what_is_known_at_the_start(
    kind: Callable[[], Any], place: Callable[[Any], Sampler]
) -> None:
    """Whose model, which operation, how many samples: it may decide by them."""
    watching, kept = kind(), Kept()
    provider = TracerProvider(sampler=place(watching))
    provider.add_span_processor(kept)
    with instrumented(provider):
        Model().predict_proba(np.ones((2, 3)))
        with provider.get_tracer("t").start_as_current_span("request"):
            Model().predict_proba(np.ones((2, 3)))
    (seen, *_) = [seen for seen in watching.seen if seen]
    assert (seen["ml.model.name"], seen["ml.batch.size"]) == ("Model", 2)
    assert any(dict(span.attributes or {}).items() >= seen.items() for span in kept.spans)


class Greeting(SpanProcessor):
    """A processor of the user's that looks at spans as they start, and adds to them."""

    def __init__(self) -> None:
        self.seen: list[Mapping[str, Any]] = []

    def on_start(self, span: Any, parent_context: Any = None) -> None:
        """Keep what is there, and say hello."""
        self.seen.append(dict(span.attributes))
        span.set_attribute("hello", 1)


def test_a_processor_of_the_users_sees_what_is_known_at_the_start() -> None:
    """Also one that comes later."""
    early, late, kept = Greeting(), Greeting(), Kept()
    provider = TracerProvider()
    provider.add_span_processor(kept)
    with instrumented(provider):
        Model().predict_proba(np.ones((1, 3)))
        for processor in (early, late):
            provider.add_span_processor(processor)
            Model().predict_proba(np.ones((1, 3)))
    assert [len(greeting.seen) for greeting in (early, late)] == [2, 1]
    for seen in (*early.seen, *late.seen):
        assert (seen["ml.model.name"], seen["ml.batch.size"]) == ("Model", 1)
    for span in kept.spans[1:]:
        assert dict(span.attributes or {}).keys() >= {"hello", "ml.validation.result"}


def test_a_processor_whose_own_function_stands_before_its_class_is_heard() -> None:
    """One object of the SDK's class may look at the start where others do not."""
    seen: list[dict[str, Any]] = []

    def on_start(span: Any, parent_context: Any = None) -> None:
        seen.append(dict(span.attributes))

    odd, provider = SpanProcessor(), TracerProvider()
    vars(odd)["on_start"] = on_start
    provider.add_span_processor(odd)
    with instrumented(provider):
        Model().predict_proba(np.ones((1, 3)))
    assert seen[0]["ml.model.name"] == "Model"


def test_a_processor_that_looks_at_the_end_finds_everything() -> None:
    """At once, in the thread of the call."""
    seen: list[dict[str, Any]] = []

    class Looking(SpanProcessor):
        def on_end(self, span: ReadableSpan) -> None:
            seen.append(dict(span.attributes or {}))

    provider = TracerProvider()
    provider.add_span_processor(Looking())
    with instrumented(provider):
        Model().predict_proba(np.array([[0.25, 1.0, 2.0]]))
    assert seen[0]["ml.prediction.confidence"] == 0.75
    assert seen[0]["ml.model.name"] == "Model"


def test_inside_the_call_the_span_says_what_is_known_and_takes_more() -> None:
    """A model that looks at the current span finds whose it is, and what it adds stays in its place."""
    seen: list[dict[str, Any]] = []

    class Curious(Model):
        def predict_proba(self, samples: Any) -> Any:
            span: Any = trace.get_current_span()
            seen.append(dict(span.attributes))
            span.set_attribute("mine", 1)
            return super().predict_proba(samples)

    _, attributes, _ = told(Curious(), "predict_proba", np.array([[0.25, 1.0, 2.0]]))
    names = [key for key, _ in attributes]
    assert seen[0]["ml.batch.size"] == 1
    assert names.index("ml.batch.size") < names.index("mine") < names.index("ml.prediction.label")


def test_a_span_that_the_user_ends_keeps_what_it_had() -> None:
    """What comes after its end is not told, and nothing is raised."""

    class Ending(Model):
        def predict_proba(self, samples: Any) -> Any:
            trace.get_current_span().end()
            return super().predict_proba(samples)

    _, attributes, _ = told(Ending(), "predict_proba", np.array([[0.25, 1.0, 2.0]]))
    assert "ml.model.name" in dict(attributes)
    assert "ml.prediction.label" not in dict(attributes)


def test_a_batch_of_spans_is_exported_whole() -> None:
    """A forced flush and a shutdown lose nothing of what nobody has looked at yet."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=600_000))
    with instrumented(provider):
        for _ in range(3):
            Model().predict_proba(np.array([[0.25, 1.0, 2.0]]))
        provider.force_flush()
        Model().predict_proba(np.array([[0.25, 1.0, 2.0]]))
    provider.shutdown()
    spans = exporter.get_finished_spans()
    assert [dict(span.attributes or {})["ml.prediction.confidence"] for span in spans] == [0.75] * 4


def test_what_is_cut_is_counted_when_it_is_told() -> None:
    """A span that nobody looks at tells nothing, so nothing of it was cut; one that is looked at twice was cut once."""
    reader, exporter, provider = InMemoryMetricReader(), InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    settings = Settings(capture_content="span_only", capture_max_features=2)
    with instrumented(provider, settings, reader):
        for _ in range(3):
            Model().predict_proba(np.array([[0.25, 1.0, 2.0]]))
        assert not points(reader, "ml.sdk.truncated")
        for span in 2 * exporter.get_finished_spans()[1:]:
            assert (span.attributes or {})["ml.content.truncated"] is True
        (point,) = points(reader, "ml.sdk.truncated")
    assert point.value == 2


def test_confidences_that_are_found_later_lead_to_their_spans() -> None:
    """An exemplar of the confidences bears the trace of the call that it is of."""
    reader, exporter = InMemoryMetricReader(), InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    with instrumented(provider, None, reader):
        Model().predict_proba(np.array([[0.25, 1.0, 2.0]]))
        (point,) = points(reader, "ml.prediction.confidence")
    (exemplar,) = point.exemplars
    (span,) = exporter.get_finished_spans()
    assert span.context is not None
    assert (exemplar.trace_id, exemplar.span_id) == (span.context.trace_id, span.context.span_id)


@pytest.mark.parametrize("place", ["describe_probabilities", "describe_confidences"])
def test_what_cannot_be_worked_out_is_counted_and_the_rest_is_told(
    place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever looks is not raised at: the span says what it can, and the failure is a number."""
    reader, kept = InMemoryMetricReader(), Kept()
    provider = TracerProvider()
    provider.add_span_processor(kept)

    def failing(*_args: Any, **_options: Any) -> Sequence[float]:
        raise MemoryError

    monkeypatch.setattr(f"otel_ml.instrumentors._answers.{place}", failing)
    monkeypatch.setattr(f"otel_ml.record.unread.{place}", failing, raising=False)
    with instrumented(provider, None, reader):
        Model().predict_proba(np.array([[0.25, 1.0, 2.0]]))
        facts = dict(kept.attributes)
        reader.get_metrics_data()
        (point,) = points(reader, "ml.sdk.errors")
    assert (point.attributes["ml.sdk.error.cause"], point.value) == ("describe_output", 1)
    assert facts["ml.input.feature.count"] == 3
    assert facts["ml.validation.result"] == "pass"


def test_attributes_are_the_sdks_own_when_they_were_read() -> None:
    """An exporter that asks for the type of a span's attributes meets nothing new."""
    kept = Kept()
    provider = TracerProvider()
    provider.add_span_processor(kept)
    with instrumented(provider):
        Model().predict_proba(np.array([[0.25, 1.0, 2.0]]))
    assert kept.attributes
    assert type(kept.spans[0]._attributes) is BoundedAttributes

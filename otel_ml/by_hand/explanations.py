"""What predictions are attributed to, and the time that finding it out takes."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from math import isfinite
from typing import Any, Final, NamedTuple

from opentelemetry import trace

from otel_ml.by_hand.afterwards import Inferred, find
from otel_ml.by_hand.attributions import Attributions, read_attributions, read_base
from otel_ml.by_hand.capture import capture_of
from otel_ml.by_hand.operations import Operation, identity, operation
from otel_ml.by_hand.outputs import UnreadableError
from otel_ml.by_hand.typed import sample_index, text
from otel_ml.describe.probabilities import class_label
from otel_ml.describe.samples import draw_rows
from otel_ml.in_force import in_force
from otel_ml.record.tracing import is_enabled
from otel_ml.recorder import InferenceRecorder
from otel_ml_conventions import attributes as keys
from otel_ml_conventions.attributes import MlExplanationMethodValues
from otel_ml_conventions.events import EVENT_ML_EXPLANATION

__all__ = ["Explanation", "explanation", "record_explanation"]

_METHODS: Final = tuple(method.value for method in MlExplanationMethodValues)
# What tells of the sample, which a content hook sees.
_CONTENT: Final = frozenset({keys.ML_EXPLANATION_ATTRIBUTIONS, keys.ML_EXPLANATION_TOP_FEATURES})
_ON_LOG: Final = frozenset({"event_only", "span_and_event"})
_ON_SPAN: Final = frozenset({"span_only", "span_and_event"})


def record_explanation(
    attributions: Any,
    *,
    method: str = "other",
    names: Sequence[str] | None = None,
    target: object = None,
    base_value: Any = None,
    top: int = 10,
    prediction: str | trace.SpanContext | trace.Span | None = None,
    index: int | None = None,
    model: str | None = None,
    version: str | None = None,
) -> None:
    """
    Say what a prediction is attributed to: the *top* features by absolute value.

    Attributions are content, as values of features are: with `capture_content="no_content"`, the
    default, nothing leaves. With `event_only` it is the event `ml.explanation`, in the trace context
    of the inference; with `span_only` the same on the span while that records, with the names of
    the features in `ml.explanation.top_features`; with `span_and_event` both. The lists of allowed
    and denied features hold here too, and a content hook sees attributions before they leave. Values
    of features never leave, though SHAP's objects hold them. Nothing is raised; what cannot be understood is counted and logged once.

    Args:
        attributions: A mapping from feature to contribution, or a pandas series; a data frame; an
            `Explanation` of SHAP; or numbers in the order of *names*, as its `shap_values` gives them. Of several
            samples one event each is made, of at most `capture_max_rows` samples, drawn at random.
        method: A value of `ml.explanation.method`.
        names: Names of the features where *attributions* do not have them.
        target: The class or output that is explained; of several outputs it says which.
        base_value: What the model answers when it knows nothing of the sample; of several outputs one each, as
            an explainer's `expected_value`.
        top: How many features are told.
        prediction: The prediction's id, or the span context (or span) of the inference; by default
            the inference that this context is about.
        index: Position of the sample in its batch, from 0; several have those in which they are given.
        model: Name of the model, where the inference was made elsewhere.
        version: Version of the model, likewise.
    """
    said = _Said(_method(method), target, base_value, top, index)
    _tell(attributions, names, said, (prediction, model, version), trace.INVALID_SPAN)


class Explanation:
    """Finding out what predictions of a model are attributed to; `explanation` makes it."""

    def __init__(self, under_way: Operation, method: str, target: object) -> None:
        self._span = under_way.span or trace.INVALID_SPAN
        self._identity = under_way.identity
        self._method = method
        self._target = target

    def record(
        self,
        attributions: Any,
        *,
        names: Sequence[str] | None = None,
        base_value: Any = None,
        top: int = 10,
        prediction: str | trace.SpanContext | trace.Span | None = None,
        index: int | None = None,
    ) -> None:
        """Say what was found, as `record_explanation` does, also on the span of the explanation."""
        said = _Said(_method(self._method), self._target, base_value, top, index)
        name, version = map(self._identity.get, (keys.ML_MODEL_NAME, keys.ML_MODEL_VERSION))
        _tell(attributions, names, said, (prediction, name, version), self._span)


@contextmanager
def explanation(
    name: str,
    *,
    method: str = "other",
    version: str | None = None,
    framework: str | None = None,
    task: str | None = None,
    implementation: str | None = None,
    target: object = None,
    batch_size: int | None = None,
    prediction_id: object = None,
) -> Iterator[Explanation]:
    """
    Make a span `ml.explain` of the block, in which the calls of the model are no inferences.

    Args:
        name: Name of the model.
        method: A value of `ml.explanation.method`.
        version: Version of the model.
        framework: A value of `ml.framework.name`; its version is told where it is imported.
        task: A value of `ml.task.type`.
        implementation: Class of the model.
        target: The class or output that is explained.
        batch_size: Number of samples that are explained.
        prediction_id: Id of the prediction, if one is explained.
    """
    facts = {
        **identity(name, version, framework, task, implementation),
        keys.ML_EXPLANATION_METHOD: _method(method),
        keys.ML_EXPLANATION_TARGET: target,
        keys.ML_BATCH_SIZE: batch_size,
        keys.ML_PREDICTION_ID: prediction_id,
    }
    with operation("explain", name, facts, hides_calls=True) as under_way:
        yield Explanation(under_way, method, target)


class _Said(NamedTuple):
    """What is said of every explained sample."""

    method: str
    target: object
    base_value: Any
    top: int
    position: int | None


def _method(method: object) -> str:
    is_known = isinstance(method, str) and method in _METHODS
    return str(method) if is_known else MlExplanationMethodValues.OTHER.value


def _may_leave(recorder: InferenceRecorder) -> bool:
    if recorder.settings.capture_content != "no_content":
        return True
    recorder.withheld(
        "record_explanation", "attributions are content, and capture_content=no_content"
    )
    return False


def _tell(
    attributions: Any,
    names: Sequence[str] | None,
    said: _Said,
    about: tuple[Any, str | None, str | None],
    explaining: trace.Span,
) -> None:
    recorder = in_force()
    if not is_enabled() or not _may_leave(recorder):
        return
    try:
        samples = read_attributions(attributions, names, said.target)
        if not any(isfinite(each) for sample in samples for each in sample.by_feature.values()):
            raise UnreadableError("expected attributions that are finite, found none")  # noqa: TRY301 - refused as all others
        _record_samples(recorder, find(*about), samples, said, explaining)
    except UnreadableError as error:
        recorder.refused("record_explanation", str(error))
    except Exception as error:  # noqa: BLE001 - what a user gives may raise anything
        recorder.failed("record_explanation", error)


def _record_samples(
    recorder: InferenceRecorder,
    inferred: Inferred,
    samples: list[Attributions],
    said: _Said,
    explaining: trace.Span,
) -> None:
    told = sample_index(said.position)
    if told is not None and len(samples) > 1:
        raise UnreadableError("expected an index of one sample, found several samples")
    for row in draw_rows(len(samples), recorder.settings.capture_max_rows):
        chosen = _chosen(recorder, samples[row], said.top)
        index = row if told is None and len(samples) > 1 else told
        if chosen:
            one = said._replace(position=index, base_value=_base(samples[row], said))
            _record(recorder, inferred, chosen, one, explaining)


def _base(sample: Attributions, said: _Said) -> float | None:
    return sample.base_value if said.base_value is None else read_base(said.base_value, said.target)


def _chosen(recorder: InferenceRecorder, sample: Attributions, top: int) -> dict[str, float]:
    """Return the weightiest attributions that may leave, the weightiest first."""
    permits = capture_of(recorder).permits
    allowed = {
        name: value
        for name, value in sample.by_feature.items()
        if isfinite(value) and permits(name if sample.are_named else None)
    }
    weightiest = sorted(allowed, key=lambda name: abs(allowed[name]), reverse=True)[: max(top, 1)]
    return {text(name): allowed[name] for name in weightiest}


def _record(
    recorder: InferenceRecorder,
    inferred: Inferred,
    chosen: dict[str, float],
    said: _Said,
    explaining: trace.Span,
) -> None:
    facts = {
        **inferred.facts,
        keys.ML_PREDICTION_INDEX: said.position,
        keys.ML_EXPLANATION_METHOD: said.method,
        keys.ML_EXPLANATION_TARGET: None if said.target is None else class_label(said.target),
        keys.ML_EXPLANATION_BASE_VALUE: said.base_value,
        keys.ML_EXPLANATION_TOP_FEATURES: list(chosen),
        keys.ML_EXPLANATION_ATTRIBUTIONS: chosen,
    }
    told = {key: fact for key, fact in facts.items() if fact is not None}
    known = capture_of(recorder).filtered(told, inferred.span, _CONTENT)
    if keys.ML_EXPLANATION_ATTRIBUTIONS not in known:
        return
    mode = recorder.settings.capture_content
    recorder.event(
        EVENT_ML_EXPLANATION, known, inferred.span, to_log=mode in _ON_LOG, to_span=mode in _ON_SPAN
    )
    names = known.get(keys.ML_EXPLANATION_TOP_FEATURES)
    if mode in _ON_SPAN and said.position is None and names is not None:
        _name_features(names, inferred, explaining)


def _name_features(names: list[str], inferred: Inferred, explaining: trace.Span) -> None:
    of_call = trace.INVALID_SPAN if inferred.recording is None else inferred.span
    for span in (of_call, explaining):
        if span.is_recording():
            span.set_attribute(keys.ML_EXPLANATION_TOP_FEATURES, names)

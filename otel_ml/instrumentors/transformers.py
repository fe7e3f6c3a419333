"""Transformers: what pipelines answer, at once or step by step; what generates text is told as that."""

import inspect
import re
import sys
import weakref
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from types import GeneratorType, ModuleType
from typing import Any, Final

from otel_ml.describe.arrays import Table, read_table
from otel_ml.describe.by_identity import ByIdentity
from otel_ml.describe.embeddings import describe_embeddings
from otel_ml.describe.labelled_scores import LabelledScores, describe_labelled_scores
from otel_ml.describe.models import framework_of, registrations
from otel_ml.describe.probabilities import describe_shape
from otel_ml.describe.values import Facts
from otel_ml.in_force import Lease
from otel_ml.instrumentors._arguments import given_first
from otel_ml.instrumentors._awaited import FRAMEWORKS
from otel_ml.instrumentors._generation import Generation
from otel_ml.instrumentors._hugging_face import hub_metadata, loaded_from
from otel_ml.instrumentors._identity import identify
from otel_ml.instrumentors._instrumentor import Coverage, FrameworkInstrumentor
from otel_ml.instrumentors._loading import Loaded
from otel_ml.instrumentors._observing import Observer
from otel_ml.instrumentors._passes import ANSWERED, Pass
from otel_ml.instrumentors._steps import Step, Steps
from otel_ml.instrumentors._subject import Captured, Subject
from otel_ml.instrumentors._turns import within
from otel_ml.instrumentors._wrapping import Hooks
from otel_ml.instrumentors.torch import Module
from otel_ml.record.generation import GenerationRecorder, is_opted_in
from otel_ml.record.given_up import given_up
from otel_ml.running import running
from otel_ml.settings import Settings
from otel_ml_conventions import attributes as keys
from otel_ml_conventions.attributes import (
    MlFrameworkNameValues,
    MlOperationNameValues,
    MlTaskTypeValues,
)

__all__ = ["TransformersInstrumentor"]

_CALL: Final = "__call__"
_BEGINS: Final = "__iter__"
_STEPS: Final = "__next__"
_GENERATES: Final = "generate"
_MAKES: Final = "pipeline"
_LOADS: Final = "from_pretrained"
_AROUND: Final = {
    "preprocess": MlOperationNameValues.PREPROCESS.value,
    "postprocess": MlOperationNameValues.POSTPROCESS.value,
}
# Where versions keep what generates for many requests at once: its thread calls the model for every token.
_BATCHES: Final = (
    "transformers.generation.continuous_batching",
    "transformers.generation.continuous_batching.continuous_api",
)
_BINARY: Final = 2
_RAW: Final = "none"  # instead of what makes probabilities of scores
_EACH_BY_ITSELF: Final = "sigmoid"
_LABELS: Final = frozenset({keys.ML_PREDICTION_LABEL, keys.ML_PREDICTION_LABELS})
_OF_DISTRIBUTIONS: Final = frozenset({keys.ML_PREDICTION_ENTROPY, keys.ML_PREDICTION_MARGIN})

_CLASSIFY: Final = frozenset(
    {
        "audio-classification",
        "image-classification",
        "text-classification",
        "video-classification",
        "zero-shot-audio-classification",
        "zero-shot-classification",
        "zero-shot-image-classification",
    }
)
# They answer with a text that they generate, or take part in a conversation.
_WRITE: Final = frozenset(
    {
        "any-to-any",
        "image-text-to-text",
        "image-to-text",
        "summarization",
        "text-generation",
        "text2text-generation",
        "translation",
    }
)
_TASKS: Final = {
    "depth-estimation": MlTaskTypeValues.REGRESSION,
    "feature-extraction": MlTaskTypeValues.EMBEDDING,
    "image-feature-extraction": MlTaskTypeValues.EMBEDDING,
    "image-segmentation": MlTaskTypeValues.SEGMENTATION,
    "image-to-image": MlTaskTypeValues.GENERATION,
    "mask-generation": MlTaskTypeValues.SEGMENTATION,
    "object-detection": MlTaskTypeValues.OBJECT_DETECTION,
    "text-to-audio": MlTaskTypeValues.GENERATION,
    "zero-shot-object-detection": MlTaskTypeValues.OBJECT_DETECTION,
}
_KNOWN: Final = _CLASSIFY | _WRITE | _TASKS.keys()
_WORDS: Final = re.compile(r"(?<=[a-z])(?=[A-Z])")
# What pipelines call their samples: who gives them by name may name an option before them.
_SAMPLES: Final = (
    "inputs",
    "sequences",
    "images",
    "image",
    "audios",
    "videos",
    "text_inputs",
    "table",
    "question",
)
_OPERATIONS: Final = {
    MlTaskTypeValues.EMBEDDING: MlOperationNameValues.EMBED,
    MlTaskTypeValues.GENERATION: MlOperationNameValues.GENERATE,
}

# Where the wrappers on the library's classes find us.
hooks: Final = Hooks()


class TransformersInstrumentor(FrameworkInstrumentor):
    """
    Makes a span and metrics of every outermost call of a pipeline, and of no call of its parts.

    A pipeline that generates text is no inference of ours: its model's `generate` is a span of
    `gen_ai.*`, where `OTEL_SEMCONV_STABILITY_OPT_IN` asks for `gen_ai_latest_experimental`.
    """

    framework = FRAMEWORKS["transformers"]
    hooks = hooks

    _tracer_provider: Any = None

    def _begin(self, held: Lease) -> None:
        self._tracer_provider = held.providers.tracer_provider
        super()._begin(held)

    def read(self, settings: Settings, model: Any, is_part: bool) -> Subject:
        """Return what *model*, a pipeline or a model that was loaded without one, tells of itself."""
        if hasattr(model, "named_parameters"):
            return Module(settings, model, is_part)
        return _Pipeline(settings, model, is_part)

    def loaded(
        self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any], result: Any
    ) -> Loaded | None:
        """Return the pipeline or model that was made of a folder or a repository; None where it was not."""
        model = getattr(result, "model", result)
        config = getattr(model, "config", None)
        place = given_first(args[1:], kwargs)
        if name == _MAKES:
            place = args[1] if len(args) > 1 else kwargs.get("model")
            place = place or getattr(config, "_name_or_path", None)
        return loaded_from(place, result, config)

    def cover(self, coverage: Coverage) -> None:
        """Wrap the call of every pipeline, the steps of those that are read lazily, and `generate`."""
        wrap = _wrap_call_and_steps if self._tells_parts() else _wrap_call

        def cover_pipelines(module: ModuleType) -> None:
            coverage.adopt_family(module.Pipeline, wrap)

        def cover_iterators(module: ModuleType) -> None:
            for owner in (module.PipelineIterator, module.PipelinePackIterator):
                coverage.observe(owner, _BEGINS, _STEPS)

        def cover_generation(module: ModuleType) -> None:
            coverage.observe(module.GenerationMixin, _GENERATES)

        def cover_trainer(module: ModuleType) -> None:
            coverage.guard(module.Trainer, "train", trains=True)
            coverage.guard(module.Trainer, "evaluate")

        def cover_making(module: ModuleType) -> None:
            package = sys.modules["transformers"]
            # Which the package then keeps under its own name.
            given = getattr(package, _MAKES, None)
            for place in (package, module) if given is not None else (module,):
                coverage.load(place, _MAKES)

        def cover_loading(module: ModuleType) -> None:
            coverage.load(module.PreTrainedModel, _LOADS)

        coverage.when_imported("transformers.pipelines", cover_making)
        coverage.when_imported("transformers.modeling_utils", cover_loading)
        coverage.when_imported("transformers.pipelines.base", cover_pipelines)
        coverage.when_imported("transformers.pipelines.pt_utils", cover_iterators)
        coverage.when_imported("transformers.generation.utils", cover_generation)
        for place in _BATCHES:
            coverage.when_imported(place, partial(_cover_batches, coverage))
        coverage.when_imported("transformers.trainer", cover_trainer)

    def observing(self, observer: Observer) -> Callable[..., Any]:
        """Return what tells calls of pipelines, steps of iterators and generation apart."""
        generation = Generation(observer, self._generation_recorder())
        passes: ByIdentity[Pass] = ByIdentity()
        call = self._calling(observer)

        def observe(
            original: Callable[..., Any], method: str, args: tuple[Any, ...], kwargs: dict[str, Any]
        ) -> Any:
            if method == _GENERATES:
                return generation.observe(original, args, kwargs)
            known = passes.get(args[0]) if args else None
            if known is not None:
                return known.turn(original, args, kwargs, begins=method == _BEGINS)
            if method in _AROUND:
                return call(original, method, args, kwargs)
            if method != _CALL or running.get() or not args or _writes(args[0]):
                return original(*args, **kwargs)
            if not _is_lazy(args, kwargs):
                return call(original, method, args, kwargs)
            with within(args[0]):
                result = original(*args, **kwargs)
            _remember(passes, result, Pass(observer, _CALL, args[0]))
            return result

        return observe

    def _calling(self, observer: Observer) -> Callable[..., Any]:
        """Return what makes inferences of calls, and steps of what is around a call, where asked for."""
        if self._recorder is None or not self._tells_parts():
            return observer.observe
        steps = Steps(self._recorder, self.framework.name, _steps_of, take_samples=False)

        def call(
            original: Callable[..., Any], method: str, args: tuple[Any, ...], kwargs: dict[str, Any]
        ) -> Any:
            if method in _AROUND:
                return steps.inside(original, _AROUND[method], args, kwargs)
            with steps.known(args):
                return observer.observe(original, method, args, kwargs)

        return call

    def _tells_parts(self) -> bool:
        return self._recorder is not None and self._recorder.settings.capture_nested

    def _generation_recorder(self) -> GenerationRecorder | None:
        recorder = self._recorder
        if recorder is None or not is_opted_in():
            return None
        scope = (recorder.meter.name, recorder.meter.version)
        return GenerationRecorder(self._tracer_provider, scope, recorder.failed)


def _cover_batches(coverage: Coverage, module: ModuleType) -> None:
    manager = getattr(module, "ContinuousBatchingManager", None)
    if manager is not None:
        coverage.guard(manager, "_run_generation_loop", "warmup")


def _wrap_call(coverage: Coverage, owner: type) -> None:
    coverage.observe(owner, _CALL)


def _wrap_call_and_steps(coverage: Coverage, owner: type) -> None:
    _wrap_call(coverage, owner)
    for name in _AROUND:
        # Of one that is a generator the pieces go to the model in turn: it is no step before it.
        if not inspect.isgeneratorfunction(owner.__dict__.get(name)):
            coverage.observe(owner, name)


def _steps_of(pipeline: Any) -> Mapping[int, Step]:
    """Return what a pipeline does before and after its model is asked: called as its task is."""
    return {id(pipeline): Step(_task_name(pipeline) or type(pipeline).__name__)}


def _task_name(pipeline: Any) -> str:
    """
    Return the pipeline's task, or that of the library's class where users call it otherwise.

    It may be an alias (`sentiment-analysis`), one with languages, a name of one's own, or none: a
    class that is called without the library's `pipeline` is told no task.
    """
    task = str(getattr(pipeline, "task", None) or "")
    of_classes = () if task in _KNOWN else map(_task_of_class, type(pipeline).__mro__)
    return next((known for known in of_classes if known in _KNOWN), task)


def _task_of_class(kind: type) -> str:
    """Return what the library's naming makes of a class: `text-classification` of `TextClassificationPipeline`."""
    if not kind.__module__.startswith("transformers."):
        return ""
    return _WORDS.sub("-", kind.__name__.removesuffix("Pipeline")).lower()


def _writes(pipeline: Any) -> bool:
    return _task_name(pipeline) in _WRITE


def _is_lazy(args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    """Whether the samples are drawn one by one, after the call."""
    return any(map(_draws, args[1:2] or kwargs.values()))


def _draws(samples: Any) -> bool:
    kinds = {
        kind.__name__ for kind in type(samples).__mro__ if kind.__module__.startswith("torch.")
    }
    return isinstance(samples, GeneratorType) or "Dataset" in kinds


def _samples(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Return what a pipeline is asked about, given its arguments without the pipeline itself."""
    if args:
        return args[0]
    named = (kwargs[name] for name in _SAMPLES if name in kwargs)
    return next(named, next(iter(kwargs.values()), None))


def _remember(passes: "ByIdentity[Pass]", result: Any, entry: "Pass") -> None:
    if type(result).__name__ in {"PipelineIterator", "PipelinePackIterator"}:
        passes.remember(result, entry)
        given_up.expect()
        weakref.finalize(result, given_up.end, entry.end)


class _Pipeline:
    """What is read of a pipeline once."""

    feature_names: tuple[str, ...] | None = None  # a text, an image has none

    def __init__(self, settings: Settings, pipeline: Any, is_part: bool) -> None:
        self._task_name = _task_name(pipeline)
        model = getattr(pipeline, "model", None)
        config = getattr(model, "config", None)
        chosen = getattr(pipeline, "_postprocess_params", {})
        self._applied = chosen.get("function_to_apply")
        self._has_several = bool(chosen.get("multi_label"))
        task = self._task(config)
        if task is MlTaskTypeValues.MULTILABEL_CLASSIFICATION and self._applied is None:
            self._applied = _EACH_BY_ITSELF
        self._gives_classes = (
            self._task_name in _CLASSIFY and task is not MlTaskTypeValues.REGRESSION
        )
        self._operation = _OPERATIONS.get(task, MlOperationNameValues.PREDICT)
        self.model = identify(
            pipeline,
            settings,
            framework_of(type(pipeline), MlFrameworkNameValues.TRANSFORMERS.value),
            task,
            hub_metadata(config, model),
            said=registrations.get(pipeline) or registrations.get(model),
            is_part=is_part,
        )

    def _task(self, config: Any) -> MlTaskTypeValues:
        if self._task_name not in _CLASSIFY:
            return _TASKS.get(self._task_name, MlTaskTypeValues.OTHER)
        problem = getattr(config, "problem_type", None)
        # One that is asked about the caller's own words has labels for something else.
        is_own = "zero-shot" in self._task_name
        n_labels = None if is_own else getattr(config, "num_labels", None)
        # The library trains one label without a kind of problem as a regression; rerankers are such.
        if problem == "regression" or (problem is None and n_labels == 1):
            return MlTaskTypeValues.REGRESSION
        if problem == "multi_label_classification":
            return MlTaskTypeValues.MULTILABEL_CLASSIFICATION
        if n_labels == _BINARY:
            return MlTaskTypeValues.BINARY_CLASSIFICATION
        return MlTaskTypeValues.MULTICLASS_CLASSIFICATION

    def operation(self, _method: str) -> str:
        """Return `embed` for features, `generate` for sound and images, else `predict`."""
        return self._operation.value

    def table(self, _method: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Table:
        """Return the samples: a list of them, or one. Only of texts more is told than the number."""
        given = _samples(args, kwargs)
        samples = given if isinstance(given, list) else [given]
        if all(isinstance(sample, str) for sample in samples):
            return read_table(samples)
        table = Table(None)
        table.rows = None if given is None else len(samples)
        return table

    def matters_unsampled(self, _method: str) -> bool:
        """Whether the pipeline gives confidences."""
        return self._gives_classes

    def outputs(self, _method: str, output: Any, captured: Captured) -> Facts:
        """Return class and confidence, the dimension of embeddings, or the shape."""
        if output is ANSWERED:
            return {}
        if self._gives_classes:
            return self._sure_of(_classes(output, captured), captured)
        if self._operation is MlOperationNameValues.EMBED:
            return _dimension(output) or {}
        return describe_shape(output)

    def _sure_of(self, facts: Facts, captured: Captured) -> Facts:
        """Return what of *facts* the scores bear out: raw ones are no confidences, and those of labels each by themselves no distribution."""
        applied = _name(captured.argument("function_to_apply") or self._applied)
        if applied == _RAW:
            return {key: facts[key] for key in _LABELS & facts.keys()}
        several = captured.argument("multi_label")
        is_each = self._has_several if several is None else several
        if is_each or applied == _EACH_BY_ITSELF:  # they may add up to 1 by chance
            return {key: facts[key] for key in facts.keys() - _OF_DISTRIBUTIONS}
        return facts


def _name(function: Any) -> str | None:
    """Return the name of a function that is given by name or as a member of an enumeration."""
    return None if function is None else str(getattr(function, "value", function)).lower()


def _classes(output: Any, captured: Captured) -> Facts:
    """Return what labels and scores say, in whatever form they come."""
    is_one = captured.positions(1) is not None
    answers = [_labelled(output)] if is_one else [_labelled(answer) for answer in output]
    rows = captured.positions(len(answers))
    known = [answer for answer in answers if answer is not None]
    if not rows or len(known) < len(answers):
        return {}
    return describe_labelled_scores(known, rows)


def _labelled(answer: Any) -> LabelledScores | None:
    """Return the labels and scores of one sample: `{label, score}`, a list of these, `{labels, scores}`."""
    while isinstance(answer, list) and len(answer) == 1:
        answer = answer[0]
    if isinstance(answer, Mapping) and "labels" in answer:
        return LabelledScores(answer["labels"], answer["scores"])
    named: Sequence[Any] = answer if isinstance(answer, list) else [answer]
    if not named or not all(isinstance(one, Mapping) and "score" in one for one in named):
        return None
    return LabelledScores([one["label"] for one in named], [one["score"] for one in named])


def _dimension(output: Any) -> Facts | None:
    """Return the length of the innermost axis of features: of lists in lists, or of a tensor."""
    if not isinstance(output, list):
        return describe_embeddings(output)
    while isinstance(output, list) and output and isinstance(output[0], list):
        output = output[0]
    if isinstance(output, list) and output and isinstance(output[0], float):
        return {keys.ML_EMBEDDING_DIMENSION: len(output)}
    return describe_embeddings(output)

"""Sentence Transformers: what embeds texts, and what scores pairs of them; neither text nor vector is told."""

from collections.abc import Sequence
from contextlib import suppress
from types import ModuleType
from typing import Any, Final

from otel_ml.describe.arrays import Table
from otel_ml.describe.embeddings import describe_embeddings
from otel_ml.describe.models import Registration, framework_of, registrations
from otel_ml.describe.probabilities import describe_shape
from otel_ml.describe.soundness import is_array
from otel_ml.describe.tensors import plain_array
from otel_ml.describe.values import Facts
from otel_ml.instrumentors._answers import Answer, Answers
from otel_ml.instrumentors._awaited import FRAMEWORKS
from otel_ml.instrumentors._hugging_face import class_names, hub_metadata, loaded_from
from otel_ml.instrumentors._identity import identify
from otel_ml.instrumentors._instrumentor import Coverage, FrameworkInstrumentor
from otel_ml.instrumentors._loading import Loaded
from otel_ml.instrumentors._subject import Captured, Subject
from otel_ml.instrumentors._wrapping import Hooks
from otel_ml.settings import Settings
from otel_ml_conventions.attributes import (
    MlFrameworkNameValues,
    MlOperationNameValues,
    MlTaskTypeValues,
)

__all__ = ["SentenceTransformersInstrumentor"]

_EMBEDDERS: Final = ("SentenceTransformer", "SparseEncoder", "MultiVectorEncoder")
_EMBEDS: Final = ("encode", "encode_query", "encode_document", "encode_multi_process")
_SCORES: Final = ("predict", "rank")
_TRAINS: Final = ("fit", "old_fit")
_EVALUATES: Final = ("evaluate",)
_INPUTS: Final = ("inputs", "sentences", "documents")  # what versions call the texts
_PLACES: Final = ("model_name_or_path", "model_name")  # what versions call where a model is
_BINARY: Final = 2
_PACKED: Final = frozenset({"binary", "ubinary"})  # precisions of one bit for each component
_BITS: Final = 8  # in each number of these

# Where the wrappers on the library's classes find us.
hooks: Final = Hooks()


class SentenceTransformersInstrumentor(FrameworkInstrumentor):
    """
    Makes a span and metrics of every outermost call that embeds texts or scores pairs of them.

    Of embeddings the dimension and the mean norm are told, of texts their number.
    """

    framework = FRAMEWORKS["sentence_transformers"]
    hooks = hooks

    def read(self, settings: Settings, model: Any, is_part: bool) -> Subject:
        """Return what *model*, an encoder, tells of itself."""
        return _Encoder(settings, model, is_part)

    def cover(self, coverage: Coverage) -> None:
        """Wrap the encoders that this version has, and guard what trains them."""

        def cover_encoders(package: ModuleType) -> None:
            for name in _EMBEDDERS:
                _cover(coverage, getattr(package, name, None), _EMBEDS)
            _cover(coverage, package.CrossEncoder, _SCORES)

        def cover_trainer(trainer: ModuleType) -> None:
            coverage.guard(trainer.Trainer, "train", trains=True)

        coverage.when_imported("sentence_transformers", cover_encoders)
        coverage.when_imported("transformers.trainer", cover_trainer)

    def loaded(
        self, _name: str, args: tuple[Any, ...], kwargs: dict[str, Any], _result: Any
    ) -> Loaded | None:
        """Return the encoder that was made of a folder or a repository; one of parts was not loaded."""
        named = next((kwargs[name] for name in _PLACES if name in kwargs), None)
        place = args[1] if len(args) > 1 else named
        if place is None:
            return None
        config = None
        with suppress(Exception):  # of one that could not be made nothing can be asked
            config = _config(args[0])
        return loaded_from(place, args[0], config)


def _cover(coverage: Coverage, encoder: type | None, methods: Sequence[str]) -> None:
    for owner in () if encoder is None else encoder.__mro__:
        if owner.__module__.startswith("sentence_transformers"):
            coverage.observe(owner, *methods)
            coverage.guard(owner, *_TRAINS, trains=True)
            coverage.guard(owner, *_EVALUATES)
            coverage.load(owner, "__init__")


class _Encoder:
    """What is read of an encoder once, until one is trained."""

    feature_names: tuple[str, ...] | None = None  # texts have none

    def __init__(self, settings: Settings, encoder: Any, is_part: bool) -> None:
        said = registrations.get(encoder) or Registration()
        embeds = any(cls.__name__ in _EMBEDDERS for cls in type(encoder).__mro__)
        config = _config(encoder)
        self._answers = Answers(settings, said.class_names or class_names(config))
        task = MlTaskTypeValues.EMBEDDING if embeds else _task(config)
        self._ranks = task is MlTaskTypeValues.RANKING
        self.model = identify(
            encoder,
            settings,
            framework_of(type(encoder), MlFrameworkNameValues.SENTENCE_TRANSFORMERS.value),
            task,
            hub_metadata(config, encoder),
            is_part=is_part,
        )

    def operation(self, method: str) -> str:
        """Return `embed`, or `predict` for what scores pairs."""
        if method in _EMBEDS:
            return MlOperationNameValues.EMBED.value
        return MlOperationNameValues.PREDICT.value

    def table(self, method: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Table:
        """Return how many texts or pairs there are; the texts themselves never leave."""
        given = args[1:] if method == "rank" else args  # the first is what all are ranked for
        named = (kwargs[name] for name in _INPUTS if name in kwargs)
        table = Table(None)
        table.rows = _count(method, given[0] if given else next(named, None))
        return table

    def matters_unsampled(self, method: str) -> bool:
        """Whether *method* gives confidences."""
        return method == "predict" and not self._ranks

    def outputs(self, method: str, output: Any, captured: Captured) -> Facts:
        """Return dimension and norm of embeddings, or what a classification of pairs says."""
        if method in _EMBEDS:
            is_packed = captured.argument("precision") in _PACKED
            per_number = _BITS if is_packed else 1
            return describe_embeddings(output, per_number) or describe_shape(output)
        if method == "rank":
            return {}
        plain = plain_array(output)
        scores = output if plain is None else plain
        if not self._ranks and is_array(scores) and scores.ndim == 1 < scores.size:
            scores = scores.reshape(1, -1)  # of one pair that was in no list
        answer = Answer.SCORES if self._ranks else Answer.PROBABILITIES
        return self._answers.describe(answer, scores, captured)


def _count(method: str, samples: Any) -> int | None:
    """Return how many texts, or pairs of them, there are; None where only a pass could tell."""
    if isinstance(samples, (str, dict)):
        return 1
    length: int | None = len(samples) if hasattr(samples, "__len__") else None
    first = samples[0] if length and isinstance(samples, (list, tuple)) else None
    is_pair = method == "predict" and isinstance(first, str)
    is_conversation = isinstance(first, dict) and "role" in first
    return 1 if is_pair or is_conversation else length


def _config(encoder: Any) -> Any:
    """Return the configuration of the transformer inside; older encoders do not give it."""
    config = getattr(encoder, "config", None)
    if config is not None:
        return config
    first = encoder._first_module()  # noqa: SLF001 - there is no public place in all versions
    return getattr(getattr(first, "auto_model", None), "config", None)


def _task(config: Any) -> MlTaskTypeValues:
    classes = getattr(config, "num_labels", 1)
    if classes == 1:
        return MlTaskTypeValues.RANKING
    if classes == _BINARY:
        return MlTaskTypeValues.BINARY_CLASSIFICATION
    return MlTaskTypeValues.MULTICLASS_CLASSIFICATION

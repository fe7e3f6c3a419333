"""Pipelines that are made, asked and gone through in other ways than most: the facts are the same."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import transformers

from otel_ml import register_model
from otel_ml.testing import Capture
from otel_ml_conventions import attributes as keys
from tests.data.framework_calls import attributes_of
from tests.data.tiny_transformers import classifier, generator, tokenizer

TEXTS = ["a good film", "bad", "a film"]
LABELS = ["no", "maybe", "entailment"]


class Own(transformers.TextClassificationPipeline):  # type: ignore[misc]  # published without types
    """A pipeline of one's own."""


@pytest.fixture(name="tokens")
def tokens(tmp_path: Path) -> Any:
    """Return a tokenizer."""
    return tokenizer(tmp_path)


def sentiment(tokens: Any) -> Any:
    """Return a pipeline that classifies texts."""
    return transformers.pipeline("text-classification", model=classifier(2), tokenizer=tokens)


MADE: dict[str, Callable[[Any, Any], Any]] = {
    "by an alias": lambda model, tokens: transformers.pipeline(
        "sentiment-analysis", model=model, tokenizer=tokens
    ),
    "by its class": lambda model, tokens: transformers.TextClassificationPipeline(
        model=model, tokenizer=tokens
    ),
    "of a class of one's own": lambda model, tokens: Own(model=model, tokenizer=tokens),
    "for a task of one's own": lambda model, tokens: Own(
        model=model, tokenizer=tokens, task="moods"
    ),
}


@pytest.mark.parametrize("made", MADE)
def test_a_pipeline_is_known_however_its_task_is_called(
    conforming: Capture, tokens: Any, made: str
) -> None:
    """The task by which it was made may be an alias, of one's own, or not told at all."""
    pipeline = MADE[made](classifier(2), tokens)
    told = attributes_of(conforming, lambda: pipeline("bad"))
    (answer,) = pipeline("bad")
    assert told[keys.ML_TASK_TYPE] == "binary_classification"
    assert told[keys.ML_PREDICTION_LABEL] == answer["label"]
    assert told[keys.ML_PREDICTION_CONFIDENCE] == pytest.approx(answer["score"])


def test_a_pipeline_of_a_class_that_writes_is_silent(conforming: Capture, tokens: Any) -> None:
    """As one that was made for its task."""
    pipeline = transformers.TextGenerationPipeline(model=generator(), tokenizer=tokens)
    pipeline("a good film", max_new_tokens=2, do_sample=False)
    assert list(conforming.spans) == []


def test_options_may_come_before_the_samples(conforming: Capture, tokens: Any) -> None:
    """By name everything has its place, whatever is named first."""
    pipeline = sentiment(tokens)
    told = attributes_of(conforming, lambda: pipeline(batch_size=2, inputs=TEXTS))
    assert told[keys.ML_BATCH_SIZE] == 3
    assert len(told[keys.ML_PREDICTION_LABELS]) == 3
    drawn = (text for text in TEXTS)
    told = attributes_of(conforming, lambda: list(pipeline(batch_size=2, inputs=drawn)))
    assert told[keys.ML_BATCH_SIZE] == 3
    assert told[keys.ML_FRAMEWORK_NAME] == "transformers"


def test_classes_may_be_named_before_the_text(conforming: Capture, tokens: Any) -> None:
    """Three classes of one text are not three texts."""
    ids = {
        "id2label": dict(enumerate(LABELS)),
        "label2id": {name: i for i, name in enumerate(LABELS)},
    }
    pipeline = transformers.pipeline(
        "zero-shot-classification", model=classifier(3, **ids), tokenizer=tokens
    )
    asked = {"candidate_labels": ["good", "bad", "film"], "sequences": "a good film"}
    told = attributes_of(conforming, lambda: pipeline(**asked))
    assert told[keys.ML_BATCH_SIZE] == 1
    assert told[keys.ML_PREDICTION_LABEL] == pipeline(**asked)["labels"][0]


def test_an_iterator_that_is_begun_twice_is_one_inference(conforming: Capture, tokens: Any) -> None:
    """A `for` begins anew what `iter` has begun; nobody was answered in between."""
    pipeline = sentiment(tokens)
    told = attributes_of(conforming, lambda: list(iter(pipeline(text for text in TEXTS))))
    assert told[keys.ML_BATCH_SIZE] == 3


def test_a_model_that_is_registered_names_its_pipeline(conforming: Capture, tokens: Any) -> None:
    """Unless the pipeline itself is registered."""
    model = classifier(2)
    pipeline = transformers.pipeline("text-classification", model=model, tokenizer=tokens)
    register_model(model, name="films", version="2")
    told = attributes_of(conforming, lambda: pipeline("bad"))
    assert (told[keys.ML_MODEL_NAME], told[keys.ML_MODEL_VERSION]) == ("films", "2")
    register_model(pipeline, name="moods")
    told = attributes_of(conforming, lambda: pipeline("bad"))
    assert told[keys.ML_MODEL_NAME] == "moods"

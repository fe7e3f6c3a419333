"""Calls of pipelines become inferences, at once or lazily; generation is told as `gen_ai.*` or not at all."""

import gc
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from opentelemetry import trace
from transformers.pipelines.pt_utils import PipelineIterator

from otel_ml import register_model
from otel_ml.describe.probabilities import entropy
from otel_ml.instrumentors import uninstrument
from otel_ml.record.given_up import given_up
from otel_ml.settings import Settings
from otel_ml.testing import Capture, capture
from otel_ml_conventions import attributes as keys
from tests.data.framework_calls import assert_put_back, attributes_of, round_trips
from tests.data.giving_up import Locking, drop_in_a_cycle, is_collected_under
from tests.data.tiny_transformers import (
    classifier,
    encoder,
    folder_of,
    generator,
    tokenizer,
    translator,
)

OPT_IN = "OTEL_SEMCONV_STABILITY_OPT_IN"
TEXTS = ["a good film", "bad", "a film"]


@pytest.fixture(name="tokens")
def tokens(tmp_path: Path) -> Any:
    """Return a tokenizer."""
    return tokenizer(tmp_path)


def sentiment(tokens: Any, labels: int = 3, **options: Any) -> Any:
    """Return a pipeline that classifies texts."""
    return transformers.pipeline(
        "text-classification", model=classifier(labels), tokenizer=tokens, **options
    )


def test_one_text_is_one_inference(conforming: Capture, tokens: Any) -> None:
    """The label and the score that come back are the class and the confidence."""
    pipeline = sentiment(tokens)
    told = attributes_of(conforming, lambda: pipeline("a good film"))
    (answer,) = pipeline("a good film")
    assert told[keys.ML_BATCH_SIZE] == 1
    assert told[keys.ML_PREDICTION_LABEL] == answer["label"]
    assert told[keys.ML_PREDICTION_CONFIDENCE] == pytest.approx(answer["score"])
    assert told[keys.ML_TASK_TYPE] == "multiclass_classification"
    assert told[keys.ML_OPERATION_NAME] == "predict"
    assert told[keys.ML_FRAMEWORK_NAME] == "transformers"
    assert (told[keys.ML_DEVICE_NAME], told[keys.ML_MODEL_PRECISION]) == ("cpu", "float32")


@pytest.mark.parametrize("options", [{}, {"top_k": None}, {"batch_size": 2}, {"top_k": 1}])
def test_a_list_is_one_inference(conforming: Capture, tokens: Any, options: Any) -> None:
    """However the texts are batched inside, and however many classes are named of each."""
    pipeline = sentiment(tokens)
    told = attributes_of(conforming, lambda: pipeline(TEXTS, **options))
    best = [max(named, key=lambda one: one["score"]) for named in pipeline(TEXTS, top_k=None)]
    scores = [one["score"] for one in best]
    assert told[keys.ML_BATCH_SIZE] == 3
    assert list(told[keys.ML_PREDICTION_LABELS]) == [one["label"] for one in best]
    assert list(told[keys.ML_PREDICTION_CONFIDENCES]) == pytest.approx(scores, abs=1e-5)
    assert told[keys.ML_BATCH_CONFIDENCE_MEAN] == pytest.approx(np.mean(scores), abs=1e-5)
    assert told[keys.ML_BATCH_CONFIDENCE_MIN] == pytest.approx(min(scores), abs=1e-5)


@pytest.mark.parametrize("texts", ["bad", ["bad"]])
def test_all_classes_tell_how_open_the_question_was(
    conforming: Capture, tokens: Any, texts: Any
) -> None:
    """With the scores of all classes entropy and margin are known, of one text or a list of one."""
    pipeline = sentiment(tokens)
    told = attributes_of(conforming, lambda: pipeline(texts, top_k=None))
    scores = sorted(one["score"] for one in pipeline("bad", top_k=None))
    assert told[keys.ML_PREDICTION_ENTROPY] == pytest.approx(entropy(scores))
    assert told[keys.ML_PREDICTION_MARGIN] == pytest.approx(scores[-1] - scores[-2])


def test_raw_scores_are_no_confidences(conforming: Capture, tokens: Any) -> None:
    """A score that was not made a probability may lie between 0 and 1 all the same."""
    pipeline = sentiment(tokens, function_to_apply="none")
    told = attributes_of(conforming, lambda: pipeline("bad"))
    assert keys.ML_PREDICTION_LABEL in told
    assert keys.ML_PREDICTION_CONFIDENCE not in told
    other = sentiment(tokens)
    told = attributes_of(conforming, lambda: other("bad", function_to_apply="none"))
    assert keys.ML_PREDICTION_CONFIDENCE not in told


@pytest.mark.parametrize(
    ("labels", "config", "task"),
    [
        (2, {}, "binary_classification"),
        (3, {}, "multiclass_classification"),
        (3, {"problem_type": "multi_label_classification"}, "multilabel_classification"),
        (1, {"problem_type": "regression"}, "regression"),
        (1, {}, "regression"),
    ],
)
def test_the_configuration_tells_the_task(
    conforming: Capture, tokens: Any, labels: int, config: Any, task: str
) -> None:
    """By the number of classes and the kind of problem that the model was trained for."""
    pipeline = transformers.pipeline(
        "text-classification", model=classifier(labels, **config), tokenizer=tokens
    )
    assert attributes_of(conforming, lambda: pipeline("bad"))[keys.ML_TASK_TYPE] == task


@pytest.mark.parametrize(
    ("config", "options"),
    [
        ({"problem_type": "multi_label_classification"}, {}),
        ({}, {"function_to_apply": "sigmoid"}),
    ],
)
def test_scores_that_are_each_by_themselves_are_no_distribution(
    conforming: Capture, tokens: Any, config: Any, options: Any
) -> None:
    """Also where they add up to 1, as those of a model do that finds all its labels to be even."""
    model = classifier(2, **config)
    torch.nn.init.zeros_(model.classifier.weight)
    pipeline = transformers.pipeline("text-classification", model=model, tokenizer=tokens)
    told = attributes_of(conforming, lambda: pipeline("bad", top_k=None, **options))
    assert told[keys.ML_PREDICTION_CONFIDENCE] == 0.5
    assert not {keys.ML_PREDICTION_ENTROPY, keys.ML_PREDICTION_MARGIN} & told.keys()


def test_a_score_without_a_choice_is_no_confidence(conforming: Capture, tokens: Any) -> None:
    """Of two texts that do not fit together a reranker says nearly 0, and is sure of that."""
    pipeline = transformers.pipeline("text-classification", model=classifier(1), tokenizer=tokens)
    told = attributes_of(conforming, lambda: pipeline("bad"))
    assert not {keys.ML_PREDICTION_CONFIDENCE, keys.ML_PREDICTION_LABEL} & told.keys()


def test_classes_that_the_caller_names_are_told(conforming: Capture, tokens: Any) -> None:
    """A zero-shot pipeline answers with the caller's words, best first."""
    names = ["no", "maybe", "entailment"]
    ids = {"label2id": {name: number for number, name in enumerate(names)}}
    model = classifier(3, id2label=dict(enumerate(names)), **ids)
    pipeline = transformers.pipeline("zero-shot-classification", model=model, tokenizer=tokens)
    told = attributes_of(conforming, lambda: pipeline("a good film", ["good", "bad"]))
    answer = pipeline("a good film", ["good", "bad"])
    assert told[keys.ML_PREDICTION_LABEL] == answer["labels"][0]
    assert told[keys.ML_PREDICTION_CONFIDENCE] == pytest.approx(answer["scores"][0])
    assert keys.ML_PREDICTION_MARGIN in told
    told = attributes_of(conforming, lambda: pipeline(TEXTS, ["good", "bad"]))
    assert len(told[keys.ML_PREDICTION_LABELS]) == 3
    torch.nn.init.zeros_(model.classifier.weight)
    told = attributes_of(
        conforming, lambda: pipeline("a good film", ["good", "bad"], multi_label=True)
    )
    assert told[keys.ML_PREDICTION_CONFIDENCE] == 0.5
    assert keys.ML_PREDICTION_MARGIN not in told  # each of them may be true or not


@pytest.mark.parametrize("options", [{}, {"return_tensors": True}])
def test_features_are_embeddings(conforming: Capture, tokens: Any, options: Any) -> None:
    """Their dimension is told; the vectors of tokens have no length worth telling."""
    pipeline = transformers.pipeline("feature-extraction", model=encoder(), tokenizer=tokens)
    told = attributes_of(conforming, lambda: pipeline("a good film", **options))
    assert (told[keys.ML_OPERATION_NAME], told[keys.ML_TASK_TYPE]) == ("embed", "embedding")
    assert told[keys.ML_EMBEDDING_DIMENSION] == 8
    assert keys.ML_EMBEDDING_NORM not in told


def test_other_tasks_tell_their_operation(conforming: Capture, tokens: Any) -> None:
    """Of what finds names in a text, how many texts there were."""
    model = transformers.BertForTokenClassification(classifier(2).config)
    pipeline = transformers.pipeline("token-classification", model=model, tokenizer=tokens)
    told = attributes_of(conforming, lambda: pipeline(TEXTS))
    assert (told[keys.ML_OPERATION_NAME], told[keys.ML_TASK_TYPE]) == ("predict", "other")
    assert told[keys.ML_BATCH_SIZE] == 3


class Films(torch.utils.data.Dataset[str]):
    """Four texts, drawn one by one."""

    def __len__(self) -> int:
        return 4

    def __getitem__(self, index: int) -> str:
        return TEXTS[index % 3]


def drawn() -> Iterator[str]:
    """Yield three texts."""
    yield from TEXTS


@pytest.mark.parametrize(("samples", "number"), [(drawn, 3), (Films, 4)])
def test_what_is_drawn_lazily_is_one_inference(
    conforming: Capture, tokens: Any, samples: Any, number: int
) -> None:
    """From the first answer to the last; the caller gets the iterator that it always got."""
    pipeline = sentiment(tokens)
    conforming.clear()
    answers = pipeline(samples())
    assert type(answers) is PipelineIterator
    assert list(conforming.spans) == []
    for _ in answers:
        assert not trace.get_current_span().get_span_context().is_valid
        assert list(conforming.spans) == []
    assert conforming.attributes[keys.ML_BATCH_SIZE] == number
    assert conforming.attributes[keys.ML_VALIDATION_RESULT] == "pass"


def test_a_second_pass_is_another_inference(conforming: Capture, tokens: Any) -> None:
    """A dataset can be gone through again; each time somebody is answered."""
    answers = sentiment(tokens)(Films())
    assert len(list(answers)) == len(list(answers)) == 4
    assert [span.attributes[keys.ML_BATCH_SIZE] for span in conforming.spans] == [4, 4]  # type: ignore[index]  # they have some


def test_an_iterator_that_is_given_up_ends_its_inference(conforming: Capture, tokens: Any) -> None:
    """What was answered until then counts."""
    answers = iter(sentiment(tokens)(drawn()))
    next(answers)
    next(answers)
    assert list(conforming.spans) == []
    del answers
    gc.collect()
    assert conforming.attributes[keys.ML_BATCH_SIZE] == 2


def test_an_iterator_that_garbage_collection_takes_waits_for_no_lock(
    conforming: Capture, tokens: Any
) -> None:
    """Its span ends in a thread of ours: the one that collects may hold what an exporter waits for."""
    locking = Locking()
    conforming.tracer_provider.add_span_processor(locking)
    answers = iter(sentiment(tokens)(drawn()))
    next(answers)
    drop_in_a_cycle(answers)
    del answers

    assert is_collected_under(locking.lock)
    given_up.settle()
    assert [is_main for _, is_main in locking.ended] == [False]
    assert conforming.attributes[keys.ML_BATCH_SIZE] == 1


def test_an_error_on_the_way_ends_the_inference(captured: Capture, tokens: Any) -> None:
    """The user's own error arrives, and its class is on the span."""

    def broken() -> Iterator[str]:
        yield "good"
        raise LookupError("no more")

    with pytest.raises(LookupError, match="no more"):
        list(sentiment(tokens)(broken()))
    assert captured.attributes[keys.ERROR_TYPE] == "LookupError"
    assert captured.attributes[keys.ML_BATCH_SIZE] == 1


def test_a_model_is_named_by_its_folder(conforming: Capture, tmp_path: Path) -> None:
    """The folders above may name a person, so they are not told."""
    place = folder_of(classifier(2), tmp_path / "sentiment")
    pipeline = transformers.pipeline("text-classification", model=str(place))
    told = attributes_of(conforming, lambda: pipeline("bad"))
    assert told[keys.ML_MODEL_NAME] == "sentiment"
    register_model(pipeline, name="films", version="3")
    told = attributes_of(conforming, lambda: pipeline("bad"))
    assert (told[keys.ML_MODEL_NAME], told[keys.ML_MODEL_VERSION]) == ("films", "3")


def test_a_folder_beside_the_program_is_no_repository(
    conforming: Capture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its path may look like one, with an owner who never was."""
    folder_of(classifier(2), tmp_path / "jane" / "sentiment")
    monkeypatch.chdir(tmp_path)
    pipeline = transformers.pipeline("text-classification", model="jane/sentiment")
    assert conforming.spans[0].name == "load sentiment"
    told = attributes_of(conforming, lambda: pipeline("bad"))
    assert told[keys.ML_MODEL_NAME] == "sentiment"


def test_generation_is_told_in_upstreams_words(
    monkeypatch: pytest.MonkeyPatch, tokens: Any
) -> None:
    """Where it is asked for: one span of `gen_ai.*`, with the tokens of the one text, and nothing of `ml.*`."""
    monkeypatch.setenv(OPT_IN, "http, gen_ai_latest_experimental")
    model = generator()
    pipeline = transformers.pipeline("text-generation", model=model, tokenizer=tokens)
    with capture() as seen:
        asked = {"max_new_tokens": 4, "min_new_tokens": 4, "do_sample": False}
        made = model.generate(torch.tensor([[2, 5, 6]]), **asked)
        told = seen.attributes
        (span,) = seen.spans
        seen.clear()
        pipeline("a good film", **asked)
        (of_pipeline,) = seen.spans
        seen.conformance.check()
    assert span.name == "text_completion GPT2LMHeadModel"
    assert told == {
        "gen_ai.operation.name": "text_completion",
        "gen_ai.provider.name": "transformers",
        "gen_ai.request.model": "GPT2LMHeadModel",
        "gen_ai.request.max_tokens": 4,
        "gen_ai.usage.input_tokens": 3,
        "gen_ai.usage.output_tokens": made.shape[1] - 3,
    }
    assert of_pipeline.name == "text_completion GPT2LMHeadModel"
    assert not any(key.startswith("ml.") for key in of_pipeline.attributes or {})


def test_the_token_that_begins_an_answer_is_not_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """A model that encodes the text first begins its answer with a token that nobody wrote."""
    monkeypatch.setenv(OPT_IN, "gen_ai_latest_experimental")
    model = translator()
    with capture() as seen:
        asked = {"max_new_tokens": 3, "min_new_tokens": 3, "do_sample": False}
        model.generate(torch.tensor([[5, 6]]), **asked)
        of_text = seen.attributes
        seen.clear()
        model.generate(torch.tensor([[5, 6]]), decoder_input_ids=torch.tensor([[0, 7]]), **asked)
        of_beginning = seen.attributes
    for told in (of_text, of_beginning):
        assert told["gen_ai.usage.input_tokens"] == 2
        assert told["gen_ai.usage.output_tokens"] == 3


def test_generation_that_fails_is_told_as_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the class of the error, and without its message."""
    monkeypatch.setenv(OPT_IN, "gen_ai_latest_experimental")
    with capture() as seen, pytest.raises(ValueError, match="max_new_tokens"):
        generator().generate(torch.tensor([[2]]), max_new_tokens=-1)
    (span,) = seen.spans
    assert (span.attributes or {})[keys.ERROR_TYPE] == "ValueError"
    assert span.status.status_code is trace.StatusCode.ERROR
    assert "max_new_tokens" not in str(span.status.description)


def test_without_asking_generation_is_silent(conforming: Capture, tokens: Any) -> None:
    """Neither the model nor its parts make a span, and the text is the one without us."""
    model = generator()
    pipeline = transformers.pipeline("text-generation", model=model, tokenizer=tokens)
    asked = {"max_new_tokens": 3, "do_sample": False}
    answer = pipeline("a good film", **asked)
    assert list(conforming.spans) == []
    uninstrument()
    assert pipeline("a good film", **asked) == answer


def test_generating_for_many_at_once_is_silent(conforming: Capture) -> None:
    """A thread of the library's calls the model for every token: none of these calls is an inference."""
    settings = transformers.GenerationConfig(max_new_tokens=3, pad_token_id=0, eos_token_id=3)
    few = transformers.ContinuousBatchingConfig(
        num_blocks=4, max_batch_tokens=16
    )  # else of all memory
    answers = generator().generate_batch(
        [[5, 6], [6, 7, 8]], generation_config=settings, continuous_batching_config=few
    )
    assert all(answer.generated_tokens for answer in answers.values())
    assert list(conforming.spans) == []


@pytest.mark.parametrize("texts", [5, None, [5], [None]])
def test_a_bad_input_raises_the_pipelines_own_error(tokens: Any, texts: Any) -> None:
    """The error is the one without us, and its class is on the one span."""
    pipeline = sentiment(tokens)
    without = _raised(pipeline, texts)
    with capture() as seen:
        raised = _raised(pipeline, texts)
    assert (type(raised), str(raised)) == (type(without), str(without))
    assert seen.attributes[keys.ERROR_TYPE] == type(raised).__qualname__


def _raised(pipeline: Any, texts: Any) -> BaseException:
    with pytest.raises(Exception) as caught:  # noqa: PT011 - the framework's own, whatever it is
        pipeline(texts)
    return caught.value


def test_no_text_leaves_by_default(tokens: Any) -> None:
    """Neither at once nor lazily; asked for, the text of a sample is content like any other."""
    pipeline = sentiment(tokens)
    with capture() as seen:
        pipeline("canary")
        pipeline(["canary", "canary"])
        list(pipeline("canary" for _ in range(2)))
    assert len(seen.spans) == 3
    assert "canary" not in "".join(span.to_json() for span in seen.spans)
    with capture(Settings(capture_content="span_only")) as asked:
        pipeline("canary")
    assert "canary" in asked.attributes[keys.ML_INPUT_FEATURES]


def test_pipelines_can_be_sent_and_copied_while_observed(conforming: Capture, tokens: Any) -> None:
    """Pickle, cloudpickle and deepcopy give pipelines that answer alike, each with a span."""
    pipeline = sentiment(tokens)
    expected = pipeline("bad")
    for copied in round_trips(pipeline):
        conforming.clear()
        assert copied("bad") == expected
        assert len(conforming.spans) == 1


def test_uninstrumenting_puts_the_very_functions_back() -> None:
    """Of every pipeline there is, of the iterator and of generation."""
    assert_put_back(
        (transformers.Pipeline, ("__call__",)),
        (transformers.TextClassificationPipeline, ("__call__",)),
        (PipelineIterator, ("__iter__", "__next__")),
        (transformers.generation.utils.GenerationMixin, ("generate",)),
    )


def test_a_pipeline_of_ones_own_is_observed(conforming: Capture, tokens: Any) -> None:
    """Also one that is defined after instrumenting, and has a call of its own."""

    class Loud(transformers.TextClassificationPipeline):  # type: ignore[misc]  # published without types
        def __call__(self, *texts: Any, **options: Any) -> Any:
            return super().__call__(*texts, **options)

    pipeline = Loud(model=classifier(2), tokenizer=tokens, task="text-classification")
    assert attributes_of(conforming, lambda: pipeline("bad"))[keys.ML_MODEL_NAME] == "Loud"


def around(seen: Capture) -> list[tuple[str, str | None]]:
    """Return the steps that were told, in their order, each with the span that it is below."""
    ids = {span.context.span_id: span.name for span in seen.spans if span.context is not None}
    ordered = sorted(seen.spans, key=lambda span: span.start_time or 0)
    return [
        (span.name, None if span.parent is None else ids[span.parent.span_id])
        for span in ordered
        if keys.ML_PIPELINE_STEP_NAME in (span.attributes or {})
    ]


def test_what_is_done_around_the_model_is_told_where_asked_for(tokens: Any) -> None:
    """Before and after, of each text of a list, below the one call, which says whose steps they are."""
    pipeline = sentiment(tokens)
    whole = "predict TextClassificationPipeline"
    steps = [
        ("preprocess text-classification", whole),
        ("postprocess text-classification", whole),
    ]
    with capture(Settings(capture_nested=True)) as seen:
        pipeline("a good film")
        assert around(seen) == steps
        seen.clear()
        pipeline(TEXTS)
        assert around(seen) == steps * 3
        told = [span.attributes or {} for span in seen.spans if "process" in span.name]
        assert {each[keys.ML_MODEL_NAME] for each in told} == {"TextClassificationPipeline"}
        seen.conformance.check()


def test_what_is_done_around_the_model_is_silent_by_default(tokens: Any) -> None:
    """One span, and the functions are the library's own."""
    own = transformers.TextClassificationPipeline.preprocess
    pipeline = sentiment(tokens)
    with capture() as seen:
        assert transformers.TextClassificationPipeline.preprocess is own
        pipeline("bad")
    assert [span.name for span in seen.spans] == ["predict TextClassificationPipeline"]


def test_pieces_go_to_the_model_one_by_one(tokens: Any) -> None:
    """Of a pipeline that cuts its text into pieces on the way, only what comes after is a step."""
    pipeline = transformers.pipeline("fill-mask", model=masked(), tokenizer=tokens, top_k=2)
    answers = pipeline("a [MASK] film")
    chunks = transformers.pipeline("token-classification", model=tagger(), tokenizer=tokens)
    with capture(Settings(capture_nested=True)) as seen:
        assert pipeline("a [MASK] film") == answers
        chunks("a good film")
        found = [name for name, _ in around(seen)]
    assert found == [
        "preprocess fill-mask",
        "postprocess fill-mask",
        "postprocess token-classification",
    ]


def masked() -> Any:
    """Return a model that guesses words that are left out."""
    return transformers.BertForMaskedLM(classifier(2).config).eval()


def tagger() -> Any:
    """Return a model that gives each word a class."""
    return transformers.BertForTokenClassification(classifier(2).config).eval()


def test_steps_of_what_is_drawn_lazily_are_not_told(tokens: Any) -> None:
    """Nothing of ours is current while the caller has its turn: a step would have the wrong parent."""
    with capture(Settings(capture_nested=True)) as seen:
        assert len(list(sentiment(tokens)(text for text in TEXTS))) == 3
        assert around(seen) == []


def test_threads_do_not_see_each_other(conforming: Capture, tokens: Any) -> None:
    """Four threads that call one pipeline make a span per call."""
    pipeline = sentiment(tokens)
    threads = [
        threading.Thread(target=lambda: [pipeline("bad") for _ in range(5)]) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(conforming.spans) == 20

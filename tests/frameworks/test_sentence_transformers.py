"""Calls that embed texts, or score pairs of them, become inferences that tell neither text nor vector."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sentence_transformers
from sentence_transformers.sentence_transformer import modules
from sentence_transformers.sentence_transformer.evaluation import EmbeddingSimilarityEvaluator
from sentence_transformers.sparse_encoder import modules as sparse_modules

from otel_ml import register_model
from otel_ml.settings import Settings
from otel_ml.testing import Capture, capture
from otel_ml_conventions import attributes as keys
from tests.data.framework_calls import assert_put_back, attributes_of, round_trips
from tests.data.tiny_transformers import classifier, encoder, folder_of

TEXTS = ["a good film", "bad"]
PAIRS = [("a film", "good"), ("a film", "bad"), ("film", "a")]

# What torch says of a state of sparse tensors that it has always had.
pytestmark = pytest.mark.filterwarnings("ignore:Sparse:UserWarning")


@pytest.fixture(name="embedder")
def embedder(tmp_path: Path) -> Any:
    """Return an encoder of eight components per text."""
    place = str(folder_of(encoder(), tmp_path / "films"))
    parts = [modules.Transformer(place), modules.Pooling(8)]
    return sentence_transformers.SentenceTransformer(modules=parts)


def scorer(folder: Path, labels: int = 1) -> Any:
    """Return an encoder of pairs with *labels* scores of each."""
    place = folder_of(classifier(labels), folder / "reranker")
    return sentence_transformers.CrossEncoder(str(place))


def norms(vectors: Any) -> Any:
    """Return the lengths of *vectors*, by numpy."""
    return np.linalg.norm(np.asarray(vectors, "float64").reshape(-1, 8), axis=1)


WAYS: dict[str, Callable[[Any, Any], Any]] = {
    "array": lambda model, texts: model.encode(texts),
    "tensor": lambda model, texts: model.encode(texts, convert_to_tensor=True),
    "list of tensors": lambda model, texts: model.encode(texts, convert_to_numpy=False),
    "query": lambda model, texts: model.encode_query(texts),
    "document": lambda model, texts: model.encode_document(texts),
}


@pytest.mark.parametrize("texts", [TEXTS, TEXTS[:1], "a good film", tuple(TEXTS), np.array(TEXTS)])
@pytest.mark.parametrize("way", WAYS)
def test_embedding_is_one_inference(
    conforming: Capture, embedder: Any, way: str, texts: Any
) -> None:
    """In whatever form the vectors come back: their dimension, their mean length, how many."""
    told = attributes_of(conforming, lambda: WAYS[way](embedder, texts))
    vectors = embedder.encode(texts)
    assert (told[keys.ML_OPERATION_NAME], told[keys.ML_TASK_TYPE]) == ("embed", "embedding")
    assert told[keys.ML_FRAMEWORK_NAME] == "sentence_transformers"
    assert told[keys.ML_MODEL_NAME] == "films"
    assert told[keys.ML_BATCH_SIZE] == len(norms(vectors))
    assert told[keys.ML_EMBEDDING_DIMENSION] == 8
    assert told[keys.ML_EMBEDDING_NORM] == pytest.approx(norms(vectors).mean())
    assert (told[keys.ML_DEVICE_NAME], told[keys.ML_MODEL_PRECISION]) == ("cpu", "float32")


def test_normalised_embeddings_have_length_one(conforming: Capture, embedder: Any) -> None:
    """Whoever forgot to normalise sees it in the norm."""
    told = attributes_of(conforming, lambda: embedder.encode(TEXTS, normalize_embeddings=True))
    assert told[keys.ML_EMBEDDING_NORM] == pytest.approx(1.0)


def test_sparse_embeddings_have_a_dimension_and_a_norm(conforming: Capture, tmp_path: Path) -> None:
    """What is not stored is zero: the length is that of the dense vectors."""
    place = str(folder_of(encoder(), tmp_path / "films"))
    parts = [
        modules.Transformer(place),
        modules.Pooling(8),
        sparse_modules.SparseAutoEncoder(8, 16),
    ]
    model = sentence_transformers.SparseEncoder(modules=parts)
    told = attributes_of(conforming, lambda: model.encode(TEXTS))
    dense = model.encode(TEXTS).to_dense().numpy()
    assert told[keys.ML_EMBEDDING_DIMENSION] == dense.shape[1]
    expected = np.linalg.norm(dense.astype("float64"), axis=1).mean()
    assert told[keys.ML_EMBEDDING_NORM] == pytest.approx(expected)


def test_vectors_of_tokens_tell_their_dimension(conforming: Capture, embedder: Any) -> None:
    """There is one per token, so a length per text there is not."""
    way = lambda: embedder.encode(TEXTS, output_value="token_embeddings")  # noqa: E731 - it is short
    told = attributes_of(conforming, way)
    assert told[keys.ML_EMBEDDING_DIMENSION] == 8
    assert keys.ML_EMBEDDING_NORM not in told


@pytest.mark.parametrize("precision", ["binary", "ubinary"])
def test_components_that_are_bits_are_counted_as_components(
    conforming: Capture, embedder: Any, precision: str
) -> None:
    """Eight of them come back as one number."""
    told = attributes_of(conforming, lambda: embedder.encode(TEXTS, precision=precision))
    assert embedder.encode(TEXTS, precision=precision).shape == (2, 1)
    assert told[keys.ML_EMBEDDING_DIMENSION] == 8
    assert keys.ML_EMBEDDING_NORM not in told


def test_no_texts_are_an_inference_of_none(conforming: Capture, embedder: Any) -> None:
    """An empty list is answered, and told as empty."""
    told = attributes_of(conforming, lambda: embedder.encode([]))
    assert told[keys.ML_BATCH_SIZE] == 0
    assert keys.ML_EMBEDDING_NORM not in told


@pytest.mark.parametrize(("pairs", "number"), [(PAIRS, 3), (PAIRS[0], 1), (list(PAIRS[0]), 1)])
def test_scores_of_pairs_are_told_when_asked_for(tmp_path: Path, pairs: Any, number: int) -> None:
    """One score of a pair says how it ranks; it leaves only when everything of outputs is asked for."""
    model = scorer(tmp_path)
    with capture() as seen:
        told = attributes_of(seen, lambda: model.predict(pairs))
    assert told[keys.ML_TASK_TYPE] == "ranking"
    assert told[keys.ML_BATCH_SIZE] == number
    assert keys.ML_PREDICTION_SCORES not in told
    with capture(Settings(capture_outputs="full")) as seen:
        told = attributes_of(seen, lambda: model.predict(PAIRS))
        seen.conformance.check()
    assert told[keys.ML_PREDICTION_SCORES] == pytest.approx(model.predict(PAIRS).tolist())


def test_a_ranking_is_one_inference(conforming: Capture, tmp_path: Path) -> None:
    """Of as many samples as there are documents, whatever it calls inside."""
    model = scorer(tmp_path)
    told = attributes_of(conforming, lambda: model.rank("a film", ["good", "bad"]))
    assert told[keys.CODE_FUNCTION_NAME].endswith("CrossEncoder.rank")
    assert told[keys.ML_BATCH_SIZE] == 2


@pytest.mark.parametrize("form", ["convert_to_numpy", "convert_to_tensor"])
def test_pairs_with_classes_have_a_confidence(
    conforming: Capture, tmp_path: Path, form: str
) -> None:
    """Where the scores were made probabilities; raw ones tell their shape."""
    model = scorer(tmp_path, labels=3)
    way = {form: True}
    told = attributes_of(conforming, lambda: model.predict(PAIRS, apply_softmax=True, **way))
    scores = model.predict(PAIRS, apply_softmax=True)
    assert told[keys.ML_TASK_TYPE] == "multiclass_classification"
    assert told[keys.ML_PREDICTION_CONFIDENCES] == pytest.approx(scores.max(axis=1).tolist())
    assert told[keys.ML_PREDICTION_LABELS] == tuple(f"LABEL_{i}" for i in scores.argmax(axis=1))
    assert keys.ML_PREDICTION_CONFIDENCES not in attributes_of(
        conforming, lambda: model.predict(PAIRS, **way)
    )


def test_one_pair_that_is_in_no_list_has_a_confidence(conforming: Capture, tmp_path: Path) -> None:
    """Its classes come back without an axis for pairs."""
    model = scorer(tmp_path, labels=3)
    told = attributes_of(conforming, lambda: model.predict(PAIRS[0], apply_softmax=True))
    scores = model.predict(PAIRS[0], apply_softmax=True)
    assert told[keys.ML_BATCH_SIZE] == 1
    assert told[keys.ML_PREDICTION_CONFIDENCE] == pytest.approx(float(scores.max()))
    assert told[keys.ML_PREDICTION_LABEL] == f"LABEL_{scores.argmax()}"


@pytest.mark.parametrize("texts", [5, None, [None], [["a", 1]]])
def test_a_bad_input_raises_the_encoders_own_error(embedder: Any, texts: Any) -> None:
    """The error is the one without us, and its class is on the one span."""
    without = _raised(embedder, texts)
    with capture() as seen:
        raised = _raised(embedder, texts)
    assert (type(raised), str(raised)) == (type(without), str(without))
    assert seen.attributes[keys.ERROR_TYPE] == type(raised).__qualname__


def _raised(model: Any, texts: Any) -> BaseException:
    with pytest.raises(Exception) as caught:  # noqa: PT011 - the framework's own, whatever it is
        model.encode(texts)
    return caught.value


def test_neither_text_nor_vector_ever_leaves(embedder: Any, tmp_path: Path) -> None:
    """Not even with everything asked for."""
    everything = Settings(capture_content="span_only", capture_outputs="full")
    with capture(everything) as seen:
        vector = embedder.encode("canary")
        embedder.encode(["canary", "canary"])
        scorer(tmp_path / "other").rank("canary", ["canary"])
    told = "".join(span.to_json() for span in seen.spans)
    assert len(seen.calls) == 3
    assert "canary" not in told
    assert not any(str(float(component)) in told for component in vector)


def test_evaluation_is_no_inference(conforming: Capture, embedder: Any) -> None:
    """An evaluator embeds its own texts, of which nobody is told."""
    evaluator = EmbeddingSimilarityEvaluator(TEXTS, TEXTS[:1] * 2, [1.0, 0.1], write_csv=False)
    embedder.evaluate(evaluator)
    assert list(conforming.calls) == []


def test_a_registered_encoder_goes_by_its_name(conforming: Capture, embedder: Any) -> None:
    """What is said of a model comes before what its files say."""
    register_model(embedder, name="search", version="3")
    told = attributes_of(conforming, lambda: embedder.encode("a"))
    assert (told[keys.ML_MODEL_NAME], told[keys.ML_MODEL_VERSION]) == ("search", "3")


def test_encoders_can_be_sent_and_copied_while_observed(conforming: Capture, embedder: Any) -> None:
    """Pickle, cloudpickle and deepcopy give encoders that answer alike, each with a span."""
    expected = embedder.encode("a")
    for copied in round_trips(embedder):
        conforming.clear()
        np.testing.assert_array_equal(copied.encode("a"), expected)
        assert len(conforming.spans) == 1


def test_uninstrumenting_puts_the_very_functions_back() -> None:
    """Same functions, and in between the same signatures."""
    assert_put_back(
        (sentence_transformers.SentenceTransformer, ("encode", "encode_query", "encode_document")),
        (sentence_transformers.SparseEncoder, ("encode", "encode_query", "encode_document")),
        (sentence_transformers.CrossEncoder, ("predict", "rank")),
    )


def test_threads_do_not_see_each_other(conforming: Capture, embedder: Any) -> None:
    """Four threads that call one encoder make a span per call."""
    threads = [
        threading.Thread(target=lambda: [embedder.encode("a") for _ in range(5)]) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(conforming.calls) == 20

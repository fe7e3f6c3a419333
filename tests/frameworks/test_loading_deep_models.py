"""Loading a network: one span with what was loaded and from where, and from then on a name."""

import gc
import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sentence_transformers
import tensorflow as tf
import torch
import transformers
from sentence_transformers.sentence_transformer import modules

import otel_ml
from otel_ml.testing import Capture, capture
from otel_ml_conventions import attributes as keys
from tests.data.tiny_transformers import classifier, encoder, folder_of

# What torch says where a script is made or read.
pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit")


def loads(seen: Capture) -> list[dict[str, Any]]:
    """Return what the spans of loading say, oldest first."""
    return [dict(span.attributes or {}) for span in seen.spans if span.name.startswith("load")]


def names(seen: Capture) -> list[str]:
    """Return the names of the spans."""
    return [span.name for span in seen.spans]


def digest(file: Path) -> str:
    """Return the SHA-256 of *file*."""
    return hashlib.sha256(file.read_bytes()).hexdigest()


@pytest.fixture(name="films")
def _films(tmp_path: Path) -> Path:
    """A folder with a classifier of texts and its tokenizer."""
    return folder_of(classifier(2), tmp_path / "films")


@pytest.fixture(name="saved")
def _saved(tmp_path: Path) -> Path:
    """A SavedModel, laid out as servers want it."""
    module = tf.Module()
    shape = [tf.TensorSpec([None, 2], name="x")]
    module.score = tf.function(lambda x: {"sum": tf.reduce_sum(x, 1)}, input_signature=shape)
    place = tmp_path / "churn" / "3"
    tf.saved_model.save(module, str(place), signatures={"serving_default": module.score})
    return place


def test_a_saved_model_is_loaded_once(conforming: Capture, saved: Path) -> None:
    """By its folder, with its version; its functions are called as it is."""
    loaded = tf.saved_model.load(str(saved))
    loaded.signatures["serving_default"](x=tf.ones([2, 2]))
    (told,) = loads(conforming)
    assert sorted(names(conforming)) == ["load churn", "predict churn"]
    assert told[keys.ML_MODEL_VERSION] == "3"
    assert told[keys.ML_FRAMEWORK_NAME] == "tensorflow"
    assert told[keys.CODE_FUNCTION_NAME].startswith("tensorflow.")
    assert keys.ARTIFACT_HASH not in told  # a folder is no file
    (loaded_models,) = conforming.metric("ml.model.loaded")
    assert loaded_models.value == 1


def test_a_pipeline_is_loaded_from_a_folder(conforming: Capture, films: Path) -> None:
    """One span, whatever is loaded inside, with its device, its precision and the file of the weights."""
    pipeline = transformers.pipeline("text-classification", model=str(films), device="cpu")
    pipeline("a good film")
    (told,) = loads(conforming)
    assert sorted(names(conforming)) == ["load films", "predict films"]  # hashing takes its time
    assert told[keys.ML_FRAMEWORK_NAME] == "transformers"
    assert told[keys.ML_TASK_TYPE] == "binary_classification"
    assert told[keys.ML_DEVICE_NAME] == "cpu"
    assert told[keys.ML_MODEL_PRECISION] == "float32"
    assert told[keys.ARTIFACT_FILENAME] == "model.safetensors"
    assert told[keys.ARTIFACT_HASH] == digest(films / "model.safetensors")
    assert str(films.parent) not in str(told)


@pytest.mark.parametrize("way", ["named", "positional", "auto", "path"])
def test_a_model_is_loaded_without_a_pipeline(conforming: Capture, films: Path, way: str) -> None:
    """By its own class or by an automatic one, under whatever name the folder is given."""
    kind = transformers.BertForSequenceClassification
    model = {
        "named": lambda: kind.from_pretrained(pretrained_model_name_or_path=str(films)),
        "positional": lambda: kind.from_pretrained(str(films)),
        "auto": lambda: transformers.AutoModelForSequenceClassification.from_pretrained(str(films)),
        "path": lambda: kind.from_pretrained(films),
    }[way]()
    (told,) = loads(conforming)
    assert type(model) is kind
    assert told[keys.ML_MODEL_NAME] == "films"
    assert told[keys.ML_FRAMEWORK_NAME] == "pytorch"
    assert told[keys.ML_MODEL_TYPE].endswith("BertForSequenceClassification")
    assert told[keys.ARTIFACT_HASH] == digest(films / "model.safetensors")


def test_a_model_of_the_hub_has_a_package_url(conforming: Capture, tmp_path: Path) -> None:
    """Repository and commit, as they stand in the folder in which the hub's library keeps it."""
    commit = "0123456789abcdef0123456789abcdef01234567"
    place = folder_of(classifier(2), tmp_path / "models--acme--films" / "snapshots" / commit)
    transformers.BertForSequenceClassification.from_pretrained(str(place))
    (told,) = loads(conforming)
    assert told[keys.ARTIFACT_PURL] == f"pkg:huggingface/acme/films@{commit}"
    assert (told[keys.ML_MODEL_NAME], told[keys.ML_MODEL_VERSION]) == ("acme/films", commit)


def test_a_pipeline_of_a_model_at_hand_loads_nothing(conforming: Capture, films: Path) -> None:
    """What was loaded before, or made here, is not loaded again."""
    tokens = transformers.BertTokenizerFast.from_pretrained(str(films))
    transformers.pipeline("text-classification", model=classifier(2), tokenizer=tokens)
    assert loads(conforming) == []


def test_a_model_that_is_not_there_is_told_and_raised(captured: Capture, tmp_path: Path) -> None:
    """The library's own error arrives, and its class is on the span; nothing is counted as loaded."""
    (tmp_path / "empty").mkdir()
    with pytest.raises(OSError, match="empty"):
        transformers.BertModel.from_pretrained(str(tmp_path / "empty"))
    (told,) = loads(captured)
    assert told[keys.ERROR_TYPE] == "OSError"
    assert told[keys.ML_MODEL_NAME] == "empty"
    assert captured.metric("ml.model.loaded") == []


def test_an_encoder_is_loaded_from_a_folder(conforming: Capture, tmp_path: Path) -> None:
    """The constructor is the loader; the transformer inside is part of it."""
    place = folder_of(encoder(), tmp_path / "texts")
    parts = [modules.Transformer(str(place)), modules.Pooling(8)]
    sentence_transformers.SentenceTransformer(modules=parts).save(str(tmp_path / "embedder"))
    conforming.clear()
    model = sentence_transformers.SentenceTransformer(str(tmp_path / "embedder"), device="cpu")
    model.encode("a good film")
    (told,) = loads(conforming)
    embed, load = sorted(
        names(conforming)
    )  # a load ends when its file has been hashed, perhaps later
    assert load.removeprefix("load ") == embed.removeprefix("embed ")
    assert told[keys.ML_FRAMEWORK_NAME] == "sentence_transformers"
    assert told[keys.ML_TASK_TYPE] == "embedding"
    assert told[keys.ML_DEVICE_NAME] == "cpu"


def test_an_encoder_of_parts_is_not_loaded(conforming: Capture, tmp_path: Path) -> None:
    """Only its parts were: a transformer from its folder."""
    place = folder_of(encoder(), tmp_path / "texts")
    parts = [modules.Transformer(str(place)), modules.Pooling(8)]
    assert [told[keys.ML_FRAMEWORK_NAME] for told in loads(conforming)] == ["pytorch"]
    conforming.clear()
    sentence_transformers.SentenceTransformer(modules=parts, device="cpu")
    assert loads(conforming) == []


def test_an_encoder_of_pairs_is_loaded_from_a_folder(conforming: Capture, tmp_path: Path) -> None:
    """A cross encoder likewise, its weights hashed."""
    place = folder_of(classifier(1), tmp_path / "reranker")
    sentence_transformers.CrossEncoder(str(place), device="cpu")
    (told,) = loads(conforming)
    assert told[keys.ML_MODEL_NAME] == "reranker"
    assert told[keys.ML_TASK_TYPE] == "ranking"
    assert told[keys.ARTIFACT_HASH] == digest(place / "model.safetensors")


def test_an_encoder_that_is_not_there_is_told_and_raised(captured: Capture, tmp_path: Path) -> None:
    """The library's own error arrives; that nothing can be asked of a half-made encoder is no failure of ours."""
    (tmp_path / "empty").mkdir()
    with pytest.raises(Exception, match="empty") as raised:
        sentence_transformers.CrossEncoder(str(tmp_path / "empty"))
    told = loads(captured)[-1]
    assert told[keys.ERROR_TYPE].endswith(type(raised.value).__name__)
    assert captured.metric("ml.sdk.errors") == []


def test_a_network_is_loaded_from_a_file(conforming: Capture, tmp_path: Path) -> None:
    """A whole module, and a script; weights alone are no model."""
    net = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Softmax(1)).eval()
    torch.save(net, tmp_path / "whole.pt")
    torch.save(net.state_dict(), tmp_path / "weights.pt")
    torch.jit.save(torch.jit.script(net), str(tmp_path / "script.pt"))
    conforming.clear()
    torch.load(tmp_path / "weights.pt")
    assert loads(conforming) == []
    torch.load(tmp_path / "whole.pt", weights_only=False)
    torch.jit.load(str(tmp_path / "script.pt"))
    # Each is told when its file has been hashed: which of the two comes first nobody promises.
    script, whole = sorted(
        loads(conforming), key=lambda told: "jit" not in told[keys.CODE_FUNCTION_NAME]
    )
    for told, file in ((whole, "whole.pt"), (script, "script.pt")):
        assert told[keys.ARTIFACT_HASH] == digest(tmp_path / file)
        assert (told[keys.ML_DEVICE_NAME], told[keys.ML_MODEL_PRECISION]) == ("cpu", "float32")


@pytest.fixture(name="program")
def _program(tmp_path: Path) -> Path:
    """The file of an exported program."""
    net = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Softmax(1)).eval()
    file = tmp_path / "churn" / "3" / "model.pt2"
    file.parent.mkdir(parents=True)
    torch.export.save(torch.export.export(net, (torch.zeros(1, 2),)), file)
    return file


def test_an_exported_program_is_loaded_once(conforming: Capture, program: Path) -> None:
    """Its module is called as the program is, and is no second model."""
    module = torch.export.load(program).module()
    module(torch.zeros(1, 2))
    (told,) = loads(conforming)
    assert sorted(names(conforming)) == ["load churn", "predict churn"]
    assert told[keys.ML_MODEL_VERSION] == "3"
    assert told[keys.ML_MODEL_TYPE].endswith("ExportedProgram")
    assert told[keys.CODE_FUNCTION_NAME] == "torch.export.load"
    assert told[keys.ARTIFACT_HASH] == digest(program)
    assert (told[keys.ML_DEVICE_NAME], told[keys.ML_MODEL_PRECISION]) == ("cpu", "float32")


def test_a_program_is_in_memory_as_long_as_its_module(captured: Capture, program: Path) -> None:
    """Nobody keeps the program itself, so what is counted are its weights."""
    module = torch.export.load(program).module()
    gc.collect()
    assert [point.value for point in captured.metric("ml.model.loaded")] == [1]
    del module
    gc.collect()
    assert [point.value for point in captured.metric("ml.model.loaded")] == [0]


def test_a_program_that_is_registered_names_its_modules(captured: Capture, program: Path) -> None:
    """What was said of it holds for whatever is made from it afterwards."""
    loaded = torch.export.load(program)
    otel_ml.register_model(loaded, name="leaving", version="4")
    loaded.module()(torch.zeros(1, 2))
    (called,) = [span for span in captured.spans if span.name != "load churn"]
    assert called.name == "predict leaving"
    assert dict(called.attributes or {})[keys.ML_MODEL_VERSION] == "4"


def test_a_network_is_called_as_its_file(captured: Capture, tmp_path: Path) -> None:
    """Not as its class, which many networks share."""
    net = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Softmax(1)).eval()
    torch.save(net, tmp_path / "churn.pt")
    torch.load(tmp_path / "churn.pt", weights_only=False)(torch.zeros(1, 2))
    assert sorted(names(captured)) == ["load churn", "predict churn"]


def test_loaders_are_put_back(films: Path, saved: Path) -> None:
    """Also a class method, and what a package keeps under a second name; they work before, during and after."""
    made, kept = transformers.pipelines.pipeline, transformers.pipeline
    method = transformers.PreTrainedModel.from_pretrained.__func__
    constructor = sentence_transformers.CrossEncoder.__init__
    loader = tf.saved_model.load
    with capture():
        assert transformers.PreTrainedModel.from_pretrained.__func__ is not method
        model = transformers.BertModel.from_pretrained(str(films))
    assert type(model) is transformers.BertModel
    assert type(transformers.BertModel.from_pretrained(str(films))) is transformers.BertModel
    assert (transformers.pipelines.pipeline, transformers.pipeline) == (made, kept)
    assert transformers.PreTrainedModel.from_pretrained.__func__ is method
    assert sentence_transformers.CrossEncoder.__init__ is constructor
    assert tf.saved_model.load is loader
    sums = tf.saved_model.load(str(saved)).signatures["serving_default"](x=tf.ones([1, 2]))
    np.testing.assert_array_equal(sums["sum"].numpy(), [2.0])

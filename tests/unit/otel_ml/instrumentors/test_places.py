"""What is told of where a model is stored: its name and version, never whose machine it is."""

from types import SimpleNamespace

import pytest

from otel_ml.instrumentors._hugging_face import class_names, hub_metadata
from otel_ml.instrumentors._identity import Metadata, stored_at
from otel_ml.instrumentors.mlflow import _from_uri
from otel_ml_conventions import attributes as keys


@pytest.mark.parametrize(
    ("place", "name", "version"),
    [
        ("/home/anna/fraud.onnx", "fraud", None),
        ("/srv/models/fraud", "fraud", None),
        ("/srv/models/fraud/3", "fraud", "3"),
        ("/srv/models/fraud/3/", "fraud", "3"),
        ("C:\\Users\\anna\\fraud.keras", "fraud", None),
        ("gs://bucket/fraud/12", "fraud", "12"),
        ("https://host/models/fraud?sv=2026&sig=s3cret", "fraud", None),
        ("https://host/fraud.onnx?X-Signature=s3.cret", "fraud", None),
        ("\\\\?\\C:\\Users\\anna\\fraud.keras", "fraud", None),
        ("/srv/models/fraud.pkl.gz", "fraud", None),
        ("/srv/models/fraud/3/model.joblib.xz", "fraud", "3"),
        ("/srv/models/fraud-1.2.gz", "fraud-1.2", None),
        ("fraud", "fraud", None),
        ("3", "3", None),
        ("", None, None),
        ("/", None, None),
    ],
)
def test_a_path_tells_its_last_name(place: str, name: str | None, version: str | None) -> None:
    """The folders above may name a person, so nothing else of a path is told."""
    assert stored_at(place) == Metadata(name, version)


@pytest.mark.parametrize(
    ("place", "commit", "name", "version"),
    [
        ("distilbert/distilbert-base", None, "distilbert/distilbert-base", None),
        ("bert-base", "a1b2", "bert-base", "a1b2"),
        ("/home/anna/tuned", None, "tuned", None),
        ("./tuned", None, "tuned", None),
        ("../anna/tuned", None, "tuned", None),
        ("~/anna/tuned", None, "tuned", None),
        ("C:\\anna\\tuned", None, "tuned", None),
        ("/home/anna/hub/models--org--name/snapshots/a1b2", None, "org/name", "a1b2"),
        ("", None, None, None),
    ],
)
def test_a_model_of_the_hub_is_its_repository_and_commit(
    place: str, commit: str | None, name: str | None, version: str | None
) -> None:
    """Loaded by its name, from a folder, or from the cache of the hub."""
    config = SimpleNamespace(_name_or_path=place, _commit_hash=commit)
    assert hub_metadata(config)[:2] == (name, version)


def test_without_a_configuration_nothing_is_known() -> None:
    """A model that was put together by hand has neither name nor classes."""
    assert hub_metadata(None)[:2] == (None, None)
    assert class_names(None) is None
    assert class_names(SimpleNamespace(id2label={})) is None


def test_classes_are_in_the_order_of_their_numbers() -> None:
    """A file may list them in any order."""
    assert class_names(SimpleNamespace(id2label={1: "b", 0: "a"})) == ("a", "b")


@pytest.mark.parametrize(
    ("uri", "name", "version", "facts"),
    [
        ("models:/fraud/3", "fraud", "3", {keys.ML_MODEL_ID: "models:/fraud/3"}),
        ("models:/fraud@champion", "fraud", None, {keys.ML_MODEL_ALIAS: "champion"}),
        ("models:/fraud/Staging", "fraud", None, {keys.ML_MODEL_ALIAS: "Staging"}),
        ("models:/m-4f1c", None, None, {keys.ML_MODEL_ID: "models:/m-4f1c"}),
        ("runs:/4f1c/fraud", "fraud", None, {keys.ML_MODEL_ID: "runs:/4f1c/fraud"}),
        ("/home/anna/fraud", "fraud", None, {}),
        ("file:///home/anna/fraud", "fraud", None, {}),
        ("s3://bucket/fraud", "fraud", None, {}),
        ("https://host/fraud?sig=s3cret", "fraud", None, {}),
        ("", None, None, {}),
    ],
)
def test_the_address_of_a_registry_says_who_a_model_is(
    uri: str, name: str | None, version: str | None, facts: dict[str, str]
) -> None:
    """A version and an alias of MLflow's registry, a logged model, a run, a folder."""
    assert _from_uri(uri) == Metadata(name, version, facts)

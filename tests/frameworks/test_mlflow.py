"""Calls of MLflow's Python function become inferences, whatever is inside, and autologging changes none of it."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mlflow
import mlflow.pyfunc
import mlflow.sklearn
import numpy as np
import pandas as pd
import pytest
from mlflow.models import ModelSignature, infer_signature
from mlflow.types import ColSpec, Schema
from sklearn.linear_model import LinearRegression, LogisticRegression

from otel_ml import register_model
from otel_ml.instrumentors import instrument, uninstrument
from otel_ml.settings import Settings
from otel_ml.testing import Capture, capture
from otel_ml_conventions import attributes as keys
from tests.data.framework_calls import assert_put_back, attributes_of, round_trips

# What MLflow says of the way models are kept here, of pickles, and of missing type hints.
pytestmark = pytest.mark.filterwarnings(
    "ignore::UserWarning", "ignore::FutureWarning", "ignore::DeprecationWarning"
)

SAMPLES = pd.DataFrame({"age": [0.0, 1.0, 2.0], "visits": [1.0, 2.0, 0.0]})
CLASSES = ["stays", "leaves", "leaves"]


@pytest.fixture(autouse=True, name="store")
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Keep runs and models in a folder of the test's own."""
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    monkeypatch.setenv("MLFLOW_ALLOW_PICKLE_DESERIALIZATION", "true")
    mlflow.set_tracking_uri((tmp_path / "runs").as_uri())
    yield
    mlflow.sklearn.autolog(disable=True)


def churn() -> Any:
    """Return a classifier of customers."""
    return LogisticRegression().fit(SAMPLES, CLASSES)


def saved(folder: Path, model: Any, **options: Any) -> Any:
    """Return *model* as loaded from *folder*, to which it was saved."""
    mlflow.sklearn.save_model(
        model,
        folder,
        signature=infer_signature(SAMPLES),
        serialization_format="cloudpickle",
        pip_requirements=[],
        **options,
    )
    return mlflow.pyfunc.load_model(str(folder))


def logged(model: Any, name: str) -> str:
    """Return the address of *model* in the registry, where it is version 1 of *name*."""
    with mlflow.start_run():
        mlflow.sklearn.log_model(
            model,
            name="model",
            registered_model_name=name,
            serialization_format="cloudpickle",
            pip_requirements=[],
        )
    return f"models:/{name}/1"


class Chunks(mlflow.pyfunc.PythonModel):  # type: ignore[misc]  # published without types
    """Answers with the length of each text, or chunk by chunk."""

    def predict(self, context: Any, model_input: Any, params: Any = None) -> Any:
        """Return the length of each text."""
        is_table = isinstance(model_input, pd.DataFrame)
        return [str(len(text)) for text in (model_input["text"] if is_table else model_input)]

    def predict_stream(self, context: Any, model_input: Any, params: Any = None) -> Any:
        """Yield two chunks, and between them ask a model of another framework."""
        yield "one"
        churn().predict(SAMPLES)
        yield "two"


class Ready(Chunks):
    """Has all chunks ready, and gives them in an iterator that is no generator."""

    def predict_stream(self, context: Any, model_input: Any, params: Any = None) -> Any:
        """Ask a model of another framework, and return an iterator of two chunks."""
        churn().predict(SAMPLES)
        return iter(["one", "two"])


LENGTHS = Schema([ColSpec("string", "length")])


def own(folder: Path, signature: Any = None) -> Any:
    """Return a model of one's own class as MLflow loads it."""
    mlflow.pyfunc.save_model(
        folder, python_model=Chunks(), pip_requirements=[], signature=signature
    )
    return mlflow.pyfunc.load_model(str(folder))


def test_the_call_is_one_inference_of_mlflow(conforming: Capture, tmp_path: Path) -> None:
    """The framework inside stays silent; what it would have told is told of the outermost call."""
    model = saved(tmp_path / "churn", churn())
    told = attributes_of(conforming, lambda: model.predict(SAMPLES))
    assert told[keys.ML_FRAMEWORK_NAME] == "mlflow"
    assert told[keys.ML_MODEL_NAME] == "churn"
    assert told[keys.CODE_FUNCTION_NAME] == "mlflow.pyfunc.PyFuncModel.predict"
    assert told[keys.ML_TASK_TYPE] == "binary_classification"
    assert (told[keys.ML_BATCH_SIZE], told[keys.ML_INPUT_FEATURE_COUNT]) == (3, 2)
    assert told[keys.ML_PREDICTION_LABELS] == tuple(model.predict(SAMPLES))


def test_a_model_saved_to_give_probabilities_has_confidences(
    conforming: Capture, tmp_path: Path
) -> None:
    """MLflow is told which method to call when a model is saved."""
    model = saved(tmp_path / "churn", churn(), pyfunc_predict_fn="predict_proba")
    told = attributes_of(conforming, lambda: model.predict(SAMPLES))
    expected = np.asarray(model.predict(SAMPLES)).max(axis=1)
    assert told[keys.ML_PREDICTION_CONFIDENCES] == pytest.approx(expected.tolist())
    assert told[keys.ML_PREDICTION_LABELS] == tuple(churn().predict(SAMPLES))


def test_numbers_are_told_when_asked_for(tmp_path: Path) -> None:
    """A regression's answers leave only then."""
    model = saved(tmp_path / "price", LinearRegression().fit(SAMPLES, [1.0, 2.0, 3.0]))
    with capture(Settings(capture_outputs="full")) as seen:
        told = attributes_of(seen, lambda: model.predict(SAMPLES))
        seen.conformance.check()
    assert told[keys.ML_TASK_TYPE] == "regression"
    assert told[keys.ML_PREDICTION_VALUES] == pytest.approx(model.predict(SAMPLES).tolist())


def test_the_registry_says_who_a_model_is(conforming: Capture) -> None:
    """Loaded by version, by alias, and by what the run calls it."""
    address = logged(churn(), "churn-eu")
    mlflow.MlflowClient().set_registered_model_alias("churn-eu", "champion", "1")
    conforming.clear()
    by_version = mlflow.pyfunc.load_model(address)
    told = attributes_of(conforming, lambda: by_version.predict(SAMPLES))
    assert (told[keys.ML_MODEL_NAME], told[keys.ML_MODEL_VERSION]) == ("churn-eu", "1")
    assert told[keys.ML_MODEL_ID] == address
    by_alias = mlflow.pyfunc.load_model("models:/churn-eu@champion")
    told = attributes_of(conforming, lambda: by_alias.predict(SAMPLES))
    assert (told[keys.ML_MODEL_NAME], told[keys.ML_MODEL_ALIAS]) == ("churn-eu", "champion")
    assert told[keys.ML_MODEL_ID] == f"models:/{by_alias.model_id}"
    assert keys.ML_MODEL_VERSION not in told
    by_identifier = mlflow.pyfunc.load_model(f"models:/{by_alias.model_id}")
    told = attributes_of(conforming, lambda: by_identifier.predict(SAMPLES))
    assert told[keys.ML_MODEL_NAME] == "LogisticRegression"
    assert told[keys.ML_MODEL_ID] == f"models:/{by_alias.model_id}"


def test_a_model_that_cannot_be_loaded_is_told(conforming: Capture, tmp_path: Path) -> None:
    """With the error; by its address it has a name all the same."""
    with pytest.raises(mlflow.exceptions.MlflowException):
        mlflow.pyfunc.load_model(str(tmp_path / "churn"))
    (span,) = conforming.spans
    assert span.name == "load churn"
    assert dict(span.attributes or {})[keys.ERROR_TYPE] == "mlflow.exceptions.MlflowException"


def test_a_model_loaded_before_us_still_has_its_identifier(captured: Capture) -> None:
    """Its address is not known any more; what it carries is."""
    address = logged(churn(), "churn-us")
    uninstrument()
    model = mlflow.pyfunc.load_model(address)
    with capture() as seen:
        told = attributes_of(seen, lambda: model.predict(SAMPLES))
    assert told[keys.ML_MODEL_ID] == f"models:/{model.model_id}"
    register_model(model, name="churn", version="7")
    with capture() as seen:
        told = attributes_of(seen, lambda: model.predict(SAMPLES))
    assert (told[keys.ML_MODEL_NAME], told[keys.ML_MODEL_VERSION]) == ("churn", "7")


def test_the_signature_names_features_and_classes(conforming: Capture, tmp_path: Path) -> None:
    """Of a model of one's own it is all there is: the columns of an array, and that the answer is a text."""
    columns = [ColSpec("string", "text"), ColSpec("long", "year")]
    model = own(tmp_path / "lengths", ModelSignature(Schema(columns), LENGTHS))
    asked = pd.DataFrame({"text": ["a", "bb"], "year": [1999, 2001]})
    told = attributes_of(conforming, lambda: model.predict(asked))
    assert told[keys.ML_MODEL_NAME] == "lengths"
    assert told[keys.ML_PREDICTION_LABELS] == ("1", "2")


class Shares(mlflow.pyfunc.PythonModel):  # type: ignore[misc]  # published without types
    """Answers a row of a data frame, or each of several."""

    def predict(self, context: Any, model_input: Any, params: Any = None) -> Any:
        """Return how often somebody came in a year of their life."""
        return model_input["visits"] / (model_input["age"] + 1)


def test_a_row_is_one_sample_where_there_is_no_signature(tmp_path: Path) -> None:
    """A model of the user's own is given the series as it is; with a signature MLflow makes a column of it."""
    mlflow.pyfunc.save_model(tmp_path / "shares", python_model=Shares(), pip_requirements=[])
    model = mlflow.pyfunc.load_model(str(tmp_path / "shares"))
    with capture(Settings(capture_content="span_only")) as seen:
        assert model.predict(SAMPLES.iloc[1]) == 1.0
        told = seen.attributes
        assert (told["ml.batch.size"], told["ml.input.feature.count"]) == (1, 2)
        assert told["ml.input.features"] == '{"age":1.0,"visits":2.0}'


def test_a_text_that_answers_a_text_leaves_only_when_asked_for(tmp_path: Path) -> None:
    """It may be a class, or what somebody or something wrote: which of them a signature does not say."""
    signature = ModelSignature(Schema([ColSpec("string", "text")]), LENGTHS)
    model = own(tmp_path / "lengths", signature)
    asked = pd.DataFrame({"text": ["a", "bb"]})
    with capture() as seen:
        assert keys.ML_PREDICTION_LABELS not in attributes_of(seen, lambda: model.predict(asked))
        seen.conformance.check()
    with capture(Settings(capture_outputs="full")) as seen:
        told = attributes_of(seen, lambda: model.predict(asked))
    assert told[keys.ML_PREDICTION_LABELS] == ("1", "2")


def test_a_stream_is_one_inference(conforming: Capture, tmp_path: Path) -> None:
    """From its first chunk to its last; nothing of it is current in between, and nothing inside is told."""
    model = own(tmp_path / "chunks")
    conforming.clear()
    chunks = model.predict_stream("a")
    assert list(conforming.spans) == []
    assert next(chunks) == "one"
    assert list(conforming.spans) == []
    assert list(chunks) == ["two"]
    assert conforming.attributes[keys.CODE_FUNCTION_NAME].endswith("PyFuncModel.predict_stream")


def test_a_stream_of_an_older_version_is_one_inference(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """It hands on what the model gives, which may be any iterator, and may have asked other models by then."""

    def predict_stream(self: Any, data: Any, params: Any = None) -> Any:
        return self._predict_stream(data, params)

    monkeypatch.setattr(mlflow.pyfunc.PyFuncModel, "predict_stream", predict_stream)
    mlflow.pyfunc.save_model(tmp_path / "ready", python_model=Ready(), pip_requirements=[])
    model = mlflow.pyfunc.load_model(str(tmp_path / "ready"))
    with capture() as seen:
        assert list(model.predict_stream("a")) == ["one", "two"]
        (span,) = seen.calls
        seen.clear()
        given_up = model.predict_stream("a")
        assert next(given_up) == "one"
        given_up.close()
        (of_given_up,) = seen.calls
    assert span.name == of_given_up.name == "predict PyFuncModel"
    assert keys.ERROR_TYPE not in (of_given_up.attributes or {})


def test_a_stream_that_is_refused_raises_mlflows_error(captured: Capture, tmp_path: Path) -> None:
    """A model that gives no chunks says so at the first, and that is on the span."""
    model = saved(tmp_path / "churn", churn())
    captured.clear()
    with pytest.raises(mlflow.MlflowException, match="does not support predict_stream"):
        list(model.predict_stream(SAMPLES))
    assert captured.attributes[keys.ERROR_TYPE] == "mlflow.exceptions.MlflowException"
    with pytest.raises(TypeError, match="data"):
        model.predict_stream()


@pytest.mark.parametrize("is_first", [True, False])
def test_autologging_makes_no_inference(is_first: bool) -> None:
    """What it asks a model for its own records is no inference; what the user asks is one, in either order."""
    if is_first:
        mlflow.sklearn.autolog(log_models=True, serialization_format="cloudpickle")
    with capture() as seen:
        if not is_first:
            mlflow.sklearn.autolog(log_models=False)  # logging them takes long
        model = churn()
        assert list(seen.spans) == []
        told = attributes_of(seen, lambda: model.predict_proba(SAMPLES))
        assert told[keys.ML_FRAMEWORK_NAME] == "sklearn"
        mlflow.sklearn.autolog(disable=True)
    assert mlflow.search_runs()["metrics.training_score"].notna().all()


def test_logging_a_model_with_an_example_is_no_inference(captured: Capture) -> None:
    """The example is only tried, on the model and on what was just written to a folder of a random name."""
    model = churn()
    with mlflow.start_run():
        mlflow.sklearn.log_model(
            model,
            name="model",
            serialization_format="cloudpickle",
            pip_requirements=[],
            input_example=SAMPLES,
        )
    assert list(captured.spans) == []
    assert captured.metric("ml.model.load.duration") == []


@pytest.mark.parametrize(
    "samples",
    [SAMPLES[["age"]], None, 5, "text", [], {}, pd.DataFrame({"age": ["x"], "visits": [1]})],
)
def test_a_bad_input_raises_mlflows_own_error(tmp_path: Path, samples: Any) -> None:
    """The error is the one without us, and its class is on the one span."""
    model = saved(tmp_path / "churn", churn())
    without = _raised(model, samples)
    with capture() as seen:
        raised = _raised(model, samples)
    assert (type(raised), str(raised)) == (type(without), str(without))
    assert type(raised).__name__ in seen.attributes[keys.ERROR_TYPE]


def _raised(model: Any, samples: Any) -> BaseException:
    with pytest.raises(Exception) as caught:  # noqa: PT011 - the framework's own, whatever it is
        model.predict(samples)
    return caught.value


def test_no_value_leaves_by_default(tmp_path: Path) -> None:
    """Neither what goes in nor what comes out is on the span."""
    canary = 271828.0
    model = saved(tmp_path / "price", LinearRegression().fit(SAMPLES, [canary, canary, canary]))
    with capture() as seen:
        model.predict(SAMPLES + canary)
    (span,) = seen.spans
    assert "27182" not in span.to_json()


def test_the_answer_is_the_one_without_us(tmp_path: Path) -> None:
    """Same values, same type."""
    model = saved(tmp_path / "churn", churn())
    before = model.predict(SAMPLES)
    with capture():
        during = model.predict(SAMPLES)
    assert type(during) is type(before)
    np.testing.assert_array_equal(during, before)


def test_models_can_be_sent_and_copied_while_observed(conforming: Capture, tmp_path: Path) -> None:
    """Pickle, cloudpickle and deepcopy give models that answer alike, each with a span."""
    model = saved(tmp_path / "churn", churn())
    expected = model.predict(SAMPLES)
    for copied in round_trips(model):
        conforming.clear()
        np.testing.assert_array_equal(copied.predict(SAMPLES), expected)
        assert len(conforming.spans) == 1


def test_uninstrumenting_puts_the_very_functions_back() -> None:
    """Of the model, of the loader, and of what autologging calls."""
    assert_put_back(
        (mlflow.pyfunc.PyFuncModel, ("predict", "predict_stream")),
        (mlflow.pyfunc, ("load_model",)),
        (mlflow.sklearn, ("resolve_input_example_and_signature",)),
    )


def test_without_scikit_learns_instrumentor_the_facts_are_the_same(
    conforming: Capture, tmp_path: Path
) -> None:
    """Switching on MLflow is enough."""
    model = saved(tmp_path / "churn", churn())
    both = attributes_of(conforming, lambda: model.predict(SAMPLES))
    uninstrument()
    instrument(["mlflow"], tracer_provider=conforming.tracer_provider)
    alone = attributes_of(conforming, lambda: model.predict(SAMPLES))
    changing = {keys.ML_CALL_SEQUENCE, keys.ML_CALL_STREAM}
    assert {k: v for k, v in alone.items() if k not in changing} == {
        k: v for k, v in both.items() if k not in changing
    }


def test_threads_do_not_see_each_other(conforming: Capture, tmp_path: Path) -> None:
    """Four threads that call one model make a span per call."""
    model = saved(tmp_path / "churn", churn())
    conforming.clear()
    threads = [
        threading.Thread(target=lambda: [model.predict(SAMPLES) for _ in range(5)])
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(conforming.spans) == 20


@pytest.mark.parametrize(
    ("columns", "rows"),
    [
        (lambda: {name: list(SAMPLES[name][:3]) for name in SAMPLES}, 3),
        (lambda: {name: SAMPLES[name][:3].to_numpy() for name in SAMPLES}, 3),
        (lambda: dict(SAMPLES.iloc[0]), 1),
    ],
    ids=["lists", "arrays", "numbers"],
)
def test_a_mapping_is_what_the_signature_makes_of_it(
    tmp_path: Path, columns: Any, rows: int
) -> None:
    """As a request's JSON holds it: columns of samples, or the values of one; MLflow makes a frame of both."""
    model = saved(tmp_path / "churn", churn())
    with capture(Settings(capture_content="span_only")) as seen:
        model.predict(columns())
        told = seen.attributes
    assert told["ml.batch.size"] == rows
    assert told["ml.input.feature.count"] == SAMPLES.shape[1]
    assert told["ml.input.missing.count"] == 0
    found = json.loads(told["ml.input.rows" if rows > 1 else "ml.input.features"])
    assert pd.DataFrame(found if rows > 1 else [found]).equals(SAMPLES[:rows])


def test_a_mapping_of_texts_is_one_sample(tmp_path: Path) -> None:
    """Of a single value, not of its letters."""
    signature = ModelSignature(Schema([ColSpec("string", "text")]))
    mlflow.pyfunc.save_model(
        tmp_path / "one", python_model=Chunks(), signature=signature, pip_requirements=[]
    )
    model = mlflow.pyfunc.load_model(str(tmp_path / "one"))
    with capture() as seen:
        model.predict({"text": "a"})
        assert seen.attributes["ml.batch.size"] == 1
        assert seen.attributes["ml.input.feature.count"] == 1

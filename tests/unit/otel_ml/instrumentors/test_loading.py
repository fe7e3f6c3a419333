"""Loading a model: one span with its file, and from then on the file says who the model is."""

from __future__ import annotations

import gc
import hashlib
import io
import itertools
import pickle
import time
import zipfile
from pathlib import Path
from typing import Any

import cloudpickle
import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import otel_ml
from otel_ml.instrumentors import _loading
from otel_ml.instrumentors._identity import stored_at
from otel_ml.settings import ContentMode, Settings
from otel_ml.testing import Capture, capture
from tests.data.programs import run

SAMPLES = np.array([[0.0, 1.0], [1.0, 0.0], [0.5, 0.5]])


@pytest.fixture(name="path")
def _path(tmp_path: Path) -> Path:
    """A file of joblib with a pipeline in it."""
    path = tmp_path / "fraud.joblib"
    joblib.dump(make_pipeline(StandardScaler(), LogisticRegression()).fit(SAMPLES, [0, 1, 1]), path)
    return path


def loads(seen: Capture) -> list[Any]:
    """Return the spans of loading."""
    return [span for span in seen.spans if span.name.startswith("load")]


def test_loading_is_a_span_with_the_file_and_its_hash(captured: Capture, path: Path) -> None:
    """Name, class and framework of the model, name and SHA-256 of the file; nothing else of its path."""
    joblib.load(path)

    (span,) = loads(captured)
    told = dict(span.attributes or {})
    assert span.name == "load fraud"
    assert told["ml.operation.name"] == "load"
    assert told["ml.model.type"] == "sklearn.pipeline.Pipeline"
    assert told["artifact.filename"] == "fraud.joblib"
    assert told["artifact.hash"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert str(path.parent) not in str(told)
    assert span.end_time is not None
    assert span.start_time is not None
    assert span.end_time > span.start_time


@pytest.mark.parametrize("hours", [-1, 1])
def test_a_clock_that_is_set_while_a_model_loads_has_no_say_in_how_long_it_took(
    captured: Capture, path: Path, monkeypatch: pytest.MonkeyPatch, hours: int
) -> None:
    """A duration of less than nothing is refused by the metrics SDK, and one of an hour is believed."""
    times = (time.time_ns() + hours * number * 3600 * 10**9 for number in itertools.count())
    monkeypatch.setattr(_loading, "time_ns", lambda: next(times))
    joblib.load(path)
    (span,) = loads(captured)
    assert span.start_time is not None
    assert span.end_time is not None
    (point,) = captured.metric("ml.model.load.duration")
    assert 0 < point.sum < 60
    assert span.end_time - span.start_time == pytest.approx(point.sum * 1e9)


def test_loading_is_told_where_no_thread_can_be_started(path: Path) -> None:
    """As in a process that ends, or in a container with no room for one more: only the hash is not there."""
    said = run(
        """
        import sys, threading, joblib
        from otel_ml.testing import capture

        with capture() as seen:
            threading.stack_size(1 << 45)  # more than any machine gives
            joblib.load(sys.argv[1])
            (span,) = seen.spans
            print(span.name, "artifact.hash" in span.attributes, seen.metric("ml.sdk.errors"))
        """,
        str(path),
    )
    assert said.stdout == "load fraud False []\n"


def test_what_was_loaded_is_called_as_its_file(captured: Capture, path: Path) -> None:
    """Spans of its predictions have the name of the file, not of its class; what is said of it in code still comes first."""
    model = joblib.load(path)
    model.predict(SAMPLES)
    otel_ml.register_model(model, name="fraud-detector")
    model.predict(SAMPLES)

    names = [span.name for span in captured.spans if span.name.startswith("predict")]
    assert names == ["predict fraud", "predict fraud-detector"]


@pytest.mark.parametrize("wrapped", [False, True])
def test_pickle_is_seen_too(captured: Capture, path: Path, wrapped: bool) -> None:
    """From a file the file is named; from bytes it is only known that a model came."""
    pickled = path.with_suffix(".pkl")
    pickled.write_bytes(pickle.dumps(joblib.load(path)))
    assert len(loads(captured)) == 1
    captured.clear()

    with pickled.open("rb") as file:
        pickle.load(io.BytesIO(file.read()) if wrapped else file)

    (span,) = loads(captured)
    assert span.name == ("load Pipeline" if wrapped else "load fraud")
    assert ("artifact.hash" in (span.attributes or {})) is not wrapped


def test_a_file_given_by_name_is_found_among_other_arguments(captured: Capture, path: Path) -> None:
    """What joblib is told first may be how to read it."""
    joblib.load(mmap_mode="r", filename=path)
    assert [span.name for span in loads(captured)] == ["load fraud"]


def test_a_member_of_an_archive_is_not_taken_for_a_file(
    captured: Capture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that is called like it in the folder of the service is another one: its hash is not told."""
    monkeypatch.chdir(tmp_path)
    Path("fraud.pkl").write_bytes(b"another")
    model = LogisticRegression().fit(SAMPLES, [0, 1, 1])
    with zipfile.ZipFile("models.zip", "w") as archive:
        archive.writestr("fraud.pkl", pickle.dumps(model))
    with zipfile.ZipFile("models.zip") as archive, archive.open("fraud.pkl") as member:
        pickle.load(member)
    (span,) = loads(captured)
    assert not any(key.startswith("artifact.") for key in span.attributes or {})


def test_what_is_no_model_is_no_load(captured: Capture, tmp_path: Path) -> None:
    """Arrays and dictionaries come and go without a span, as do files that cannot be read."""
    joblib.dump({"rows": SAMPLES}, tmp_path / "rows.joblib")
    (tmp_path / "torn.joblib").write_bytes(b"")

    assert joblib.load(tmp_path / "rows.joblib")["rows"].tolist() == SAMPLES.tolist()
    with pytest.raises(EOFError):
        joblib.load(tmp_path / "torn.joblib")
    with pytest.raises(FileNotFoundError):
        joblib.load(tmp_path / "missing.joblib")

    assert loads(captured) == []


class Standing:
    """Stands for another object, which it fetches when it is asked for its class."""

    @property  # type: ignore[misc]  # as lazy objects do
    def __class__(self) -> type:
        """Fail: the other object is far away."""
        raise RuntimeError


class Fetching:
    """What is pickled of one that stands for another."""

    def __reduce__(self) -> tuple[type, tuple[()]]:
        """Return what makes it again."""
        return Standing, ()


def test_what_stands_for_another_object_is_left_alone(captured: Capture, tmp_path: Path) -> None:
    """A lazy object that was pickled is fetched when the program needs it, not before."""
    path = tmp_path / "lazy.pkl"
    path.write_bytes(pickle.dumps(Fetching()))
    with path.open("rb") as file:
        assert type(pickle.load(file)) is Standing
    assert loads(captured) == []
    assert captured.metric("ml.sdk.errors") == []


def test_models_in_memory_are_counted_until_they_are_gone(captured: Capture, path: Path) -> None:
    """Two loaded, one let go: one is left, and two durations were measured."""
    first = joblib.load(path)
    second = joblib.load(path)
    del first
    gc.collect()

    (loaded,) = captured.metric("ml.model.loaded")
    (duration,) = captured.metric("ml.model.load.duration")
    assert loaded.value == 1
    assert duration.count == 2
    assert dict(loaded.attributes)["ml.model.name"] == "fraud"
    assert second.predict(SAMPLES).shape == (3,)


def test_names_of_features_leave_only_with_their_values(path: Path) -> None:
    """They may be values themselves (`city=Paris`): by default their number is told, and nothing more."""
    frame = pd.DataFrame(SAMPLES, columns=["city=Paris", "amount"])
    joblib.dump(LogisticRegression().fit(frame, [0, 1, 1]), path)
    told = []
    modes: list[ContentMode] = ["no_content", "span_only"]
    for mode in modes:
        with capture(Settings(capture_content=mode)) as seen:
            joblib.load(path)
            (span,) = loads(seen)
        told.append(dict(span.attributes or {}))

    assert [facts["ml.input.feature.count"] for facts in told] == [2, 2]
    assert "ml.input.feature.names" not in told[0]
    assert told[1]["ml.input.feature.names"] == ("city=Paris", "amount")


def test_pickle_in_the_body_of_a_class_becomes_no_method(captured: Capture, path: Path) -> None:
    """As the builtin that it is: a class that keeps `pickle.load` calls it without itself, and it is seen."""

    class Store:
        load = pickle.load

    pickled = path.with_suffix(".pkl")
    pickled.write_bytes(pickle.dumps(LogisticRegression().fit(SAMPLES, [0, 1, 1])))
    with pickled.open("rb") as file:
        model = Store().load(file)

    assert model.predict(SAMPLES).shape == (3,)
    assert [span.name for span in loads(captured)] == ["load fraud"]


@pytest.mark.parametrize(
    ("settings", "names"),
    [
        ({"feature_denylist": ("city=*",)}, ("amount",)),
        ({"feature_allowlist": ("city=*",)}, ("city=Paris",)),
        ({"capture_max_features": 1}, ("city=Paris",)),
        ({"feature_allowlist": ("nothing",)}, ()),
    ],
)
def test_names_of_features_leave_as_far_as_their_values(
    path: Path, settings: dict[str, Any], names: tuple[str, ...]
) -> None:
    """What is denied stays denied, as a name too, and no more are told than values would be."""
    frame = pd.DataFrame(SAMPLES, columns=["city=Paris", "amount"])
    joblib.dump(LogisticRegression().fit(frame, [0, 1, 1]), path)
    with capture(Settings(capture_content="span_only", **settings)) as seen:
        joblib.load(path)
        (span,) = loads(seen)
    assert (span.attributes or {})["ml.input.feature.names"] == names
    assert (span.attributes or {})["ml.input.feature.count"] == 2


def test_the_functions_are_themselves_again_and_can_be_shipped(path: Path) -> None:
    """While they are wrapped, pickle and cloudpickle ship them by name; afterwards they are the very same."""
    before = joblib.load, pickle.load
    with capture():
        assert joblib.load is not before[0]
        for function in (joblib.load, pickle.load):
            assert pickle.loads(pickle.dumps(function)) is function
            assert cloudpickle.loads(cloudpickle.dumps(function)) is function
    assert (joblib.load, pickle.load) == before
    assert pickle.load is before[1]
    with path.open("rb") as file, pytest.raises(TypeError):
        pickle.load(file, 1, 2)  # type: ignore[call-arg,arg-type]  # as it was: its own error


@pytest.mark.parametrize(
    ("place", "name", "version"),
    [
        ("/srv/models/fraud.joblib", "fraud", None),
        ("fraud/3/model.pkl", "fraud", "3"),
        ("fraud/3", "fraud", "3"),
        ("/srv/fraud/model.onnx", "fraud", None),
        (r"C:\models\fraud\model.onnx", "fraud", None),
        ("model.joblib", None, None),
        ("/app/models/model.joblib", None, None),
        ("", None, None),
    ],
)
def test_what_a_path_says_of_a_model(place: str, name: str | None, version: str | None) -> None:
    """The file's name, or its folder's where the file is called as any model's; a folder of digits is a version."""
    found = stored_at(place)

    assert (found.name, found.version) == (name, version)

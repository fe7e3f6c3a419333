"""Nothing leaves the process that nobody asked for: canaries are searched in the bytes sent."""

import struct
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse as sp
from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from sklearn.cluster import KMeans
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import IsolationForest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.mixture import GaussianMixture
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from otel_ml.settings import Settings
from otel_ml.testing import Capture, capture

NUMBER = 8675.309
INTEGER = 86_753_091
TEXT = "canary-8675309"
TRAINING = np.random.default_rng(0).normal(size=(30, 3))
CLASSES = (TRAINING[:, 0] > 0).astype(int)

# As a double, as a float, as decimal text, as the protobuf integer, as text.
NEEDLES = {
    "double": struct.pack("<d", NUMBER),
    "float": struct.pack("<f", NUMBER),
    "decimal": b"8675.3",
    "integer": b"86753091",
    "text": b"8675309",
}

SAMPLES: dict[str, Any] = {
    "array": np.array([[NUMBER] * 3]),
    "single": np.full((1, 3), NUMBER, "f4"),
    "integers": np.full((2, 3), INTEGER),
    "objects": np.array([[NUMBER, INTEGER, NUMBER]], object),
    "list": [[NUMBER, INTEGER, NUMBER]],
    "pandas": pd.DataFrame([[NUMBER, INTEGER, NUMBER]], columns=["a", "b", "c"]),
    "polars": pl.DataFrame({"a": [NUMBER], "b": [INTEGER], "c": [NUMBER]}),
    "sparse": sp.csr_matrix([[NUMBER] * 3]),
    "batch": np.full((100, 3), NUMBER),
    "refused": [[NUMBER, TEXT, NUMBER]],
}
MODELS: dict[str, Any] = {
    "classifier": LogisticRegression(),
    "regressor": LinearRegression(),
    "clusterer": KMeans(2, n_init=1, random_state=0),
    "outlier detector": IsolationForest(n_estimators=3, random_state=0),
    "mixture": GaussianMixture(2, random_state=0),
}
METHODS = ("predict", "predict_proba", "predict_log_proba", "decision_function", "score_samples")


def sent(seen: Capture) -> bytes:
    """Return the OTLP bytes of all spans and metrics."""
    data = seen._reader.get_metrics_data()
    metrics = encode_metrics(data).SerializeToString() if data is not None else b""
    return encode_spans(seen.spans).SerializeToString() + metrics


def found_in(payload: bytes) -> set[str]:
    """Return the canaries that are in *payload*."""
    return {name for name, needle in NEEDLES.items() if needle in payload}


@pytest.fixture(params=[Settings(), Settings(capture_nested=True)], ids=["default", "nested"])
def seen(request: pytest.FixtureRequest) -> Iterator[Capture]:
    """Return a capture whose settings ask for no content."""
    with capture(request.param) as seen:
        yield seen


def provoke(model: Any, samples: Any) -> int:
    """Ask *model* everything it answers; return how many answers or refusals there were."""
    asked = 0
    for method in METHODS:
        if hasattr(model, method):
            asked += 1
            try:
                getattr(model, method)(samples)
            except (ValueError, TypeError):
                continue
    return asked


@pytest.mark.filterwarnings("ignore:X has feature names", "ignore:divide by zero")
@pytest.mark.parametrize("kind", SAMPLES)
@pytest.mark.parametrize("name", MODELS)
def test_no_feature_value_leaves_unless_asked_for(name: str, kind: str, seen: Capture) -> None:
    """Not on spans, not in metrics, not through exceptions."""
    model = MODELS[name].fit(TRAINING, CLASSES)
    asked = provoke(model, SAMPLES[kind])
    assert len(seen.spans) >= asked > 0
    assert found_in(sent(seen)) == set()


def test_no_text_leaves_unless_asked_for(seen: Capture) -> None:
    """Nor a class that is a whole text: it is hashed."""
    long_class = TEXT * 10
    model = make_pipeline(TfidfVectorizer(), LogisticRegression())
    model.fit(["good", "bad"], [long_class, long_class[::-1]])
    provoke(model, [TEXT])
    assert len(seen.spans) >= 3
    assert found_in(sent(seen)) == set()


def test_the_search_finds_what_is_there() -> None:
    """With capture on the canaries are in the bytes: the tests above can fail."""
    with capture(Settings(capture_content="span_only")) as seen:
        MODELS["regressor"].fit(TRAINING, CLASSES).predict(SAMPLES["array"])
        assert found_in(sent(seen)) >= {"double"}
        seen.clear()
        MODELS["regressor"].predict(pd.DataFrame(SAMPLES["integers"]))
        assert found_in(sent(seen)) >= {"integer"}


@pytest.mark.filterwarnings("ignore:X has feature names", "ignore:divide by zero")
def test_a_denied_value_does_not_leave_though_others_do() -> None:
    """The list is kept to in every form of content."""
    settings = Settings(capture_content="span_only", feature_denylist=("b",))
    with capture(settings) as seen:
        model = LinearRegression().fit(TRAINING, CLASSES)
        for rows in (1, 3):
            frame = pd.DataFrame({"a": [1.0], "b": [NUMBER], "c": [2.0]}).loc[[0] * rows]
            model.predict(frame)
            model.predict(frame.to_numpy())
        assert found_in(sent(seen)) == set()
        assert b'"a":1.0' in sent(seen)


def test_a_denied_value_does_not_leave_from_a_step_that_calls_it_otherwise() -> None:
    """A column transformer puts its prefix before a name, and an encoder the value behind it."""
    frame = pd.DataFrame({"a": [1.0, 2.0], "b": [NUMBER, 1.0], "c": [TEXT, "other"]})
    change = ColumnTransformer(
        [
            ("kept", "passthrough", ["a", "b"]),
            ("coded", OneHotEncoder(sparse_output=False), ["c"]),
        ]
    )
    model = make_pipeline(change, LogisticRegression()).set_output(transform="pandas")
    model.fit(frame, [0, 1])
    settings = Settings(
        capture_content="span_only", capture_nested=True, feature_denylist=("b", "c")
    )
    with capture(settings) as seen:
        model.predict(frame[:1])
        model[-1].predict(model[0].transform(frame))
        assert found_in(sent(seen)) == set()
        assert b'"kept__a":1.0' in sent(seen)

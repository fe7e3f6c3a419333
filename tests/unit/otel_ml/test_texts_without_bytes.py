"""Texts that UTF-8 has no bytes for, or far too many: one of them in a span, and nothing of its batch is sent."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib
import pytest
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from sklearn.linear_model import LogisticRegression

import otel_ml
from otel_ml.resource_detector import EnvironmentDetector
from otel_ml.settings import Settings
from otel_ml.testing import Capture, capture

HALF = "\udce9"  # as Python reads the byte of an accented letter in Latin-1


def fitted() -> LogisticRegression:
    """Return a model."""
    return LogisticRegression().fit([[0.0], [1.0]], [0, 1])


def sent(seen: Capture) -> list[str]:
    """Return the names of all spans, each of which can be sent."""
    encode_spans(seen.spans)
    return [span.name for span in seen.spans]


def test_the_name_that_an_operator_gives() -> None:
    """`OTEL_ML_MODEL_NAME` out of a shell of another locale."""
    with capture(Settings(model_name=f"fraud{HALF}", model_version=HALF)) as seen:
        fitted().predict([[1.0]])
        assert sent(seen) == ["predict fraud?"]
        assert seen.attributes["ml.model.version"] == "?"


def test_the_name_of_a_file(captured: Capture, tmp_path: Path) -> None:
    """On Linux it may have any bytes; the spans of loading and of the calls bear it."""
    path = tmp_path / os.fsdecode(b"fraud\xe9.pkl")
    joblib.dump(fitted(), path)
    joblib.load(path).predict([[1.0]])
    assert sorted(sent(captured)) == ["load fraud?", "predict fraud?"]


def test_a_very_long_name_is_cut() -> None:
    """A file's metadata may hold anything."""
    with capture(Settings(model_name="n" * 100_000)) as seen:
        fitted().predict([[1.0]])
        assert seen.attributes["ml.model.name"] == "n" * 1024
        assert len(seen.spans[0].name) == 1024


BY_HAND: list[Callable[[], Any]] = [
    lambda: otel_ml.inference(HALF, version=HALF, prediction_id=HALF, device=HALF),
    lambda: otel_ml.training(HALF, run_id=HALF, parameters={HALF: HALF}),
    lambda: otel_ml.evaluation(HALF, implementation=HALF),
    lambda: otel_ml.explanation(HALF, prediction_id=HALF),
    lambda: otel_ml.pipeline_step(HALF, operation_name=HALF, model=HALF),
]


@pytest.mark.parametrize("block", BY_HAND)
def test_what_is_told_by_hand(captured: Capture, block: Callable[[], Any]) -> None:
    """A name out of a request, say, whose JSON held half of a surrogate pair."""
    with block():
        pass
    (name,) = sent(captured)
    assert name.endswith("?")


class UntoldError(Exception):
    """One that has no text."""

    def __str__(self) -> str:
        """Fail."""
        raise LookupError


@pytest.mark.parametrize("error", [ValueError(HALF), UntoldError()], ids=["half", "none"])
def test_the_message_of_an_exception(error: Exception) -> None:
    """It is told as far as there is one, and the span of what failed ends whatever it is."""
    with capture(Settings(capture_exception_messages=True)) as seen:
        with pytest.raises(type(error)), otel_ml.training("fraud"):
            raise error
        with pytest.raises(type(error)), otel_ml.inference("fraud"):
            raise error
        assert sent(seen) == ["fit fraud", "predict fraud"]
        told = {span.status.description or "" for span in seen.spans}
        assert told == {"?" if str(error.args) == str((HALF,)) else ""}


def test_the_model_on_the_resource(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the SDK would leave it out, and log so with each request."""
    monkeypatch.setenv("OTEL_ML_MODEL_NAME", f"fraud{HALF}")
    assert EnvironmentDetector().detect().attributes["ml.model.name"] == "fraud?"


LONG = "n" * 100_000


@pytest.mark.parametrize(
    "tell",
    [
        lambda: otel_ml.record_internal(LONG, {LONG: 1.0}, model="fraud"),
        lambda: otel_ml.record_explanation({LONG: 1.0}, model="fraud"),
    ],
    ids=["internal", "explanation"],
)
def test_very_long_names_in_events_are_cut(tell: Callable[[], Any]) -> None:
    """Of features and of what goes on inside a model; as an event they are keys of a map, too."""
    with capture(Settings(capture_content="event_only")) as seen:
        tell()
        (event,) = seen.events
        assert "n" * 1024 in str(dict(event.attributes))
        assert "n" * 1025 not in str(dict(event.attributes))

"""The capture that tests of models use, in our tests and in anybody's."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression

from otel_ml.settings import Settings
from otel_ml.testing import capture

MODEL = LinearRegression().fit(np.eye(2), [0.0, 1.0])


def test_a_capture_begins_and_ends_with_its_context() -> None:
    """What is called before and after is not in it."""
    MODEL.predict(np.eye(2))
    with capture() as seen:
        MODEL.predict(np.eye(2))
    MODEL.predict(np.eye(2))
    assert [span.name for span in seen.spans] == ["predict LinearRegression"]


def test_a_capture_takes_settings_whatever_the_environment_says(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A test means the same on every machine."""
    monkeypatch.setenv("OTEL_ML_MODEL_NAME", "of this machine")
    with capture(Settings(model_version="7")) as seen:
        MODEL.predict(np.eye(2))
        assert seen.attributes["ml.model.name"] == "LinearRegression"
        assert seen.attributes["ml.model.version"] == "7"


@pytest.mark.parametrize(
    ("variable", "value"), [("OTEL_SDK_DISABLED", "true"), ("OTEL_TRACES_SAMPLER", "always_off")]
)
def test_a_capture_sees_calls_where_telemetry_is_switched_off(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    """As it is on many a machine that runs tests, so that nothing leaves it."""
    monkeypatch.setenv(variable, value)
    with capture() as seen:
        MODEL.predict(np.eye(2))
        assert len(seen.calls) == len(seen.metric("ml.inference.duration")) == 1
    assert os.environ[variable] == value


def test_attributes_are_those_of_the_only_span() -> None:
    """Where there is none, or more than one, that is a failure."""
    with capture() as seen:
        with pytest.raises(ValueError, match="not enough"):
            _ = seen.attributes
        MODEL.predict(np.eye(2))
        MODEL.predict(np.eye(2))
        with pytest.raises(ValueError, match="too many"):
            _ = seen.attributes
        seen.clear()
        assert len(seen.spans) == 0


def test_a_metric_that_was_not_recorded_has_no_points() -> None:
    """Nor has one that does not exist."""
    with capture() as seen:
        assert seen.metric("ml.inference.duration") == []
        assert seen.metric("no.such.metric") == []


def test_it_is_a_plugin_of_pytest(tmp_path: Path) -> None:
    """A project of anybody's loads it by name and asks for `captured`."""
    (tmp_path / "test_mine.py").write_text(
        "def test_mine(captured):\n    assert len(captured.spans) == 0\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "otel_ml.testing", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stdout + done.stderr

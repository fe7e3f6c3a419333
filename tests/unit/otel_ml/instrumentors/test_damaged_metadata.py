"""A framework whose distribution says nothing that can be read: by a disk, or a copy that was cut off."""

from pathlib import Path

import pytest

import otel_ml
from otel_ml.doctor.frameworks import examine_frameworks
from otel_ml.instrumentors.sklearn import SklearnInstrumentor
from otel_ml.testing import Capture


@pytest.fixture(autouse=True)
def _damaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put something damaged in front of the scikit-learn that is installed."""
    about = tmp_path / "scikit_learn-1.9.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_bytes(b"Name: scikit-learn\nVersion: 1.9.0\nSummary: \xff\xfe\n")
    monkeypatch.syspath_prepend(tmp_path)


def test_a_damaged_distribution_keeps_nobody_else_from_being_loaded(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The loader gives up on everything at any exception but a conflict; what to do is said."""
    instrumentor = SklearnInstrumentor()
    instrumentor.instrument(skip_dep_check=True)
    assert instrumentor.is_instrumented_by_opentelemetry is False
    assert "sklearn is not instrumented" in caplog.text
    assert "installed scikit-learn cannot be read" in caplog.text
    assert "reinstall it" in caplog.text


def test_what_is_recorded_by_hand_goes_where_it_was_told_to() -> None:
    """Also where the one framework that was asked for could not be instrumented."""
    seen = Capture()
    otel_ml.instrument(["sklearn"], tracer_provider=seen.tracer_provider)
    try:
        with otel_ml.inference("credit"):
            pass
    finally:
        otel_ml.uninstrument()
    assert [span.name for span in seen.spans] == ["predict credit"]


def test_the_doctor_tells_of_a_damaged_distribution() -> None:
    """It looks on at all the others."""
    states, findings = examine_frameworks({})
    damaged = [state.instrumentor for state in states if "cannot be read" in state.state]
    (finding,) = (each for each in findings if "cannot be read" in each.said)
    assert damaged == ["ml_sklearn"]
    assert len(states) > 1
    assert finding.remedy == "reinstall scikit-learn >= 1.3"

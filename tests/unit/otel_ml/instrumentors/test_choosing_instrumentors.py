"""Which frameworks are instrumented, when, and what is said where one is not."""

import logging
from contextlib import AbstractContextManager, nullcontext
from importlib.metadata import EntryPoint
from typing import Any

import pytest
from opentelemetry.instrumentation import dependencies
from sklearn.linear_model import LinearRegression

import otel_ml
from otel_ml import instrumentors
from otel_ml.instrumentors import _instrumentor as instrumentor_module
from otel_ml.instrumentors._wrapping import MARKER
from otel_ml.instrumentors.sklearn import SklearnInstrumentor
from otel_ml.testing import capture
from tests.data.iris import SAMPLES, trained_on_names
from tests.data.programs import run

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def test_nothing_but_a_conflict_leaves_the_instrumentor(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Any other exception would keep everybody else's instrumentors from being loaded."""

    def fail(*_args: Any, **_kwargs: Any) -> Any:
        raise RuntimeError("boom")

    monkeypatch.setattr(instrumentor_module, "Observer", fail)
    instrumentor = SklearnInstrumentor()
    instrumentor.instrument(skip_dep_check=True)
    assert "sklearn is not instrumented" in caplog.text
    assert instrumentor.is_instrumented_by_opentelemetry is False


@pytest.mark.parametrize("found", ["1.2.2", "0.24.0"])
def test_a_scikit_learn_that_is_too_old_is_a_conflict(
    found: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The loader is told by the one exception it expects, if it knows any, and nothing is wrapped."""
    pretend(monkeypatch, found)
    with refusal(found):
        SklearnInstrumentor().instrument(skip_dep_check=True)
    assert MARKER not in vars(LinearRegression.fit)
    assert SklearnInstrumentor().is_instrumented_by_opentelemetry is False


def refusal(match: str) -> AbstractContextManager[Any]:
    """Return what expects the loader's exception; older loaders have none, and nothing is raised."""
    error = getattr(dependencies, "DependencyConflictError", None)
    return nullcontext() if error is None else pytest.raises(error, match=match)


@pytest.mark.parametrize("found", ["1.3.0", "1.10.dev0", "2.0rc1"])
def test_a_pre_release_is_no_conflict(found: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The loader's own check takes a nightly build for a wrong version; ours does not."""
    pretend(monkeypatch, found)
    SklearnInstrumentor().instrument(skip_dep_check=True)
    SklearnInstrumentor().uninstrument()


def pretend(monkeypatch: pytest.MonkeyPatch, found: str) -> None:
    """Make *found* the version of scikit-learn that is installed."""
    monkeypatch.setattr("opentelemetry.instrumentation.dependencies.version", lambda name: found)


def test_a_missing_scikit_learn_is_a_conflict(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a service that uses another framework."""

    def missing(name: str) -> str:
        raise dependencies.PackageNotFoundError(name)  # a backport of its own in older ones

    monkeypatch.setattr("opentelemetry.instrumentation.dependencies.version", missing)
    with refusal('no installed version|found: "None"'):  # in older ones' words
        SklearnInstrumentor().instrument(skip_dep_check=True)
    assert SklearnInstrumentor().is_instrumented_by_opentelemetry is False


def test_an_unknown_framework_is_told_with_the_known_ones() -> None:
    """A misspelt name is told at once."""
    with pytest.raises(ValueError, match=r"unknown framework 'sklern'; known: catboost, .*sklearn"):
        otel_ml.instrument(["sklern"])
    with pytest.raises(ValueError, match=r"unknown framework 'sklern'; known: catboost, .*sklearn"):
        otel_ml.uninstrument(["sklern"])


def test_a_framework_by_itself_is_no_list_of_its_letters() -> None:
    """The usual slip is told with what to write."""
    for call in (otel_ml.instrument, otel_ml.uninstrument):
        with pytest.raises(TypeError, match=r"found the text 'sklearn'; write \['sklearn'\]"):
            call("sklearn")


def test_an_instrumentor_of_others_that_is_broken_keeps_nobody_else_out(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """What cannot be loaded is named, and all the rest is instrumented."""
    broken = EntryPoint(
        "ml_theirs", "a_module_that_is_not_there:Theirs", "opentelemetry_instrumentor"
    )
    known = {**instrumentors._ours(), "theirs": broken}
    monkeypatch.setattr(instrumentors, "_ours", lambda: known)
    with capture() as seen:
        trained_on_names().predict(SAMPLES[:1])
        assert len(seen.spans) == 1
    assert "theirs is not instrumented: a_module_that_is_not_there:Theirs" in caplog.text


def test_a_framework_asked_for_by_name_that_is_missing_is_a_warning(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A service does not fail to start for want of telemetry, but it is told."""
    pretend(monkeypatch, "1.2.0")
    otel_ml.instrument(["sklearn"])
    (record,) = [record for record in caplog.records if record.name == "otel_ml"]
    assert record.levelno == logging.WARNING
    assert "1.2.0" in record.getMessage()
    monkeypatch.undo()  # as if a later one had been installed
    otel_ml.instrument(["sklearn"])
    assert MARKER in vars(LinearRegression.fit)
    otel_ml.uninstrument()


def test_instrumenting_before_the_import_is_as_good_as_after() -> None:
    """In a fresh interpreter: `instrument`, then import, then the same span."""
    program = """
        import sys, otel_ml
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import SimpleSpanProcessor
        from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

        exporter, provider = InMemorySpanExporter(), TracerProvider()
        provider.add_span_processor(SimpleSpanProcessor(exporter))
        otel_ml.instrument(["sklearn"], tracer_provider=provider)
        assert "sklearn" not in sys.modules
        before = list(sys.meta_path)
        from sklearn.ensemble import RandomForestClassifier
        from sklearn.base import BaseEstimator

        model = RandomForestClassifier(3, n_jobs=2).fit([[0.0], [1.0]], [0, 1])
        model.predict([[0.0]])
        print([span.name for span in exporter.get_finished_spans()])
        otel_ml.uninstrument()
        model.predict([[0.0]])
        print(len(exporter.get_finished_spans()), "__init_subclass__" in vars(BaseEstimator))
        print([f for f in sys.meta_path if type(f).__module__.startswith("otel_ml")])
    """
    done = run(program, options=("-W", "error"))
    assert done.stdout.splitlines() == ["['predict RandomForestClassifier']", "1 False", "[]"]

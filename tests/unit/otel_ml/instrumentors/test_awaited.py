"""What is loaded of the instrumentors before their frameworks are, and when the rest comes."""

import ast
import pickle
import textwrap
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path

import pytest
from sklearn.dummy import DummyRegressor

from otel_ml import instrumentors
from otel_ml.instrumentors._awaited import FRAMEWORKS, AwaitedInstrumentor
from otel_ml.instrumentors._instrumentor import FrameworkInstrumentor
from otel_ml_conventions.attributes import MlFrameworkNameValues
from tests.data.programs import run

# What every program below begins with: spans and metrics into memory, nothing of ours imported yet.
MEMORY = """
import logging, sys
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

logging.basicConfig()
exporter, tracers = InMemorySpanExporter(), TracerProvider()
tracers.add_span_processor(SimpleSpanProcessor(exporter))
reader = InMemoryMetricReader()
meters = MeterProvider([reader])

def names():
    loading = sys.modules.get("otel_ml.instrumentors._loading")
    if loading is not None:
        loading.await_loads()
    return [span.name for span in exporter.get_finished_spans()]

def ours():
    return {name for name in list(sys.modules) if name.startswith("otel_ml.")}

import otel_ml
"""


def said(folder: Path, program: str) -> str:
    """Return what *program* says on standard error, run in a fresh interpreter in *folder*."""
    return run(MEMORY + textwrap.dedent(program), folder=folder).stderr


@pytest.mark.parametrize("package", FRAMEWORKS)
def test_a_row_of_the_table_leads_to_the_instrumentor_of_its_file(package: str) -> None:
    """The entry point, the file, the class in it and the framework's name belong together."""
    (point,) = entry_points(group="opentelemetry_instrumentor", name=f"ml_{package}")
    awaited = point.load()
    assert issubclass(awaited, AwaitedInstrumentor)
    full = getattr(import_module(f"otel_ml.instrumentors.{package}"), awaited.instrumentor)
    assert issubclass(full, FrameworkInstrumentor)
    assert full.framework is awaited.framework is FRAMEWORKS[package]
    assert awaited.framework.name in {value.value for value in MlFrameworkNameValues}


@pytest.mark.parametrize("package", FRAMEWORKS)
def test_what_an_instrumentor_awaits_is_in_its_package_or_imported_for_it(package: str) -> None:
    """The rest of it comes before its package does: a module elsewhere might have been missed."""
    file = Path(instrumentors.__file__).parent / f"{package}.py"
    awaited = {
        call.args[0].value
        for call in ast.walk(ast.parse(file.read_text()))
        if isinstance(call, ast.Call)
        and getattr(call.func, "attr", None) == "when_imported"
        and isinstance(call.args[0], ast.Constant)
    }
    elsewhere = {
        "sklearn": {"joblib", "pickle"},  # which are asked to load before scikit-learn is there
        "sentence_transformers": {"transformers.trainer"},  # a trainer of it is one of these
    }
    outside = {name for name in awaited if name.partition(".")[0] != package}
    assert outside == elsewhere.get(package, set())


def test_until_a_framework_is_imported_next_to_nothing_of_ours_is(tmp_path: Path) -> None:
    """Neither recorder nor any framework's file: a service that asks no model pays for a table."""
    said(
        tmp_path,
        """
        otel_ml.instrument(tracer_provider=tracers, meter_provider=meters)
        assert ours() == {
            "otel_ml.environment_variables",
            "otel_ml.in_force",
            "otel_ml.instrumentors",
            "otel_ml.instrumentors._awaited",
            "otel_ml.instrumentors._imports",
            "otel_ml.instrumentors._supported",
            "otel_ml.instrumentors._wrapping",
            "otel_ml.settings",
        }, ours()
        import sklearn.base
        assert "otel_ml.instrumentors.sklearn" in ours()
        assert "otel_ml.instrumentors.torch" not in ours()
        """,
    )


@pytest.mark.parametrize(
    ("loads", "load"),
    [
        ("joblib", "joblib.load('price.model')"),
        ("pickle", "pickle.load(open('price.model', 'rb'))"),
    ],
)
def test_a_loader_that_brings_the_framework_along_is_seen(
    tmp_path: Path, loads: str, load: str
) -> None:
    """A program that only reads its model: loading is a span, and the model bears the file's name."""
    model = DummyRegressor().fit([[1.0]], [2.0])
    (tmp_path / "price.model").write_bytes(pickle.dumps(model))
    by_name = load.replace(f"{loads}.load", "bound")
    said(
        tmp_path,
        f"""
        import {loads}
        before = {loads}.load
        otel_ml.instrument(tracer_provider=tracers, meter_provider=meters)
        bound = {loads}.load
        assert bound is not before
        assert "sklearn" not in sys.modules and "otel_ml.recorder" not in ours()
        model = {load}
        assert {loads}.load is not bound
        model.predict([[1.0]])
        assert sorted(names()) == ["load price", "predict price"], names()
        {by_name}
        assert sorted(names())[:2] == ["load price", "load price"], names()
        otel_ml.uninstrument()
        assert {loads}.load is before
        {by_name}
        assert len(names()) == 3
        """,
    )


def test_what_is_told_by_hand_goes_where_it_was_said_before_any_framework(tmp_path: Path) -> None:
    """Providers that were given to `instrument` hold, whether or not a framework is imported."""
    said(
        tmp_path,
        """
        otel_ml.instrument(tracer_provider=tracers, meter_provider=meters)
        with otel_ml.inference("by hand"):
            pass
        assert names() == ["predict by hand"], names()
        """,
    )


def test_uninstrumented_before_the_import_is_as_if_it_had_never_been(tmp_path: Path) -> None:
    """Nothing awaits the framework any more, and its import brings nothing of ours."""
    said(
        tmp_path,
        """
        import pickle
        finders, load = list(sys.meta_path), pickle.load
        otel_ml.instrument(tracer_provider=tracers, meter_provider=meters)
        otel_ml.uninstrument()
        assert sys.meta_path == finders and pickle.load is load
        from sklearn.dummy import DummyRegressor
        DummyRegressor().fit([[1.0]], [2.0]).predict([[1.0]])
        assert names() == [] and "otel_ml.instrumentors.sklearn" not in ours()
        """,
    )


def test_an_instrumentor_that_cannot_be_imported_breaks_no_import(tmp_path: Path) -> None:
    """The framework is there and works; why it is not observed is logged."""
    told = said(
        tmp_path,
        """
        otel_ml.instrument(tracer_provider=tracers, meter_provider=meters)
        sys.modules["otel_ml.instrumentors._training"] = None
        from sklearn.dummy import DummyRegressor
        assert DummyRegressor().fit([[1.0]], [2.0]).predict([[1.0]]).tolist() == [2.0]
        assert names() == []
        otel_ml.uninstrument()
        """,
    )
    assert "sklearn is not instrumented" in told


def test_threads_that_import_at_once_are_all_observed(tmp_path: Path) -> None:
    """Whoever is second waits until everything is in its place."""
    said(
        tmp_path,
        """
        import threading
        otel_ml.instrument(tracer_provider=tracers, meter_provider=meters)
        together = threading.Barrier(4)

        def ask():
            together.wait()
            from sklearn.dummy import DummyRegressor
            DummyRegressor().fit([[1.0]], [2.0]).predict([[1.0]])

        threads = [threading.Thread(target=ask) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert names() == ["predict DummyRegressor"] * 4, names()
        """,
    )

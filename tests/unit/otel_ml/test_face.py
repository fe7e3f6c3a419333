"""The face of the package: what `import otel_ml` gives, and what it costs."""

import pytest

import otel_ml
from tests.data.programs import run

PUBLIC = {
    "Call",
    "EventsOnSpans",
    "LogCorrelation",
    "ValidationError",
    "correlate_logs",
    "current_prediction_id",
    "evaluation",
    "explanation",
    "inference",
    "instrument",
    "observe",
    "pipeline_step",
    "propagate",
    "record_evaluation",
    "record_explanation",
    "record_feedback",
    "record_internal",
    "register_model",
    "training",
    "uninstrument",
    "watch_event_loop",
}


def test_importing_it_imports_nothing() -> None:
    """Neither OpenTelemetry nor any framework comes with the name."""
    heavy = run(
        "import sys; before = set(sys.modules); import otel_ml;"
        "print(sorted({name.partition('.')[0] for name in set(sys.modules) - before}"
        " & {'opentelemetry', 'numpy', 'sklearn', 'wrapt', 'otel_ml_conventions', 'logging'}))"
    )
    assert heavy.stdout == "[]\n"


def test_instrumenting_imports_no_framework() -> None:
    """Not scikit-learn, not numpy: what a service does not use it does not pay for."""
    loaded = run(
        "import sys, otel_ml; otel_ml.instrument();"
        "print(sorted({'sklearn', 'numpy', 'pandas', 'scipy', 'joblib'} & set(sys.modules)))"
    )
    assert loaded.stdout == "[]\n"


def test_it_gives_what_it_lists_and_no_more() -> None:
    """Every public name is there; a wrong one is an AttributeError that names it."""
    assert otel_ml.__all__ == sorted(PUBLIC)
    assert all(callable(getattr(otel_ml, name)) for name in otel_ml.__all__)
    assert set(otel_ml.__all__) <= set(dir(otel_ml))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = otel_ml.nothing

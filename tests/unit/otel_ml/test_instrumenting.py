"""What `instrument` is given: for whom it holds, and what it refuses at once."""

import gc
from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry.metrics import NoOpMeterProvider
from opentelemetry.trace import NoOpTracerProvider

import otel_ml
from otel_ml.settings import Settings
from otel_ml.testing import Capture, capture


@pytest.fixture(autouse=True)
def _nothing_left() -> Iterator[None]:
    """Stop observing before and after."""
    otel_ml.uninstrument()
    yield
    otel_ml.uninstrument()


def call_by_hand() -> None:
    """Ask a model that is of no framework."""
    with otel_ml.inference("fraud") as call:
        call.output(value=0.5)


def test_calls_by_hand_go_where_they_are_sent_though_no_framework_is_there() -> None:
    """A service whose only model is its own has its providers and its settings in force."""
    seen = Capture()
    otel_ml.instrument([], tracer_provider=seen.tracer_provider, capture_outputs="full")
    call_by_hand()
    assert seen.attributes["ml.prediction.value"] == 0.5
    otel_ml.uninstrument()
    call_by_hand()
    assert len(seen.calls) == 1


def test_a_call_that_outlives_the_observing_is_measured() -> None:
    """A service that stops observing while it answers its last requests has these in its metrics."""
    seen = Capture()
    otel_ml.instrument(["sklearn"], meter_provider=seen.meter_provider)
    with otel_ml.inference("fraud"):
        otel_ml.uninstrument()
    gc.collect()  # what observed it is gone
    (duration,) = seen.metric("ml.inference.duration")
    assert duration.count == 1


def test_who_asks_last_is_heard_where_no_framework_is_there() -> None:
    """The earlier providers get nothing more."""
    earlier, later = Capture(), Capture()
    otel_ml.instrument([], tracer_provider=earlier.tracer_provider)
    otel_ml.instrument([], tracer_provider=later.tracer_provider)
    call_by_hand()
    assert (len(earlier.calls), len(later.calls)) == (0, 1)


def test_what_is_instrumented_already_keeps_its_settings_for_calls_by_hand_too() -> None:
    """A second call of `instrument`, which is warned of, changes nothing for them either."""
    seen = Capture()
    otel_ml.instrument(["sklearn"], tracer_provider=seen.tracer_provider)
    otel_ml.instrument(["sklearn"], capture_outputs="full")
    call_by_hand()
    assert "ml.prediction.value" not in seen.attributes


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({"settings": {"capture_content": "span_only"}}, "settings: expected Settings, found dict"),
        (
            {"tracer_provider": NoOpTracerProvider().get_tracer("mine")},
            "tracer_provider: expected a TracerProvider, found NoOpTracer",
        ),
        (
            {"meter_provider": NoOpTracerProvider()},
            "meter_provider: expected a MeterProvider, found NoOpTracerProvider",
        ),
        (
            {"logger_provider": NoOpMeterProvider()},
            "logger_provider: expected a LoggerProvider, found NoOpMeterProvider",
        ),
    ],
)
def test_what_could_never_work_is_told_at_once(given: dict[str, Any], complaint: str) -> None:
    """Not at the first call of a model, in the middle of a request; and nothing is left in force."""
    with pytest.raises(TypeError, match=complaint):
        otel_ml.instrument(["sklearn"], **given)
    call_by_hand()


def test_settings_may_be_given_beside_options() -> None:
    """Options come before them."""
    seen = Capture()
    otel_ml.instrument(
        [],
        tracer_provider=seen.tracer_provider,
        settings=Settings(capture_outputs="none"),
        capture_outputs="full",
    )
    call_by_hand()
    assert seen.attributes["ml.prediction.value"] == 0.5


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({"capture_content": "none"}, "capture_content: expected one of no_content, "),
        ({"capture_outputs": "off"}, "capture_outputs: expected one of none, "),
        (
            {"capture_max_rows": 0},
            "capture_max_rows: expected a whole number of at least 1, found 0",
        ),
        ({"feature_denylist": 7}, "feature_denylist: expected a list of globs"),
    ],
)
def test_settings_that_somebody_constructed_are_looked_at(
    given: dict[str, Any], complaint: str
) -> None:
    """A mode that there is not was taken for one in which values leave."""
    with pytest.raises(ValueError, match=complaint):
        otel_ml.instrument(settings=Settings(**given))


@pytest.mark.parametrize("mode", ["NO_CONTENT", None])
def test_a_mode_written_otherwise_is_that_mode(mode: Any) -> None:
    """Capitals, and no choice at all; a list that is given as text has its words, not its letters."""
    with capture(Settings(capture_content=mode)) as seen:
        with otel_ml.inference("fraud", features={"age": 41}):
            pass
        assert "ml.input.features" not in seen.attributes
    settings: Any = {"capture_content": "span_only", "feature_denylist": "age,ssn"}
    with capture(Settings(**settings)) as seen:
        with otel_ml.inference("fraud", features={"age": 41, "visits": 3}):
            pass
        assert seen.attributes["ml.input.features"] == '{"visits":3}'


def test_what_is_no_list_of_frameworks_is_told() -> None:
    """As one text is, with what to write."""
    with pytest.raises(TypeError, match="expected a list of frameworks, found int"):
        otel_ml.instrument(5)  # type: ignore[arg-type]  # on purpose

"""What a user may choose, and what becomes of a choice that cannot be read."""

import logging

import pytest

from otel_ml import environment_variables
from otel_ml.settings import Settings

ML = "OTEL_INSTRUMENTATION_ML_"


def test_nothing_set_is_the_safe_default() -> None:
    """No feature values, outputs in summary, and no name forced on a model."""
    settings = Settings.from_environment({})
    assert settings == Settings()
    assert settings.capture_content == "no_content"
    assert settings.capture_outputs == "summary"
    assert not settings.capture_exception_messages


def test_every_variable_is_read() -> None:
    """Each of the eleven variables changes the setting that bears its name."""
    settings = Settings.from_environment(
        {
            f"{ML}CAPTURE_CONTENT": "span_only",
            f"{ML}CAPTURE_OUTPUTS": "full",
            f"{ML}FEATURE_ALLOWLIST": "age, amount_*",
            f"{ML}FEATURE_DENYLIST": "*email*,",
            f"{ML}CAPTURE_MAX_ROWS": "5",
            f"{ML}CAPTURE_MAX_FEATURES": "6",
            f"{ML}CAPTURE_MAX_BYTES": "700",
            f"{ML}CAPTURE_NESTED": "true",
            f"{ML}CAPTURE_EXCEPTION_MESSAGES": "TRUE",
            "OTEL_ML_MODEL_NAME": "fraud",
            "OTEL_ML_MODEL_VERSION": "3",
        }
    )
    assert settings == Settings(
        capture_content="span_only",
        capture_outputs="full",
        feature_allowlist=("age", "amount_*"),
        feature_denylist=("*email*",),
        capture_max_rows=5,
        capture_max_features=6,
        capture_max_bytes=700,
        capture_nested=True,
        capture_exception_messages=True,
        model_name="fraud",
        model_version="3",
    )


def test_case_and_spaces_around_a_choice_do_not_matter() -> None:
    """`SPAN_ONLY`, as other instrumentations spell it, is understood."""
    settings = Settings.from_environment({f"{ML}CAPTURE_CONTENT": " SPAN_ONLY "})
    assert settings.capture_content == "span_only"


@pytest.mark.parametrize("name", [name for name in dir(environment_variables) if "OTEL" in name])
def test_an_empty_variable_is_an_unset_one(name: str, caplog: pytest.LogCaptureFixture) -> None:
    """As the OpenTelemetry specification says of all variables."""
    assert Settings.from_environment({name: " "}) == Settings()
    assert caplog.records == []


@pytest.mark.parametrize(
    ("variable", "found", "expected"),
    [
        ("CAPTURE_CONTENT", "yes", "one of no_content, span_only"),
        ("CAPTURE_CONTENT", "event_only", "one of no_content, span_only"),
        ("CAPTURE_CONTENT", "span_and_event", "one of no_content, span_only"),
        ("CAPTURE_OUTPUTS", "some", "one of none, summary, full"),
        ("CAPTURE_MAX_ROWS", "0", "a whole number of at least 1"),
        ("CAPTURE_MAX_FEATURES", "-1", "a whole number of at least 1"),
        ("CAPTURE_MAX_BYTES", "8K", "a whole number of at least 1"),
        ("CAPTURE_NESTED", "1", "one of true, false"),
        ("CAPTURE_EXCEPTION_MESSAGES", "on", "one of true, false"),
    ],
)
def test_a_value_that_cannot_be_read_is_named_and_its_default_stands(
    variable: str, found: str, expected: str, caplog: pytest.LogCaptureFixture
) -> None:
    """One warning tells the variable, what was expected, what was found; nothing is raised."""
    settings = Settings.from_environment({ML + variable: found, "OTEL_ML_MODEL_NAME": "m"})
    assert settings == Settings(model_name="m")
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    for part in (ML + variable, expected, repr(found), "default"):
        assert part in record.getMessage()


def test_the_process_environment_is_what_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """At the time of asking, not of importing."""
    monkeypatch.setenv("OTEL_ML_MODEL_NAME", "late")
    assert Settings.from_environment().model_name == "late"


def test_every_variable_is_a_constant_that_bears_its_name() -> None:
    """`opentelemetry-instrument` makes a flag of each constant: there are eleven, all known here."""
    constants = {
        name: value
        for name, value in vars(environment_variables).items()
        if name.startswith("OTEL_")
    }
    assert len(constants) == 11
    assert all(name == value for name, value in constants.items())

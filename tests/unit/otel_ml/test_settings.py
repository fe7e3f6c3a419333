"""What a user may choose, and what becomes of a choice that cannot be read."""

import logging
import sys
from dataclasses import fields
from typing import Any

import pytest
import yaml
from opentelemetry.metrics import NoOpMeterProvider
from opentelemetry.trace import NoOpTracerProvider

import otel_ml
from otel_ml import environment_variables
from otel_ml import settings as settings_module
from otel_ml.settings import OptionError, Settings, options
from otel_ml.testing import capture

ML = "OTEL_INSTRUMENTATION_ML_"
VARIABLES = [name for name in dir(environment_variables) if name.startswith("OTEL_")]


def hook(content: dict[str, Any], span: Any) -> dict[str, Any]:
    """Stand for a user's function."""
    return content


# For every option: a text, the value it means, and the same choice made in code.
CHOICES: dict[str, tuple[str, Any, Any]] = {
    "capture_content": ("span_only", "span_only", "span_only"),
    "capture_outputs": ("full", "full", "FULL"),
    "feature_allowlist": ("age, amount_*", ("age", "amount_*"), ["age", "amount_*"]),
    "feature_denylist": ("*email*,", ("*email*",), ("*email*",)),
    "capture_max_rows": ("5", 5, 5),
    "capture_max_features": ("6", 6, 6),
    "capture_max_bytes": ("700", 700, 700),
    "capture_input_hash": ("true", True, True),
    "input_hash_key": ("s3cret", "s3cret", "s3cret"),
    "capture_nested": ("true", True, True),
    "capture_training": ("True", True, True),
    "capture_exception_messages": ("TRUE", True, True),
    "validation": ("profile", "profile", "profile"),
    "validation_blocks": ("true", True, True),
    "content_hook": ("our.redaction:hook", "our.redaction:hook", "our.redaction:hook"),
    "before_capture": ("our.hooks:before", "our.hooks:before", "our.hooks:before"),
    "after_capture": ("our.hooks:after", "our.hooks:after", hook),
    "events_on_spans": ("true", True, True),
    "log_correlation": ("true", True, True),
    "runtime_metrics": ("false", False, False),
    "model_name": ("fraud", "fraud", "fraud"),
    "model_version": ("3", "3", "3"),
    "profile": ("fraud.json", "fraud.json", "fraud.json"),
}


@pytest.fixture(autouse=True)
def _nothing_said_yet() -> None:
    """Forget which complaints were made before."""
    settings_module._warn_once.cache_clear()


def test_nothing_set_is_the_safe_default() -> None:
    """No feature values, outputs in summary, no call rejected, and no name forced on a model."""
    settings = Settings.from_environment({})
    assert settings == Settings()
    assert settings.capture_content == "no_content"
    assert settings.capture_outputs == "summary"
    assert not settings.capture_exception_messages
    assert not settings.capture_training
    assert not settings.validation_blocks


def test_every_option_is_tried_here() -> None:
    """Who adds an option says in this file what it takes."""
    assert list(CHOICES) == list(options()) == [field.name for field in fields(Settings)]


@pytest.mark.parametrize("name", [name for name, option in options().items() if option.variable])
def test_every_variable_sets_its_option(name: str) -> None:
    """Each changes the option that bears its name, and no other."""
    text, value, _ = CHOICES[name]
    assert value != getattr(Settings(), name)
    settings = Settings.from_environment({str(options()[name].variable): text})
    assert settings == Settings(**{name: value})


@pytest.mark.parametrize("name", CHOICES)
def test_every_option_can_be_chosen_in_code_and_in_a_file(name: str) -> None:
    """A value of its own type and its text, as a file may give it, mean the same."""
    text, value, in_code = CHOICES[name]
    assert Settings().with_options({name: text}) == Settings(**{name: value})
    chosen = getattr(Settings().with_options({name: in_code}), name)
    assert chosen == (in_code if callable(in_code) else value)


def test_a_variable_is_its_option_in_capitals() -> None:
    """Who knows one name knows the other."""
    for name, option in options().items():
        if option.variable is not None:
            assert option.variable in {f"{ML}{name.upper()}", f"OTEL_ML_{name.upper()}"}


def test_every_variable_is_a_constant_and_belongs_to_an_option() -> None:
    """`opentelemetry-instrument` makes a flag of each constant, and each does something."""
    assert {name: getattr(environment_variables, name) for name in VARIABLES} == {
        option.variable: option.variable for option in options().values() if option.variable
    }


@pytest.mark.parametrize("text", [" SPAN_ONLY ", "Span_Only"])
def test_case_and_spaces_around_a_choice_do_not_matter(text: str) -> None:
    """`SPAN_ONLY`, as other instrumentations spell it, is understood, wherever it is said."""
    from_environment = Settings.from_environment({f"{ML}CAPTURE_CONTENT": text})
    assert from_environment.capture_content == "span_only"
    assert Settings().with_options({"capture_content": text}).capture_content == "span_only"


@pytest.mark.parametrize("name", VARIABLES)
def test_an_empty_variable_is_an_unset_one(name: str, caplog: pytest.LogCaptureFixture) -> None:
    """As the OpenTelemetry specification says of all variables."""
    assert Settings.from_environment({name: " "}) == Settings()
    assert caplog.records == []


@pytest.mark.parametrize(
    "option", ["capture_max_rows", "capture_max_features", "capture_max_bytes"]
)
def test_the_smallest_number_is_one(option: str) -> None:
    """Who wants one sample, one feature or one byte says so; there is no zero that would mean something else."""
    assert getattr(Settings().with_options({option: 1}), option) == 1
    with pytest.raises(OptionError, match=option):
        Settings().with_options({option: 0})


def test_a_number_without_bounds_is_one_that_python_can_count_to() -> None:
    """Or what is taken of a list of names would raise."""
    settings = Settings().with_options({"capture_max_features": 10**30})
    assert settings.capture_max_features == sys.maxsize


UNREADABLE: list[tuple[str, str, str]] = [
    ("capture_content", "yes", "one of no_content, span_only, event_only, span_and_event"),
    ("capture_outputs", "some", "one of none, summary, full"),
    ("capture_max_rows", "0", "a whole number of at least 1"),
    ("capture_max_features", "-1", "a whole number of at least 1"),
    ("capture_max_bytes", "8K", "a whole number of at least 1"),
    ("capture_max_bytes", "9" * 10_000, "a whole number of at least 1"),
    ("capture_nested", "1", "true or false"),
    ("capture_exception_messages", "on", "true or false"),
    ("validation", "full", "one of off, basic, profile"),
    ("content_hook", "redact my data", "a function, as text `module:function`"),
]


@pytest.mark.parametrize(("name", "found", "expected"), UNREADABLE)
def test_a_value_that_cannot_be_read_is_named_and_its_default_stands(
    name: str, found: str, expected: str, caplog: pytest.LogCaptureFixture
) -> None:
    """One warning tells the variable, what was expected, what was found; nothing is raised."""
    variable = str(options()[name].variable)
    settings = Settings.from_environment({variable: found, "OTEL_ML_MODEL_NAME": "m"})
    assert settings == Settings(model_name="m")
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    for part in (variable, expected, repr(found), "default"):
        assert part in record.getMessage()


@pytest.mark.parametrize(
    ("name", "found"),
    [
        *((name, found) for name, found, _ in UNREADABLE),
        ("capture_max_rows", 0),
        ("capture_max_rows", True),
        ("capture_max_rows", 2.5),
        ("capture_nested", 1),
        ("capture_content", True),
        ("capture_content", ["span_only"]),
        ("feature_denylist", ["age", 7]),
        ("feature_denylist", {"age": 1}),
        ("model_version", 3),
        ("before_capture", "without_a_module"),
        ("after_capture", 7),
    ],
)
def test_code_and_files_are_told_at_once_what_an_option_does_not_take(
    name: str, found: object
) -> None:
    """The error names the option, what it takes and what was found."""
    with pytest.raises(OptionError) as raised:
        Settings().with_options({name: found})
    assert f"{name}: expected {options()[name].takes}, found {found!r}" == str(raised.value)


def test_off_in_a_file_is_off() -> None:
    """YAML's loaders read a plain `off`, as the pages write it, as false."""
    assert Settings().with_options(yaml.safe_load("validation: off")).validation == "off"
    with pytest.raises(OptionError, match="capture_outputs"):
        Settings().with_options(yaml.safe_load("capture_outputs: off"))


def test_an_unknown_option_is_told_with_the_known_ones() -> None:
    """A misspelled deny list must not pass for one."""
    with pytest.raises(OptionError, match=r"unknown option 'feature_deny_list'; known: .*denylist"):
        Settings().with_options({"feature_deny_list": ["ssn"]})


def test_an_option_left_out_stays_as_it_is() -> None:
    """What is said later overrules what was said before, option by option; None says nothing."""
    environment = {f"{ML}FEATURE_DENYLIST": "ssn", f"{ML}CAPTURE_MAX_ROWS": "3"}
    chosen = {"capture_max_rows": 4, "model_name": None, "profile": ""}
    settings = Settings.from_environment(environment).with_options(chosen)
    assert settings == Settings(feature_denylist=("ssn",), capture_max_rows=4)


def test_an_empty_list_takes_a_list_back() -> None:
    """A list from the environment can be emptied in code."""
    settings = Settings(feature_allowlist=("age",)).with_options({"feature_allowlist": []})
    assert settings.feature_allowlist == ()


def test_the_face_takes_options_and_refuses_others() -> None:
    """`otel_ml.instrument(capture_contents=...)` is an error before anything is instrumented."""
    with pytest.raises(ValueError, match="unknown option 'capture_contents'; known: after_capture"):
        otel_ml.instrument(capture_contents="span_only")
    with pytest.raises(ValueError, match="capture_max_rows: expected a whole number"):
        otel_ml.instrument(capture_max_rows="many")


@pytest.mark.parametrize(
    "asked",
    [
        {"capture_content": "span_only"},
        {"settings": Settings()},
        {"tracer_provider": NoOpTracerProvider()},
        {"meter_provider": NoOpMeterProvider()},
    ],
)
def test_what_is_instrumented_already_stays_as_it_is_and_says_so(
    caplog: pytest.LogCaptureFixture, asked: dict[str, Any]
) -> None:
    """Who asks for content, or for another provider, after `opentelemetry-instrument` has done its work is told."""
    with capture():
        otel_ml.instrument(["sklearn"])
        assert caplog.records == []
        otel_ml.instrument(["sklearn"], **asked)
    (record,) = caplog.records
    assert record.getMessage() == (
        "sklearn is instrumented already: its settings and providers stay as they are; "
        "call otel_ml.uninstrument() first"
    )


def test_the_key_is_not_shown() -> None:
    """A settings object in a log does not tell the secret."""
    assert "s3cret" not in repr(Settings(input_hash_key="s3cret"))


def test_eleven_instrumentors_complain_once(caplog: pytest.LogCaptureFixture) -> None:
    """Each reads the environment for itself; another mistake is told too."""
    for _ in range(11):
        Settings.from_environment({f"{ML}CAPTURE_MAX_ROWS": "many"})
    Settings.from_environment({f"{ML}CAPTURE_MAX_ROWS": "few"})
    assert len(caplog.records) == 2


def test_a_key_of_a_wrong_type_is_not_told() -> None:
    """A number in a file, say, is a secret all the same."""
    with pytest.raises(OptionError) as raised:
        Settings().with_options({"input_hash_key": 424242})
    assert str(raised.value) == "input_hash_key: expected text, found something else"


def test_the_process_environment_is_what_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """At the time of asking, not of importing."""
    monkeypatch.setenv("OTEL_ML_MODEL_NAME", "late")
    assert Settings.from_environment().model_name == "late"

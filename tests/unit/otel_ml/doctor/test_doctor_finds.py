"""What the doctor finds out without sending anything: frameworks, settings, destinations, a file."""

import json
import os
import subprocess
import sys
from importlib.metadata import EntryPoint, version
from pathlib import Path
from typing import Any

import pytest

from otel_ml import doctor
from otel_ml.doctor import exporting, frameworks
from otel_ml.doctor.chosen import Choice, examine_settings
from otel_ml.doctor.exporting import Destination, without_queries
from otel_ml.doctor.frameworks import examine_frameworks
from otel_ml.doctor.report import Report, examine
from otel_ml.settings import Settings, options
from tests.data.programs import run

ML = "OTEL_INSTRUMENTATION_ML_"
FILE = """
file_format: "1.0"
tracer_provider:
  processors:
    - batch: {exporter: {otlp_http: {endpoint: "http://127.0.0.1:%d/v1/traces", timeout: 1000}}}
    - simple: {exporter: {console: }}
instrumentation/development:
  python:
    ml_sklearn: %s
    flask: {}
"""


def found(monkeypatch: pytest.MonkeyPatch, **environment: str) -> Report:
    """Return what the doctor finds under *environment* without sending anything."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return examine(sends=False)


def found_by_sending(monkeypatch: pytest.MonkeyPatch, **environment: str) -> Report:
    """Return what the doctor finds under *environment* when it sends a span."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return examine(sends=True)


def off(report: Report) -> list[str]:
    """Return what is off."""
    return [finding.said for finding in report.findings]


def instrumentors(monkeypatch: pytest.MonkeyPatch, **modules: str) -> None:
    """Make *modules* the instrumentors there are."""
    points = [
        EntryPoint(name, value, "opentelemetry_instrumentor") for name, value in modules.items()
    ]
    monkeypatch.setattr(frameworks, "entry_points", lambda group: points)


def one_file(folder: Path, block: str, port: int = 1) -> str:
    """Return the path of a declarative file that says *block* of scikit-learn."""
    path = folder / "otel.yaml"
    path.write_text(FILE % (port, block))
    return str(path)


# --- frameworks -----------------------------------------------------------------------------------


def test_an_installed_framework_is_observed() -> None:
    """With the version that is installed, and what is asked of it."""
    states, findings = examine_frameworks({})
    (sklearn,) = [state for state in states if state.instrumentor == "ml_sklearn"]
    assert sklearn == ("ml_sklearn", "scikit-learn >= 1.3", version("scikit-learn"), "observed")
    assert findings == []


@pytest.mark.parametrize("disabled", ["ml_sklearn", "flask , ml_sklearn", "*"])
def test_a_framework_may_be_switched_off(disabled: str) -> None:
    """As OpenTelemetry's loader reads the variable."""
    states, _ = examine_frameworks({"OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": disabled})
    assert [s.state for s in states if s.instrumentor == "ml_sklearn"] == ["switched off"]


def test_nothing_left_to_observe_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything that is installed switched off is seldom meant."""
    instrumentors(monkeypatch, ml_sklearn="otel_ml.instrumentors.sklearn:SklearnInstrumentor")
    _, (finding,) = examine_frameworks({"OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": "*"})
    assert "every framework that is installed is switched off" in finding.said


INSTRUMENTOR = """
from opentelemetry.instrumentation.instrumentor import BaseInstrumentor

class Instrumentor(BaseInstrumentor):
    def instrumentation_dependencies(self):
        return ({requirement!r},)
    def _uninstrument(self, **kwargs):
        pass
"""


@pytest.fixture(name="foreign")
def _foreign(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return what installs somebody else's instrumentor with a requirement."""

    def install(requirement: str) -> None:
        (tmp_path / "foreign_instrumentor.py").write_text(
            INSTRUMENTOR.format(requirement=requirement)
        )
        monkeypatch.syspath_prepend(tmp_path)
        monkeypatch.delitem(sys.modules, "foreign_instrumentor", raising=False)
        instrumentors(monkeypatch, ml_foreign="foreign_instrumentor:Instrumentor")

    return install


def test_a_framework_of_another_version_is_told_with_the_versions(foreign: Any) -> None:
    """Who has it and sees no span learns why."""
    foreign("pytest >= 999.dev0")
    (state,), (finding,) = examine_frameworks({})
    assert state.state == "not a version that is supported"
    assert finding.said == f"ml_foreign does not observe version {version('pytest')}"
    assert finding.remedy == "install pytest >= 999"


def test_no_framework_at_all_is_told(foreign: Any) -> None:
    """Most often it is the wrong Python."""
    foreign("a-distribution-that-is-not-there >= 1")
    (state,), (finding,) = examine_frameworks({})
    assert (state.version, state.state) == (None, "not installed")
    assert finding.remedy.endswith("`python -m otel_ml doctor`")


def test_an_instrumentor_that_cannot_be_loaded_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """It stops no other."""
    instrumentors(
        monkeypatch,
        ml_broken="no_such_module:Instrumentor",
        ml_sklearn="otel_ml.instrumentors.sklearn:SklearnInstrumentor",
    )
    states, (finding,) = examine_frameworks({})
    assert [state.state for state in states] == ["its instrumentor cannot be loaded", "observed"]
    assert "No module named 'no_such_module'" in finding.said


def test_no_framework_is_imported() -> None:
    """The doctor is done in the time of a look, whatever is installed."""
    program = (
        "import sys; from otel_ml.doctor import main; main(['--no-send', '--json']);"
        "print([m for m in ('sklearn', 'numpy', 'torch', 'xgboost', 'pandas') if m in sys.modules],"
        "file=sys.stderr)"
    )
    assert run(program).stderr == "[]\n"


# --- settings -------------------------------------------------------------------------------------


def test_every_setting_is_told_with_what_says_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """All options in their order; a default is called so, a variable by its name."""
    report = found(
        monkeypatch, **{f"{ML}FEATURE_DENYLIST": "ssn,*email*", f"{ML}CAPTURE_NESTED": ""}
    )
    assert [choice.option for choice in report.settings] == list(options())
    assert Choice("feature_denylist", "ssn, *email*", f"{ML}FEATURE_DENYLIST") in report.settings
    assert Choice("capture_nested", "false", "default") in report.settings
    assert Choice("model_name", "none", "default") in report.settings


def test_a_secret_is_not_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Neither in the text nor in the JSON."""
    monkeypatch.setenv(f"{ML}INPUT_HASH_KEY", "hush-hush")
    for arguments in (["--no-send"], ["--no-send", "--json"]):
        doctor.main(arguments)
        told = capsys.readouterr().out
        assert "input_hash_key" in told
        assert "hush-hush" not in told


@pytest.mark.parametrize(
    ("environment", "told"),
    [
        ({f"{ML}CAPTURE_CONTENT": "yes"}, f"{ML}CAPTURE_CONTENT: expected one of no_content"),
        ({f"{ML}CAPTURE_OUTPUT": "full"}, f"{ML}CAPTURE_OUTPUT is set, and nothing reads it"),
        ({"OTEL_ML_NAME": "x"}, "OTEL_ML_NAME is set, and nothing reads it"),
        ({f"{ML}VALIDATION": "profile"}, "validation compares with a profile, and none is named"),
        ({"OTEL_ML_PROFILE": "gone.json"}, "there is no profile file 'gone.json'"),
        (
            {f"{ML}VALIDATION": "off", f"{ML}VALIDATION_BLOCKS": "true"},
            "calls are to be rejected by a validation that is off",
        ),
        ({f"{ML}CONTENT_HOOK": "no_entry_point"}, "content_hook: 'no_entry_point' is not found"),
        (
            {f"{ML}CONTENT_HOOK": "nowhere.at_all:x"},
            "content_hook: 'nowhere.at_all:x' is not found",
        ),
    ],
)
def test_a_choice_that_cannot_be_meant_is_told(
    environment: dict[str, str], told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And nothing else is."""
    (said,) = off(found(monkeypatch, **environment))
    assert said.startswith(told)


@pytest.mark.parametrize(
    ("misspelt", "remedy"),
    [
        (f"{ML}FEATURES_DENYLIST", f"did you mean {ML}FEATURE_DENYLIST?"),
        ("OTEL_ML_CAPTURE_CONTENT", f"did you mean {ML}CAPTURE_CONTENT?"),
        (f"{ML}NOPE", "take it out"),
        (ML, "take it out"),
    ],
)
def test_a_misspelt_variable_is_told_with_the_one_that_is_near(
    misspelt: str, remedy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A deny list that nobody reads is the dearest slip; that two begin alike makes them no neighbours."""
    (finding,) = found(monkeypatch, **{misspelt: "ssn"}).findings
    assert finding.remedy == remedy


def test_a_hook_beside_the_program_is_found_and_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the folder that the program is started in; importing it might start the service."""
    (tmp_path / "our_redaction.py").write_text("raise SystemExit('run!')")
    monkeypatch.chdir(tmp_path)
    for place in ("our_redaction:hook", "json:dumps", "__main__:redact"):
        assert off(found(monkeypatch, **{f"{ML}CONTENT_HOOK": place})) == []


@pytest.mark.parametrize(
    ("environment", "leaves", "stays"),
    [
        ({}, "class, confidence", "feature values, a keyed hash of the input, messages of ex"),
        ({f"{ML}CAPTURE_OUTPUTS": "none"}, "names, sizes", "predicted class"),
        ({f"{ML}CAPTURE_OUTPUTS": "full"}, "scores, probabilities", "feature values"),
        ({f"{ML}CAPTURE_CONTENT": "event_only"}, "feature values on events", "messages"),
        ({f"{ML}CAPTURE_EXCEPTION_MESSAGES": "true"}, "messages of exceptions", "feature values"),
    ],
)
def test_what_leaves_the_process_is_said_in_words(
    environment: dict[str, str], leaves: str, stays: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And what does not; nothing is on both sides."""
    (captured,) = found(monkeypatch, **environment).captured
    assert leaves in captured.leaves
    assert stays in captured.stays
    assert not set(captured.leaves.split(", ")) & set(captured.stays.split(", "))


# --- destinations ---------------------------------------------------------------------------------

OTLP = "OTEL_EXPORTER_OTLP"


@pytest.mark.parametrize(
    ("environment", "traces", "metrics"),
    [
        (
            {},
            Destination("traces", "otlp", "grpc", "http://localhost:4317"),
            Destination("metrics", "otlp", "grpc", "http://localhost:4317"),
        ),
        (
            {f"{OTLP}_PROTOCOL": "http/protobuf"},
            Destination("traces", "otlp", "http/protobuf", "http://localhost:4318/v1/traces"),
            Destination("metrics", "otlp", "http/protobuf", "http://localhost:4318/v1/metrics"),
        ),
        (
            {f"{OTLP}_PROTOCOL": "http/protobuf", f"{OTLP}_ENDPOINT": "http://a:1/base/"},
            Destination(
                "traces", "otlp", "http/protobuf", "http://a:1/base/v1/traces", f"{OTLP}_ENDPOINT"
            ),
            Destination(
                "metrics", "otlp", "http/protobuf", "http://a:1/base/v1/metrics", f"{OTLP}_ENDPOINT"
            ),
        ),
        (
            {
                f"{OTLP}_ENDPOINT": "http://a:1",
                f"{OTLP}_TRACES_ENDPOINT": "http://b:2/spans",
                f"{OTLP}_TRACES_PROTOCOL": "http/protobuf",
            },
            Destination(
                "traces", "otlp", "http/protobuf", "http://b:2/spans", f"{OTLP}_TRACES_ENDPOINT"
            ),
            Destination("metrics", "otlp", "grpc", "http://a:1", f"{OTLP}_ENDPOINT"),
        ),
        (
            {"OTEL_TRACES_EXPORTER": "otlp_proto_http", "OTEL_METRICS_EXPORTER": "none"},
            Destination("traces", "otlp", "http/protobuf", "http://localhost:4318/v1/traces"),
            Destination("metrics", "none", said_by="OTEL_METRICS_EXPORTER"),
        ),
    ],
)
def test_where_signals_go_is_as_the_specification_says(
    environment: dict[str, str],
    traces: Destination,
    metrics: Destination,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A signal's own variable first; the common endpoint of HTTP gets the signal's path."""
    destinations = found(monkeypatch, **environment).destinations
    assert [each.signal for each in destinations] == ["traces", "metrics", "logs"]
    assert destinations[:2] == [traces, metrics]


@pytest.mark.parametrize(
    ("endpoint", "shown"),
    [
        ("http://me:secret@host:1/a@b", "http://host:1/a@b"),
        ("me:secret@host:1", "host:1"),
        ("http://host:1/a?token=secret", "http://host:1/a?..."),
        ("http://host:1?token=secret", "http://host:1?..."),
        ("https://host:1", "https://host:1"),
    ],
)
def test_a_password_in_an_endpoint_is_not_shown(
    endpoint: str, shown: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A report is pasted into issues."""
    report = found(monkeypatch, OTEL_EXPORTER_OTLP_ENDPOINT=endpoint)
    assert {destination.endpoint for destination in report.destinations} == {shown}
    assert "secret" not in repr(report)


def test_spans_may_go_to_several_places(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is told; only OTLP can acknowledge."""
    report = found(monkeypatch, OTEL_TRACES_EXPORTER="console,otlp")
    assert [d.exporter for d in report.destinations if d.signal == "traces"] == ["console", "otlp"]
    assert off(report) == []


@pytest.mark.parametrize(
    ("environment", "told"),
    [
        ({"OTEL_SDK_DISABLED": "TRUE"}, "OTEL_SDK_DISABLED=true switches all telemetry off"),
        ({"OTEL_TRACES_EXPORTER": "none"}, "spans go nowhere: OTEL_TRACES_EXPORTER names no"),
        ({"OTEL_TRACES_EXPORTER": "zipkin"}, "OTEL_TRACES_EXPORTER names an exporter that is not"),
        (
            {"OTEL_TRACES_EXPORTER": "console,"},
            "OTEL_TRACES_EXPORTER names an exporter that is not installed: ''",
        ),
        ({"OTEL_PYTHON_DISTRO": "mine"}, "spans go nowhere: nothing names an exporter of traces"),
        ({"OTEL_PYTHON_CONFIGURATOR": "mine"}, "OTEL_PYTHON_CONFIGURATOR=mine is not installed"),
        ({"OTEL_PYTHON_CONFIGURATOR": ""}, "OTEL_PYTHON_CONFIGURATOR= is not installed"),
        ({"OTEL_TRACES_SAMPLER": "parentbased_always_off"}, "OTEL_TRACES_SAMPLER=parentbased_al"),
    ],
)
def test_what_keeps_spans_from_leaving_is_told(
    environment: dict[str, str], told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And nothing is sent."""
    report = found_by_sending(monkeypatch, **environment)
    assert off(report)[0].startswith(told)
    if "OTEL_TRACES_SAMPLER" not in environment:
        assert report.sent == []


@pytest.mark.parametrize(
    ("variable", "value", "told"),
    [
        ("OTEL_PROPAGATORS", "tracecontext,b3x", "Propagator b3x not found"),
        ("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "many", "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT must be"),
    ],
)
def test_what_opentelemetry_breaks_on_as_it_is_imported_is_told(
    variable: str, value: str, told: str
) -> None:
    """A program would start without telemetry, and its log would hold a stack: here it is one line."""
    done = subprocess.run(
        [sys.executable, "-m", "otel_ml", "doctor", "--json"],
        env={**os.environ, variable: value},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (1, "")
    (finding,) = json.loads(done.stdout)["findings"]
    assert finding["said"].startswith(f"OpenTelemetry cannot be loaded: {told}")


def test_a_distribution_of_others_that_breaks_is_told(tmp_path: Path) -> None:
    """What chooses the exporters comes from another package, and fails as it is imported."""
    about = tmp_path / "theirs-1.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: theirs\nVersion: 1\n")
    (about / "entry_points.txt").write_text("[opentelemetry_distro]\ntheirs = theirs:Distro\n")
    (tmp_path / "theirs.py").write_text("raise RuntimeError('no licence')")
    done = subprocess.run(
        [sys.executable, "-m", "otel_ml", "doctor", "--json"],
        env={**os.environ, "PYTHONPATH": str(tmp_path), "OTEL_PYTHON_DISTRO": "theirs"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (1, "")
    (finding,) = json.loads(done.stdout)["findings"]
    assert finding["said"] == "OpenTelemetry cannot be loaded: no licence"


def test_without_the_extra_nothing_is_set_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """The base install brings no SDK; what to install is told."""
    monkeypatch.setattr(exporting, "entry_points", lambda **_: [])
    report = found_by_sending(monkeypatch)
    (finding,) = report.findings
    assert "nothing here sets up an OpenTelemetry SDK" in finding.said
    assert finding.remedy == "pip install 'otel-ml[otlp]'"
    assert (report.destinations, report.sent) == ([], [])


def test_what_a_library_complains_of_is_told_without_keys() -> None:
    """Some quote the address that they asked, with all that follows its question mark."""
    complaint = "HTTPConnectionPool(host='h'): Max retries with url: /v1?token=secret (refused)? no"
    assert without_queries(complaint) == (
        "HTTPConnectionPool(host='h'): Max retries with url: /v1?... (refused)? no"
    )


def test_looking_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the distribution sets for the program that it starts does not stay set."""
    before = dict(os.environ)
    examine(sends=False)
    assert dict(os.environ) == before


# --- the declarative file -------------------------------------------------------------------------


def test_a_file_is_told_beside_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it says of settings comes after what it overrules; where spans go, it says alone."""
    path = one_file(tmp_path, "{capture_content: span_only, capture_max_rows: 3}")
    report = found(
        monkeypatch,
        OTEL_CONFIG_FILE=path,
        OTEL_EXPORTER_OTLP_ENDPOINT="http://overruled:1",
        **{f"{ML}CAPTURE_MAX_ROWS": "9"},
    )
    assert off(report) == []
    rows = [choice for choice in report.settings if choice.option == "capture_max_rows"]
    assert rows == [
        Choice("capture_max_rows", "9", f"{ML}CAPTURE_MAX_ROWS"),
        Choice("capture_max_rows", "3", f"{path}, ml_sklearn"),
    ]
    everywhere, sklearn = report.captured
    assert (everywhere.instrumentor, sklearn.instrumentor) == ("", "ml_sklearn")
    assert "feature values on spans" in sklearn.leaves
    assert report.destinations == [
        Destination("traces", "otlp", "http/protobuf", "http://127.0.0.1:1/v1/traces", path),
        Destination("traces", "console", said_by=path),
        Destination("metrics", "none", said_by=path),
        Destination("logs", "none", said_by=path),
    ]


def test_a_span_goes_where_the_file_says(
    tmp_path: Path, http_port: int, answers: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the exporter that the SDK makes of it."""
    path = one_file(tmp_path, "{}", http_port)
    report = found_by_sending(monkeypatch, OTEL_CONFIG_FILE=path)
    assert off(report) == []
    assert answers.paths == ["/v1/traces"]
    assert len(report.sent) == 1


@pytest.mark.parametrize(
    ("block", "told"),
    [
        ("{capture_contents: span_only}", "ml_sklearn: unknown option 'capture_contents'; known:"),
        ("{capture_max_rows: 0}", "ml_sklearn: capture_max_rows: expected a whole number of at"),
        ("{enabled: false}", "ml_sklearn: `enabled: false` does not keep opentelemetry-instrume"),
        ("{}\n    ml_sklern: {}", "there is no instrumentor ml_sklern"),
        ("{}\n    7: {}\n    ml_sklern: {}", "there is no instrumentor ml_sklern"),
    ],
)
def test_what_is_off_in_a_file_is_told_with_its_place(
    block: str, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """File, instrumentor, option."""
    path = one_file(tmp_path, block)
    (said,) = off(found(monkeypatch, OTEL_CONFIG_FILE=path))
    assert said.startswith(f"{path}: {told}")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (None, "Configuration file not found"),
        ("a: [", "Failed to parse YAML"),
        ("", "Configuration file is empty"),
        ("7", "must be a mapping"),
        ('file_format: "1.0"\ndisabled: true\n', "switches all telemetry off"),
        ('file_format: "1.0"\ntracer_provider: 7\n', "tracer_provider"),
    ],
)
def test_a_file_that_cannot_be_used_is_told_in_one_line(
    text: str | None,
    told: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Whatever is wrong with it, and without the loader's own log."""
    path = tmp_path / "otel.yaml"
    if text is not None:
        path.write_text(text)
    (said,) = off(found(monkeypatch, OTEL_CONFIG_FILE=str(path)))
    assert str(path) in said
    assert told in said
    assert "\n" not in said
    assert capsys.readouterr().err == ""


# --- the command ----------------------------------------------------------------------------------


def test_the_exit_code_says_whether_something_is_off(
    grpc_port: int, dead_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """0 where nothing is, 1 where something is."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{grpc_port}")
    assert doctor.main([]) == 0
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{dead_port}")
    assert doctor.main([]) == 1
    assert doctor.main(["--no-send"]) == 0


def test_misuse_is_told_with_the_usage(capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 2."""
    with pytest.raises(SystemExit) as ended:
        doctor.main(["--jsn"])
    assert ended.value.code == 2
    assert "usage: otel-ml doctor" in capsys.readouterr().err


def test_a_program_can_read_the_report(
    dead_port: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """JSON with everything the text has, each list of objects."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{dead_port}")
    doctor.main(["--json"])
    told = json.loads(capsys.readouterr().out)
    assert set(told) == set(Report._fields)
    assert {row["option"]: row["value"] for row in told["settings"]}["capture_max_rows"] == "32"
    assert Settings().capture_max_rows == 32
    assert told["findings"][0]["said"] == f"nothing listens at 127.0.0.1:{dead_port}"
    assert told["sent"][0]["finding"] == told["findings"][0]
    assert told["sent"][0]["seconds"] is None


def test_the_text_ends_with_what_is_off(
    dead_port: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Numbered, each with what to do, where the eye is when the command ends."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{dead_port}")
    monkeypatch.setenv("OTEL_ML_NAME", "x")
    doctor.main([])
    text = capsys.readouterr().out
    assert text.endswith(
        "2 things are off:\n"
        "  1. OTEL_ML_NAME is set, and nothing reads it\n"
        "     -> did you mean OTEL_ML_MODEL_NAME?\n"
        f"  2. nothing listens at 127.0.0.1:{dead_port}\n"
        "     -> start a collector there, or say in OTEL_EXPORTER_OTLP_ENDPOINT where one is\n"
    )
    titles = [line for line in text.splitlines() if line and not line.startswith(" ")]
    assert titles[:-1] == [
        "Versions",
        "Frameworks",
        "Settings",
        "Captured",
        "Sent to",
        "Test span",
    ]
    assert not [line for line in text.splitlines() if line != line.rstrip()]


@pytest.mark.parametrize(
    ("hook", "consequence"),
    [
        ("content_hook", "with this hook no content is sent"),
        ("before_capture", "with this hook no content is sent"),
        ("after_capture", "with this hook no attributes are added"),
    ],
)
def test_of_a_function_that_is_not_there_the_consequence_is_told(
    hook: str, consequence: str
) -> None:
    """Content stays in the process without the two that decide about it, and leaves without the third."""
    blocks = {"ml_sklearn": {"capture_content": "span_only", hook: "nowhere.at_all:x"}}
    _, _, findings = examine_settings({}, "otel.yaml", blocks)
    (finding,) = findings
    assert finding.said == f"{hook}: 'nowhere.at_all:x' is not found; {consequence}"

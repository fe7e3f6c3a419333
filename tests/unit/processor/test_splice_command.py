"""`otel-ml splice` as its users meet it: what it prints, what it refuses, and that it leaves files alone."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from otel_ml_processor.commands.splice.command import main
from tests.data.collector_configs.cases import APPEND, CASES, FOLDER, Case

SPLICED = pytest.mark.parametrize(
    ("case", "mode"),
    [pytest.param(case, mode, id=f"{case.name}-{mode}") for case in CASES for mode in case.modes],
)

EXISTING = """\
receivers:
  otlp: {protocols: {grpc: , http: {endpoint: "0.0.0.0:5318"}}}
  otlp/unused: {protocols: {grpc: {endpoint: 127.0.0.1:14319}}}
processors: {batch: }
exporters:
  otlp/store: {endpoint: store.example.org:4317}
  prometheus: {endpoint: "${env:POD_IP}:8889"}
service:
  pipelines:
    traces:
      receivers: [otlp]
      processors: [batch]
      exporters: [otlp/store]
    metrics:
      receivers: [otlp]
      exporters: [prometheus]
"""


class Answer(NamedTuple):
    """What a call gave."""

    status: int
    text: str
    errors: str

    @property
    def overlay(self) -> Any:
        """The overlay, read."""
        assert self.status == 0, self.errors
        return yaml.safe_load(self.text)


class Shell:
    """Calls the command on files that it writes."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self._capsys = folder, capsys

    def file(self, text: str, name: str = "gateway.yaml") -> str:
        """Return the path of a file with *text*."""
        (self.folder / name).write_text(text)
        return str(self.folder / name)

    def splice(self, *arguments: str) -> Answer:
        """Return what the command answers."""
        status = main(arguments)
        said = self._capsys.readouterr()
        return Answer(status, said.out, said.err)


@pytest.fixture(name="shell")
def _shell(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Shell:
    """A shell in an empty folder."""
    return Shell(tmp_path, capsys)


@SPLICED
def test_every_part_has_a_comment_that_says_what_it_does(
    case: Case, mode: str, shell: Shell
) -> None:
    """Who reads the overlay before using it finds nothing unexplained."""
    lines = shell.splice(*case.arguments, "--mode", mode).text.splitlines()
    assert lines[0].startswith("# ")
    section = ""
    for before, line in pairwise(lines):
        indent = len(line) - len(line.lstrip())
        if indent == 0 and line.endswith(":"):
            section = line
        deep = 4 if section == "service:" else 2
        if indent == deep and not line.lstrip().startswith("#"):
            assert before.lstrip().startswith("# "), line


@SPLICED
def test_what_was_there_stays_but_for_the_one_pipeline_in_line(
    case: Case, mode: str, shell: Shell
) -> None:
    """In tee all that is added bears our name; in line one pipeline has another end, and its exporters are found behind the hop."""
    from otel_ml_processor.commands.splice.collector import Collector
    from otel_ml_processor.commands.splice.layers import read_layers

    before = Collector(read_layers(case.files, appends=False))
    overlay = shell.splice(*case.arguments, "--mode", mode).overlay
    added = {name for kind in overlay if kind != "service" for name in overlay[kind]}
    assert all("/otel_ml" in name for name in added)
    pipelines = overlay["service"]["pipelines"]
    theirs = {name for name in pipelines if "/otel_ml" not in name}
    if mode == "tee":
        assert not theirs
        return
    (changed,) = [one for one in before.pipelines if one.name in theirs]
    assert "receivers" not in pipelines[changed.name]
    onward = pipelines["traces/otel_ml_return"]
    assert onward["exporters"] == [one.name for one in changed.exporters]
    passed = [*pipelines[changed.name].get("processors", []), *onward.get("processors", [])]
    if passed:
        own = [one.name for one in changed.processors]
        assert [name for name in passed if name != "batch/otel_ml"] == own


@SPLICED
def test_spliced_again_there_is_nothing_to_add(case: Case, mode: str, shell: Shell) -> None:
    """Said in a comment, so that the answer may be used as a further file without harm."""
    first = shell.splice(*case.arguments, "--mode", mode)
    overlay = shell.file(first.text, "otel-ml.yaml")
    again = shell.splice(*case.arguments[: len(case.files)], overlay, *case.options, "--mode", mode)
    assert (again.status, again.errors) == (0, "")
    assert again.text == (
        f"# Nothing to add: these files lead to the processor already (mode {mode}).\n"
    )


@SPLICED
def test_two_modes_at_once_are_refused(case: Case, mode: str, shell: Shell) -> None:
    """Every span would reach the processor twice; the file to leave out is named."""
    overlay = shell.file(shell.splice(*case.arguments, "--mode", mode).text, "otel-ml.yaml")
    for other in {"tee", "inline", "failover"} - {mode}:
        files = [*case.arguments[: len(case.files)], overlay]
        answer = shell.splice(*files, *case.options, "--mode", other)
        assert (answer.status, answer.text) == (1, "")
        assert f"{overlay}:" in answer.errors
        assert f"mode {mode})" in answer.errors


@SPLICED
def test_no_file_of_the_user_is_touched(case: Case, mode: str, shell: Shell) -> None:
    """Byte for byte, and nothing beside them."""
    before = {path: path.read_bytes() for path in FOLDER.rglob("*.yaml")}
    shell.splice(*case.arguments, "--mode", mode)
    assert {path: path.read_bytes() for path in FOLDER.rglob("*.yaml")} == before
    assert list(shell.folder.iterdir()) == []


@pytest.mark.parametrize("mode", ["inline", "failover"])
def test_a_collector_that_appends_lists_is_not_spliced_in_line(shell: Shell, mode: str) -> None:
    """The direct way would stay beside the one through the processor."""
    case = next(case for case in CASES if case.name == "appending")
    answer = shell.splice(*case.arguments, "--mode", mode)
    assert (answer.status, answer.text) == (1, "")
    assert f"{case.files[1]}:9: with confmap.enableMergeAppendOption" in answer.errors
    assert "--mode tee" in answer.errors


def test_with_the_gate_the_copy_holds_what_every_file_receives(shell: Shell) -> None:
    """The receivers of a pipeline are those of all its files."""
    case = next(case for case in CASES if case.name == "appending")
    copied = shell.splice(*case.arguments).overlay["service"]["pipelines"]["traces/otel_ml"]
    assert copied["receivers"] == ["otlp", "otlp/team"]
    replaced = shell.splice(*map(str, case.files)).overlay["service"]["pipelines"]["traces/otel_ml"]
    assert replaced["receivers"] == ["otlp/team"]


def test_results_go_where_metrics_and_logs_go_already(shell: Shell) -> None:
    """To the exporters of the pipeline `metrics`; events into the log, because there is no pipeline of logs; verdicts to the store."""
    pipelines = shell.splice(shell.file(EXISTING)).overlay["service"]["pipelines"]
    assert pipelines["metrics/otel_ml"]["exporters"] == ["prometheus"]
    assert pipelines["logs/otel_ml"]["exporters"] == ["debug/otel_ml"]
    assert pipelines["traces/otel_ml_verdicts"]["exporters"] == ["otlp/store"]


def test_verdicts_go_to_stores_and_not_into_span_metrics(shell: Shell) -> None:
    """A connector would count a verdict as if it were a call."""
    spliced = shell.splice(str(FOLDER / "span_metrics.yaml")).overlay["service"]["pipelines"]
    assert spliced["traces/otel_ml_verdicts"]["exporters"] == ["otlp/jaeger"]


def test_in_line_no_list_is_replaced_that_stays_as_it_is(shell: Shell) -> None:
    """Where all processors stay before the hop, the overlay names the new end and nothing else of the pipeline."""
    pipelines = shell.splice(shell.file(EXISTING), "--mode", "inline").overlay["service"][
        "pipelines"
    ]
    assert pipelines["traces"] == {"exporters": ["otlp/otel_ml"]}


def test_a_port_that_is_not_listened_on_is_free(shell: Shell) -> None:
    """4318 is the usual port of OTLP over HTTP, but not of this receiver; nor does one listen that no pipeline has."""
    path = shell.file(EXISTING)
    assert shell.splice(path, "--return", "127.0.0.1:4318").status == 0
    assert shell.splice(path, "--return", "127.0.0.1:14319").status == 0


def test_variables_are_kept_as_they_are_written(shell: Shell) -> None:
    """The overlay means on every stage what the user's file means there."""
    overlay = shell.splice(str(FOLDER / "environment.yaml"), "--mode", "inline").overlay
    onward = overlay["service"]["pipelines"]["traces/otel_ml_return"]
    assert onward["exporters"] == ["${env:TRACES_EXPORTER:-otlp/store}", "debug"]


@pytest.mark.parametrize(
    ("name", "exporter"), [("new_names", "otlp_grpc/otel_ml"), ("agent", "otlp/otel_ml")]
)
def test_the_exporter_has_the_name_that_this_collector_knows(
    shell: Shell, name: str, exporter: str
) -> None:
    """`otlp_grpc` where the files use the new names, `otlp` otherwise, which older collectors know."""
    assert exporter in shell.splice(str(FOLDER / f"{name}.yaml")).overlay["exporters"]


def test_spans_pass_the_failover_without_a_queue_that_hides_errors(shell: Shell) -> None:
    """With a queue or retries the connector would see no error, and would not turn to the direct way."""
    overlay = shell.splice(shell.file(EXISTING), "--mode", "failover").overlay
    exporter = overlay["exporters"]["otlp/otel_ml"]
    assert exporter["sending_queue"] == exporter["retry_on_failure"] == {"enabled": False}
    assert "processors" not in overlay["service"]["pipelines"]["traces/otel_ml"]
    levels = overlay["connectors"]["failover/otel_ml"]["priority_levels"]
    assert levels == [["traces/otel_ml"], ["traces/otel_ml_return"]]


def test_the_copy_is_redacted_behind_its_wall_and_passes_no_sampler(shell: Shell) -> None:
    """Nothing between the receiver and the wall can fail, and the exporter gets what the store would."""
    copied = shell.splice(str(FOLDER / "tail_sampling.yaml")).overlay
    names = copied["service"]["pipelines"]["traces/otel_ml"]["processors"]
    assert names == ["batch/otel_ml", "redaction"]


def test_another_name_gives_every_part_another_name(shell: Shell) -> None:
    """The way out where ours is taken."""
    overlay = shell.splice(shell.file(EXISTING), "--name", "drift").overlay
    names = [name for kind in overlay if kind != "service" for name in overlay[kind]]
    names += overlay["service"]["pipelines"]
    assert all("/drift" in name for name in names)


def test_the_way_of_the_processor_is_told_with_its_addresses(shell: Shell) -> None:
    """The second command in the head of the overlay is what the processor has to be told."""
    options = ("--processor", "127.0.0.1:7001", "--return", "127.0.0.1:7002", "--mode", "in-line")
    answer = shell.splice(shell.file(EXISTING), *options)
    assert (
        "#   otel-ml processor --set receive.endpoint=127.0.0.1:7001 --set mode=inline"
        " --set forward.endpoint=127.0.0.1:7002 --set emit.endpoint=127.0.0.1:7002\n"
    ) in answer.text
    assert answer.overlay["exporters"]["otlp/otel_ml"]["endpoint"] == "127.0.0.1:7001"


def test_on_another_machine_the_processor_is_told_what_holds_there(shell: Shell) -> None:
    """It listens on its own addresses, and sends to a name of the collector that only the operator knows."""
    options = ("--processor", "ml.example.org:7001", "--return", "0.0.0.0:7002", "--insecure")
    text = shell.splice(shell.file(EXISTING), *options, "--mode", "inline").text
    assert (
        "#   otel-ml processor --set receive.endpoint=0.0.0.0:7001 --set mode=inline"
        " --set forward.endpoint=COLLECTOR:7002 --set emit.endpoint=COLLECTOR:7002 --set insecure_bind=true\n"
    ) in text


@pytest.mark.parametrize(
    ("options", "tls"),
    [
        (("--processor", "ml.example.org:14317", "--return", "0.0.0.0:14320", "--insecure"), True),
        (("--processor", "localhost:14317"), True),
        (("--processor", "[::1]:14317"), True),
        (("--processor", "${env:HOP}:14317"), None),
    ],
)
def test_without_tls_only_where_that_is_closed(
    shell: Shell, options: tuple[str, ...], tls: bool | None
) -> None:
    """In the clear within this machine, or where the operator says that the network is closed; else over TLS."""
    exporter = shell.splice(shell.file(EXISTING), *options).overlay["exporters"]["otlp/otel_ml"]
    assert exporter.get("tls", {}).get("insecure") is tls


TAKEN = EXISTING.replace("otlp/unused:", "otlp/otel_ml_return:")
LOOP = EXISTING.replace("0.0.0.0:5318", "0.0.0.0:14317")
BUSY = EXISTING.replace("${env:POD_IP}:8889", "${env:POD_IP}:14319")
NO_TRACES = EXISTING.replace("    traces:\n", "    logs:\n")
ROUTED = """\
receivers: {otlp: {protocols: {grpc: }}}
connectors: {routing: {table: []}}
exporters: {nop: }
service:
  pipelines:
    traces/in: {receivers: [otlp], exporters: [routing]}
    traces/out: {receivers: [routing], exporters: [nop]}
"""


@pytest.mark.parametrize(
    ("text", "options", "told"),
    [
        (NO_TRACES, (), "gateway.yaml:1: no pipeline of traces; the pipelines are: logs, metrics"),
        (
            f"config:\n  {EXISTING.replace(chr(10), chr(10) + '  ')}",
            (),
            "gateway.yaml:1: no pipeline of traces; the pipelines are: none at all",
        ),
        (TAKEN, (), "gateway.yaml:3: `otlp/otel_ml_return` exists already among the receivers"),
        (LOOP, (), "gateway.yaml:2: `otlp` listens on port 14317, where the processor is to be"),
        (
            BUSY,
            (),
            "gateway.yaml:7: `prometheus` listens on port 14319, where the way back is to be",
        ),
        (
            EXISTING,
            ("--return", "127.0.0.1:4317"),
            "gateway.yaml:11: pipeline `traces` takes in what comes back from the processor (`otlp`)",
        ),
        (
            EXISTING,
            ("--return", "0.0.0.0:8889", "--insecure"),
            "gateway.yaml:7: `prometheus` listens on port 8889",
        ),
        (
            EXISTING,
            ("--return", "127.0.0.1:14317"),
            "--processor and --return are the same address: 127.0.0.1:14317",
        ),
        (
            EXISTING,
            ("--processor", "ml.example.org:14317"),
            "the processor is at ml.example.org:14317, but what comes back is taken in at 127.0.0.1:14319",
        ),
        (EXISTING, ("--return", "0.0.0.0:14320"), "--return 0.0.0.0:14320 listens beyond this"),
        (
            EXISTING.replace("[otlp/store]", "[otlp/stor]"),
            (),
            "gateway.yaml:13: pipeline `traces` names the exporter `otlp/stor`, which no file has",
        ),
        (
            EXISTING.replace("processors: [batch]", "processors: [bach]"),
            (),
            "gateway.yaml:12: pipeline `traces` names the processor `bach`, which no file has",
        ),
        (
            EXISTING.replace("exporters: [otlp/store]", "exporters: "),
            (),
            "gateway.yaml:10: pipeline `traces` has no exporter",
        ),
        (
            ROUTED,
            ("--pipeline", "traces/out"),
            "gateway.yaml:7: pipeline `traces/out` is fed by the connector `routing`",
        ),
    ],
)
def test_what_would_break_is_refused_with_place_reason_and_way_out(
    shell: Shell, text: str, options: tuple[str, ...], told: str
) -> None:
    """Exit code 1, nothing on stdout, three lines on stderr."""
    answer = shell.splice(shell.file(text), *options)
    assert (answer.status, answer.text) == (1, "")
    first, why, way_out = answer.errors.splitlines()
    assert told in first
    assert why.startswith("  why: ")
    assert way_out.startswith("  do:  ")


def test_a_pipeline_that_a_later_file_takes_away_is_refused(shell: Shell) -> None:
    """`traces:` without a value leaves a pipeline with nothing in it, which no collector starts with."""
    taken = shell.file("service: {pipelines: {traces: }}", "later.yaml")
    answer = shell.splice(shell.file(EXISTING), taken)
    assert answer.status == 1
    assert f"{taken}:1: pipeline `traces` has no receiver" in answer.errors


def test_spans_that_are_redacted_further_on_are_not_taken_before(shell: Shell) -> None:
    """Redaction in a later pipeline counts as redaction; the pipeline to take instead is named, and works."""
    joined = str(FOLDER / "joined.yaml")
    for mode in ("tee", "inline", "failover"):
        answer = shell.splice(joined, "--pipeline", "traces/public", "--mode", mode)
        assert (answer.status, answer.text) == (1, "")
        assert "--pipeline traces/store" in answer.errors
        assert shell.splice(joined, "--pipeline", "traces/store", "--mode", mode).status == 0
    allowed = shell.splice(joined, "--pipeline", "traces/public", "--behind", "redaction")
    assert allowed.status == 0


def test_redaction_two_connectors_further_on_is_found(shell: Shell) -> None:
    """However long the way, the processor does not see what is taken off at its end."""
    text = """\
receivers: {otlp: {protocols: {grpc: }}}
processors: {redaction: }
connectors: {forward/one: , forward/two: }
exporters: {nop: }
service:
  pipelines:
    traces/in: {receivers: [otlp], exporters: [forward/one]}
    traces/on: {receivers: [forward/one], exporters: [forward/two]}
    traces/out: {receivers: [forward/two], processors: [redaction], exporters: [nop]}
"""
    answer = shell.splice(shell.file(text))
    assert answer.status == 1
    assert "gateway.yaml:9: `redaction` redacts in pipeline `traces/out`" in answer.errors


@pytest.mark.parametrize(
    ("text", "options", "told"),
    [
        (ROUTED, ("--pipeline", "traces"), "--pipeline traces: expected a pipeline of traces"),
        (EXISTING, ("--mode", "both"), "expected tee, inline or failover, got 'both'"),
        (EXISTING, ("--before", "batsch"), "--before batsch: expected a processor of pipeline"),
        (EXISTING, ("--processor", "here"), "--processor: expected host:port"),
        (EXISTING, ("--return", "127.0.0.1:99999"), "--return: expected host:port"),
        (EXISTING, ("--name", "a/b"), "--name: expected letters"),
        (EXISTING, ("--name", ""), "--name: expected letters"),
        (
            EXISTING,
            ("--collector", "/nowhere/otelcol"),
            "--collector /nowhere/otelcol: cannot be run",
        ),
        (EXISTING, ("--colour",), "unrecognized arguments: --colour"),
        (
            "service: {pipelines: [traces]}",
            (),
            "service::pipelines: expected a mapping, found a list",
        ),
        ("service: ${file:service.yaml}", (), "which comes from elsewhere and is not read"),
        (EXISTING.replace("exporters:", "exporter:", 1), (), "found 'exporter'; write `exporters`"),
        (
            "mode: deployment\nimage: {tag: latest}\nservice: {enabled: true}",
            (),
            "gateway.yaml:1: expected receivers, processors, exporters, connectors, extensions or service, found 'mode'; of Helm values",
        ),
        (
            EXISTING.replace("receivers: [otlp]", "receivers: otlp", 1),
            (),
            "gateway.yaml:11: service::pipelines::traces::receivers: expected a list such as [otlp], found 'otlp'",
        ),
        (
            EXISTING.replace("[otlp/store]", "[{otlp: store}]"),
            (),
            "gateway.yaml:13: service::pipelines::traces::exporters: expected a name, found a mapping",
        ),
        (
            EXISTING.replace("[otlp/store]", '["otlp/\\estore"]'),
            (),
            "service::pipelines::traces::exporters: expected a name",
        ),
    ],
)
def test_what_one_can_mend_is_said_in_one_line(
    shell: Shell, text: str, options: tuple[str, ...], told: str
) -> None:
    """Exit code 2 and nothing on stdout."""
    answer = shell.splice(shell.file(text), *options)
    assert (answer.status, answer.text) == (2, "")
    assert told in answer.errors
    assert answer.errors.count("\n") == 1


def test_where_there_are_several_pipelines_it_asks_which(shell: Shell) -> None:
    """Those that take spans in from outside, with the option to use and the line where each stands."""
    path = FOLDER / "two_stores.yaml"
    answer = shell.splice(str(path))
    assert (answer.status, answer.text) == (2, "")
    assert answer.errors.splitlines()[1:] == [
        f"  --pipeline traces/search  ({path}:19)",
        f"  --pipeline traces/archive  ({path}:23)",
    ]


def test_a_pipeline_behind_a_connector_is_not_asked_for(shell: Shell) -> None:
    """Where spans enter in one place, that is the place."""
    copied = shell.splice(shell.file(ROUTED)).overlay["service"]["pipelines"]["traces/otel_ml"]
    assert copied["receivers"] == ["otlp"]


def test_two_pipelines_can_have_a_copy_each(shell: Shell) -> None:
    """The second one shares exporter and way back with the first; a name of its own is all that it takes."""
    text = EXISTING + "    traces/two: {receivers: [otlp/unused], exporters: [otlp/store]}\n"
    path = shell.file(text.replace("127.0.0.1:14319", "127.0.0.1:14330"))
    first = shell.file(shell.splice(path, "--pipeline", "traces").text, "first.yaml")
    again = shell.splice(path, first, "--pipeline", "traces/two")
    assert again.status == 1
    assert "--name WORD" in again.errors
    second = shell.splice(path, first, "--pipeline", "traces/two", "--name", "inside").overlay
    assert set(second) == {"processors", "service"}
    assert second["service"]["pipelines"] == {
        "traces/inside": {
            "receivers": ["otlp/unused"],
            "processors": ["batch/inside"],
            "exporters": ["otlp/otel_ml"],
        },
        "logs/inside_feedback": {
            "receivers": ["otlp/unused"],
            "processors": ["filter/inside_feedback", "batch/inside"],
            "exporters": ["otlp/otel_ml"],
        },
    }


def test_one_processor_is_in_line_in_one_pipeline(shell: Shell) -> None:
    """What comes back could not be told apart, whatever the parts are called."""
    text = EXISTING + "    traces/two: {receivers: [otlp/unused], exporters: [otlp/store]}\n"
    path = shell.file(text.replace("127.0.0.1:14319", "127.0.0.1:14330"))
    options = ("--mode", "inline", "--pipeline")
    first = shell.file(shell.splice(path, *options, "traces").text, "first.yaml")
    second = shell.splice(path, first, *options, "traces/two", "--name", "two")
    assert (second.status, second.text) == (1, "")
    assert "pipeline `traces` goes to the processor already (`otlp/otel_ml`, mode inline)" in (
        second.errors
    )


@pytest.mark.parametrize("mode", ["tee", "inline", "failover"])
def test_what_comes_back_is_not_sent_again(shell: Shell, mode: str) -> None:
    """A loop is refused, whatever the pipelines are called."""
    path = shell.file(EXISTING)
    first = shell.file(shell.splice(path, "--mode", "inline").text, "first.yaml")
    options = ("--pipeline", "traces/otel_ml_return", "--name", "again", "--mode", mode)
    answer = shell.splice(path, first, *options)
    assert (answer.status, answer.text) == (1, "")
    assert "takes in what comes back from the processor (`otlp/otel_ml_return`)" in answer.errors


def test_a_name_in_a_file_cannot_leave_its_comment(shell: Shell) -> None:
    """A file's name with a line break stays within the line of the comment."""
    answer = shell.splice(shell.file(EXISTING, "a\nservice: {}\n#.yaml"))
    assert "?service: {}?" in answer.text
    assert set(answer.overlay) == {"receivers", "processors", "exporters", "service"}


def test_help_names_every_mode_and_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    """What one needs to begin fits on the page of `--help`."""
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    said = capsys.readouterr().out
    assert ended.value.code == 0
    for word in ("tee ", "inline ", "failover ", "exit code: 0", "example: "):
        assert word in said
    assert APPEND.partition("=")[0] in said


WORDS = st.sampled_from(
    [
        "receivers",
        "processors",
        "exporters",
        "connectors",
        "extensions",
        "service",
        "pipelines",
        "traces",
        "traces/b",
        "metrics",
        "otlp",
        "batch",
        "redaction",
        "forward",
        "debug",
        "nop",
        "protocols",
        "grpc",
        "endpoint",
        "127.0.0.1:14319",
        "otlp/otel_ml",
        "${env:A:-b}",
    ]
)
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | WORDS | st.integers(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=12,
)
PIPELINE = st.fixed_dictionaries(
    {}, optional=dict.fromkeys(("receivers", "processors", "exporters"), VALUES)
)


@given(
    parts=st.fixed_dictionaries(
        {},
        optional=dict.fromkeys(("receivers", "processors", "exporters", "connectors"), VALUES),
    ),
    pipelines=st.dictionaries(
        st.sampled_from(["traces", "traces/b", "metrics"]), PIPELINE | VALUES
    ),
    mode=st.sampled_from(["tee", "inline", "failover"]),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_whatever_a_file_says_there_is_an_answer(
    shell: Shell, parts: dict[str, Any], pipelines: dict[str, Any], mode: str
) -> None:
    """An overlay, a refusal or a mistake, each with its exit code; never a traceback."""
    text = yaml.safe_dump({**parts, "service": {"pipelines": pipelines}})
    answer = shell.splice(shell.file(text), "--mode", mode)
    assert answer.status in {0, 1, 2}
    assert bool(answer.text) == (answer.status == 0)
    assert bool(answer.errors) == (answer.status != 0)

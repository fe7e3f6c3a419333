"""What the configuration accepts, and how it says what it does not."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from otel_ml_processor.config import Config, Duration, HttpDoor, Size
from otel_ml_processor.config_file import configuration_text, load_config, said_by
from otel_ml_processor.errors import ConfigError


def written(folder: Path, text: str) -> Path:
    """Return a configuration file that holds *text*."""
    path = folder / "processor.yaml"
    path.write_text(text)
    return path


def test_no_file_gives_safe_defaults() -> None:
    """Without a file nothing is forwarded and nothing listens beyond this machine."""
    config = load_config(None)
    assert config == Config()
    assert config.mode == "tee"
    assert config.receive.endpoint.startswith("127.0.0.1:")
    assert config.http.endpoint.startswith("127.0.0.1:")


def test_an_empty_file_gives_the_defaults(tmp_path: Path) -> None:
    """A file in which everything is commented out is no mistake."""
    assert load_config(written(tmp_path, "# nothing yet\n")) == Config()


def test_values_are_read_with_their_units(tmp_path: Path) -> None:
    """Durations are seconds, sizes are bytes."""
    text = """
    mode: inline
    forward: {endpoint: "127.0.0.1:4317", timeout: 1500ms, max_message: 8MiB}
    windows: [{name: quick, length: 5m}, {name: rows, rows: 900}]
    """
    config = load_config(written(tmp_path, text))
    assert config.forward is not None
    assert config.forward.timeout == pytest.approx(1.5)
    assert config.forward.max_message == 8 * 1024 * 1024
    assert config.windows[0].length == pytest.approx(300)
    assert config.windows[1].rows == 900


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("500ms", 0.5), ("30s", 30), ("5m", 300), ("1.5h", 5400), ("7d", 604_800)],
)
def test_a_duration_has_a_unit(text: str, seconds: float) -> None:
    """Each unit means what it says."""
    assert Duration.parse(text) == pytest.approx(seconds)


@pytest.mark.parametrize("value", ["5", "5 min", "-1s", "", "s", 5, 1.5, None, True, "1h30m"])
def test_a_duration_without_its_unit_is_refused(value: object) -> None:
    """A bare number could be seconds or milliseconds: it is refused, not guessed."""
    with pytest.raises(ValueError, match="expected a duration such as"):
        Duration.parse(value)


@pytest.mark.parametrize("value", ["5MB", "-1", "1.5GiB", None, True, "MiB"])
def test_a_size_in_an_unknown_unit_is_refused(value: object) -> None:
    """Only powers of 1024 by their names, or bytes."""
    with pytest.raises(ValueError, match="expected a size such as"):
        Size.parse(value)


def test_the_environment_fills_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`${env:NAME}` inside a text, alone as a number, and with a default."""
    monkeypatch.setenv("HOP_PORT", "14999")
    monkeypatch.setenv("HOP_THREADS", "4")
    text = """
    receive: {endpoint: "127.0.0.1:${env:HOP_PORT}", threads: "${env:HOP_THREADS}"}
    http: {endpoint: "${env:HOP_PAGE:-127.0.0.1:19999}"}
    """
    config = load_config(written(tmp_path, text))
    assert config.receive.endpoint == "127.0.0.1:14999"
    assert config.receive.threads == 4
    assert config.http.endpoint == "127.0.0.1:19999"


BAD = {
    "mode: inlin": "$.mode: expected one of inline, tee, got 'inlin'",
    "mode: inline": "$.forward: expected an endpoint",
    "forward: {endpoint: 'a:1'}": "$.forward: expected nothing, because in mode 'tee'",
    "mode: inline\nforward: {endpoint: '127.0.0.1:14317'}": "$.forward.endpoint: expected another address",
    "mode: inline\nforward: {endpoint: '127.0.0.1:14318'}": "$.forward.endpoint: expected another address",
    "mode: inline\nforward: {endpoint: 'a:1', also: [{endpoint: '127.0.0.1:14317'}]}": "$.forward.also[0].endpoint: expected another address",
    "mode: inline\nforward: {endpoint: '127.0.0.1:14318/otlp', protocol: http}": "$.forward.endpoint: expected another address",
    "mode: inline\nforward: {endpoint: 'a:1', protocol: thrift}": "$.forward.protocol: expected one of grpc, http, got 'thrift'",
    "mode: inline\nforward: {endpoint: 'a:1', also: [{endpoint: 'b:1', delivery: perhaps}]}": "$.forward.also[0].delivery: expected one of best_effort, required",
    "mode: inline\nforward: {endpoint: 'a:1', also: [{endpoint: 'b:1', headers: {X: y}}]}": "$.forward.also[0].headers: expected names in lower case",
    "mode: inline\nforward: {endpoint: 'a:1', also: [{endpoint: 'b:1', signals: []}]}": "$.forward.also[0].signals: expected at least one signal, each once, got []",
    "mode: inline\nforward: {endpoint: 'a:1', also: [{endpoint: 'b:1', signals: [logs, logs]}]}": "$.forward.also[0].signals: expected at least one signal, each once, got ['logs', 'logs']",
    "receive: {http: {endpoint: '127.0.0.1:14317'}}": "$.receive.http.endpoint: expected another address than `receive.endpoint`",
    "receive: {http: {threads: 3}}": "$.receive.http: unknown key 'threads'; known: basic_auth_file, bearer_token_file, endpoint, tls",
    "mode: inline\nforward: {endpoint: 'localhost:14317'}": "$.forward.endpoint: expected another address",
    "mode: inline\nforward: {endpoint: '[::1]:14318'}": "$.forward.endpoint: expected another address",
    "mode: inline\ninsecure_bind: true\nreceive: {endpoint: '0.0.0.0:4317'}\nforward: {endpoint: '127.0.0.1:4317'}": "$.forward.endpoint: expected another address",
    "emit: {endpoint: 'localhost:14318'}": "$.emit.endpoint: expected another address",
    "mode: inline\nforward: {endpoint: 'a:0'}": "$.forward.endpoint: expected host:port such as 127.0.0.1:4317, without http:// before it, got 'a:0'",
    "mode: inline\nforward: {endpoint: 'http://a:1'}": "$.forward.endpoint: expected host:port such as 127.0.0.1:4317, without http:// before it, got 'http://a:1'",
    "mode: inline\nforward: {endpoint: 'https://a:1', protocol: http}": "$.forward.endpoint: expected host:port such as 127.0.0.1:4317, without http:// before it, got 'https://a:1'",
    "mode: inline\nforward: {endpoint: 'a:1/b?key=c', protocol: http}": "$.forward.endpoint: expected a path without ?, # or spaces; a key stands in `headers`, got another one, which is not shown (line",
    "mode: inline\nforward: {endpoint: 'a:1', also: [{endpoint: b}]}": "$.forward.also[0].endpoint: expected host:port",
    "emit: {endpoint: ''}": "$.emit.endpoint: expected host:port",
    "emit: {headers: {x-bin: y}}": "$.emit.headers: expected names in lower case, without '-bin' at the end, got ['x-bin']",
    "emit: {headers: {grpc-timeout: 1S, te: x, x-a: y}}": "$.emit.headers: expected none of those that say how a message is sent, got ['grpc-timeout', 'te']",
    'emit: {headers: {authorization: "Bearer y\\n"}}': "$.emit.headers: expected values of printable ASCII in one line, got another one, which is not shown, of ['authorization']",
    "emit: {headers: {1: y}}": "$.emit.headers: expected texts as keys, got 1; put it in quotes",
    "2001-01-01: y": "$: expected texts as keys, got datetime.date(2001, 1, 1); put it in quotes",
    "receive: {max_message: 2GiB}": "$.receive.max_message: expected a size below 2GiB, more than which gRPC does not take, got 2GiB",
    "windows: [{name: a, length: 36501d}]": "$.windows[0].length: expected a duration of at most 36500d, got '36501d' (line 1)",
    "feedback: {max: 10000000000000}": "$.feedback.max: expected int <= 1000000000, got 10000000000000 (line 1)",
    "privacy: none": "$.privacy: expected one of aggregate_only, as_received, got 'none'",
    "recieve: {}": "$: unknown key 'recieve'; known: bootstrap, confidence, drift, emit, feedback, forward, http",
    "emit: {webhook: {url: 'training.example.org', secret: x}}": "$.emit.webhook.url: expected http://... or https://..., got training.example.org",
    "emit: {webhook: {url: 'http://a:99999/b', secret: x}}": "$.emit.webhook.url: expected http://... or https://..., got http://a:99999 (line",
    "emit: {webhook: {url: 'http://me:key@a/b', secret: x}}": "$.emit.webhook.url: expected no user and password before the host: they would not be sent, got some, which are not shown (line",
    "emit: {webhook: {url: 'http://a b/c?key', secret: x}}": "$.emit.webhook.url: expected http://... or https://..., got http://a b (line",
    "emit: {webhook: {url: 'ftp://a/b', secret: x}}": "$.emit.webhook.url: expected http://... or https://...",
    "emit: {webhook: {url: 'http://a/b'}}": "$.emit.webhook.secret: expected exactly one of 'secret' and 'secret_file', got none",
    "emit: {webhook: {url: 'http://a/b', secret: x, secret_file: y}}": "$.emit.webhook.secret: expected exactly one of 'secret' and 'secret_file', got both",
    "emit: {webhook: {url: 'http://a/b', secret: x, timeout: 0s}}": "$.emit.webhook.timeout: expected a duration above 0s",
    "emit: {webhook: {url: 'https://a/b', secret: x, tls: {cert_file: y}}}": "$.emit.webhook.tls: expected both of 'cert_file' and 'key_file', or none, got one of them",
    "emit: {webhook: {url: 'http://a/b', secret: x, tls: {}}}": "$.emit.webhook.tls: expected nothing, because `url` is http://...",
    "emit: {webhook: {secret: x}}": "$.emit.webhook: object missing required field url",
    "emit: {feature_bins: maybe}": "$.emit.feature_bins: expected bool",
    "drift: {metod: psi}": "$.drift: unknown key 'metod'; known: calibration, effect_floor,",
    "drift: {scores: [pis]}": "$.drift.scores[0]: expected one of chi_squared, hellinger, jensen_shannon,",
    "drift: {false_alarm_rate: 0.7}": "$.drift.false_alarm_rate: expected float < 0.5, got 0.7",
    "windows: []": "$.windows: expected array of length >= 1, got []",
    "windows: [{name: a, length: 500ms}]": "$.windows[0].length: expected a duration >= 1s, got 500ms",
    "windows: [{name: a, lenght: 1h}]": "$.windows[0]: unknown key 'lenght'; known: length, name, pane, rows",
    "windows: [{name: a}]": "$.windows[0]: expected exactly one of 'length' and 'rows'",
    "windows: [{name: a, rows: 900, pane: 5m}]": "$.windows[0].pane: expected nothing, because windows of rows have no panes",
    "windows: [{name: a, length: 1h, pane: 7m}]": "$.windows[0].pane: expected a duration >= 1s that 1h is a multiple of, got 7m",
    "windows: [{name: a, length: 1h, pane: 500ms}]": "$.windows[0].pane: expected a duration >= 1s that 1h is a multiple of, got 500ms",
    "windows: [{name: a, length: 1h, pane: 2h}]": "$.windows[0].pane: expected a duration >= 1s that 1h is a multiple of, got 2h",
    "streams: {silent: 59s}": "$.streams.silent: expected a duration >= 1m, got 59s",
    "windows: [{name: a, rows: 9}]": "$.windows[0].rows: expected a number >= min_rows (200), got 9",
    "windows: [{name: a, rows: 900}, {name: a, rows: 901}]": "$.windows: expected names that differ",
    "windows: [{name: '', rows: 900}]": "$.windows: expected names that differ, and none empty, got ['']",
    "state: {directory: ''}": "$.state.directory: expected a folder, or null, got an empty text",
    "streams: {lateness: 5}": "$.streams.lateness: expected a duration such as '500ms', '30s', '5m', '1h' or '7d', got 5 (line 1)",
    "receive: {max_message: 12MB}": "$.receive.max_message: expected a size such as '64KiB'",
    "receive: {threads: 0}": "$.receive.threads: expected int >= 1, got 0",
    "receive: {endpoint: '${env:OTEL_ML_UNSET}'}": "$.receive.endpoint: the environment has no OTEL_ML_UNSET",
    "emit: {headers: {authorization: 'Bearer ${env:A.TOKEN} secret'}}": "$.emit.headers.authorization: expected ${env:NAME} or ${env:NAME:-default}, with letters, digits and _ in the name, got ${env:A.TOKEN (line",
    "http: {endpoint: '${env:A:-x}${env:HOP'}": "$.http.endpoint: expected ${env:NAME} or ${env:NAME:-default}, with letters, digits and _ in the name, got ${env:HOP (line",
    "windows: !!set {a}": "$.windows[0]: expected object, got 'a'",
    "profiles: ['${env:OTEL_ML_UNSET}.json']": "set it or write ${env:OTEL_ML_UNSET:-default} (line 1)",
    'mode: "\\ud800"': "$.mode: expected a text, found one with \\0 in it, or with bytes that are no UTF-8 (line 1)",
    'profiles: ["a\\0.json"]': "$.profiles[0]: expected a text, found one with \\0",
    'emit: {headers: {"\\udc80": a}}': "$.emit.headers: expected a text, found one with \\0",
    "tenants: {header: ''}": "$.tenants.header: expected a header of its own, in lower case, got ''",
    "bootstrap: {rows: 10}": "$.bootstrap.rows: expected int >= 1000, got 10",
    "bootstrap: {min_duration: 0s}": "$.bootstrap.min_duration: expected a duration above 0s",
    "models: [{version: '1'}]": "$.models[0]: object missing required field name",
    "models: [{name: a}, {name: b, drift: {effect_flor: 1}}]": "$.models[1].drift: unknown key 'effect_flor'; known: calibration",
    "models: [{name: a, drift: {false_alarm_rate: 2}}]": "$.models[0].drift.false_alarm_rate: expected float < 0.5, got 2",
    "models: [{name: a, windows: [{name: x, length: 1h}]}]": "$.models[0].windows: expected the names of `windows` (1h, 24h), got ['x']",
    "models: [{name: a, windows: [{name: 1h, length: 1s}, {name: 24h, rows: 9}]}]": "$.models[0].windows[1].rows: expected a number >= min_rows (200), got 9",
    "models: [{name: a, min_rows: 1}]": "$.models[0].min_rows: expected int >= 2, got 1",
    "models: {name: a}": "$.models: expected array, got {'name': 'a'}",
    "models: [7]": "$.models[0]: expected object, got 7",
    "http: {endpoint: 8080}": "$.http.endpoint: expected str, got 8080",
    "[]": "$: expected object, got []",
    "mode: [": "expected YAML: expected the node content, but found '<stream end>'",
    "? [a]\n: b": "expected YAML: found unhashable key",
    "mode: !!python/object/apply:os.system [ls]": "expected YAML: could not determine a constructor",
    "drift: {effect_floor: 0.1}\ndrift: {calibration: auto}": "expected YAML: 'drift' is there twice; write what belongs to it under one of them",
    "receive: {threads: 4, threads: 5}": "expected YAML: 'threads' is there twice",
    "mode: tee\n\tdrift: {}": "expected YAML: found character '\\t' that cannot start any token; indent with spaces",
}


@pytest.mark.parametrize(("text", "said"), BAD.items(), ids=range(len(BAD)))
def test_a_mistake_is_one_line_with_file_place_expectation_and_finding(
    tmp_path: Path, text: str, said: str
) -> None:
    """Whoever wrote the file reads one line and knows where to look and what to write."""
    path = written(tmp_path, text)
    with pytest.raises(ConfigError) as raised:
        load_config(path)
    message = str(raised.value)
    assert re.match(rf"{re.escape(str(path))}(:[12])?: ", message)
    assert said in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["a.b=1"], "--set a.b: $: unknown key 'a'; known: bootstrap, "),
        (["receive.lenght=x"], "--set receive.lenght: $.receive: unknown key 'lenght'; known: "),
        (
            ["mode=tee", "receive={threads: many}"],
            "--set receive: $.receive.threads: expected int",
        ),
        (["windows=5"], "--set windows: $.windows: expected array, got 5"),
        (
            ["receive.endpoint=[::1]:4317"],
            "--set receive.endpoint: expected YAML behind the '=', got '[::1]:4317'; a text with brackets stands in quotes",
        ),
        (
            ["http.endpoint=${env:OTEL_ML_UNSET}"],
            "--set http.endpoint: $.http.endpoint: the environment has no OTEL_ML_UNSET",
        ),
        (["forward.endpoint=a:1"], "--set forward.endpoint: $.forward: expected nothing, because"),
        (
            ["mode=outline", "mode=tee", "mode=inlin"],
            "--set mode: $.mode: expected one of inline, tee, got 'inlin'",
        ),
    ],
)
def test_a_mistake_in_a_setting_is_told_as_the_settings(
    settings: list[str], message: str, tmp_path: Path
) -> None:
    """Nobody is sent to a file, or to the defaults, for what stands on the command line."""
    for path in (None, written(tmp_path, "mode: tee\nreceive: {threads: 4}")):
        with pytest.raises(ConfigError) as raised:
            load_config(path, settings)
        assert str(raised.value).startswith(message)
        assert "(line" not in str(raised.value)


@pytest.mark.parametrize(
    "text",
    [
        "emit: {webhook: 'https://example.org/hooks/hush'}",
        "- forward: {headers: {authorization: Bearer hush}}",
        "emit: {headers: hush}",
    ],
)
def test_a_secret_at_the_wrong_place_of_a_file_is_not_shown(tmp_path: Path, text: str) -> None:
    """What is written one level too high, or too deep, may be read by others than who wrote it."""
    with pytest.raises(ConfigError, match="which is not shown") as raised:
        load_config(written(tmp_path, text))
    assert "hush" not in str(raised.value)


@pytest.mark.parametrize(
    "setting",
    [
        "emit.headers..authorization=hush",
        "emit.headers.authorization: hush",
        "emit.headers.authorization=[hush",
        "emit.webhook=hush",
    ],
)
def test_a_secret_in_a_setting_that_is_wrong_is_not_shown(setting: str) -> None:
    """The key is said, and what to write."""
    with pytest.raises(ConfigError, match=r"^--set emit\.(headers|webhook)") as raised:
        load_config(None, [setting])
    assert "hush" not in str(raised.value)


@pytest.mark.parametrize("secret", ["123456", "1e5", "2026-01-01", "@a", "#a", "a #b", "a: b"])
def test_a_secret_of_the_environment_may_look_like_anything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, secret: str
) -> None:
    """Not even quotes would help who has a token of digits: what the environment says is taken as it is."""
    monkeypatch.setenv("KEY_OF_TEST", secret)
    config = load_config(written(tmp_path, "emit: {headers: {x-api-key: '${env:KEY_OF_TEST}'}}"))
    assert config.emit.headers == {"x-api-key": secret}


def test_a_mistake_in_the_file_beside_settings_is_told_as_the_files(tmp_path: Path) -> None:
    """With its line, although something else is overruled."""
    path = written(tmp_path, "http: {}\nreceive:\n  max_message: 5 apples")
    with pytest.raises(ConfigError) as raised:
        load_config(path, ["mode=tee", "receive.threads=2"])
    assert str(raised.value).startswith(f"{path}: $.receive.max_message: ")
    assert str(raised.value).endswith("(line 3)")


def test_a_mistake_in_a_file_that_has_gone_meanwhile_is_told_all_the_same(tmp_path: Path) -> None:
    """A processor that reads its configuration again outlives an editor that replaces the file in that moment."""
    message = "$.receive.endpoint: cannot listen on 127.0.0.1:1"
    path = tmp_path / "gone.yaml"

    assert said_by(message, path, []) == f"{path}: {message}"


def test_bytes_that_are_no_text_are_told_as_such(tmp_path: Path) -> None:
    """In the words of the reader, without its notes for itself."""
    path = tmp_path / "processor.yaml"
    path.write_bytes(b"mode: \xff")
    with pytest.raises(ConfigError) as raised:
        load_config(path)
    expected = "expected YAML: unacceptable character #x00ff: invalid start byte"
    assert str(raised.value) == f"{path}: {expected}"


def test_a_key_that_overrules_what_it_is_merged_with_is_no_second_one(tmp_path: Path) -> None:
    """YAML's `<<` takes over a mapping from above, and what is said beside it holds."""
    text = "drift: &all {effect_floor: 0.1, calibration: auto}\nmodels: [{name: a, drift: {<<: *all, calibration: iid}}]"
    drift = load_config(written(tmp_path, text)).models[0].drift
    assert drift is not None
    assert (drift.effect_floor, drift.calibration) == (0.1, "iid")


def test_whoever_writes_receive_opens_what_it_says(tmp_path: Path) -> None:
    """Without a `receive` both doors are open at their own addresses; with one, HTTP is open where `http` says so."""
    assert Config().receive.http == HttpDoor(endpoint="127.0.0.1:14318")
    assert load_config(written(tmp_path, "receive: {threads: 4}")).receive.http is None
    assert load_config(written(tmp_path, "receive: {http: {}}")).receive.http == HttpDoor()


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """The path as it was given, and the reason of the operating system."""
    with pytest.raises(
        ConfigError, match=r"absent\.yaml: cannot read the configuration: No such file"
    ):
        load_config(tmp_path / "absent.yaml")


def test_every_option_of_the_defaults_validates_when_written_out(tmp_path: Path) -> None:
    """The defaults obey their own ranges."""
    text = """
    mode: tee
    receive: {endpoint: "127.0.0.1:14317", max_message: 64MiB, max_in_flight: 128MiB, threads: 16, http: {endpoint: "127.0.0.1:14318"}}
    privacy: as_received
    windows: [{name: 1h, length: 1h}, {name: 24h, length: 24h}]
    streams: {min_rows: 200, lateness: 2m, idle: 30s, max: 100}
    drift: {false_alarm_interval: 30d, false_alarm_rate: 0.01, effect_floor: 0.01, scores: [psi]}
    verdicts: {low_confidence: null, per_second: 10}
    emit: {endpoint: null, interval: 10s}
    http: {endpoint: "127.0.0.1:19464"}
    profiles: []
    """
    assert load_config(written(tmp_path, text)) == Config()


MODELS = """
drift: {effect_floor: 0.05, false_alarm_rate: 0.02}
windows: [{name: rows, rows: 900}]
models:
  - name: fraud
    version: 2.*
    drift: {false_alarm_rate: 0.1}
  - name: fraud*
    min_rows: 50
    windows: [{name: rows, rows: 60}]
    performance: {min_labels: 7}
    verdicts: {low_confidence: 0.3}
"""


def test_what_is_said_for_one_model_is_in_force_for_that_alone(tmp_path: Path) -> None:
    """The first entry that fits holds; a key that it leaves out is as it is said for all, not as it is by default."""
    config = load_config(written(tmp_path, MODELS))

    second, third, other = (
        config.of_model(*m) for m in (("fraud", "2.1"), ("fraud", "3"), ("a", "2.1"))
    )
    assert (second.drift.false_alarm_rate, second.drift.effect_floor) == (0.1, 0.05)
    assert second.streams.min_rows == 200
    assert (third.drift.false_alarm_rate, third.streams.min_rows) == (0.02, 50)
    assert (third.windows[0].rows, third.performance.min_labels) == (60, 7)
    assert third.verdicts.low_confidence == 0.3
    assert third.performance.coverage == config.performance.coverage
    assert other == config


def test_the_configuration_in_force_is_shown_for_each_entry(tmp_path: Path) -> None:
    """All of it, and what is shown reads back as the same for every model."""
    config = load_config(written(tmp_path, MODELS))

    text = configuration_text(config)

    shown = yaml.safe_load(text)["models"]
    assert shown[0]["drift"]["effect_floor"] == 0.05
    assert shown[0]["windows"] == yaml.safe_load(text)["windows"]
    assert shown[1]["min_rows"] == 50
    again = load_config(written(tmp_path, text))
    for model in (("fraud", "2.1"), ("fraud", "3"), ("a", "2.1")):
        first, second = config.of_model(*model), again.of_model(*model)
        assert (first.drift, first.windows, first.verdicts) == (
            second.drift,
            second.windows,
            second.verdicts,
        )

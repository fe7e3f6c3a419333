"""What `otel-ml processor` answers without serving: is the configuration right, what is in force, what is there."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from otel_ml_processor.__main__ import main
from otel_ml_processor.config import Config
from otel_ml_processor.config_file import configuration_text, load_config
from otel_ml_processor.errors import ConfigError


def test_what_is_printed_is_a_configuration_that_says_the_same(tmp_path: Path) -> None:
    """Durations and sizes keep their units, and every default is written out."""
    path = tmp_path / "processor.yaml"
    path.write_text("""
        mode: inline
        forward: {endpoint: "127.0.0.1:4317", timeout: 1500ms, max_message: 3MiB}
        windows: [{name: quick, length: 90s}, {name: rows, rows: 900}]
        drift: {scores: [psi, chi_squared]}
    """)
    config = load_config(path)
    path.write_text(configuration_text(config))

    assert load_config(path) == config
    said = yaml.safe_load(path.read_text())
    assert said["forward"]["timeout"] == "1.5s"
    assert said["forward"]["max_message"] == "3MiB"
    assert set(said) == set(Config.__struct_fields__)


@pytest.mark.parametrize(
    "text",
    [
        "mode: inline\nforward: {endpoint: 'a:1', headers: {authorization: Bearer swordfish}}",
        "emit: {headers: {x-token: swordfish}}",
        "emit: {webhook: {url: 'https://hooks.example.org/swordfish', secret_file: key}}",
    ],
)
def test_a_secret_is_not_printed(
    text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Headers and addresses carry tokens: the name is shown, what it says is not."""
    path = tmp_path / "processor.yaml"
    path.write_text(text)
    assert main(["print-config", "--config", str(path)]) == 0
    said = capsys.readouterr().out
    assert "swordfish" not in said
    assert "[REDACTED]" in said


@pytest.mark.parametrize(
    "headers",
    [
        "{x-token: [swordfish]}",
        "{x-token: {a: swordfish}}",
        "[swordfish]",
        "swordfish",
        "{Bad: swordfish}",
    ],
)
def test_a_mistake_about_a_secret_does_not_show_it(headers: str) -> None:
    """The message says where and what was expected; what was found stays unsaid."""
    with pytest.raises(ConfigError, match=r"\$\.emit\.headers") as raised:
        load_config(None, [f"emit.headers={headers}"])
    assert "swordfish" not in str(raised.value)


def test_a_setting_overrules_one_option_and_nothing_else(tmp_path: Path) -> None:
    """The neighbours of what is set stay as the file says; the later of two settings wins."""
    path = tmp_path / "processor.yaml"
    path.write_text("receive: {threads: 3, max_message: 1MiB}")
    config = load_config(
        path, ["receive.threads=4", "receive.threads=5", "http.endpoint=127.0.0.1:1"]
    )
    assert config.receive.threads == 5
    assert config.receive.max_message == 1 << 20
    assert config.http.endpoint == "127.0.0.1:1"


def test_a_setting_may_be_a_list() -> None:
    """What has no path of its own is written as YAML."""
    config = load_config(None, ["windows=[{name: a, rows: 900}]"])
    assert [(window.name, window.rows) for window in config.windows] == [("a", 900)]


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("receive.threads", "--set receive.threads: expected key=value"),
        ("=3", "--set =: expected key=value"),
        ("receive..threads=3", "--set receive..threads=: expected key=value"),
        ("receive=[", "--set receive: expected YAML"),
        ("receive.thraeds=3", "$.receive: unknown key 'thraeds'"),
        ("receive.threads=many", "$.receive.threads: expected int, got 'many'"),
        ("receive.endpoint.port=3", "$.receive.endpoint: expected str"),
    ],
)
def test_a_setting_that_cannot_be_is_one_line(setting: str, said: str) -> None:
    """The place is named as in a file."""
    with pytest.raises(ConfigError) as raised:
        load_config(None, [setting])
    assert said in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_valid_configuration_is_said_to_be(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing is served, and the status is 0."""
    path = tmp_path / "processor.yaml"
    path.write_text("mode: tee")
    assert main(["validate", "--config", str(path)]) == 0
    assert capsys.readouterr().out == f"{path}: valid\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("profiles: [gone.json]", "gone.json"),
        ("receive: {endpoint: nowhere}", "$.receive.endpoint: expected host:port"),
        ("http: {endpoint: '127.0.0.1:99999'}", "$.http.endpoint: expected host:port"),
        ("emit: {endpoint: '127.0.0.1:14317'}", "$.emit.endpoint: expected another address"),
    ],
)
def test_what_would_fail_at_the_start_fails_the_validation(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, said: str
) -> None:
    """Profiles and addresses too: one line that names the file, and status 2."""
    path = tmp_path / "processor.yaml"
    path.write_text(text)
    assert main(["validate", "--config", str(path)]) == 2
    error = capsys.readouterr().err
    assert error.startswith("otel-ml processor: ")
    assert str(tmp_path) in error
    assert said in error
    assert error.count("\n") == 1


def test_components_name_what_a_configuration_may_say(capsys: pytest.CaptureFixture[str]) -> None:
    """Every mode and every drift score of the list is accepted by the configuration."""
    assert main(["components"]) == 0
    said = yaml.safe_load(capsys.readouterr().out)
    forward = "forward.endpoint=127.0.0.1:4317"
    for mode in said["modes"]:
        load_config(None, [f"mode={mode}", *([forward] if mode == "inline" else [])])
    assert (
        list(load_config(None, [f"drift.scores={said['drift scores']}"]).drift.scores)
        == said["drift scores"]
    )

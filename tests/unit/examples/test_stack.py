"""Which parts the demo starts, and with what."""

from __future__ import annotations

import re
import socket
from pathlib import Path

import pytest
import stack

from otel_ml_processor.config_file import load_config
from tests.unit.examples.conftest import FLIGHTS

SERVERS = {name: f"/opt/{name}" for name in stack.SERVER_NAMES}


@pytest.fixture(name="files")
def _files(tmp_path: Path) -> stack.Files:
    """Names of files; nothing reads them here."""
    return stack.Files(tmp_path / "model.joblib", tmp_path / "profile.json", tmp_path)


def test_addresses_are_free_different_and_of_this_machine() -> None:
    """Each can be listened on, all at the same time; none is one that a connection could be given meanwhile."""
    at = stack.free_addresses()
    addresses = [getattr(at, name) for name in at.__dataclass_fields__]
    assert len(set(addresses)) == len(addresses) == 13
    held = [socket.create_server(("127.0.0.1", int(one.rpartition(":")[2]))) for one in addresses]
    for one in held:
        one.close()
    assert all(one.startswith("127.0.0.1:") for one in addresses)
    assert all(int(one.rpartition(":")[2]) < 32_000 for one in addresses)


def test_settings_that_the_caller_made_for_other_programs_are_left_out(
    files: stack.Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A caller whose services send elsewhere, through a proxy, still gets the demo; PATH and the like stay."""
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "always_off")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "authorization=secret")
    monkeypatch.setenv("HOME", "/home/me")
    for part in stack.parts_with_servers(stack.free_addresses(), files, 200, SERVERS):
        assert "OTEL_TRACES_SAMPLER" not in part.environment
        assert "OTEL_EXPORTER_OTLP_HEADERS" not in part.environment
        assert part.environment["HOME"] == "/home/me"
        assert part.environment["NO_PROXY"] == "127.0.0.1"


def processor_of(parts: list[stack.Part]) -> stack.Part:
    """Return the processor among *parts*."""
    [processor] = [part for part in parts if part.name == "processor"]
    return processor


@pytest.mark.parametrize("with_servers", [True, False])
def test_the_processor_understands_its_file_and_environment(
    files: stack.Files, monkeypatch: pytest.MonkeyPatch, with_servers: bool
) -> None:
    """Mode, addresses, windows and profile are those of the demo: in line with the servers, a tee without."""
    at = stack.free_addresses()
    all_parts = (
        stack.parts_with_servers(at, files, 321, SERVERS)
        if with_servers
        else stack.parts_alone(at, files, 321)
    )
    part = processor_of(all_parts)
    for key, value in part.environment.items():
        monkeypatch.setenv(key, value)
    [option] = [i for i, word in enumerate(part.command) if word == "--config"]
    config = load_config(FLIGHTS / part.command[option + 1])
    assert config.mode == ("inline" if with_servers else "tee")
    assert config.receive.endpoint == at.processor
    assert config.http.endpoint == at.processor_page
    assert config.emit.endpoint == at.processor_return
    assert [window.rows for window in config.windows] == [321]
    assert config.profiles == (str(files.profile),)


@pytest.mark.parametrize(
    ("with_servers", "names"),
    [
        (True, ["jaeger", "prometheus", "alertmanager", "collector", "processor", "service"]),
        (False, ["processor", "service"]),
    ],
)
def test_the_service_is_started_as_anybody_would(
    files: stack.Files, with_servers: bool, names: list[str]
) -> None:
    """`opentelemetry-instrument uvicorn service:app`, last of all, sending to the collector or, without one, to the processor."""
    at = stack.free_addresses()
    parts = (
        stack.parts_with_servers(at, files, 200, SERVERS)
        if with_servers
        else stack.parts_alone(at, files, 200)
    )
    service = parts[-1]
    assert [part.name for part in parts] == names
    assert [Path(word).name for word in service.command[:3]] == [
        "opentelemetry-instrument",
        "uvicorn",
        "service:app",
    ]
    target = at.collector if with_servers else at.processor
    assert service.environment["OTEL_EXPORTER_OTLP_ENDPOINT"] == f"http://{target}"


def test_prometheus_scrapes_the_processor_and_tells_the_alertmanager_of_this_demo(
    files: stack.Files,
) -> None:
    """Its file takes no variables, so the demo puts both addresses into a copy that reads the same rules; the rest of the file is as it is."""
    at = stack.free_addresses()
    stack.parts_with_servers(at, files, 200, SERVERS)
    folder = FLIGHTS.parents[1] / "collector-config"
    copy = (files.scratch / "prometheus.yaml").read_text()
    rules = re.findall(r"^  - (/.+)$", copy, re.MULTILINE)
    assert len(rules) == 2
    assert all(Path(path).is_file() for path in rules)
    usual = {at.processor_page: "127.0.0.1:19464", at.alertmanager: "127.0.0.1:9093"}
    assert [copy.count(address) for address in usual] == [1, 1]
    original = copy.replace(f"{folder}/", "")
    for address, default in usual.items():
        original = original.replace(address, default)
    assert original == (folder / "prometheus.yaml").read_text()


def test_servers_are_found_on_the_path_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who has Jaeger installed need not build it; what is nowhere is not in the answer."""
    monkeypatch.setattr(stack, "_ROOT", tmp_path)
    program = tmp_path / "jaeger"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert stack.found_servers() == {"jaeger": str(program)}

"""docker-compose.yml, read instead of run: what it names exists, and it starts what the demo starts natively."""

from __future__ import annotations

import re
import shlex
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from otel_ml_processor.config_file import load_config

ROOT = Path(__file__).parents[2]
CONFIG = ROOT / "collector-config"
sys.path.insert(0, str(ROOT / "examples" / "flights"))

import prepare  # noqa: E402 - the example is a folder of programs, found by the line above
import stack  # noqa: E402 - likewise

COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
LONG_RUNNING = sorted(set(SERVICES) - {"train", "player"})
NATIVE = sorted({*LONG_RUNNING} - {"grafana"})
"""What runs natively, too: of Grafana there is only the image."""
ONLY_ONE_OF_THEM = {
    "OTEL_ML_EMIT_INTERVAL",  # the demo pushes more often, since it lasts a minute
    "OTEL_ML_INSECURE_BIND",  # the container's page is reached from outside the container
    "NO_PROXY",  # containers inherit no proxy
    "no_proxy",
}
VARIABLE = re.compile(r"\$\{env:(?P<name>\w+):-(?P<default>[^}]*)\}")
PINNED = re.compile(r"[\w./-]+:v?\d+\.\d+(?:\.\d+|b\d+)[\w.-]*")


def defaults_in(file: Path) -> dict[str, str]:
    """Return the variables that a configuration file reads, with their defaults."""
    return {found["name"]: found["default"] for found in VARIABLE.finditer(file.read_text())}


def resolved(value: str) -> str:
    """Return *value* as Compose reads it where the caller's environment is empty."""
    return re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", value)


def environment_of(name: str) -> dict[str, str]:
    """Return the environment that a service of the file is given."""
    return {key: resolved(value) for key, value in SERVICES[name].get("environment", {}).items()}


def config_of(name: str) -> Path | None:
    """Return the file of collector-config/ that a service's command names."""
    named = re.findall(r"/etc/otel-ml/([\w.-]+)", " ".join(SERVICES[name].get("command", [])))
    return CONFIG / named[0] if named else None


def test_every_image_is_pinned_by_version() -> None:
    """What worked yesterday works tomorrow: no `latest`, no floating minor version, in the images built here either."""
    images = [service["image"] for service in SERVICES.values()]
    for dockerfile in (*CONFIG.glob("Dockerfile*"), ROOT / "examples" / "flights" / "Dockerfile"):
        images += re.findall(r"^FROM (\S+)", dockerfile.read_text(), re.MULTILINE)
    assert [image for image in images if not PINNED.fullmatch(image)] == []


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_what_a_service_names_exists(name: str) -> None:
    """Dockerfiles and their targets, mounted folders, configuration files, the services it waits for."""
    service = SERVICES[name]
    if "build" in service:
        dockerfile, target = service["build"]["dockerfile"], service["build"].get("target")
        assert target is None or f" AS {target}\n" in (ROOT / dockerfile).read_text()
    for volume in service.get("volumes", []):
        source = volume.split(":")[0]
        assert (ROOT / source).is_dir() if source.startswith(".") else source in COMPOSE["volumes"]
    config = config_of(name)
    assert config is None or config.is_file()
    for other, condition in service.get("depends_on", {}).items():
        expected = {"service_completed_successfully", "service_started"}
        if "healthcheck" in SERVICES[other]:
            expected.add("service_healthy")
        assert condition["condition"] in expected


@pytest.mark.parametrize("name", LONG_RUNNING)
def test_every_server_says_whether_it_is_well_and_is_bounded(name: str) -> None:
    """A health check, a memory limit, no more privileges than it starts with."""
    service = SERVICES[name]
    assert service["healthcheck"]["test"][0] == "CMD"
    assert re.fullmatch(r"\d+[mg]", service["mem_limit"])
    assert service["cap_drop"] == ["ALL"]


def test_ports_are_published_to_this_machine_only_and_can_be_moved() -> None:
    """Bound to 127.0.0.1, each by a variable of its own with the usual port as default."""
    published = [port for service in SERVICES.values() for port in service.get("ports", [])]
    found = [re.fullmatch(r"127\.0\.0\.1:\$\{(\w+):-(\d+)\}:(\d+)", port) for port in published]
    assert all(found)
    parts = [match.groups() for match in found if match]
    assert len({name for name, _, _ in parts}) == len(parts)
    assert all(outside == inside for _, outside, inside in parts)


def test_what_is_published_is_listened_on() -> None:
    """A published port reaches a server that listens beyond the loopback of its container."""
    inside = {port.rsplit(":", 1)[1] for port in SERVICES["collector"]["ports"]}
    said = [*(value for name in LONG_RUNNING for value in environment_of(name).values())]
    said += [" ".join(SERVICES[name].get("command", [])) for name in LONG_RUNNING]
    open_ports = re.findall(r"0\.0\.0\.0(?::| --port | )(\d+)", " ".join(said))
    assert sorted(open_ports) == sorted(inside)


def test_all_parts_share_the_network_of_the_collector() -> None:
    """That is why the addresses in the files of collector-config/ hold in containers as they do natively."""
    modes = {name: SERVICES[name].get("network_mode") for name in (*LONG_RUNNING, "player")}
    assert modes.pop("collector") is None
    assert set(modes.values()) == {"service:collector"}


def test_a_variable_has_the_same_default_in_every_file() -> None:
    """Two ends of one connection never disagree because one of them was edited alone."""
    values: dict[str, set[str]] = {}
    for file in CONFIG.glob("*.yaml"):
        for name, default in defaults_in(file).items():
            values.setdefault(name, set()).add(default)
    exporters = {name for name in values if name.endswith("_EXPORTER")}
    assert {name: found for name, found in values.items() if len(found) > 1} == {}
    assert exporters  # the fragment's three; that they are found shows that the search finds


def test_prometheus_scrapes_where_the_processor_serves() -> None:
    """An address that no variable can carry is the processor's default."""
    config = yaml.safe_load((CONFIG / "prometheus.yaml").read_text())
    [job] = config["scrape_configs"]
    default = defaults_in(CONFIG / "processor.yaml")["OTEL_ML_HTTP_ENDPOINT"]
    assert job["static_configs"] == [{"targets": [default]}]


def test_prometheus_tells_the_alertmanager_of_the_file() -> None:
    """Alerts reach somebody without a file of one's own: the address that Prometheus has is the one that is listened on."""
    config = yaml.safe_load((CONFIG / "prometheus.yaml").read_text())
    [told] = config["alerting"]["alertmanagers"]
    [listening] = [
        word for word in SERVICES["alertmanager"]["command"] if "listen-address=0" in word
    ]
    assert told["static_configs"] == [{"targets": [f"127.0.0.1:{listening.rpartition(':')[2]}"]}]


@pytest.mark.parametrize("name", [name for name in NATIVE if name != "service"])
def test_a_service_sets_no_variable_that_its_file_does_not_read(name: str) -> None:
    """A misspelt variable would be silently without effect."""
    config = config_of(name)
    assert config is not None
    assert set(environment_of(name)) <= set(defaults_in(config))


def native_parts(monkeypatch: pytest.MonkeyPatch, folder: Path) -> dict[str, Any]:
    """Return the parts that the demo would start at the addresses that Compose uses."""
    for key in list(stack.os.environ):
        monkeypatch.delenv(key)
    at = stack.Addresses(
        service="0.0.0.0:8000",
        collector="0.0.0.0:4317",
        collector_http="0.0.0.0:4318",
        collector_health="127.0.0.1:13133",
        processor="127.0.0.1:14317",
        processor_return="127.0.0.1:14319",
        processor_page="0.0.0.0:19464",
        jaeger="127.0.0.1:24317",
        jaeger_query="0.0.0.0:16686",
        jaeger_query_grpc="127.0.0.1:16685",
        jaeger_health="127.0.0.1:23133",
        prometheus="0.0.0.0:9090",
        alertmanager="0.0.0.0:9093",
    )
    files = stack.Files(Path("/trained/model.joblib"), Path("/trained/profile.json"), folder)
    servers = {name: f"/bin/{name}" for name in stack.SERVER_NAMES}
    return {part.name: part for part in stack.parts_with_servers(at, files, 900, servers)}


def plain(token: str) -> str:
    """Return a word of a command without its folder: the same file lies elsewhere in a container."""
    option, equals, value = token.rpartition("=")
    return f"{option}{equals}{Path(value).name}" if value.startswith("/") else token


def reachable(value: str) -> str:
    """Return a URL with the address of a client for that of a listener on all interfaces."""
    return value.replace("http://0.0.0.0", "http://127.0.0.1")


@pytest.mark.parametrize("name", NATIVE)
def test_a_command_is_the_one_that_runs_natively(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Same program, same options, same files as the demo and the integration tests start, so it cannot rot."""
    native = [plain(token) for token in native_parts(monkeypatch, tmp_path)[name].command]
    in_container = [plain(token) for token in SERVICES[name]["command"]]
    entry_point = {"processor": 2, "service": 0}
    assert in_container == native[entry_point.get(name, 1) :]


def test_training_is_what_the_demo_does_natively() -> None:
    """The two steps of the first container are those that prepare the demo and the integration tests."""
    shell, flags, script = SERVICES["train"]["command"]
    steps = [shlex.split(line) for line in script.replace("\\\n", " ").splitlines()]
    program, *arguments = prepare.profile_command(Path("/trained"))
    assert (shell, flags) == ("sh", "-ec")
    assert steps == [["python", "train.py", "/trained"], [Path(program).name, *arguments]]


def test_grafana_finds_its_dashboards_and_its_data_sources_theirs() -> None:
    """Every folder and file that it is told lies in what is mounted; every address it is given is one that a service listens on."""
    said = environment_of("grafana")
    provisioning = local(said["GF_PATHS_PROVISIONING"])
    assert local(said["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]).is_file()
    (provider,) = yaml.safe_load((provisioning / "dashboards" / "otel-ml.yaml").read_text())[
        "providers"
    ]
    assert len(list(local(provider["options"]["path"]).glob("*.json"))) == 3
    sources = yaml.safe_load((provisioning / "datasources" / "otel-ml.yaml").read_text())
    ports = {source["type"]: source["url"].rpartition(":")[2] for source in sources["datasources"]}
    assert ports == {"prometheus": "9090", "jaeger": "16686"}
    inside = {port.rsplit(":", 1)[1] for port in SERVICES["collector"]["ports"]}
    assert {*ports.values()} <= inside
    links = (CONFIG / "jaeger-ui.json").read_text()
    assert set(re.findall(r"http://127\.0\.0\.1:(\d+)", links)) == {said["GF_SERVER_HTTP_PORT"]}


def local(path: str) -> Path:
    """Return where a file that containers see lies here."""
    return CONFIG / Path(path).relative_to("/etc/otel-ml")


@pytest.mark.parametrize("name", NATIVE)
def test_an_environment_is_the_one_that_runs_natively(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What Compose sets, with the defaults of the file for what it does not, is what the demo sets."""
    native = dict(native_parts(monkeypatch, tmp_path)[name].environment)
    config = config_of(name)
    read = defaults_in(config) if config else {}
    in_container = {**read, **environment_of(name)}
    if config:
        native = {key: value for key, value in native.items() if key in read}
    for key in ONLY_ONE_OF_THEM:
        native.pop(key, None)
        in_container.pop(key, None)
    expected = {key: plain(reachable(value)) for key, value in native.items()}
    assert {key: plain(value) for key, value in in_container.items()} == expected


def test_the_processor_starts_with_no_variable_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its file is a valid configuration as it lies there, with the addresses that the collector's file has."""
    for key in defaults_in(CONFIG / "processor.yaml"):
        monkeypatch.delenv(key, raising=False)
    config = load_config(CONFIG / "processor.yaml")
    assert config.forward is not None
    assert config.receive.endpoint == defaults_in(CONFIG / "collector.yaml")["OTEL_ML_ENDPOINT"]
    assert (
        config.forward.endpoint == defaults_in(CONFIG / "otel-ml.yaml")["OTEL_ML_RETURN_ENDPOINT"]
    )

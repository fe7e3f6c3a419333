"""The command `otel-ml bootstrap`: what it says is missing, and the command line that it would run."""

import subprocess
import sys
from importlib.metadata import version
from typing import Any

import pytest
from opentelemetry.instrumentation.dependencies import get_dependency_conflicts

from otel_ml import bootstrap

OURS = f"otel-ml[otlp]=={version('otel-ml')}"


@pytest.fixture(autouse=True)
def _no_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """Begin without a declarative file."""
    monkeypatch.delenv("OTEL_CONFIG_FILE", raising=False)


@pytest.fixture(name="missing")
def _missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the SDK's exporter and the file's reader out of what is installed."""
    gone = ("opentelemetry-exporter-otlp", "opentelemetry-configuration")

    def conflicts(requirements: list[str]) -> Any:
        (requirement,) = requirements
        name = f"not-there-{requirement}" if requirement.startswith(gone) else requirement
        return get_dependency_conflicts([name])

    monkeypatch.setattr(bootstrap, "get_dependency_conflicts", conflicts)


def test_where_all_is_there_nothing_is_written(capsys: pytest.CaptureFixture[str]) -> None:
    """Standard output stays empty, so that it can be a requirements file."""
    assert bootstrap.main([]) == 0
    assert capsys.readouterr() == ("", "otel-ml bootstrap: nothing is missing\n")


@pytest.mark.usefixtures("missing")
def test_what_is_missing_is_a_requirement_per_line(capsys: pytest.CaptureFixture[str]) -> None:
    """The extra of the version that is installed: nothing is upgraded by the way."""
    assert bootstrap.main([]) == 0
    assert capsys.readouterr() == (f"{OURS}\n", "")


@pytest.mark.usefixtures("missing")
def test_a_declarative_file_needs_its_reader(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Only where one is named."""
    monkeypatch.setenv("OTEL_CONFIG_FILE", "otel.yaml")
    assert bootstrap.main(["--action", "requirements"]) == 0
    assert capsys.readouterr().out == f"{OURS}\nopentelemetry-configuration\n"


@pytest.mark.usefixtures("missing")
@pytest.mark.parametrize(("status", "code"), [(0, 0), (1, 1), (2, 1)])
def test_pip_of_this_python_is_what_installs(
    status: int, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One command line, no shell; that pip fails is the exit code."""
    ran: list[Any] = []

    def run(command: list[str], **options: Any) -> Any:
        ran.append((command, options))
        return subprocess.CompletedProcess(command, status)

    monkeypatch.setattr(subprocess, "run", run)
    monkeypatch.setattr(bootstrap, "find_spec", lambda name: object())
    assert bootstrap.main(["-a", "install"]) == code
    assert ran == [([sys.executable, "-m", "pip", "install", OURS], {"check": False})]


@pytest.mark.usefixtures("missing")
def test_a_python_without_pip_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With what there is to install, and exit code 2."""
    monkeypatch.setattr(bootstrap, "find_spec", lambda name: None)
    assert bootstrap.main(["-a", "install"]) == 2
    assert capsys.readouterr().err == (
        f"otel-ml bootstrap: {sys.executable} has no pip; install by other means: {OURS}\n"
    )


def test_misuse_is_told_with_the_usage(capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 2."""
    with pytest.raises(SystemExit) as ended:
        bootstrap.main(["--action", "put"])
    assert ended.value.code == 2
    assert "choose from" in capsys.readouterr().err

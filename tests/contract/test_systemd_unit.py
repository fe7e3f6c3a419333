"""The systemd unit: what it starts exists, and it gives away nothing that it does not need."""

from __future__ import annotations

import shutil
import subprocess
from configparser import RawConfigParser
from pathlib import Path

import pytest

UNIT = Path(__file__).parents[2] / "collector-config" / "otel-ml.service"


def service() -> dict[str, str]:
    """Return the settings of the service; the last of several of one name."""
    parser = RawConfigParser(strict=False)
    parser.optionxform = str  # type: ignore[assignment, method-assign]  # names keep their capitals
    parser.read(UNIT)
    return dict(parser["Service"])


def test_it_starts_the_processor_and_reloads_it_by_its_signal() -> None:
    """The command line is one that the processor understands."""
    said = service()
    command = said["ExecStart"].split()
    assert Path(command[0]).name == "otel-ml"
    assert command[1:3] == ["processor", "--config"]
    assert said["ExecReload"] == "kill -HUP $MAINPID"
    assert said["Restart"] == "on-failure"


def test_it_has_no_rights_that_it_does_not_need() -> None:
    """No root, no capabilities, nothing to write but its own folders."""
    said = service()
    assert said["DynamicUser"] == said["NoNewPrivileges"] == said["PrivateDevices"] == "yes"
    assert said["ProtectSystem"] == "strict"
    assert said["CapabilityBoundingSet"] == said["AmbientCapabilities"] == ""


def test_systemd_finds_nothing_wrong_with_it(tmp_path: Path) -> None:
    """Where there is a systemd to ask."""
    tool = shutil.which("systemd-analyze")
    if tool is None:
        pytest.skip("no systemd-analyze here")
    unit = tmp_path / UNIT.name
    start = service()["ExecStart"].split()[0]
    unit.write_text(UNIT.read_text().replace(start, "/bin/true"))  # it is not installed here
    done = subprocess.run([tool, "verify", unit], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    command: list[str | Path] = [tool, "security", "--offline=true", "--threshold=20", unit]
    assert subprocess.run(command, capture_output=True, check=False).returncode == 0

"""The walk-through, command by command, as a reader would type it."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.integration.real_servers import answers, find_tool, free_port, running

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.real_servers

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "how-to" / "first-quarter-of-an-hour.md"
PROMISED_S = 600
BLOCK = re.compile(r"^```(sh|yaml|python)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FLAG = re.compile(r"`(--[a-z.-]+)`")
ADDRESS = re.compile(r"127\.0\.0\.1:(\d+)")


def blocks(ports: dict[str, int]) -> list[tuple[str, str]]:
    """Return kind and text of every block of the page, with a free port in place of each that it names."""

    def moved(found: re.Match[str]) -> str:
        return f"127.0.0.1:{ports.setdefault(found[1], free_port())}"

    return BLOCK.findall(ADDRESS.sub(moved, PAGE.read_text()))


def prometheus(folder: Path, port: int) -> list[str]:
    """Return the command of a Prometheus that knows nothing of us, with the flags that the page asks for."""
    configuration = folder / "prometheus.yaml"
    configuration.write_text("global: {}\n")
    asked_for, _, _ = PAGE.read_text().partition("\n## ")
    return [
        find_tool("prometheus"),
        *FLAG.findall(asked_for),
        f"--config.file={configuration}",
        f"--web.listen-address=127.0.0.1:{port}",
        f"--storage.tsdb.path={folder / 'prometheus'}",
    ]


def shell(folder: Path, ports: dict[str, int]) -> subprocess.Popen[str]:
    """Return a shell in a group of its own, with our programs, and without anything that the caller set for OpenTelemetry."""
    programs = [Path(sys.executable).parent, Path(find_tool("otelcol")).parent]
    environment = {key: value for key, value in os.environ.items() if not key.startswith("OTEL_")}
    environment["PATH"] = os.pathsep.join([*map(str, programs), environment["PATH"]])
    # Where `splice` writes addresses that the page does not show.
    environment["OTEL_ML_ENDPOINT"] = f"127.0.0.1:{ports['14317']}"
    environment["OTEL_ML_RETURN_ENDPOINT"] = f"127.0.0.1:{ports['14319']}"
    environment["NO_PROXY"] = environment["no_proxy"] = "127.0.0.1"
    return subprocess.Popen(
        ["bash", "-e"],
        cwd=folder,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def test_from_an_existing_collector_to_the_first_drift_metric(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """Whoever types what stands there sees that alcohol has moved, within the ten minutes that are promised."""
    ports: dict[str, int] = {}
    commands: list[str] = []
    for kind, text in blocks(ports):
        if kind == "sh":
            commands.append(text)
        else:
            name = text.partition("\n")[0].removeprefix("# ")
            assert re.fullmatch(r"\w+\.(yaml|py)", name), text
            (tmp_path / name).write_text(text)
    *before, last = commands
    # A person looks again until the number is there; the span before it may still be on its way.
    script = (
        "".join(before) + f"until {{\n{last}}} && grep -q alcohol drift.json; do sleep 1; done\n"
    )

    begin = time.monotonic()
    with ExitStack() as stack:
        ready = partial(answers, f"http://127.0.0.1:{ports['9090']}/-/ready")
        command = prometheus(tmp_path, ports["9090"])
        stack.enter_context(running(command, ready=ready, log=tmp_path / "prometheus.log"))
        typed = shell(tmp_path, ports)
        stack.callback(end, typed)
        said, _ = typed.communicate(script, timeout=PROMISED_S)
    took_s = time.monotonic() - begin

    assert typed.returncode == 0, said
    (series,) = json.loads((tmp_path / "drift.json").read_text())["data"]["result"]
    assert series["metric"]["service_name"] == "cellar"
    assert float(series["value"][1]) > 0.1
    record_property("took_s", round(took_s, 1))
    assert took_s < PROMISED_S


def end(typed: subprocess.Popen[str]) -> None:
    """End what the shell has started: its group is its own."""
    try:
        os.killpg(typed.pid, signal.SIGTERM)
    except ProcessLookupError:
        return
    typed.wait(60)

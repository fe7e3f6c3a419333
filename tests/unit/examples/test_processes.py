"""Starting and stopping the parts of the demo, with real processes."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import httpx
import processes
import pytest
from processes import Part, PartFailedError, Processes

from tests.integration.real_servers import free_port

if TYPE_CHECKING:
    from pathlib import Path

SERVES = "import sys, http.server as h; h.HTTPServer(('127.0.0.1', int(sys.argv[1])), h.SimpleHTTPRequestHandler).serve_forever()"
DEAF = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {SERVES}"
FAILS = (
    "import sys; print('first line'); print('port 4317 is in use', file=sys.stderr); sys.exit(3)"
)


def part(name: str, program: str, environment: dict[str, str] | None = None) -> Part:
    """Return a part that runs a Python program with a free port as its argument."""
    port = free_port()
    command = (sys.executable, "-u", "-c", program, str(port))
    return Part(name, command, environment or dict(os.environ), f"http://127.0.0.1:{port}/")


def answers(one: Part) -> bool:
    """Return whether a part answers now."""
    try:
        return httpx.get(one.ready_url, trust_env=False, timeout=60).status_code == httpx.codes.OK
    except httpx.TransportError:
        return False


def test_parts_are_ready_when_started_and_gone_afterwards(tmp_path: Path) -> None:
    """Inside the block both answer, after it neither does."""
    parts = [part("one", SERVES), part("two", SERVES)]
    with Processes(tmp_path) as running:
        running.start(*parts)
        running.check()
        assert [answers(one) for one in parts] == [True, True]
    assert [answers(one) for one in parts] == [False, False]


def test_a_part_starts_in_its_folder(tmp_path: Path) -> None:
    """Prometheus finds its pages by the folder that it is started in; without one a part starts where the demo is."""
    (tmp_path / "page.html").write_text("found")
    plain = part("plain", SERVES)
    placed = replace(part("placed", SERVES), folder=tmp_path)
    with Processes(tmp_path / "logs") as running:
        running.start(plain, placed)
        found = [
            httpx.get(f"{one.ready_url}page.html", trust_env=False, timeout=60).status_code
            for one in (placed, plain)
        ]
    assert found == [httpx.codes.OK, httpx.codes.NOT_FOUND]


def test_a_part_that_ends_is_told_with_the_end_of_its_log(tmp_path: Path) -> None:
    """Who it was, its exit code, what it said last and where; and the part that was well is stopped."""
    well = part("well", SERVES)
    with pytest.raises(PartFailedError) as told, Processes(tmp_path / "logs") as running:
        running.start(well, part("broken", FAILS))
    assert "broken: ended with exit code 3" in str(told.value)
    assert "  port 4317 is in use" in str(told.value)
    assert str(tmp_path / "logs" / "broken.log") in str(told.value)
    assert not answers(well)


def test_a_part_that_dies_later_is_noticed(tmp_path: Path) -> None:
    """Asked during the play, not only at the start."""
    with Processes(tmp_path) as running:
        running.start(part("one", SERVES))
        running._running[0].process.kill()
        running._running[0].process.wait(60)
        with pytest.raises(PartFailedError, match="one: ended with exit code -9"):
            running.check()


def test_a_program_that_is_not_there_is_named(tmp_path: Path) -> None:
    """The part, the program, the reason; what was started before is stopped."""
    well = part("well", SERVES)
    nowhere = Part("nowhere", (str(tmp_path / "otelcol"),), {}, "http://127.0.0.1:9/")
    said = r"nowhere: cannot start .*otelcol: No such file"
    with pytest.raises(PartFailedError, match=said), Processes(tmp_path) as running:
        running.start(well, nowhere)
    assert not answers(well)


def test_a_part_that_is_never_ready_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It runs, but does not answer: after a while that is a failure, with the address that was asked."""
    monkeypatch.setattr(processes, "_READY_WITHIN_S", 0.5)
    silent = part("silent", "import time; time.sleep(60)")
    said = r"silent: not ready after .*\(http://127.0.0.1:\d+/\)"
    with pytest.raises(PartFailedError, match=said), Processes(tmp_path) as running:
        running.start(silent)


def test_a_part_that_does_not_listen_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever ignores the request to stop does not outlive the demo."""
    monkeypatch.setattr(processes, "_STOPPED_WITHIN_S", 0.5)
    deaf = part("deaf", DEAF)
    with Processes(tmp_path) as running:
        running.start(deaf)
    assert not answers(deaf)


def test_a_part_has_the_environment_that_it_was_given(tmp_path: Path) -> None:
    """And no other."""
    shows = f"import os; print(sorted(os.environ), os.environ['SAID']); {SERVES}"
    with Processes(tmp_path) as running:
        running.start(part("one", shows, {"SAID": "hello"}))
    said = (tmp_path / "one.log").read_text().splitlines()[0]
    assert said.endswith(" hello")
    assert "PATH" not in said

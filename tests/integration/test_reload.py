"""SIGHUP: a new configuration takes the place of the old one, or says what is wrong with it and leaves everything as it is."""

from __future__ import annotations

import signal
import socket
import subprocess
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import httpx

from otel_ml_processor.profile_file import write_profile
from tests.data.state_house import profile
from tests.integration.real_servers import eventually, free_port, processor_running

if TYPE_CHECKING:
    from collections.abc import Iterator

PROTOBUF = {"content-type": "application/x-protobuf"}


class House:
    """A running processor whose configuration can be written anew."""

    def __init__(self, folder: Path) -> None:
        self.config = folder / "processor.yaml"
        self.log = folder / "log"
        self.ports = {name: free_port() for name in ("grpc", "http", "page", "emit")}
        self.process: subprocess.Popen[bytes] | None = None
        self.write()

    def write(self, more: str = "") -> None:
        """Write a configuration with *more* at its end."""
        ports = self.ports
        self.config.write_text(f"""
receive: {{endpoint: "127.0.0.1:{ports["grpc"]}", http: {{endpoint: "127.0.0.1:{ports["http"]}"}}}}
http: {{endpoint: "127.0.0.1:{ports["page"]}"}}
emit: {{endpoint: "127.0.0.1:{ports["emit"]}", interval: 1h}}
{more}
""")

    def reload(self, until: str) -> str:
        """Send the signal and return the log's line that says *until*."""
        assert self.process is not None
        before = len(self.lines())
        self.process.send_signal(signal.SIGHUP)
        found = eventually(
            lambda: [line for line in self.lines()[before:] if until in line], bool, within_s=60
        )
        assert found, self.lines()
        return str(found[0])

    def lines(self) -> list[str]:
        """Return what was logged so far."""
        return self.log.read_text().splitlines()

    def starts(self) -> int:
        """Return how often it has begun to serve."""
        return sum("mode tee; OTLP/gRPC on" in line for line in self.lines())

    def takes(self, port: int) -> bool:
        """Return whether a request is taken there."""
        url = f"http://127.0.0.1:{port}/v1/traces"
        try:
            return httpx.post(
                url, content=b"", headers=PROTOBUF, trust_env=False, timeout=60
            ).is_success
        except httpx.TransportError:
            return False

    @contextmanager
    def serving(self) -> Iterator[House]:
        """Run it until the block ends; it has to end well."""
        page = f"127.0.0.1:{self.ports['page']}"
        with processor_running(self.config, page, self.log) as self.process:
            yield self
            self.process.send_signal(signal.SIGTERM)
            assert self.process.wait(60) == 0


def test_a_new_configuration_is_in_force_without_a_new_process(tmp_path: Path) -> None:
    """It serves at its new addresses, and writes its log as it now says."""
    with House(tmp_path).serving() as house:
        old, new = house.ports["http"], free_port()
        assert house.takes(old)
        house.ports["http"] = new
        house.write("logs: {format: json}")
        line = house.reload("read again")
        assert line.startswith('{"time":')
        assert house.takes(new)
        assert not house.takes(old)


def test_a_bad_configuration_leaves_the_old_one_in_force(tmp_path: Path) -> None:
    """The same line as at a start; nothing has stopped meanwhile."""
    with House(tmp_path).serving() as house:
        for more, said in (
            ("mode: inlin", "$.mode: expected one of inline, tee, got 'inlin'"),
            ("profiles: [absent.json]", "absent.json: cannot read the profile"),
        ):
            house.write(more)
            line = house.reload("the configuration before stays in force")
            assert str(house.config.parent) in line
            assert said in line
            assert house.takes(house.ports["http"])
        assert house.starts() == 1


def test_an_address_that_is_taken_brings_the_old_configuration_back(tmp_path: Path) -> None:
    """What could only be found out by trying."""
    with House(tmp_path).serving() as house, socket.create_server(("127.0.0.1", 0)) as taken:
        old = dict(house.ports)
        house.ports["http"] = taken.getsockname()[1]
        house.write()
        line = house.reload("the configuration before is in force again")
        assert f"$.receive.http.endpoint: cannot listen on 127.0.0.1:{house.ports['http']}" in line
        assert eventually(lambda: house.takes(old["http"]), bool, within_s=60)


def test_the_old_configuration_comes_back_without_the_files_of_its_profiles(tmp_path: Path) -> None:
    """A profile was renamed, and the new configuration has yet another fault: what was compared with before still is."""
    house = House(tmp_path)
    old, new = tmp_path / "old.json", tmp_path / "new.json"
    write_profile(profile(), old)
    house.write("profiles: [old.json]")
    with house.serving(), socket.create_server(("127.0.0.1", 0)) as taken:
        before = house.ports["http"]
        house.ports["http"] = taken.getsockname()[1]
        old.rename(new)
        house.write("profiles: [new.json]")
        house.reload("the configuration before is in force again")
        assert eventually(lambda: house.takes(before), bool, within_s=60)
        assert house.starts() == 2


def test_where_neither_configuration_can_be_used_both_reasons_are_told(tmp_path: Path) -> None:
    """The address of the new one is taken, and a file of the old one has gone: it ends with exit code 2, for whoever starts it again."""
    house = House(tmp_path)
    token = tmp_path / "token"
    token.write_text("swordfish")
    old = house.config.read_text()
    house.config.write_text(old.replace("receive: {", "receive: {bearer_token_file: token, "))
    ready = processor_running(house.config, f"127.0.0.1:{house.ports['page']}", house.log)
    with ready as process, socket.create_server(("127.0.0.1", 0)) as taken:
        token.unlink()
        house.ports["http"] = taken.getsockname()[1]
        house.write()
        process.send_signal(signal.SIGHUP)
        assert process.wait(60) == 2
    (line,) = [line for line in house.lines() if line.startswith("otel-ml processor: ")]
    assert f"cannot listen on 127.0.0.1:{house.ports['http']}" in line
    assert "nor can the configuration before come back: $.receive.bearer_token_file: " in line


def test_nobody_waits_for_what_the_old_configuration_has_left_to_say(tmp_path: Path) -> None:
    """Whoever takes our own metrics hangs: the new configuration serves before the last of them are given up."""
    with socket.create_server(("127.0.0.1", 0)) as hangs:
        house = House(tmp_path)
        house.ports["emit"] = hangs.getsockname()[1]
        house.write()
        with house.serving():
            given_up = house.reload("cannot push metrics")
            assert house.starts() == 2
            before = house.lines()[: house.lines().index(given_up)]
            assert [line for line in before if "configuration and profiles were read again" in line]

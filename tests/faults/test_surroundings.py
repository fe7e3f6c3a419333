"""What the machine around it does: a full disk, a clock that jumps, addresses that are taken or change, certificates that are exchanged."""

from __future__ import annotations

import resource
import signal
import socket
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import grpc
import pytest
import trustme

from tests.data.state_house import House, request
from tests.faults.hop import JOURNAL, Hop, recomputed
from tests.faults.lines import Line
from tests.faults.peers import Peer
from tests.faults.senders import EXPORT, Load, Sender, span_ids
from tests.integration.real_servers import eventually
from tests.unit.processor.otlp_requests import inference, request_of
from tests.unit.processor.receive.test_tls import write_identity

if TYPE_CHECKING:
    from collections.abc import Callable

SECOND, HOUR = 1_000_000_000, 3_600_000_000_000


def failures(hop: Hop, cause: str) -> float:
    """Return how often it has counted trouble with *cause*."""
    return hop.total("ml_processor_failures_total", f'"{cause}"')


def test_on_a_full_disk_spans_go_on_and_when_there_is_room_all_is_kept(tmp_path: Path) -> None:
    """
    Its files may not grow any more, under load, with a journal; then they may again, and it is killed.

    Nobody is refused meanwhile, the trouble is counted and logged, and after the restart the windows are those of all that was acknowledged.
    """
    at_ns = time.time_ns()
    with Peer().serving() as peer:
        hop = Hop(tmp_path, peer.endpoint, JOURNAL)
        with hop.running():
            load = Load(hop.grpc, at_ns, n_senders=2)
            assert eventually(lambda: len(load.acknowledged), (20).__le__, 60) >= 20
            before = resource.prlimit(hop.pid, resource.RLIMIT_FSIZE)
            resource.prlimit(hop.pid, resource.RLIMIT_FSIZE, (1, before[1]))
            assert eventually(lambda: failures(hop, "journal"), bool, 60)
            assert eventually(lambda: failures(hop, "snapshot"), bool, 60)
            enough = len(load.acknowledged) + 20
            assert eventually(lambda: len(load.acknowledged), enough.__le__, 60) >= enough
            assert load.repeats == 0
            resource.prlimit(hop.pid, resource.RLIMIT_FSIZE, before)
            failed = failures(hop, "snapshot")
            acknowledged = load.stop()
            assert (
                eventually(lambda: hop.total("ml_processor_snapshot_age_seconds"), (1.5).__gt__, 60)
                < 1.5
            )
            assert failures(hop, "snapshot") <= failed + 1
            hop.kill()
        with hop.running():
            assert hop.samples(25 * len(acknowledged)) == 25 * len(acknowledged)
            assert hop.stop() == 0
    assert not load.dropped
    assert peer.span_ids() == span_ids(acknowledged)
    assert hop.windows() == recomputed(acknowledged, at_ns)


def test_spans_of_any_time_are_delivered_and_counted_where_they_belong(tmp_path: Path) -> None:
    """From the future, hours late, of the year 1970, ended before they began, without an end: all go on, none stops the windows."""
    now = time.time_ns()
    ends = {"now": now, "ahead": now + HOUR, "late": now - 30 * HOUR, "epoch": 1, "none": 0}
    with Peer().serving() as peer, Hop(tmp_path, peer.endpoint).running() as hop:
        sender = Sender(hop.grpc)
        for number, (model, end_ns) in enumerate(ends.items()):
            fresh = inference(10 * number, end_ns=now, model=model, prediction_label="x")
            odd = inference(10 * number + 1, end_ns=end_ns, model=model, prediction_label="x")
            odd.start_time_unix_nano = now + HOUR
            for one in (fresh, odd):
                sender.send(request_of([one]).SerializeToString())
        sender.close()
        for model in ends:
            assert hop.samples(2, model) == 2
        assert len(peer.span_ids()) == 2 * len(ends)
        assert hop.total("ml_processor_clamped_total") == 1
        assert hop.total("ml_processor_late_total") == 3
        assert hop.total("ml_processor_window_lag_seconds") < 120


@pytest.mark.parametrize("jump_ns", [HOUR, -HOUR, 30 * 24 * HOUR])
def test_when_the_clock_jumps_nothing_is_counted_twice_or_left_out(jump_ns: int) -> None:
    """An hour ahead, an hour back, a month ahead, between two requests that both come again: each row is in the totals once."""
    clock = [1_700_000_000 * SECOND]
    house = House(None, clock_ns=lambda: clock[0])
    first = request(range(50), at_ns=clock[0] - 10 * SECOND)
    house.take(first)
    house.tick()
    clock[0] += jump_ns
    second = request(range(50, 90), at_ns=clock[0] - 10 * SECOND)
    house.tick()
    house.take(second, first, second)
    house.tick()
    samples = [value for value, _ in house.counted("ml.prediction.samples")]
    assert sum(samples) == 90
    assert house.counted("ml.processor.duplicates")[0][0] == 90


@pytest.mark.long
def test_certificates_are_exchanged_under_load_and_no_call_fails(tmp_path: Path) -> None:
    """Five new ones, from an authority that senders trust too: every request is acknowledged at the first go, each is counted once."""
    authority = trustme.CA()
    folder = tmp_path / "hop"
    folder.mkdir()
    write_identity(folder, authority)
    trusted = (folder / "ca.pem").read_bytes()
    hop = Hop(folder, None, receive="tls: {cert_file: server.pem, key_file: server.key}")
    stopping, errors, sent = threading.Event(), [], []

    def send(first: int) -> None:
        while not stopping.is_set():
            with grpc.secure_channel(hop.grpc, grpc.ssl_channel_credentials(trusted)) as channel:
                one = request(range(first, first + 5))
                try:
                    channel.unary_unary(EXPORT)(one, timeout=60)
                except grpc.RpcError as error:
                    errors.append(error)
                sent.append(one)
                first += 5

    with hop.running():
        senders = [threading.Thread(target=send, args=(1_000_000 * n,)) for n in range(2)]
        for sender in senders:
            sender.start()
        for _ in range(5):
            enough = len(sent) + 10
            assert eventually(lambda: len(sent), enough.__le__, 60) >= enough
            write_identity(folder, authority)
        stopping.set()
        for sender in senders:
            sender.join(60)
        assert not errors
        assert hop.samples(5 * len(sent)) == 5 * len(sent)


@pytest.mark.long
def test_who_speaks_in_the_clear_to_a_door_with_tls_disturbs_nobody(tmp_path: Path) -> None:
    """A hundred plain calls and a hundred lines of nonsense are refused; those who speak TLS are served beside."""
    folder = tmp_path / "hop"
    folder.mkdir()
    write_identity(folder, trustme.CA())
    hop = Hop(folder, None, receive="tls: {cert_file: server.pem, key_file: server.key}")
    tls = grpc.ssl_channel_credentials((folder / "ca.pem").read_bytes())
    with hop.running(), grpc.secure_channel(hop.grpc, tls) as channel, ExitStack() as stack:
        host, _, port = hop.grpc.rpartition(":")
        for _ in range(100):
            one = stack.enter_context(socket.create_connection((host, int(port)), 10))
            one.sendall(b"GET / HTTP/1.1\r\n\r\n" + bytes(1000))
        plain = Sender(hop.grpc)
        for number in range(20):
            error = plain.once(request([number]), deadline_s=1)
            assert error is not None
            channel.unary_unary(EXPORT)(request([number]), timeout=60)
        plain.close()
        assert hop.samples(20) == 20


@pytest.mark.long
def test_a_next_hop_that_moves_is_found_again(tmp_path: Path) -> None:
    """It goes away and comes back elsewhere, behind the same address: what came meanwhile arrives, each once."""
    at_ns = time.time_ns()
    with Peer().serving() as old, Peer().serving() as new:
        with Line(old.endpoint).serving() as line:
            hop = Hop(tmp_path, line.endpoint)
            with hop.running():
                load = Load(hop.grpc, at_ns, n_senders=2)
                assert eventually(lambda: len(load.acknowledged), (10).__le__, 60) >= 10
                line.fault = "refuses"
                assert eventually(lambda: load.repeats, bool, 60)
                line.leads_to(new.endpoint)
                line.fault = "none"
                enough = len(load.acknowledged) + 10
                assert eventually(lambda: len(load.acknowledged), enough.__le__, 60) >= enough
                acknowledged = load.stop()
                n = 25 * len(acknowledged)
                assert hop.samples(n) == n
        assert new.taken
        assert sorted({*old.span_ids(), *new.span_ids()}) == span_ids(acknowledged)


@pytest.mark.long
def test_on_a_machine_with_ipv6_alone(tmp_path: Path) -> None:
    """Both doors, the page and the next hop at `[::1]`: requests come, go on and are counted."""
    with Peer(host="[::1]").serving() as peer:
        hop = Hop(tmp_path, peer.endpoint, host="[::1]")
        with hop.running():
            sender = Sender(hop.grpc)
            for number in range(10):
                sender.send(request([number]))
            sender.close()
            assert hop.samples(10) == 10
        assert peer.span_ids() == span_ids(request([n]) for n in range(10))


@pytest.mark.long
def test_a_new_profile_takes_its_place_and_an_unusable_one_does_not(tmp_path: Path) -> None:
    """Missing, empty, cut off, of 100 MB, with numbers that are none: the one before stays in force, said in a line; spans go on throughout."""
    good = (Hop(tmp_path, None).folder / "fraud.json").read_bytes()
    bad: dict[str, Callable[[Path], object]] = {
        "missing": lambda path: path.unlink(),
        "empty": lambda path: path.write_bytes(b""),
        "cut off": lambda path: path.write_bytes(good[: len(good) // 2]),
        "huge": lambda path: path.write_bytes(b"[" + b"0," * 50_000_000 + b"0]"),
        "poisoned": lambda path: path.write_bytes(good.replace(b'"counts":[', b'"counts":[-1,', 1)),
    }
    with Peer().serving() as peer:
        hop = Hop(tmp_path, peer.endpoint)
        with hop.running():
            load = Load(hop.grpc, time.time_ns(), n_senders=1)
            before = hop.resident_bytes()
            for number, damage in enumerate(bad.values(), start=1):
                damage(tmp_path / "fraud.json")
                assert hop.process is not None
                hop.process.send_signal(signal.SIGHUP)
                said = "the configuration before stays in force"
                found = eventually(lambda: hop.log().count(said), lambda n: n >= number, 60)  # noqa: B023 - asked at once
                assert found == number
            acknowledged = load.stop()
            assert load.repeats == 0
            assert hop.resident_bytes() - before < 512 << 20
            n = 25 * len(acknowledged)
            assert hop.samples(n) == n
        assert peer.span_ids() == span_ids(acknowledged)

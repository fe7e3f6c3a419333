"""The processor, or the collector before it, ends while spans are on their way: killed at every step, or asked to."""

from __future__ import annotations

import time
from collections import Counter
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import grpc
import pytest

from tests.data.state_house import request, singly
from tests.faults.hop import DUPLICATES, JOURNAL, Hop, addresses, recomputed
from tests.faults.peers import Peer, aborting, taking
from tests.faults.senders import Load, Sender, span_ids
from tests.integration.real_servers import answers, eventually, find_tool, running

if TYPE_CHECKING:
    from collections.abc import Iterator

SENDERS, PER_REQUEST = 4, 25


def more_than(load: Load, n: int) -> None:
    """Return when *n* more requests have been acknowledged."""
    enough = len(load.acknowledged) + n
    found = eventually(lambda: len(load.acknowledged), enough.__le__, 60)
    assert found >= enough


def kill_while_answering(hop: Hop, peer: Peer, *, is_taken: bool) -> None:
    """Kill the processor while its next hop has a request of it, which it will have taken or not."""

    def kill(_: bytes, __: grpc.ServicerContext) -> bytes:
        peer.behaviour = taking
        hop.kill()
        if not is_taken:
            raise ConnectionError("nobody is there to answer")
        return b""

    peer.behaviour = kill
    assert hop.process is not None
    hop.process.wait(60)


@pytest.mark.long
def test_killed_at_every_step_nothing_is_lost_and_nothing_counted_twice(tmp_path: Path) -> None:
    """
    Killed before, while and after its next hop takes a request, and at three other moments, under load.

    The next hop has every acknowledged span; what comes to it twice is at most what was on its way. The windows are, byte for byte, those
    of all acknowledged requests, each once, although some of them are batched anew afterwards.
    """
    at_ns, kills = time.time_ns(), 5
    with Peer().serving() as peer:
        hop = Hop(tmp_path, peer.endpoint, JOURNAL)
        load: Load | None = None
        for kill in range(kills):
            with hop.running():
                load = load or Load(hop.grpc, at_ns, n_senders=SENDERS, per_request=PER_REQUEST)
                more_than(load, 20 + 7 * kill)
                if kill < 2:
                    kill_while_answering(hop, peer, is_taken=bool(kill))
                else:
                    hop.kill()
        assert load is not None
        with hop.running():
            more_than(load, 20)
            acknowledged = load.stop()
            again = Sender(hop.grpc)
            for one in singly(acknowledged[::10]):
                again.send(one)
            again.close()
            assert hop.stop() == 0
    times = Counter(peer.span_ids())
    sent = span_ids(acknowledged)
    assert len(set(sent)) == len(sent)
    assert not load.dropped
    assert set(sent) == set(times)
    rebatched = set(span_ids(acknowledged[::10]))
    twice = sum(n - 1 - (span in rebatched) for span, n in times.items())
    assert 0 <= twice <= kills * SENDERS * PER_REQUEST
    assert hop.windows() == recomputed(acknowledged, at_ns)
    assert hop.log().count("state: restored") == kills
    assert "are lost" not in hop.log()


def test_asked_to_end_under_load_it_ends_in_order(tmp_path: Path) -> None:
    """
    Twice, with a state and no journal: exit code 0; what was being answered is answered.

    The next hop has every span exactly once, and the windows are those of all of them.
    """
    at_ns = time.time_ns()
    with Peer().serving() as peer:
        hop = Hop(tmp_path, peer.endpoint, "state: {directory: state, interval: 1h}")
        load: Load | None = None
        for _ in range(2):
            with hop.running():
                load = load or Load(hop.grpc, at_ns)
                more_than(load, 20)
                assert hop.stop() == 0
        assert load is not None
        with hop.running():
            more_than(load, 20)
            acknowledged = load.stop()
            assert hop.stop() == 0
    assert not load.dropped
    assert peer.span_ids() == span_ids(acknowledged)
    assert hop.windows() == recomputed(acknowledged, at_ns)


COLLECTOR = """
receivers: {{otlp: {{protocols: {{grpc: {{endpoint: "{listen}"}}}}}}}}
exporters:
  otlp_grpc:
    endpoint: "{forward}"
    tls: {{insecure: true}}
    retry_on_failure: {{initial_interval: 200ms, max_interval: 1s}}
    sending_queue: {{num_consumers: 2{storage}}}
extensions:
  health_check: {{endpoint: "{health}"}}
  file_storage: {{directory: "{folder}", create_directory: true}}
service:
  extensions: [health_check, file_storage]
  telemetry: {{metrics: {{level: none}}}}
  pipelines: {{traces: {{receivers: [otlp], exporters: [otlp_grpc]}}}}
"""


class Collector:
    """A real collector before *forward* that can be killed and started again, with a queue on the disk or in memory."""

    def __init__(self, folder: Path, forward: str, *, is_stored: bool) -> None:
        self.listen, self._health = addresses(2)
        self._folder = folder
        self._starts = 0
        self._config = folder / "collector.yaml"
        self._config.write_text(
            COLLECTOR.format(
                listen=self.listen,
                health=self._health,
                forward=forward,
                folder=folder / "queue",
                storage=", storage: file_storage" if is_stored else "",
            )
        )

    @contextmanager
    def running(self) -> Iterator[Collector]:
        """Run it until the block ends."""
        self._starts += 1
        command: list[str | Path] = [find_tool("otelcol"), "--config", self._config]
        log = self._folder / f"collector-{self._starts}"
        with running(
            command, ready=lambda: answers(f"http://{self._health}/"), log=log
        ) as self._process:
            yield self

    def kill(self) -> None:
        """End it without a last word."""
        self._process.kill()
        self._process.wait(60)


@pytest.mark.long
@pytest.mark.real_servers
@pytest.mark.parametrize("is_stored", [True, False], ids=["queue on disk", "queue in memory"])
def test_the_collector_before_us_is_killed(tmp_path: Path, *, is_stored: bool) -> None:
    """
    It is killed while our next hop refuses, so that all it has is in its queue, and then while it sends.

    With its queue on the disk every span arrives; without, what was in its memory is lost by it. Either way what has arrived is what was
    counted, each once, although it sends again what it does not know to have arrived.
    """
    requests = [request(range(20 * n, 20 * n + 20), at_ns=time.time_ns()) for n in range(200)]
    with ExitStack() as stack:
        peer = stack.enter_context(Peer().serving())
        hop = stack.enter_context(Hop(tmp_path, peer.endpoint).running())
        collector = Collector(tmp_path, hop.grpc, is_stored=is_stored)
        with collector.running():
            sender = Sender(collector.listen)
            for one in requests[:100]:
                sender.send(one)
            peer.behaviour = aborting(grpc.StatusCode.UNAVAILABLE, 0.1)
            for one in requests[100:]:
                sender.send(one)
            collector.kill()
            sender.close()
        with collector.running():
            peer.behaviour = slow
            enough = len(peer.taken) + (10 if is_stored else 0)
            assert eventually(lambda: len(peer.taken), enough.__le__, 60) >= enough
            collector.kill()
        peer.behaviour = taking
        with collector.running():
            expected = sorted(set(span_ids(requests)))
            if is_stored:
                arrived = eventually(lambda: sorted(set(peer.span_ids())), expected.__eq__, 60)
                assert arrived == expected
        arrived = sorted(set(peer.span_ids()))
        assert set(arrived) <= set(expected)
        assert len(arrived) >= 100
        assert hop.samples(len(arrived)) == len(arrived)
        doubled = len(peer.span_ids()) - len(arrived)
        assert doubled <= hop.total(DUPLICATES) + 2 * 20


def slow(_: bytes, __: grpc.ServicerContext) -> bytes:
    """Acknowledge after a while."""
    time.sleep(0.1)
    return b""

"""Several in a row or side by side: two processors share the load and one of them leaves, a loop, a Prometheus that comes and goes."""

from __future__ import annotations

import json
import subprocess
import time
from collections import Counter
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc
import httpx
import msgspec
import pytest

from otel_ml_processor.state.snapshot import read_snapshot
from tests.data.state_house import request
from tests.faults.hop import Hop, addresses, recomputed
from tests.faults.lines import Fault, Line
from tests.faults.peers import Behaviour, Peer, aborting, taking
from tests.faults.senders import Sender, span_ids
from tests.faults.test_next_hops import mixed
from tests.integration.real_servers import OTEL_ML, answers, eventually, find_tool, running

if TYPE_CHECKING:
    from collections.abc import Iterator

FRAGMENT = Path(__file__).parents[2] / "collector-config" / "otel-ml.yaml"
pytestmark = [pytest.mark.real_servers, pytest.mark.long]

COLLECTOR = """
receivers: {{otlp: {{protocols: {{grpc: {{endpoint: "{listen}"}}}}}}}}
exporters: {exporters}
extensions: {{health_check: {{endpoint: "{health}"}}}}
service:
  extensions: [health_check]
  telemetry: {{metrics: {{level: none}}, logs: {{level: warn}}}}
  pipelines: {{traces: {{receivers: [otlp], exporters: [{exporter}]}}}}
"""
RETRY = {"initial_interval": "100ms", "max_interval": "300ms", "max_elapsed_time": "120s"}


@contextmanager
def collecting(folder: Path, name: str, exporter: str, said: dict[str, Any]) -> Iterator[str]:
    """Run a real collector with one *exporter* until the block ends; give its address."""
    listen, health = addresses(2)
    config = folder / f"{name}.yaml"
    exporters = json.dumps({exporter: said})
    config.write_text(
        COLLECTOR.format(listen=listen, health=health, exporters=exporters, exporter=exporter)
    )
    command: list[str | Path] = [find_tool("otelcol"), "--config", config]
    ready = partial(answers, f"http://{health}/")
    with running(command, ready=ready, log=folder / f"{name}.log"):
        yield listen


def sent_to(address: str, requests: list[bytes]) -> None:
    """Send *requests*, each until it is acknowledged."""
    sender = Sender(address)
    for one in requests:
        sender.send(one)
    sender.close()


def balanced(hops: list[Hop]) -> dict[str, Any]:
    """Return a load balancer in front of *hops*."""
    otlp = {"tls": {"insecure": True}, "timeout": "5s"}
    return {
        "routing_key": "traceID",
        "protocol": {"otlp": otlp},
        "resolver": {"static": {"hostnames": [hop.grpc for hop in hops]}},
    }


def test_one_two_and_one_processor_add_up_to_one(tmp_path: Path) -> None:
    """
    Behind a load balancer that sends each trace to one of them: one, then two, then, when one was asked to end, one.

    Every span arrives, the second had a share, and the two snapshots merged are, byte for byte, the windows of one that had everything.
    """
    at_ns = time.time_ns()
    phases = [
        [request(range(20 * n, 20 * n + 20), at_ns=at_ns) for n in range(first, first + 40)]
        for first in (0, 40, 80)
    ]
    state = "state: {directory: state, interval: 1s}"
    with Peer().serving() as peer:
        one, two = (Hop(tmp_path / name, peer.endpoint, state) for name in ("one", "two"))
        sent = 0
        with one.running():
            with two.running():
                for phase, hops in zip(phases[:2], ([one], [one, two]), strict=True):
                    with collecting(
                        tmp_path, f"to {len(hops)}", "loadbalancing", balanced(hops)
                    ) as address:
                        sent_to(address, phase)
                        sent += 20 * len(phase)
                        arrived = eventually(
                            lambda: len(peer.span_ids()), partial(int.__eq__, sent), 60
                        )
                        assert arrived == sent
                assert two.stop() == 0
            with collecting(tmp_path, "to one again", "loadbalancing", balanced([one])) as address:
                sent_to(address, phases[2])
                sent += 20 * len(phases[2])
                arrived = eventually(lambda: len(peer.span_ids()), partial(int.__eq__, sent), 60)
            assert one.stop() == 0
    requests = [one for phase in phases for one in phase]
    assert peer.span_ids() == span_ids(requests)
    parts = [hop.folder / "state" / "snapshot" for hop in (one, two)]
    assert all(rows_in(part) for part in parts)
    merged = tmp_path / "merged"
    command = [OTEL_ML, "merge", *parts, "--config", one.config, "-o", merged]
    subprocess.run([str(part) for part in command], check=True, capture_output=True, timeout=300)
    streams = read_snapshot(merged).snapshot.streams
    found = sorted(msgspec.msgpack.encode((s.key, s.newest_ns, s.windows)) for s in streams)
    assert found == recomputed(requests, at_ns)


def rows_in(snapshot: Path) -> int:
    """Return the rows of its open windows."""
    streams = read_snapshot(snapshot).snapshot.streams
    return sum(w.summary.rows for s in streams for ws in s.windows for w in ws.opened)


SCENARIOS: dict[str, Behaviour] = {
    "always succeeds": mixed(),
    "random, for now": mixed((0.4, aborting(grpc.StatusCode.UNAVAILABLE))),
    "random, for good": mixed((0.4, aborting(grpc.StatusCode.INTERNAL))),
    "random, both": mixed(
        (0.3, aborting(grpc.StatusCode.UNAVAILABLE)), (0.3, aborting(grpc.StatusCode.INTERNAL))
    ),
}


@pytest.mark.parametrize("door", ["otlp_grpc", "otlp_http"])
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_behind_a_collector_that_repeats_nothing_is_lost_and_nothing_doubled(
    tmp_path: Path, scenario: str, door: str
) -> None:
    """
    Eighty requests through a real collector before us, with a next hop that refuses some for now and some for good.

    What has arrived has arrived once and is what is counted. Only what was refused for good is missing, and of that each request once: those that
    went together are asked for one by one when they were refused.
    """
    each = 5
    requests = [request(range(each * n, each * n + each)) for n in range(80)]
    with ExitStack() as stack:
        final = Counter[bytes]()
        behaviour = SCENARIOS[scenario]

        def counting(one: bytes, context: grpc.ServicerContext) -> bytes:
            try:
                return behaviour(one, context)
            except Exception:
                ids = span_ids([one])
                if context.code() is grpc.StatusCode.INTERNAL and len(ids) == each:
                    final.update(ids)
                raise

        peer = stack.enter_context(Peer(counting).serving())
        hop = stack.enter_context(Hop(tmp_path, peer.endpoint).running())
        said = {
            "endpoint": hop.grpc if door == "otlp_grpc" else f"http://{hop.http}",
            "tls": {"insecure": True},
            "retry_on_failure": RETRY,
            "sending_queue": {"num_consumers": 10, "queue_size": 1000},
        }
        address = stack.enter_context(collecting(tmp_path, "before", door, said))
        sent_to(address, requests)
        whole = len(span_ids(requests))
        answered = eventually(
            lambda: len(peer.span_ids()) + len(final), partial(int.__eq__, whole), 60
        )
        assert answered == whole
        arrived = peer.span_ids()
        assert len(set(arrived)) == len(arrived)
        assert set(final.values()) <= {1}
        assert sorted([*arrived, *final]) == span_ids(requests)
        assert bool(final) == ("good" in scenario or "both" in scenario)
        assert hop.samples(len(arrived)) == len(arrived)
        assert hop.total("ml_processor_duplicates_total") == 0


def hung(_: bytes, __: grpc.ServicerContext) -> bytes:
    """Answer after every sender has left."""
    time.sleep(5)
    return b""


OURS: dict[str, tuple[Behaviour, Fault]] = {
    "hangs": (hung, "none"),
    "fails": (aborting(grpc.StatusCode.INTERNAL), "none"),
    "refuses for now": (aborting(grpc.StatusCode.UNAVAILABLE, 0.1), "none"),
    "is away": (taking, "refuses"),
    "takes bytes and says nothing": (taking, "hangs"),
    "resets": (taking, "resets"),
}


@pytest.mark.parametrize("trouble", OURS)
def test_beside_a_collector_of_somebody_else_our_trouble_is_ours(
    tmp_path: Path, trouble: str
) -> None:
    """Our fragment is in it and whoever listens for us does nothing right: no sender is refused, the team's back end has each span once."""
    behaviour, fault = OURS[trouble]
    listen, health, back = addresses(3)
    requests = [request(range(5 * n, 5 * n + 5)) for n in range(200)]
    with ExitStack() as stack:
        theirs = stack.enter_context(Peer().serving())
        ours = stack.enter_context(Peer(behaviour).serving())
        line = stack.enter_context(Line(ours.endpoint).serving())
        line.fault = fault
        said = json.dumps({"otlp_grpc": {"endpoint": theirs.endpoint, "tls": {"insecure": True}}})
        config = tmp_path / "existing.yaml"
        config.write_text(
            COLLECTOR.format(listen=listen, health=health, exporters=said, exporter="otlp_grpc")
        )
        environment = f"OTEL_ML_ENDPOINT={line.endpoint}", f"OTEL_ML_RETURN_ENDPOINT={back}"
        files = [part for file in (config, FRAGMENT) for part in ("--config", file)]
        command: list[str | Path] = ["env", *environment, find_tool("otelcol"), *files]
        ready = partial(answers, f"http://{health}/")
        stack.enter_context(running(command, ready=ready, log=tmp_path / "log"))
        sender = Sender(listen)
        for one in requests:
            assert sender.once(one) is None
        sender.close()
        whole = len(span_ids(requests))
        assert eventually(lambda: len(theirs.span_ids()), whole.__le__, 60) == whole
        assert theirs.span_ids() == span_ids(requests)
        assert eventually(lambda: ours.refused or ours.waiting or fault != "none", bool, 60)


def test_two_processors_that_lead_to_each_other_end_what_goes_in_circles(tmp_path: Path) -> None:
    """
    A request goes in once; nobody takes it.

    Its sender is told to come again, nothing is counted as delivered, the loop is named, and both rest when the sender has left.
    """
    one = Hop(tmp_path / "one", "127.0.0.1:1")
    two = Hop(tmp_path / "two", one.grpc, also="timeout: 2s")
    one.write(two.grpc, also="timeout: 2s")
    with one.running(), two.running():
        sender = Sender(one.grpc, deadline_s=4)
        for number in range(3):
            error = sender.once(request(range(10 * number, 10 * number + 10)))
            assert error is not None
            assert error.code() in {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED}
        sender.close()
        loops = sum(
            hop.total("ml_processor_unannotated_total", "possible_loop") for hop in (one, two)
        )
        assert loops > 0
        for hop in (one, two):
            assert hop.total("otelcol_receiver_accepted_spans_total") == 0
            assert hop.total("ml_prediction_samples_total") == 0
        resting = partial(busy_share, [one, two])
        assert eventually(resting, (0.5).__gt__, 60) < 0.5


def busy_share(hops: list[Hop]) -> float:
    """Return how many processors' worth of work *hops* have done within a second."""
    before = sum(hop.cpu_s() for hop in hops)
    time.sleep(1)
    return sum(hop.cpu_s() for hop in hops) - before


def test_prometheus_comes_late_goes_and_comes_back(tmp_path: Path) -> None:
    """Whenever it asks it is told what was counted; when we are killed and begin to count anew, its `increase` does not run backwards."""
    config, listen = tmp_path / "prometheus.yml", addresses(1)[0]
    with Peer().serving() as peer:
        hop = Hop(tmp_path, peer.endpoint)
        target = [{"targets": [hop.page]}]
        scrape = {
            "job_name": "ours",
            "scrape_interval": "1s",
            "scrape_timeout": "1s",
            "static_configs": target,
        }
        config.write_text(json.dumps({"scrape_configs": [scrape]}))
        command: list[str | Path] = [
            find_tool("prometheus"),
            f"--config.file={config}",
            f"--web.listen-address={listen}",
            f"--storage.tsdb.path={tmp_path / 'tsdb'}",
        ]
        scraping = partial(
            running, command, ready=partial(answers, f"http://{listen}/-/ready"), log=tmp_path / "p"
        )
        seen = partial(value_of, listen, "sum(ml_prediction_samples_total)")
        with hop.running():
            sent_to(hop.grpc, [request(range(100))])
            with scraping():
                assert eventually(seen, (100.0).__eq__, 60) == 100
            sent_to(hop.grpc, [request(range(100, 150))])
            with scraping():
                assert eventually(seen, (150.0).__eq__, 60) == 150
                hop.kill()
        with hop.running(), scraping():
            sent_to(hop.grpc, [request(range(150, 170))])
            assert eventually(seen, (20.0).__eq__, 60) == 20
            grown = partial(
                value_of, listen, "sum(increase(ml_prediction_samples_total[5m])) > bool 0"
            )
            assert eventually(grown, (1.0).__eq__, 60) == 1


def value_of(address: str, promql: str) -> float:
    """Return the one value that Prometheus answers; NaN where there is none."""
    url = f"http://{address}/api/v1/query"
    answer = httpx.get(url, params={"query": promql}, timeout=60, trust_env=False)
    result = answer.raise_for_status().json()["data"]["result"]
    return float(result[0]["value"][1]) if result else float("nan")

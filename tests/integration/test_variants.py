"""The fragments of collector-config/ beside a collector of somebody else: real spans through the real collector, counted at the end."""

from __future__ import annotations

import json
import time
from collections import Counter
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from tests.faults.hop import SAMPLES, Hop, addresses
from tests.faults.lines import Line
from tests.faults.peers import Peer, aborting, taking
from tests.faults.senders import Sender
from tests.integration.real_servers import answers, eventually, find_tool, running
from tests.unit.processor.otlp_requests import attribute, inference, request_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.faults.peers import Behaviour

pytestmark = pytest.mark.real_servers

CONFIG = Path(__file__).parents[2] / "collector-config"
WITHIN_S = 60
QUEUE_BYTES = 40_000
"""Some 150 spans."""
CARD = "4242424242424242"
EXISTING = """
receivers: {{otlp: {{protocols: {{grpc: {{endpoint: "{listen}"}}}}}}}}
processors: {{batch: {{timeout: 50ms}}}}
exporters: {{otlp/store: {{endpoint: "{store}", tls: {{insecure: true}}}}}}
extensions: {{health_check: {{endpoint: "{health}"}}}}
service:
  extensions: [health_check]
  telemetry: {{metrics: {{level: none}}, logs: {{level: warn}}}}
  pipelines: {{traces: {{receivers: [otlp], processors: [batch], exporters: [otlp/store]}}}}
"""
"""What a team has: traces to its store, nothing of ours."""


@contextmanager
def collecting(
    folder: Path, store: str, *fragments: str, options: Sequence[str] = (), **environment: str
) -> Iterator[Sender]:
    """Run the team's collector with *fragments* and *options* until the block ends; give a sender to it."""
    listen, health = addresses(2)
    existing = folder / "existing.yaml"
    existing.write_text(EXISTING.format(listen=listen, store=store, health=health))
    files = [existing, *(CONFIG / f"otel-ml{name}.yaml" for name in fragments)]
    said = {"OTEL_ML_TRACES_EXPORTER": "otlp/store", **environment}
    command: list[str | Path] = [
        "env",
        *(f"{key}={value}" for key, value in said.items()),
        find_tool("otelcol"),
        *(part for file in files for part in ("--config", file)),
        *options,
    ]
    ready = partial(answers, f"http://{health}/")
    with running(command, ready=ready, log=folder / "collector.log"):
        sender = Sender(listen)
        try:
            yield sender
        finally:
            sender.close()


def inferences(numbers: range, odd: Sequence[int] = (), model: str = "fraud") -> list[Span]:
    """Return the spans of *numbers*; the *odd* ones have an input that nobody has seen."""
    now = time.time_ns()
    return [
        inference(
            number,
            end_ns=now,
            model=model,
            features={"amount": 1e6 if number in odd else 0.01 * (number % 100)},
            prediction_label="ok",
            prediction_confidence=0.9,
        )
        for number in numbers
    ]


def sent(sender: Sender, spans: Sequence[Span]) -> list[bytes]:
    """Send *spans*, 20 at a time and each once; return their ids. Nothing is refused."""
    for begin in range(0, len(spans), 20):
        one = request_of(spans[begin : begin + 20]).SerializeToString()
        assert sender.once(one) is None
    return sorted(span.span_id for span in spans)


def arrived(peer: Peer, wanted: list[bytes]) -> list[bytes]:
    """Return the ids that *peer* has as soon as they are as many as *wanted*."""
    return eventually(peer.span_ids, lambda found: len(found) >= len(wanted), WITHIN_S)  # type: ignore[no-any-return] # what `span_ids` returns


def spans_of(peer: Peer) -> dict[bytes, Span]:
    """Return what *peer* has, by id, without the empty status that a collector adds."""
    groups = [
        group
        for one in list(peer.taken)
        for group in ExportTraceServiceRequest.FromString(one).resource_spans
    ]
    spans = [span for group in groups for scope in group.scope_spans for span in scope.spans]
    for span in spans:
        if span.status == Status():
            span.ClearField("status")
    return {span.span_id: span for span in spans}


def said_by(span: Span) -> dict[str, Any]:
    """Return the texts and numbers among its attributes."""
    return {
        one.key: getattr(one.value, one.value.WhichOneof("value") or "string_value")
        for one in span.attributes
    }


def flagged(peer: Peer) -> set[bytes]:
    """Return the ids of the spans that carry a flag of the processor."""
    return {i for i, span in spans_of(peer).items() if "ml.verdict.flags" in said_by(span)}


def ids(numbers: Sequence[int]) -> set[bytes]:
    """Return the ids of the spans of *numbers*."""
    return {span.span_id for number in numbers for span in inferences(range(number, number + 1))}


def hung(_: bytes, __: grpc.ServicerContext) -> bytes:
    """Answer after every sender has left."""
    time.sleep(6)
    return b""


def slow(_: bytes, __: grpc.ServicerContext) -> bytes:
    """Answer late, but while the sender still waits."""
    time.sleep(1)
    return b""


TROUBLES: dict[str, Behaviour | None] = {
    "dead": None,
    "hung": hung,
    "slow": slow,
    "failing": aborting(grpc.StatusCode.INTERNAL),
    "refusing for now": aborting(grpc.StatusCode.UNAVAILABLE, 0.1),
}


QUEUES = {
    "": "exporters::otlp/otel_ml::sending_queue",
    "-gateway": "exporters::loadbalancing/otel_ml::protocol::otlp::sending_queue",
    "-sidecar": "exporters::otlp/otel_ml::sending_queue",
}


@pytest.mark.parametrize(
    ("fragment", "trouble"),
    [*(("", trouble) for trouble in TROUBLES), ("-gateway", "hung"), ("-sidecar", "hung")],
)
def test_whatever_a_hop_does_that_gets_a_copy_nobody_else_notices(
    tmp_path: Path, fragment: str, trouble: str
) -> None:
    """The hop does nothing right, and its queue is full after a few spans: no sender is refused, the store has each span once."""
    with ExitStack() as stack:
        store, ours = (stack.enter_context(Peer().serving()) for _ in range(2))
        ours.behaviour = TROUBLES[trouble] or taking
        line = stack.enter_context(Line(ours.endpoint).serving())
        line.fault = "refuses" if TROUBLES[trouble] is None else "none"
        where = {
            "OTEL_ML_ENDPOINT": line.endpoint,
            "OTEL_ML_PROCESSORS": f"[{line.endpoint}]",
            "OTEL_ML_RETURN_ENDPOINT": addresses(1)[0],
        }
        full = (f"--set={QUEUES[fragment]}::queue_size={QUEUE_BYTES}",)
        sender = stack.enter_context(
            collecting(tmp_path, store.endpoint, fragment, options=full, **where)
        )
        wanted: list[bytes] = []
        for begin in range(0, 600, 100):
            wanted += sent(sender, inferences(range(begin, begin + 100)))
            assert arrived(store, wanted) == wanted
        if trouble != "dead":  # else there is nobody to ask
            assert eventually(partial(requests_met, ours), bool, WITHIN_S)
        assert store.span_ids() == wanted


def requests_met(peer: Peer) -> int:
    """Return how many requests *peer* has met with what it does."""
    return peer.refused + peer.waiting + len(peer.taken)


def test_in_line_a_span_is_stored_once_with_its_verdict(tmp_path: Path) -> None:
    """
    200 spans come while the processor is away, 200 when it is there.

    None is stored before the processor has seen it, then all are, each once and counted once; the odd ones carry what was found.
    """
    back, odd = addresses(1)[0], [7, 207, 307]
    hop = Hop(tmp_path / "hop", back)
    with (
        Peer().serving() as store,
        collecting(
            tmp_path,
            store.endpoint,
            "-inline",
            OTEL_ML_ENDPOINT=hop.grpc,
            OTEL_ML_RETURN_ENDPOINT=back,
        ) as sender,
    ):
        wanted = sent(sender, inferences(range(200), odd))
        assert store.span_ids() == []
        with hop.running():
            wanted += sent(sender, inferences(range(200, 400), odd))
            assert arrived(store, wanted) == wanted
            assert hop.samples(400, within_s=WITHIN_S) == 400
    assert flagged(store) == ids(odd)


def test_failing_over_no_span_waits_for_the_processor(tmp_path: Path) -> None:
    """200 spans are stored while the processor is away; once it is there further ones carry verdicts; each is stored once."""
    back = addresses(1)[0]
    hop = Hop(tmp_path / "hop", back)
    with (
        Peer().serving() as store,
        collecting(
            tmp_path,
            store.endpoint,
            "-failover",
            OTEL_ML_ENDPOINT=hop.grpc,
            OTEL_ML_RETURN_ENDPOINT=back,
        ) as sender,
    ):
        wanted = sent(sender, inferences(range(200)))
        assert arrived(store, wanted) == wanted
        with hop.running():

            def has_verdicts() -> bool:
                numbers = range(len(wanted), len(wanted) + 20)
                wanted.extend(sent(sender, inferences(numbers, odd=numbers)))
                return bool(arrived(store, wanted) and flagged(store))

            assert eventually(has_verdicts, bool, WITHIN_S)
            assert store.span_ids() == wanted


def test_a_collector_is_not_started_without_the_name_of_its_exporter(tmp_path: Path) -> None:
    """In line, spans would otherwise end in a log; the message names the pipeline that lacks it."""
    with (
        pytest.raises(pytest.fail.Exception),
        collecting(tmp_path, "127.0.0.1:1", "-inline", OTEL_ML_TRACES_EXPORTER=""),
    ):
        pass
    log = (tmp_path / "collector.log").read_text()
    assert 'traces/otel_ml_return: references exporter ""' in log


def test_a_gateway_keeps_each_model_on_one_of_two_processors(tmp_path: Path) -> None:
    """
    24 models, each trace with spans of three of them and one of no model.

    Each model is counted by one processor, completely; both have some; the store has every span once, as it was sent.
    """
    models = [f"model-{n:02d}" for n in range(24)]
    traces = [trace(n, models[n % 24 :: 8]) for n in range(200)]
    counts = Counter(
        said["ml.model.name"]
        for one in traces
        for s in one
        if "ml.model.name" in (said := said_by(s))
    )
    assert len(counts) == 24
    hops = [Hop(tmp_path / name, None) for name in ("one", "two")]
    with ExitStack() as stack:
        store = stack.enter_context(Peer().serving())
        for hop in hops:
            stack.enter_context(hop.running())
        where = {
            "OTEL_ML_PROCESSORS": f"[{', '.join(hop.grpc for hop in hops)}]",
            "OTEL_ML_RETURN_ENDPOINT": addresses(1)[0],
        }
        sender = stack.enter_context(collecting(tmp_path, store.endpoint, "-gateway", **where))
        wanted = sent(sender, [span for one in traces for span in one])
        assert arrived(store, wanted) == wanted
        whole = float(counts.total())
        assert eventually(partial(counted, hops), whole.__eq__, WITHIN_S) == whole
        found = [counted_by_model(hop, models) for hop in hops]
    assert all(found)
    assert not found[0].keys() & found[1].keys()
    assert {**found[0], **found[1]} == counts
    assert spans_of(store) == {span.span_id: span for one in traces for span in one}


def trace(number: int, models: Sequence[str]) -> list[Span]:
    """Return a trace with an ordinary span first, then an inference of each of *models*."""
    spans = [
        span
        for place, model in enumerate(models)
        for span in inferences(range(10 * number + place + 1, 10 * number + place + 2), model=model)
    ]
    ordinary = Span(name="GET /offers", span_id=(10 * number + 1).to_bytes(8, "big"))
    for span in (ordinary, *spans):
        span.trace_id = (number + 1).to_bytes(16, "big")
    return [ordinary, *spans]


def counted(hops: Sequence[Hop]) -> float:
    """Return how many inferences *hops* have counted together."""
    return sum(hop.total(SAMPLES) for hop in hops)


def counted_by_model(hop: Hop, models: Sequence[str]) -> dict[str, float]:
    """Return how many inferences *hop* has counted of each of *models* that it has seen."""
    found = {model: hop.total(SAMPLES, f'ml_model_name="{model}"') for model in models}
    return {model: n for model, n in found.items() if n}


def test_a_sidecar_copies_the_inferences_and_says_which_pod_they_are_of(
    tmp_path: Path,
) -> None:
    """Of 100 traces the store has everything; the hop has inferences and feedback, which may name neither model nor id, with the pod beside the service's own words."""
    traces = [trace(n, ["fraud"]) for n in range(100)]
    feedback = Span(trace_id=b"\2" * 16, span_id=b"\2" * 8, name="feedback")
    feedback.attributes.append(attribute("ml.feedback.label", "ok"))
    with ExitStack() as stack:
        store, ours = (stack.enter_context(Peer().serving()) for _ in range(2))
        where = {
            "OTEL_ML_ENDPOINT": ours.endpoint,
            "OTEL_RESOURCE_ATTRIBUTES": "k8s.pod.name=shop-5d7f,service.name=sidecar",
        }
        sender = stack.enter_context(collecting(tmp_path, store.endpoint, "-sidecar", **where))
        wanted = sent(sender, [feedback, *(span for one in traces for span in one)])
        assert arrived(store, wanted) == wanted
        copied = sorted([feedback.span_id, *(one[1].span_id for one in traces)])
        assert arrived(ours, copied) == copied
    assert resources(ours) == {("shop", "shop-5d7f")}
    assert resources(store) == {("shop", None)}


def resources(peer: Peer) -> set[tuple[str | None, str | None]]:
    """Return service and pod of what *peer* has."""
    groups = [
        {one.key: one.value.string_value for one in group.resource.attributes}
        for request in peer.taken
        for group in ExportTraceServiceRequest.FromString(request).resource_spans
    ]
    return {(group.get("service.name"), group.get("k8s.pod.name")) for group in groups}


def test_behind_the_hop_the_flagged_are_kept_and_all_were_counted(tmp_path: Path) -> None:
    """In line with tail sampling that keeps no share of the others: of 200 inferences three odd and two failed ones are stored."""
    back, odd, failed = addresses(1)[0], [7, 77, 177], [10, 20]
    spans = inferences(range(200), odd)
    for number in failed:
        spans[number].status.code = Status.STATUS_CODE_ERROR
    hop = Hop(tmp_path / "hop", back)
    where = {
        "OTEL_ML_ENDPOINT": hop.grpc,
        "OTEL_ML_RETURN_ENDPOINT": back,
        "OTEL_ML_DECISION_WAIT": "1s",
        "OTEL_ML_KEPT_PERCENT": "0",
    }
    with ExitStack() as stack:
        store = stack.enter_context(Peer().serving())
        stack.enter_context(hop.running())
        sender = stack.enter_context(
            collecting(tmp_path, store.endpoint, "-inline", "-tail-sampling", **where)
        )
        sent(sender, spans)
        assert hop.samples(200, within_s=WITHIN_S) == 200
        kept = sorted(ids([*odd, *failed]))
        assert arrived(store, kept) == kept
        # Whatever else is to be decided has been decided when one sent later has come through.
        sent(sender, inferences(range(200, 201), odd=[200]))
        kept += ids([200])
        assert arrived(store, kept) == kept
    assert flagged(store) == ids([*odd, 200])


def test_the_hop_gets_its_copy_redacted_and_the_store_what_was_sent(tmp_path: Path) -> None:
    """Card numbers and addresses are masked in texts and in texts among the inputs; a number with the same digits stays a number."""
    features = {"card": CARD, "amount": float(f"0.{CARD}"), "mail": "ann@example.org", "n": 4}
    (span,) = inferences(range(1))
    attributes = {one.key: one.value for one in span.attributes}
    attributes["ml.input.features"].string_value = json.dumps(features)
    attributes["ml.prediction.label"].string_value = f"pays with {CARD}, ann@example.org"
    with ExitStack() as stack:
        store, ours = (stack.enter_context(Peer().serving()) for _ in range(2))
        where = {"OTEL_ML_ENDPOINT": ours.endpoint, "OTEL_ML_RETURN_ENDPOINT": addresses(1)[0]}
        sender = stack.enter_context(
            collecting(tmp_path, store.endpoint, "", "-redaction", **where)
        )
        wanted = sent(sender, [span])
        assert arrived(store, wanted) == arrived(ours, wanted) == wanted
    (redacted,) = map(said_by, spans_of(ours).values())
    assert json.loads(redacted["ml.input.features"]) == {**features, "card": "****", "mail": "****"}
    assert redacted["ml.prediction.label"] == "pays with ****, ****"
    assert redacted["ml.model.name"] == "fraud"
    assert list(spans_of(store).values()) == [span]

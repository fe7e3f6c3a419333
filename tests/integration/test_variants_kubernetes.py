"""The collectors and the processor of collector-config/kubernetes, with their own configurations, as processes of this machine."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from otel_ml_processor.profile_file import write_profile
from tests.data.state_house import profile
from tests.faults.hop import SAMPLES, Hop, addresses
from tests.faults.peers import Peer
from tests.faults.senders import Sender
from tests.integration.real_servers import (
    answers,
    eventually,
    find_tool,
    processor_running,
    running,
)
from tests.integration.test_collector_config import run
from tests.integration.test_variants import (
    WITHIN_S,
    counted,
    flagged,
    ids,
    inferences,
    resources,
    said_by,
    sent,
)
from tests.unit.processor.otlp_requests import attribute

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

pytestmark = pytest.mark.real_servers

FOLDER = Path(__file__).parents[2] / "collector-config" / "kubernetes"
COLLECTORS = ("gateway", "beside", "sidecar")
QUIET = {"telemetry": {"metrics": {"level": "none"}, "logs": {"level": "warn"}}}


def resource(name: str, kind: str) -> dict[str, Any]:
    """Return the resource of that *kind* in the file *name*."""
    every = yaml.safe_load_all((FOLDER / f"{name}.yaml").read_text())
    (found,) = [one for one in every if one["kind"] == kind]
    result: dict[str, Any] = found
    return result


def written(folder: Path, name: str) -> Path:
    """Write the configuration of a collector as the operator hands it over; return the file."""
    file = folder / f"{name}.yaml"
    config = resource(name, "OpenTelemetryCollector")["spec"]["config"]
    file.write_text(yaml.safe_dump(config))
    return file


@pytest.mark.parametrize("name", COLLECTORS)
def test_a_collector_accepts_its_configuration(tmp_path: Path, name: str) -> None:
    """Every part that it names is one that the collector has, with options that it knows."""
    done = run("otelcol", "validate", "--config", str(written(tmp_path, name)))
    assert (done.returncode, done.stderr) == (0, "")


def label_of(inferred: Span) -> Span:
    """Return the span that feedback on the inference *inferred* is; it names the model."""
    model = said_by(inferred)["ml.model.name"]
    span = Span(name=f"feedback {model}", trace_id=b"\2" * 16)
    span.span_id = bytes([9, *inferred.span_id[1:]])
    span.start_time_unix_nano = inferred.end_time_unix_nano
    span.links.add(trace_id=inferred.trace_id, span_id=inferred.span_id)
    span.attributes.extend(
        (attribute("ml.model.name", model), attribute("ml.feedback.label", "ok"))
    )
    return span


def in_all(hops: Sequence[Hop], series: str) -> float:
    """Return the sum of *series* over *hops*."""
    return sum(hop.total(series) for hop in hops)


def test_a_service_sends_labels_by_the_way_that_leads_to_the_processor_of_its_model() -> None:
    """The balancer chooses by the model for spans alone, so events go onto spans where the operator injects us."""
    env = resource("instrumentation", "Instrumentation")["spec"]["python"]["env"]
    said = {one["name"]: one["value"] for one in env}
    assert said["OTEL_INSTRUMENTATION_ML_EVENTS_ON_SPANS"] == "true"


@contextmanager
def collecting(folder: Path, name: str, here: dict[str, Any]) -> Iterator[None]:
    """Run a collector of the cluster until the block ends, with the addresses that it has *here*."""
    (health,) = addresses(1)
    moved = folder / f"{name}-here.yaml"
    here = {**here, "extensions": {"health_check": {"endpoint": health}}, "service": QUIET}
    moved.write_text(yaml.safe_dump(here))
    files: list[str | Path] = ["--config", written(folder, name), "--config", moved]
    ready = partial(answers, f"http://{health}/")
    with running([find_tool("otelcol"), *files], ready=ready, log=folder / f"{name}.log"):
        yield


@contextmanager
def processing(hop: Hop, back: str) -> Iterator[Hop]:
    """Run a processor of the cluster until the block ends, with the addresses and the folder of *hop*."""
    config = hop.folder / "processor.yaml"
    config.write_text(resource("processor", "ConfigMap")["data"]["processor.yaml"])
    here = {
        "receive.endpoint": hop.grpc,
        "http.endpoint": hop.page,
        "emit.endpoint": back,
        "state.directory": hop.folder / "state",
        "profiles": "[fraud.json]",
    }
    settings = [part for key, value in here.items() for part in ("--set", f"{key}={value}")]
    write_profile(profile(), hop.folder / "fraud.json")
    with processor_running(config, hop.page, hop.folder / "log", *settings) as hop.process:
        yield hop


def test_from_a_sidecar_by_the_gateway_into_the_store_and_one_of_two_processors(
    tmp_path: Path,
) -> None:
    """
    400 inferences of eight models: stored once with the name of their pod, counted once, and the odd ones get verdicts, which are stored, too.

    A label of each, sent as the instrumentation there has it sent, comes to the processor that has the inference.
    """
    grpc_s, http_s, grpc_g, http_g, back = addresses(5)
    models = [f"model-{n}" for n in range(7)] + ["fraud"]
    spans = [
        span
        for n, model in enumerate(models)
        for span in inferences(range(50 * n, 50 * n + 50), odd=[357, 377], model=model)
    ]
    hops = [Hop(tmp_path / name, None) for name in ("processor-0", "processor-1")]
    with ExitStack() as stack:
        store = stack.enter_context(Peer().serving())
        for hop in hops:
            stack.enter_context(processing(hop, back))
        balanced = {"resolver": {"static": {"hostnames": [hop.grpc for hop in hops]}}}
        gateway = {
            "receivers": {
                "otlp": {"protocols": {"grpc": {"endpoint": grpc_g}, "http": {"endpoint": http_g}}},
                "otlp/otel_ml_return": {"protocols": {"grpc": {"endpoint": back}}},
            },
            "exporters": {
                "otlp/store": {"endpoint": store.endpoint},
                "otlphttp/metrics": {"endpoint": f"http://{addresses(1)[0]}"},
                "loadbalancing/otel_ml": balanced,
            },
        }
        sidecar = {
            "receivers": {
                "otlp": {"protocols": {"grpc": {"endpoint": grpc_s}, "http": {"endpoint": http_s}}}
            },
            "exporters": {"otlp": {"endpoint": grpc_g}},
        }
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("OTEL_RESOURCE_ATTRIBUTES", "k8s.pod.name=shop-5d7f")
            stack.enter_context(collecting(tmp_path, "gateway", gateway))
            stack.enter_context(collecting(tmp_path, "sidecar", sidecar))
        sender = Sender(grpc_s)
        stack.callback(sender.close)
        wanted = sent(sender, spans)
        verdicts = 2
        whole = len(wanted) + verdicts
        assert len(eventually(store.span_ids, lambda found: len(found) >= whole, WITHIN_S)) == whole
        assert eventually(partial(counted, hops), (400.0).__eq__, WITHIN_S) == 400
        assert [one for one in store.span_ids() if one in set(wanted)] == wanted
        sent(sender, [label_of(span) for span in spans])
        labels = partial(in_all, hops, "ml_feedback_joined_total")
        assert eventually(labels, (400.0).__eq__, WITHIN_S) == 400
        by_model = [[hop.total(SAMPLES, f'"{model}"') for hop in hops] for model in models]
    assert all(sorted(pair) == [0, 50] for pair in by_model)
    assert ("shop", "shop-5d7f") in resources(store)
    assert len(flagged(store)) == verdicts
    assert not flagged(store) & ids(range(400))

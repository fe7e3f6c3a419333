"""Two tenants of one processor, whose models have the same name."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import grpc
import httpx
import msgspec
import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.logs.v1.logs_pb2 import ResourceLogs, ScopeLogs

from conventions.scenarios.receiver import Receiver
from otel_ml_processor.config_file import load_config
from otel_ml_processor.errors import ConfigError
from otel_ml_processor.profile_file import write_profile
from otel_ml_processor.service import Service
from tests.data.state_house import profile
from tests.integration.feedback_traffic import label_of
from tests.integration.real_servers import free_port
from tests.unit.processor.otlp_requests import attribute, inference, request_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NOW = 1_750_000_000_000_000_000
EXPORT = "/opentelemetry.proto.collector.{}/Export"
OVERFLOW = "ml_processor_overflow_total"


class Running:
    """A processor that serves, and whoever sends to it as some tenant."""

    def __init__(self, service: Service, grpc_port: int, http_port: int, page: int) -> None:
        """Know where it listens."""
        self.service = service
        self.channel = grpc.insecure_channel(f"127.0.0.1:{grpc_port}")
        self.http = f"http://127.0.0.1:{http_port}"
        self.page = f"http://127.0.0.1:{page}"

    def send(self, content: bytes, tenant: str | None, kind: str = "trace.v1.TraceService") -> None:
        """Send *content* with the header of *tenant*, None for no header."""
        metadata = [("x-tenant", tenant)] if tenant is not None else []
        self.channel.unary_unary(EXPORT.format(kind))(content, timeout=60, metadata=metadata)

    def send_http(self, content: bytes, tenant: str) -> None:
        """Send *content* over HTTP."""
        headers = {"content-type": "application/x-protobuf", "X-Tenant": tenant}
        httpx.post(
            f"{self.http}/v1/traces", content=content, headers=headers, timeout=60
        ).raise_for_status()

    def tick(self) -> None:
        """Let time pass."""
        self.service.tick()

    def streams(self) -> dict[str, Any]:
        """Return what `/readings` says of each tenant's one stream."""
        content = httpx.get(f"{self.page}/readings", timeout=60).content
        return {one.get("tenant", ""): one for one in msgspec.json.decode(content)["streams"]}

    def series(self, name: str) -> dict[str, float]:
        """Return the series of metric *name* by what is in braces."""
        lines = httpx.get(f"{self.page}/metrics", timeout=60).text.splitlines()
        found = [line for line in lines if line.startswith(f"{name}{{")]
        return {
            line.rpartition(" ")[0][len(name) :]: float(line.rpartition(" ")[2]) for line in found
        }

    def samples(self) -> dict[str, float]:
        """Return how many predictions were counted by tenant; of none, or beyond the caps, under the empty name."""
        counted: dict[str, float] = {}
        for labels, value in self.series("ml_prediction_samples_total").items():
            named = labels.partition('ml_tenant_name="')[2].partition('"')[0]
            counted[named] = counted.get(named, 0) + value
        return counted


@contextmanager
def processor(folder: Path, *options: str) -> Iterator[Running]:
    """Run a processor with *options* until the block ends."""
    receiver = Receiver()
    ports = [free_port() for _ in range(3)]
    own = [
        f"receive.endpoint=127.0.0.1:{ports[0]}",
        f"receive.http.endpoint=127.0.0.1:{ports[1]}",
        f"http.endpoint=127.0.0.1:{ports[2]}",
        f"emit.endpoint={receiver.endpoint}",
        "emit.interval=1h",
        "bootstrap=null",
        "windows=[{name: rows, rows: 200}]",
    ]
    service = Service(load_config(None, [*own, *options]), folder)
    service.start()
    try:
        yield Running(service, *ports)
    finally:
        service.stop()
        receiver.close()


def predictions(numbers: range, tenant: str = "", service: str = "shop", **said: Any) -> bytes:
    """Return a request with a prediction of `fraud` for each number; *tenant* is said on its resource, if any."""
    spans = [
        inference(
            number,
            end_ns=NOW + number,
            features={"amount": number % 7 - 3.0},
            prediction_label="late",
            prediction_confidence=0.8,
            **said,
        )
        for number in numbers
    ]
    request = request_of(spans, service)
    if tenant:
        request.resource_spans[0].resource.attributes.append(attribute("tenant.id", tenant))
    return request.SerializeToString()


BY_HEADER = "tenants={header: x-tenant}"
BY_ATTRIBUTE = "tenants={attribute: tenant.id}"


def test_tenants_by_header_are_streams_of_their_own(tmp_path: Path) -> None:
    """The same model, service, spans and bytes of two tenants: each is counted for whom the header names, over gRPC and HTTP."""
    one = predictions(range(30))
    with processor(tmp_path, BY_HEADER) as running:
        running.send(one, "acme")
        running.send(one, "acme")
        running.send(one, "umbrella")
        running.send_http(predictions(range(30, 35)), "umbrella")
        running.tick()
        assert running.samples() == {"acme": 30, "umbrella": 35}


def test_tenants_by_attribute_are_streams_of_their_own(tmp_path: Path) -> None:
    """One request may hold spans of several tenants; each resource says whose its are."""
    both = predictions(range(30), "acme") + predictions(range(30, 40), "umbrella")
    with processor(tmp_path, BY_ATTRIBUTE) as running:
        running.send(both, "somebody else")
        running.tick()
        assert running.samples() == {"acme": 30, "umbrella": 10}


def test_without_tenants_nothing_says_tenant(tmp_path: Path) -> None:
    """By default headers and attributes are what they were: the wire knows no tenant, and all is one stream."""
    with processor(tmp_path) as running:
        running.send(predictions(range(30), "acme"), "acme")
        running.send(predictions(range(30, 40), "umbrella"), "umbrella")
        running.tick()
        assert running.samples() == {"": 40}
        assert "ml_tenant_name" not in httpx.get(f"{running.page}/metrics", timeout=60).text
        assert "tenant" not in running.streams()[""]


def test_each_tenant_is_compared_with_its_own_profile(tmp_path: Path) -> None:
    """What is usual for one tenant drifts for another; who has no profile of its own gets that of all."""
    write_profile(profile(), tmp_path / "all.json")
    write_profile(profile(mean=9.0), tmp_path / "acme.json")
    tenants = "tenants={header: x-tenant, profiles: {acme: [acme.json]}}"
    with processor(tmp_path, tenants, "profiles=[all.json]") as running:
        for tenant in ("acme", "umbrella"):
            running.send(predictions(range(200)), tenant)
        running.tick()
        references = {name: one["reference"]["id"] for name, one in running.streams().items()}
    assert references == {"acme": profile(mean=9.0).id, "umbrella": profile().id}


def test_a_tenant_cannot_take_anothers_room(tmp_path: Path) -> None:
    """Who sends a thousand models fills its own cap: the other tenant's stream stays, and a new one of it finds room."""
    options = (BY_HEADER, "streams.max=2", "streams.silent=1m")
    with processor(tmp_path, *options) as running:
        running.send(predictions(range(5)), "acme")
        for number in range(20):
            running.send(predictions(range(100 + number, 101 + number), "", f"s{number}"), "flood")
        running.send(predictions(range(5, 10), "", "second"), "acme")
        running.tick()
        samples, overflow = running.samples(), running.series(OVERFLOW)
    assert samples == {"acme": 10, "flood": 2, "": 18}
    assert overflow['{ml_processor_cause="streams"}'] == 18
    assert overflow['{ml_processor_cause="tenants"}'] == 0


@pytest.mark.parametrize("tenant", [None, "", "x" * 300, "third"])
def test_who_is_no_known_tenant_is_counted_apart(tmp_path: Path, tenant: str | None) -> None:
    """No name, a name that is none, one tenant too many: counted together, compared with nothing, and told under a cause of its own."""
    with processor(tmp_path, "tenants={header: x-tenant, max: 2}") as running:
        for number, known in enumerate(("acme", "umbrella")):
            running.send(predictions(range(10 * number, 10 * number + 10)), known)
        running.send(predictions(range(50, 57)), tenant)
        running.tick()
        assert running.samples() == {"acme": 10, "umbrella": 10, "": 7}
        assert running.series(OVERFLOW)['{ml_processor_cause="tenants"}'] == 7


def test_a_label_finds_only_predictions_of_its_own_tenant(tmp_path: Path) -> None:
    """Both call a prediction `order-1`; the label of one is no truth about the other, nor does a trace id of somebody else lead anywhere."""
    labels = [label_of(1, NOW + 100, label="late")]
    labels[0].attributes.append(attribute("ml.prediction.id", "order-1"))
    request = ExportLogsServiceRequest(
        resource_logs=[ResourceLogs(scope_logs=[ScopeLogs(log_records=labels)])]
    )
    with processor(tmp_path, BY_HEADER, "feedback.early=1ms") as running:
        running.send(predictions(range(1, 2), prediction_id="order-1"), "acme")
        running.send(predictions(range(7, 8), prediction_id="order-1"), "umbrella")
        running.tick()
        running.send(request.SerializeToString(), "stranger", "logs.v1.LogsService")
        running.send(request.SerializeToString(), "umbrella", "logs.v1.LogsService")
        running.tick()
        running.tick()
        told = running.series("ml_feedback_joined_total") or running.series(
            "ml_feedback_events_total"
        )
    joined = [labels for labels in told if 'outcome="joined"' in labels]
    assert len(joined) == 1
    assert 'ml_tenant_name="umbrella"' in joined[0]


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ("tenants={}", "exactly one of 'header' and 'attribute'"),
        ("tenants={header: a, attribute: b}", "exactly one of 'header' and 'attribute'"),
        ("tenants={header: X-Tenant}", "a header of its own, in lower case"),
        ("tenants={header: authorization}", "a header of its own, in lower case"),
        ("tenants={header: x-bin}", "a header of its own, in lower case"),
        ("tenants={attribute: ''}", r"\$\.tenants\.attribute: expected a name"),
        ("tenants={header: a, max: 0}", "max"),
        ("tenants={header: a, profiles: {'': [a.json]}}", "names of tenants"),
    ],
)
def test_a_wrong_configuration_is_refused(setting: str, expected: str) -> None:
    """What cannot tell tenants apart, or contradicts itself, ends the start with the place and what was expected."""
    with pytest.raises(ConfigError, match=expected):
        load_config(None, [setting])

"""collector-config/kubernetes, held against the published schemas, the strictest pod security, and the fragments that it is made of."""

from __future__ import annotations

import copy
import json
import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest
import yaml

from otel_ml_processor.config_file import load_config

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
CONFIG = ROOT / "collector-config"
FOLDER = CONFIG / "kubernetes"
SCHEMAS = Path(__file__).parents[1] / "data" / "kubernetes" / "schemas.json"
Resource = dict[str, Any]
RESOURCES: list[tuple[str, Resource]] = [
    (f"{path.stem}-{resource['kind']}", resource)
    for path in sorted(FOLDER.glob("*.yaml"))
    for resource in yaml.safe_load_all(path.read_text())
]
EVERY = pytest.mark.parametrize("resource", [one for _, one in RESOURCES], ids=dict(RESOURCES))
PROCESSOR = {"app.kubernetes.io/name": "otel-ml-processor"}
GATEWAY = {"app.kubernetes.io/instance": "otel-ml.otel-ml-gateway"}
"""The label of the operator: namespace and name."""
DEFAULT = re.compile(r"\$\{env:\w+:-([^}]*)\}")


def resource(name: str) -> Resource:
    """Return the one of that file and kind, `processor-StatefulSet`."""
    return dict(RESOURCES)[name]


@cache
def schemas() -> dict[str, Any]:
    """Return what tests/data/kubernetes/README.md describes."""
    read: dict[str, Any] = json.loads(SCHEMAS.read_text())
    return read


def complaints(resource: Resource) -> list[str]:
    """Return what the published schema of its kind says against *resource*."""
    kind = schemas()["kinds"][f"{resource['apiVersion']}/{resource['kind']}"]
    schema = {**kind, "definitions": schemas()["definitions"]}
    errors = jsonschema.Draft202012Validator(schema).iter_errors(resource)
    return [f"{error.json_path}: {error.message}" for error in errors]


@EVERY
def test_a_resource_is_one_of_its_kind(resource: Resource) -> None:
    """The schemas that a cluster has accept it: Kubernetes' own, and those that the operator brings."""
    assert complaints(resource) == []


@pytest.mark.parametrize(
    ("name", "path", "value"),
    [
        ("processor-StatefulSet", ("spec", "replica"), 2),
        ("processor-StatefulSet", ("spec", "replicas"), "two"),
        ("processor-StatefulSet", ("spec", "template", "spec", "container"), []),
        ("processor-NetworkPolicy", ("spec", "egres"), []),
        ("gateway-OpenTelemetryCollector", ("spec", "mode"), "gateway"),
        ("gateway-OpenTelemetryCollector", ("spec", "config", "service", "pipeline"), {}),
        ("gateway-OpenTelemetryCollector", ("spec", "config", "exporters"), None),
        ("instrumentation-Instrumentation", ("spec", "python", "images"), "x"),
        ("instrumentation-Instrumentation", ("spec", "propagators"), ["w3c"]),
    ],
)
def test_a_mistake_is_found(name: str, path: tuple[str, ...], value: object) -> None:
    """A misspelt key, a value of another type, one that is none of those allowed: the check can fail."""
    mistaken = copy.deepcopy(resource(name))
    place = mistaken
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    assert complaints(mistaken)


def pods() -> Iterator[tuple[str, dict[str, Any], list[dict[str, Any]]]]:
    """Yield name, security context and containers of every pod that comes of these files."""
    for name, one in RESOURCES:
        spec = one.get("spec", {})
        if one["kind"] == "StatefulSet":
            pod = spec["template"]["spec"]
            yield name, pod["securityContext"], pod["containers"]
        elif one["kind"] == "OpenTelemetryCollector":
            containers = [spec, *spec.get("additionalContainers", [])]
            yield name, spec.get("podSecurityContext", {}), containers


PODS = pytest.mark.parametrize(
    ("of_pod", "containers"), [pod[1:] for pod in pods()], ids=[pod[0] for pod in pods()]
)


@PODS
def test_no_container_has_a_right_that_it_does_not_need(
    of_pod: dict[str, Any], containers: list[dict[str, Any]]
) -> None:
    """The Pod Security Standard "restricted", which the namespace enforces, and a root filesystem that cannot be written."""
    for container in containers:
        own = container["securityContext"]
        either = {**of_pod, **own}
        assert own["allowPrivilegeEscalation"] is False
        assert own["capabilities"] == {"drop": ["ALL"]}
        assert own["readOnlyRootFilesystem"] is True
        assert either["runAsNonRoot"] is True
        assert either["runAsUser"] > 0
        assert either["seccompProfile"] == {"type": "RuntimeDefault"}


@PODS
def test_every_container_is_pinned_and_bounded(
    of_pod: dict[str, Any], containers: list[dict[str, Any]]
) -> None:
    """An image with its version, memory limited, and CPU asked for but not throttled."""
    assert isinstance(of_pod, dict)
    for container in containers:
        assert re.fullmatch(r"[\w./-]+:\d+\.\d+\.\d+", container["image"])
        assert container["resources"]["requests"].keys() == {"cpu", "memory"}
        assert container["resources"]["limits"].keys() == {"memory"}


def test_the_namespace_enforces_what_the_pods_keep() -> None:
    """So a later change that asks for more is refused by the cluster."""
    labels = resource("namespace-Namespace")["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"


def processor_containers() -> list[dict[str, Any]]:
    """Return the containers of the processor, of both ways of running it."""
    own = resource("processor-StatefulSet")["spec"]["template"]["spec"]["containers"]
    return [*own, *resource("beside-OpenTelemetryCollector")["spec"]["additionalContainers"]]


@pytest.mark.parametrize("container", processor_containers(), ids=["own pod", "beside"])
def test_the_processor_is_probed_where_it_answers(container: dict[str, Any]) -> None:
    """Ready and alive are asked at the port of its page, which has a name; a slow start is not taken for death."""
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    probes = {
        kind: container[kind]["httpGet"]
        for kind in ("startupProbe", "readinessProbe", "livenessProbe")
    }
    assert {ports[probe["port"]] for probe in probes.values()} == {19464}
    assert [probe["path"] for probe in probes.values()] == ["/readyz", "/readyz", "/healthz"]
    start = container["startupProbe"]
    assert start["periodSeconds"] * start["failureThreshold"] >= 60


def test_the_processor_reads_its_configuration(tmp_path: Path) -> None:
    """What the ConfigMap holds is valid, is where the command looks, and its listeners are the ports of container, service and policy."""
    spec = resource("processor-StatefulSet")["spec"]["template"]["spec"]
    (container,) = spec["containers"]
    volumes = {volume["name"]: volume for volume in spec["volumes"]}
    (mount,) = [one for one in container["volumeMounts"] if one["mountPath"] == "/etc/otel-ml"]
    said = resource("processor-ConfigMap")
    assert volumes[mount["name"]]["configMap"]["name"] == said["metadata"]["name"]
    option, path = container["args"]
    assert option == "--config"
    file = tmp_path / Path(path).name
    file.write_text(said["data"][file.name])
    config = load_config(file)
    assert (config.mode, config.insecure_bind, config.receive.http) == ("tee", True, None)
    listens = {"otlp-grpc": config.receive.endpoint, "http": config.http.endpoint}
    assert {
        port["name"]: f"0.0.0.0:{port['containerPort']}" for port in container["ports"]
    } == listens
    served = resource("processor-Service")["spec"]["ports"]
    assert {port["targetPort"]: f"0.0.0.0:{port['port']}" for port in served} == listens
    mounted = {one["mountPath"] for one in container["volumeMounts"]}
    assert config.state.directory is not None
    assert {str(Path(config.state.directory).parent), "/tmp"} <= mounted
    assert all(Path(profile).parent.as_posix() in mounted for profile in profiles_named(said))


def profiles_named(config_map: Resource) -> list[str]:
    """Return the profiles that the comment in the configuration shows."""
    found = re.findall(r"# profiles: \[(.+)\]", config_map["data"]["processor.yaml"])
    assert found
    return found


def test_beside_a_collector_the_processor_is_reached_by_it_alone() -> None:
    """Its settings are valid; its doors are on the pod's own loopback, and so is the collector's for what comes back."""
    (container,) = resource("beside-OpenTelemetryCollector")["spec"]["additionalContainers"]
    options = container["args"]
    assert set(options[::2]) == {"--set"}
    config = load_config(None, options[1::2])
    collector = resource("beside-OpenTelemetryCollector")["spec"]["config"]
    assert collector["exporters"]["otlp/otel_ml"]["endpoint"] == config.receive.endpoint
    back = collector["receivers"]["otlp/otel_ml_return"]["protocols"]["grpc"]["endpoint"]
    assert back == config.emit.endpoint
    assert config.receive.endpoint.startswith("127.0.0.1:")
    assert back.startswith("127.0.0.1:")
    assert config.http.endpoint == "0.0.0.0:19464"


def test_all_that_is_about_the_processor_selects_its_pods() -> None:
    """Service, disruption budget, spread and policy speak of the pods that the set makes."""
    pod = resource("processor-StatefulSet")["spec"]
    assert pod["template"]["metadata"]["labels"] == PROCESSOR
    assert pod["selector"]["matchLabels"] == PROCESSOR
    (spread,) = pod["template"]["spec"]["topologySpreadConstraints"]
    assert spread["labelSelector"]["matchLabels"] == PROCESSOR
    assert resource("processor-Service")["spec"]["selector"] == PROCESSOR
    budget = resource("processor-PodDisruptionBudget")["spec"]
    assert budget["selector"]["matchLabels"] == PROCESSOR
    policy = resource("processor-NetworkPolicy")["spec"]
    assert policy["podSelector"]["matchLabels"] == PROCESSOR


def test_the_gateway_knows_every_processor_by_a_name_that_stays() -> None:
    """The pods of the set, by the service that names them; and they answer to the gateway."""
    pods = resource("processor-StatefulSet")
    name, namespace = pods["metadata"]["name"], pods["metadata"]["namespace"]
    service = resource("processor-Service")
    assert service["spec"]["clusterIP"] == "None"
    assert pods["spec"]["serviceName"] == service["metadata"]["name"]
    expected = [
        f"{name}-{n}.{service['metadata']['name']}.{namespace}.svc.cluster.local:14317"
        for n in range(pods["spec"]["replicas"])
    ]
    gateway = resource("gateway-OpenTelemetryCollector")
    balancer = gateway["spec"]["config"]["exporters"]["loadbalancing/otel_ml"]
    assert balancer["resolver"] == {"static": {"hostnames": expected}}


def test_addresses_of_the_gateway_are_those_of_its_service() -> None:
    """The operator calls it NAME-collector; processors, sidecars and instrumented services say so, each with a port that is listened on."""
    gateway = resource("gateway-OpenTelemetryCollector")
    service = f"{gateway['metadata']['name']}-collector.{gateway['metadata']['namespace']}.svc.cluster.local"
    receivers = gateway["spec"]["config"]["receivers"]
    protocols = {**receivers["otlp"]["protocols"]}
    back = receivers["otlp/otel_ml_return"]["protocols"]["grpc"]
    ports = {key: value["endpoint"].rpartition(":")[2] for key, value in protocols.items()}
    sidecar = resource("sidecar-OpenTelemetryCollector")["spec"]["config"]["exporters"]["otlp"]
    assert sidecar["endpoint"] == f"{service}:{ports['grpc']}"
    injected = resource("instrumentation-Instrumentation")["spec"]["exporter"]["endpoint"]
    assert injected == f"http://{service}:{ports['http']}"
    config = yaml.safe_load(resource("processor-ConfigMap")["data"]["processor.yaml"])
    assert config["emit"]["endpoint"] == f"{service}:{back['endpoint'].rpartition(':')[2]}"


def allowed(policy: Resource, labels: dict[str, str], way: str) -> set[int]:
    """Return the ports that *policy* opens `ingress` from, or `egress` to, pods with *labels* of the same namespace."""
    side = {"ingress": "from", "egress": "to"}[way]
    return {
        port["port"]
        for rule in policy["spec"].get(way, [])
        for port in rule["ports"]
        if {"podSelector": {"matchLabels": labels}} in rule[side]
    }


def test_what_speaks_with_each_other_may() -> None:
    """Gateway to processor with spans, processor to gateway with results, and neither with more."""
    processor, gateway = (resource(f"{one}-NetworkPolicy") for one in ("processor", "gateway"))
    assert gateway["spec"]["podSelector"]["matchLabels"] == GATEWAY
    assert allowed(processor, GATEWAY, "ingress") == {14317}
    assert allowed(processor, GATEWAY, "egress") == {14319}
    assert allowed(gateway, PROCESSOR, "ingress") == {14319}
    assert processor["spec"]["policyTypes"] == ["Ingress", "Egress"]


def said_by_default(value: Any) -> Any:
    """Return *value* with the defaults of the variables in it."""
    if isinstance(value, dict):
        return {key: said_by_default(one) for key, one in value.items()}
    if isinstance(value, list):
        return [said_by_default(one) for one in value]
    found = DEFAULT.fullmatch(value) if isinstance(value, str) else None
    return yaml.safe_load(found[1]) if found else value


@pytest.mark.parametrize(
    ("name", "fragment"),
    [
        ("gateway-OpenTelemetryCollector", "otel-ml-gateway.yaml"),
        ("beside-OpenTelemetryCollector", "otel-ml.yaml"),
    ],
)
def test_a_collector_here_has_the_fragment_that_is_tested(name: str, fragment: str) -> None:
    """Processors, exporters and the pipeline of the copy are those of the fragment, but for the addresses."""
    config = copy.deepcopy(resource(name)["spec"]["config"])
    expected = said_by_default(yaml.safe_load((CONFIG / fragment).read_text()))
    for parts in (config["exporters"], expected["exporters"]):
        parts.get("loadbalancing/otel_ml", {}).pop("resolver", None)
    for kind in ("processors", "exporters"):
        assert expected[kind].items() <= config[kind].items()
    pipelines = config["service"]["pipelines"]
    assert pipelines["traces/otel_ml"] == expected["service"]["pipelines"]["traces/otel_ml"]
    back = {name for name, one in pipelines.items() if "otlp/otel_ml_return" in one["receivers"]}
    assert back == {"traces", "metrics", "logs"}

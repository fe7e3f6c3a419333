"""What the declarative configuration file says: where telemetry goes, and of each instrumentor."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import fields
from functools import partial
from typing import Any, Final, NamedTuple

from otel_ml.doctor.exporting import SIGNALS, Destination, default_endpoint, without_credentials
from otel_ml.doctor.findings import Finding
from otel_ml.doctor.listening import listening

__all__ = ["DeclaredFile", "read_declared"]

_PROTOCOLS: Final = {"otlp_grpc": "grpc", "otlp_http": "http/protobuf"}
_PROVIDERS: Final = {"traces": "tracer", "metrics": "meter", "logs": "logger"}


class DeclaredFile(NamedTuple):
    """
    A declarative file, as far as it matters here.

    Attributes:
        blocks: The options of each instrumentor.
        destinations: Where each signal goes.
        makers: What makes the exporter of each destination of traces, in the same order.
        findings: What is off.
    """

    blocks: Mapping[str, Mapping[str, Any]]
    destinations: list[Destination]
    makers: Sequence[Callable[[], Any]]
    findings: list[Finding]


def read_declared(path: str, instrumentors: Collection[str]) -> DeclaredFile:
    """Return what the file at *path* says, with a finding where it cannot be read."""
    try:
        from opentelemetry.configuration import load_config_file
    except ImportError:
        return _unread(
            "OTEL_CONFIG_FILE is set, and nothing here reads it",
            "pip install opentelemetry-configuration",
        )
    try:
        with listening():
            config = load_config_file(path)
    except Exception as error:  # noqa: BLE001 - whatever it is, the SDK would not start either
        told = " ".join(str(error).split())
        return _unread(f"OTEL_CONFIG_FILE={path}: {told}", "mend the file")
    if config.disabled:
        return _unread(f"{path} switches all telemetry off", "take `disabled: true` out")
    written = config.instrumentation_development
    blocks = {str(name): block for name, block in ((written and written.python) or {}).items()}
    ours = {name: dict(block or {}) for name, block in blocks.items() if name.startswith("ml_")}
    findings = list(_findings(path, ours, instrumentors))
    for block in ours.values():
        block.pop("enabled", None)
    known = {name: block for name, block in ours.items() if name in instrumentors}
    makers = [partial(_make, exporter) for _, exporter in _exporters(config, "traces")]
    return DeclaredFile(known, list(_destinations(path, config)), makers, findings)


def _make(exporter: Any) -> Any:
    # There is no public way to what the SDK makes of a file but to set up all of it.
    from opentelemetry.configuration._tracer_provider import _create_span_exporter

    return _create_span_exporter(exporter)


def _unread(said: str, remedy: str) -> DeclaredFile:
    return DeclaredFile({}, [], [], [Finding(said, remedy)])


def _findings(
    path: str, blocks: Mapping[str, Mapping[str, Any]], instrumentors: Collection[str]
) -> Iterator[Finding]:
    for name, block in blocks.items():
        if name not in instrumentors:
            yield Finding(
                f"{path}: there is no instrumentor {name}",
                f"known: {', '.join(sorted(instrumentors))}",
            )
        elif not block.get("enabled", True):
            yield Finding(
                f"{path}: {name}: `enabled: false` does not keep opentelemetry-instrument from it",
                f"set OTEL_PYTHON_DISABLED_INSTRUMENTATIONS={name}",
            )


def _destinations(path: str, config: Any) -> Iterator[Destination]:
    for signal in SIGNALS:
        found = [
            _destination(path, signal, name, exporter)
            for name, exporter in _exporters(config, signal)
        ]
        yield from found or [Destination(signal, "none", said_by=path)]


def _destination(path: str, signal: str, name: str, exporter: Any) -> Destination:
    if name not in _PROTOCOLS:
        return Destination(signal, name, said_by=path)
    protocol = _PROTOCOLS[name]
    endpoint = getattr(exporter, name).endpoint or default_endpoint(protocol, signal)
    return Destination(signal, "otlp", protocol, without_credentials(endpoint), path)


def _exporters(config: Any, signal: str) -> Iterator[tuple[str, Any]]:
    """Yield the kind of each exporter of *signal* and the node that holds it."""
    provider = getattr(config, f"{_PROVIDERS[signal]}_provider")
    nodes = getattr(provider, "readers" if signal == "metrics" else "processors", None) or []
    for node in nodes:
        for field in fields(node):
            exporter = getattr(getattr(node, field.name), "exporter", None)
            if exporter is not None:
                yield _kind(exporter), exporter


def _kind(exporter: Any) -> str:
    for field in fields(exporter):
        if getattr(exporter, field.name) is not None:
            return field.name
    return next(iter(getattr(exporter, "additional_properties", None) or {}), "unknown")

"""Where telemetry would go from here: which exporters, which endpoints, and what says so."""

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from importlib.metadata import entry_points
from typing import Final, NamedTuple

from otel_ml.doctor.findings import Finding

__all__ = [
    "SIGNALS",
    "Destination",
    "about_destinations",
    "as_started",
    "default_endpoint",
    "destinations",
    "why_nothing_loads",
    "why_nothing_starts",
    "without_credentials",
    "without_queries",
]

SIGNALS: Final = ("traces", "metrics", "logs")
_DEFAULT_PORT: Final = {"grpc": 4317, "http/protobuf": 4318}
_PROTOCOL_OF_EXPORTER: Final = {"otlp_proto_grpc": "grpc", "otlp_proto_http": "http/protobuf"}


class Destination(NamedTuple):
    """
    Where one signal goes.

    Attributes:
        signal: `traces`, `metrics` or `logs`.
        exporter: `otlp`, the name of another exporter, or `none`.
        protocol: `grpc` or `http/protobuf` for `otlp`; whatever else was asked for, as it was.
        endpoint: For `otlp`, where requests are sent.
        said_by: The variable or file that says it, else `default`.
    """

    signal: str
    exporter: str
    protocol: str = ""
    endpoint: str = ""
    said_by: str = "default"


@contextmanager
def as_started() -> Iterator[Mapping[str, str]]:
    """Yield the environment as a program finds it that `opentelemetry-instrument` has started."""
    before = dict(os.environ)
    try:
        wanted = os.environ.get("OTEL_PYTHON_DISTRO")
        for point in entry_points(group="opentelemetry_distro"):
            if wanted in {None, point.name}:
                point.load()().configure()
                break
        yield os.environ
    finally:
        os.environ.clear()
        os.environ.update(before)


def why_nothing_loads() -> Finding | None:
    """Return what keeps OpenTelemetry from being imported: a variable that it reads then, say; None where nothing does."""
    try:
        import_module("opentelemetry.instrumentation.instrumentor")
        wanted = os.environ.get("OTEL_PYTHON_CONFIGURATOR")
        for point in entry_points(group="opentelemetry_configurator"):
            if wanted in {None, point.name}:
                point.load()
        with as_started():
            pass
    except Exception as error:  # noqa: BLE001 - whatever it is, the program would start without telemetry
        told = " ".join(str(error).split()) or type(error).__name__
        return Finding(f"OpenTelemetry cannot be loaded: {told}", "mend what it names")
    return None


def why_nothing_starts(environment: Mapping[str, str]) -> Finding | None:
    """Return what keeps an SDK from being set up at all, None where nothing does."""
    if environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return Finding(
            "OTEL_SDK_DISABLED=true switches all telemetry off", "unset it, or set it to false"
        )
    known = [point.name for point in entry_points(group="opentelemetry_configurator")]
    wanted = environment.get("OTEL_PYTHON_CONFIGURATOR")
    if known and wanted not in {None, *known}:
        return Finding(
            f"OTEL_PYTHON_CONFIGURATOR={wanted} is not installed, so nothing sets up an "
            "OpenTelemetry SDK",
            f"unset it; known: {', '.join(sorted(known))}",
        )
    if not known:
        return Finding(
            "nothing here sets up an OpenTelemetry SDK, so nothing is sent unless the program does "
            "it itself",
            "pip install 'otel-ml[otlp]'",
        )
    return None


def destinations(environment: Mapping[str, str]) -> list[Destination]:
    """Return where each signal goes by *environment*, several where it goes to several places."""
    return [destination for signal in SIGNALS for destination in _destinations(environment, signal)]


def _destinations(environment: Mapping[str, str], signal: str) -> list[Destination]:
    variable = f"OTEL_{signal.upper()}_EXPORTER"
    names = environment.get(variable, "").strip()
    if names.lower() in {"", "none"}:
        return [Destination(signal, "none", said_by=variable if names else "default")]
    return [_destination(environment, signal, name.strip(), variable) for name in names.split(",")]


def _destination(
    environment: Mapping[str, str], signal: str, name: str, variable: str
) -> Destination:
    if name != "otlp" and name not in _PROTOCOL_OF_EXPORTER:
        return Destination(signal, name, said_by=variable)
    _, protocol = _first(environment, signal, "PROTOCOL")
    protocol = _PROTOCOL_OF_EXPORTER.get(name, protocol or "grpc")
    said, endpoint = _first(environment, signal, "ENDPOINT")
    if not endpoint:
        return Destination(signal, "otlp", protocol, default_endpoint(protocol, signal))
    is_whole = protocol == "grpc" or signal.upper() in said
    whole = endpoint if is_whole else f"{endpoint.rstrip('/')}/v1/{signal}"
    return Destination(signal, "otlp", protocol, without_credentials(whole), said)


def _is_installed(destination: Destination) -> bool:
    if destination.exporter in {"none", "otlp"}:  # the one is none, the other is tried
        return True
    group = f"opentelemetry_{destination.signal}_exporter"
    return bool(entry_points(group=group, name=destination.exporter))


def without_credentials(endpoint: str) -> str:
    """Return *endpoint* as it may be shown: without name and password before its host, without a query."""
    return without_queries(re.sub(r"(//|^)[^/]*@", r"\1", endpoint))


def without_queries(text: str) -> str:
    """Return *text* without what follows the question mark of an address: it may be a key."""
    return re.sub(r"(/[^\s?]*)\?[^\s'\")]+", r"\1?...", text)


def default_endpoint(protocol: str, signal: str) -> str:
    """Return where exporters send *signal* to unless they are told."""
    path = "" if protocol == "grpc" else f"/v1/{signal}"
    return f"http://localhost:{_DEFAULT_PORT.get(protocol, 4318)}{path}"


def _first(environment: Mapping[str, str], signal: str, what: str) -> tuple[str, str]:
    """Return the variable that says it, the signal's own first, and what it says."""
    for variable in (f"OTEL_EXPORTER_OTLP_{signal.upper()}_{what}", f"OTEL_EXPORTER_OTLP_{what}"):
        if value := environment.get(variable, "").strip():
            return variable, value
    return "", ""


def about_destinations(
    environment: Mapping[str, str], found: Iterable[Destination]
) -> Iterator[Finding]:
    """Yield what keeps spans from going anywhere."""
    for destination in found:
        if destination.exporter == "none" and destination.signal == "traces":
            speaker = "nothing" if destination.said_by == "default" else destination.said_by
            says = "names an" if speaker == "nothing" else "names no"
            yield Finding(
                f"spans go nowhere: {speaker} {says} exporter of traces",
                "set OTEL_TRACES_EXPORTER=otlp"
                if destination.said_by.startswith(("OTEL_", "default"))
                else "add a processor with an exporter below `tracer_provider`",
            )
        elif not _is_installed(destination):
            yield Finding(
                f"{destination.said_by} names an exporter that is not installed: "
                f"{destination.exporter or repr('')}",
                f"install it, or set {destination.said_by}=otlp",
            )
    sampler = environment.get("OTEL_TRACES_SAMPLER", "").strip().lower()
    if sampler.endswith("always_off"):
        yield Finding(f"OTEL_TRACES_SAMPLER={sampler} records no span", "unset it")

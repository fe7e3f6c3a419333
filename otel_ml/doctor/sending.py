"""One span, sent for real; and where it is not acknowledged, why not, in plain words."""

import os
import re
from collections.abc import Callable
from importlib.metadata import entry_points
from threading import TIMEOUT_MAX, Thread
from time import perf_counter
from typing import Any, Final, NamedTuple
from urllib.request import getproxies

from otel_ml.doctor.exporting import Destination, without_queries
from otel_ml.doctor.findings import Finding
from otel_ml.doctor.listening import Answer, hearing_answers, listening
from otel_ml.doctor.reaching import Address, address_of, spoken_at, why_no_tls, why_unreachable

__all__ = ["Sent", "exporter_of_environment", "send"]

_PATIENCE_SECONDS: Final = 5
_TIMEOUTS: Final = ("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "OTEL_EXPORTER_OTLP_TIMEOUT")
_EXPORTERS: Final = {"grpc": "otlp_proto_grpc", "http/protobuf": "otlp_proto_http"}
_SPOKEN: Final = {"grpc": "gRPC", "http/protobuf": "HTTP"}
_USUAL_PORT: Final = {"gRPC": 4317, "HTTP": 4318}
_DEADLINE_SECONDS: Final = 10.0  # what OTLP gives a request, unless a variable says otherwise
_GRACE_SECONDS: Final = 5.0  # for the exporter's own word on why it gave up, on a busy machine too
_REDIRECTS: Final = range(300, 400)
_PAGES: Final = ("text/html", "application/xhtml")
_LATE: Final = re.compile(r"DEADLINE_EXCEEDED|[Tt]imed? ?out")
_NEXT_TRY: Final = re.compile(r", retrying in [\d.]+s")
_OTHER_PROTOCOL: Final = {"gRPC": "grpc", "HTTP": "http/protobuf"}


class Sent(NamedTuple):
    """
    What became of the test span.

    Attributes:
        endpoint: Where it was sent.
        trace_id: Its trace, to be looked for; empty where it was not even sent.
        seconds: How long the acknowledgement took, None where there was none.
        finding: What is off, None where it was acknowledged.
    """

    endpoint: str
    trace_id: str
    seconds: float | None
    finding: Finding | None


def exporter_of_environment(protocol: str) -> Any:
    """
    Return the exporter of spans that the SDK would make for *protocol*.

    Raises:
        LookupError: If it is not installed.
        Exception: Whatever making it raises: a file of a certificate that is not there, say.
    """
    name = _EXPORTERS.get(protocol, protocol)
    for point in entry_points(group="opentelemetry_traces_exporter", name=name):
        is_told = any(os.environ.get(variable) for variable in _TIMEOUTS)
        return point.load()(**({} if is_told else {"timeout": _PATIENCE_SECONDS}))
    raise LookupError(name)


def send(destination: Destination, make: Callable[[], Any]) -> Sent:
    """Send one span by the exporter that *make* gives, and return what became of it."""
    if destination.protocol not in _EXPORTERS:
        return _unsent(
            destination,
            f"protocol {destination.protocol!r} is not known to the SDK",
            "set OTEL_EXPORTER_OTLP_PROTOCOL to grpc or http/protobuf",
        )
    try:
        address = address_of(destination.endpoint, destination.protocol)
    except ValueError as error:
        return _unsent(
            destination,
            f"the endpoint {destination.endpoint!r} cannot be used: {error}",
            f"mend {destination.said_by}",
        )
    is_direct = not getproxies()  # behind a proxy only the exporters know the way
    finding = why_unreachable(address, destination.said_by) if is_direct else None
    if finding is None and is_direct and address.is_secure:
        finding = why_no_tls(address)
    if finding is not None:
        return Sent(destination.endpoint, "", None, finding)
    return _export(destination, address, make)


def _unsent(destination: Destination, said: str, remedy: str) -> Sent:
    return Sent(destination.endpoint, "", None, Finding(said, remedy))


def _export(destination: Destination, address: Address, make: Callable[[], Any]) -> Sent:
    try:
        with listening():
            exporter = make()
    except LookupError as error:
        return _unsent(
            destination, f"the exporter {error} is not installed", "pip install 'otel-ml[otlp]'"
        )
    except Exception as error:  # noqa: BLE001 - the SDK would fail on it just so
        return _unsent(
            destination,
            f"the exporter cannot be made: {error}",
            "mend the variable or file that says it",
        )
    span, trace_id = _test_span()
    with listening() as complaints, hearing_answers() as answers:
        started = perf_counter()
        is_acknowledged = _is_acknowledged_in_time(exporter, span, complaints)
        seconds = perf_counter() - started
    if _is_redirected(answers):
        finding = _elsewhere(destination, address)
    elif is_acknowledged and _is_page(answers):
        finding = _page(destination)
    elif is_acknowledged:
        return Sent(destination.endpoint, trace_id, seconds, None)
    else:
        finding = _diagnosis(destination, address, [*map(without_queries, complaints)])
    return Sent(destination.endpoint, trace_id, None, finding)


def _is_acknowledged_in_time(exporter: Any, span: Any, complaints: list[str]) -> bool:
    """Whether it is, before a deadline: an exporter waits on as long as each byte comes in time."""
    results: list[bool] = []

    def ask() -> None:
        results.append(_is_acknowledged(exporter, span, complaints))

    thread = Thread(target=ask, name="otel-ml-doctor", daemon=True)
    thread.start()
    thread.join(_deadline() + _GRACE_SECONDS)
    if not results:
        complaints.append("timed out")
    return any(results)


def _deadline() -> float:
    """Return how many seconds there are for a span, as the variables have it."""
    told = next(filter(None, map(os.environ.get, _TIMEOUTS)), None)
    if told is None:
        return max(_PATIENCE_SECONDS, _DEADLINE_SECONDS)
    # Endless is more than a thread can be waited for; that it is a number, the exporter has found.
    return min(max(0.0, float(told)), TIMEOUT_MAX / 2)


def _is_acknowledged(exporter: Any, span: Any, complaints: list[str]) -> bool:
    try:
        is_acknowledged: bool = exporter.export([span]).name == "SUCCESS"
        exporter.shutdown()
    except Exception as error:  # noqa: BLE001 - an exporter may raise where it should return
        complaints.append(f"{type(error).__name__}: {error}")
        return False
    return is_acknowledged


def _test_span() -> tuple[Any, str]:
    """Return a span of this service that no processor takes for an inference, and its trace."""
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.sampling import ALWAYS_ON

    provider = TracerProvider(sampler=ALWAYS_ON, resource=Resource.create(), shutdown_on_exit=False)
    span = provider.get_tracer("otel_ml").start_span("otel-ml doctor")
    span.end()
    return span, f"{span.get_span_context().trace_id:032x}"


def _is_redirected(answers: list[Answer]) -> bool:
    """Whether the last of *answers* sends elsewhere, or is to who followed with another method, without the span."""
    last = answers[-1:]
    return any(each.method != "POST" or each.status in _REDIRECTS for each in last)


def _elsewhere(destination: Destination, address: Address) -> Finding:
    mend = f"say in {destination.said_by} where it is that takes traces"
    return Finding(
        f"{destination.endpoint} sends callers elsewhere, where spans do not follow",
        mend if address.is_secure else f"begin the endpoint with https://, or {mend}",
    )


def _is_page(answers: list[Answer]) -> bool:
    return any(each.content_type.startswith(_PAGES) for each in answers[-1:])


def _page(destination: Destination) -> Finding:
    return Finding(
        f"{destination.endpoint} answers with a web page, as a web server or the login of a proxy "
        "does, and takes no spans",
        f"say in {destination.said_by} where a collector takes traces, or in NO_PROXY that no proxy "
        "is to be asked",
    )


def _diagnosis(destination: Destination, address: Address, complaints: list[str]) -> Finding:
    where, complaint = destination.endpoint, " ".join(complaints)
    if re.search(r"\b(401|403|UNAUTHENTICATED|PERMISSION_DENIED)\b", complaint):
        return Finding(
            f"{where} does not let this caller in",
            "say who you are in OTEL_EXPORTER_OTLP_HEADERS (`authorization=Bearer%20...`)",
        )
    spoken, wanted = spoken_at(address), _SPOKEN[destination.protocol]
    if spoken == "TLS" and not address.is_secure:
        return Finding(f"{where} wants TLS", "begin the endpoint with https://")
    if spoken is not None and spoken != wanted:
        return Finding(
            f"{where} speaks {spoken}, and the protocol here is {destination.protocol}",
            f"set OTEL_EXPORTER_OTLP_PROTOCOL={_OTHER_PROTOCOL[spoken]}, or name the port for "
            f"{wanted}, usually {_USUAL_PORT[wanted]}",
        )
    if re.search(r"\b(404|405|UNIMPLEMENTED)\b", complaint):
        return Finding(f"{where} takes no traces in OTLP", _mended_path(destination))
    return Finding(
        f"{where} did not acknowledge the span{_reason(complaints)}",
        "look into the log of the collector there",
    )


def _reason(complaints: list[str]) -> str:
    """Return what the last of several tries failed by; that there was no time for another hides no reason."""
    reasons = [each for each in complaints if not _LATE.search(each)]
    if reasons:
        return f": {_NEXT_TRY.sub('', reasons[-1])}"
    return " in time" if complaints else ": no reason given"


def _mended_path(destination: Destination) -> str:
    if destination.protocol == "grpc" or destination.endpoint.endswith("/v1/traces"):
        return "name an OTLP receiver with a pipeline for traces"
    return f"end the endpoint with /v1/traces: what {destination.said_by} says is taken as it is"

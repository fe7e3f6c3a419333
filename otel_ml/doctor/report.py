"""Everything the doctor finds, looked at in the order in which a span comes about."""

import os
import platform
from collections.abc import Callable, Sequence
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import Any, Final, NamedTuple

from otel_ml.doctor.chosen import Captured, Choice, examine_settings
from otel_ml.doctor.declared import DeclaredFile, read_declared
from otel_ml.doctor.exporting import (
    Destination,
    about_destinations,
    as_started,
    destinations,
    why_nothing_loads,
    why_nothing_starts,
)
from otel_ml.doctor.findings import Finding
from otel_ml.doctor.frameworks import FrameworkState, examine_frameworks, our_instrumentors
from otel_ml.doctor.sending import Sent, exporter_of_environment, send

__all__ = ["Report", "examine", "is_compiled"]

_PARTS: Final = (
    "otel-ml",
    "opentelemetry-api",
    "opentelemetry-sdk",
    "opentelemetry-instrumentation",
)
_NOTHING_DECLARED: Final = DeclaredFile({}, [], [], [])


class Report(NamedTuple):
    """
    What the doctor found, for a program that `opentelemetry-instrument` would start here.

    Attributes:
        versions: Of what takes part, by name.
        frameworks: What is supported, and what of it is here.
        settings: Every option, its value and what says so.
        captured: What leaves the process, and what does not.
        destinations: Where each signal goes; none where nothing sets up an SDK.
        sent: What became of a test span at each destination of traces.
        findings: What is off; nothing where all is well.
    """

    versions: dict[str, str]
    frameworks: list[FrameworkState]
    settings: list[Choice]
    captured: list[Captured]
    destinations: list[Destination]
    sent: list[Sent]
    findings: list[Finding]


def examine(*, sends: bool) -> Report:
    """Look at everything, and send a test span where *sends* says so."""
    environment = dict(os.environ)
    file = environment.get("OTEL_CONFIG_FILE", "").strip()
    if breakage := why_nothing_loads():  # whatever is looked at then breaks likewise
        settings, captured, _ = examine_settings(environment, "", {})
        return Report(_versions(), [], settings, captured, [], [], [breakage])
    declared = read_declared(file, our_instrumentors()) if file else _NOTHING_DECLARED
    frameworks, findings = examine_frameworks(environment)
    settings, captured, unmeant = examine_settings(environment, file, declared.blocks)
    findings += [*unmeant, *declared.findings]
    found: list[Destination] = []
    sent: list[Sent] = []
    if obstacle := why_nothing_starts(environment):
        findings.append(obstacle)
    elif not file or declared.destinations:
        with as_started() as started:
            found = declared.destinations or destinations(started)
            findings += about_destinations({} if file else started, found)
            sent = [*_send(found, declared.makers)] if sends else []
    findings += [each.finding for each in sent if each.finding is not None]
    return Report(_versions(), frameworks, settings, captured, found, sent, findings)


def _send(found: list[Destination], makers: Sequence[Callable[[], Any]]) -> list[Sent]:
    of_traces = [each for each in found if each.signal == "traces" and each.exporter != "none"]
    makers = makers or [partial(exporter_of_environment, each.protocol) for each in of_traces]
    return [
        send(destination, make)
        for destination, make in zip(of_traces, makers, strict=True)
        if destination.exporter == "otlp"
    ]


def _versions() -> dict[str, str]:
    versions = {"python": platform.python_version(), **{part: _version(part) for part in _PARTS}}
    versions["the path of a call"] = "compiled" if is_compiled() else "in Python"
    return versions


def is_compiled() -> bool:
    """Whether the installed wheel is one in which the path of a call was compiled."""
    found = find_spec("otel_ml.recorder")
    return found is not None and not str(found.origin).endswith(".py")


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"

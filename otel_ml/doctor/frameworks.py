"""Which frameworks are installed here, and whether their calls would be observed."""

import re
from collections.abc import Iterable, Mapping
from importlib.metadata import EntryPoint, PackageNotFoundError, entry_points, version
from typing import Final, NamedTuple

from opentelemetry.instrumentation.dependencies import get_dependency_conflicts

from otel_ml.doctor.findings import Finding

__all__ = ["ACTIVE", "NOT_INSTALLED", "FrameworkState", "examine_frameworks", "our_instrumentors"]

ACTIVE: Final = "observed"
NOT_INSTALLED: Final = "not installed"
_SWITCHED_OFF: Final = "switched off"
_UNSUITABLE: Final = "not a version that is supported"
_BROKEN: Final = "its instrumentor cannot be loaded"
_UNREADABLE: Final = "its metadata cannot be read"

_DISABLED: Final = "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS"
_GROUP: Final = "opentelemetry_instrumentor"
_PREFIX: Final = "ml_"


class FrameworkState(NamedTuple):
    """
    A framework in this environment.

    Attributes:
        instrumentor: What the instrumentor is called in variables and files.
        requirement: What it is installed as, and which versions are supported.
        version: The version that is installed, None where there is none.
        state: What becomes of it.
    """

    instrumentor: str
    requirement: str
    version: str | None
    state: str


def our_instrumentors() -> dict[str, EntryPoint]:
    """Return the instrumentors of frameworks for machine learning, by name: ours and others'."""
    found = {
        point.name: point for point in entry_points(group=_GROUP) if point.name.startswith(_PREFIX)
    }
    return dict(sorted(found.items()))


def examine_frameworks(
    environment: Mapping[str, str],
) -> tuple[list[FrameworkState], list[Finding]]:
    """Return every framework that is supported, none of them imported, and what is off."""
    disabled = {name.strip() for name in environment.get(_DISABLED, "").split(",")}
    states = [_examine(point, disabled) for point in our_instrumentors().values()]
    return states, [*_about_each(states), *_about_all(states)]


def _examine(point: EntryPoint, disabled: set[str]) -> FrameworkState:
    try:
        requirement = " or ".join(point.load()().instrumentation_dependencies())
    except Exception as error:  # noqa: BLE001 - somebody else's module may raise anything
        return FrameworkState(point.name, f"{type(error).__name__}: {error}", None, _BROKEN)
    shown = requirement.replace(".dev0", "")
    try:
        found = _installed(requirement)
        fits = get_dependency_conflicts([requirement]) is None
    except Exception:  # noqa: BLE001 - what is damaged may raise anything
        return FrameworkState(point.name, shown, None, _UNREADABLE)
    if found is None:
        return FrameworkState(point.name, shown, None, NOT_INSTALLED)
    if not fits:
        return FrameworkState(point.name, shown, found, _UNSUITABLE)
    is_off = not disabled.isdisjoint({"*", point.name})
    return FrameworkState(point.name, shown, found, _SWITCHED_OFF if is_off else ACTIVE)


def _installed(requirement: str) -> str | None:
    name = re.match(r"[\w.-]+", requirement)
    try:
        return version(name.group()) if name else None
    except PackageNotFoundError:
        return None


def _about_each(states: Iterable[FrameworkState]) -> Iterable[Finding]:
    for state in states:
        if state.state == _UNSUITABLE:
            yield Finding(
                f"{state.instrumentor} does not observe version {state.version}",
                f"install {state.requirement}",
            )
        elif state.state == _UNREADABLE:
            yield Finding(
                f"{state.instrumentor} observes nothing: the metadata of what is installed cannot be read",
                f"reinstall {state.requirement}",
            )
        elif state.state == _BROKEN:
            yield Finding(
                f"{state.instrumentor} cannot be loaded: {state.requirement}",
                "reinstall the distribution that it comes from",
            )


def _about_all(states: list[FrameworkState]) -> Iterable[Finding]:
    if any(state.state == ACTIVE for state in states):
        return
    if any(state.state == _SWITCHED_OFF for state in states):
        yield Finding(
            f"every framework that is installed is switched off by {_DISABLED}",
            "take the names out that are to be observed",
        )
    elif all(state.state == NOT_INSTALLED for state in states):
        yield Finding(
            "no framework that is supported is installed in this environment",
            "run otel-ml with the Python of the service, as `python -m otel_ml doctor`",
        )

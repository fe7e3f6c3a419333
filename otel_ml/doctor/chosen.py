"""Which settings are in force, where each comes from, and which choices cannot be meant."""

import difflib
from collections.abc import Iterable, Mapping
from importlib.machinery import PathFinder
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final, NamedTuple

from otel_ml.doctor.findings import Finding
from otel_ml.settings import Option, OptionError, Settings, options, read_environment

__all__ = ["Captured", "Choice", "examine_settings"]

_OURS: Final = ("OTEL_INSTRUMENTATION_ML_", "OTEL_ML_")
_NEAR: Final = (
    0.5  # of two words, how alike they are: one of two parts that is left out is near, too
)
_CONTENT_TOLD: Final = {
    "span_only": "feature values on spans",
    "event_only": "feature values on events",
    "span_and_event": "feature values on spans and events",
}


# What follows from a function that is not there.
_WITHOUT_HOOK: Final = {
    "content_hook": "with this hook no content is sent",
    "before_capture": "with this hook no content is sent",
    "after_capture": "with this hook no attributes are added",
}


class Choice(NamedTuple):
    """
    An option as it is in force.

    Attributes:
        option: Its name.
        value: Its value, as text.
        said_by: `default`, the variable, or the file with the instrumentors it says it for.
    """

    option: str
    value: str
    said_by: str


class Captured(NamedTuple):
    """
    What is told of a call, in words.

    Attributes:
        instrumentor: Of whose calls; empty for all that the file says nothing of.
        leaves: What leaves the process.
        stays: What does not.
    """

    instrumentor: str
    leaves: str
    stays: str


def examine_settings(
    environment: Mapping[str, str], file: str, blocks: Mapping[str, Mapping[str, Any]]
) -> tuple[list[Choice], list[Captured], list[Finding]]:
    """
    Return every option as it is in force, what is captured under them, and what is off.

    Args:
        environment: The variables.
        file: Name of the declarative file.
        blocks: What it says of each instrumentor of ours.
    """
    read, complaints = read_environment(environment)
    settings = Settings(**read)
    findings = [Finding(complaint, "mend the variable") for complaint in complaints]
    findings += [*_unknown_variables(environment), *_contradictions(settings)]
    choices = [_choice(name, option, settings, read) for name, option in options().items()]
    captures = [_captured("", settings)]
    for name, block in blocks.items():
        try:
            chosen = settings.with_options(block)
        except OptionError as error:
            findings.append(
                Finding(f"{file}: {name}: {error}", f"mend it; until then {name} observes nothing")
            )
            continue
        findings += _contradictions(chosen)
        captures.append(_captured(name, chosen))
        choices += [_declared(option, chosen, f"{file}, {name}") for option in block]
    order = list(options())
    choices.sort(key=lambda choice: order.index(choice.option))
    return choices, captures, list(dict.fromkeys(findings))


def _declared(name: str, settings: Settings, said_by: str) -> Choice:
    return Choice(name, _shown(options()[name], getattr(settings, name)), said_by)


def _choice(name: str, option: Option, settings: Settings, read: Mapping[str, Any]) -> Choice:
    said_by = option.variable if name in read and option.variable else "default"
    return Choice(name, _shown(option, getattr(settings, name)), said_by)


def _shown(option: Option, value: Any) -> str:
    if value is None or value == ():
        return "none"
    if option.is_secret:
        return "set"
    if isinstance(value, bool):
        return str(value).lower()
    return ", ".join(value) if isinstance(value, tuple) else str(value)


def _unknown_variables(environment: Mapping[str, str]) -> Iterable[Finding]:
    known = [option.variable for option in options().values() if option.variable]
    by_ending = {_ending(variable): variable for variable in known}
    for name in sorted(environment):
        if name.startswith(_OURS) and name not in known:
            near = difflib.get_close_matches(_ending(name), by_ending, n=1, cutoff=_NEAR)
            remedy = f"did you mean {by_ending[near[0]]}?" if near else "take it out"
            yield Finding(f"{name} is set, and nothing reads it", remedy)


def _ending(variable: str) -> str:
    """Return what tells a variable from the others: all are alike in what they begin with."""
    for beginning in _OURS:
        variable = variable.removeprefix(beginning)
    return variable


def _contradictions(settings: Settings) -> Iterable[Finding]:
    if settings.validation == "profile" and settings.profile is None:
        yield Finding(
            "validation compares with a profile, and none is named", "set OTEL_ML_PROFILE"
        )
    if settings.profile is not None and not Path(settings.profile).is_file():
        yield Finding(f"there is no profile file {settings.profile!r}", "mend OTEL_ML_PROFILE")
    if settings.validation_blocks and settings.validation == "off":
        yield Finding(
            "calls are to be rejected by a validation that is off",
            "set OTEL_INSTRUMENTATION_ML_VALIDATION to basic or profile",
        )
    for name in _WITHOUT_HOOK:
        yield from _unfound(name, getattr(settings, name))


def _unfound(name: str, place: object) -> Iterable[Finding]:
    if isinstance(place, str) and not _is_there(place):
        yield Finding(
            f"{name}: {place!r} is not found; {_WITHOUT_HOOK[name]}",
            "mend its name, or put its module where the service finds it",
        )


def _is_there(place: str) -> bool:
    """Whether there is such a hook, without importing it, which would run the user's program."""
    module, colon, _ = place.partition(":")
    if not colon:
        return bool(entry_points(group="otel_ml_content_hook", name=place))
    package = module.partition(".")[0]
    try:
        is_installed = find_spec(package) is not None
    except ValueError:  # `__main__`, which is another module there
        return True
    return is_installed or PathFinder.find_spec(package, [""]) is not None


def _captured(instrumentor: str, settings: Settings) -> Captured:
    leaves = ["names, sizes, types, counts"]
    stays: list[str] = []
    (stays if settings.capture_outputs == "none" else leaves).append(
        "predicted class, confidence, entropy, margin"
    )
    (leaves if settings.capture_outputs == "full" else stays).append(
        "predicted numbers, scores, probabilities"
    )
    told = _CONTENT_TOLD.get(settings.capture_content)
    (leaves if told else stays).append(told or "feature values")
    (leaves if settings.capture_input_hash else stays).append("a keyed hash of the input")
    (leaves if settings.capture_exception_messages else stays).append("messages of exceptions")
    return Captured(instrumentor, ", ".join(leaves), ", ".join(stays) or "nothing")

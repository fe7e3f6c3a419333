"""What a user may choose about the instrumentation: one definition for every way of choosing it."""

import os
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cache
from logging import getLogger
from typing import Any, Final, Literal, NamedTuple

from otel_ml import environment_variables as variables

__all__ = [
    "ContentMode",
    "Hook",
    "Option",
    "OptionError",
    "OutputMode",
    "Settings",
    "ValidationMode",
    "options",
    "read_environment",
]

ContentMode = Literal["no_content", "span_only", "event_only", "span_and_event"]
OutputMode = Literal["none", "summary", "full"]
ValidationMode = Literal["off", "basic", "profile"]
Hook = Callable[..., Any] | str  # a function, or where to find it: "module:function"

_logger = getLogger("otel_ml")


class OptionError(ValueError):
    """An option that is not known, or does not take its value."""


class _Kind(NamedTuple):
    """What an option takes, in words, and what reads it; ValueError for anything else."""

    takes: str
    read: Callable[[object], Any]


def _one_of(*values: str) -> _Kind:
    def read(value: object) -> str:
        word = "off" if value is False else value  # what YAML makes of a plain `off`
        if not isinstance(word, str) or word.lower() not in values:
            raise ValueError
        return word.lower()

    return _Kind(f"one of {', '.join(values)}", read)


def _read_count(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, (int, str)) or int(value) < 1:
        raise ValueError
    return min(int(value), sys.maxsize)  # what is taken of a sequence is never more


def _read_truth(value: object) -> bool:
    if isinstance(value, bool):
        return value
    return bool(_one_of("true", "false").read(value) == "true")


def _read_globs(value: object) -> tuple[str, ...]:
    globs = value.split(",") if isinstance(value, str) else value
    if not isinstance(globs, (list, tuple)) or not all(isinstance(glob, str) for glob in globs):
        raise ValueError
    return tuple(glob.strip() for glob in globs if glob.strip())


def _read_text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError  # noqa: TRY004 - one class for whatever an option does not take
    return value


def _function(takes: str, place: str) -> _Kind:
    def read(value: object) -> object:
        if callable(value) or (isinstance(value, str) and re.fullmatch(place, value)):
            return value
        raise ValueError

    return _Kind(takes, read)


_COUNT: Final = _Kind("a whole number of at least 1", _read_count)
_TRUTH: Final = _Kind("true or false", _read_truth)
_GLOBS: Final = _Kind("a list of globs, as text with commas between them", _read_globs)
_TEXT: Final = _Kind("text", _read_text)
_FUNCTION: Final = _function("a function, as text `module:function`", r"[\w.]+:[\w.]+")
_HOOK: Final = _function(
    "a function, as text `module:function` or the name of an entry point of the group "
    "`otel_ml_content_hook`",
    r"[\w.-]+(:[\w.]+)?",
)


class Option(NamedTuple):
    """
    What a field of `Settings` is to those who choose.

    Attributes:
        variable: The environment variable that sets it, None where only code and files can.
        takes: What it takes, in words.
        read: Gives the value that is meant, also by its text; ValueError for what it does not take.
        meaning: What it does, in one sentence or two.
        is_secret: Whether the value must not be shown.
    """

    variable: str | None
    takes: str
    read: Callable[[object], Any]
    meaning: str
    is_secret: bool


def _told(
    kind: _Kind, variable: str | None, meaning: str, *, is_secret: bool = False
) -> dict[str, Option]:
    return {"option": Option(variable, kind.takes, kind.read, meaning, is_secret)}


@dataclass(frozen=True, slots=True)
class Settings:
    """
    Everything that can be chosen, with the safe default.

    Option by option, what code says comes before the declarative file, this before the
    environment, this before the default. Constructed directly it takes what it is given, until
    something is to be observed by it; `from_environment` and `with_options` check.
    """

    capture_content: ContentMode = field(
        default="no_content",
        metadata=_told(
            _one_of("no_content", "span_only", "event_only", "span_and_event"),
            variables.OTEL_INSTRUMENTATION_ML_CAPTURE_CONTENT,
            "Where feature values go: nowhere, onto spans (which drift of features needs), onto "
            "`ml.prediction.details` events, or both.",
        ),
    )
    capture_outputs: OutputMode = field(
        default="summary",
        metadata=_told(
            _one_of("none", "summary", "full"),
            variables.OTEL_INSTRUMENTATION_ML_CAPTURE_OUTPUTS,
            "What is told of outputs: nothing; class, confidence, entropy and margin; or also predicted "
            "numbers, scores and the probabilities of all classes.",
        ),
    )
    feature_allowlist: tuple[str, ...] = field(
        default=(),
        metadata=_told(
            _GLOBS,
            variables.OTEL_INSTRUMENTATION_ML_FEATURE_ALLOWLIST,
            "Features whose values may be captured; empty allows all.",
        ),
    )
    feature_denylist: tuple[str, ...] = field(
        default=(),
        metadata=_told(
            _GLOBS,
            variables.OTEL_INSTRUMENTATION_ML_FEATURE_DENYLIST,
            "Features whose values are never captured, in any case of letters; what is denied stays denied.",
        ),
    )
    capture_max_rows: int = field(
        default=32,
        metadata=_told(
            _COUNT,
            variables.OTEL_INSTRUMENTATION_ML_CAPTURE_MAX_ROWS,
            "Samples per span; a larger batch is represented by a random sample of its rows.",
        ),
    )
    capture_max_features: int = field(
        default=256,
        metadata=_told(
            _COUNT,
            variables.OTEL_INSTRUMENTATION_ML_CAPTURE_MAX_FEATURES,
            "Features per sample.",
        ),
    )
    capture_max_bytes: int = field(
        default=8192,
        metadata=_told(
            _COUNT,
            variables.OTEL_INSTRUMENTATION_ML_CAPTURE_MAX_BYTES,
            "Bytes of feature values per span.",
        ),
    )
    capture_input_hash: bool = field(
        default=False,
        metadata=_told(
            _TRUTH,
            variables.OTEL_INSTRUMENTATION_ML_CAPTURE_INPUT_HASH,
            "Whether a keyed hash of the input goes onto spans, by which repeated inputs are found.",
        ),
    )
    input_hash_key: str | None = field(
        default=None,
        repr=False,
        metadata=_told(
            _TEXT,
            variables.OTEL_INSTRUMENTATION_ML_INPUT_HASH_KEY,
            "The secret key of that hash, the same for all processes whose inputs are to be compared; "
            "by default each process has a random one.",
            is_secret=True,
        ),
    )
    capture_nested: bool = field(
        default=False,
        metadata=_told(
            _TRUTH,
            variables.OTEL_INSTRUMENTATION_ML_CAPTURE_NESTED,
            "Whether the parts of a model (pipeline steps, sub-estimators) get child spans, and what "
            "prepares its inputs or reads its answers gets spans.",
        ),
    )
    capture_training: bool = field(
        default=False,
        metadata=_told(
            _TRUTH,
            variables.OTEL_INSTRUMENTATION_ML_CAPTURE_TRAINING,
            "Whether calls that train a model get spans.",
        ),
    )
    capture_exception_messages: bool = field(
        default=False,
        metadata=_told(
            _TRUTH,
            variables.OTEL_INSTRUMENTATION_ML_CAPTURE_EXCEPTION_MESSAGES,
            "Whether messages and stacks of exceptions, which may quote data, are told.",
        ),
    )
    validation: ValidationMode = field(
        default="basic",
        metadata=_told(
            _one_of("off", "basic", "profile"),
            variables.OTEL_INSTRUMENTATION_ML_VALIDATION,
            "What is looked for in inputs and outputs: nothing; what is missing, empty, not finite or "
            "of the wrong type or shape; or also what does not fit the profile file.",
        ),
    )
    validation_blocks: bool = field(
        default=False,
        metadata=_told(
            _TRUTH,
            variables.OTEL_INSTRUMENTATION_ML_VALIDATION_BLOCKS,
            "Whether a call whose input breaks a rule is rejected instead of reported.",
        ),
    )
    content_hook: Hook | None = field(
        default=None,
        metadata=_told(
            _HOOK,
            variables.OTEL_INSTRUMENTATION_ML_CONTENT_HOOK,
            "A function that sees all content before it leaves and may edit, replace or drop it; where "
            "it fails, the content is dropped.",
        ),
    )
    before_capture: Hook | None = field(
        default=None,
        metadata=_told(
            _FUNCTION,
            None,
            "A function that is called before a recorded call; where it returns false, or fails, no "
            "content of that call is captured.",
        ),
    )
    after_capture: Hook | None = field(
        default=None,
        metadata=_told(
            _FUNCTION,
            None,
            "A function that is called after a recorded call, before its span ends, to add attributes "
            "of your own.",
        ),
    )
    events_on_spans: bool = field(
        default=False,
        metadata=_told(
            _TRUTH,
            variables.OTEL_INSTRUMENTATION_ML_EVENTS_ON_SPANS,
            "Whether events are written onto the recording span too, for back ends without logs.",
        ),
    )
    log_correlation: bool = field(
        default=False,
        metadata=_told(
            _TRUTH,
            variables.OTEL_INSTRUMENTATION_ML_LOG_CORRELATION,
            "Whether records of the `logging` module carry trace, span and prediction id.",
        ),
    )
    runtime_metrics: bool = field(
        default=True,
        metadata=_told(
            _TRUTH,
            variables.OTEL_INSTRUMENTATION_ML_RUNTIME_METRICS,
            "Whether use of processor, memory and GPU by the process is measured.",
        ),
    )
    model_name: str | None = field(
        default=None,
        metadata=_told(
            _TEXT,
            variables.OTEL_ML_MODEL_NAME,
            "Name of the model, for a process that serves one; by default its class's.",
        ),
    )
    model_version: str | None = field(
        default=None,
        metadata=_told(
            _TEXT,
            variables.OTEL_ML_MODEL_VERSION,
            "Version of the model, likewise.",
        ),
    )
    profile: str | None = field(
        default=None,
        metadata=_told(
            _TEXT,
            variables.OTEL_ML_PROFILE,
            "Path of the profile file that `validation: profile` compares with.",
        ),
    )

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> "Settings":
        """
        Return the settings that *environment* asks for; an empty variable counts as unset.

        A value that cannot be read never raises, because this runs inside somebody's service: one
        warning names it, however many instrumentors ask, and its default stands.
        """
        chosen, complaints = read_environment(environment)
        for complaint in complaints:
            _warn_once(complaint)
        return cls(**chosen)

    def with_options(self, chosen: Mapping[str, object]) -> "Settings":
        """
        Return these settings with those of *chosen*, by name; None leaves an option as it is.

        Raises:
            OptionError: If a name is not known, or an option does not take its value.
        """
        known = options()
        read: dict[str, Any] = {}
        for name, value in chosen.items():
            if name not in known:
                raise OptionError(f"unknown option {name!r}; known: {', '.join(sorted(known))}")
            if value is not None and not _is_blank(value):
                read[name] = _read(name, known[name], value)
        return replace(self, **read)

    def checked(self) -> "Settings":
        """
        Return these settings as they are meant, whoever constructed them.

        What is not known must not be taken for a mode in which values leave.

        Raises:
            OptionError: If an option does not take its value.
        """
        return Settings().with_options({name: getattr(self, name) for name in options()})


def options() -> dict[str, Option]:
    """Return every option by its name, in the order in which they are told."""
    return {each.name: each.metadata["option"] for each in fields(Settings)}


def read_environment(environment: Mapping[str, str]) -> tuple[dict[str, Any], list[str]]:
    """Return the options that *environment* sets, and a complaint about each that is unreadable."""
    chosen: dict[str, Any] = {}
    complaints = []
    for name, option in options().items():
        text = environment.get(option.variable or "", "").strip()
        if not text:
            continue
        try:
            chosen[name] = _read(str(option.variable), option, text)
        except OptionError as error:
            complaints.append(f"{error}; the default, {_shown(name)}, is used")
    return chosen, complaints


@cache
def _warn_once(complaint: str) -> None:
    _logger.warning("%s", complaint)


def _read(place: str, option: Option, value: object) -> Any:
    try:
        return option.read(value.strip() if isinstance(value, str) else value)
    except ValueError:
        found = "something else" if option.is_secret else repr(value)
        raise OptionError(f"{place}: expected {option.takes}, found {found}") from None


def _is_blank(value: object) -> bool:
    return isinstance(value, str) and not value.strip()


def _shown(name: str) -> str:
    default = getattr(Settings(), name)
    return ",".join(default) if isinstance(default, tuple) else str(default)

"""What a user may choose about the instrumentation, read once from the environment."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from logging import getLogger
from typing import Any, Final, Literal

from otel_ml.environment_variables import (
    OTEL_INSTRUMENTATION_ML_CAPTURE_CONTENT,
    OTEL_INSTRUMENTATION_ML_CAPTURE_EXCEPTION_MESSAGES,
    OTEL_INSTRUMENTATION_ML_CAPTURE_MAX_BYTES,
    OTEL_INSTRUMENTATION_ML_CAPTURE_MAX_FEATURES,
    OTEL_INSTRUMENTATION_ML_CAPTURE_MAX_ROWS,
    OTEL_INSTRUMENTATION_ML_CAPTURE_NESTED,
    OTEL_INSTRUMENTATION_ML_CAPTURE_OUTPUTS,
    OTEL_INSTRUMENTATION_ML_FEATURE_ALLOWLIST,
    OTEL_INSTRUMENTATION_ML_FEATURE_DENYLIST,
    OTEL_ML_MODEL_NAME,
    OTEL_ML_MODEL_VERSION,
)

__all__ = ["ContentMode", "OutputMode", "Settings"]

ContentMode = Literal["no_content", "span_only"]
OutputMode = Literal["none", "summary", "full"]

_logger = getLogger("otel_ml")


@dataclass(frozen=True, slots=True)
class Settings:
    """
    Everything that can be chosen, with the safe default beside it.

    Constructed directly it takes what it is given; `from_environment` is what checks.
    """

    # `no_content`: feature values stay in the process. `span_only`: they go onto spans.
    capture_content: ContentMode = "no_content"
    # `none`; `summary`: class, confidence, entropy, margin; `full`: also predicted numbers, scores
    # and the probabilities of all classes.
    capture_outputs: OutputMode = "summary"
    # Globs over feature names. An empty allow list allows all; a denied name stays denied.
    feature_allowlist: tuple[str, ...] = ()
    feature_denylist: tuple[str, ...] = ()
    # Samples per span, at least 1. A larger batch is represented by a random sample of its rows.
    capture_max_rows: int = 32
    # Features per sample, at least 1.
    capture_max_features: int = 256
    # Bytes of feature content per span, at least 1.
    capture_max_bytes: int = 8192
    # Whether the parts of a model (pipeline steps, sub-estimators) get spans of their own.
    capture_nested: bool = False
    # Whether messages and stacks of exceptions, which may quote data, go onto spans.
    capture_exception_messages: bool = False
    # For a process that serves one model; `register_model` overrules them.
    model_name: str | None = None
    model_version: str | None = None

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> "Settings":
        """
        Return the settings that *environment* asks for; an empty variable counts as unset.

        A value that cannot be read never raises, because this runs inside somebody's service: one
        warning names it, and its default stands.
        """
        chosen: dict[str, Any] = {}
        for field, (variable, parse) in _VARIABLES.items():
            text = environment.get(variable, "").strip()
            if not text:
                continue
            try:
                chosen[field] = parse(text)
            except ValueError as expectation:
                _warn(variable, expectation, text, getattr(cls(), field))
        return cls(**chosen)


def _warn(variable: str, expectation: ValueError, found: str, default: object) -> None:
    shown = ",".join(default) if isinstance(default, tuple) else default
    _logger.warning(
        "%s: expected %s, found %r; the default, %s, is used", variable, expectation, found, shown
    )


def _one_of(*values: str, hint: str = "") -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text.lower() not in values:
            raise ValueError(f"one of {', '.join(values)}{hint}")
        return text.lower()

    return parse


def _count(text: str) -> int:
    expectation = "a whole number of at least 1"
    try:
        count = int(text)
    except ValueError:
        raise ValueError(expectation) from None
    if count < 1:
        raise ValueError(expectation)
    return count


def _truth(text: str) -> bool:
    return _one_of("true", "false")(text) == "true"


def _globs(text: str) -> tuple[str, ...]:
    return tuple(glob.strip() for glob in text.split(",") if glob.strip())


_VARIABLES: Final[Mapping[str, tuple[str, Callable[[str], object]]]] = {
    "capture_content": (
        OTEL_INSTRUMENTATION_ML_CAPTURE_CONTENT,
        _one_of("no_content", "span_only", hint=" (content on events is not offered yet)"),
    ),
    "capture_outputs": (
        OTEL_INSTRUMENTATION_ML_CAPTURE_OUTPUTS,
        _one_of("none", "summary", "full"),
    ),
    "feature_allowlist": (OTEL_INSTRUMENTATION_ML_FEATURE_ALLOWLIST, _globs),
    "feature_denylist": (OTEL_INSTRUMENTATION_ML_FEATURE_DENYLIST, _globs),
    "capture_max_rows": (OTEL_INSTRUMENTATION_ML_CAPTURE_MAX_ROWS, _count),
    "capture_max_features": (OTEL_INSTRUMENTATION_ML_CAPTURE_MAX_FEATURES, _count),
    "capture_max_bytes": (OTEL_INSTRUMENTATION_ML_CAPTURE_MAX_BYTES, _count),
    "capture_nested": (OTEL_INSTRUMENTATION_ML_CAPTURE_NESTED, _truth),
    "capture_exception_messages": (OTEL_INSTRUMENTATION_ML_CAPTURE_EXCEPTION_MESSAGES, _truth),
    "model_name": (OTEL_ML_MODEL_NAME, str),
    "model_version": (OTEL_ML_MODEL_VERSION, str),
}

"""Which calls of which frameworks become inferences: one file per framework."""

import logging
from collections.abc import Iterable
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Final

from opentelemetry._logs import LoggerProvider
from opentelemetry.instrumentation.instrumentor import (  # type: ignore[attr-defined]  # published without types
    BaseInstrumentor,
)
from opentelemetry.metrics import MeterProvider
from opentelemetry.trace import TracerProvider

from otel_ml.in_force import lease, release, stand_by
from otel_ml.settings import Settings

__all__ = ["instrument", "uninstrument"]

_GROUP: Final = "opentelemetry_instrumentor"
# Other vendors register `transformers`: ours, and those that others make for their own frameworks
# with our parts, are told apart by this.
_PREFIX: Final = "ml_"

_logger = logging.getLogger("otel_ml")


def instrument(
    names: Iterable[str] | None = None,
    *,
    tracer_provider: TracerProvider | None = None,
    meter_provider: MeterProvider | None = None,
    logger_provider: LoggerProvider | None = None,
    settings: Settings | None = None,
    **options: object,
) -> None:
    """
    Begin to observe frameworks, as `opentelemetry-instrument` does for a program without a change.

    Nothing is imported: a framework that is imported later is instrumented then. One that is not
    installed, or too old, is passed over; it is a warning where it was asked for by name. What is
    recorded by hand goes to the same providers, by the same settings, also where no framework is there.

    Args:
        names: Frameworks, for example `["sklearn"]`; all there are by default.
        tracer_provider: Where spans go, the global one by default.
        meter_provider: Where metrics go, the global one by default.
        logger_provider: Where events go, the global one by default.
        settings: What may be captured, what the environment says by default.
        **options: Fields of `Settings` by name, for example `capture_content="span_only"`; they come
            before *settings*.

    Raises:
        TypeError: If *names* is one text, a provider is none, or *settings* are no `Settings`.
        ValueError: If a name is not known, or an option does not take its value.
    """
    chosen = _settings(settings).with_options(options)
    level = logging.DEBUG if names is None else logging.WARNING
    instrumentors = _chosen(names)
    held = lease(chosen, tracer_provider, meter_provider, logger_provider)
    for name, instrumentor in instrumentors.items():
        if instrumentor.is_instrumented_by_opentelemetry:
            given = (tracer_provider, meter_provider, logger_provider, settings, options or None)
            if any(each is not None for each in given):
                _logger.warning(
                    "%s is instrumented already: its settings and providers stay as they are; "
                    "call otel_ml.uninstrument() first",
                    name,
                )
            continue
        try:
            instrumentor.instrument(
                skip_dep_check=True,
                conflict_level=level,
                tracer_provider=tracer_provider,
                meter_provider=meter_provider,
                logger_provider=logger_provider,
                settings=chosen,
            )
        except Exception as error:  # noqa: BLE001 - a conflict of dependencies, whatever its class
            _logger.log(level, "%s is not instrumented: %s", name, error)
    if any(each.is_instrumented_by_opentelemetry for each in instrumentors.values()):
        release(held)
    else:
        stand_by(held)


def _settings(given: object) -> Settings:
    if given is None:
        return Settings.from_environment()
    if not isinstance(given, Settings):
        raise TypeError(
            f"settings: expected Settings, found {type(given).__name__}; options are given by name, "
            "as in instrument(capture_content='span_only')"
        )
    return given


def uninstrument(names: Iterable[str] | None = None) -> None:
    """
    Stop observing, put back every method, and record what was observed.

    Raises:
        TypeError: If *names* is one text.
        ValueError: If a name is not known.
    """
    for instrumentor in _chosen(names).values():
        if instrumentor.is_instrumented_by_opentelemetry:
            instrumentor.uninstrument()
    stand_by(None)


def _chosen(names: Iterable[str] | None) -> dict[str, BaseInstrumentor]:
    if isinstance(names, str):
        raise TypeError(
            f"expected a list of frameworks, found the text {names!r}; write [{names!r}]"
        )
    if names is not None and not isinstance(names, Iterable):
        raise TypeError(f"expected a list of frameworks, found {type(names).__name__}")
    ours = _ours()
    wanted = list(ours) if names is None else list(names)
    for name in wanted:
        if name not in ours:
            raise ValueError(f"unknown framework {name!r}; known: {', '.join(sorted(ours))}")
    found = {name: _loaded(name, ours[name]) for name in wanted}
    return {name: instrumentor for name, instrumentor in found.items() if instrumentor is not None}


def _loaded(name: str, point: EntryPoint) -> BaseInstrumentor | None:
    try:
        return point.load()()
    except Exception as error:  # noqa: BLE001 - another distribution's may be broken in any way
        _logger.warning("%s is not instrumented: %s cannot be loaded: %s", name, point.value, error)
        return None


@cache  # what is installed does not change, and looking takes longer than instrumenting
def _ours() -> dict[str, EntryPoint]:
    return {
        point.name.removeprefix(_PREFIX): point
        for point in entry_points(group=_GROUP)
        if point.name.startswith(_PREFIX)
    }

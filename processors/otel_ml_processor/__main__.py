"""`otel-ml processor`: compute drift and confidence in the path of a collector; serve, drain on SIGTERM."""

from __future__ import annotations

import argparse
import ctypes
import gc
import logging
import os
import signal
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from otel_ml_processor.commands.components import components_text
from otel_ml_processor.commands.parser import Parser
from otel_ml_processor.config_file import configuration_text, load_config, said_by
from otel_ml_processor.errors import ConfigError, OtelMlError
from otel_ml_processor.log_lines import write_logs
from otel_ml_processor.service import Service

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from otel_ml_processor.config import Config

__all__ = ["main"]

_MISUSE: Final = 2
_TICK_S: Final = 1.0
_ARENA_MAX: Final = -8
"""`M_ARENA_MAX` of glibc's `mallopt`."""
_LOGGER: Final = logging.getLogger(__name__)

_EPILOG: Final = """\
without --config: safe defaults. OTLP/gRPC in on 127.0.0.1:14317, OTLP/HTTP on 127.0.0.1:14318, nothing is forwarded (mode tee), page
and /metrics on http://127.0.0.1:19464/, own metrics and events by OTLP to OTEL_EXPORTER_OTLP_ENDPOINT or 127.0.0.1:14319.

SIGTERM: drain and end. SIGHUP: read configuration and profiles again; what is wrong with them is said, and the old ones stay in force.

example: otel-ml processor --config processor.yaml
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the processor until SIGTERM or SIGINT, or say something of it; return 0 after a clean end, 2 for what the operator can mend."""
    try:
        _act(_parser().parse_args(argv))
    except OtelMlError as error:
        print(f"otel-ml processor: {error}", file=sys.stderr)  # noqa: T201 - the answer
        return _MISUSE
    return 0


def _act(arguments: argparse.Namespace) -> None:
    config = load_config(arguments.config, arguments.set)
    write_logs(config.logs.format)
    try:
        _ACTIONS[arguments.action](config, arguments)
    except ConfigError as error:
        raise ConfigError(_placed(error, arguments)) from None


def _parser() -> Parser:
    parser = Parser(
        prog="otel-ml processor",
        description="Compute drift and confidence of ML inferences in the path of an OpenTelemetry collector.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "action",
        nargs="?",
        choices=tuple(_ACTIONS),
        default="run",
        help="run: serve until SIGTERM (default); validate: read configuration and profiles, say what is wrong; "
        "print-config: every option as it is in force; components: what this installation can do",
    )
    parser.add_argument(
        "--config", type=Path, metavar="FILE", help="YAML, see docs/reference/configuration.md"
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="overrule one option, for example --set receive.endpoint=127.0.0.1:5317; may be given several times",
    )
    return parser


def _run(config: Config, arguments: argparse.Namespace) -> None:
    _share_one_heap()
    stopping, reloading = threading.Event(), threading.Event()
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, lambda *_: reloading.set())
    _at_the_end(_end_at_once)  # to compile takes a minute, and nobody would wait for it
    service = Service(config, _folder(arguments.config))
    service.start(before_receiving=lambda: _at_the_end(stopping.set))
    _spare_what_stays()
    while not stopping.wait(_TICK_S):
        if reloading.is_set():
            reloading.clear()
            config, service = _reloaded(config, service, arguments)
            _spare_what_stays()
        service.tick()
    service.stop()


def _at_the_end(act: Callable[[], None]) -> None:
    """Have a signal that asks for the end answered by *act*."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: act())


def _end_at_once() -> None:
    _LOGGER.info("stopped, before anything was received")
    logging.shutdown()
    os._exit(
        0
    )  # an exception would be lost where the compiler calls Python; nothing is open that has to be closed


def _share_one_heap() -> None:
    """
    Have all threads share one heap, before there are any.

    glibc gives each thread one of its own and keeps in each what the largest request took: a dozen compressed bombs, refused one after the other,
    left 270 MiB behind, and leave 5 with one heap, at the same CPU per span. Other C libraries have no such heaps.
    """
    with suppress(OSError, AttributeError, TypeError):
        ctypes.CDLL(None).mallopt(_ARENA_MAX, 1)


def _spare_what_stays() -> None:
    """Let the search for garbage pass over what has been loaded and stays: nearly all that there is, and it would be gone through again and again."""
    gc.unfreeze()  # a service that has been replaced is garbage
    gc.collect()
    gc.freeze()


def _reloaded(
    config: Config, service: Service, arguments: argparse.Namespace
) -> tuple[Config, Service]:
    """Return the configuration that is written now and a running service of it in place of *service*, or, where it is of no use, the old ones."""
    folder = _folder(arguments.config)
    try:
        new_config = load_config(arguments.config, arguments.set)
        new = Service(new_config, folder)
    except OtelMlError as error:
        message = _placed(error, arguments)
        _LOGGER.error("%s; the configuration before stays in force", message)  # noqa: TRY400 - one line, as at the start
        return config, service
    # The old one lets go of its addresses first. Whoever sends meanwhile finds nobody for a moment and sends again.
    service.leave()
    try:
        try:
            new.start()
        except OtelMlError as error:
            message = _placed(error, arguments)
            new_config, new = config, _brought_back(config, service, arguments, message)
            _LOGGER.error("%s; the configuration before is in force again", message)  # noqa: TRY400 - one line, as at the start
        else:
            write_logs(new_config.logs.format)
            _LOGGER.info("configuration and profiles were read again")
    finally:
        service.flush()  # last, for whoever does not take it keeps us waiting
    return new_config, new


def _brought_back(
    config: Config, before: Service, arguments: argparse.Namespace, why: str
) -> Service:
    """Return a running service of *config*, as *before* was; ConfigError with *why* that is needed as well where a file or an address of it has gone too."""
    try:
        service = Service(config, _folder(arguments.config), before)
        service.start()
    except OtelMlError as error:
        message = f"{why}; nor can the configuration before come back: {error}"
        raise ConfigError(message) from None
    return service


def _validate(config: Config, arguments: argparse.Namespace) -> None:
    Service(config, _folder(arguments.config))
    print(f"{arguments.config or 'defaults'}: valid")  # noqa: T201 - the answer


def _print_config(config: Config, _arguments: argparse.Namespace) -> None:
    print(configuration_text(config), end="")  # noqa: T201 - the answer


def _components(_config: Config, _arguments: argparse.Namespace) -> None:
    print(components_text(), end="")  # noqa: T201 - the answer


_ACTIONS: Final[Mapping[str, Callable[[Config, argparse.Namespace], None]]] = {
    "run": _run,
    "validate": _validate,
    "print-config": _print_config,
    "components": _components,
}


def _placed(error: OtelMlError, arguments: argparse.Namespace) -> str:
    """Return the message with who says it before a path within the configuration, where whoever raised it did not know that."""
    message = str(error)
    return (
        said_by(message, arguments.config, arguments.set) if message.startswith("$.") else message
    )


def _folder(config: Path | None) -> Path:
    """Return what relative paths in the configuration are relative to."""
    return Path() if config is None else config.parent


if __name__ == "__main__":
    sys.exit(main())

"""`otel-ml processor`: read the configuration, serve, drain on SIGTERM."""

from __future__ import annotations

import argparse
import logging
import signal
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Final

from otel_ml_processor.commands.components import components_text
from otel_ml_processor.config import configuration_text, load_config
from otel_ml_processor.errors import OtelMlError
from otel_ml_processor.service import Service

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from otel_ml_processor.config import Config

__all__ = ["main"]

_MISUSE: Final = 2
_TICK_S: Final = 1.0
_LOG_FORMAT: Final = "%(asctime)s %(levelname)s %(message)s"

_EPILOG: Final = """\
without --config: safe defaults. OTLP/gRPC in on 127.0.0.1:14317, nothing is forwarded (mode tee), page and /metrics on
http://127.0.0.1:19464/, own metrics and events by OTLP to OTEL_EXPORTER_OTLP_ENDPOINT or 127.0.0.1:14319.

example: otel-ml processor --config processor.yaml
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the processor until SIGTERM or SIGINT, or say something of it; return 0 after a clean end, 2 for what the operator can mend."""
    arguments = _parser().parse_args(argv)
    logging.basicConfig(level=logging.INFO, format=_LOG_FORMAT, stream=sys.stderr)
    try:
        config = load_config(arguments.config, arguments.set)
        _ACTIONS[arguments.action](config, arguments.config)
    except OtelMlError as error:
        print(f"otel-ml processor: {_placed(error, arguments.config)}", file=sys.stderr)  # noqa: T201 - the answer
        return _MISUSE
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
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


def _run(config: Config, path: Path | None) -> None:
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    service = Service(config, _folder(path))
    service.start()
    while not stopping.wait(_TICK_S):
        service.tick()
    service.stop()


def _validate(config: Config, path: Path | None) -> None:
    Service(config, _folder(path))
    print(f"{path or 'defaults'}: valid")  # noqa: T201 - the answer


def _print_config(config: Config, _path: Path | None) -> None:
    print(configuration_text(config), end="")  # noqa: T201 - the answer


def _components(_config: Config, _path: Path | None) -> None:
    print(components_text(), end="")  # noqa: T201 - the answer


_ACTIONS: Final[Mapping[str, Callable[[Config, Path | None], None]]] = {
    "run": _run,
    "validate": _validate,
    "print-config": _print_config,
    "components": _components,
}


def _placed(error: OtelMlError, config: Path | None) -> str:
    """Return the message with the file before a path within it, where whoever raised it did not know the file."""
    message = str(error)
    return f"{config or 'defaults'}: {message}" if message.startswith("$.") else message


def _folder(config: Path | None) -> Path:
    """Return what relative paths in the configuration are relative to."""
    return Path() if config is None else config.parent


if __name__ == "__main__":
    sys.exit(main())

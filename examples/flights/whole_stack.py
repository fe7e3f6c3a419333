"""
The whole stack on this machine, without Docker, with a little traffic, until Ctrl-C.

The service under `opentelemetry-instrument`, the collector with the processor in line, Jaeger with its Monitor tab, Prometheus with rules and
alerts, Alertmanager. Each listens at its usual port where that is free.

    python whole_stack.py                   five flights a second
    python whole_stack.py --seconds 30      ends by itself
"""

from __future__ import annotations

import argparse
import signal
import socket
import sys
import tempfile
import threading
import time
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import httpx
from departures import departures
from play import Player, PlayError, requests_for, thinned
from prepare import PreparationError, prepare
from processes import Part, PartFailedError, Processes
from stack import (
    PROMETHEUS_PAGES,
    SERVER_NAMES,
    Addresses,
    Files,
    found_servers,
    parts_with_servers,
)
from train import rest_of_the_year

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["main"]

_ROOT = Path(__file__).resolve().parents[2]
_FOLDER = _ROOT / ".demo"
_CONFIG = _ROOT / "collector-config"
_ROWS = 200
"""Of a window: at five flights a second one closes every 40 seconds."""
_FLIGHTS = 20_000
_USUAL_PORTS = {
    "service": 8000,
    "collector": 4317,
    "collector_http": 4318,
    "collector_health": 13133,
    "processor": 14317,
    "processor_return": 14319,
    "processor_page": 19464,
    "jaeger": 24317,
    "jaeger_query": 16686,
    "jaeger_query_grpc": 16685,
    "jaeger_health": 23133,
    "prometheus": 9090,
    "alertmanager": 9093,
}
_FAILED, _MISUSED = 1, 2


def main(argv: list[str] | None = None) -> int:
    """Run the stack; returns 0 when it was ended, 1 if a part failed, 2 if a server is not built."""
    options = _options(argv)
    servers = found_servers()
    missing = [name for name in SERVER_NAMES if name not in servers]
    if missing:
        print(f"whole_stack.py: no {', '.join(missing)}; `make tools` builds them", file=sys.stderr)
        return _MISUSED
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _end)
    try:
        prepare(_FOLDER, print)
        _run(servers, options)
    except (PartFailedError, PlayError, PreparationError, httpx.HTTPError) as error:
        print(f"whole_stack.py: {error}", file=sys.stderr)
        return _FAILED
    return 0


def _options(argv: list[str] | None) -> argparse.Namespace:
    summary, _, details = (__doc__ or "").strip().partition("\n\n")
    layout = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(
        "whole_stack.py", description=summary, epilog=details, formatter_class=layout
    )
    parser.add_argument("--seconds", type=float, help="end after so many")
    parser.add_argument(
        "--per-second", type=float, default=5.0, help="flights per second (%(default)s)"
    )
    return parser.parse_args(argv)


def _run(servers: Mapping[str, str], options: argparse.Namespace) -> None:
    at = _addresses()
    with (
        tempfile.TemporaryDirectory(prefix="whole-stack-") as scratch,
        Processes(_FOLDER / "logs") as processes,
    ):
        files = Files(_FOLDER / "model.joblib", _FOLDER / "profile.json", Path(scratch))
        parts = [_with_monitor(part, at) for part in parts_with_servers(at, files, _ROWS, servers)]
        print(
            f"starting {', '.join(part.name for part in parts)}; logs in {_FOLDER / 'logs'}, and the first start takes a minute or two"
        )
        processes.start(*parts)
        print(*_where(at), "Ctrl-C ends everything.", sep="\n", flush=True)
        _play(at, processes, options)


def _play(at: Addresses, processes: Processes, options: argparse.Namespace) -> None:
    """Send flights of March to December, again and again, until it is time to end."""
    player = Player(f"http://{at.service}", per_second=options.per_second)
    bodies = requests_for(thinned(rest_of_the_year(departures()), _FLIGHTS))
    ends = time.monotonic() + options.seconds if options.seconds else float("inf")
    playing = threading.Thread(target=player.play, args=(bodies,))
    playing.start()
    try:
        while time.monotonic() < ends and playing.is_alive():
            processes.check()
            time.sleep(0.5)
    finally:
        player.stop()
        playing.join()


def _with_monitor(part: Part, at: Addresses) -> Part:
    """Return *part* with what Jaeger's Monitor tab needs of it."""
    fragments = {"collector": "span-metrics.yaml", "jaeger": "jaeger-monitor.yaml"}
    if part.name not in fragments:
        return part
    return replace(
        part,
        command=(*part.command, "--config", str(_CONFIG / fragments[part.name])),
        environment={
            **part.environment,
            "JAEGER_PROMETHEUS_ENDPOINT": f"http://{at.prometheus}",
            "SPAN_METRICS_INTERVAL": "5s",
        },
    )


def _where(at: Addresses) -> list[str]:
    """Return where to look, and where to send."""
    pages = (
        "query"
        if PROMETHEUS_PAGES.is_dir()
        else "api/v1/rules (tools/prometheus_ui.sh builds its pages)"
    )
    return [
        "",
        f"service        http://{at.service}/docs",
        f"processor      http://{at.processor_page}/",
        f"Jaeger         http://{at.jaeger_query}/          (API: /api/services; its pages are in the image, not in the binary built here)",
        f"Prometheus     http://{at.prometheus}/{pages}",
        f"Alertmanager   http://{at.alertmanager}/",
        f"OTLP           {at.collector} (gRPC), http://{at.collector_http} (HTTP): your own services may send there",
        "",
    ]


def _addresses() -> Addresses:
    """Return for each part its usual port where nothing listens there, else one that is free."""
    with ExitStack() as held:
        sockets = {name: held.enter_context(_bound(p)) for name, p in _USUAL_PORTS.items()}
        return Addresses(
            **{name: f"127.0.0.1:{one.getsockname()[1]}" for name, one in sockets.items()}
        )


def _bound(port: int) -> socket.socket:
    for choice in (port, 0):
        one = socket.socket()
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            one.bind(("127.0.0.1", choice))
        except OSError:
            one.close()
        else:
            return one
    raise PartFailedError("no port of this machine is free")


def _end(number: int, _frame: object) -> NoReturn:
    """Leave through every `with`, which stops what was started; a second Ctrl-C must not interrupt that."""
    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(each, signal.SIG_IGN)
    print("\nstopping everything that was started ...", file=sys.stderr)
    raise SystemExit(0 if number == signal.SIGINT else 128 + number)


if __name__ == "__main__":
    raise SystemExit(main())

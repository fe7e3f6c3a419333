"""
Write the pictures of the documentation: `python examples/flights/pictures.py`.

It starts the whole stack, plays some windows of winter, then of autumn, and lets the system's own Chromium look at the pages of the processor and of
Prometheus.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode

import httpx
from departures import departures
from plan import control_flights, pace_for
from play import Player, requests_for, thinned
from prepare import prepare
from processes import Processes
from stack import (
    PROMETHEUS_PAGES,
    SERVER_NAMES,
    Files,
    found_servers,
    free_addresses,
    parts_with_servers,
)
from train import rest_of_the_year

if TYPE_CHECKING:
    from stack import Addresses

ROOT: Final = Path(__file__).resolve().parents[2]
PICTURES: Final = ROOT / "docs" / "pictures"
FOLDER: Final = ROOT / ".demo"
MOST_BYTES: Final = 250_000
ROWS: Final = 200
WINDOWS: Final = 3
"""Of winter, and of autumn."""
PER_SECOND: Final = 8.0
"""So that a window lasts long enough to be seen on a curve."""
FEATURES: Final = "temp|dewp|pressure|distance"
EXPRESSION: Final = f'max by (ml_feature_name) (ml_drift_score{{ml_drift_method="psi", ml_feature_name=~"{FEATURES}"}})'
GRAPH: Final = {"g0.expr": EXPRESSION, "g0.tab": "graph", "g0.range_input": "2m"}


def main() -> int:
    """Write every picture; returns 2 where something to make them with is missing, 1 where a picture is too large."""
    browser = shutil.which("chromium") or shutil.which("chromium-browser")
    servers = found_servers()
    missing = [name for name in SERVER_NAMES if name not in servers]
    if browser is None or missing or not PROMETHEUS_PAGES.is_dir():
        print(
            f"pictures.py: needs chromium ({browser}), the servers (missing: {missing}; `make tools`) and the pages of Prometheus"
            f" (tools/prometheus_ui.sh, in {PROMETHEUS_PAGES})",
            file=sys.stderr,
        )
        return 2
    prepare(FOLDER, print)
    rows = departures()
    winter = control_flights(rows, pace_for(1)).iloc[: WINDOWS * ROWS]
    autumn = thinned(rest_of_the_year(rows).query("date.dt.month == 9"), WINDOWS * ROWS)
    at = free_addresses()
    with (
        tempfile.TemporaryDirectory(prefix="pictures-") as scratch,
        Processes(Path(scratch) / "logs") as processes,
    ):
        files = Files(FOLDER / "model.joblib", FOLDER / "profile.json", Path(scratch))
        processes.start(*parts_with_servers(at, files, ROWS, servers))
        for flights in (winter, autumn):
            Player(f"http://{at.service}", per_second=PER_SECOND).play(requests_for(flights))
        wait_for_windows(at.processor_page, len(winter) + len(autumn))
        PICTURES.mkdir(exist_ok=True)
        sizes = [
            shoot(browser, Path(scratch), name, url, size)
            for name, (url, size) in pages(at).items()
        ]
    return 1 if max(sizes) > MOST_BYTES else 0


def wait_for_windows(page: str, rows: int) -> None:
    """Return when all *rows* have been counted and their windows told, or after a minute."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        streams = httpx.get(f"http://{page}/readings", trust_env=False).json()["streams"]
        metrics = httpx.get(f"http://{page}/metrics", trust_env=False).text
        counted = sum(
            float(line.rsplit(" ", 1)[1])
            for line in metrics.splitlines()
            if line.startswith("ml_prediction_samples_total{")
        )
        if counted >= rows and any(stream["readings"] for stream in streams):
            return
        time.sleep(0.5)


def pages(at: Addresses) -> dict[str, tuple[str, str]]:
    """Return address and size of each page, by name of the picture."""
    return {
        "processor-page": (f"http://{at.processor_page}/", "1280,1688"),
        "prometheus-drift": (f"http://{at.prometheus}/query?{urlencode(GRAPH)}", "1280,980"),
    }


def shoot(browser: str, scratch: Path, name: str, url: str, window: str) -> int:
    """Write the picture of *url*; return its size in bytes."""
    picture = PICTURES / f"{name}.png"
    command = [
        *(browser, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"),
        *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
        f"--user-data-dir={scratch / 'browser'}",
        *(f"--window-size={window}", "--force-device-scale-factor=0.75"),
        "--virtual-time-budget=20000",  # Prometheus' page asks for its data when it is there
        f"--screenshot={picture}",
        url,
    ]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    size = picture.stat().st_size
    print(f"{picture.relative_to(ROOT)}: {size:,} bytes")
    return size


if __name__ == "__main__":
    raise SystemExit(main())

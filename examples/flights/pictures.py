"""
Write the pictures of the documentation: `python examples/flights/pictures.py`.

It starts the flights service and the processor, plays some windows of winter, then of autumn, and lets the system's own Chromium look at the page.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

import httpx
from departures import departures
from plan import control_flights, pace_for
from play import Player, requests_for, thinned
from prepare import prepare
from processes import Processes
from stack import Files, free_addresses, parts_alone
from train import rest_of_the_year

ROOT: Final = Path(__file__).resolve().parents[2]
PICTURES: Final = ROOT / "docs" / "pictures"
FOLDER: Final = ROOT / ".demo"
MOST_BYTES: Final = 200_000
ROWS: Final = 200
WINDOWS: Final = 3
"""Of winter, and of autumn."""
TITLES: Final = {"processor-page": ("/", 1280, 1500)}
"""Path on the processor's page, width and height, by name of the picture."""


def main() -> int:
    """Write every picture; returns 2 where there is no Chromium, 1 where a picture is too large."""
    browser = shutil.which("chromium") or shutil.which("chromium-browser")
    if browser is None:
        print("pictures.py: no chromium on the PATH", file=sys.stderr)
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
        processes.start(*parts_alone(at, files, ROWS))
        for flights in (winter, autumn):
            Player(f"http://{at.service}").play(requests_for(flights))
        wait_for_windows(at.processor_page, len(winter) + len(autumn))
        PICTURES.mkdir(exist_ok=True)
        sizes = [
            shoot(browser, Path(scratch), f"http://{at.processor_page}{path}", name, width, height)
            for name, (path, width, height) in TITLES.items()
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


def shoot(browser: str, scratch: Path, url: str, name: str, width: int, height: int) -> int:
    """Write the picture of *url*; return its size in bytes."""
    picture = PICTURES / f"{name}.png"
    command = [
        *(browser, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"),
        *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
        f"--user-data-dir={scratch / 'browser'}",
        *(f"--window-size={width},{height}", "--force-device-scale-factor=0.75"),
        f"--screenshot={picture}",
        url,
    ]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    size = picture.stat().st_size
    print(f"{picture.relative_to(ROOT)}: {size:,} bytes")
    return size


if __name__ == "__main__":
    raise SystemExit(main())

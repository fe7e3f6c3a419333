"""Write the dashboards: `python collector-config/grafana/generate.py [write | check]`."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Final

from boards.fleet import fleet
from boards.one_model import model
from boards.panels import written
from boards.processor import processor

FOLDER: Final = Path(__file__).parent / "dashboards"


def files() -> dict[Path, str]:
    """Return the text of every dashboard by its place."""
    return {
        FOLDER / f"{dashboard.uid.removeprefix('otel-ml-')}.json": json.dumps(
            written(dashboard), indent=2
        )
        + "\n"
        for dashboard in (fleet(), model(), processor())
    }


def main() -> int:
    """Write the dashboards, or say which are stale and return 1."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("action", choices=["write", "check"], nargs="?", default="write")
    if parser.parse_args().action == "write":
        for path, text in files().items():
            path.write_text(text)
        return 0
    stale = [
        path for path, text in files().items() if not path.exists() or path.read_text() != text
    ]
    for path in stale:
        print(f"{path}: stale; run {__file__}")  # noqa: T201 - what the command is for
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())

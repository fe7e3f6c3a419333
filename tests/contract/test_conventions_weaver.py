"""Where OpenTelemetry's own tool is at hand, it agrees with ours; elsewhere there is nothing to ask."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

CONVENTIONS = Path(__file__).parents[2] / "conventions"
WEAVER = shutil.which("weaver")

if WEAVER is not None:

    def test_weaver_accepts_the_registry(tmp_path: Path) -> None:
        """`weaver registry check --v2` finds nothing wrong, with upstream as we have copied it."""
        model = tmp_path / "model"
        shutil.copytree(CONVENTIONS / "model", model)
        manifest = model / "manifest.yaml"
        lines = manifest.read_text(encoding="utf-8").splitlines()
        local = f"    registry_path: {CONVENTIONS / 'upstream'}"
        offline = [local if "registry_path:" in line else line for line in lines]
        manifest.write_text("\n".join(offline) + "\n", encoding="utf-8")

        done = subprocess.run(
            [str(WEAVER), "registry", "check", "--v2", "-r", str(model)],
            check=False,
            capture_output=True,
            text=True,
        )

        assert done.returncode == 0, done.stdout + done.stderr

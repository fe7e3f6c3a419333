"""
Compiles the path of a call into the wheel, for who builds with HATCH_BUILD_HOOKS_ENABLE=1 and has a C compiler.

The modules are those that pyproject.toml names; the wheel holds them as Python too. Without it the
wheel is pure Python, for every platform, and does the same.
"""

import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

# mypyc builds what setuptools builds; types of others are taken as they come, for only speed depends on them.
_SETUP = """
from mypyc.build import mypycify
from setuptools import setup

arguments = ["--config-file=", "--ignore-missing-imports", "--cache-dir={cache}", *{modules!r}]
setup(name="otel-ml", packages=[], ext_modules=mypycify(arguments, group_name="otel_ml"))
"""


class Compiling(BuildHookInterface):  # type: ignore[type-arg,misc]  # of a package that builds only
    """Puts compiled modules beside those that they are made of."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile, and tell for which platform the wheel is then; *version* is `standard` or `editable`."""
        if version == "editable":
            raise RuntimeError("an editable install runs the files themselves: nothing to compile")
        self._made = TemporaryDirectory()
        made = Path(self._made.name)
        _compile(Path(self.root), self.config["modules"], made)
        found = {str(file): str(file.relative_to(made / "lib")) for file in made.glob("lib/**/*.*")}
        build_data["force_include"].update(found)
        build_data["pure_python"] = False
        build_data["infer_tag"] = True

    def finalize(self, _version: str, _build_data: dict[str, Any], _artifact: str) -> None:
        """Leave nothing behind."""
        self._made.cleanup()


def _compile(root: Path, modules: list[str], made: Path) -> None:
    setup = made / "setup.py"
    setup.write_text(_SETUP.format(cache=made / "types", modules=modules))
    command = [sys.executable, str(setup), "--quiet", "build_ext"]
    places = [f"--build-lib={made / 'lib'}", f"--build-temp={made / 'temp'}"]
    environment = {**os.environ, "MYPYPATH": "conventions"}
    run = subprocess.run(  # noqa: S603 - what is written above
        [*command, *places], cwd=root, env=environment, capture_output=True, text=True, check=False
    )
    if run.returncode:
        raise RuntimeError(
            f"the path of a call could not be compiled; a wheel without it is built without HATCH_BUILD_HOOKS_ENABLE:\n{run.stdout}{run.stderr}"
        )

"""The command `otel-ml bootstrap`: what is still to be installed, so that models here are observed."""

import argparse
import os
import subprocess
import sys
from collections.abc import Sequence
from importlib.metadata import requires, version
from importlib.util import find_spec
from typing import Final

from opentelemetry.instrumentation.dependencies import get_dependency_conflicts

__all__ = ["install_command", "main", "missing_requirements"]

_FINE, _FAILED, _MISUSED = 0, 1, 2
_EXTRA: Final = "otlp"
_OF_EXTRA: Final = f'extra == "{_EXTRA}"'
_DECLARATIVE: Final = "opentelemetry-configuration"
_ABOUT: Final = """\
Say what is still to be installed, so that opentelemetry-instrument observes the models of this Python and sends what it sees by
OTLP: one requirement per line, as a requirements file has them.
"""
_EPILOG: Final = """\
What is around the models, servers and clients, is the business of opentelemetry-bootstrap. Exit code: 0, 1 where pip fails, 2 for an
option that is not known and where there is no pip.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run `otel-ml bootstrap` with *argv*; return 0, 1 where pip fails, or 2 where there is none."""
    parser = argparse.ArgumentParser("otel-ml bootstrap", description=_ABOUT, epilog=_EPILOG)
    parser.add_argument(
        "-a",
        "--action",
        choices=["requirements", "install"],
        default="requirements",
        help="write the requirements (the default), or install them with pip",
    )
    action = parser.parse_args(argv).action
    missing = missing_requirements()
    if not missing:
        sys.stderr.write("otel-ml bootstrap: nothing is missing\n")
        return _FINE
    if action == "requirements":
        sys.stdout.write("".join(f"{requirement}\n" for requirement in missing))
        return _FINE
    if find_spec("pip") is None:
        sys.stderr.write(
            f"otel-ml bootstrap: {sys.executable} has no pip; install by other means: "
            f"{' '.join(missing)}\n"
        )
        return _MISUSED
    done = subprocess.run(install_command(missing), check=False)  # noqa: S603 - pip, with names of ours
    return _FAILED if done.returncode else _FINE


def missing_requirements() -> list[str]:
    """Return what is still to be installed, nothing where all is there."""
    missing = []
    if any(map(_is_missing, _requirements_of_extra())):
        missing.append(f"otel-ml[{_EXTRA}]=={version('otel-ml')}")
    if os.environ.get("OTEL_CONFIG_FILE") and _is_missing(_DECLARATIVE):
        missing.append(_DECLARATIVE)
    return missing


def _requirements_of_extra() -> list[str]:
    parts = (text.partition(";") for text in requires("otel-ml") or ())
    return [
        requirement for requirement, _, marker in parts if _OF_EXTRA in marker.replace("'", '"')
    ]


def _is_missing(requirement: str) -> bool:
    return get_dependency_conflicts([requirement]) is not None


def install_command(requirements: Sequence[str]) -> list[str]:
    """Return the command line that installs *requirements* into the Python that runs this."""
    return [sys.executable, "-m", "pip", "install", *requirements]

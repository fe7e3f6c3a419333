"""The word of the operator's own collector on the merged configuration."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from otel_ml_processor.commands.splice.complaints import place_of
from otel_ml_processor.commands.splice.refusal import RefusedError
from otel_ml_processor.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from otel_ml_processor.commands.splice.layers import Setting

__all__ = ["prove"]

_PATIENCE_S: Final = 60


def prove(
    collector: str, files: Sequence[Path], root: Setting, text: str, gates: Sequence[str]
) -> None:
    """
    Have *collector* validate *files*, which are *root* when merged, and the overlay *text*, which lies in a temporary folder meanwhile.

    Validating opens no port and starts no pipeline. Variables of the environment are read as at a start.

    Raises:
        ConfigError: If there is no such program, or it does not answer.
        RefusedError: If it refuses, with its own words; also said is whether it refuses *files* alone.
    """
    with tempfile.TemporaryDirectory(prefix="otel-ml-splice-") as folder:
        overlay = Path(folder) / "otel-ml.yaml"
        overlay.write_text(text, encoding="utf-8")
        objection = _objection(collector, [*files, overlay], gates)
    if objection is None:
        return
    alone = _objection(collector, files, gates)
    if alone is not None:
        raise RefusedError(
            place_of(alone, root),
            f"{collector} refuses your files as they are, without the overlay",
            why=alone,
            way_out="mend that first; variables that your files read have to be set here as well.",
        )
    raise RefusedError(
        None,
        f"{collector} refuses the merged configuration",
        why=objection,
        way_out="where it does not know a part, take a distribution that has it, or another --mode.",
    )


def _objection(collector: str, files: Sequence[Path], gates: Sequence[str]) -> str | None:
    command = [collector, "validate"]
    command += [f"--config=file:{file}" for file in files]
    command += [f"--feature-gates={gate}" for gate in gates]
    try:
        done = subprocess.run(  # noqa: S603 - the program that the operator named
            command, capture_output=True, check=False, timeout=_PATIENCE_S, stdin=subprocess.DEVNULL
        )
    except OSError as error:
        raise ConfigError(f"--collector {collector}: cannot be run: {error.strerror}") from None
    except subprocess.TimeoutExpired:
        raise ConfigError(
            f"--collector {collector}: no answer within {_PATIENCE_S} s; is it a collector?"
        ) from None
    if done.returncode == 0:
        return None
    said = (done.stderr or done.stdout).decode(errors="replace").strip().splitlines()
    return "\n       ".join(dict.fromkeys(line.removeprefix("Error: ") for line in said)) or (
        f"status {done.returncode}, without a word"
    )

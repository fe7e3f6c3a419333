"""What can be done with profiles that there are: show, merge, freeze and log them."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from otel_ml_processor.commands.parser import add_command
from otel_ml_processor.commands.profile_merge import merged
from otel_ml_processor.commands.profile_text import column_picture, profile_text
from otel_ml_processor.config import DriftConfig
from otel_ml_processor.errors import ProfileError
from otel_ml_processor.profile import Profile, sealed
from otel_ml_processor.profile_file import read_profile, write_profile
from otel_ml_processor.profile_sources import ARTIFACT, is_of_mlflow, log_profile, profile_of_mlflow

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from otel_ml_processor.commands.parser import Commands

__all__ = ["add_kept", "check_output", "written"]

_PROMISED: Final = DriftConfig().false_alarm_rate


def add_kept(commands: Commands) -> None:
    """Give *commands* those for profiles that there are; each sets `run`, which returns what is to be printed."""
    show = add_command(commands, "show", "show what a profile holds")
    show.add_argument(
        "file", metavar="FILE", help="a profile, .json or .json.gz, or models:/NAME/VERSION"
    )
    show.add_argument("--column", metavar="NAME", help="one column, cell by cell")
    show.set_defaults(run=_show)
    merge = add_command(commands, "merge", "add up profiles that have the same cells")
    merge.add_argument("first", type=Path, metavar="FILE", help="a profile, .json or .json.gz")
    merge.add_argument("others", type=Path, nargs="+", metavar="FILE", help="those to be added")
    merge.add_argument(
        "-o", "--output", type=Path, required=True, metavar="FILE", help="where the sum goes"
    )
    merge.set_defaults(run=_merge)
    freeze = add_command(
        commands, "freeze", "declare a profile complete that a processor is still learning"
    )
    freeze.add_argument("file", type=Path, metavar="FILE", help="a profile, .json or .json.gz")
    freeze.add_argument("-o", "--output", type=Path, metavar="FILE", help="default: FILE itself")
    freeze.set_defaults(run=_freeze)
    log = add_command(commands, "log", "keep a profile in MLflow, with the run of its model")
    log.add_argument("file", type=Path, metavar="FILE", help="a profile, .json or .json.gz")
    where = log.add_mutually_exclusive_group(required=True)
    where.add_argument("--run-id", default="", metavar="RUN", help="the run that made the model")
    where.add_argument(
        "--model", default="", metavar="models:/NAME/VERSION", help="a registered model"
    )
    log.set_defaults(run=_log)


def _show(arguments: argparse.Namespace) -> str:
    name: str = arguments.file
    profile = profile_of_mlflow(name) if is_of_mlflow(name) else read_profile(Path(name))
    if arguments.column is not None:
        try:
            return column_picture(profile, arguments.column)
        except ProfileError as error:
            raise ProfileError(f"{name}: {error}") from None
    return profile_text(profile, _PROMISED)


def _merge(arguments: argparse.Namespace) -> str:
    check_output(arguments.output)
    total = read_profile(arguments.first)
    added = {total.id: arguments.first}
    for path in arguments.others:
        other = read_profile(path)
        if (same := added.setdefault(other.id, path)) is not path:
            raise ProfileError(
                f"{path}: expected rows that are not added yet; it is the same profile as {same}, name it once"
            )
        try:
            total = merged(total, other, _now())
        except ProfileError as error:
            raise ProfileError(f"{path}: {error}") from None
    return written(total, arguments.output, profile_text(total, _PROMISED))


def _freeze(arguments: argparse.Namespace) -> str:
    profile = read_profile(arguments.file)
    if not profile.provisional:
        raise ProfileError(
            f"{arguments.file}: expected a provisional profile, found a complete one"
        )
    frozen = sealed(msgspec.structs.replace(profile, provisional=False, created=_now()))
    output = arguments.output or arguments.file
    check_output(output)
    return written(frozen, output, profile_text(frozen, _PROMISED))


def _log(arguments: argparse.Namespace) -> str:
    profile = read_profile(arguments.file)
    run = log_profile(profile, run_id=arguments.run_id, model=arguments.model)
    return f"{arguments.file}: logged as {ARTIFACT} of run {run}\n"


def check_output(output: Path, tables: Sequence[Path] = ()) -> None:
    """Raise ProfileError where no profile can stand in *output*, or one of *tables* does; before anything is counted."""
    if output == Path("-"):
        raise ProfileError("-o -: expected a file; standard output has the picture of the profile")
    try:
        if not output.parent.is_dir():
            raise ProfileError(
                f"{output}: expected an existing folder, there is no {output.parent}"
            )
        if output.is_dir():
            raise ProfileError(f"{output}: expected a file, found a folder")
        if any(output.exists() and path.exists() and output.samefile(path) for path in tables):
            raise ProfileError(f"{output}: it is what is counted; name another file with -o")
    except OSError as error:  # a name that is too long
        raise ProfileError(f"{output}: cannot write the profile: {error.strerror}") from None


def written(profile: Profile, output: Path, text: str) -> str:
    """Write *profile* to *output* and return what is to be printed: *text* below its size; ProfileError where it cannot be written."""
    try:
        write_profile(profile, output)
    except OSError as error:
        raise ProfileError(f"{output}: cannot write the profile: {error.strerror}") from None
    size = f": {output.stat().st_size:,} bytes" if output.is_file() else ""
    return f"{output}{size}\n{text}"


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="seconds")

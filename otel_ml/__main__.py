"""The command `otel-ml`: a name for each subcommand, and nothing loaded before it is called."""

import ast
import errno
import os
import sys
from collections.abc import Iterable, Sequence
from importlib.metadata import EntryPoint, entry_points, version
from importlib.util import find_spec
from pathlib import Path
from typing import Final

__all__ = ["main"]

_GROUP: Final = "otel_ml_commands"
_USAGE_ERROR: Final = 2
_INTERRUPTED: Final = 130
_CUT_OFF: Final = 141  # as a shell says it of a program whose reader has gone
_USAGE: Final = "usage: otel-ml [--help | --version] COMMAND ..."


def main(argv: Sequence[str] | None = None) -> int:
    """
    Run the subcommand named by the first of *argv* on the rest of it; return its exit status.

    2 where there is no such subcommand, what it needs is not installed, or nothing can be written any more; 141 where whoever reads, such as
    `head`, has seen enough; 130 after Ctrl-C.
    """
    for name in ("stdout", "stderr"):
        _prepare(name)
    try:
        try:
            return _called(list(sys.argv[1:] if argv is None else argv))
        finally:
            sys.stdout.flush()
    except KeyboardInterrupt:  # where the work stood is of no use to whoever ends it
        return _INTERRUPTED
    except BrokenPipeError:
        _write_no_more()
        return _CUT_OFF
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        _write_no_more()
        print(f"otel-ml: cannot write: {error.strerror}", file=sys.stderr)  # noqa: T201 - a command speaks
        return _USAGE_ERROR


def _prepare(name: str) -> None:
    """Let *name* of `sys` take whatever is written there: also where it was closed, or has another alphabet than the texts."""
    stream = getattr(sys, name)
    if stream is None:  # closed by who started us, who wants the exit status alone
        setattr(sys, name, Path(os.devnull).open("w"))  # noqa: SIM115 - to the end of the process
    elif getattr(stream, "errors", None) == "strict" and hasattr(stream, "reconfigure"):
        stream.reconfigure(errors="backslashreplace")  # as Python itself does with what is wrong


def _write_no_more() -> None:
    """Leave nothing that the interpreter would try to write at its end, and fail."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _called(arguments: list[str]) -> int:
    commands = {point.name: point for point in entry_points(group=_GROUP)}
    known = ", ".join(sorted(commands))
    if not arguments:
        print(f"{_USAGE}\ncommands: {known}", file=sys.stderr)  # noqa: T201 - a command speaks
        return _USAGE_ERROR
    name, *rest = arguments
    if name in {"-h", "--help"}:
        print(_help(commands.values()))  # noqa: T201 - same
        return 0
    if name == "--version":
        print(f"otel-ml {version('otel-ml')}")  # noqa: T201 - same
        return 0
    if name not in commands:
        print(f"otel-ml: unknown command {name!r}; known: {known}", file=sys.stderr)  # noqa: T201 - same
        return _USAGE_ERROR
    return _run(commands[name], rest)


def _help(commands: Iterable[EntryPoint]) -> str:
    listed = [f"  {each.name:<13}{_about(each)}".rstrip() for each in commands]
    return "\n".join(
        [
            f"{_USAGE}\n\nOpenTelemetry for machine learning.\n\ncommands:",
            *sorted(listed),
            "\n`otel-ml COMMAND --help` says more.",
        ]
    )


def _about(command: EntryPoint) -> str:
    """Return what the module of a command says that it does; it is read and not loaded, for what it needs may not be there."""
    try:
        spec = find_spec(command.module)
        source = Path(spec.origin or "").read_bytes() if spec is not None else b""
        said = ast.get_docstring(ast.parse(source)) or ""
    except (ImportError, OSError, SyntaxError, ValueError):  # of another distribution, or damaged
        return ""
    return said.partition("\n")[0].partition("`: ")[2].rstrip(".")


def _run(command: EntryPoint, arguments: Sequence[str]) -> int:
    try:
        run = command.load()
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing.startswith("otel_ml"):
            raise  # ours is broken, nothing that could be installed would mend it
        print(  # noqa: T201 - a command speaks
            f"otel-ml {command.name}: needs {missing}, which is not there: "
            "pip install 'otel-ml[processor]'",
            file=sys.stderr,
        )
        return _USAGE_ERROR
    return int(run(arguments))


if __name__ == "__main__":
    sys.exit(main())

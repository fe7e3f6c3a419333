"""The parser of every subcommand."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any, NoReturn

from otel_ml_processor.errors import ConfigError

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction["Parser"]  # noqa: SLF001 - the type has no other name

__all__ = ["Parser", "add_command"]


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one line, like all others, and raised: `ConfigError`."""

    def error(self, message: str) -> NoReturn:
        """Raise what argparse would print below its usage."""
        raise ConfigError(f"{message} (see `{self.prog} --help`)")


def add_command(commands: Commands, name: str, about: str, **options: Any) -> Parser:
    """Add a subcommand; what it is *about* stands in the help of all and in its own."""
    return commands.add_parser(name, help=about, description=about, **options)

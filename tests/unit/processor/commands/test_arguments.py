"""What every subcommand says of arguments that it cannot use."""

from __future__ import annotations

from importlib.metadata import entry_points

import pytest

COMMANDS = sorted(
    point.name
    for point in entry_points(group="otel_ml_commands")
    if point.module.startswith("otel_ml_processor")
)


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    "arguments", [["--no-such-option"], ["--no-such-option", "x"], ["one", "two", "three", "\0"]]
)
def test_what_a_command_cannot_use_is_one_line(
    command: str, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Of the same form for all: which command, what is wrong, and where that is explained or what was found; exit code 2."""
    (main,) = (p.load() for p in entry_points(group="otel_ml_commands", name=command))

    assert main(arguments) == 2

    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.count("\n") == 1
    assert told.err.startswith(f"otel-ml {command}: ")


@pytest.mark.parametrize("command", COMMANDS)
def test_an_unknown_option_leads_to_the_help(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever mistyped is told where the options are."""
    (main,) = (p.load() for p in entry_points(group="otel_ml_commands", name=command))
    assert main(["--no-such-option"]) == 2
    assert f"(see `otel-ml {command} --help`)" in capsys.readouterr().err


@pytest.mark.parametrize("command", COMMANDS)
def test_help_says_what_a_command_is_for(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Usage, what it does, and every argument; exit code 0."""
    (main,) = (p.load() for p in entry_points(group="otel_ml_commands", name=command))
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    assert ended.value.code == 0
    assert capsys.readouterr().out.startswith(f"usage: otel-ml {command} ")

"""The command `otel-ml`."""

import os
import subprocess
import sys
from importlib.metadata import EntryPoint, entry_points, version
from pathlib import Path

import pytest

from otel_ml import __main__ as command


def commands(monkeypatch: pytest.MonkeyPatch, **modules: str) -> None:
    """Make *modules* the subcommands there are."""
    points = [EntryPoint(name, value, "otel_ml_commands") for name, value in modules.items()]
    monkeypatch.setattr(command, "entry_points", lambda group: points)


@pytest.fixture
def _greeter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Install a subcommand that greets whom it is told, and one whose import needs a package."""
    (tmp_path / "greeter.py").write_text(
        '"""`otel-ml greet`: say hello to whom it is told.\n\nAnd no more."""\n'
        "def main(argv):\n    print('hello', *argv)\n    return 7\n"
    )
    (tmp_path / "needy.py").write_text("import a_package_that_is_not_there\n")
    (tmp_path / "broken.py").write_text("import otel_ml.no_such_room\n")
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "slow.py").write_text("def main(argv):\n    raise KeyboardInterrupt\n")
    for name in ("greeter", "needy", "broken", "slow"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    commands(
        monkeypatch, greet="greeter:main", need="needy:main", fail="broken:main", wait="slow:main"
    )


@pytest.mark.usefixtures("_greeter")
def test_a_subcommand_gets_the_rest_and_gives_the_status(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Its name is the first word, its arguments are all others."""
    assert command.main(["greet", "--loud", "world"]) == 7
    assert capsys.readouterr().out == "hello --loud world\n"


@pytest.mark.usefixtures("_greeter")
def test_whoever_interrupts_is_told_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    """Ctrl-C ends a command as it ends others, without a traceback."""
    assert command.main(["wait"]) == 130
    assert capsys.readouterr() == ("", "")


@pytest.mark.usefixtures("_greeter")
def test_an_unknown_subcommand_is_told_with_the_known_ones(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """One line, exit status 2."""
    assert command.main(["gret"]) == 2
    output = capsys.readouterr()
    assert output.err == "otel-ml: unknown command 'gret'; known: fail, greet, need, wait\n"
    assert output.out == ""


@pytest.mark.usefixtures("_greeter")
def test_a_missing_extra_is_told_with_what_to_install(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """One line that names the package and the extra, exit status 2."""
    assert command.main(["need"]) == 2
    error = capsys.readouterr().err
    assert "a_package_that_is_not_there" in error
    assert "pip install 'otel-ml[processor]'" in error
    assert error.count("\n") == 1


@pytest.mark.usefixtures("_greeter")
def test_a_fault_of_our_own_is_not_called_a_missing_extra() -> None:
    """No installation would mend it."""
    with pytest.raises(ModuleNotFoundError, match="no_such_room"):
        command.main(["fail"])


@pytest.mark.usefixtures("_greeter")
def test_without_a_subcommand_the_usage_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    """On standard error, with the known subcommands and status 2."""
    assert command.main([]) == 2
    assert "commands: fail, greet, need" in capsys.readouterr().err


@pytest.mark.usefixtures("_greeter")
@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_help_lists_the_subcommands(flag: str, capsys: pytest.CaptureFixture[str]) -> None:
    """On standard output, each with what its module says of itself, with status 0, and none of them imported."""
    assert command.main([flag]) == 0
    lines = capsys.readouterr().out.splitlines()
    begin = lines.index("commands:") + 1
    assert [line.split() for line in lines[begin : begin + 3]] == [
        ["fail"],
        ["greet", "say", "hello", "to", "whom", "it", "is", "told"],
        ["need"],
    ]
    assert "greeter" not in sys.modules


@pytest.mark.parametrize(
    "module", ["no_such_module", "no_such_package.command", "damaged", "binary", "math"]
)
def test_help_is_given_beside_a_subcommand_that_is_broken(
    module: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of another distribution that is half removed, or not written in Python: it is listed, without a word about it."""
    (tmp_path / "damaged.py").write_text("def main(:")
    (tmp_path / "binary.py").write_bytes(b"\0\xff")
    monkeypatch.syspath_prepend(tmp_path)
    commands(monkeypatch, broken=f"{module}:main")
    assert command.main(["--help"]) == 0
    assert "\n  broken\n" in capsys.readouterr().out


def test_help_says_a_word_about_every_subcommand(capsys: pytest.CaptureFixture[str]) -> None:
    """Whoever has just installed it finds what there is to do; none of ours is silent."""
    assert command.main(["--help"]) == 0
    lines = capsys.readouterr().out.splitlines()
    names = sorted(point.name for point in entry_points(group="otel_ml_commands"))
    begin = lines.index("commands:") + 1
    listed = [line.split(maxsplit=1) for line in lines[begin : begin + len(names)]]
    assert [name for name, _ in listed] == names


def test_version_is_the_distributions(capsys: pytest.CaptureFixture[str]) -> None:
    """The one that is installed."""
    assert command.main(["--version"]) == 0
    assert capsys.readouterr().out == f"otel-ml {version('otel-ml')}\n"


def test_it_runs_as_a_module() -> None:
    """`python -m otel_ml` is the same command."""
    done = subprocess.run(
        [sys.executable, "-m", "otel_ml", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout == f"otel-ml {version('otel-ml')}\n"


def test_the_installed_subcommands_name_modules_and_functions() -> None:
    """Every entry point of the group is `module:main`."""
    points = entry_points(group="otel_ml_commands")
    assert {point.name for point in points} >= {"processor", "profile"}
    assert all(point.attr == "main" for point in points)


@pytest.mark.parametrize("arguments", [["--help"], ["doctor", "--no-send"]])
def test_whoever_has_read_enough_is_told_nothing(arguments: list[str]) -> None:
    """`otel-ml ... | head` ends as other programs do, without a traceback in between."""
    reader, writer = os.pipe()
    os.close(reader)
    try:
        ended = subprocess.run(
            [sys.executable, "-m", "otel_ml", *arguments],
            stdout=writer,
            stderr=subprocess.PIPE,
            check=False,
        )
    finally:
        os.close(writer)
    assert (ended.returncode, ended.stderr) == (141, b"")


def test_closed_output_is_no_trouble() -> None:
    """`otel-ml doctor >&-`: who wants the exit status alone gets it, without a traceback."""
    program = f"{sys.executable} -m otel_ml doctor --no-send >&-"

    ended = subprocess.run(["/bin/sh", "-c", program], stderr=subprocess.PIPE, check=False)

    assert (ended.returncode, ended.stderr) == (0, b"")


def test_a_full_disk_is_one_line() -> None:
    """What was to be written is not there, and the exit status says so."""
    with Path("/dev/full").open("wb") as full:
        ended = subprocess.run(
            [sys.executable, "-m", "otel_ml", "--help"],
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
        )
    assert ended.returncode == 2
    assert ended.stderr == b"otel-ml: cannot write: No space left on device\n"


def test_closed_output_of_errors_is_no_trouble() -> None:
    """`otel-ml bootstrap 2>&-` says by its status that nothing is missing."""
    program = f"{sys.executable} -m otel_ml bootstrap 2>&-"

    ended = subprocess.run(["/bin/sh", "-c", program], stdout=subprocess.PIPE, check=False)

    assert (ended.returncode, ended.stdout) == (0, b"")


def test_a_terminal_of_another_alphabet_is_told_all() -> None:
    """What it has no sign for is written as an escape: here a variable names a file in Polish."""
    ended = subprocess.run(
        [sys.executable, "-m", "otel_ml", "doctor", "--no-send"],
        env={**os.environ, "PYTHONIOENCODING": "latin-1", "OTEL_ML_PROFILE": "/mod\u0142/p"},
        capture_output=True,
        check=False,
    )

    assert (ended.returncode, ended.stderr) == (1, b"")
    assert b"there is no profile file '/mod\\u0142/p'" in ended.stdout

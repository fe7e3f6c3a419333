"""The command `python -m conventions.generate`: what it writes, says and returns."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from conventions.generate.__main__ import REPOSITORY, generated_files, main
from conventions.generate.python_source import package_modules
from conventions.generate.reading import read_registry

METRICS = "conventions/model/metrics.yaml"
PACKAGE = "conventions/otel_ml_conventions"
PAGES = "docs/reference/conventions"
RELEASED = "conventions/released/0.1.0-dev/registry.json"


def _run(root: Path, action: str) -> int:
    return main([action, "--root", str(root)])


def test_what_was_written_is_current(
    write_registry: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    """After `write`, `check` has nothing to say and returns 0."""
    root = write_registry()

    assert _run(root, "write") == 0
    capsys.readouterr()
    assert _run(root, "check") == 0
    assert capsys.readouterr() == ("", "")


def test_writing_again_changes_nothing(
    write_registry: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    """A second `write` touches no file."""
    root = write_registry()
    _run(root, "write")
    capsys.readouterr()

    _run(root, "write")

    assert capsys.readouterr().out == ""


def test_a_stale_file_fails_the_check_at_its_first_difference(
    write_registry: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    """An edit by hand is found: exit code 1, file and line, and what to do; the file is left alone."""
    root = write_registry()
    _run(root, "write")
    spans = root / PACKAGE / "spans.py"
    lines = spans.read_text(encoding="utf-8").splitlines(keepends=True)
    edited = "".join([*lines[:4], "edited\n", *lines[4:]])
    spans.write_text(edited, encoding="utf-8")
    capsys.readouterr()

    assert _run(root, "check") == 1

    said = capsys.readouterr().err
    assert said == (
        f"{PACKAGE}/spans.py:5: stale: differs; run `python -m conventions.generate write`\n"
    )
    assert spans.read_text(encoding="utf-8") == edited


def test_a_file_cut_short_fails_the_check(
    write_registry: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    """A file that is the beginning of what it should be is stale too."""
    root = write_registry()
    _run(root, "write")
    events = root / PACKAGE / "events.py"
    events.write_bytes(events.read_bytes()[:-1])

    assert _run(root, "check") == 1
    assert f"{PACKAGE}/events.py:" in capsys.readouterr().err


def test_a_missing_file_fails_the_check(
    write_registry: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    """A generated file that is not there is named."""
    root = write_registry()
    _run(root, "write")
    (root / PAGES / "spans/ml.painting.md").unlink()

    assert _run(root, "check") == 1
    assert f"{PAGES}/spans/ml.painting.md:1: stale: is missing" in capsys.readouterr().err


def test_a_page_that_is_no_longer_generated_is_found_and_removed(
    write_registry: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    """When the last event goes, its page fails the check until `write` removes it."""
    root = write_registry()
    _run(root, "write")
    (root / "conventions/model/events.yaml").unlink()

    assert _run(root, "check") == 1
    said = capsys.readouterr().err
    assert f"{PAGES}/events/ml.paint.md:1: stale: is no longer generated" in said
    assert _run(root, "write") == 0
    assert not (root / PAGES / "events/ml.paint.md").exists()


def test_a_page_written_by_hand_is_left_alone(write_registry: Callable[..., Path]) -> None:
    """What does not say that it is generated belongs to somebody."""
    root = write_registry()
    (root / PAGES).mkdir(parents=True)
    (root / PAGES / "why.md").write_text("# Why\n", encoding="utf-8")

    assert _run(root, "write") == 0
    assert _run(root, "check") == 0
    assert (root / PAGES / "why.md").read_text(encoding="utf-8") == "# Why\n"


@pytest.mark.parametrize("action", ["check", "write"])
@pytest.mark.parametrize(
    ("old", "new", "rule"),
    [
        ("instrument: gauge", "instrument: meter", "wrong-type"),
        ("ml.painting.strokes", "ml.painting.Strokes", "naming"),
    ],
)
def test_a_broken_registry_generates_nothing(
    write_registry: Callable[..., Path],
    capsys: pytest.CaptureFixture[str],
    action: str,
    old: str,
    new: str,
    rule: str,
) -> None:
    """With a finding the command returns 1 and says where; no file is written from half a registry."""
    root = write_registry(METRICS, old, new)

    assert _run(root, action) == 1
    assert f": {rule}: " in capsys.readouterr().err
    assert not (root / PACKAGE).exists()


def test_a_folder_without_a_registry_is_misuse(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 2, and one line that names the file that was looked for."""
    assert _run(tmp_path, "check") == 2

    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "conventions/model/manifest.yaml: no such file" in said


@pytest.mark.parametrize(
    "argv", [[], ["draw"], ["check", "--loudly"], ["release"], ["check", "0.1.0-dev"]]
)
def test_an_unknown_word_is_misuse(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 2 and the usage."""
    with pytest.raises(SystemExit) as stopped:
        main(argv)

    assert stopped.value.code == 2
    assert "usage: python -m conventions.generate" in capsys.readouterr().err


def test_help_tells_every_action(capsys: pytest.CaptureFixture[str]) -> None:
    """`--help` explains `write`, `check` and `release`, and returns 0."""
    with pytest.raises(SystemExit) as stopped:
        main(["--help"])

    said = " ".join(capsys.readouterr().out.split())
    assert stopped.value.code == 0
    assert "write generate what differs" in said
    assert "check change nothing" in said
    assert "release keep the registry" in said


@pytest.mark.parametrize("seed", ["0", "1", "2"])
def test_the_output_is_the_same_everywhere(write_registry: Callable[..., Path], seed: str) -> None:
    """The order of hashes, the locale and the time zone leave no trace in a file."""
    root = write_registry()
    registry, _ = read_registry(root)
    environment = {**os.environ, "PYTHONHASHSEED": seed, "LC_ALL": "C", "TZ": "Asia/Tokyo"}

    subprocess.run(
        [sys.executable, "-m", "conventions.generate", "write", "--root", str(root)],
        cwd=REPOSITORY,
        env=environment,
        check=True,
        capture_output=True,
    )

    for file, text in generated_files(registry).items():
        assert (root / file).read_bytes() == text.encode()


def _content(root: Path) -> dict[str, bytes]:
    """Give every file below a folder with what it holds."""
    files = (path for path in root.rglob("*") if path.is_file())
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in files}


def test_a_module_that_would_not_compile_is_never_written(
    write_registry: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mistake of the generator shows before the first file is touched."""
    root = write_registry()
    _run(root, "write")
    before = _content(root)
    made = {**package_modules(read_registry(root)[0]), "spans.py": "SPAN = ("}
    monkeypatch.setattr("conventions.generate.__main__.package_modules", lambda _: made)

    with pytest.raises(SyntaxError, match=r"spans\.py"):
        _run(root, "write")

    assert _content(root) == before


def test_a_file_that_cannot_be_replaced_leaves_all_as_they_were(
    write_registry: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    """The old package stays whole, exit code 2, and one line names the file."""
    root = write_registry()
    _run(root, "write")
    rules = root / METRICS
    rules.write_text(rules.read_text(encoding="utf-8").replace("of strokes", "of all strokes"))
    page = root / PAGES / "metrics/ml.painting.md"
    page.unlink()
    page.mkdir()
    before = _content(root)
    capsys.readouterr()

    assert _run(root, "write") == 2

    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1
    assert "metrics/ml.painting.md" in said.err
    assert said.err.endswith("; nothing was changed\n")
    assert _content(root) == before


def test_a_release_is_what_the_package_says(
    write_registry: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    """`release` keeps the registry that is generated, under its version, and says where."""
    root = write_registry()
    _run(root, "write")
    capsys.readouterr()

    assert main(["release", "0.1.0-dev", "--root", str(root)]) == 0

    assert capsys.readouterr().out == f"wrote {RELEASED}\n"
    kept = (root / RELEASED).read_bytes()
    assert kept == (root / PACKAGE / "registry.json").read_bytes()
    assert json.loads(kept)["schema_url"].endswith("/0.1.0-dev")


@pytest.mark.parametrize("version", ["0.2.0-dev", "0.1.0", "", "../0.1.0-dev", "0.1.0-dev/"])
def test_a_release_of_another_version_than_the_manifest_says_is_misuse(
    write_registry: Callable[..., Path], capsys: pytest.CaptureFixture[str], version: str
) -> None:
    """Exit code 2, and one line says where the version stands; nothing is written anywhere."""
    root = write_registry()
    _run(root, "write")
    before = _content(root)
    capsys.readouterr()

    assert main(["release", version, "--root", str(root)]) == 2

    assert capsys.readouterr().err == (
        f"conventions/model/manifest.yaml:1: schema_url is of version 0.1.0-dev, not {version!r}; "
        "set it and run `python -m conventions.generate write`, or release that\n"
    )
    assert _content(root) == before


def test_a_release_is_never_written_twice(
    write_registry: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 2, and one line says what to do."""
    root = write_registry()
    _run(root, "write")
    main(["release", "0.1.0-dev", "--root", str(root)])
    before = _content(root)
    capsys.readouterr()

    assert main(["release", "0.1.0-dev", "--root", str(root)]) == 2

    assert capsys.readouterr().err == (
        f"{RELEASED}: 0.1.0-dev is released already, and a release never changes; raise the version "
        "in conventions/model/manifest.yaml:1\n"
    )
    assert _content(root) == before


@pytest.mark.parametrize(
    ("file", "old", "new", "rule"),
    [
        (METRICS, "brief: Number of strokes.", "brief: Strokes", "brief"),
        (METRICS, "brief: Number of strokes.", "brief: Strokes.", "stale"),
        (
            "conventions/model/manifest.yaml",
            "paint-dev/0.1.0-dev",
            "paint-dev/0.0.1-dev",
            "version",
        ),
    ],
    ids=["a broken rule", "a stale file", "a version before the last"],
)
def test_only_a_sound_registry_is_released(
    write_registry: Callable[..., Path],
    capsys: pytest.CaptureFixture[str],
    file: str,
    old: str,
    new: str,
    rule: str,
) -> None:
    """A broken rule, a stale file or a version that does not follow: exit code 1, nothing is kept."""
    root = write_registry()
    _run(root, "write")
    main(["release", "0.1.0-dev", "--root", str(root)])
    changed = (root / file).read_text(encoding="utf-8")
    bumped = changed.replace(old, new)
    (root / file).write_text(bumped, encoding="utf-8")
    if rule != "version":
        manifest = root / "conventions/model/manifest.yaml"
        manifest.write_text(manifest.read_text(encoding="utf-8").replace("0.1.0-dev", "0.2.0-dev"))
    before = _content(root)
    capsys.readouterr()

    assert main(["release", "0.2.0-dev", "--root", str(root)]) == 1

    assert f": {rule}: " in capsys.readouterr().err
    assert _content(root) == before


def test_the_next_release_stands_beside_the_first(
    write_registry: Callable[..., Path],
) -> None:
    """A release is added with a greater version, and the one before is not touched."""
    root = write_registry()
    _run(root, "write")
    main(["release", "0.1.0-dev", "--root", str(root)])
    first = (root / RELEASED).read_bytes()
    manifest = root / "conventions/model/manifest.yaml"
    manifest.write_text(manifest.read_text(encoding="utf-8").replace("0.1.0-dev", "0.2.0-dev"))
    _run(root, "write")

    assert main(["release", "0.2.0-dev", "--root", str(root)]) == 0

    assert (root / RELEASED).read_bytes() == first
    assert (root / RELEASED.replace("0.1.0", "0.2.0")).is_file()

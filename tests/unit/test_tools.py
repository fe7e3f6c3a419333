"""The builds of the real servers: pinned in one place, and safe to call again and again."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

TOOLS = Path(__file__).resolve().parents[2] / "tools"
NAMES = (
    "otelcol",
    "jaeger",
    "prometheus",
    "promtool",
    "alertmanager",
    "amtool",
    "telemetrygen",
)

# What build.sh calls, so that a test can run it where nothing else is on the PATH.
COMMANDS = (
    *("bash", "cat", "chmod", "cut", "dirname", "env", "grep", "mkdir", "mv", "rm"),
    *("sed", "sha256sum", "shasum", "tail", "uname"),
)

STAND_IN_FOR_GO = """#!/usr/bin/env bash
while (($#)); do
  case $1 in
    -o) echo built >"$2"; chmod +x "$2"; shift 2 ;;
    *) echo "go called with $1"; shift ;;
  esac
done
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Give a copy of tools/ in which nothing is built, beside an empty folder for commands."""
    shutil.copytree(TOOLS, tmp_path / "repo" / "tools")
    commands = tmp_path / "commands"
    commands.mkdir()
    for name in COMMANDS:
        found = shutil.which(name)
        if found:
            (commands / name).symlink_to(found)
    return tmp_path


def put_go(checkout: Path, script: str = STAND_IN_FOR_GO) -> None:
    """Put a stand-in for Go on the PATH of *checkout*."""
    go = checkout / "commands" / "go"
    go.write_text(script)
    go.chmod(0o755)


def run(checkout: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run build.sh of *checkout* with the commands of *checkout* alone."""
    return subprocess.run(
        ["bash", str(checkout / "repo" / "tools" / "build.sh"), *arguments],
        env={**os.environ, "PATH": str(checkout / "commands")},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def modules_of_manifest() -> dict[str, str]:
    """Return version by module of builder-config.yaml."""
    manifest = yaml.safe_load((TOOLS / "collector" / "builder-config.yaml").read_text())
    kinds = ("providers", "receivers", "processors", "exporters", "connectors", "extensions")
    lines = [part["gomod"] for kind in kinds for part in manifest[kind]]
    return dict(line.split() for line in lines)


def modules_of_main() -> set[str]:
    """Return the modules whose factories main.go hands to the collector."""
    source = (TOOLS / "collector" / "main.go").read_text()
    roots = dict(re.findall(r'^\t(core|contrib) += "(.+)"$', source, re.MULTILINE))
    return {
        roots[root] + path
        for root, path in re.findall(r'\b(core|contrib) ?\+ ?"([a-z0-9/]+)"', source)
    }


def versions_of_go_mod(folder: str) -> dict[str, str]:
    """Return version by module of tools/*folder*/go.mod."""
    text = (TOOLS / folder / "go.mod").read_text()
    return dict(re.findall(r"^(?:require )?\t?([\w./-]+\.[\w./-]+) (v\S+)", text, re.MULTILINE))


def test_the_manifest_and_our_main_hold_the_same_parts() -> None:
    """Who builds from builder-config.yaml gets the collector that we test, part for part."""
    assert set(modules_of_manifest()) == modules_of_main()


def test_the_manifest_and_go_mod_pin_the_same_versions() -> None:
    """Who builds from builder-config.yaml gets the versions that we test."""
    pinned = versions_of_go_mod("collector")
    assert {module: pinned.get(module) for module in modules_of_manifest()} == modules_of_manifest()


@pytest.mark.parametrize(
    "folder", ["collector", "jaeger", "prometheus", "alertmanager", "telemetrygen"]
)
def test_every_pinned_module_has_a_committed_sum(folder: str) -> None:
    """A build asks nobody whether what it downloads is what we tested: go.sum says it."""
    sums = (TOOLS / folder / "go.sum").read_text()
    go_mod = (TOOLS / folder / "go.mod").read_text()
    replaced = re.findall(r"^replace (\S+) =>", go_mod, re.MULTILINE)
    for module, version in versions_of_go_mod(folder).items():
        if module not in replaced:
            assert f"{module} {version}/go.mod h1:" in sums


def test_nothing_is_rebuilt_until_a_source_changes(checkout: Path) -> None:
    """The second call is one line; a changed go.mod rebuilds the tools made from it, no others."""
    put_go(checkout)
    first, second = run(checkout), run(checkout)
    with (checkout / "repo" / "tools" / "prometheus" / "go.mod").open("a") as go_mod:
        go_mod.write("// another version\n")
    third = run(checkout)

    assert [first.returncode, second.returncode, third.returncode] == [0, 0, 0]
    assert all((checkout / "repo" / ".tools" / "bin" / name).exists() for name in NAMES)
    assert second.stdout.count("\n") == 1
    assert re.findall(r"building (\w+)", first.stdout) == list(NAMES)
    assert re.findall(r"building (\w+)", third.stdout) == ["prometheus", "promtool"]


def test_a_failed_build_leaves_the_last_good_binary(checkout: Path) -> None:
    """A build that breaks says why and takes nothing away."""
    put_go(checkout)
    run(checkout, "--only", "jaeger")
    (checkout / "repo" / "tools" / "jaeger" / "go.mod").write_text("module broken\n")
    put_go(checkout, "#!/usr/bin/env bash\necho 'no such module'\nexit 1\n")
    broken = run(checkout, "--only", "jaeger")

    assert broken.returncode == 1
    assert "no such module" in broken.stderr
    assert [path.name for path in (checkout / "repo" / ".tools" / "bin").iterdir()] == ["jaeger"]


def test_without_go_it_says_what_is_left_out(checkout: Path) -> None:
    """Who has no Go learns what is missing, why and how to get it; --if-go goes on."""
    strict, lenient = run(checkout), run(checkout, "--if-go")

    assert [strict.returncode, lenient.returncode] == [2, 0]
    assert strict.stderr == lenient.stderr
    assert " ".join(NAMES) in strict.stderr
    assert "install Go" in strict.stderr


def test_what_is_built_needs_no_go(checkout: Path) -> None:
    """Binaries that are current stay usable where Go is gone."""
    put_go(checkout)
    run(checkout)
    (checkout / "commands" / "go").unlink()

    assert run(checkout).returncode == 0


def test_an_unknown_tool_is_named_with_the_known_ones(checkout: Path) -> None:
    """A misspelt name is refused before anything is built."""
    refused = run(checkout, "--only", "jager")

    assert refused.returncode == 2
    assert f"unknown tool 'jager'; known: {' '.join(NAMES)}" in refused.stderr

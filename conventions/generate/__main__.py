"""`python -m conventions.generate`: `check`, `write` and `release`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from conventions.generate.compatibility import check_against
from conventions.generate.findings import Finding, Place, Rule
from conventions.generate.json_document import registry_document
from conventions.generate.markdown_pages import pages
from conventions.generate.python_source import GENERATED, package_modules
from conventions.generate.reading import read_registry
from conventions.generate.releases import last_release, release_file
from conventions.generate.replacement import replace_files
from conventions.generate.rules import check

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from conventions.generate.model import Registry

REPOSITORY = Path(__file__).resolve().parents[2]
PACKAGE = "conventions/otel_ml_conventions"
PAGES = "docs/reference/conventions"
COMMAND = "python -m conventions.generate"
FAULTY, MISUSED = 1, 2


def generated_files(registry: Registry) -> dict[str, str]:
    """
    Give the text of every generated file by its path in the repository.

    Raises:
        SyntaxError: If a module would not compile: a mistake of the generator, found before anything
            is written.
    """
    modules = package_modules(registry)
    for name, text in modules.items():
        if name.endswith(".py"):
            compile(text, f"{PACKAGE}/{name}", "exec")
    package = {**modules, "registry.json": registry_document(registry)}
    return {
        **{f"{PACKAGE}/{name}": text for name, text in package.items()},
        **{f"{PAGES}/{name}": text for name, text in pages(registry).items()},
    }


def judge(root: Path) -> tuple[Registry, list[Finding]]:
    """
    Read the registry of a repository, and check it by itself and beside its last release.

    What the records say together is only judged when each could be read: half a registry would
    be full of references to what was left out.
    """
    registry, unreadable = read_registry(root)
    release, findings = last_release(root)
    if not unreadable:
        findings += check(registry)
        findings += check_against(registry, release) if release else []
    return registry, sorted([*unreadable, *findings])


def stale_files(root: Path, generated: Mapping[str, str]) -> Iterator[Finding]:
    """Give the generated files that are missing, differ, or are no longer generated."""
    for file, text in _changes(root, generated).items():
        place, what = Place(file, 1), "is missing"
        if text is None:
            what = "is no longer generated"
        elif (root / file).is_file():
            place = Place(file, _first_difference((root / file).read_bytes(), text.encode()))
            what = "differs"
        yield Finding(place, Rule.STALE, f"{what}; run `{COMMAND} write`")


def _first_difference(found: bytes, expected: bytes) -> int:
    pairs = zip(found.split(b"\n"), expected.split(b"\n"), strict=False)
    same = 0
    for line, other in pairs:
        if line != other:
            break
        same += 1
    return same + 1


def _changes(root: Path, generated: Mapping[str, str]) -> dict[str, str | None]:
    """Give what has to be written, and as None what has to be removed."""
    differing = {
        file: text
        for file, text in generated.items()
        if not (root / file).is_file() or (root / file).read_bytes() != text.encode()
    }
    return {**differing, **dict.fromkeys(_leftovers(root, generated))}


def _leftovers(root: Path, generated: Mapping[str, str]) -> Iterator[str]:
    paths = [*(root / PACKAGE).glob("*.py"), *(root / PAGES).rglob("*.md")]
    for path in sorted(paths):
        file = path.relative_to(root).as_posix()
        # A page somebody wrote by hand is theirs: only what says so is generated.
        if file not in generated and GENERATED.encode() in b" ".join(path.read_bytes().split()):
            yield file


def main(argv: Sequence[str] | None = None) -> int:
    """
    Run the command.

    Returns:
        0 if all is well, 1 with findings on standard error, 2 if the command was misused or a file
        cannot be written.
    """
    arguments = _parser().parse_args(argv)
    try:
        return _run(arguments)
    except FileNotFoundError as error:
        return _refused(f"{error.filename}: no such file; is --root the repository?")
    except OSError as error:
        return _refused(f"{error.filename}: {error.strerror}; nothing was changed")


def _run(arguments: argparse.Namespace) -> int:
    root = arguments.root
    registry, findings = judge(root)
    if findings:
        return _told(findings)
    generated = generated_files(registry)
    if arguments.action == "write":
        return _write(root, _changes(root, generated))
    findings = list(stale_files(root, generated))
    if findings or arguments.action == "check":
        return _told(findings)
    return _release(root, registry, arguments.version)


def _told(findings: Sequence[Finding]) -> int:
    for finding in findings:
        print(finding, file=sys.stderr)
    return FAULTY if findings else 0


def _refused(message: str) -> int:
    print(message, file=sys.stderr)
    return MISUSED


def _write(root: Path, changes: Mapping[str, str | None]) -> int:
    replace_files(root, changes)
    for file, text in changes.items():
        print(f"{'removed' if text is None else 'wrote'} {file}")
    return 0


def _release(root: Path, registry: Registry, version: str) -> int:
    manifest, file = registry.manifest, release_file(version)
    if version != manifest.version:
        found = f"schema_url is of version {manifest.version}, not {version!r}"
        advice = f"set it and run `{COMMAND} write`, or release that"
        return _refused(f"{manifest.place}: {found}; {advice}")
    if (root / file).exists():
        message = f"{version} is released already, and a release never changes"
        return _refused(f"{file}: {message}; raise the version in {manifest.place}")
    return _write(root, {file: registry_document(registry)})


def _parser() -> argparse.ArgumentParser:
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument(
        "--root", type=Path, default=REPOSITORY, help="the repository (default: this one)"
    )
    parser = argparse.ArgumentParser(
        prog=COMMAND,
        description="Keeps conventions/otel_ml_conventions and docs/reference/conventions in step "
        "with the registry in conventions/model.",
    )
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    actions.add_parser("write", parents=[common], help="generate what differs")
    actions.add_parser(
        "check", parents=[common], help="change nothing; fail on a broken rule and on a stale file"
    )
    release = actions.add_parser(
        "release", parents=[common], help="keep the registry as the release that later ones follow"
    )
    release.add_argument(
        "version", metavar="VERSION", help="the last part of schema_url, such as 0.1.0-dev"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())

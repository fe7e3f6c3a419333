"""`python -m conventions.generate write` and `check`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from conventions.generate.json_document import registry_document
from conventions.generate.markdown_pages import pages
from conventions.generate.model import Finding, Place, Registry, read_registry
from conventions.generate.python_source import GENERATED, package_modules
from conventions.generate.rules import check

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

REPOSITORY = Path(__file__).resolve().parents[2]
PACKAGE = "conventions/otel_ml_conventions"
PAGES = "docs/reference/conventions"
COMMAND = "python -m conventions.generate"
FAULTY, MISUSED = 1, 2


def generated_files(registry: Registry) -> dict[str, str]:
    """Give the text of every generated file by its path in the repository."""
    modules = package_modules(registry)
    package = {**modules, "registry.json": registry_document(registry)}
    return {
        **{f"{PACKAGE}/{name}": text for name, text in package.items()},
        **{f"{PAGES}/{name}": text for name, text in pages(registry).items()},
    }


def judge(root: Path) -> tuple[Registry, list[Finding]]:
    """
    Read and check the registry of a repository.

    What the records say together is only judged when each could be read: half a registry would
    be full of references to what was left out.
    """
    registry, findings = read_registry(root)
    return registry, findings or check(registry)


def stale_files(root: Path, generated: dict[str, str]) -> Iterator[Finding]:
    """Give the generated files that are missing, differ, or are no longer generated."""
    for file, text in generated.items():
        path = root / file
        if not path.is_file():
            yield Finding(Place(file, 1), "stale", f"is missing; run `{COMMAND} write`")
        elif path.read_bytes() != text.encode():
            line = _first_difference(path.read_bytes(), text.encode())
            yield Finding(Place(file, line), "stale", f"differs; run `{COMMAND} write`")
    for file in _leftovers(root, generated):
        yield Finding(Place(file, 1), "stale", f"is no longer generated; run `{COMMAND} write`")


def _first_difference(found: bytes, expected: bytes) -> int:
    pairs = zip(found.split(b"\n"), expected.split(b"\n"), strict=False)
    same = 0
    for line, other in pairs:
        if line != other:
            break
        same += 1
    return same + 1


def _leftovers(root: Path, generated: dict[str, str]) -> Iterator[str]:
    for folder in (PACKAGE, PAGES):
        for path in sorted([*(root / folder).glob("*.py"), *(root / folder).glob("*.md")]):
            file = f"{folder}/{path.name}"
            # A page somebody wrote by hand is theirs: only what says so is generated.
            if file not in generated and GENERATED.encode() in _joined_lines(path.read_bytes()):
                yield file


def _joined_lines(text: bytes) -> bytes:
    return b" ".join(text.split())


def write_files(root: Path, generated: dict[str, str]) -> None:
    """Write every generated file that differs and remove what is no longer generated."""
    for file in _leftovers(root, generated):
        (root / file).unlink()
        print(f"removed {file}")
    for file, text in generated.items():
        path = root / file
        if not path.is_file() or path.read_bytes() != text.encode():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text.encode())
            print(f"wrote {file}")


def main(argv: Sequence[str] | None = None) -> int:
    """
    Run the command.

    Returns:
        0 if all is well, 1 with findings on standard error, 2 if the command was misused.
    """
    arguments = _parser().parse_args(argv)
    try:
        registry, findings = judge(arguments.root)
    except FileNotFoundError as error:
        print(f"{error.filename}: no such file; is --root the repository?", file=sys.stderr)
        return MISUSED
    if not findings:
        generated = generated_files(registry)
        if arguments.action == "write":
            write_files(arguments.root, generated)
        else:
            findings = list(stale_files(arguments.root, generated))
    for finding in findings:
        print(finding, file=sys.stderr)
    return FAULTY if findings else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=COMMAND,
        description="Keeps conventions/otel_ml_conventions and docs/reference/conventions in step "
        "with the registry in conventions/model.",
    )
    parser.add_argument(
        "action",
        choices=("write", "check"),
        help="write: generate what differs; check: change nothing, fail on findings",
    )
    parser.add_argument(
        "--root", type=Path, default=REPOSITORY, help="the repository (default: this one)"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())

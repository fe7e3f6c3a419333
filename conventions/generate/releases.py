"""The releases of the registry: `conventions/released/<version>/registry.json`, each written once."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from conventions.generate.findings import Finding, Place, Rule

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_RELEASED = "conventions/released"
_KINDS = ("attributes", "spans", "metrics", "events", "entities")
_VERSION = re.compile(r"(\d+)\.(\d+)\.(\d+)(?:-(dev|alpha|beta|rc))?")
_LIKE = "expected one like 0.1.0-dev or 1.0.0"
_MATURITIES = ("dev", "alpha", "beta", "rc", None)
# A name stands one level below its kind, and `registry.json` is indented by one blank per level.
_KIND_OR_NAME = re.compile(r'( {1,2})"([^"]+)": \{')


@dataclass(frozen=True)
class Release:
    """A registry as it was released; `lines` has the line of every name, by kind and name."""

    version: str
    file: str
    document: Mapping[str, Any]
    lines: Mapping[tuple[str, str], int]

    def place(self, kind: str, name: str) -> Place:
        """Give the line at which a name of this release is defined."""
        return Place(self.file, self.lines.get((kind, name), 1))


def release_file(version: str) -> str:
    """Give the path in the repository of the registry that is released as *version*."""
    return f"{_RELEASED}/{version}/registry.json"


def version_order(version: str) -> tuple[int, ...] | None:
    """
    Give what versions are ordered by: three numbers, then the stability that the suffix names.

    None for what is no version like `0.1.0-dev` or `1.0.0`.
    """
    match = _VERSION.fullmatch(version)
    if match is None:
        return None
    *numbers, maturity = match.groups()
    return (*map(int, numbers), _MATURITIES.index(maturity))


def last_release(root: Path) -> tuple[Release | None, list[Finding]]:
    """
    Read the release with the greatest version.

    Args:
        root: The repository.

    Returns:
        The release, None where there is none, and what is wrong with the released folders.
    """
    folders = sorted(path.name for path in (root / _RELEASED).glob("*") if path.is_dir())
    orders = {name: order for name in folders if (order := version_order(name))}
    findings = [
        Finding(Place(f"{_RELEASED}/{name}", 1), Rule.RELEASE, f"{name!r} is no version; {_LIKE}")
        for name in folders
        if name not in orders
    ]
    if not orders:
        return None, findings
    version = max(orders, key=orders.__getitem__)
    release = _read(root, version)
    if release is None:
        message = f"is not the registry.json of version {version}; restore it from the history"
        findings.append(Finding(Place(release_file(version), 1), Rule.RELEASE, message))
    return release, findings


def _read(root: Path, version: str) -> Release | None:
    file = release_file(version)
    try:
        text = (root / file).read_text(encoding="utf-8")
        document = json.loads(text)
    except (OSError, ValueError, RecursionError):
        return None
    if not _is_registry(document) or not document["schema_url"].endswith(f"/{version}"):
        return None
    return Release(version, file, document, _lines(text))


def _is_registry(document: Any) -> bool:
    return (
        isinstance(document, dict)
        and isinstance(document.get("schema_url"), str)
        and all(
            isinstance(document.get(kind), dict)
            and all(isinstance(facts, dict) for facts in document[kind].values())
            for kind in _KINDS
        )
    )


def _lines(text: str) -> dict[tuple[str, str], int]:
    lines = {}
    kind = ""
    for number, line in enumerate(text.split("\n"), 1):
        if match := _KIND_OR_NAME.match(line):
            indent, name = match.groups()
            if len(indent) == 1:
                kind = name
            else:
                lines[kind, name] = number
    return lines

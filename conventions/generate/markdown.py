"""Markdown as GitHub and Sphinx read it: tables, links to headings, footnotes."""

from __future__ import annotations

import posixpath
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

_NOT_IN_SLUG = re.compile(r"[^\w -]")


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Give a table; a bar inside a cell does not end it."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(_cell(text) for text in line)} |" for line in lines)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def code(text: str) -> str:
    """Give *text* as code in one line, whatever quotes it has; nothing reads as an empty text in quotes."""
    text = text.replace("\n", r"\n")
    if "`" in text:
        return f"`` {text} ``"
    return f"`{text}`" if text else '`""`'


def prose(text: str) -> str:
    """Give *text* so that `<key>` outside code is shown and not taken for a tag."""
    parts = text.split("`")
    parts[::2] = [part.replace("<", "&lt;") for part in parts[::2]]
    return "`".join(parts)


def link(text: str, target: str, source: str) -> str:
    """Give a link from the page *source* to *target*, both relative to the same folder."""
    page, _, anchor = target.partition("#")
    path = "" if page == source else posixpath.relpath(page, posixpath.dirname(source))
    return f"[{text}]({path}{f'#{anchor}' if anchor else ''})"


def slug(heading: str) -> str:
    """Give the anchor that a heading gets: lower case, blanks as hyphens, no punctuation."""
    return _NOT_IN_SLUG.sub("", heading.lower()).replace(" ", "-")


class Notes:
    """The footnotes of one page; the same text is one footnote, however often it is cited."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    def cite(self, note: str) -> str:
        """Give the mark that leads to *note*; empty if there is nothing to say."""
        if not note:
            return ""
        return f" [^{self._numbers.setdefault(note, len(self._numbers) + 1)}]"

    def __iter__(self) -> Iterator[str]:
        return (f"[^{number}]: {prose(note)}" for note, number in self._numbers.items())

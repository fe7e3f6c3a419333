"""Where the documentation says what about a name: its page, its heading, and a link to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conventions.generate.markdown import code, link, slug
from conventions.generate.model import Attribute, Entity, Event, Metric, Span

if TYPE_CHECKING:
    from conventions.generate.model import Signal

UPSTREAM = "upstream"
_FOLDERS: dict[type[Attribute | Signal], str] = {
    Span: "spans",
    Metric: "metrics",
    Event: "events",
    Entity: "entities",
    Attribute: "attributes",
}


def page_file(item: Attribute | Signal) -> str:
    """Give the page that a name stands on: one per kind and namespace, one for all of upstream."""
    is_upstream = isinstance(item, Attribute) and item.upstream
    page = UPSTREAM if is_upstream else ".".join(item.name.split(".")[:2])
    return f"{_FOLDERS[type(item)]}/{page}.md"


def mention(item: Attribute | Signal, source: str) -> str:
    """Give the name of *item* as a link from the page *source* to its heading."""
    return link(code(item.name), f"{page_file(item)}#{slug(item.name)}", source)

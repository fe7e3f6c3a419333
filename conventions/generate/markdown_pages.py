"""
The pages of `docs/reference/conventions`, as text.

One folder per kind of name, one page in it per namespace, one heading per name, and an index that
lists all. Every mention of a name leads to its heading.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from conventions.generate.attribute_pages import attributes_page, shown_type
from conventions.generate.markdown import code, link, prose, table
from conventions.generate.model import Attribute, Signal
from conventions.generate.page_links import UPSTREAM, mention, page_file
from conventions.generate.python_source import GENERATED
from conventions.generate.signal_pages import signals_page
from conventions.generate.wording import stability_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from conventions.generate.model import Registry

Item = TypeVar("Item", bound=Attribute | Signal)

MANNER = f"<!-- {GENERATED}. -->"
_INDEX = "index.md"
_LEVELS = (
    "How strongly a signal asks for an attribute: **required** always; **conditionally required** "
    "whenever the condition holds; **recommended** unless it is costly or cannot be known; "
    "**opt-in** only where somebody asked for it. A signal that is opt-in is written only where "
    "somebody asked for it."
)
_MARKS = (
    "Attributes of a large value size may be cut, or stripped before storage; those of sensitivity "
    "PII may identify a person and are opt-in everywhere; those of high cardinality are opt-in on "
    "metrics."
)


def pages(registry: Registry) -> dict[str, str]:
    """Give every page by its path in the folder; a namespace without names has none."""
    made = {_INDEX: _joined(_index_page(registry))}
    for file, attributes in _by_page(registry.attributes).items():
        made[file] = _page(file, attributes_page(registry, file, attributes))
    for file, signals in _by_page(registry.signals).items():
        made[file] = _page(file, signals_page(registry, file, signals))
    return made


def _by_page(items: Iterable[Item]) -> dict[str, list[Item]]:
    found: dict[str, list[Item]] = {}
    for item in items:
        found.setdefault(page_file(item), []).append(item)
    return found


def _page(file: str, blocks: Iterable[str]) -> str:
    kind, page = file.removesuffix(".md").split("/")
    origin = "from upstream" if page == UPSTREAM else f"of `{page}`"
    return _joined([f"# {kind.capitalize()} {origin}", link("All names", _INDEX, file), *blocks])


def _joined(blocks: Iterable[str]) -> str:
    return "\n\n".join([MANNER, *blocks]) + "\n"


def _index_page(registry: Registry) -> Iterator[str]:
    manifest = registry.manifest
    yield "# The conventions"
    yield prose(manifest.description)
    stability = stability_name(manifest.stability)
    yield f"Schema URL: {code(manifest.schema_url)}. Stability: {stability}."
    yield _LEVELS
    yield _MARKS
    yield from _listed("Spans", "Name", registry.spans, lambda span: code(span.pattern))
    yield from _listed("Events", "Severity", registry.events, lambda event: code(event.severity))
    yield from _listed(
        "Metrics", "In Prometheus", registry.metrics, lambda metric: code(metric.prometheus_name)
    )
    yield from _listed(
        "Entities",
        "Identified by",
        registry.entities,
        lambda entity: " and ".join(code(key) for key in entity.identity),
    )
    own = [attribute for attribute in registry.attributes if not attribute.upstream]
    yield from _listed("Attributes", "Type", own, shown_type)
    copied = [attribute for attribute in registry.attributes if attribute.upstream]
    yield from _listed("Attributes from upstream", "Type", copied, shown_type)


def _listed(
    title: str, fact: str, items: Iterable[Item], shown: Callable[[Item], str]
) -> Iterator[str]:
    by_name = sorted(items, key=lambda item: item.name)
    if by_name:
        yield f"## {title}"
        rows = [(mention(item, _INDEX), shown(item), prose(item.brief)) for item in by_name]
        yield table((title, fact, "Meaning"), rows)

"""The page of the attributes of one namespace: what each means, takes, and which signals ask for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conventions.generate.markdown import code, prose, table
from conventions.generate.model import LEVELS
from conventions.generate.page_links import mention
from conventions.generate.wording import deprecation, example_text, requirement, stability_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from conventions.generate.model import Attribute, EnumMember, Registry


def attributes_page(
    registry: Registry, file: str, attributes: Sequence[Attribute]
) -> Iterator[str]:
    """Give the blocks of the page *file*: a table of all, then a section for each."""
    rows = [
        (mention(item, file), shown_type(item), prose(item.brief), stability_name(item.stability))
        for item in attributes
    ]
    yield table(("Attribute", "Type", "Meaning", "Stability"), rows)
    for attribute in attributes:
        yield from _section(registry, file, attribute)


def shown_type(attribute: Attribute) -> str:
    """Give the type as a table shows it."""
    return code(str(attribute.type))


def shown_examples(examples: Sequence[object]) -> str:
    """Give examples in a row."""
    return ", ".join(code(example_text(example)) for example in examples)


def _section(registry: Registry, file: str, attribute: Attribute) -> Iterator[str]:
    yield f"## `{attribute.key}`"
    yield from filter(None, [prose(attribute.brief), prose(attribute.note)])
    yield from filter(None, [deprecation(attribute.deprecated)])
    yield "\n".join(f"* {name}: {value}" for name, value in _facts(attribute))
    if attribute.type.is_enum:
        yield "Known values:"
        yield _members(attribute.type.members)
    yield from _users(registry, file, attribute)


def _facts(attribute: Attribute) -> Iterator[tuple[str, str]]:
    yield "Type", shown_type(attribute)
    if attribute.examples:
        yield "Examples", shown_examples(attribute.examples)
    for name, value in attribute.annotations.items():
        yield name.replace("_", " ").capitalize(), str(value)
    yield "Stability", stability_name(attribute.stability)
    if attribute.upstream:
        yield "Defined by", f"<{attribute.upstream}>"


def _members(members: Sequence[EnumMember]) -> str:
    rows = [
        (code(member.value), _meaning(member), stability_name(member.stability))
        for member in members
    ]
    return table(("Value", "Meaning", "Stability"), rows)


def _meaning(member: EnumMember) -> str:
    sentences = [prose(member.brief), prose(member.note), deprecation(member.deprecated)]
    return " ".join(filter(None, sentences))


def _users(registry: Registry, file: str, attribute: Attribute) -> Iterator[str]:
    users = registry.users(attribute.key)
    rows = [
        (requirement(stated), ", ".join(mention(signal, file) for signal in users[stated]))
        for stated in sorted(users, key=lambda stated: LEVELS.index(stated.level))
    ]
    if rows:
        yield "Asked for by:"
        yield table(("Requirement level", "On"), rows)

"""An overlay as YAML for people: a comment above each part that says what it does."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any, Final

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from otel_ml_processor.commands.splice.overlay import Overlay, Part

__all__ = ["overlay_text"]

_WIDTH: Final = 110


def overlay_text(overlay: Overlay, commands: Sequence[str]) -> str:
    """Return *overlay* as YAML that begins with what it is and the *commands* that use it."""
    lines = [*_comment(overlay.title, ""), "#"]
    lines += [f"#   {_printable(command)}" for command in commands]
    for kind, parts in overlay.sections.items():
        if parts:
            lines += ["", f"{kind}:", *_parts(parts, "  ")]
    lines += ["", "service:", "  pipelines:", *_parts(overlay.pipelines, "    ")]
    return "\n".join(lines) + "\n"


def _parts(parts: Iterable[Part], indent: str) -> Iterator[str]:
    for part in parts:
        yield from _comment(part.comment, indent)
        if not part.settings:
            yield f"{indent}{_flow(part.name)}: {{}}"
            continue
        yield f"{indent}{_flow(part.name)}:"
        for key, value in part.settings.items():
            yield f"{indent}  {key}: {_flow(value)}"


def _comment(text: str, indent: str) -> list[str]:
    return textwrap.wrap(
        _printable(text),
        _WIDTH,
        initial_indent=f"{indent}# ",
        subsequent_indent=f"{indent}# ",
        break_on_hyphens=False,
        break_long_words=False,
    )


def _printable(text: str) -> str:
    """Return *text* such that it cannot leave the line of its comment."""
    return "".join(character if character.isprintable() else "?" for character in text)


def _flow(value: Any) -> str:
    """Return *value* in one line, quoted where it has to be."""
    # Within a list, because a document of one scalar ends with `...`.
    dumped = yaml.safe_dump([value], default_flow_style=True, width=1_000_000, sort_keys=False)
    return dumped.strip()[1:-1]

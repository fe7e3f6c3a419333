"""The generated pages: every name is on one, and every table is a table."""

from __future__ import annotations

from collections.abc import Callable
from itertools import groupby
from pathlib import Path

import pytest

from conventions.generate.markdown_pages import pages
from conventions.generate.model import read_registry

METRICS = "conventions/model/metrics.yaml"
SPANS = "conventions/model/spans.yaml"
EVENTS = "conventions/model/events.yaml"


@pytest.fixture
def make_pages(write_registry: Callable[..., Path]) -> Callable[..., dict[str, str]]:
    """Give the pages of the small registry with one edit."""

    def make(*edit: str) -> dict[str, str]:
        registry, findings = read_registry(write_registry(*edit))
        assert findings == []
        return pages(registry)

    return make


def test_there_is_a_page_for_each_kind_of_name(
    make_pages: Callable[..., dict[str, str]],
) -> None:
    """The index links to every other page, and there is no page that it does not link to."""
    made = make_pages()

    others = {"attributes.md", "spans.md", "metrics.md", "events.md", "entities.md"}
    assert set(made) == {"index.md", *others}
    assert {page for page in made if f"({page})" in made["index.md"]} == others


def test_a_kind_without_names_has_no_page(
    write_registry: Callable[..., Path],
) -> None:
    """An empty page is not written, nor linked to."""
    root = write_registry(SPANS, "entity_associations: [ml.palette]", "note: N.")
    (root / "conventions/model/entities.yaml").unlink()

    made = pages(read_registry(root)[0])

    assert "entities.md" not in made
    assert "entities.md" not in made["index.md"]


@pytest.mark.parametrize(
    ("page", "names"),
    [
        ("attributes.md", ["`ml.colour.name`", "`error.type`", "`cold`", "`pale blue`", "PII"]),
        ("spans.md", ["## ml.painting", "`paint {ml.colour.name}`", "If the painting failed."]),
        ("metrics.md", ["### ml.painting.dry", "`ml_painting_dry_ratio`", "0.1, 1, 10"]),
        ("events.md", ["## ml.paint.spilled", "Severity: WARN"]),
        ("entities.md", ["## ml.palette", "Identity: `ml.colour.name`"]),
    ],
)
def test_a_page_tells_what_the_registry_says(
    make_pages: Callable[..., dict[str, str]], page: str, names: list[str]
) -> None:
    """Names, values, examples, conditions and Prometheus names can be found by searching a page."""
    made = make_pages()

    assert [name for name in names if name not in made[page]] == []


def test_every_row_of_a_table_has_the_cells_of_its_head(
    make_pages: Callable[..., dict[str, str]],
) -> None:
    """A bar inside a text is escaped, so that it does not become a cell."""
    made = make_pages(METRICS, "brief: Number of strokes.", "brief: Number of a|b strokes.")

    for text in made.values():
        rows = groupby(text.splitlines(), key=lambda line: line.startswith("|"))
        for table in [list(lines) for is_table, lines in rows if is_table]:
            widths = {line.replace("\\|", "").count("|") for line in table}
            assert len(widths) == 1, table
    assert "Number of a\\|b strokes." in made["metrics.md"]


def test_a_page_says_by_what_it_is_made(make_pages: Callable[..., dict[str, str]]) -> None:
    """Nobody edits a page that the next run overwrites."""
    for text in make_pages().values():
        assert text.startswith("<!-- Generated from conventions/model by `python -m")


def test_a_deprecated_signal_says_so_on_its_page(
    make_pages: Callable[..., dict[str, str]],
) -> None:
    """A reader of the page learns that a name should no longer be written, and why."""
    made = make_pages(
        EVENTS,
        "brief: Paint was spilled.",
        "brief: Paint was spilled.\n    deprecated: {reason: obsoleted, note: We use lids.}",
    )

    assert "Deprecated: obsoleted. We use lids." in made["events.md"]

"""The generated pages: every name is on one, every link leads somewhere, every table is a table."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token

from conventions.generate.markdown_pages import pages
from conventions.generate.reading import read_registry

ATTRIBUTES = "conventions/model/attributes.yaml"
METRICS = "conventions/model/metrics.yaml"
SPANS = "conventions/model/spans.yaml"
EVENTS = "conventions/model/events.yaml"
ENTITIES = "conventions/model/entities.yaml"
RENDERER = MarkdownIt("commonmark").enable("table")
FOOTNOTE = re.compile(r"\[\^(\d+)\](:?)")


@pytest.fixture
def make_pages(write_registry: Callable[..., Path]) -> Callable[..., dict[str, str]]:
    """Give the pages of the small registry with one edit."""

    def make(*edit: str) -> dict[str, str]:
        registry, findings = read_registry(write_registry(*edit))
        assert findings == []
        return pages(registry)

    return make


def _inline(page: str) -> Iterator[Token]:
    for token in RENDERER.parse(page):
        yield from token.children or ()


def _links(page: str) -> Iterator[str]:
    """Give where the links of a page lead, as a Markdown reader of its own finds them."""
    for token in _inline(page):
        if token.type == "link_open":
            yield str(token.attrs["href"])


def _anchors(page: str) -> list[str]:
    """Give the anchors that GitHub and MyST make of the headings of a page."""
    tokens = RENDERER.parse(page)
    headings = [tokens[at + 1] for at, token in enumerate(tokens) if token.type == "heading_open"]
    texts = ["".join(child.content for child in heading.children or ()) for heading in headings]
    return [re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-") for text in texts]


def _rows(page: str) -> list[list[str]]:
    """Give the cells of every row of every table of a page, heads included."""
    rows: list[list[str]] = []
    for before, token in pairwise(RENDERER.parse(page)):
        if before.type == "tr_open":
            rows.append([])
        if before.type in {"td_open", "th_open"}:
            rows[-1].append(token.content)
    return rows


def test_there_is_a_page_per_kind_and_namespace(
    make_pages: Callable[..., dict[str, str]],
) -> None:
    """Spans, metrics, events, entities and attributes each have a folder, and upstream's a page."""
    assert set(make_pages()) == {
        "index.md",
        "attributes/ml.brush.md",
        "attributes/ml.canvas.md",
        "attributes/ml.colour.md",
        "attributes/ml.painter.md",
        "attributes/upstream.md",
        "spans/ml.painting.md",
        "metrics/ml.painting.md",
        "events/ml.paint.md",
        "entities/ml.palette.md",
    }


def test_the_index_leads_to_every_name(make_pages: Callable[..., dict[str, str]]) -> None:
    """Whoever knows a name finds it on the first page, whatever kind of name it is."""
    named = {row[0] for row in _rows(make_pages()["index.md"])}

    assert {re.sub(r".*`(.*)`.*", r"\1", name) for name in named if "`" in name} == {
        "ml.painting",
        "ml.paint.spilled",
        "ml.painting.duration",
        "ml.painting.strokes",
        "ml.painting.active",
        "ml.painting.dry",
        "ml.palette",
        "ml.colour.name",
        "ml.colour.kind",
        "ml.colour.hue",
        "ml.colour.mix",
        "ml.painter.name",
        "ml.canvas",
        "ml.brush",
        "error.type",
    }


def test_a_kind_without_names_is_not_in_the_index(write_registry: Callable[..., Path]) -> None:
    """There is no empty table, and no page behind it."""
    root = write_registry(SPANS, "entity_associations: [ml.palette]", "note: N.")
    (root / "conventions/model/entities.yaml").unlink()

    made = pages(read_registry(root)[0])

    assert [page for page in made if page.startswith("entities")] == []
    assert "Entities" not in made["index.md"]


def test_every_link_leads_to_a_heading(make_pages: Callable[..., dict[str, str]]) -> None:
    """No link goes to a page that is not there, nor to a name that has no heading on it."""
    made = make_pages()

    followed = 0
    for page, text in made.items():
        for target in [link for link in _links(text) if not link.startswith("https:")]:
            path, _, anchor = target.partition("#")
            leads_to = posixpath.normpath(posixpath.join(posixpath.dirname(page), path))
            other = made[leads_to] if path else text
            assert not anchor or anchor in _anchors(other), f"{page}: {target}"
            followed += 1
    assert followed > len(made)


def test_no_two_headings_of_a_page_have_one_anchor(
    make_pages: Callable[..., dict[str, str]],
) -> None:
    """A link leads to one place, also where a namespace is itself a name."""
    for page, text in make_pages().items():
        anchors = _anchors(text)
        assert len(anchors) == len(set(anchors)), page


def test_every_footnote_is_there_and_is_cited(make_pages: Callable[..., dict[str, str]]) -> None:
    """A mark in a table has its text below, and no text is without a mark."""
    made = make_pages(
        ATTRIBUTES, "brief: Name of the colour.", "brief: The colour.\n    note: In English."
    )

    for page, text in made.items():
        marks = FOOTNOTE.findall(text)
        assert {number for number, end in marks if not end} == {
            number for number, end in marks if end
        }, page
    assert "[^1]: In English." in made["spans/ml.painting.md"]


def test_a_note_is_one_footnote_of_its_page(make_pages: Callable[..., dict[str, str]]) -> None:
    """What holds for an attribute of every metric on a page is said once on it."""
    made = make_pages(
        METRICS,
        "      - ref: ml.colour.hue\n        requirement_level: opt_in\n",
        "      - ref_group: attributes.ml.colour\n"
        "      - {ref: ml.colour.name, note: Of the last coat.}\n"
        "  - name: ml.painting.coats\n    instrument: gauge\n    unit: '{coat}'\n"
        "    brief: Number of coats.\n    stability: development\n"
        "    requirement_level: opt_in\n"
        "    annotations: {emitted_by: sdk, code_generation: {metric_value_type: int}}\n"
        "    attributes:\n"
        "      - {ref: ml.colour.name, requirement_level: opt_in, note: Of the last coat.}\n",
    )

    page = made["metrics/ml.painting.md"]

    assert page.count("[^1]: Of the last coat.") == 1
    assert len(FOOTNOTE.findall(page)) == 3


@pytest.mark.parametrize(
    ("page", "row"),
    [
        (
            "spans/ml.painting.md",
            [
                "[`error.type`](../attributes/upstream.md#errortype)",
                "`string`",
                "Conditionally required: If the painting failed.",
                "Stable",
                "Class of the error.",
                "`ValueError`",
            ],
        ),
        (
            "events/ml.paint.md",
            [
                "[`ml.colour.name`](../attributes/ml.colour.md#mlcolourname)",
                "`string`",
                "Required",
                "Development",
                "Name of the colour.",
                "`red`, `pale blue`",
            ],
        ),
        ("attributes/ml.colour.md", ["`cold`", "Towards blue.", "Development"]),
        (
            "attributes/ml.colour.md",
            [
                "[`ml.colour.hue`](#mlcolourhue)",
                "`double`",
                "Angle of the colour in turns.",
                "Development",
            ],
        ),
        (
            "attributes/ml.colour.md",
            ["Recommended: If it is known.", "[`ml.painting`](../spans/ml.painting.md#mlpainting)"],
        ),
        (
            "index.md",
            [
                "[`ml.painting.dry`](metrics/ml.painting.md#mlpaintingdry)",
                "`ml_painting_dry_ratio`",
                "Share of paintings that are dry.",
            ],
        ),
    ],
)
def test_a_table_says_what_the_registry_says(
    make_pages: Callable[..., dict[str, str]], page: str, row: list[str]
) -> None:
    """Type, level with its condition, stability, meaning, examples and values, cell by cell."""
    assert row in _rows(make_pages()[page])


@pytest.mark.parametrize(
    ("page", "facts"),
    [
        ("spans/ml.painting.md", ["Name: `paint {ml.colour.name}`", "Kind: `internal`"]),
        ("spans/ml.painting.md", ["Entities: [`ml.palette`](../entities/ml.palette.md#mlpalette)"]),
        ("metrics/ml.painting.md", ["Instrument: histogram of doubles", "Buckets: 0.1, 1, 10"]),
        ("metrics/ml.painting.md", ["Written by: the processor", "Requirement level: Opt-in"]),
        ("events/ml.paint.md", ["Severity: `WARN`", "Stability: Development"]),
        ("entities/ml.palette.md", ["Identified by: `ml.colour.name`"]),
        ("attributes/ml.painter.md", ["Sensitivity: PII", "Examples: `Ada`"]),
        ("attributes/ml.colour.md", ["Cardinality: high", "Type: `double[]`"]),
        ("attributes/upstream.md", ["Defined by: <https://opentelemetry.io/schemas/1.44.0>"]),
    ],
)
def test_a_section_tells_the_facts(
    make_pages: Callable[..., dict[str, str]], page: str, facts: list[str]
) -> None:
    """What is neither a sentence nor an attribute stands in a list under the heading."""
    lines = make_pages()[page].splitlines()

    assert [fact for fact in facts if f"* {fact}" not in lines] == []


def test_a_span_says_what_sampling_may_look_at(make_pages: Callable[..., dict[str, str]]) -> None:
    """Attributes that a sampler can use are listed, because they have to be there at the start."""
    _, _, listed = make_pages()["spans/ml.painting.md"].partition("whether the span is sampled")

    assert re.findall(r"^\* .*", listed, re.MULTILINE) == [
        "* [`ml.colour.name`](../attributes/ml.colour.md#mlcolourname)"
    ]


def test_whom_an_attribute_binds_most_comes_first(
    make_pages: Callable[..., dict[str, str]],
) -> None:
    """The signals that ask for an attribute are sorted from required to opt-in."""
    made = make_pages(ENTITIES, "requirement_level: opt_in", "requirement_level: required")

    section = made["attributes/ml.colour.md"].split("## `ml.colour.mix`")[1]

    assert [row[0] for row in _rows(section)] == [
        "Requirement level",
        "Required",
        "Recommended: If it is known.",
    ]


@pytest.mark.parametrize(
    ("brief", "shown"),
    [
        ("brief: Number of a|b strokes.", "Number of a|b strokes."),
        ("brief: Number of `a|b` strokes.", "Number of `a|b` strokes."),
        ("brief: Number of <b>bold</b> strokes.", "Number of &lt;b>bold&lt;/b> strokes."),
        ("brief: Number of `<kind>` strokes.", "Number of `<kind>` strokes."),
    ],
)
def test_no_text_breaks_its_cell(
    make_pages: Callable[..., dict[str, str]], brief: str, shown: str
) -> None:
    """A bar does not end the cell, and `<...>` is no tag, in code and outside."""
    made = make_pages(METRICS, "brief: Number of strokes.", brief)

    [cells] = [row for row in _rows(made["index.md"]) if "ml.painting.strokes" in row[0]]

    assert cells[2] == shown


@pytest.mark.parametrize(
    ("example", "rendered"),
    [("a`b", "<code>a`b</code>"), ("", "<code>&quot;&quot;</code>"), ("<x>", "&lt;x&gt;")],
)
def test_any_example_is_shown_as_code(
    make_pages: Callable[..., dict[str, str]], example: str, rendered: str
) -> None:
    """Backticks, tags and nothing at all can be read as what they are."""
    made = make_pages(ATTRIBUTES, 'examples: ["Ada"]', f"examples: ['{example}']")

    assert rendered in RENDERER.render(made["attributes/ml.painter.md"])


def test_an_example_of_several_lines_stays_in_its_cell(
    make_pages: Callable[..., dict[str, str]],
) -> None:
    """A stack, say: its ends of lines are written out, for a row of a table is one line."""
    made = make_pages(ATTRIBUTES, 'examples: ["Ada"]', 'examples: ["Ada\\nBlue"]')

    shown = [page for page in made.values() if "Blue" in page]
    assert shown
    assert all(r"`Ada\nBlue`" in page for page in shown)


def test_every_row_of_a_table_has_the_cells_of_its_head(
    make_pages: Callable[..., dict[str, str]],
) -> None:
    """A reader of Markdown finds in every table as many cells per row as its head has."""
    for page, text in make_pages().items():
        lines = [line for line in text.splitlines() if line.startswith("|")]
        assert len(_rows(text)) == len([line for line in lines if "---" not in line]), page
        for line, cells in zip([x for x in lines if "---" not in x], _rows(text), strict=True):
            assert line.replace("\\|", "").count("|") == len(cells) + 1, page


def test_a_page_says_by_what_it_is_made(make_pages: Callable[..., dict[str, str]]) -> None:
    """Nobody edits a page that the next run overwrites."""
    for text in make_pages().values():
        assert text.startswith("<!-- Generated from conventions/model by `python -m")


@pytest.mark.parametrize(
    ("file", "old", "page"),
    [
        (EVENTS, "brief: Paint was spilled.", "events/ml.paint.md"),
        (ATTRIBUTES, "brief: Who paints.", "attributes/ml.painter.md"),
        (ATTRIBUTES, "brief: Towards blue.", "attributes/ml.colour.md"),
    ],
)
def test_what_is_deprecated_says_so_on_its_page(
    make_pages: Callable[..., dict[str, str]], file: str, old: str, page: str
) -> None:
    """A reader of the page learns that a name should no longer be written, and why."""
    deprecated = "deprecated: {reason: obsoleted, note: We use lids.}"

    made = make_pages(file, old, f"{deprecated}\n{' ' * (10 if 'blue' in old else 4)}{old}")

    assert "Deprecated: obsoleted. We use lids." in made[page]

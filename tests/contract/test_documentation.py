"""What the documents say is what the code does."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from otel_ml import environment_variables
from otel_ml_conventions.attributes import ML_PROCESSOR_CAUSE
from otel_ml_conventions.metrics import (
    METRIC_ML_PROCESSOR_DEDUPE_HORIZON,
    METRIC_ML_PROCESSOR_WINDOW_LAG,
)
from otel_ml_processor.config import Config
from otel_ml_processor.profile import Profile, Source
from otel_ml_processor.self_metrics import OTHER_CAUSE, SelfMetrics
from otel_ml_processor.service import new_self_metrics

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    path
    for path in ROOT.rglob("*.md")
    if not any(part.startswith(".") or part == "build" for part in path.relative_to(ROOT).parts)
)


def test_generated_pages_are_current() -> None:
    """Who changes an option and not the page is told so."""
    command = [sys.executable, str(ROOT / "docs" / "generate.py"), "check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert (done.returncode, done.stdout) == (0, "")


def test_every_option_is_on_the_configuration_page() -> None:
    """From the top level down, each with a meaning."""
    page = (ROOT / "docs" / "reference" / "configuration.md").read_text()
    for name in Config.__struct_fields__:
        assert f"| `{name}` |" in page
    assert not re.search(
        r"^\| `\w+` \| [^|]* \| [^|]* \|  \|$", page.split("## `receive`")[1], re.MULTILINE
    )


def test_every_option_says_what_it_takes_and_what_it_is_without() -> None:
    """A default, a type with its range, and a meaning, for each line of each table."""
    page = (ROOT / "docs" / "reference" / "configuration.md").read_text()
    rows = re.findall(r"^\| `\w+` \| ([^|]*) \| ([^|]*) \|", page, re.MULTILINE)
    assert len(rows) > 80
    assert all(default.strip() and takes.strip() for default, takes in rows)
    assert "| `rows` | `50000` | whole number >= 1000 |" in page


def test_only_what_is_refused_without_is_called_required() -> None:
    """Whoever writes a section has to say these keys of it, and no other."""
    page = (ROOT / "docs" / "reference" / "configuration.md").read_text()
    required = {
        section.split("`")[0]: re.findall(r"^\| `(\w+)` \| required \|", section, re.MULTILINE)
        for section in page.split("\n## `")[1:]
    }
    pair = ["cert_file", "key_file"]
    assert {section: keys for section, keys in required.items() if keys} == {
        "receive.tls": pair,
        "receive.http.tls": pair,
        "forward": ["endpoint"],
        "forward.also[]": ["endpoint"],
        "windows[]": ["name"],
        "emit.webhook": ["url"],
        "models[]": ["name"],
    }


def test_every_field_of_a_profile_is_explained() -> None:
    """What each part of the file holds: type, default and meaning, down to the smallest."""
    page = (ROOT / "docs" / "reference" / "profile.md").read_text()
    rows = re.findall(r"^\| `(\w+)` \| ([^|]*) \| ([^|]*) \| ([^|]*) \|$", page, re.MULTILINE)
    assert {name for name, *_ in rows} >= {*Profile.__struct_fields__, *Source.__struct_fields__}
    unexplained = [name for name, *said in rows if not all(text.strip() for text in said)]
    assert unexplained == []


@pytest.mark.parametrize(
    "variable", sorted(name for name in vars(environment_variables) if name.startswith("OTEL_"))
)
def test_every_environment_variable_is_documented(variable: str) -> None:
    """What can be set is said on the page of the settings, with what it takes and does."""
    page = (ROOT / "docs" / "reference" / "instrumentation-settings.md").read_text()
    assert re.search(rf"`{variable}` \| [^|]+ \| [^|]+ \| [^|]+ \|", page)


@pytest.mark.parametrize(
    "metric",
    sorted(
        {name for name, _, _ in SelfMetrics().snapshot() if name.startswith("ml.processor.")}
        | {METRIC_ML_PROCESSOR_WINDOW_LAG, METRIC_ML_PROCESSOR_DEDUPE_HORIZON}
    ),
)
def test_every_count_of_the_processor_is_explained(metric: str) -> None:
    """A counter that rises at night has a line that says what to do, and what each of its causes means."""
    page = (ROOT / "processors" / "README.md").read_text()
    lines = [line for line in page.splitlines() if metric.replace(".", "_") in line]
    counted = [labels for name, labels, _ in new_self_metrics().snapshot() if name == metric]
    causes = {labels[ML_PROCESSOR_CAUSE] for labels in counted if labels} - {OTHER_CAUSE}
    assert lines
    assert [cause for cause in causes if not any(f"`{cause}`" in line for line in lines)] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    """No page points to a file that is not there."""
    for target in re.findall(r"\]\((?!https?:|#)([^)#]+)[^)]*\)", page.read_text()):
        assert (page.parent / target).exists(), f"{page.name}: {target}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_to_headings_lead_to_one(page: Path) -> None:
    """Whoever follows a link into a page lands on the heading that it names."""
    for target, heading in re.findall(r"\]\((?!https?:)([^)#]*)#([^)]+)\)", page.read_text()):
        linked = page.parent / target if target else page
        assert heading in anchors(linked), f"{page.name}: {target}#{heading}"


def anchors(page: Path) -> set[str]:
    """Return what the headings of *page* are linked by, as GitHub writes it."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {
        re.sub(r"[^\w\- ]", "", heading).strip().lower().replace(" ", "-") for heading in headings
    }


def test_the_readme_begins_with_what_it_is_the_picture_and_two_commands() -> None:
    """The first screen (forty lines) is enough to know whether to stay, and to start."""
    screen = "\n".join((ROOT / "README.md").read_text().splitlines()[:40])
    assert screen.index("OpenTelemetry for machine learning") < screen.index("──►")
    assert screen.index("──►") < screen.index("make demo") < screen.index("make test")
    assert "What you will see" in screen

"""The searches of the how-to, asked of a real Jaeger that holds what went through the real collector and the real processor."""

from __future__ import annotations

import json
import os
import re
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from tests.integration.observed_flights import ROWS, Observed, Sent, observed_flights
from tests.integration.real_servers import answers, eventually, find_tool, free_port, running

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "how-to" / "search-traces-in-jaeger.md"
LINKS = json.loads((ROOT / "collector-config" / "jaeger-ui.json").read_text())["linkPatterns"]
MODEL = json.loads(
    (ROOT / "collector-config" / "grafana" / "dashboards" / "model.json").read_text()
)


@dataclass(frozen=True)
class Search:
    """One search of the page: the question above it, and what is filled into Jaeger's form."""

    question: str
    form: dict[str, str]

    @property
    def parameters(self) -> dict[str, str]:
        """What Jaeger's page makes of the form."""
        names = {"Service": "service", "Operation": "operation", "Min Duration": "minDuration"}
        asked = {names[field]: text for field, text in self.form.items() if field != "Tags"}
        tags = dict(pair.split("=", 1) for pair in self.form.get("Tags", "").split())
        return {**asked, "tags": json.dumps(tags)} if tags else asked


def searches() -> list[Search]:
    """Return the searches of the page."""
    found = re.findall(
        r"^\*\*(.+?)\*\*[^`]*?(?:`[^`]+`[^`]*?)*?\n```jaeger\n(.+?)```",
        PAGE.read_text(),
        re.MULTILINE | re.DOTALL,
    )
    return [
        Search(question, dict(re.findall(r"^(\w+(?: \w+)?) {2,}(.+)$", form, re.MULTILINE)))
        for question, form in found
    ]


SEARCHES = searches()


@pytest.fixture(scope="module", name="observed")
def _observed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Observed]:
    """One stack for all tests of this file: starting it takes longer than asking it."""
    with observed_flights(tmp_path_factory.mktemp("searches")) as observed:
        yield observed


def is_low(observed: Observed, one: Sent) -> bool:
    """Return whether the confidence lies below what 5 % of the reference lie below."""
    return one.said.get("ml.prediction.confidence", 1.0) < observed.profile["low_confidence"]


def is_told_of_drift(one: Sent) -> bool:
    """
    Return whether a window had closed over flights of the same stream before: they are of another season than the reference.

    That of version 1 is also what version 2 is compared with, which has none of its own.
    """
    return one.portion > 0


EXPECTED: dict[str, Callable[[Observed, Sent], bool]] = {
    "Which late arrivals was version 1 unsure of in production?": lambda observed, one: (
        is_low(observed, one)
        and one.said["ml.prediction.label"] == "late"
        and one.said["ml.model.version"] == "1"
        and one.environment == "production"
    ),
    "What was predicted while inputs had drifted?": lambda _, one: (
        is_told_of_drift(one) and "ml.prediction.label" in one.said
    ),
    "What has version 2 predicted since its deploy?": lambda _, one: (
        one.said.get("ml.model.version") == "2"
    ),
    'Where does staging predict "late"?': lambda _, one: (
        one.environment == "staging" and one.said["ml.prediction.label"] == "late"
    ),
    "Which inputs had a carrier that training never saw?": lambda _, one: (
        '"ZZ"' in one.said.get("ml.input.features", "")
    ),
    "What became of this prediction?": lambda _, one: (
        one.said.get("ml.prediction.id") == "UA-1545-2013-03-01"
    ),
    "Which predictions turned out wrong?": lambda _, one: (
        one.said.get("ml.feedback.correct") is False
    ),
    "Which calls raised a `ValueError`?": lambda _, one: one.said.get("error.type") == "ValueError",
    "Which inputs were refused before the model saw them?": lambda _, one: (
        one.said.get("error.type") == "validation_failed"
    ),
    "Which calls took longer than half a second?": lambda _, one: (
        one.span.end_time_unix_nano - one.span.start_time_unix_nano >= 500_000_000
    ),
}


def test_the_page_has_ten_searches_and_each_is_tried() -> None:
    """No search is on the page that nobody has run."""
    assert [search.question for search in SEARCHES] == list(EXPECTED)
    assert PAGE.read_text().count("```jaeger") == len(SEARCHES) == 10


@pytest.mark.real_servers
@pytest.mark.parametrize("search", SEARCHES, ids=lambda search: search.question)
def test_a_search_finds_exactly_what_it_asks_for(observed: Observed, search: Search) -> None:
    """Not one trace too few, and not one that does not belong there; worked out anew from what was sent."""
    is_expected = EXPECTED[search.question]
    expected = {one.trace_id for one in observed.sent if is_expected(observed, one)}
    assert expected
    ours = {one.trace_id for one in observed.sent}

    def found() -> set[str]:
        return {trace["traceID"] for trace in observed.search(**search.parameters)} & ours

    assert eventually(found, lambda ids: ids == expected, 60) == expected


@pytest.mark.real_servers
def test_every_span_went_through_the_processor(observed: Observed) -> None:
    """The verdicts that are searched for are the processor's: each inference has one, each as sent but for it."""
    traces = eventually(
        lambda: observed.search(operation="predict late-arrival", tags='{"ml.model.version":"1"}'),
        lambda found: len(found) >= 6 * ROWS,
        60,
    )
    tags = {
        trace["traceID"]: {tag["key"] for tag in span["tags"]}
        for trace in traces
        for span in trace["spans"]
    }
    for one in (*observed.sent_to("production", "1"), *observed.sent_to("staging", "1")):
        assert tags[one.trace_id] >= {*one.said, "ml.verdict.confidence"}


def filled(template: str, trace: dict[str, Any], tags: dict[str, Any]) -> str:
    """Return *template* as Jaeger's pages fill it in; a name that the trace does not have fails, where they would leave the link out."""
    start = min(span["startTime"] for span in trace["spans"])
    known = {"trace.startTime": start, "trace.endTime": start, **tags}

    def value(found: re.Match[str]) -> str:
        name, *formatters = (part.strip() for part in found[1].split("|"))
        assert {one.split()[0] for one in formatters} <= {"add", "epoch_micros_to_date_iso"}
        return str(httpx.QueryParams({"v": str(known[name])}))[2:]

    return re.sub(r"#\{([^}]+)\}", value, template)


@pytest.mark.real_servers
def test_the_link_of_an_id_finds_everything_with_that_id(observed: Observed) -> None:
    """The prediction, and the feedback in another trace."""
    (link,) = [link for link in LINKS if link["key"] == "ml.prediction.id"]
    found = observed.search(tags=json.dumps({"ml.prediction.id": "UA-1545-2013-03-01"}))
    tags = {tag["key"]: tag["value"] for tag in found[0]["spans"][0]["tags"]}

    url = urlsplit(filled(link["url"], found[0], tags))
    assert url.path == "/search"
    asked = {key: values[0] for key, values in parse_qs(url.query).items()}
    names = {span["operationName"] for trace in observed.search(**asked) for span in trace["spans"]}
    assert names == {"predict late-arrival", "feedback late-arrival"}


@pytest.mark.real_servers
def test_the_link_of_a_model_leads_to_its_dashboard(observed: Observed) -> None:
    """Everything in it can be filled in from any inference, and the dashboard has what it is given."""
    (link,) = [link for link in LINKS if link["key"] == "ml.model.name"]
    trace = observed.search(operation="predict late-arrival", limit=1)[0]
    (span,) = [one for one in trace["spans"] if one["operationName"] == "predict late-arrival"]
    tags = {tag["key"]: tag["value"] for tag in span["tags"]}

    url = urlsplit(filled(link["url"], trace, tags))
    assert url.path == f"/d/{MODEL['uid']}"
    asked = parse_qs(url.query)
    assert asked["var-model"] == ["late-arrival"]
    variables = {f"var-{one['name']}" for one in MODEL["templating"]["list"]}
    assert asked.keys() <= variables | {"from", "to"}


@pytest.mark.real_servers
@pytest.mark.parametrize("cut", [0, 1], ids=["the file as it is", "cut off"])
def test_jaeger_starts_with_the_links_where_they_can_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cut: int
) -> None:
    """At the place in its configuration that the page gives; a broken file is refused, so this one is not."""
    said = re.search(r"```yaml\n(.+?)```", PAGE.read_text(), re.DOTALL)
    assert said is not None
    links = tmp_path / "jaeger-ui.json"
    whole = (ROOT / "collector-config" / "jaeger-ui.json").read_text()
    links.write_text(whole[: len(whole) // 2] if cut else whole)
    more = tmp_path / "links.yaml"
    more.write_text(said[1].replace("jaeger-ui.json", str(links)))
    for name in ("JAEGER", "JAEGER_QUERY", "JAEGER_QUERY_GRPC", "JAEGER_HEALTH"):
        monkeypatch.setenv(f"{name}_ENDPOINT", f"127.0.0.1:{free_port()}")
    config = ROOT / "collector-config" / "jaeger.yaml"
    command = [find_tool("jaeger"), "--config", config, "--config", more]
    ready = partial(answers, f"http://{os.environ['JAEGER_HEALTH_ENDPOINT']}/status")
    refusal = (
        pytest.raises(pytest.fail.Exception, match="ended with status") if cut else nullcontext()
    )
    with refusal, running(command, ready=ready, log=tmp_path / "jaeger.log"):
        pass
